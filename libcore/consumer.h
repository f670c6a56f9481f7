#ifndef BUS_CONSUMER_H
#define BUS_CONSUMER_H

#include "intake.h"
#include "jobs.h"
#include "publisher.h"

/*
 * One durable queue of the user's own: message -> intake -> ledger -> action ->
 * ack (the lower half of DESIGN section 1).
 *
 * Messages are taken in groups, as many as are there.  For each the action is
 * called, or, if it is not believed, it is put into debmsg.parked with the
 * failure's name, if the user may do that.  Then the ledger is written, then the group
 * acknowledged. A crash in between repeats the last group's actions and loses nothing.  With a
 * handler the action is the inbox, so nothing is repeated (jobs.h).
 *
 * What an event or a bus.checkpoint shows to be missing is read from the
 * history, and so is all there was before, for a queue that is new: whatever
 * is wanted and was not had, in the order of the history.  What the history
 * does not have is remembered, reported once and not waited for.
 *
 * A connection that is lost is opened again, after a pause that grows to 30
 * seconds.  Only the first one must succeed; where a service manager listens
 * (notify) not even that: it is told that we are ready when the queue's ledger is
 * open and locked, or the broker is away.
 */
struct bus_consumer_counts {
	unsigned long long events, repeats;
	unsigned long long disbelieved[BUS_CODE_COUNT]; /* and parked, by why */
	bool cannot_park;	     /* this user may not: what is not believed is only said */
	unsigned long long gaps;     /* holes that were noticed */
	unsigned long long healed;   /* events that came from the history */
	unsigned long long missing;  /* events that no history had */
	unsigned long long given_up; /* events whose handler did: parked, or only said */
	unsigned int silent;	     /* logs of which nothing is heard at present */
	bool connected;
	unsigned long long connections; /* made to the queue */
	int64_t newest_us;		/* time of the newest event that was taken; 0: none yet */
	int64_t taken_us;		/* when one was taken last */
	struct bus_jobs_state jobs;
};

struct bus_consumer_options {
	const char *queue;		 /* without the user's name in front */
	const struct bus_bindings *bind; /* whole patterns; may be empty */
	int64_t since_us;		 /* what happened from then on is wanted; 0: from now on */
	bool no_heal;			 /* holes are reported only */
	unsigned long long limit;	 /* end after so many events; 0: no limit */
	int idle_s;			 /* end after so long without a message; 0: never */
	int stop_fd;			 /* readable: finish the group in hand and return */
	const char *metrics_file;	 /* NULL: none; see metrics_consume.h */
	struct bus_notify *notify;	 /* NULL: nobody listens */
	struct bus_say say;
	const struct bus_jobs_options *jobs; /* NULL: no handler, but act() */
	/* A believed event, once.  Anything but BUS_OK ends the consumer, unacknowledged. */
	enum bus_code (*act)(void *arg, const struct bus_belief *belief,
			     const struct bus_message *m, struct bus_err *err);
	/* Called before a group is acknowledged: what act() did must be safe now. */
	enum bus_code (*flush)(void *arg, struct bus_err *err);
	/* Called every few seconds, and at the end; may be NULL. */
	void (*watch)(void *arg, const struct bus_consumer_counts *counts);
	void *arg;
};

/* BUS_OK when limit, idle time or stop_fd ended it. */
enum bus_code bus_consumer_run(const struct bus_conf *conf,
			       const struct bus_consumer_options *options,
			       struct bus_consumer_counts *ret, struct bus_err *err);

#endif
