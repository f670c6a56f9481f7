#include "config.h"

#include "audit_queue.h"

#include <stdlib.h>
#include <string.h>

#include "inbox.h"
#include "timestamp.h"
#include "topic.h"

enum state { HAD, OTHER, NOT_HAD, CHECKPOINT }; /* the last: one that was not had */

struct entry {
	uint64_t id;
	enum state state;
};

struct log {
	char origin[BUS_ORIGIN_MAX + 1];
	struct entry *entry;
	size_t count, room;
	uint64_t waiting, failed; /* in the inbox */
	struct bus_holes missing, after;
};

struct bus_audit_queue {
	struct bus_ledger *ledger;
	int64_t since_us;
	struct bus_bindings wanted, bound;
	struct log **log;
	size_t count;
};

static enum bus_code nomem(struct bus_err *err)
{
	return bus_fail(err, BUS_E_NOMEM, "audit: out of memory");
}

static enum bus_code add_pattern(void *arg, const char *pattern, struct bus_err *err)
{
	struct bus_audit_queue *q = arg;
	char checkpoint[BUS_KEY_MAX + 1];
	enum bus_code rc = bus_bindings_add(&q->wanted, pattern, err);

	if (!rc)
		rc = bus_bindings_add(&q->bound, pattern, err);
	bus_topic_checkpoint(checkpoint, pattern);
	return rc ? rc : bus_bindings_add(&q->bound, checkpoint, err);
}

enum bus_code bus_audit_queue_open(struct bus_audit_queue **ret, const char *state_directory,
				   const char *queue, struct bus_err *err)
{
	struct bus_audit_queue *q = calloc(1, sizeof(*q));
	enum bus_code rc;

	if (!q)
		return nomem(err);
	rc = bus_ledger_open(&q->ledger, state_directory, queue, false, err);
	if (!rc)
		rc = bus_ledger_since(q->ledger, &q->since_us, err);
	if (rc == BUS_E_NO)
		rc = bus_fail(err, BUS_E_CONFIG,
			      "%s/ledger has no ledger of queue %s: audit where, and as whom, it "
			      "is "
			      "consumed",
			      state_directory, queue);
	if (!rc)
		rc = bus_ledger_patterns(q->ledger, false, add_pattern, q, err);
	if (rc)
		bus_audit_queue_close(q);
	else
		*ret = q;
	return rc;
}

void bus_audit_queue_close(struct bus_audit_queue *q)
{
	size_t i;

	if (!q)
		return;
	for (i = 0; i < q->count; i++) {
		bus_holes_finish(&q->log[i]->missing);
		bus_holes_finish(&q->log[i]->after);
		free(q->log[i]->entry);
		free(q->log[i]);
	}
	free(q->log);
	bus_bindings_finish(&q->wanted);
	bus_bindings_finish(&q->bound);
	bus_ledger_close(q->ledger);
	free(q);
}

int64_t bus_audit_queue_since(const struct bus_audit_queue *q)
{
	return q->since_us;
}

/* NULL: out of memory. */
static struct log *find_log(struct bus_audit_queue *q, const char *origin)
{
	struct log **more, *log;
	size_t i;

	for (i = 0; i < q->count; i++)
		if (strcmp(q->log[i]->origin, origin) == 0)
			return q->log[i];
	more = reallocarray(q->log, q->count + 1, sizeof(struct log *));
	if (!more)
		return NULL;
	q->log = more;
	log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	memcpy(log->origin, origin, strnlen(origin, BUS_ORIGIN_MAX));
	q->log[q->count++] = log;
	return log;
}

static enum bus_code add_entry(struct log *log, uint64_t id, enum state state, struct bus_err *err)
{
	struct entry *more;

	if (log->count == log->room) {
		more = reallocarray(log->entry, log->room * 2 + 64, sizeof(*more));
		if (!more)
			return nomem(err);
		log->entry = more;
		log->room = log->room * 2 + 64;
	}
	log->entry[log->count++] = (struct entry){ id, state };
	return BUS_OK;
}

/* One that was not had: is it the queue's?  By its time, or by its place in its type. */
static enum bus_code is_ours(struct bus_audit_queue *q, const struct bus_event *ev, bool *ret,
			     struct bus_err *err)
{
	struct bus_ledger_position position;
	int64_t time_us = 0;
	enum bus_code rc;

	bus_time_parse(&time_us, ev->time); /* intake has seen that it can be */
	*ret = time_us >= q->since_us;
	if (*ret)
		return BUS_OK;
	rc = bus_ledger_position(q->ledger, ev->source, ev->type, &position, err);
	*ret = !rc && ev->typesequence > position.last;
	return rc == BUS_E_NO ? BUS_OK : rc;
}

enum bus_code bus_audit_queue_event(struct bus_audit_queue *q, const struct bus_belief *belief,
				    struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	char key[BUS_KEY_MAX + 1];
	enum state state = HAD;
	enum bus_seen seen;
	bool wanted, ours;
	struct log *log;
	enum bus_code rc;

	bus_topic_key(key, ev->type, ev->subject);
	if (!bus_bindings_match(&q->bound, key))
		return BUS_OK;
	wanted = bus_bindings_want(&q->wanted, key, ev->type);
	rc = bus_ledger_look(q->ledger, ev->source, ev->id, &belief->leaf, &seen, err);
	if (rc || (!wanted && seen != BUS_SEEN_NEW))
		return rc;
	if (seen == BUS_SEEN_OTHER)
		state = OTHER;
	if (seen == BUS_SEEN_NEW) {
		rc = is_ours(q, ev, &ours, err);
		if (rc || !ours)
			return rc;
		state = wanted ? NOT_HAD : CHECKPOINT;
	}
	log = find_log(q, ev->source);
	return log ? add_entry(log, ev->id, state, err) : nomem(err);
}

/* -- at the end -- */

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->state < y->state ? -1 : x->state > y->state;
}

/* In order of the log; of what the history has twice, one. */
static void sort(struct log *log)
{
	size_t i, kept = 0;

	if (log->count)
		qsort(log->entry, log->count, sizeof(*log->entry), compare);
	for (i = 0; i < log->count; i++)
		if (!kept || log->entry[kept - 1].id != log->entry[i].id)
			log->entry[kept++] = log->entry[i];
	log->count = kept;
}

/* How many entries, from the first, are not after all that was had. */
static size_t end_of_had(const struct log *log)
{
	size_t i, end = 0;

	for (i = 0; i < log->count; i++)
		if (log->entry[i].state == HAD || log->entry[i].state == OTHER)
			end = i + 1;
	return end;
}

/* Ranges of what was not had, among the wanted ones from entry i to `end`. */
static enum bus_code find_holes(const struct log *log, size_t i, size_t end, struct bus_holes *ret,
				uint64_t *ret_count, struct bus_err *err)
{
	const struct entry *from = NULL, *to = NULL, *e;

	*ret_count = 0;
	for (; i <= end; i++) {
		e = i < end ? &log->entry[i] : NULL;
		if (e && e->state == CHECKPOINT)
			continue;
		if (e && e->state == NOT_HAD) {
			from = from ? from : e;
			to = e;
			++*ret_count;
			continue;
		}
		if (from && !bus_holes_add(ret, from->id, to->id))
			return nomem(err);
		from = NULL;
	}
	return BUS_OK;
}

static enum bus_code judge(struct log *log, struct bus_audit_queue_finding *f, uint64_t *after,
			   struct bus_err *err)
{
	const struct entry *e;
	size_t i, end;
	enum bus_code rc;

	sort(log);
	end = end_of_had(log);
	*f = (struct bus_audit_queue_finding){ .origin = log->origin,
					       .waiting = log->waiting,
					       .failed = log->failed,
					       .missing = &log->missing,
					       .after = &log->after };
	for (i = 0; i < end; i++) {
		e = &log->entry[i];
		if (e->state != HAD && e->state != OTHER)
			continue;
		f->first = f->had ? f->first : e->id;
		f->last = e->id;
		f->others += e->state == OTHER;
		f->had++;
	}
	*after += log->count - end;
	rc = find_holes(log, 0, end, &log->missing, &f->missing_count, err);
	return rc ? rc : find_holes(log, end, log->count, &log->after, &f->after_count, err);
}

/* Whose events wait in the inbox? */
static enum bus_code count_inbox(struct bus_audit_queue *q, enum bus_inbox_state state,
				 struct bus_err *err)
{
	struct bus_inbox_item *item;
	struct bus_event *ev;
	int64_t number = 0;
	struct log *log;
	enum bus_code rc;

	while (!(rc = bus_inbox_find(q->ledger, state, number, &item, err))) {
		number = item->number;
		rc = bus_event_parse(&ev, item->message->body, item->message->body_len, err);
		bus_inbox_item_free(item);
		if (rc)
			return rc;
		log = find_log(q, ev->source);
		bus_event_free(ev);
		if (!log)
			return nomem(err);
		if (state == BUS_INBOX_FAILED)
			log->failed++;
		else
			log->waiting++;
	}
	return rc == BUS_E_NO ? BUS_OK : rc;
}

enum bus_code bus_audit_queue_findings(struct bus_audit_queue *q,
				       void (*each)(void *arg,
						    const struct bus_audit_queue_finding *finding),
				       void *arg, uint64_t *ret_after, struct bus_err *err)
{
	struct bus_audit_queue_finding finding;
	uint64_t after = 0;
	enum bus_code rc;
	size_t i;

	rc = count_inbox(q, BUS_INBOX_WAITING, err);
	if (!rc)
		rc = count_inbox(q, BUS_INBOX_RUNNING, err);
	if (!rc)
		rc = count_inbox(q, BUS_INBOX_FAILED, err);
	for (i = 0; !rc && i < q->count; i++) {
		rc = judge(q->log[i], &finding, &after, err);
		if (!rc)
			each(arg, &finding);
	}
	if (!rc)
		*ret_after = after;
	return rc;
}

enum bus_code bus_audit_queue_lost(struct bus_audit_queue *q,
				   enum bus_code (*each)(void *arg,
							 const struct bus_ledger_range *range,
							 struct bus_err *err),
				   void *arg, struct bus_err *err)
{
	return bus_ledger_missing(q->ledger, each, arg, err);
}
