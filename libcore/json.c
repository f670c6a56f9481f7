#include "config.h"

#include "json.h"

#include <inttypes.h>
#include <string.h>

size_t bus_utf8_char(const char *p, size_t len)
{
	const unsigned char *s = (const unsigned char *)p;
	uint32_t c;
	size_t n, i;

	if (!len)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2, c = s[0] & 0x1f;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3, c = s[0] & 0x0f;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4, c = s[0] & 0x07;
	else
		return 0;
	if (len < n)
		return 0;
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF */
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

bool bus_utf8_valid(const char *p, size_t len)
{
	size_t n;

	for (; len; p += n, len -= n) {
		n = bus_utf8_char(p, len);
		if (!n)
			return false;
	}
	return true;
}

/* C0, DEL, and C1 (U+0080 to U+009F): a terminal that is shown them takes orders. */
static bool is_control(const char *s, size_t n)
{
	const unsigned char *c = (const unsigned char *)s;

	return c[0] < 0x20 || c[0] == 0x7f || (n == 2 && c[0] == 0xc2 && c[1] < 0xa0);
}

static void add_escape(struct bus_buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		bus_buf_puts(out, "\\\"");
		break;
	case '\\':
		bus_buf_puts(out, "\\\\");
		break;
	case '\n':
		bus_buf_puts(out, "\\n");
		break;
	case '\r':
		bus_buf_puts(out, "\\r");
		break;
	case '\t':
		bus_buf_puts(out, "\\t");
		break;
	default:
		bus_buf_printf(out, "\\u%04x", c);
	}
}

static void add_string(struct bus_buf *out, const char *s, size_t len)
{
	size_t plain = 0, n;

	bus_buf_add(out, "\"", 1);
	while (plain < len) {
		n = bus_utf8_char(s + plain, len - plain);
		if (n && s[plain] != '"' && s[plain] != '\\' && !is_control(s + plain, n)) {
			plain += n;
			continue;
		}
		bus_buf_add(out, s, plain);
		if (!n || s[plain] == '\0')
			bus_buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
		else /* of C1, the second byte is the character */
			add_escape(out, (unsigned char)s[plain + n - 1]);
		n = n ? n : 1;
		s += plain + n;
		len -= plain + n;
		plain = 0;
	}
	bus_buf_add(out, s, plain);
	bus_buf_add(out, "\"", 1);
}

static void begin(struct bus_json *js, const char *name)
{
	if (js->comma)
		bus_buf_add(js->out, ",", 1);
	js->comma = true;
	if (!name)
		return;
	add_string(js->out, name, strlen(name));
	bus_buf_add(js->out, ":", 1);
}

void bus_json_open(struct bus_json *js, const char *name, char bracket)
{
	begin(js, name);
	bus_buf_add(js->out, &bracket, 1);
	js->comma = false;
}

void bus_json_close(struct bus_json *js, char bracket)
{
	bus_buf_add(js->out, &bracket, 1);
	js->comma = true;
}

void bus_json_bytes(struct bus_json *js, const char *name, const void *bytes, size_t len)
{
	begin(js, name);
	add_string(js->out, bytes, len);
}

void bus_json_text(struct bus_json *js, const char *name, const char *text)
{
	bus_json_bytes(js, name, text, strlen(text));
}

void bus_json_uint(struct bus_json *js, const char *name, uint64_t value)
{
	begin(js, name);
	bus_buf_printf(js->out, "%" PRIu64, value);
}

void bus_json_bool(struct bus_json *js, const char *name, bool value)
{
	begin(js, name);
	bus_buf_puts(js->out, value ? "true" : "false");
}

void bus_json_raw(struct bus_json *js, const char *name, const char *json, size_t len)
{
	begin(js, name);
	bus_buf_add(js->out, json, len);
}
