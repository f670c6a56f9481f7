#include "config.h"

#include "adapters/common/text.h"

#include <stdbool.h>
#include <string.h>

#include "json.h"

static bool is_blank(char c)
{
	return (unsigned char)c <= 0x20 || c == 0x7f;
}

/* U+0080 to U+009F, and the line and paragraph separators: what ends a line for some. */
static bool is_control(const char *p, size_t n)
{
	const unsigned char *c = (const unsigned char *)p;

	return (n == 2 && c[0] == 0xc2 && c[1] < 0xa0) ||
	       (n == 3 && c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9));
}

static size_t count_characters(const char *p, size_t len)
{
	size_t count = 0, n;

	for (; len; count++, p += n, len -= n) {
		n = bus_utf8_char(p, len);
		n = n ? n : 1;
	}
	return count;
}

/* The length of what is a blank, or shown as one, at the begin of the text; 0: there is none. */
static size_t blank_at_begin(const char *bytes, size_t len)
{
	const size_t n = bus_utf8_char(bytes, len);

	return n && (is_blank(bytes[0]) || is_control(bytes, n)) ? n : 0;
}

static size_t blank_at_end(const char *bytes, size_t len)
{
	size_t n;

	for (n = 1; n <= 3 && n <= len; n++)
		if (blank_at_begin(bytes + len - n, n) == n)
			return n;
	return 0;
}

void text_line(struct bus_buf *out, const char *bytes, size_t len, size_t max)
{
	bool cut;
	size_t n;

	for (; (n = blank_at_begin(bytes, len)); bytes += n)
		len -= n;
	while ((n = blank_at_end(bytes, len)))
		len -= n;
	cut = count_characters(bytes, len) > max;
	for (max -= cut; len && max; max--, bytes += n, len -= n) {
		n = bus_utf8_char(bytes, len);
		if (!n)
			bus_buf_puts(out, "\xef\xbf\xbd");
		else if (is_blank(bytes[0]) || is_control(bytes, n))
			bus_buf_add(out, " ", 1);
		else
			bus_buf_add(out, bytes, n);
		n = n ? n : 1;
	}
	if (cut)
		bus_buf_puts(out, "\xe2\x80\xa6");
}

void text_percent(struct bus_buf *out, const char *bytes, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~/";

	for (; len; bytes++, len--)
		if (memchr(plain, *bytes, sizeof(plain) - 1))
			bus_buf_add(out, bytes, 1);
		else
			bus_buf_printf(out, "%%%02X", (unsigned char)*bytes);
}
