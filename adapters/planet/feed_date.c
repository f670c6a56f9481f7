#include "config.h"

#include "adapters/planet/feed_date.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "timestamp.h"

enum { DATE_MAX = 64 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Up to max digits; false where there is none, or more. */
static bool take_number(const char **p, int max, int *ret, int *ret_digits)
{
	int digits = 0, value = 0;

	for (; is_digit(**p) && digits < max; digits++, (*p)++)
		value = value * 10 + (**p - '0');
	*ret = value;
	*ret_digits = digits;
	return digits && !is_digit(**p);
}

static void skip_blanks(const char **p)
{
	while (**p == ' ' || **p == '\t' || **p == '\n' || **p == '\r' || **p == ',')
		(*p)++;
}

/* Takes a word of letters; its index in names, -1 where it is none of them. */
static int take_name(const char **p, const char *const *names)
{
	const char *end = *p;
	int i;

	while ((*end >= 'a' && *end <= 'z') || (*end >= 'A' && *end <= 'Z'))
		end++;
	for (i = 0; names[i]; i++) {
		const size_t len = strlen(names[i]);

		if ((size_t)(end - *p) >= len && strncasecmp(*p, names[i], len) == 0 &&
		    (len == 3 || (size_t)(end - *p) == len)) {
			*p = end;
			return i;
		}
	}
	return -1;
}

/* Minutes east of UTC; one that is not known counts as UTC, as RFC 2822 4.3 has it. */
static int take_zone(const char **p)
{
	static const struct {
		const char *name;
		int hours;
	} zone[] = { { "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 },
		     { "MST", -7 }, { "MDT", -6 }, { "PST", -8 }, { "PDT", -7 },
		     { "CET", 1 },  { "CEST", 2 }, { "BST", 1 },  { "JST", 9 } };
	int value, digits, sign;
	size_t i, len;

	if (**p == '+' || **p == '-') {
		sign = *(*p)++ == '-' ? -1 : 1;
		if (!take_number(p, 4, &value, &digits))
			return 0;
		if (digits == 2 && **p == ':') {
			int minutes;

			(*p)++;
			if (!take_number(p, 2, &minutes, &digits))
				return 0;
			return sign * (value * 60 + minutes);
		}
		return sign * (value / 100 * 60 + value % 100);
	}
	len = strspn(*p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	for (i = 0; i < sizeof(zone) / sizeof(*zone); i++)
		if (strlen(zone[i].name) == len && strncmp(*p, zone[i].name, len) == 0)
			return zone[i].hours * 60;
	return 0;
}

/* [Tue,] 10 Jun 2003 [04:00[:00]] [GMT] */
static bool parse_822(int64_t *ret, const char *p)
{
	static const char *const weekdays[] = { "mon", "tue", "wed", "thu",
						"fri", "sat", "sun", NULL };
	static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
					      "aug", "sep", "oct", "nov", "dec", NULL };
	int day, month, year, hour = 0, minute = 0, second = 0, digits;
	char text[DATE_MAX];

	if (take_name(&p, weekdays) >= 0 && *p == '.')
		p++;
	skip_blanks(&p);
	if (!take_number(&p, 2, &day, &digits))
		return false;
	skip_blanks(&p);
	p += *p == '-';
	month = take_name(&p, months);
	if (month < 0)
		return false;
	p += *p == '-';
	skip_blanks(&p);
	if (!take_number(&p, 4, &year, &digits))
		return false;
	if (digits == 2)
		year += year < 50 ? 2000 : 1900;
	else if (digits == 3)
		year += 1900;
	skip_blanks(&p);
	if (is_digit(*p)) {
		if (!take_number(&p, 2, &hour, &digits) || *p++ != ':' ||
		    !take_number(&p, 2, &minute, &digits))
			return false;
		if (*p == ':' && (p++, !take_number(&p, 2, &second, &digits)))
			return false;
	}
	skip_blanks(&p);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month + 1, day, hour,
		 minute, second);
	if (!bus_time_parse(ret, text))
		return false;
	*ret -= (int64_t)take_zone(&p) * 60 * 1000000;
	return true;
}

/* The first len bytes of p, and rest. */
static bool parse_with(int64_t *ret, const char *p, size_t len, const char *rest)
{
	char text[2 * DATE_MAX];

	snprintf(text, sizeof(text), "%.*s%s", (int)len, p, rest);
	return bus_time_parse(ret, text);
}

/* The forms that RFC 3339 does not have, made into the one that it has. */
static bool parse_short(int64_t *ret, const char *p)
{
	const size_t len = strlen(p);
	char text[DATE_MAX + 4];
	const char *zone;

	if (len == 4)
		return parse_with(ret, p, len, "-01-01T00:00:00Z");
	if (len == 7)
		return parse_with(ret, p, len, "-01T00:00:00Z");
	if (len == 10)
		return parse_with(ret, p, len, "T00:00:00Z");
	if (len < 16)
		return false;
	/* without seconds, or without a zone */
	zone = p + 16;
	if (*zone == ':')
		zone += 1 + strspn(zone + 1, "0123456789.");
	if (!*zone)
		return parse_with(ret, p, len, len == 16 ? ":00Z" : "Z");
	if (zone != p + 16)
		return false;
	snprintf(text, sizeof(text), ":00%s", zone);
	return parse_with(ret, p, 16, text);
}

bool feed_date_parse(int64_t *ret_us, const char *text)
{
	char word[DATE_MAX];
	size_t len;

	skip_blanks(&text);
	len = strlen(text);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	if (!len || len >= sizeof(word))
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	return bus_time_parse(ret_us, word) || parse_short(ret_us, word) || parse_822(ret_us, word);
}
