#ifndef BUS_CONSUMER_PRIVATE_H
#define BUS_CONSUMER_PRIVATE_H

#include "broker.h"
#include "confirms.h"
#include "consumer.h"
#include "ledger.h"
#include "metrics.h"

/*
 * What the files of the consumer share:
 *
 *	consumer.c	 the loop: connection, groups, acknowledgement, end
 *	consumer_queue.c the queue: its name, its bindings, was it there?
 *	consumer_take.c	 one message: believed? new? then the action, and the ledger
 *	consumer_gaps.c	 is anything missing before this event, or silent?
 *	consumer_fill.c	 reads the history for what is missing
 *	consumer_watch.c what others are told of how it is
 *	consumer_jobs.c	 with a handler: the inbox, and what its handler gave up
 */
enum {
	BUS_CONSUMER_GROUP_MAX = 250, /* messages between two commits, and acknowledgements */
	BUS_CONSUMER_INBOX_MAX = 1000 /* events; more stay in the queue */
};

struct bus_consumer {
	const struct bus_conf *conf;
	const struct bus_consumer_options *options;
	struct bus_consumer_counts *counts;
	struct bus_intake *intake;
	struct bus_broker *broker; /* NULL: not connected */
	struct bus_ledger *ledger;
	struct bus_jobs *jobs; /* NULL: no handler */
	char queue[300];       /* <user>.<name> */
	int64_t since_us;      /* events from then on are ours (ledger.h) */

	/* What the user asked for; what may come, which is that and what was asked before. */
	struct bus_bindings wanted, bound;

	struct bus_confirms parking; /* publishes to debmsg.dead on this connection */
	uint64_t last_tag;	     /* newest delivery not acknowledged; 0: none */
	unsigned int turn;	     /* connections that failed: the next goes elsewhere */
	unsigned int group;	     /* deliveries since the last acknowledgement */
	int64_t last_us;	     /* when the last message came (bus_time_mono()) */
	struct bus_metrics *metrics; /* NULL: no file asked for */
	int64_t watched_us;	     /* when options->watch was called last */
	int64_t away_us; /* since when there is no connection (bus_time_now()); 0: not so */

	bool behind;		/* the history is to be read before the queue */
	int64_t resume_offset;	/* in the history, where it was left; -1: none */
	bool asked_parking;	/* counts->cannot_park is known */
	bool from_first;	/* it is read from its very first message on */
	bool is_near;		/* it is read from a time on that should do, ... */
	bool is_too_near;	/* ... and something is missing there */
	struct bus_hash filled; /* for this event the history was read already, ... */
	bool filled_from_start; /* ... all of it, or it cannot be read */
	int64_t look_again_us;	/* at the next checkpoint, the history from then on; 0: no need */
	bool told_unreadable;	/* the user knows that the history cannot be read */
	unsigned long long unbelieved; /* messages of the history; why the first was not: */
	char unbelieved_why[200];
	bool told_cut;		  /* whether the history reaches back to --since was looked at */
	bool untold;		  /* something is missing that the user was not told */
	struct bus_bindings hush; /* silent logs of which the user knows */
};

/* -- consumer_queue.c -- */

/* Connects; the first time also learns what the ledger knows of the queue. */
enum bus_code bus_consumer_connect(struct bus_consumer *c, struct bus_err *err);
void bus_consumer_disconnect(struct bus_consumer *c);

/* -- consumer_take.c -- */

enum bus_consumer_from { BUS_FROM_QUEUE, BUS_FROM_HISTORY };
/*
 * Deals with one message.  Afterwards, if c->behind, it was not: it comes again
 * when the history has been read.
 */
enum bus_code bus_consumer_take(struct bus_consumer *c, const struct bus_message *m,
				enum bus_consumer_from from, struct bus_err *err);
/*
 * Puts a message into debmsg.parked; the confirm comes later (c->parking).  Where
 * c->counts->cannot_park, it does nothing: the caller has said what becomes of it.
 */
enum bus_code bus_consumer_park(struct bus_consumer *c, const struct bus_message *m,
				const char *reason, const char *text, const char *output,
				size_t output_len, struct bus_err *err);
/* What becomes of it, for people: "parked". */
const char *bus_consumer_kept(const struct bus_consumer *c);
bool bus_consumer_limit_reached(const struct bus_consumer *c);

/* -- consumer_gaps.c -- */

/*
 * Before an event that was not had is dealt with: is there a hole before it?
 * Then c->behind is set, or what is missing is given up.  *ret_ours: false for
 * one from the history that is older than what this queue is for.
 */
enum bus_code bus_consumer_look_before(struct bus_consumer *c, const struct bus_belief *belief,
				       enum bus_consumer_from from, bool *ret_ours,
				       struct bus_err *err);
/* The same for what a bus.checkpoint says of all types. */
enum bus_code bus_consumer_look_at_checkpoint(struct bus_consumer *c,
					      const struct bus_belief *belief,
					      const struct bus_message *m,
					      enum bus_consumer_from from, struct bus_err *err);
/* Did one of the two above find that the history is to be read first, or from further back? */
bool bus_consumer_must_look_back(const struct bus_consumer *c, enum bus_consumer_from from);
/* The event was dealt with. */
enum bus_code bus_consumer_pass(struct bus_consumer *c, const struct bus_belief *belief,
				struct bus_err *err);
/* Tells of what is missing and was not told before. */
enum bus_code bus_consumer_tell_missing(struct bus_consumer *c, struct bus_err *err);
/* Now and then, when the queue is empty: logs that break their promise. */
enum bus_code bus_consumer_look_for_silence(struct bus_consumer *c, struct bus_err *err);
/* The history is to be read from this time on, or from an earlier one if that was said before. */
enum bus_code bus_consumer_set_behind(struct bus_consumer *c, int64_t from_us, struct bus_err *err);

/* -- consumer_fill.c -- */

/*
 * Reads the history from where it is said to be needed to its end.  Comes back
 * early, c->behind still set, at the limit, when asked to stop and when the
 * inbox is full.
 */
enum bus_code bus_consumer_fill(struct bus_consumer *c, struct bus_err *err);

/* -- consumer_watch.c -- */

/* Tells the service manager that we are alive, and how it is, if it is time. */
void bus_consumer_notify(struct bus_consumer *c);
/* That, and calls options->watch and writes the metrics; these at the end in any case. */
void bus_consumer_watch(struct bus_consumer *c, bool at_end);

/* -- consumer_jobs.c -- */

/* Keepers that have ended, handlers to start, events to park; then c->counts->jobs is true. */
enum bus_code bus_consumer_work(struct bus_consumer *c, struct bus_err *err);
/* Is there no more room in the inbox? */
bool bus_consumer_is_full(const struct bus_consumer *c);
/* Without a handler: acts on what `debmsg parked retry` has put into the inbox. */
enum bus_code bus_consumer_drain(struct bus_consumer *c, struct bus_err *err);

/* -- consumer.c -- */

/* Waits so long, ticking, unless we are asked to stop: true. */
bool bus_consumer_pause(struct bus_consumer *c, int ms);
/* Parked messages must have arrived before the originals may go. */
enum bus_code bus_consumer_await_parking(struct bus_consumer *c, struct bus_err *err);

#endif
