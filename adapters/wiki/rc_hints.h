#ifndef BUS_WIKI_RC_HINTS_H
#define BUS_WIKI_RC_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/wiki/rc_seen.h"

/*
 * When to ask the API, as datagrams tell that there is news.
 *
 *	rc_hints_add()		for each datagram
 *	rc_hints_is_due()	is it time?
 *	rc_hints_asked()	the answer was read
 *
 * A datagram is sent before its transaction ends, so its row may not be there
 * yet: then the API is asked again, with pauses that grow to some seconds.  It
 * is asked at once after a pause, and once a second under load or when somebody
 * floods us.  What never comes (rolled back, a page deleted at once, forged) is
 * forgotten after ten seconds or so.
 *
 * Times are bus_time_mono()'s.  Made all of zeros.
 */
enum { RC_HINTS_MAX = 256 };

struct rc_hints {
	uint64_t id[RC_HINTS_MAX]; /* rows that were told of and not seen yet */
	size_t count;
	bool is_nameless;     /* a datagram could not be read, or had no id */
	unsigned int attempt; /* since the last datagram */
	int64_t due_us;	      /* 0: there is nothing to ask for */
	int64_t free_us;      /* all that was asked so far, at one a second */
};

/* id 0: not known. */
void rc_hints_add(struct rc_hints *hints, uint64_t id, int64_t now_us);
bool rc_hints_is_due(const struct rc_hints *hints, int64_t now_us);
/* Rows told of were not found at the end of the list: look further back. */
bool rc_hints_is_doubtful(const struct rc_hints *hints);
void rc_hints_asked(struct rc_hints *hints, const struct rc_seen *seen, int64_t now_us);
/* Until it is due; -1: never. */
int64_t rc_hints_wait_ms(const struct rc_hints *hints, int64_t now_us);

#endif
