#include "config.h"

#include "adapters/dak/logline.h"

#include <string.h>
#include <time.h>

enum { STAMP_LEN = 14 };

static bool has_stamp(struct dak_slice line)
{
	size_t i;

	for (i = 0; i < STAMP_LEN; i++)
		if (i >= line.len || line.p[i] < '0' || line.p[i] > '9')
			return false;
	return line.len > STAMP_LEN && line.p[STAMP_LEN] == '|';
}

static int number(const char *p, int digits)
{
	int n = 0;

	while (digits--)
		n = n * 10 + (*p++ - '0');
	return n;
}

static bool read_stamp(int64_t *ret, const char *p)
{
	struct tm tm = {
		.tm_year = number(p, 4) - 1900,
		.tm_mon = number(p + 4, 2) - 1,
		.tm_mday = number(p + 6, 2),
		.tm_hour = number(p + 8, 2),
		.tm_min = number(p + 10, 2),
		.tm_sec = number(p + 12, 2),
		.tm_isdst = -1,
	};
	const int day = tm.tm_mday, month = tm.tm_mon;
	time_t t;

	if (tm.tm_year < 70 || month < 0 || month > 11 || day < 1 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	t = mktime(&tm);
	/* the 31st of a month of 30 days, which mktime() would take for the first of the next */
	if (t == (time_t)-1 || (tm.tm_mday != day && day > 28 && tm.tm_mon != month))
		return false;
	*ret = (int64_t)t * 1000000;
	return true;
}

enum bus_code dak_line_read(struct dak_line *ret, struct dak_slice line, struct bus_err *err)
{
	struct dak_slice rest = line;

	if (memchr(line.p, '\0', line.len))
		return bus_fail(err, BUS_E_DATA, "a line with NUL bytes");
	if (!has_stamp(line))
		return BUS_E_NO;
	rest.p += STAMP_LEN + 1;
	rest.len -= STAMP_LEN + 1;
	if (!read_stamp(&ret->time_us, line.p))
		return bus_fail(err, BUS_E_DATA, "'%.14s' is not a time", line.p);
	if (!dak_next_part(&rest, '|', &ret->program) || !ret->program.len ||
	    !dak_next_part(&rest, '|', &ret->user) || !dak_next_part(&rest, '|', &ret->action))
		return bus_fail(err, BUS_E_DATA, "a line without program, user and action");
	ret->details = rest;
	return BUS_OK;
}
