#ifndef BUS_PUBLISHER_PRIVATE_H
#define BUS_PUBLISHER_PRIVATE_H

#include "broker.h"
#include "confirms.h"
#include "outbox.h"
#include "publisher.h"
#include "signed_batch.h"

/*
 * What the files of the publisher share; nobody else includes this.
 *
 *   publisher.c       connecting, sending, confirms
 *   publisher_turn.c  whose turn it is: new events, old ones again, pruning
 */
struct bus_publisher {
	const struct bus_conf *conf;
	const struct bus_conf_service *service;
	const struct bus_say *say;
	struct bus_notify *notify;
	int stop_fd;
	unsigned int turn; /* connections that were closed: the next goes elsewhere */
	char *directory;
	struct bus_outbox *box;
	struct bus_signing signing; /* its ring is ours */
	struct bus_publisher_counts counts;
	char origin[BUS_ORIGIN_MAX + 1];

	struct bus_broker *broker;	/* NULL: not connected */
	struct bus_signed_batch *batch; /* holds `next`; NULL: to be loaded */
	struct bus_signed_batch *ahead; /* the one after it, being signed; NULL: none */
	struct bus_buf proof;
	bool checked; /* the log in the broker is not ahead of ours */
	bool blocked; /* by an alarm of the broker */
	bool full;    /* the socket takes no more at the moment */
	/*
	 * Publish n of this connection is event `first` + n - 1 (modulo 2^64), and
	 * those below `saved` are noted as sent.  Where events are sent again,
	 * publishing goes back to them and later returns, only ever while no confirm
	 * is awaited; it stops before event `until`.
	 */
	uint64_t first, saved, until;
	struct bus_confirms confirms;
	bool again;
	/*
	 * A queue of somebody's may refuse an event that all others have taken.  When
	 * all that was published is answered, we begin anew with the first one that
	 * was refused, and publish to the history only up to keep_until.
	 */
	bool refused, told_refused;
	uint64_t refused_first, keep_until;
	int64_t prune_us;    /* when to look for old events, on bus_time_mono() */
	int64_t progress_us; /* when something last moved */
	int64_t oldest_us;   /* of what was not confirmed at the last look */
};

/* The event that is published next. */
uint64_t bus_publisher_next(const struct bus_publisher *p);
void bus_publisher_drop_batches(struct bus_publisher *p);
/* Publishing goes on with this event, up to `until`; no confirm may be awaited. */
void bus_publisher_go_to(struct bus_publisher *p, uint64_t event, uint64_t until);

/*
 * What is new goes first.  What is to be sent again goes in pieces between, each
 * confirmed before anything else is sent: so a confirm's number is one event's.
 */
enum bus_code bus_publisher_choose(struct bus_publisher *p,
				   const struct bus_publisher_status *status, struct bus_err *err);
/* Events that are older than `keep` go, a piece at a time: neither broker nor adapter waits. */
enum bus_code bus_publisher_prune(struct bus_publisher *p, struct bus_publisher_status *ret,
				  struct bus_err *err);

#endif
