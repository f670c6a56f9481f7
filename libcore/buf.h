#ifndef BUS_BUF_H
#define BUS_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * Bytes that grow, up to a limit stated where the buffer is made.
 *
 * Start with BUS_BUF_INIT(max) and end with bus_buf_finish().  Appending never
 * fails loudly: running out of memory or over the limit sets `failed`, and
 * everything after that is ignored, so a writer checks once, at the end, with
 * bus_buf_check().  p[len] is always NUL once something was appended.
 */

struct bus_buf {
	char *p;
	size_t len, cap;
	size_t max;	   /* bytes; more than this is refused */
	bool failed, over; /* over: because of max, not of memory */
};

#define BUS_BUF_INIT(limit)                                                                        \
	{                                                                                          \
		NULL, 0, 0, (limit), false, false                                                  \
	}

void bus_buf_add(struct bus_buf *buf, const void *bytes, size_t len);
void bus_buf_puts(struct bus_buf *buf, const char *text);
void bus_buf_printf(struct bus_buf *buf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Out of memory in one is out of memory in the other: for a buffer whose text
 * was made in another one, `from`.
 */
void bus_buf_inherit(struct bus_buf *buf, const struct bus_buf *from);
void bus_buf_clear(struct bus_buf *buf); /* keeps the memory */
void bus_buf_finish(struct bus_buf *buf);

/* BUS_OK, BUS_E_NOMEM, or BUS_E_DATA where the limit was hit; `what` names it. */
enum bus_code bus_buf_check(const struct bus_buf *buf, const char *what, struct bus_err *err);

/* Takes the bytes out; the caller frees them.  NULL if the buffer failed. */
char *bus_buf_detach(struct bus_buf *buf);

#endif
