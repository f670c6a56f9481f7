#ifndef BUS_LEDGER_H
#define BUS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "merkle.h"

/*
 * The ledger: what a consumer has had from its queue, and what it misses.  One
 * SQLite file for each queue, <state-directory>/ledger/<queue>.db.
 *
 *	bus_ledger_look()	before the action: is it new?
 *	... the action, or bus_inbox_put() (inbox.h) for one that takes its time ...
 *	bus_ledger_note()	it is dealt with
 *	bus_ledger_advance()	how far its type is known without a gap
 *	bus_ledger_commit()	on the disk when it returns; only then acknowledge
 *
 * So a crash can repeat an action that was not noted, and never skips one.
 * Everything that changes the ledger, bus_ledger_pattern() excepted, waits for
 * bus_ledger_commit().  Several processes may have one ledger open.
 */
struct bus_ledger;

/* BUS_E_NO where there is none and it must not be made. */
enum bus_code bus_ledger_open(struct bus_ledger **ret, const char *state_directory,
			      const char *queue, bool create, struct bus_err *err);
/* By what bus_ledger_path() said. */
enum bus_code bus_ledger_open_path(struct bus_ledger **ret, const char *path, bool create,
				   struct bus_err *err);
void bus_ledger_close(struct bus_ledger *ledger); /* what is not committed is forgotten */
enum bus_code bus_ledger_commit(struct bus_ledger *ledger, struct bus_err *err);
/* Only one consumer may work on it; BUS_E_HELD: another does.  Until the ledger is closed. */
enum bus_code bus_ledger_lock(struct bus_ledger *ledger, struct bus_err *err);
const char *bus_ledger_path(const struct bus_ledger *ledger);

/* -- events that were had -- */

enum bus_seen {
	BUS_SEEN_NEW,
	BUS_SEEN_REPEAT, /* had it: acknowledge, no action */
	BUS_SEEN_OTHER	 /* had another body under this source and id: equivocation */
};

enum bus_code bus_ledger_look(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, enum bus_seen *ret, struct bus_err *err);
enum bus_code bus_ledger_note(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, struct bus_err *err);

/* Nobody else writes before our commit: what bus_ledger_look() says stays true. */
enum bus_code bus_ledger_hold(struct bus_ledger *ledger, struct bus_err *err);
/*
 * The handler gave up on this event, and it left the inbox as failed: it may be
 * put there again, once.  BUS_E_NO: it is not one of these.
 */
enum bus_code bus_ledger_revive(struct bus_ledger *ledger, const char *source, uint64_t id,
				struct bus_err *err);

/* -- how far each type of each log is known (ledger_position.c) -- */

struct bus_ledger_position {
	uint64_t last;	 /* the typesequence up to which nothing is open */
	int64_t time_us; /* of that event, or of the checkpoint that named it */
	bool was_had;	 /* false: it is older than what this queue is for */
};
/* BUS_E_NO: nothing is known of this type yet. */
enum bus_code bus_ledger_position(struct bus_ledger *ledger, const char *source, const char *type,
				  struct bus_ledger_position *ret, struct bus_err *err);
enum bus_code bus_ledger_advance(struct bus_ledger *ledger, const char *source, const char *type,
				 const struct bus_ledger_position *position, struct bus_err *err);
/* From here on all are ours: was_had is true of all positions. */
enum bus_code bus_ledger_settle(struct bus_ledger *ledger, struct bus_err *err);
/* Forgets where those types stand of which keep() says false. */
enum bus_code bus_ledger_forget_types(struct bus_ledger *ledger,
				      bool (*keep)(void *arg, const char *type), void *arg,
				      struct bus_err *err);

/* What no history has. */
struct bus_ledger_range {
	const char *source, *type;
	uint64_t first, last; /* typesequence, both inclusive */
	bool reported;	      /* the user was told */
};
enum bus_code bus_ledger_lose(struct bus_ledger *ledger, const struct bus_ledger_range *range,
			      struct bus_err *err);
/* All that are missing now have been reported. */
enum bus_code bus_ledger_reported(struct bus_ledger *ledger, struct bus_err *err);
/* It came after all: BUS_OK, and it is not missing any more; BUS_E_NO: it was not missing. */
enum bus_code bus_ledger_find(struct bus_ledger *ledger, const char *source, const char *type,
			      uint64_t typesequence, struct bus_err *err);
enum bus_code bus_ledger_missing(struct bus_ledger *ledger,
				 enum bus_code (*each)(void *arg,
						       const struct bus_ledger_range *range,
						       struct bus_err *err),
				 void *arg, struct bus_err *err);

/*
 * A log is whole once we have seen its first event or a checkpoint of it: then a
 * type of which nothing is known has had no event.  More bindings bring more
 * types, and what was known of them before says nothing: bus_ledger_forget_whole().
 * source NULL: all logs are, for the history was read from its first message on.
 */
enum bus_code bus_ledger_is_whole(struct bus_ledger *ledger, const char *source, bool *ret,
				  struct bus_err *err);
enum bus_code bus_ledger_set_whole(struct bus_ledger *ledger, const char *source,
				   struct bus_err *err);
enum bus_code bus_ledger_forget_whole(struct bus_ledger *ledger, struct bus_err *err);

/* The time (microseconds since 1970) of this log's newest event that was taken. */
enum bus_code bus_ledger_hear(struct bus_ledger *ledger, const char *source, int64_t time_us,
			      struct bus_err *err);
/* Calls each() for the logs last heard of before time_us. */
enum bus_code bus_ledger_silent(struct bus_ledger *ledger, int64_t time_us,
				enum bus_code (*each)(void *arg, const char *source,
						      int64_t heard_us, struct bus_err *err),
				void *arg, struct bus_err *err);
/* For all logs; may be called from each() of the former. */
enum bus_code bus_ledger_logs(struct bus_ledger *ledger,
			      enum bus_code (*each)(void *arg, const char *source, int64_t heard_us,
						    struct bus_err *err),
			      void *arg, struct bus_err *err);

/* -- the queue (ledger_queue.c) -- */

/*
 * From what time on (microseconds since 1970) this queue's user wants events:
 * when it was made, or what --since said.  BUS_E_NO: the ledger is new.
 */
enum bus_code bus_ledger_since(struct bus_ledger *ledger, int64_t *ret_us, struct bus_err *err);
enum bus_code bus_ledger_set_since(struct bus_ledger *ledger, int64_t us, struct bus_err *err);

/*
 * Where the history is still to be read from, because something is missing
 * (microseconds since 1970); BUS_E_NO: nothing is.  0 as `us`: that is done.
 */
enum bus_code bus_ledger_behind(struct bus_ledger *ledger, int64_t *ret_us, struct bus_err *err);
enum bus_code bus_ledger_set_behind(struct bus_ledger *ledger, int64_t us, struct bus_err *err);

/*
 * From where on the history is to be read once more when its logs are quiet, for what
 * it did not have before (microseconds since 1970); BUS_E_NO: no need.  0 as `us`:
 * that is done.
 */
enum bus_code bus_ledger_look_again(struct bus_ledger *ledger, int64_t *ret_us,
				    struct bus_err *err);
enum bus_code bus_ledger_set_look_again(struct bus_ledger *ledger, int64_t us, struct bus_err *err);

/* When the history was last asked for logs that are silent; BUS_E_NO: never. */
enum bus_code bus_ledger_asked(struct bus_ledger *ledger, int64_t *ret_us, struct bus_err *err);
enum bus_code bus_ledger_set_asked(struct bus_ledger *ledger, int64_t us, struct bus_err *err);

/*
 * What the queue is bound to, which AMQP has no way to ask.  Patterns that were
 * dropped stay known: what they brought may still be in the queue.
 */
enum bus_code bus_ledger_pattern(struct bus_ledger *ledger, const char *pattern, bool dropped,
				 struct bus_err *err);
enum bus_code bus_ledger_patterns(struct bus_ledger *ledger, bool dropped,
				  enum bus_code (*each)(void *arg, const char *pattern,
							struct bus_err *err),
				  void *arg, struct bus_err *err);

#endif
