#ifndef BUS_AUDIT_PRIVATE_H
#define BUS_AUDIT_PRIVATE_H

#include "audit.h"
#include "merkle.h"

/*
 * What audit.c and audit_late.c share; nobody else includes this.
 */

/*
 * Refused events are sent again, after some that followed them: so much later
 * than its place an event may come, and still be hashed in order.
 */
enum { BUS_AUDIT_EARLY_MAX = 4096 };

struct bus_audit_seen {
	struct bus_audit_checkpoint is;
	bool verified; /* the events before it give this root */
};

/* An event that came before one that should be ahead of it. */
struct bus_audit_early {
	struct bus_hash leaf;
	struct bus_range before; /* the tree in front of it, from its own proof */
	struct bus_audit_checkpoint carrier;
};

/*
 * A place with nothing read in front of it: where reading began, and behind each
 * hole.  The tree in front of it is known, so a piece of the log that comes late,
 * and hashes to this very tree, is proved by that.
 */
struct bus_audit_anchor {
	uint64_t at; /* an index */
	struct bus_range before;
	struct bus_audit_log *piece; /* of what came late and is before it; NULL: nothing */
};

struct bus_audit_log {
	char origin[BUS_ORIGIN_MAX + 1];
	uint64_t start;		/* index of the event that was read first */
	uint64_t first;		/* less, if older ones came late */
	struct bus_range range; /* of all leaves before the next one */
	uint64_t events, repeats, unproved;
	struct bus_audit_early *
		early[BUS_AUDIT_EARLY_MAX]; /* by id modulo BUS_AUDIT_EARLY_MAX; after range.size */
	size_t early_count;
	struct bus_audit_checkpoint carrier; /* of the event that was appended last */
	struct bus_holes missing;
	struct bus_holes skipped;	   /* as missing, but nothing that comes late fills these */
	struct bus_audit_seen *checkpoint; /* ascending by size */
	size_t checkpoint_count, checkpoint_room;
	struct bus_audit_anchor *anchor; /* ascending */
	size_t anchor_count, anchor_room;
	unsigned int depth; /* 0: a log; else a piece of one that came late */
	bool equivocation;
	char text[300];
	struct bus_audit_checkpoint contradicting[2];
};

struct bus_audit {
	struct bus_audit_log **log;
	size_t count;
};

/* One event, as it comes. */
struct bus_audit_arrival {
	uint64_t id;
	const struct bus_hash *leaf;
	const struct bus_range *before; /* the tree in front of it, from its own proof */
	const struct bus_audit_checkpoint *carrier;
};

/* -- audit.c -- */

void bus_audit_log_free(struct bus_audit_log *log);
enum bus_code bus_audit_take(struct bus_audit_log *log, const struct bus_audit_arrival *a,
			     struct bus_err *err);
/* Nothing more will come: what is still waited for is given up, what came late is put in. */
enum bus_code bus_audit_settle(struct bus_audit_log *log, struct bus_err *err);

/* -- audit_late.c -- */

enum bus_code bus_audit_anchor_add(struct bus_audit_log *log, uint64_t at,
				   const struct bus_range *before, struct bus_err *err);
/* An event before an anchor, which is not there yet.  *ret_repeat: it came late before. */
enum bus_code bus_audit_late(struct bus_audit_log *log, const struct bus_audit_arrival *a,
			     bool *ret_repeat, struct bus_err *err);
/* Fills the holes with the pieces that are proved. */
enum bus_code bus_audit_late_merge(struct bus_audit_log *log, struct bus_err *err);

#endif
