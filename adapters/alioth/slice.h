#ifndef BUS_ADAPTER_SLICE_H
#define BUS_ADAPTER_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Bytes of some buffer, and how they are taken apart.
 */
struct slice {
	const char *p;
	size_t len;
};

struct slice slice_of(const char *text);
struct slice slice_of_buf(const struct bus_buf *buf);
bool slice_is(struct slice slice, const char *text);
bool slice_begins(struct slice slice, const char *text);

/* Takes the next line, without its LF, off text; false at the end. */
bool slice_line(struct slice *text, struct slice *ret);
/* The same for what is ended by any other byte, or by the end. */
bool slice_until(struct slice *text, char end, struct slice *ret);

/* Decimal digits and nothing else, at most max; false if not. */
bool slice_number(struct slice text, uint64_t max, uint64_t *ret);

/*
 * Fields one after the other, of any bytes each: the form in which a hook's
 * input is kept.  A field is "<length> SP <bytes> LF".  slice_field() takes
 * the next one off; false where there is none that is whole.
 */
void slice_field_add(struct bus_buf *out, const void *bytes, size_t len);
void slice_field_puts(struct bus_buf *out, const char *text);
void slice_field_number(struct bus_buf *out, int64_t number);
bool slice_field(struct slice *fields, struct slice *ret);

#endif
