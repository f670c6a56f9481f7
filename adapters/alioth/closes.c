#include "config.h"

#include "adapters/alioth/closes.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { BUG_DIGITS = 9 }; /* a longer number is no bug */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void closes_add(struct closes *closes, uint32_t bug)
{
	size_t i;

	for (i = 0; i < closes->count; i++)
		if (closes->bug[i] == bug)
			return;
	if (bug && closes->count < CLOSES_MAX)
		closes->bug[closes->count++] = bug;
}

static bool take(const char **p, const char *end, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(end - *p) < len || strncasecmp(*p, word, len) != 0)
		return false;
	*p += len;
	return true;
}

/* \s*(?:bug)?\#?\s?\d+ at p: the end of it, or NULL. */
static const char *take_bug(const char *p, const char *end, struct closes *closes)
{
	uint32_t bug = 0;
	const char *digits;

	while (p < end && is_space(*p))
		p++;
	take(&p, end, "bug");
	take(&p, end, "#");
	if (p < end && is_space(*p))
		p++;
	for (digits = p; p < end && is_digit(*p); p++)
		if (p - digits < BUG_DIGITS)
			bug = bug * 10 + (uint32_t)(*p - '0');
	if (p == digits)
		return NULL;
	if (p - digits <= BUG_DIGITS)
		closes_add(closes, bug);
	return p;
}

void closes_find(struct closes *closes, const char *text, size_t len)
{
	const char *end = text + len, *p = text, *next;

	while (p < end) {
		if (!take(&p, end, "closes:")) {
			p++;
			continue;
		}
		for (next = take_bug(p, end, closes); next; next = take_bug(p + 1, end, closes)) {
			p = next;
			if (p == end || *p != ',')
				break;
		}
	}
}
