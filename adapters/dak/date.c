#include "config.h"

#include "adapters/dak/date.h"

#include <string.h>
#include <time.h>

enum { DATE_MAX = 100 };

static bool read_zone(int *ret_s, const char *zone)
{
	int sign = zone[0] == '-' ? -1 : 1, i;

	*ret_s = 0;
	if (strcmp(zone, "UTC") == 0 || strcmp(zone, "GMT") == 0 || strcmp(zone, "Z") == 0)
		return true;
	if (strlen(zone) != 5 || (zone[0] != '+' && zone[0] != '-'))
		return false;
	for (i = 1; i < 5; i++)
		if (zone[i] < '0' || zone[i] > '9')
			return false;
	*ret_s = sign * (((zone[1] - '0') * 10 + zone[2] - '0') * 3600 +
			 ((zone[3] - '0') * 10 + zone[4] - '0') * 60);
	return true;
}

bool dak_date_parse(int64_t *ret_us, struct dak_slice text)
{
	char copy[DATE_MAX];
	const char *p, *zone;
	struct tm tm;
	int offset;
	time_t t;

	text = dak_trim(text);
	if (!text.len || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	p = strchr(copy, ',');
	p = p ? p + 1 : copy;
	memset(&tm, 0, sizeof(tm));
	zone = strptime(p, " %d %b %Y %H:%M:%S ", &tm);
	if (!zone || tm.tm_year < 70 || tm.tm_year > 8000 || !read_zone(&offset, zone))
		return false;
	t = timegm(&tm);
	*ret_us = ((int64_t)t - offset) * 1000000;
	return true;
}
