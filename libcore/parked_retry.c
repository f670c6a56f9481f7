#include "config.h"

#include "parked_retry.h"

#include <stdlib.h>
#include <string.h>

#include "inbox.h"
#include "ledger.h"
#include "timestamp.h"
#include "topic.h"

enum { GROUP_MAX = 50 }; /* messages in one transaction of the ledger */

struct bus_retry {
	const struct bus_conf *conf;
	struct bus_parked *parked;
	struct bus_intake *intake;
	/* Of the queue that was looked at last; NULL: it has none here. */
	struct bus_ledger *ledger;
	char queue[256];
	struct bus_bindings wanted, bound;
	/* Of messages that may go when the ledger has been committed. */
	uint64_t *tag;
	size_t tag_count, tag_size;
};

enum bus_code bus_retry_open(struct bus_retry **ret, const struct bus_conf *conf,
			     struct bus_parked *parked, struct bus_err *err)
{
	struct bus_retry *r = calloc(1, sizeof(*r));
	enum bus_code rc;

	if (!r)
		return bus_fail(err, BUS_E_NOMEM, "parked: out of memory");
	r->conf = conf;
	r->parked = parked;
	rc = bus_intake_open(&r->intake, conf, err);
	if (rc)
		bus_retry_close(r);
	else
		*ret = r;
	return rc;
}

static void close_ledger(struct bus_retry *r)
{
	bus_ledger_close(r->ledger);
	r->ledger = NULL;
	r->queue[0] = '\0';
	bus_bindings_finish(&r->wanted);
	bus_bindings_finish(&r->bound);
}

void bus_retry_close(struct bus_retry *r)
{
	if (!r)
		return;
	close_ledger(r);
	bus_intake_close(r->intake);
	free(r->tag);
	free(r);
}

/* The name becomes a file's name, and anybody may have written it. */
static bool is_queue_name(const char *name)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_.";

	return name && name[0] && name[0] != '.' && strchr(name, '.') && !name[strspn(name, ok)];
}

static enum bus_code remember(void *arg, const char *pattern, struct bus_err *err)
{
	struct bus_retry *r = arg;
	char checkpoint[BUS_KEY_MAX + 1];
	enum bus_code rc;

	bus_topic_checkpoint(checkpoint, pattern);
	rc = bus_bindings_add(&r->wanted, pattern, err);
	if (!rc)
		rc = bus_bindings_add(&r->bound, pattern, err);
	return rc ? rc : bus_bindings_add(&r->bound, checkpoint, err);
}

/* Opens the ledger of the message's queue, if there is one here, and learns the bindings. */
static enum bus_code open_ledger(struct bus_retry *r, const char *queue, struct bus_err *err)
{
	enum bus_code rc;

	if (!is_queue_name(queue) || strlen(queue) >= sizeof(r->queue))
		queue = "";
	if (*queue && strcmp(queue, r->queue) == 0)
		return BUS_OK;
	rc = bus_retry_commit(r, err);
	close_ledger(r);
	if (rc || !*queue)
		return rc;
	rc = bus_ledger_open(&r->ledger, r->conf->state_directory, queue, false, err);
	if (rc == BUS_E_NO)
		return BUS_OK;
	/* What a pattern brought that was dropped since was asked for then. */
	if (!rc)
		rc = bus_ledger_patterns(r->ledger, false, remember, r, err);
	if (!rc)
		rc = bus_ledger_patterns(r->ledger, true, remember, r, err);
	if (rc)
		close_ledger(r);
	else
		memcpy(r->queue, queue, strlen(queue) + 1);
	return rc;
}

enum bus_code bus_retry_verify(struct bus_retry *r, const struct bus_parked_message *m,
			       struct bus_belief *ret, enum bus_code *ret_result,
			       struct bus_err *why, struct bus_err *err)
{
	enum bus_code rc;

	rc = open_ledger(r, m->parking->queue, err);
	if (rc)
		return rc;
	rc = bus_intake_check(r->intake, m->message, r->ledger ? &r->bound : NULL, ret, why);
	if (rc && bus_code_info[rc].fate != BUS_FATE_PARK)
		return bus_fail(err, rc, "%s", why->text);
	*ret_result = rc;
	return BUS_OK;
}

/*
 * How far its type is known without a gap.  Out of turn it does not count yet:
 * debmsg consume sees in the history that it was had.
 */
static enum bus_code advance(struct bus_retry *r, const struct bus_event *ev, struct bus_err *err)
{
	struct bus_ledger_position here = { ev->typesequence, 0, true }, position = { 0 };
	enum bus_code rc;

	if (!bus_bindings_cover(&r->wanted, ev->type) || !bus_time_parse(&here.time_us, ev->time))
		return BUS_OK;
	rc = bus_ledger_position(r->ledger, ev->source, ev->type, &position, err);
	if (rc && rc != BUS_E_NO)
		return rc;
	return ev->typesequence == position.last + 1
		       ? bus_ledger_advance(r->ledger, ev->source, ev->type, &here, err)
		       : BUS_OK;
}

/* Was this queue's user told that it is missing?  It is not any more. */
static enum bus_code note(struct bus_retry *r, const struct bus_belief *belief, struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	enum bus_code rc;

	rc = bus_ledger_note(r->ledger, ev->source, ev->id, &belief->leaf, err);
	if (!rc)
		rc = bus_ledger_find(r->ledger, ev->source, ev->type, ev->typesequence, err);
	return rc && rc != BUS_E_NO ? rc : advance(r, ev, err);
}

static enum bus_code put(struct bus_retry *r, const struct bus_parked_message *m,
			 const struct bus_belief *belief, enum bus_retry_what *ret,
			 struct bus_err *why, struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	enum bus_seen seen;
	enum bus_code rc;

	rc = bus_ledger_hold(r->ledger, err);
	if (!rc)
		rc = bus_ledger_look(r->ledger, ev->source, ev->id, &belief->leaf, &seen, err);
	if (rc)
		return rc;
	*ret = BUS_RETRY_HAD;
	if (seen == BUS_SEEN_OTHER) {
		*ret = BUS_RETRY_STAYS;
		bus_fail(why, BUS_E_EQUIVOCATION,
			 "another body was delivered under this source and id before");
		return BUS_OK;
	}
	if (seen == BUS_SEEN_REPEAT) {
		rc = bus_ledger_revive(r->ledger, ev->source, ev->id, err);
		if (rc)
			return rc == BUS_E_NO ? BUS_OK : rc;
	} else {
		rc = note(r, belief, err);
		if (rc || !bus_bindings_want(&r->wanted, m->message->routing_key, ev->type))
			return rc;
	}
	*ret = BUS_RETRY_PUT;
	return bus_inbox_put(r->ledger, belief, m->message, err);
}

static enum bus_code keep_tags(struct bus_retry *r, const uint64_t *tags, size_t count,
			       struct bus_err *err)
{
	const size_t size = r->tag_count + count + GROUP_MAX;
	uint64_t *more;

	if (r->tag_size < r->tag_count + count) {
		more = realloc(r->tag, size * sizeof(*more));
		if (!more)
			return bus_fail(err, BUS_E_NOMEM, "parked: out of memory");
		r->tag = more;
		r->tag_size = size;
	}
	memcpy(r->tag + r->tag_count, tags, count * sizeof(*tags));
	r->tag_count += count;
	return BUS_OK;
}

enum bus_code bus_retry_message(struct bus_retry *r, const struct bus_parked_message *m,
				const uint64_t *tags, size_t count, enum bus_retry_what *ret,
				struct bus_err *why, struct bus_err *err)
{
	struct bus_belief belief = { .event = NULL };
	enum bus_code rc, result = BUS_OK;

	rc = bus_retry_verify(r, m, &belief, &result, why, err);
	if (rc)
		return rc;
	*ret = BUS_RETRY_STAYS;
	if (!result && r->ledger)
		rc = put(r, m, &belief, ret, why, err);
	else if (!result)
		bus_fail(why, BUS_E_NO,
			 "%s has no ledger of the queue it comes from; retry it where debmsg "
			 "consume runs for that queue",
			 r->conf->state_directory);
	bus_event_free(belief.event);
	if (!rc && *ret != BUS_RETRY_STAYS)
		rc = keep_tags(r, tags, count, err);
	/* While the ledger is held, debmsg consume waits: it must not wait for the broker. */
	if (!rc && (r->tag_count >= GROUP_MAX || bus_parked_would_wait(r->parked)))
		rc = bus_retry_commit(r, err);
	return rc;
}

enum bus_code bus_retry_commit(struct bus_retry *r, struct bus_err *err)
{
	enum bus_code rc = r->ledger ? bus_ledger_commit(r->ledger, err) : BUS_OK;
	size_t i;

	for (i = 0; !rc && i < r->tag_count; i++)
		rc = bus_parked_remove(r->parked, r->tag[i], err);
	r->tag_count = 0;
	return rc;
}
