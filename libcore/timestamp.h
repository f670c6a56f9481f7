#ifndef BUS_TIMESTAMP_H
#define BUS_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Points in time: microseconds since 1970, UTC, and their text in RFC 3339.
 */
enum { BUS_TIME_LEN = 27 }; /* 2026-11-22T10:15:00.000000Z */

int64_t bus_time_now(void);
/* For intervals: since some point, not moved by anybody who sets the clock. */
int64_t bus_time_mono(void);
void bus_time_format(char text[BUS_TIME_LEN + 1], int64_t us);
/* RFC 3339 section 5.6, any offset, up to nine digits of fraction. */
bool bus_time_parse(int64_t *ret, const char *text);
/* An age, such as 90s, 15m, 6h, 2d or 1w, in microseconds; at most a million units. */
bool bus_age_parse(int64_t *ret, const char *text);

#endif
