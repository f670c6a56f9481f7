#include "config.h"

#include "adapters/planet/html_text.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { NAME_LEN = 32 }; /* of a reference; none has a longer one */

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void html_character(struct bus_buf *out, unsigned int code)
{
	char p[4];

	if (!code || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		code = 0xfffd;
	if (code < 0x80) {
		p[0] = (char)code;
		bus_buf_add(out, p, 1);
	} else if (code < 0x800) {
		p[0] = (char)(0xc0 | code >> 6);
		p[1] = (char)(0x80 | (code & 0x3f));
		bus_buf_add(out, p, 2);
	} else if (code < 0x10000) {
		p[0] = (char)(0xe0 | code >> 12);
		p[1] = (char)(0x80 | (code >> 6 & 0x3f));
		p[2] = (char)(0x80 | (code & 0x3f));
		bus_buf_add(out, p, 3);
	} else {
		p[0] = (char)(0xf0 | code >> 18);
		p[1] = (char)(0x80 | (code >> 12 & 0x3f));
		p[2] = (char)(0x80 | (code >> 6 & 0x3f));
		p[3] = (char)(0x80 | (code & 0x3f));
		bus_buf_add(out, p, 4);
	}
}

/* Numbers 128 to 159 mean windows-1252, in HTML. */
static unsigned int from_windows(unsigned int code)
{
	static const unsigned short table[32] = {
		0x20ac, 0x81,	0x201a, 0x192,	0x201e, 0x2026, 0x2020, 0x2021,
		0x2c6,	0x2030, 0x160,	0x2039, 0x152,	0x8d,	0x17d,	0x8f,
		0x90,	0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x2dc,	0x2122, 0x161,	0x203a, 0x153,	0x9d,	0x17e,	0x178,
	};

	return code >= 0x80 && code < 0xa0 ? table[code - 0x80] : code;
}

/* The digits of a reference; 0 where they are none or too large. */
static unsigned int number(const char *p, unsigned int base)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int value = 0;
	const char *found;

	for (; *p; p++) {
		found = strchr(digits, *p >= 'A' && *p <= 'F' ? *p + ('a' - 'A') : *p);
		if (!found || (unsigned int)(found - digits) >= base)
			return 0;
		if (value <= 0x10ffff)
			value = value * base + (unsigned int)(found - digits);
	}
	return value > 0x10ffff ? 0 : value;
}

/* A reference at p, which is an '&': its length, 0 where there is none. */
static size_t take_reference(struct bus_buf *out, const char *p, size_t len)
{
	const char *end = memchr(p, ';', len < NAME_LEN ? len : NAME_LEN);
	char name[NAME_LEN];
	unsigned int code;
	size_t n;

	if (!end)
		return 0;
	n = (size_t)(end - p) - 1;
	memcpy(name, p + 1, n);
	name[n] = '\0';
	if (name[0] != '#')
		code = html_entity(name);
	else if (name[1] == 'x' || name[1] == 'X')
		code = number(name + 2, 16);
	else
		code = number(name + 1, 10);
	if (!code || memchr(name, '\0', n))
		return 0;
	html_character(out, from_windows(code));
	return n + 2;
}

/* Of the tag that begins at p with '<': without its '>' it goes to the end. */
static size_t tag_len(const char *p, size_t len)
{
	char quote = '\0';
	size_t i;

	for (i = 1; i < len; i++) {
		if (quote ? p[i] == quote : p[i] == '>') {
			if (!quote)
				return i + 1;
			quote = '\0';
		} else if (!quote && (p[i] == '"' || p[i] == '\'') && p[i - 1] == '=') {
			quote = p[i];
		}
	}
	return len;
}

static bool is_tag(const char *p, size_t len, const char *name)
{
	const size_t n = strlen(name);

	return len > n && strncasecmp(p, name, n) == 0 && !is_alpha(p[n]);
}

/* From "<script" to its end tag. */
static size_t hidden_len(const char *p, size_t len, const char *name)
{
	size_t i;

	for (i = 1; i + 2 < len; i++)
		if (p[i] == '<' && p[i + 1] == '/' && is_tag(p + i + 2, len - i - 2, name))
			return i + tag_len(p + i, len - i);
	return len;
}

static size_t comment_len(const char *p, size_t len)
{
	const char *end = memmem(p + 4, len - 4, "-->", 3);

	return end ? (size_t)(end - p) + 3 : len;
}

/* A tag or comment at p, which is a '<': its length, 0 where there is none. */
static size_t take_tag(struct bus_buf *out, const char *p, size_t len)
{
	static const char *const breaks[] = { "br", "p", "div", "li", "td", "h1", "h2", "hr" };
	const char *name = p + 1;
	size_t i, n = len - 1;

	if (len >= 4 && memcmp(p, "<!--", 4) == 0)
		return comment_len(p, len);
	if (len < 2 || !(is_alpha(p[1]) || p[1] == '!' || p[1] == '?' ||
			 (p[1] == '/' && len > 2 && is_alpha(p[2]))))
		return 0;
	if (is_tag(name, n, "script"))
		return hidden_len(p, len, "script");
	if (is_tag(name, n, "style"))
		return hidden_len(p, len, "style");
	if (*name == '/') {
		name++;
		n--;
	}
	for (i = 0; i < sizeof(breaks) / sizeof(*breaks); i++)
		if (is_tag(name, n, breaks[i]))
			bus_buf_add(out, " ", 1);
	return tag_len(p, len);
}

void html_text(struct bus_buf *out, const char *html, size_t len)
{
	size_t n;

	for (; len && !out->failed; html += n, len -= n) {
		n = 0;
		if (*html == '<')
			n = take_tag(out, html, len);
		else if (*html == '&')
			n = take_reference(out, html, len);
		if (n)
			continue;
		n = 1;
		bus_buf_add(out, html, 1);
	}
}
