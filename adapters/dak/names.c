#include "config.h"

#include "adapters/dak/names.h"

#include <string.h>

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct dak_slice dak_slice(const char *text)
{
	return (struct dak_slice){ text, strlen(text) };
}

bool dak_is(struct dak_slice slice, const char *text)
{
	return slice.len == strlen(text) && memcmp(slice.p, text, slice.len) == 0;
}

bool dak_starts(struct dak_slice slice, const char *text)
{
	return slice.len >= strlen(text) && memcmp(slice.p, text, strlen(text)) == 0;
}

bool dak_ends(struct dak_slice slice, const char *text)
{
	const size_t len = strlen(text);

	return slice.len >= len && memcmp(slice.p + slice.len - len, text, len) == 0;
}

struct dak_slice dak_trim(struct dak_slice slice)
{
	for (; slice.len && is_blank(slice.p[0]); slice.p++)
		slice.len--;
	while (slice.len && is_blank(slice.p[slice.len - 1]))
		slice.len--;
	return slice;
}

bool dak_next_word(struct dak_slice *rest, const char *separators, struct dak_slice *ret)
{
	const size_t count = strlen(separators);

	for (; rest->len && (is_blank(rest->p[0]) || memchr(separators, rest->p[0], count));
	     rest->p++)
		rest->len--;
	*ret = (struct dak_slice){ rest->p, 0 };
	for (; rest->len && !is_blank(rest->p[0]) && !memchr(separators, rest->p[0], count);
	     rest->p++, rest->len--)
		ret->len++;
	return ret->len > 0;
}

bool dak_next_part(struct dak_slice *rest, char end, struct dak_slice *ret)
{
	const char *stop;

	if (!rest->len)
		return false;
	stop = memchr(rest->p, end, rest->len);
	ret->p = rest->p;
	ret->len = stop ? (size_t)(stop - rest->p) : rest->len;
	rest->p += ret->len + (stop != NULL);
	rest->len -= ret->len + (stop != NULL);
	return true;
}

bool dak_next_line(struct dak_slice *rest, struct dak_slice *ret)
{
	if (!dak_next_part(rest, '\n', ret))
		return false;
	while (ret->len && is_blank(ret->p[ret->len - 1]))
		ret->len--;
	return true;
}

/* One or more characters out of three sets. */
static bool is_made_of(struct dak_slice text, const char *a, const char *b, const char *c)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (!memchr(a, text.p[i], strlen(a)) && !memchr(b, text.p[i], strlen(b)) &&
		    !memchr(c, text.p[i], strlen(c)) && !memchr(digits, text.p[i], 10))
			return false;
	return text.len > 0;
}

static bool begins_with(struct dak_slice text, const char *a, const char *b)
{
	return text.len && (memchr(a, text.p[0], strlen(a)) || memchr(b, text.p[0], strlen(b)) ||
			    memchr(digits, text.p[0], 10));
}

bool dak_is_package(struct dak_slice name)
{
	return name.len >= 2 && name.len <= DAK_FIELD_MAX && begins_with(name, lower, "") &&
	       is_made_of(name, lower, ".+-", "");
}

bool dak_is_version(struct dak_slice version)
{
	return version.len <= DAK_FIELD_MAX && is_made_of(version, lower, upper, ".:~+-");
}

bool dak_is_file(struct dak_slice name)
{
	return name.len <= DAK_NAME_MAX && begins_with(name, lower, upper) &&
	       is_made_of(name, lower, upper, "_.~+-");
}

bool dak_is_suite(struct dak_slice name)
{
	return name.len <= DAK_FIELD_MAX && begins_with(name, lower, upper) &&
	       is_made_of(name, lower, upper, "_.+-");
}

bool dak_is_section(struct dak_slice name)
{
	return name.len <= DAK_FIELD_MAX && begins_with(name, lower, upper) &&
	       is_made_of(name, lower, upper, "_.+-/");
}

bool dak_is_hex(struct dak_slice text, size_t count)
{
	return text.len == count && is_made_of(text, "abcdef", "", "");
}

bool dak_is_fingerprint(struct dak_slice text)
{
	return (text.len == 40 || text.len == 64) && is_made_of(text, "ABCDEF", "", "");
}

bool dak_changes_name_parse(struct dak_changes_name *ret, struct dak_slice name)
{
	struct dak_slice rest = name;

	if (name.len > DAK_NAME_MAX || !dak_ends(name, ".changes"))
		return false;
	rest.len -= strlen(".changes");
	return dak_next_part(&rest, '_', &ret->source) && dak_is_package(ret->source) &&
	       dak_next_part(&rest, '_', &ret->version) && dak_is_version(ret->version) &&
	       !memchr(ret->version.p, ':', ret->version.len) &&
	       dak_next_part(&rest, '_', &ret->suffix) && !rest.len && ret->suffix.len &&
	       ret->suffix.p + ret->suffix.len == name.p + name.len - strlen(".changes") &&
	       is_made_of(ret->suffix, lower, upper, "+-");
}

bool dak_bug_parse(unsigned int *ret, struct dak_slice text)
{
	size_t i;

	*ret = 0;
	if (text.len > 9 || !is_made_of(text, "", "", ""))
		return false;
	for (i = 0; i < text.len; i++)
		*ret = *ret * 10 + (unsigned int)(text.p[i] - '0');
	return *ret > 0;
}
