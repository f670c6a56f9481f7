#include "config.h"

#include "audit_private.h"

#include <stdlib.h>
#include <string.h>

/*
 * What comes so late that the tree has gone on without it: an outbox sent again
 * what the history had lost, or an export was imported.
 *
 * Events before an anchor are a log of their own, a piece, whose tree is hashed
 * from its first event on.  If it ends at the anchor with the tree that stands
 * there, all of it from its last hole on is proved: other leaves would have given
 * another tree.  If not it counts for nothing, and convicts nobody, for anybody can
 * send an old message again.
 */
enum {
	ANCHORS_MAX = 1000, /* of one log */
	DEPTH_MAX = 4	    /* a piece may have come in pieces too */
};

static enum bus_code nomem(struct bus_err *err)
{
	return bus_fail(err, BUS_E_NOMEM, "audit: out of memory");
}

enum bus_code bus_audit_anchor_add(struct bus_audit_log *log, uint64_t at,
				   const struct bus_range *before, struct bus_err *err)
{
	struct bus_audit_anchor *more;

	if (log->depth >= DEPTH_MAX || log->anchor_count == ANCHORS_MAX)
		return BUS_OK;
	if (log->anchor_count == log->anchor_room) {
		more = reallocarray(log->anchor, log->anchor_room * 2 + 1, sizeof(*more));
		if (!more)
			return nomem(err);
		log->anchor = more;
		log->anchor_room = log->anchor_room * 2 + 1;
	}
	log->anchor[log->anchor_count++] = (struct bus_audit_anchor){ at, *before, NULL };
	return BUS_OK;
}

/* The first one behind this index; NULL: there is none. */
static struct bus_audit_anchor *anchor_after(const struct bus_audit_log *log, uint64_t id)
{
	size_t i;

	for (i = 0; i < log->anchor_count; i++)
		if (log->anchor[i].at > id)
			return &log->anchor[i];
	return NULL;
}

enum bus_code bus_audit_late(struct bus_audit_log *log, const struct bus_audit_arrival *a,
			     bool *ret_repeat, struct bus_err *err)
{
	struct bus_audit_anchor *anchor = anchor_after(log, a->id);
	uint64_t repeats;
	enum bus_code rc;

	if (!anchor)
		return BUS_OK;
	if (!anchor->piece) {
		anchor->piece = calloc(1, sizeof(*anchor->piece));
		if (!anchor->piece)
			return nomem(err);
		memcpy(anchor->piece->origin, log->origin, sizeof(log->origin));
		anchor->piece->depth = log->depth + 1;
	}
	repeats = anchor->piece->repeats;
	rc = bus_audit_take(anchor->piece, a, err);
	*ret_repeat = anchor->piece->repeats > repeats;
	return rc;
}

static bool is_same_tree(const struct bus_range *one, const struct bus_range *other)
{
	return one->size == other->size &&
	       !memcmp(one->node, other->node, one->count * sizeof(one->node[0]));
}

/* It is there, and proved. */
static enum bus_code put_in(struct bus_audit_log *log, uint64_t id, struct bus_err *err)
{
	if (!bus_holes_has(&log->missing, id))
		return BUS_OK;
	log->events++;
	log->unproved--;
	return bus_holes_fill(&log->missing, id) ? BUS_OK : nomem(err);
}

static enum bus_code merge(struct bus_audit_log *log, const struct bus_audit_anchor *anchor,
			   struct bus_err *err)
{
	const struct bus_audit_log *piece = anchor->piece;
	uint64_t from = piece->first, id;
	enum bus_code rc = BUS_OK;

	if (!is_same_tree(&piece->range, &anchor->before))
		return BUS_OK;
	if (piece->missing.count)
		from = piece->missing.hole[piece->missing.count - 1].to + 1;
	if (from < log->first) {
		log->events += log->first - from;
		log->unproved -= log->first - from;
		log->first = from;
	}
	for (id = from; !rc && id < anchor->at; id++)
		rc = put_in(log, id, err);
	return rc;
}

enum bus_code bus_audit_late_merge(struct bus_audit_log *log, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; !rc && i < log->anchor_count; i++) {
		if (!log->anchor[i].piece)
			continue;
		rc = bus_audit_settle(log->anchor[i].piece, err);
		if (!rc)
			rc = merge(log, &log->anchor[i], err);
	}
	return rc;
}
