#ifndef BUS_PLANET_FEED_DATE_H
#define BUS_PLANET_FEED_DATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Dates as feeds have them: RFC 3339 and its shorter forms (the W3C's note on
 * date and time: a year, a month, a day, or without seconds), and RFC 822 and
 * 2822 with their obsolete two-digit years and zones by name.  A time without a
 * zone is taken as UTC.  What is not certain is no date: "10/11/12" is none.
 */
bool feed_date_parse(int64_t *ret_us, const char *text);

#endif
