#include "config.h"

#include "json_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"

enum { NAMES_FIRST = 64, NUMBER_SHORT = 18 /* digits that fit into 64 bits whatever they are */ };

struct slice {
	const char *p;
	size_t len;
};

struct scan {
	const char *begin, *p, *end;
	struct bus_json_want *want;
	size_t want_count;
	char *unescaped; /* as large as the text, so that all strings of it fit; NULL: no escapes */
	size_t unescaped_len;
	/* Names of the objects that are open, the innermost's last. */
	struct slice *name;
	size_t name_count, name_max;
	unsigned int depth;
	enum bus_code code;
	struct bus_err *err;
};

static enum bus_code fail(const struct scan *s, const char *why)
{
	return bus_fail(s->err, s->code, "json: byte %zu: %s", (size_t)(s->p - s->begin), why);
}

static enum bus_code nomem(const struct scan *s)
{
	return bus_fail(s->err, BUS_E_NOMEM, "json: out of memory");
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

/* Takes the character, if it is the next one behind blanks. */
static bool take(struct scan *s, char c)
{
	skip_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* -- strings -- */

/* How many bytes the character has that begins here; 0: not UTF-8 (RFC 3629 section 4). */
static size_t character(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char first, last, least, most; /* first byte from, to; second from, to */
		unsigned char len;
	} form[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, j;

	for (i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		if (*p < form[i].first || *p > form[i].last)
			continue;
		if (left < form[i].len || p[1] < form[i].least || p[1] > form[i].most)
			return 0;
		for (j = 2; j < form[i].len; j++)
			if ((p[j] & 0xc0) != 0x80)
				return 0;
		return form[i].len;
	}
	return 0;
}

/* The four digits behind \u; -1: they are not there. */
static long hex4(const struct scan *s)
{
	const unsigned char *p = (const unsigned char *)s->p;
	long code = 0;
	int i;

	if (s->end - s->p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			code = code << 4 | (p[i] - '0');
		else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')
			code = code << 4 | ((p[i] | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return code;
}

static void put_character(struct scan *s, long c)
{
	char *out = s->unescaped + s->unescaped_len;
	char *const begin = out;

	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		*out++ = (char)(0x80 | (c & 0x3f));
	s->unescaped_len += (size_t)(out - begin);
}

/* Behind \u: perhaps two halves of one character (RFC 8259 section 7). */
static enum bus_code unescape_code(struct scan *s)
{
	static const char half[] = "half a character";
	long c = hex4(s), low;

	if (c < 0)
		return fail(s, "not four hexadecimal digits");
	if (!c)
		return fail(s, "\\u0000 is not allowed");
	s->p += 4;
	if (c >= 0xd800 && c <= 0xdfff) {
		if (c >= 0xdc00 || s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
			return fail(s, half);
		s->p += 2;
		low = hex4(s);
		if (low < 0xdc00 || low > 0xdfff)
			return fail(s, half);
		s->p += 4;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	put_character(s, c);
	return BUS_OK;
}

static enum bus_code unescape_one(struct scan *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;

	if (s->p == s->end)
		return fail(s, "the text ends in a string");
	if (*s->p == 'u') {
		s->p++;
		return unescape_code(s);
	}
	which = *s->p ? strchr(from, *s->p) : NULL;
	if (!which)
		return fail(s, "no such escape");
	s->p++;
	s->unescaped[s->unescaped_len++] = to[which - from];
	return BUS_OK;
}

/* ASCII that stands for itself. */
static const bool is_plain[256] = {
	[' '] = true,
	['!'] = true,
	['#' ... '['] = true,
	[']' ... 0x7f] = true,
};

/* Up to the next byte that ends the string or is an escape. */
static enum bus_code plain(struct scan *s)
{
	size_t n;

	for (;;) {
		while (s->p < s->end && is_plain[(unsigned char)*s->p])
			s->p++;
		if (s->p == s->end || *s->p == '"' || *s->p == '\\')
			break;
		n = *s->p & 0x80 ? character((const unsigned char *)s->p, (size_t)(s->end - s->p))
				 : 0;
		if (!n)
			return fail(s, *s->p & 0x80 ? "not UTF-8" : "a control character");
		s->p += n;
	}
	return s->p < s->end ? BUS_OK : fail(s, "the text ends in a string");
}

/* Behind its first quote. */
static enum bus_code string(struct scan *s, struct slice *ret)
{
	const char *from = s->p;
	size_t begin;
	enum bus_code rc = plain(s);

	if (rc)
		return rc;
	*ret = (struct slice){ from, (size_t)(s->p - from) };
	if (*s->p++ == '"')
		return BUS_OK;
	if (!s->unescaped)
		s->unescaped = malloc((size_t)(s->end - s->begin));
	if (!s->unescaped)
		return nomem(s);
	begin = s->unescaped_len;
	for (;;) {
		memcpy(s->unescaped + s->unescaped_len, from, (size_t)(s->p - 1 - from));
		s->unescaped_len += (size_t)(s->p - 1 - from);
		if (s->p[-1] == '"')
			break;
		rc = unescape_one(s);
		from = s->p;
		if (!rc)
			rc = plain(s);
		if (rc)
			return rc;
		s->p++;
	}
	*ret = (struct slice){ s->unescaped + begin, s->unescaped_len - begin };
	return BUS_OK;
}

/* -- numbers and words -- */

static bool digits(struct scan *s)
{
	const char *const from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

static enum bus_code number(struct scan *s)
{
	const char *const from = s->p;
	bool zero, fine, whole = true;

	s->p += *s->p == '-';
	zero = s->p < s->end && *s->p == '0';
	s->p += zero;
	fine = zero || digits(s);
	if (fine && s->p < s->end && *s->p == '.') {
		s->p++;
		fine = digits(s);
		whole = false;
	}
	if (fine && s->p < s->end && (*s->p | 0x20) == 'e') {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		fine = digits(s);
		whole = false;
	}
	if (!fine)
		return fail(s, "not a number");
	if (whole && s->p - from <= NUMBER_SHORT)
		return BUS_OK;
	return bus_json_check_number(from, (size_t)(s->p - from), s->code, s->err);
}

static enum bus_code word(struct scan *s)
{
	static const char *const known[] = { "true", "false", "null" };
	size_t i, len;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		len = strlen(known[i]);
		if ((size_t)(s->end - s->p) >= len && memcmp(s->p, known[i], len) == 0) {
			s->p += len;
			return BUS_OK;
		}
	}
	return fail(s, s->p < s->end ? "not a value" : "the text ends too early");
}

/* -- objects and arrays -- */

static enum bus_code value(struct scan *s, const char *path, struct bus_json_want *want);

static enum bus_code add_name(struct scan *s, const struct slice *name)
{
	const size_t max = s->name_max ? 2 * s->name_max : NAMES_FIRST;
	struct slice *more;

	if (s->name_count == s->name_max) {
		more = realloc(s->name, max * sizeof(*more));
		if (!more)
			return nomem(s);
		s->name = more;
		s->name_max = max;
	}
	s->name[s->name_count++] = *name;
	return BUS_OK;
}

static int by_text(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->p, y->p, x->len);
}

/* Sorted, since comparing all with all would be a way to keep us busy. */
static enum bus_code close_names(struct scan *s, size_t first)
{
	const size_t count = s->name_count - first;
	struct slice *const name = s->name + first;
	size_t i;

	s->name_count = first;
	if (count < 2)
		return BUS_OK;
	qsort(name, count, sizeof(*name), by_text);
	for (i = 1; i < count; i++)
		if (by_text(&name[i - 1], &name[i]) == 0)
			return fail(s, "an object with two members of one name");
	return BUS_OK;
}

/* path: the member of the outermost object that we are in, "" of that itself, NULL deeper down. */
static struct bus_json_want *wanted(const struct scan *s, const char *path,
				    const struct slice *name)
{
	size_t i;

	for (i = 0; path && i < s->want_count; i++)
		if (strcmp(path, s->want[i].parent ? s->want[i].parent : "") == 0 &&
		    strlen(s->want[i].name) == name->len &&
		    memcmp(s->want[i].name, name->p, name->len) == 0)
			return &s->want[i];
	return NULL;
}

static enum bus_code member(struct scan *s, const char *path)
{
	struct bus_json_want *want;
	struct slice name;
	enum bus_code rc;

	if (!take(s, '"'))
		return fail(s, "no name of a member");
	rc = string(s, &name);
	if (!rc)
		rc = add_name(s, &name);
	if (rc)
		return rc;
	if (!take(s, ':'))
		return fail(s, "no colon behind a name");
	want = wanted(s, path, &name);
	return value(s, want && path && !*path ? want->name : NULL, want);
}

static enum bus_code object(struct scan *s, const char *path)
{
	const size_t first = s->name_count;
	enum bus_code rc = BUS_OK;

	if (take(s, '}'))
		return BUS_OK;
	do
		rc = member(s, path);
	while (!rc && take(s, ','));
	if (!rc && !take(s, '}'))
		rc = fail(s, "an object without its end");
	return rc ? rc : close_names(s, first);
}

static enum bus_code array(struct scan *s)
{
	enum bus_code rc = BUS_OK;

	if (take(s, ']'))
		return BUS_OK;
	do
		rc = value(s, NULL, NULL);
	while (!rc && take(s, ','));
	return rc || take(s, ']') ? rc : fail(s, "an array without its end");
}

/* Calls itself, through object() and array(), at most BUS_DEPTH_MAX times. */
static enum bus_code nested(struct scan *s, const char *path)
{
	const bool is_object = *s->p++ == '{';
	enum bus_code rc;

	if (++s->depth > BUS_DEPTH_MAX)
		return bus_fail(s->err, s->code, "json: nested deeper than %d", BUS_DEPTH_MAX);
	rc = is_object ? object(s, path) : array(s);
	s->depth--;
	return rc;
}

static enum bus_code value(struct scan *s, const char *path, struct bus_json_want *want)
{
	struct slice text = { NULL, 0 };
	enum bus_json_kind kind = BUS_JSON_OTHER;
	enum bus_code rc;

	skip_space(s);
	switch (s->p < s->end ? *s->p : 0) {
	case '"':
		s->p++;
		kind = BUS_JSON_STRING;
		rc = string(s, &text);
		break;
	case '{':
		kind = BUS_JSON_OBJECT;
		rc = nested(s, path);
		break;
	case '[':
		rc = nested(s, NULL);
		break;
	case '-':
	case '0' ... '9':
		rc = number(s);
		break;
	default:
		rc = word(s);
	}
	if (!rc && want) {
		want->kind = kind;
		want->text = text.p;
		want->len = text.len;
	}
	return rc;
}

enum bus_code bus_json_scan(struct bus_json_want *want, size_t count, const char *bytes, size_t len,
			    char **ret_unescaped, enum bus_code code, struct bus_err *err)
{
	struct scan s = { bytes, bytes, bytes + len, want, count, .code = code, .err = err };
	enum bus_code rc;
	size_t i;

	for (i = 0; i < count; i++)
		want[i].kind = BUS_JSON_ABSENT;
	skip_space(&s);
	if (s.p < s.end && *s.p == '{')
		rc = nested(&s, "");
	else
		rc = fail(&s, "not a JSON object");
	skip_space(&s);
	if (!rc && s.p < s.end)
		rc = fail(&s, "more text behind the object");
	free(s.name);
	*ret_unescaped = s.unescaped;
	return rc;
}
