#ifndef BUS_CONFIRMS_H
#define BUS_CONFIRMS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Publisher confirms of one connection: which of what was published is safe.
 *
 * The broker numbers publishes 1, 2, ... and confirms them in any order, one
 * by one or all up to a number.  Start from zeroed memory for every connection.
 */
enum { BUS_CONFIRMS_WINDOW = 2048 }; /* publishes that may be open at once */

struct bus_confirms {
	uint64_t sent;			/* publishes 1 to sent were made */
	uint64_t confirmed;		/* 1 to confirmed are safe */
	bool done[BUS_CONFIRMS_WINDOW]; /* which of those after them are, too */
};

bool bus_confirms_full(const struct bus_confirms *c);
bool bus_confirms_open(const struct bus_confirms *c); /* is anything not confirmed? */
void bus_confirms_sent(struct bus_confirms *c);	      /* one more publish */
/* False: the broker speaks of a publish that is not open. */
bool bus_confirms_note(struct bus_confirms *c, uint64_t tag, bool multiple);

#endif
