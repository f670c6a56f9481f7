#ifndef BUS_ADAPTER_DAK_DEB822_H
#define BUS_ADAPTER_DAK_DEB822_H

#include "adapters/dak/names.h"
#include "err.h"

/*
 * Stanzas of "Field: value" lines, as deb822(5) has them: a line that begins
 * with a blank goes on with the value before, and a line without anything but
 * blanks ends the stanza.  Lines end with LF only.
 *
 *	struct deb822 in = { text, 0 };
 *	while ((rc = deb822_next(&in, &field, err)) == BUS_OK)
 *		...
 *
 * Nothing is copied: names and values point into the text.
 */
struct deb822 {
	struct dak_slice rest;
	size_t line; /* number of the line read last, from 1 */
};

struct deb822_field {
	struct dak_slice name;
	struct dak_slice value; /* all lines, trimmed at both ends */
	size_t line;
};

/* BUS_E_NO: the stanza, or the text, is at its end.  BUS_E_DATA names the line. */
enum bus_code deb822_next(struct deb822 *in, struct deb822_field *ret, struct bus_err *err);

/* Skips empty lines; false where no stanza follows. */
bool deb822_begin(struct deb822 *in);

/* Without regard to case, as deb822(5) has it. */
bool deb822_is(const struct deb822_field *field, const char *name);

#endif
