#include "config.h"

#include "consumer_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint_event.h"
#include "timestamp.h"
#include "topic.h"

enum {
	/* clocks of services, relays and brokers differ, and chunks of the stream are not small */
	MARGIN_S = 120,
	/* a checkpoint is promised for every hour (PROTOCOL section 7): twice that is too long */
	SILENCE_S = 7200
};

static int64_t time_of(const struct bus_event *ev)
{
	int64_t us = 0;

	bus_time_parse(&us, ev->time); /* intake has seen that it can be */
	return us;
}

/* When the log was begun: its epoch (PROTOCOL section 3); 0: it has none that can be read. */
static int64_t epoch_of(const char *source)
{
	const char *epoch = strrchr(source, '/');
	char text[sizeof("2026-11-22T10:15:00Z")];
	int64_t us = 0;

	if (!epoch || strlen(++epoch) != 16)
		return 0;
	snprintf(text, sizeof(text), "%.4s-%.2s-%.5s:%.2s:%.3s", epoch, epoch + 4, epoch + 6,
		 epoch + 11, epoch + 13);
	return bus_time_parse(&us, text) ? us : 0;
}

/* -- the history is needed -- */

enum bus_code bus_consumer_set_behind(struct bus_consumer *c, int64_t from_us, struct bus_err *err)
{
	int64_t before;
	enum bus_code rc = bus_ledger_behind(c->ledger, &before, err);

	if (rc && rc != BUS_E_NO)
		return rc;
	if (from_us < 1)
		from_us = 1; /* from its start; 0 would say that it is read */
	if (!rc && before < from_us)
		from_us = before;
	rc = bus_ledger_set_behind(c->ledger, from_us, err);
	if (!rc) {
		c->behind = true;
		c->resume_offset = -1;
	}
	return rc;
}

bool bus_consumer_must_look_back(const struct bus_consumer *c, enum bus_consumer_from from)
{
	return from == BUS_FROM_QUEUE ? c->behind : c->is_too_near;
}

/*
 * The history is read once for an event: from a time on, and if that has not
 * brought even the event itself (services' clocks may be wrong by any amount),
 * from its start.  What it did not bring then, it does not have.  BUS_E_NO: so.
 */
static enum bus_code heal(struct bus_consumer *c, const struct bus_belief *belief, int64_t from_us,
			  struct bus_err *err)
{
	if (c->options->no_heal)
		return BUS_E_NO;
	if (!bus_hash_equal(&c->filled, &belief->leaf)) {
		c->filled = belief->leaf;
		c->filled_from_start = false;
		return bus_consumer_set_behind(c, from_us, err);
	}
	return c->filled_from_start ? BUS_E_NO : bus_consumer_set_behind(c, 1, err);
}

/* -- what is missing -- */

/* One type of one log: where it stands, and up to where it should. */
struct place {
	const char *source, *type;
	bool known;
	struct bus_ledger_position position;
};

static enum bus_code look_up(struct bus_consumer *c, struct place *place, const char *source,
			     const char *type, struct bus_err *err)
{
	enum bus_code rc;

	*place = (struct place){ source, type, true, { 0, c->since_us, true } };
	rc = bus_ledger_position(c->ledger, source, type, &place->position, err);
	if (rc != BUS_E_NO)
		return rc;
	/* a log that was begun after the queue was made is ours from its first event on */
	place->known = place->position.was_had = epoch_of(source) >= c->since_us;
	return place->known ? BUS_OK : bus_ledger_is_whole(c->ledger, source, &place->known, err);
}

/*
 * A relay whose event the broker refused sends it to the history once more, and that
 * may be after we have looked there: so it is looked at again when the log is quiet.
 */
static enum bus_code look_again_from(struct bus_consumer *c, int64_t from_us, struct bus_err *err)
{
	if (from_us < 1)
		from_us = 1;
	if (c->options->no_heal || (c->look_again_us && c->look_again_us <= from_us))
		return BUS_OK;
	c->look_again_us = from_us;
	return bus_ledger_set_look_again(c->ledger, from_us, err);
}

static enum bus_code lose(struct bus_consumer *c, const struct place *place, uint64_t last,
			  struct bus_err *err)
{
	const struct bus_ledger_range range = { place->source, place->type,
						place->position.last + 1, last, false };

	enum bus_code rc;

	c->untold = true;
	rc = look_again_from(c, place->position.time_us - MARGIN_S * 1000000LL, err);
	return rc ? rc : bus_ledger_lose(c->ledger, &range, err);
}

/*
 * Up to `last` there should be no hole now.  If there is one: the history is
 * needed, or, where that was of no use or is being read, it is given up.
 */
static enum bus_code close_gap(struct bus_consumer *c, const struct place *place, uint64_t last,
			       const struct bus_belief *belief, enum bus_consumer_from from,
			       struct bus_err *err)
{
	enum bus_code rc;

	if (!place->known || last <= place->position.last)
		return BUS_OK;
	if (from == BUS_FROM_HISTORY && c->is_near) {
		c->is_too_near = true;
		return BUS_OK;
	}
	if (from == BUS_FROM_QUEUE) {
		if (!bus_hash_equal(&c->filled, &belief->leaf)) {
			c->counts->gaps++;
			bus_say(&c->options->say,
				"%s: %" PRIu64 "..%" PRIu64 " of type %s did not come%s",
				place->source, place->position.last + 1, last, place->type,
				c->options->no_heal ? "" : "; looking for them in the history");
		}
		rc = heal(c, belief, place->position.time_us - MARGIN_S * 1000000LL, err);
		if (rc != BUS_E_NO)
			return rc;
	}
	return lose(c, place, last, err);
}

enum bus_code bus_consumer_look_before(struct bus_consumer *c, const struct bus_belief *belief,
				       enum bus_consumer_from from, bool *ret_ours,
				       struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	const int64_t time_us = time_of(ev);
	struct bus_ledger_position start;
	struct place place;
	enum bus_code rc;

	*ret_ours = from == BUS_FROM_QUEUE || time_us >= c->since_us;
	rc = ev->id ? BUS_OK : bus_ledger_set_whole(c->ledger, ev->source, err);
	if (rc || !bus_bindings_cover(&c->wanted, ev->type))
		return rc;
	rc = look_up(c, &place, ev->source, ev->type, err);
	if (rc)
		return rc;
	if (!*ret_ours && !(place.known && place.position.was_had)) {
		/* older than this queue: only to know where its type stands */
		if (place.known && place.position.last >= ev->typesequence)
			return BUS_OK;
		start = (struct bus_ledger_position){ ev->typesequence, time_us, false };
		return bus_ledger_advance(c->ledger, ev->source, ev->type, &start, err);
	}
	if (!place.known && from == BUS_FROM_QUEUE) {
		/* not even a checkpoint of this log was in the recent history */
		rc = heal(c, belief, 1, err);
		return rc == BUS_E_NO ? BUS_OK : rc;
	}
	if (!place.known)
		return BUS_OK;
	if (ev->typesequence > place.position.last) {
		*ret_ours = true;
		return close_gap(c, &place, ev->typesequence - 1, belief, from, err);
	}
	rc = bus_ledger_find(c->ledger, ev->source, ev->type, ev->typesequence, err);
	*ret_ours = *ret_ours || !rc;
	return rc == BUS_E_NO ? BUS_OK : rc;
}

enum bus_code bus_consumer_pass(struct bus_consumer *c, const struct bus_belief *belief,
				struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	const int64_t time_us = time_of(ev), now_us = bus_time_now();
	/* what is said to happen in the future is not where the history is to be read from */
	const struct bus_ledger_position here = { ev->typesequence,
						  time_us < now_us ? time_us : now_us, true };
	struct bus_ledger_position position;
	enum bus_code rc = BUS_OK;

	if (bus_bindings_cover(&c->wanted, ev->type)) {
		rc = bus_ledger_position(c->ledger, ev->source, ev->type, &position, err);
		if (rc == BUS_E_NO || (!rc && position.last < ev->typesequence))
			rc = bus_ledger_advance(c->ledger, ev->source, ev->type, &here, err);
	}
	if (time_us > c->counts->newest_us)
		c->counts->newest_us = time_us;
	c->counts->taken_us = now_us;
	/* nor must it hush us until then */
	return rc ? rc : bus_ledger_hear(c->ledger, ev->source, here.time_us, err);
}

/* -- checkpoints -- */

struct promise {
	struct bus_consumer *c;
	const struct bus_belief *belief;
	enum bus_consumer_from from;
};

static enum bus_code check_promise(void *arg, const char *type, uint64_t last, struct bus_err *err)
{
	const struct promise *promise = arg;
	const struct bus_event *ev = promise->belief->event;
	struct bus_ledger_position here = { last, time_of(ev), false };
	struct bus_consumer *c = promise->c;
	struct place place;
	enum bus_code rc;

	if (bus_consumer_must_look_back(c, promise->from))
		return BUS_OK; /* it will be asked again */
	/* what it says of itself is of the one before */
	if (!last || strlen(type) > BUS_TYPE_MAX || strcmp(type, ev->type) == 0 ||
	    !bus_bindings_cover(&c->wanted, type))
		return BUS_OK;
	rc = look_up(c, &place, ev->source, type, err);
	if (rc || (place.known && last <= place.position.last))
		return rc;
	here.was_had = place.known && place.position.was_had;
	if (here.was_had || promise->from == BUS_FROM_QUEUE || here.time_us >= c->since_us)
		rc = close_gap(c, &place, last, promise->belief, promise->from, err);
	if (rc || bus_consumer_must_look_back(c, promise->from))
		return rc;
	return bus_ledger_advance(c->ledger, ev->source, type, &here, err);
}

enum bus_code bus_consumer_look_at_checkpoint(struct bus_consumer *c,
					      const struct bus_belief *belief,
					      const struct bus_message *m,
					      enum bus_consumer_from from, struct bus_err *err)
{
	struct promise promise = { c, belief, from };
	const int64_t again_us = c->look_again_us;
	enum bus_code rc;

	if (again_us && from == BUS_FROM_QUEUE) {
		c->look_again_us = 0;
		rc = bus_ledger_set_look_again(c->ledger, 0, err);
		return rc ? rc : bus_consumer_set_behind(c, again_us, err);
	}
	rc = bus_checkpoint_event_types(m->body, m->body_len, check_promise, &promise, err);

	if (rc || bus_consumer_must_look_back(c, from))
		return rc;
	return bus_ledger_set_whole(c->ledger, belief->event->source, err);
}

/* -- what the user is told -- */

static enum bus_code tell_range(void *arg, const struct bus_ledger_range *range,
				struct bus_err *err)
{
	struct bus_consumer *c = arg;

	(void)err;
	if (range->reported)
		return BUS_OK;
	c->counts->missing += range->last - range->first + 1;
	bus_say(&c->options->say,
		"%s: missing: %" PRIu64 "..%" PRIu64 " of type %s (its typesequence); %s",
		range->source, range->first, range->last, range->type,
		c->options->no_heal  ? "not looked for (--no-heal)"
		: c->told_unreadable ? "the history cannot be read"
				     : "the history does not have them");
	return BUS_OK;
}

enum bus_code bus_consumer_tell_missing(struct bus_consumer *c, struct bus_err *err)
{
	const unsigned long long before = c->counts->missing;
	enum bus_code rc;

	if (!c->untold || c->behind)
		return BUS_OK;
	rc = bus_ledger_missing(c->ledger, tell_range, c, err);
	if (!rc && c->counts->missing > before && c->unbelieved)
		bus_say(&c->options->say,
			"%llu messages of the history are not believed, the first: %s",
			c->unbelieved, c->unbelieved_why);
	c->unbelieved = 0;
	if (!rc)
		rc = bus_ledger_reported(c->ledger, err);
	c->untold = rc != BUS_OK;
	return rc;
}

/* -- silence -- */

struct silence {
	struct bus_ledger *ledger;
	struct bus_bindings logs; /* the silent ones */
	int64_t oldest_us;	  /* since when the first of them is */
	const char *source;	  /* of one of them: ... */
	bool is_superseded;	  /* ... is there a younger epoch? */
};

static enum bus_code compare_epoch(void *arg, const char *source, int64_t heard_us,
				   struct bus_err *err)
{
	struct silence *silence = arg;
	const char *epoch = strrchr(silence->source, '/');
	const size_t len = epoch ? (size_t)(epoch - silence->source) : 0;

	(void)heard_us;
	(void)err;
	if (len && strncmp(source, silence->source, len + 1) == 0 &&
	    strcmp(source, silence->source) > 0)
		silence->is_superseded = true;
	return BUS_OK;
}

static enum bus_code collect(void *arg, const char *source, int64_t heard_us, struct bus_err *err)
{
	struct silence *silence = arg;

	if (!silence->oldest_us || heard_us < silence->oldest_us)
		silence->oldest_us = heard_us;
	return silence->logs.count < BUS_BINDINGS_MAX
		       ? bus_bindings_add(&silence->logs, source, err)
		       : BUS_OK;
}

/* A log whose epoch is over may be silent for ever. */
static enum bus_code collect_living(void *arg, const char *source, int64_t heard_us,
				    struct bus_err *err)
{
	struct silence *silence = arg;
	enum bus_code rc;

	silence->source = source;
	silence->is_superseded = false;
	rc = bus_ledger_logs(silence->ledger, compare_epoch, silence, err);
	return rc || silence->is_superseded ? rc : collect(silence, source, heard_us, err);
}

static void tell_silent(struct bus_consumer *c, const struct bus_bindings *logs)
{
	size_t i;

	for (i = 0; i < logs->count; i++)
		if (!bus_bindings_has(&c->hush, logs->pattern[i]))
			bus_say(&c->options->say,
				"%s: nothing was heard of this log for more than %d s, not even "
				"the bus.checkpoint that is promised for each hour; does its "
				"relay run?",
				logs->pattern[i], SILENCE_S);
}

/*
 * Perhaps it is only our queue that hears nothing: the history knows, and is asked
 * once in so many hours, whatever starts and ends meanwhile.
 */
static enum bus_code ask_history(struct bus_consumer *c, const struct silence *silence,
				 struct bus_err *err)
{
	const int64_t now_us = bus_time_now();
	int64_t asked_us = 0;
	enum bus_code rc;

	if (!silence->logs.count || c->options->no_heal)
		return BUS_OK;
	rc = bus_ledger_asked(c->ledger, &asked_us, err);
	if (rc && rc != BUS_E_NO)
		return rc;
	if (!rc && asked_us <= now_us && now_us - asked_us < SILENCE_S * 1000000LL)
		return BUS_OK;
	rc = bus_ledger_set_asked(c->ledger, now_us, err);
	return rc ? rc : bus_consumer_set_behind(c, silence->oldest_us - MARGIN_S * 1000000LL, err);
}

enum bus_code bus_consumer_look_for_silence(struct bus_consumer *c, struct bus_err *err)
{
	struct silence silence = { .ledger = c->ledger };
	enum bus_code rc;

	rc = bus_ledger_silent(c->ledger, bus_time_now() - SILENCE_S * 1000000LL, collect_living,
			       &silence, err);
	if (!rc)
		rc = ask_history(c, &silence, err);
	if (rc || c->behind) {
		bus_bindings_finish(&silence.logs);
		return rc;
	}
	tell_silent(c, &silence.logs);
	bus_bindings_finish(&c->hush);
	c->hush = silence.logs;
	c->counts->silent = (unsigned int)silence.logs.count;
	return BUS_OK;
}
