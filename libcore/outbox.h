#ifndef BUS_OUTBOX_H
#define BUS_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "merkle.h"
#include "proof.h"

/*
 * The outbox: the log of one publisher, and what of it is not yet confirmed.
 * One SQLite file, <state-directory>/outbox/<service>/outbox.db.
 *
 * An adapter or `debmsg publish` calls
 *
 *	bus_outbox_begin()
 *	bus_outbox_append() ...		one event after the other
 *	bus_outbox_cursor_set()		where the input stands now
 *	bus_outbox_commit()		or bus_outbox_rollback()
 *
 * and may tell its service "done" when the commit returns BUS_OK: events and
 * cursor are on the disk then, both or neither.  An event's index, its
 * `typesequence` and its bytes are fixed by the append and never change.
 *
 * The relay, of which there is one per outbox (bus_outbox_claim()), reads
 * events in order, stores each checkpoint with the tree state behind it before
 * its first byte is sent, and calls bus_outbox_sent() after the broker has
 * confirmed.  So a crash anywhere repeats an event and never loses one, and no
 * two checkpoints of one log can contradict each other.
 */
struct bus_outbox;

/*
 * `name` is the origin without epoch; a new file gets an epoch.  Every event's
 * type must be of this environment and service.  wait_ms bounds every wait for
 * another process.  create false: BUS_E_NO where there is no outbox yet.
 */
struct bus_outbox_params {
	const char *directory; /* bus_conf_outbox_dir() */
	const char *name;
	const char *environment, *service;
	size_t max_event_size;
	bool create;
	int wait_ms;
};

enum bus_code bus_outbox_open(struct bus_outbox **ret, const struct bus_outbox_params *params,
			      struct bus_err *err);
void bus_outbox_close(struct bus_outbox *box);

/* -- the sending side: adapters and publish -- */

enum bus_code bus_outbox_begin(struct bus_outbox *box, struct bus_err *err);
enum bus_code bus_outbox_commit(struct bus_outbox *box, struct bus_err *err);
void bus_outbox_rollback(struct bus_outbox *box); /* fine at any time */

/* BUS_E_DATA where the event can never be one; the transaction stands as it was. */
enum bus_code bus_outbox_append(struct bus_outbox *box, const struct bus_draft *draft,
				uint64_t *ret_id, struct bus_err *err);

/* A named value that changes together with events; len 0 removes it. */
enum bus_code bus_outbox_cursor_set(struct bus_outbox *box, const char *name, const void *value,
				    size_t len, struct bus_err *err);
/* The caller frees *ret; NULL if there is none. */
enum bus_code bus_outbox_cursor_get(struct bus_outbox *box, const char *name, char **ret,
				    size_t *ret_len, struct bus_err *err);
/*
 * The names, of ASCII, that begin with prefix, in byte order: the first one
 * after `after` (NULL: the first at all).  *ret NULL: no more.
 */
enum bus_code bus_outbox_cursor_next(struct bus_outbox *box, const char *prefix, const char *after,
				     char **ret, struct bus_err *err);

/* -- the log: relay and outbox commands -- */

struct bus_outbox_state {
	char origin[BUS_ORIGIN_MAX + 1]; /* with epoch */
	uint64_t size;			 /* events appended */
	uint64_t signed_size;		 /* of the newest checkpoint */
	uint64_t sent;			 /* events 0 to sent - 1 are confirmed */
	uint64_t first;			 /* the oldest event that is kept; size: none is */
	uint64_t resend;		 /* how many confirmed ones are to be sent again */
	int64_t created_us;		 /* when the log began */
	int64_t last_us;		 /* when the last event was appended; 0: none */
	int64_t checkpoint_us;		 /* when bus.checkpoint was last appended; 0: never */
	uint64_t checkpoint_size;	 /* what `size` was right after that */
	int64_t sent_us;		 /* when `sent` last moved; 0: never */
	int64_t oldest_unsent_us;	 /* when the oldest unsent event was appended; 0: none */
};

enum bus_code bus_outbox_state(struct bus_outbox *box, struct bus_outbox_state *ret,
			       struct bus_err *err);

/* One relay per outbox: BUS_E_HELD, naming the process that holds it. */
enum bus_code bus_outbox_claim(struct bus_outbox *box, struct bus_err *err);

struct bus_outbox_event {
	uint64_t id;
	int64_t time_us, added_us;
	const char *type, *routing_key;
	const char *body;
	size_t body_len;
};

/*
 * Calls each() for events from, from + 1, ... below `until`, in order; the
 * pointers live until it returns.  Anything but BUS_OK from it ends the walk
 * and is passed on, except BUS_E_NO, which ends the walk well.
 */
enum bus_code bus_outbox_each(struct bus_outbox *box, uint64_t from, uint64_t until,
			      enum bus_code (*each)(void *arg, const struct bus_outbox_event *ev,
						    struct bus_err *err),
			      void *arg, struct bus_err *err);

/* A signed checkpoint, and the tree it stands for. */
struct bus_outbox_checkpoint {
	struct bus_range range; /* range.size 0: the empty log, no note */
	char *note;
};
void bus_outbox_checkpoint_finish(struct bus_outbox_checkpoint *cp);

/* The newest checkpoint of at most `size` events (perhaps the empty log). */
enum bus_code bus_outbox_checkpoint_before(struct bus_outbox *box, uint64_t size,
					   struct bus_outbox_checkpoint *ret, struct bus_err *err);
/* The oldest one of more than `size` events; range.size 0 if there is none. */
enum bus_code bus_outbox_checkpoint_after(struct bus_outbox *box, uint64_t size,
					  struct bus_outbox_checkpoint *ret, struct bus_err *err);
/* On the disk when it returns BUS_OK; only then may the note leave this machine. */
enum bus_code bus_outbox_checkpoint_save(struct bus_outbox *box, const struct bus_range *range,
					 const char *note, struct bus_err *err);
/*
 * Another signature under a checkpoint that is there, of the same size and root: its key is
 * no longer good.
 */
enum bus_code bus_outbox_checkpoint_renew(struct bus_outbox *box, uint64_t size, const char *note,
					  struct bus_err *err);

enum bus_code bus_outbox_sent(struct bus_outbox *box, uint64_t sent, struct bus_err *err);

/*
 * Appends the bus.checkpoint event of PROTOCOL section 7: how many leaves are
 * before it, and the last typesequence of each type.
 */
enum bus_code bus_outbox_append_checkpoint(struct bus_outbox *box, struct bus_err *err);

/*
 * In how many microseconds from now_us the next bus.checkpoint is due; 0: it is.
 * Times in the state that lie in the future, as after a clock was set back,
 * count as now.
 */
int64_t bus_outbox_checkpoint_due(const struct bus_outbox_state *state, int64_t now_us);

/* -- sending again (outbox_resend.c) -- */

/*
 * Asks the relay to send events first to last, which are confirmed, once more:
 * the broker may have lost them.  Ids, bodies and proofs stay what they were.
 * BUS_E_DATA, with the reason, if one of them is not confirmed or not kept any more.
 */
enum bus_code bus_outbox_resend(struct bus_outbox *box, uint64_t first, uint64_t last,
				struct bus_err *err);
/* What the relay is to send again next; BUS_E_NO: nothing. */
enum bus_code bus_outbox_resend_next(struct bus_outbox *box, uint64_t *ret_first,
				     uint64_t *ret_last, struct bus_err *err);
/* Of what bus_outbox_resend_next() said, the events from first to next - 1 are confirmed again. */
enum bus_code bus_outbox_resent(struct bus_outbox *box, uint64_t first, uint64_t next,
				struct bus_err *err);

/* -- forgetting (outbox_prune.c) -- */

/*
 * Removes events that were appended before before_us, from the oldest on, with
 * the checkpoints that nothing needs without them.  What is not confirmed or is
 * to be sent again stays, as do the last event, the numbers of the log and of its types, and a
 * checkpoint where the rest begins: so the tree grows on, and each event that
 * is left can be sent again with its proof.
 *
 * One call is one transaction, of about 1024 events, so that nobody waits for
 * long; *ret_count is how many went.  Call until that is 0, and pause between.
 */
enum bus_code bus_outbox_prune(struct bus_outbox *box, int64_t before_us, uint64_t *ret_count,
			       struct bus_err *err);
/*
 * Gives a piece of the room that is free in the file back to the disk; *ret_more: there is more.
 * Without it new events use that room.  A file that is older than this keeps its size.
 */
enum bus_code bus_outbox_shrink(struct bus_outbox *box, bool *ret_more, struct bus_err *err);

/*
 * Ends this log and begins a new one with a new epoch; events that are not
 * confirmed move over to it, with new ids.  The old file stays beside the new
 * one under the old epoch's name.  The caller has claimed the outbox.
 */
enum bus_code bus_outbox_new_epoch(struct bus_outbox *box, uint64_t *ret_moved,
				   struct bus_err *err);

/* -- looking at it, for debmsg doctor (outbox_check.c) -- */

/* BUS_E_DATA: the file is damaged.  BUS_E_TEMP: it could not be read to its end in time. */
enum bus_code bus_outbox_intact(struct bus_outbox *box, int limit_ms, struct bus_err *err);
/* The process that relays it; 0: none, -1: one that cannot be seen from here. */
enum bus_code bus_outbox_relay(const struct bus_outbox *box, long *ret_pid, struct bus_err *err);
/* Bytes that are written and not yet in the database's own file. */
uint64_t bus_outbox_wal_size(const struct bus_outbox *box);

#endif
