#include "config.h"

#include "audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merkle.h"

/*
 * Refused events are sent again, after some that followed them: so much later
 * than its place an event may come, and still be hashed in order.
 */
enum { EARLY_MAX = 4096 };

struct seen_checkpoint {
	uint64_t size;
	struct bus_hash root;
	bool verified; /* the events before it give this root */
};

/* An event that came before one that should be ahead of it. */
struct early {
	struct bus_hash leaf;
	struct bus_range before; /* the tree in front of it, from its own proof */
};

struct log {
	char origin[BUS_ORIGIN_MAX + 1];
	uint64_t first;
	struct bus_range range; /* of all leaves before the next one */
	uint64_t events, repeats;
	struct early *early[EARLY_MAX]; /* by id modulo EARLY_MAX; after range.size */
	size_t early_count;
	struct bus_audit_range *missing; /* ascending, apart */
	size_t missing_count, missing_room;
	struct seen_checkpoint *checkpoint; /* ascending by size */
	size_t checkpoint_count, checkpoint_room;
	bool equivocation;
	char text[300];
};

struct bus_audit {
	struct log **log;
	size_t count;
};

struct bus_audit *bus_audit_new(void)
{
	return calloc(1, sizeof(struct bus_audit));
}

void bus_audit_free(struct bus_audit *audit)
{
	size_t i, k;

	if (!audit)
		return;
	for (i = 0; i < audit->count; i++) {
		for (k = 0; k < EARLY_MAX; k++)
			free(audit->log[i]->early[k]);
		free(audit->log[i]->missing);
		free(audit->log[i]->checkpoint);
		free(audit->log[i]);
	}
	free(audit->log);
	free(audit);
}

static enum bus_code nomem(struct bus_err *err)
{
	return bus_fail(err, BUS_E_NOMEM, "audit: out of memory");
}

/* Makes room for one more element; false: out of memory. */
static bool grow(void **array, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 16;
	void *p;

	if (count < *room)
		return true;
	p = reallocarray(*array, more, size);
	if (!p)
		return false;
	*array = p;
	*room = more;
	return true;
}

static void __attribute__((format(printf, 2, 3))) convict(struct log *log, const char *fmt, ...)
{
	va_list ap;

	if (log->equivocation)
		return;
	log->equivocation = true;
	va_start(ap, fmt);
	vsnprintf(log->text, sizeof(log->text), fmt, ap);
	va_end(ap);
}

static struct log *find_log(struct bus_audit *audit, const char *origin)
{
	struct log **more, *log;
	size_t i;

	for (i = 0; i < audit->count; i++)
		if (strcmp(audit->log[i]->origin, origin) == 0)
			return audit->log[i];
	more = reallocarray(audit->log, audit->count + 1, sizeof(struct log *));
	if (!more)
		return NULL;
	audit->log = more;
	log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	snprintf(log->origin, sizeof(log->origin), "%s", origin);
	audit->log[audit->count++] = log;
	return log;
}

/* Where the checkpoint of this size is, or would be. */
static size_t checkpoint_place(const struct log *log, uint64_t size)
{
	size_t low = 0, high = log->checkpoint_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (log->checkpoint[mid].size < size)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* One size has one root, or the log has two faces. */
static enum bus_code note_checkpoint(struct log *log, uint64_t size, const struct bus_hash *root,
				     struct bus_err *err)
{
	size_t at = checkpoint_place(log, size);

	if (at < log->checkpoint_count && log->checkpoint[at].size == size) {
		if (!bus_hash_equal(&log->checkpoint[at].root, root))
			convict(log, "two roots were signed for its first %" PRIu64 " events",
				size);
		return BUS_OK;
	}
	if (!grow((void **)&log->checkpoint, log->checkpoint_count, &log->checkpoint_room,
		  sizeof(*log->checkpoint)))
		return nomem(err);
	memmove(&log->checkpoint[at + 1], &log->checkpoint[at],
		(log->checkpoint_count - at) * sizeof(*log->checkpoint));
	log->checkpoint[at] = (struct seen_checkpoint){ size, *root, false };
	log->checkpoint_count++;
	return BUS_OK;
}

static enum bus_code insert_missing(struct log *log, size_t at, uint64_t from, uint64_t to,
				    struct bus_err *err)
{
	if (!grow((void **)&log->missing, log->missing_count, &log->missing_room,
		  sizeof(*log->missing)))
		return nomem(err);
	memmove(&log->missing[at + 1], &log->missing[at],
		(log->missing_count - at) * sizeof(*log->missing));
	log->missing[at] = (struct bus_audit_range){ from, to };
	log->missing_count++;
	return BUS_OK;
}

/* An index below the next one: a repeat, or what a hole was waiting for. */
static enum bus_code fill(struct log *log, uint64_t id, struct bus_err *err)
{
	struct bus_audit_range *hole;
	uint64_t to;
	size_t i;

	for (i = 0; i < log->missing_count; i++)
		if (id >= log->missing[i].from && id <= log->missing[i].to)
			break;
	if (i == log->missing_count) {
		log->repeats++;
		return BUS_OK;
	}
	log->events++;
	hole = &log->missing[i];
	to = hole->to;
	if (hole->from == id && hole->to == id) {
		memmove(hole, hole + 1, (--log->missing_count - i) * sizeof(*hole));
		return BUS_OK;
	}
	if (hole->from == id) {
		hole->from++;
		return BUS_OK;
	}
	hole->to = id - 1;
	return to == id ? BUS_OK : insert_missing(log, i + 1, id + 1, to, err);
}

/* Compares the root at the place we have reached with the checkpoint of that size, if any. */
static void verify_root(struct log *log)
{
	const size_t at = checkpoint_place(log, log->range.size);
	struct bus_hash root;

	if (at == log->checkpoint_count || log->checkpoint[at].size != log->range.size)
		return;
	bus_range_root(&log->range, &root);
	log->checkpoint[at].verified = bus_hash_equal(&root, &log->checkpoint[at].root);
	if (!log->checkpoint[at].verified)
		convict(log,
			"the events do not give the root that was signed for %" PRIu64 " of them",
			log->range.size);
}

static void append(struct log *log, const struct bus_hash *leaf)
{
	bus_range_append(&log->range, leaf);
	log->events++;
	verify_root(log);
}

static struct early **early_at(struct log *log, uint64_t id)
{
	return &log->early[id % EARLY_MAX];
}

/* Appends what has come early and is next now. */
static void catch_up(struct log *log)
{
	struct early **next;

	for (next = early_at(log, log->range.size); *next; next = early_at(log, log->range.size)) {
		append(log, &(*next)->leaf);
		free(*next);
		*next = NULL;
		log->early_count--;
	}
}

/* Gives up on what is missing before event `id`, in front of which the tree is `before`. */
static enum bus_code skip_to(struct log *log, uint64_t id, const struct bus_range *before,
			     struct bus_err *err)
{
	enum bus_code rc = insert_missing(log, log->missing_count, log->range.size, id - 1, err);

	if (rc)
		return rc;
	log->range = *before;
	verify_root(log);
	return BUS_OK;
}

/* Gives up on what is missing before the first event that came early. */
static enum bus_code skip_hole(struct log *log, struct bus_err *err)
{
	uint64_t id = log->range.size;
	enum bus_code rc;

	while (!*early_at(log, id))
		id++;
	rc = skip_to(log, id, &(*early_at(log, id))->before, err);
	if (!rc)
		catch_up(log);
	return rc;
}

static enum bus_code keep_early(struct log *log, uint64_t id, const struct bus_hash *leaf,
				const struct bus_range *before, struct bus_err *err)
{
	struct early **place = early_at(log, id);

	if (*place) {
		log->repeats++;
		return BUS_OK;
	}
	*place = malloc(sizeof(**place));
	if (!*place)
		return nomem(err);
	**place = (struct early){ *leaf, *before };
	log->early_count++;
	return BUS_OK;
}

/* An event that may be the next one, or one after it. */
static enum bus_code add(struct log *log, uint64_t id, const struct bus_hash *leaf,
			 const struct bus_range *before, uint64_t size, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	while (!rc && id - log->range.size >= EARLY_MAX)
		rc = log->early_count ? skip_hole(log, err) : skip_to(log, id, before, err);
	if (rc)
		return rc;
	if (id != log->range.size)
		return keep_early(log, id, leaf, before, err);
	/* The tree this checkpoint stands for must have our leaves on its left. */
	if (memcmp(before->node, log->range.node, before->count * sizeof(before->node[0])) != 0)
		convict(log,
			"the checkpoint of %" PRIu64 " events has others before event %" PRIu64
			" than were published",
			size, id);
	append(log, leaf);
	catch_up(log);
	return BUS_OK;
}

enum bus_code bus_audit_event(struct bus_audit *audit, const struct bus_belief *belief,
			      struct bus_err *err)
{
	const struct bus_checkpoint *cp = &belief->proof->checkpoint;
	const uint64_t id = belief->event->id;
	struct log *log = find_log(audit, cp->origin);
	struct bus_range before;
	enum bus_code rc;

	if (!log)
		return nomem(err);
	rc = note_checkpoint(log, cp->size, &cp->root, err);
	if (rc)
		return rc;
	bus_path_range(&before, id, cp->size, belief->proof->path);
	if (!log->events) {
		log->first = id;
		log->range = before;
	}
	if (id < log->first) { /* sent again after a refusal, so late */
		if (id + 1 < log->first)
			rc = insert_missing(log, 0, id + 1, log->first - 1, err);
		log->first = id;
		log->events++;
		return rc;
	}
	if (id < log->range.size)
		return fill(log, id, err);
	return add(log, id, &belief->leaf, &before, cp->size, err);
}

static bool is_missing(const struct log *log, uint64_t id)
{
	size_t i;

	for (i = 0; i < log->missing_count; i++)
		if (id >= log->missing[i].from && id <= log->missing[i].to)
			return true;
	return false;
}

/*
 * Every checkpoint that the events could have confirmed must have been
 * confirmed by them: one that turned up only later may be of another tree.
 */
static void check_all_verified(struct log *log)
{
	size_t i;

	for (i = 0; i < log->checkpoint_count; i++) {
		const struct seen_checkpoint *cp = &log->checkpoint[i];

		if (!cp->verified && cp->size <= log->range.size && !is_missing(log, cp->size - 1))
			convict(log,
				"a checkpoint of %" PRIu64
				" events turned up after events that had other checkpoints",
				cp->size);
	}
}

/* Nothing more will come: what is still waited for is missing. */
static enum bus_code close_log(struct log *log, struct bus_err *err)
{
	const uint64_t size = log->checkpoint[log->checkpoint_count - 1].size;
	enum bus_code rc = BUS_OK;

	while (!rc && log->early_count)
		rc = skip_hole(log, err);
	if (!rc && size > log->range.size) /* signed for, but never seen */
		rc = insert_missing(log, log->missing_count, log->range.size, size - 1, err);
	if (!rc)
		check_all_verified(log);
	return rc;
}

enum bus_code bus_audit_findings(struct bus_audit *audit,
				 void (*each)(void *arg, const struct bus_audit_finding *finding),
				 void *arg, struct bus_err *err)
{
	enum bus_code rc;
	size_t i;

	for (i = 0; i < audit->count; i++) {
		struct log *log = audit->log[i];
		struct bus_audit_finding finding = { .origin = log->origin };

		rc = close_log(log, err);
		if (rc)
			return rc;
		finding.first = log->first;
		finding.last = log->range.size - 1;
		finding.events = log->events;
		finding.repeats = log->repeats;
		finding.missing = log->missing;
		finding.missing_count = log->missing_count;
		finding.equivocation = log->equivocation;
		finding.text = log->text;
		each(arg, &finding);
	}
	return BUS_OK;
}
