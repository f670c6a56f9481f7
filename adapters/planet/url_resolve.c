#include "config.h"

#include "adapters/planet/url_resolve.h"

#include <string.h>
#include <strings.h>

struct part {
	const char *p;
	size_t len;
};

/* p NULL: there is none, which is not the same as an empty one. */
struct url {
	struct part scheme, authority, path, query, fragment;
};

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t scheme_len(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] == ':')
			return i;
		else if (!is_alpha(p[i]) && (i == 0 || !strchr("0123456789+-.", p[i])))
			return 0;
	return 0;
}

bool url_is_absolute(const char *url)
{
	return scheme_len(url, strlen(url)) > 0;
}

static bool has_scheme(const char *url, const char *const *scheme)
{
	const size_t len = scheme_len(url, strlen(url));

	for (; *scheme; scheme++)
		if (len && strlen(*scheme) == len && strncasecmp(url, *scheme, len) == 0)
			return true;
	return false;
}

bool url_is_page(const char *url)
{
	static const char *const scheme[] = { "http", "https", "ftp", "gemini", "gopher", NULL };
	const char *rest = strchr(url, ':');

	return rest && has_scheme(url, scheme) && strncmp(rest, "://", 3) == 0 && rest[3] &&
	       !strchr("/?#", rest[3]);
}

bool url_is_harmful(const char *url)
{
	static const char *const scheme[] = { "javascript", "vbscript", "data", "file", NULL };

	return has_scheme(url, scheme);
}

/*
 * The length of a character that is not shown, or turns the others around, at
 * p; 0: it is none.  U+0080 to U+00A0, U+00AD, U+061C, U+200B to U+200F,
 * U+2028 to U+202F, U+2060 to U+206F, U+FEFF.
 */
static size_t hidden_len(const char *p, size_t len)
{
	const unsigned char *c = (const unsigned char *)p;

	if (*c <= ' ' || *c == 0x7f)
		return 1;
	if (len >= 2 && ((c[0] == 0xc2 && ((c[1] >= 0x80 && c[1] <= 0xa0) || c[1] == 0xad)) ||
			 (c[0] == 0xd8 && c[1] == 0x9c)))
		return 2;
	if (len >= 3 && c[0] == 0xe2 &&
	    ((c[1] == 0x80 && ((c[2] >= 0x8b && c[2] <= 0x8f) || (c[2] >= 0xa8 && c[2] <= 0xaf))) ||
	     (c[1] == 0x81 && c[2] >= 0xa0 && c[2] <= 0xaf)))
		return 3;
	return len >= 3 && memcmp(c, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

bool url_has_hidden(const char *url)
{
	for (; *url; url++)
		if (*url != ' ' && hidden_len(url, strnlen(url, 3)))
			return true;
	return false;
}

/* The part before the first of the bytes in stop; rest begins there. */
static struct part cut(struct part *rest, const char *stop)
{
	struct part part = { rest->p, 0 };

	while (part.len < rest->len && !strchr(stop, rest->p[part.len]))
		part.len++;
	rest->p += part.len;
	rest->len -= part.len;
	return part;
}

static void skip(struct part *rest, size_t n)
{
	rest->p += n;
	rest->len -= n;
}

static struct url split(const char *text)
{
	struct part rest = { text, strlen(text) };
	struct url url = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	size_t n;

	while (rest.len && (unsigned char)*rest.p <= ' ')
		skip(&rest, 1);
	while (rest.len && (unsigned char)rest.p[rest.len - 1] <= ' ')
		rest.len--;
	n = scheme_len(rest.p, rest.len);
	if (n) {
		url.scheme = (struct part){ rest.p, n };
		skip(&rest, n + 1);
	}
	if (rest.len >= 2 && rest.p[0] == '/' && rest.p[1] == '/') {
		skip(&rest, 2);
		url.authority = cut(&rest, "/?#");
	}
	url.path = cut(&rest, "?#");
	if (rest.len && *rest.p == '?') {
		skip(&rest, 1);
		url.query = cut(&rest, "#");
	}
	if (rest.len) {
		skip(&rest, 1);
		url.fragment = rest;
	}
	return url;
}

static void add(struct bus_buf *out, struct part part)
{
	size_t hidden;

	while (part.len) {
		hidden = hidden_len(part.p, part.len);
		if (!hidden) {
			bus_buf_add(out, part.p, 1);
			skip(&part, 1);
		}
		for (; hidden; hidden--, skip(&part, 1))
			bus_buf_printf(out, "%%%02X", (unsigned char)*part.p);
	}
}

/* Without the last segment, and the slash before it; not more than what begins at start. */
static void drop_segment(struct bus_buf *out, size_t start)
{
	while (out->len > start && out->p[--out->len] != '/')
		;
	if (out->p)
		out->p[out->len] = '\0';
}

static bool is_segment(struct part segment, const char *text)
{
	return segment.len == strlen(text) && memcmp(segment.p, text, segment.len) == 0;
}

/* RFC 3986 section 5.2.4; start: where in out the path begins. */
static void add_path(struct bus_buf *out, size_t start, struct part path)
{
	struct part segment;
	bool slash;

	while (path.len && !out->failed) {
		slash = *path.p == '/';
		if (slash)
			skip(&path, 1);
		segment = cut(&path, "/");
		if (is_segment(segment, "..") && slash)
			drop_segment(out, start);
		if (is_segment(segment, ".") || is_segment(segment, "..")) {
			if (slash && !path.len)
				bus_buf_add(out, "/", 1);
			else if (!slash && path.len)
				skip(&path, 1);
			continue;
		}
		if (slash)
			bus_buf_add(out, "/", 1);
		add(out, segment);
	}
}

/* Section 5.2.3: all of the base's path but its last segment, then ref. */
static void add_merged(struct bus_buf *out, const struct url *base, struct part ref)
{
	struct bus_buf merged = BUS_BUF_INIT(out->max);
	size_t n = base->path.len;

	while (n && base->path.p[n - 1] != '/')
		n--;
	if (base->authority.p && !base->path.len)
		bus_buf_add(&merged, "/", 1);
	bus_buf_add(&merged, base->path.p, n);
	bus_buf_add(&merged, ref.p, ref.len);
	if (merged.failed)
		out->failed = true;
	else if (merged.len)
		add_path(out, out->len, (struct part){ merged.p, merged.len });
	bus_buf_finish(&merged);
}

static void add_with(struct bus_buf *out, const char *before, struct part part, const char *after)
{
	if (!part.p)
		return;
	bus_buf_puts(out, before);
	add(out, part);
	bus_buf_puts(out, after);
}

void url_resolve(struct bus_buf *out, const char *base, const char *reference)
{
	const struct url ref = split(reference), on = split(base);
	const bool is_whole = ref.scheme.p != NULL;
	const bool has_authority = is_whole || ref.authority.p;

	add_with(out, "", is_whole ? ref.scheme : on.scheme, ":");
	add_with(out, "//", has_authority ? ref.authority : on.authority, "");
	if (is_whole && !ref.authority.p)
		add(out, ref.path); /* urn:, tag:, mailto: have no segments */
	else if (has_authority || (ref.path.len && *ref.path.p == '/'))
		add_path(out, out->len, ref.path);
	else if (ref.path.len)
		add_merged(out, &on, ref.path);
	else
		add(out, on.path);
	add_with(out, "?", has_authority || ref.path.len || ref.query.p ? ref.query : on.query, "");
	add_with(out, "#", ref.fragment, "");
}
