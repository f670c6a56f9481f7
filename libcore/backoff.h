#ifndef BUS_BACKOFF_H
#define BUS_BACKOFF_H

#include <stdint.h>

/*
 * The pause before another attempt, in milliseconds: it doubles with every
 * attempt (0: the first) to 30 seconds, and somewhere in its upper half chance
 * decides, so that many programs do not come back as one.
 */
int bus_backoff_ms(unsigned int attempt);

/* The pause, in microseconds, before a handler gets an event again: 1, 2, 4 ... 300 seconds. */
int64_t bus_backoff_event_us(unsigned int attempt);

#endif
