#ifndef BUS_PLANET_INI_H
#define BUS_PLANET_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * Sections, keys and values in the syntax of Python's ConfigParser
 * (Lib/ConfigParser.py of Python 2.7, RawConfigParser._read()); what they mean
 * is not known here.
 *
 *	[title]		begins a section; the title ends at the first "]", what is
 *			behind that is not looked at.  A title that comes again
 *			goes on with its section
 *	key = value	or "key: value"; keys in lower case; the last one counts.  Of
 *			a value, what follows " ;" is a comment; "" is empty
 *	  more		indented: goes on with the value above
 *	# ; rem		comments; # and ; also where indented, as in Python 3
 *	[DEFAULT]	values for every section
 *	%(key)s, %%	in values: another value of the section, and a percent sign
 *
 * Lines end in LF or CRLF.  A byte order mark is passed over, and so are blanks
 * before a title or key that goes on with nothing.  Text is bytes.
 */
enum {
	INI_SECTIONS_MAX = 20000, /* titles, also those that come again */
	INI_ENTRIES_MAX = 200000
};

struct ini;

/* BUS_E_DATA, naming the line, where Python would not read it either, or past a limit. */
enum bus_code ini_parse(struct ini **ret, const char *bytes, size_t len, struct bus_err *err);
void ini_free(struct ini *ini);

/* Sections in byte order of their titles, each once, [DEFAULT] among them. */
size_t ini_count(const struct ini *ini);
const char *ini_title(const struct ini *ini, size_t section);

/* The section with this title, or ini_count() where there is none. */
size_t ini_find(const struct ini *ini, const char *title);

/* Does the section itself have this key? */
bool ini_has(const struct ini *ini, size_t section, const char *key);

/*
 * Appends a value as Python's get() gives it, with [DEFAULT] and interpolation;
 * false: there is none.  One that cannot be interpolated, or is longer than
 * out->max then, is taken as it is written, as much of it as out has room for.
 */
bool ini_get(const struct ini *ini, size_t section, const char *key, struct bus_buf *out);

#endif
