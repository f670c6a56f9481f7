#include "config.h"

#include "timestamp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t bus_time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t bus_time_mono(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void bus_time_format(char text[BUS_TIME_LEN + 1], int64_t us)
{
	/* years 1 to 9999, as RFC 3339 has them */
	static const int64_t min = -62135596800000000, max = 253402300799999999;
	int64_t seconds, part;
	struct tm tm;
	time_t t;

	us = us < min ? min : us > max ? max : us;
	seconds = us / 1000000 - (us % 1000000 < 0);
	part = us - seconds * 1000000;
	t = (time_t)seconds;
	gmtime_r(&t, &tm);
	snprintf(text, BUS_TIME_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
		 (unsigned int)(tm.tm_year + 1900) % 10000, (unsigned int)(tm.tm_mon + 1) % 100,
		 (unsigned int)tm.tm_mday % 100, (unsigned int)tm.tm_hour % 100,
		 (unsigned int)tm.tm_min % 100, (unsigned int)tm.tm_sec % 100,
		 (unsigned int)part % 1000000);
}

/* Takes `digits` digits; the range is inclusive. */
static bool take_number(const char **p, int digits, int min, int max, int *ret)
{
	int value = 0;

	for (; digits; digits--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = value * 10 + (**p - '0');
	}
	*ret = value;
	return value >= min && value <= max;
}

static bool take_char(const char **p, const char *set)
{
	if (!**p || !strchr(set, **p))
		return false;
	(*p)++;
	return true;
}

static bool take_zone(const char **p, int *seconds)
{
	int hour = 0, minute = 0, sign;

	*seconds = 0;
	if (take_char(p, "Zz"))
		return true;
	sign = **p == '-' ? -1 : 1;
	if (!take_char(p, "+-") || !take_number(p, 2, 0, 23, &hour) || !take_char(p, ":") ||
	    !take_number(p, 2, 0, 59, &minute))
		return false;
	*seconds = sign * (hour * 3600 + minute * 60);
	return true;
}

/*
 * Days from 1970-01-01, in the Gregorian calendar; month 1 to 12.  timegm()
 * would do, but it reads the time zone files first, and fails in silence where
 * memory is short.
 */
static int64_t days_since_1970(int year, int month, int day)
{
	/* years that begin in March, so that the leap day is the last one */
	const int64_t y = year - (month < 3), m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int days_of_month(int year, int month)
{
	return (int)(days_since_1970(year + month / 12, month % 12 + 1, 1) -
		     days_since_1970(year, month, 1));
}

bool bus_time_parse(int64_t *ret, const char *text)
{
	int year, month, day, hour, minute, second;
	int64_t us = 0, scale = 100000;
	int zone, digits = 0;

	if (!take_number(&text, 4, 1, 9999, &year) || !take_char(&text, "-") ||
	    !take_number(&text, 2, 1, 12, &month) || !take_char(&text, "-") ||
	    !take_number(&text, 2, 1, 31, &day) || !take_char(&text, "Tt ") ||
	    !take_number(&text, 2, 0, 23, &hour) || !take_char(&text, ":") ||
	    !take_number(&text, 2, 0, 59, &minute) || !take_char(&text, ":") ||
	    !take_number(&text, 2, 0, 60, &second))
		return false;
	if (take_char(&text, ".")) {
		for (; *text >= '0' && *text <= '9' && digits < 9; text++, digits++, scale /= 10)
			us += (*text - '0') * scale;
		if (!digits)
			return false;
	}
	if (!take_zone(&text, &zone) || *text)
		return false;
	if (day > days_of_month(year, month))
		return false;
	*ret = (((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second -
		zone) * 1000000 +
	       us;
	return true;
}

bool bus_age_parse(int64_t *ret, const char *text)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = { 1, 60, 3600, 86400, 604800 };
	int64_t n = 0;
	const char *unit;

	if (!*text || *text < '0' || *text > '9' ||
	    (*text == '0' && text[1] >= '0' && text[1] <= '9'))
		return false;
	for (; *text >= '0' && *text <= '9' && n <= 1000000; text++)
		n = n * 10 + (*text - '0');
	unit = *text ? strchr(units, *text) : NULL;
	if (!unit || text[1] || n > 1000000)
		return false;
	*ret = n * seconds[unit - units] * 1000000;
	return true;
}
