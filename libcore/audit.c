#include "config.h"

#include "audit_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bus_audit *bus_audit_new(void)
{
	return calloc(1, sizeof(struct bus_audit));
}

void bus_audit_log_free(struct bus_audit_log *log)
{
	size_t i;

	if (!log)
		return;
	for (i = 0; i < BUS_AUDIT_EARLY_MAX; i++)
		free(log->early[i]);
	for (i = 0; i < log->anchor_count; i++)
		bus_audit_log_free(log->anchor[i].piece);
	bus_holes_finish(&log->missing);
	bus_holes_finish(&log->skipped);
	free(log->anchor);
	free(log->checkpoint);
	free(log);
}

void bus_audit_free(struct bus_audit *audit)
{
	size_t i;

	if (!audit)
		return;
	for (i = 0; i < audit->count; i++)
		bus_audit_log_free(audit->log[i]);
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

/* The first contradiction counts: everything after it follows from it. */
static void __attribute__((format(printf, 4, 5)))
convict(struct bus_audit_log *log, const struct bus_audit_checkpoint *one,
	const struct bus_audit_checkpoint *other, const char *fmt, ...)
{
	va_list ap;

	if (log->equivocation)
		return;
	log->equivocation = true;
	log->contradicting[0] = *one;
	log->contradicting[1] = *other;
	va_start(ap, fmt);
	vsnprintf(log->text, sizeof(log->text), fmt, ap);
	va_end(ap);
}

static struct bus_audit_log *find_log(struct bus_audit *audit, const char *origin)
{
	struct bus_audit_log **more, *log;
	size_t i;

	for (i = 0; i < audit->count; i++)
		if (strcmp(audit->log[i]->origin, origin) == 0)
			return audit->log[i];
	more = reallocarray(audit->log, audit->count + 1, sizeof(struct bus_audit_log *));
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
static size_t checkpoint_place(const struct bus_audit_log *log, uint64_t size)
{
	size_t low = 0, high = log->checkpoint_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (log->checkpoint[mid].is.size < size)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* One size has one root, or the log has two faces. */
static enum bus_code note_checkpoint(struct bus_audit_log *log,
				     const struct bus_audit_checkpoint *cp, struct bus_err *err)
{
	size_t at = checkpoint_place(log, cp->size);

	if (at < log->checkpoint_count && log->checkpoint[at].is.size == cp->size) {
		if (!bus_hash_equal(&log->checkpoint[at].is.root, &cp->root))
			convict(log, &log->checkpoint[at].is, cp,
				"two roots were signed for its first %" PRIu64 " events", cp->size);
		return BUS_OK;
	}
	if (!grow((void **)&log->checkpoint, log->checkpoint_count, &log->checkpoint_room,
		  sizeof(*log->checkpoint)))
		return nomem(err);
	memmove(&log->checkpoint[at + 1], &log->checkpoint[at],
		(log->checkpoint_count - at) * sizeof(*log->checkpoint));
	log->checkpoint[at] = (struct bus_audit_seen){ *cp, false };
	log->checkpoint_count++;
	return BUS_OK;
}

static enum bus_code lose(struct bus_audit_log *log, uint64_t from, uint64_t to,
			  struct bus_err *err)
{
	return bus_holes_add(&log->missing, from, to) ? BUS_OK : nomem(err);
}

/*
 * Was this checkpoint compared with what was read, or will it be?  Of the trees
 * that ended before the first event that was read, or in a hole, nobody can tell
 * any more whether they were the same.
 */
static bool is_comparable(const struct bus_audit_log *log, uint64_t size)
{
	return size > log->range.size || log->checkpoint[checkpoint_place(log, size)].verified;
}

/*
 * An index below the next one: a repeat, what a hole was waiting for, or what was
 * sent again, after a refusal, later than all that followed it.
 */
static enum bus_code fill(struct bus_audit_log *log, const struct bus_audit_arrival *a,
			  struct bus_err *err)
{
	const uint64_t id = a->id;
	bool is_repeat = false;
	enum bus_code rc;

	if (id >= log->first && !bus_holes_has(&log->missing, id)) {
		log->repeats++;
		return BUS_OK;
	}
	rc = bus_audit_late(log, a, &is_repeat, err);
	if (rc)
		return rc;
	if (!is_comparable(log, a->carrier->size)) { /* anybody can send an old message again */
		log->repeats += is_repeat;
		log->unproved += !is_repeat;
		return BUS_OK;
	}
	log->events++;
	if (id >= log->first)
		return bus_holes_fill(&log->missing, id) ? BUS_OK : nomem(err);
	if (id + 1 < log->first)
		rc = lose(log, id + 1, log->first - 1, err);
	log->first = id;
	return rc;
}

/* Compares the root at the place we have reached with the checkpoint of that size, if any. */
static void verify_root(struct bus_audit_log *log)
{
	const size_t at = checkpoint_place(log, log->range.size);
	struct bus_hash root;

	if (at == log->checkpoint_count || log->checkpoint[at].is.size != log->range.size)
		return;
	bus_range_root(&log->range, &root);
	log->checkpoint[at].verified = bus_hash_equal(&root, &log->checkpoint[at].is.root);
	if (!log->checkpoint[at].verified)
		convict(log, &log->checkpoint[at].is, &log->carrier,
			"the events do not give the root that was signed for %" PRIu64 " of them",
			log->range.size);
}

static void append(struct bus_audit_log *log, const struct bus_hash *leaf,
		   const struct bus_audit_checkpoint *carrier)
{
	log->carrier = *carrier;
	bus_range_append(&log->range, leaf);
	log->events++;
	verify_root(log);
}

static struct bus_audit_early **early_at(struct bus_audit_log *log, uint64_t id)
{
	return &log->early[id % BUS_AUDIT_EARLY_MAX];
}

/* Appends what has come early and is next now. */
static void catch_up(struct bus_audit_log *log)
{
	struct bus_audit_early **next;

	for (next = early_at(log, log->range.size); *next; next = early_at(log, log->range.size)) {
		append(log, &(*next)->leaf, &(*next)->carrier);
		free(*next);
		*next = NULL;
		log->early_count--;
	}
}

/* Two trees of one log have the large subtrees in common that both begin with. */
static bool begin_alike(const struct bus_range *one, const struct bus_range *other)
{
	const uint64_t differ = one->size ^ other->size;
	unsigned int i = 0;
	uint64_t bit;

	for (bit = UINT64_C(1) << 63; bit && !(differ & bit); bit >>= 1) {
		if (!(one->size & bit))
			continue;
		if (!bus_hash_equal(&one->node[i], &other->node[i]))
			return false;
		i++;
	}
	return true;
}

/* The tree that this checkpoint stands for must have our leaves on its left. */
static void check_left(struct bus_audit_log *log, const struct bus_range *before,
		       const struct bus_audit_checkpoint *carrier)
{
	if (!begin_alike(&log->range, before))
		convict(log, &log->carrier, carrier,
			"the checkpoint of %" PRIu64 " events has others before event %" PRIu64
			" than were published",
			carrier->size, before->size);
}

/*
 * Gives up on what is missing before event `id`, in front of which the tree is
 * `before`, as the checkpoint says that carries it.
 */
static enum bus_code skip_to(struct bus_audit_log *log, uint64_t id, const struct bus_range *before,
			     const struct bus_audit_checkpoint *carrier, struct bus_err *err)
{
	enum bus_code rc = lose(log, log->range.size, id - 1, err);

	if (!rc && !bus_holes_add(&log->skipped, log->range.size, id - 1))
		rc = nomem(err);
	if (!rc)
		rc = bus_audit_anchor_add(log, id, before, err);
	if (rc)
		return rc;
	check_left(log, before, carrier);
	log->carrier = *carrier;
	log->range = *before;
	verify_root(log);
	return BUS_OK;
}

/* Gives up on what is missing before the first event that came early. */
static enum bus_code skip_hole(struct bus_audit_log *log, struct bus_err *err)
{
	uint64_t id = log->range.size;
	enum bus_code rc;

	while (!*early_at(log, id))
		id++;
	rc = skip_to(log, id, &(*early_at(log, id))->before, &(*early_at(log, id))->carrier, err);
	if (!rc)
		catch_up(log);
	return rc;
}

static enum bus_code keep_early(struct bus_audit_log *log, uint64_t id, const struct bus_hash *leaf,
				const struct bus_range *before,
				const struct bus_audit_checkpoint *carrier, struct bus_err *err)
{
	struct bus_audit_early **place = early_at(log, id);

	if (*place) {
		log->repeats++;
		return BUS_OK;
	}
	*place = malloc(sizeof(**place));
	if (!*place)
		return nomem(err);
	**place = (struct bus_audit_early){ *leaf, *before, *carrier };
	log->early_count++;
	return BUS_OK;
}

/* An event that may be the next one, or one after it. */
static enum bus_code add(struct bus_audit_log *log, uint64_t id, const struct bus_hash *leaf,
			 const struct bus_range *before, const struct bus_audit_checkpoint *carrier,
			 struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	while (!rc && id - log->range.size >= BUS_AUDIT_EARLY_MAX)
		rc = log->early_count ? skip_hole(log, err)
				      : skip_to(log, id, before, carrier, err);
	if (rc)
		return rc;
	if (id != log->range.size)
		return keep_early(log, id, leaf, before, carrier, err);
	check_left(log, before, carrier);
	append(log, leaf, carrier);
	catch_up(log);
	return BUS_OK;
}

enum bus_code bus_audit_take(struct bus_audit_log *log, const struct bus_audit_arrival *a,
			     struct bus_err *err)
{
	enum bus_code rc = note_checkpoint(log, a->carrier, err);

	if (!rc && !log->events) {
		log->start = log->first = a->id;
		log->range = *a->before;
		log->carrier = *a->carrier;
		rc = bus_audit_anchor_add(log, a->id, a->before, err);
	}
	if (rc)
		return rc;
	if (a->id < log->range.size)
		return fill(log, a, err);
	return add(log, a->id, a->leaf, a->before, a->carrier, err);
}

enum bus_code bus_audit_event(struct bus_audit *audit, const struct bus_belief *belief,
			      struct bus_err *err)
{
	const struct bus_checkpoint *cp = &belief->proof->checkpoint;
	const struct bus_audit_checkpoint carrier = { cp->size, cp->root };
	struct bus_audit_log *log = find_log(audit, cp->origin);
	struct bus_range before;
	const struct bus_audit_arrival a = { belief->event->id, &belief->leaf, &before, &carrier };

	if (!log)
		return nomem(err);
	bus_path_range(&before, a.id, cp->size, belief->proof->path);
	return bus_audit_take(log, &a, err);
}

/*
 * Every checkpoint that the events could have confirmed must have been
 * confirmed by them: one that turned up only later may be of another tree.
 */
static void check_all_verified(struct bus_audit_log *log)
{
	const struct bus_audit_checkpoint *other;
	size_t i;

	for (i = 0; i < log->checkpoint_count; i++) {
		const struct bus_audit_seen *cp = &log->checkpoint[i];

		if (is_comparable(log, cp->is.size) || cp->is.size <= log->start ||
		    bus_holes_has(&log->skipped, cp->is.size - 1))
			continue;
		other = i + 1 < log->checkpoint_count ? &cp[1].is : &log->carrier;
		convict(log, &cp->is, other,
			"a checkpoint of %" PRIu64
			" events turned up after events that had other checkpoints",
			cp->is.size);
	}
}

enum bus_code bus_audit_settle(struct bus_audit_log *log, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	while (!rc && log->early_count)
		rc = skip_hole(log, err);
	return rc ? rc : bus_audit_late_merge(log, err);
}

/* Nothing more will come: what is still waited for is missing. */
static enum bus_code close_log(struct bus_audit_log *log, struct bus_err *err)
{
	const uint64_t size = log->checkpoint[log->checkpoint_count - 1].is.size;
	enum bus_code rc;

	rc = bus_audit_settle(log, err);
	if (!rc && size > log->range.size) /* signed for, but never seen */
		rc = lose(log, log->range.size, size - 1, err);
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
		struct bus_audit_log *log = audit->log[i];
		struct bus_audit_finding finding = { .origin = log->origin };

		rc = close_log(log, err);
		if (rc)
			return rc;
		finding.first = log->first;
		finding.last = log->range.size - 1;
		finding.events = log->events;
		finding.repeats = log->repeats;
		finding.unproved = log->unproved;
		finding.missing = &log->missing;
		finding.equivocation = log->equivocation;
		finding.text = log->text;
		memcpy(finding.contradicting, log->contradicting, sizeof(finding.contradicting));
		each(arg, &finding);
	}
	return BUS_OK;
}
