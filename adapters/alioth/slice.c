#include "config.h"

#include "adapters/alioth/slice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct slice slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

struct slice slice_of_buf(const struct bus_buf *buf)
{
	return (struct slice){ buf->p ? buf->p : "", buf->p ? buf->len : 0 };
}

bool slice_is(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && (!slice.len || !memcmp(slice.p, text, slice.len));
}

bool slice_begins(struct slice slice, const char *text)
{
	return slice.len >= strlen(text) && !memcmp(slice.p, text, strlen(text));
}

bool slice_until(struct slice *text, char end, struct slice *ret)
{
	const char *found = text->len ? memchr(text->p, end, text->len) : NULL;

	if (!text->len)
		return false;
	ret->p = text->p;
	ret->len = found ? (size_t)(found - text->p) : text->len;
	text->p += ret->len + (found != NULL);
	text->len -= ret->len + (found != NULL);
	return true;
}

bool slice_line(struct slice *text, struct slice *ret)
{
	return slice_until(text, '\n', ret);
}

bool slice_number(struct slice text, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0, digit;
	size_t i;

	for (i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		digit = (uint64_t)(text.p[i] - '0');
		if (digit > max || number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (i)
		*ret = number;
	return i > 0;
}

void slice_field_add(struct bus_buf *out, const void *bytes, size_t len)
{
	bus_buf_printf(out, "%zu ", len);
	if (len)
		bus_buf_add(out, bytes, len);
	bus_buf_add(out, "\n", 1);
}

void slice_field_puts(struct bus_buf *out, const char *text)
{
	slice_field_add(out, text, strlen(text));
}

void slice_field_number(struct bus_buf *out, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	slice_field_puts(out, text);
}

bool slice_field(struct slice *fields, struct slice *ret)
{
	struct slice rest = *fields, digits;
	uint64_t len;

	if (!slice_until(&rest, ' ', &digits) || !slice_number(digits, SIZE_MAX / 2, &len) ||
	    rest.len <= len || rest.p[len] != '\n')
		return false;
	ret->p = rest.p;
	ret->len = (size_t)len;
	fields->p = rest.p + len + 1;
	fields->len = rest.len - (size_t)len - 1;
	return true;
}
