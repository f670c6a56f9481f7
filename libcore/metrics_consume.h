#ifndef BUS_METRICS_CONSUME_H
#define BUS_METRICS_CONSUME_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "metrics.h"

/*
 * What `debmsg consume --metrics-file` tells: debmsg_consume_*, which
 * debmsg-consume.1 lists.  The consumer has one of these, counts where things
 * happen, and fills in the rest when bus_metrics_due() says that it is time:
 *
 *	if (bus_metrics_due(metrics)) {
 *		... fill in what is not counted ...
 *		bus_metrics_consume(metrics, &stats);
 *	}
 *
 * Start from zeroed memory.  What nobody fills in is told as 0.
 */
struct bus_consume_stats {
	const char *queue; /* <user>.<name>, which tells consumers of one host apart */

	/* Counted since the start; these only grow. */
	uint64_t events;		 /* believed and new: printed, or put into the inbox */
	uint64_t repeats;		 /* had before: acknowledged without action */
	uint64_t parked[BUS_CODE_COUNT]; /* put into debmsg.parked, by the failure's name */
	uint64_t gaps;			 /* holes found: by typesequence or by a bus.checkpoint */
	uint64_t healed;		 /* events that came out of the history into such a hole */
	uint64_t connections;		 /* made, the first included */
	/* with --exec, from struct bus_jobs_state */
	uint64_t done, again, gave_up;
	/* from bus_intake_verified() */
	uint64_t verified;    /* signatures GnuPG was asked about, good or bad */
	uint64_t remembered;  /* checkpoints whose signature was known to be good */
	int64_t verifying_us; /* time spent in GnuPG */

	/* How it is now. */
	bool connected;
	bool exec; /* there is a handler: tell of it and of the inbox */
	uint64_t inbox_waiting, inbox_running, inbox_failed;
	uint64_t missing;      /* events that no history has: the sum of bus_ledger_missing() */
	uint64_t silent_logs;  /* not heard of for twice the promised interval */
	bool healing;	       /* the history is being read */
	bool trust_stale;      /* trust.conf cannot be used; what it said before holds */
	int64_t event_time_us; /* `time` of the last event taken, a repeat or not; 0: none yet */
	int64_t taken_us;      /* when that was, on bus_time_now(); 0: none yet */
	bool depth_known;      /* the broker was asked just now */
	uint64_t depth;	       /* messages in the queue that wait for us */
};

/* Writes the file.  It cannot fail for the caller: metrics.h says what is said, and when. */
void bus_metrics_consume(struct bus_metrics *metrics, const struct bus_consume_stats *stats);

#endif
