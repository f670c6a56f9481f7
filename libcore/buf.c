#include "config.h"

#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct bus_buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : 256;
	char *p;

	if (buf->failed)
		return false;
	if (more > buf->max || buf->len > buf->max - more) {
		buf->failed = buf->over = true;
		return false;
	}
	while (cap - buf->len <= more) /* one byte over, for the NUL */
		cap *= 2;
	if (cap == buf->cap)
		return true;
	p = realloc(buf->p, cap);
	if (!p) {
		buf->failed = true;
		return false;
	}
	buf->p = p;
	buf->cap = cap;
	return true;
}

void bus_buf_add(struct bus_buf *buf, const void *bytes, size_t len)
{
	if (!reserve(buf, len))
		return;
	if (len)
		memcpy(buf->p + buf->len, bytes, len);
	buf->len += len;
	buf->p[buf->len] = '\0';
}

void bus_buf_puts(struct bus_buf *buf, const char *text)
{
	bus_buf_add(buf, text, strlen(text));
}

void bus_buf_printf(struct bus_buf *buf, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0 && reserve(buf, (size_t)n)) {
		vsnprintf(buf->p + buf->len, (size_t)n + 1, fmt, again);
		buf->len += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}

void bus_buf_inherit(struct bus_buf *buf, const struct bus_buf *from)
{
	buf->failed = buf->failed || (from->failed && !from->over);
}

void bus_buf_clear(struct bus_buf *buf)
{
	buf->len = 0;
	buf->failed = buf->over = false;
}

void bus_buf_finish(struct bus_buf *buf)
{
	free(buf->p);
	buf->p = NULL;
	buf->len = buf->cap = 0;
}

enum bus_code bus_buf_check(const struct bus_buf *buf, const char *what, struct bus_err *err)
{
	if (!buf->failed)
		return BUS_OK;
	if (buf->over)
		return bus_fail(err, BUS_E_DATA, "%s: more than %zu bytes", what, buf->max);
	return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", what);
}

char *bus_buf_detach(struct bus_buf *buf)
{
	char *p = buf->failed ? NULL : buf->p;

	if (buf->failed)
		free(buf->p);
	buf->p = NULL;
	buf->len = buf->cap = 0;
	return p;
}
