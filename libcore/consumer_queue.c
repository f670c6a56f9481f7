#include "config.h"

#include "consumer_private.h"

#include <stdio.h>
#include <string.h>

#include "timestamp.h"
#include "topic.h"

enum {
	QUEUE_MAX = 100, /* characters of a queue's name */
	PREFETCH = 500,
	/* in so much of the history every living log has had a bus.checkpoint (PROTOCOL section 7)
	 */
	RECENT_S = 7200
};

static enum bus_code check_name(const char *name, struct bus_err *err)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-_.";

	if (!*name || *name == '.' || strlen(name) > QUEUE_MAX || name[strspn(name, ok)])
		return bus_fail(err, BUS_E_USAGE,
				"queue '%s': a name has letters, digits, - _ and . and at most %d "
				"characters",
				name, QUEUE_MAX);
	return BUS_OK;
}

void bus_consumer_disconnect(struct bus_consumer *c)
{
	bus_broker_close(c->broker);
	c->broker = NULL;
	c->counts->connected = false;
	memset(&c->parking, 0, sizeof(c->parking));
	c->last_tag = 0;
	c->group = 0;
}

static enum bus_code open_broker(struct bus_consumer *c, struct bus_err *err)
{
	char purpose[QUEUE_MAX + 20];
	const struct bus_broker_login login = { .conf = &c->conf->broker,
						.purpose = purpose,
						.turn = c->turn };

	bus_consumer_disconnect(c);
	snprintf(purpose, sizeof(purpose), "debmsg consume: %s", c->options->queue);
	return bus_broker_open(&c->broker, &login, err);
}

/* -- bindings -- */

static enum bus_code remember(void *arg, const char *pattern, struct bus_err *err)
{
	return bus_bindings_add(arg, pattern, err);
}

/* What a pattern brings: itself, and the checkpoints of its logs. */
static enum bus_code add_bound(struct bus_bindings *ret, const struct bus_bindings *list,
			       struct bus_err *err)
{
	char checkpoint[BUS_KEY_MAX + 1];
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; !rc && i < list->count; i++) {
		bus_topic_checkpoint(checkpoint, list->pattern[i]);
		rc = bus_bindings_add(ret, list->pattern[i], err);
		if (!rc)
			rc = bus_bindings_add(ret, checkpoint, err);
	}
	return rc;
}

/* Does it name a subject?  Then typesequence shows no gaps. */
static bool is_finer_than_type(const char *pattern)
{
	const char *last = strrchr(pattern, '.'), *s;
	size_t words = 1;

	for (s = pattern; *s; s++)
		words += *s == '.';
	last = last ? last + 1 : pattern;
	return strcmp(last, "#") != 0 && strcmp(last, "*") != 0 &&
	       (words > 6 || strchr(pattern, '#'));
}

static void tell_finer(const struct bus_consumer *c)
{
	size_t i;

	for (i = 0; i < c->wanted.count; i++)
		if (is_finer_than_type(c->wanted.pattern[i]))
			bus_say(&c->options->say,
				"%s is finer than a type of events: whether anything is missing "
				"of it, only `debmsg audit --queue %s` can prove",
				c->wanted.pattern[i], c->options->queue);
}

/* What was asked for before, and not now, or the other way round: said, and noted. */
static enum bus_code reconcile(struct bus_consumer *c, const struct bus_bindings *before,
			       bool is_new, bool *ret_added, struct bus_err *err)
{
	const struct bus_bindings *now = &c->wanted;
	enum bus_code rc = BUS_OK;
	size_t i;

	*ret_added = false;
	for (i = 0; !rc && i < now->count; i++) {
		if (bus_bindings_has(before, now->pattern[i]))
			continue;
		*ret_added = true;
		if (!is_new)
			bus_say(&c->options->say, "queue %s is now bound to %s", c->queue,
				now->pattern[i]);
		rc = bus_ledger_pattern(c->ledger, now->pattern[i], false, err);
	}
	for (i = 0; !rc && i < before->count; i++) {
		if (bus_bindings_has(now, before->pattern[i]))
			continue;
		bus_say(&c->options->say, "queue %s is not bound to %s any more", c->queue,
			before->pattern[i]);
		rc = bus_ledger_pattern(c->ledger, before->pattern[i], true, err);
	}
	return rc;
}

/* -- what the ledger knows -- */

/*
 * A queue that is there, and a ledger that knows nothing of it: it was used from
 * another host, or the ledger is lost.  What it is bound to cannot be asked.
 */
static enum bus_code check_unknown(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc;
	bool exists;

	rc = bus_broker_exists(c->broker, c->queue, &exists, err);
	if (!rc && exists && !c->options->bind->count)
		rc = bus_fail(err, BUS_E_CONFIG,
			      "queue %s is there, but the ledger in %s does not know it: name with "
			      "--bind all that it is bound to (the management UI shows it)",
			      c->queue, c->conf->state_directory);
	if (!rc && exists)
		bus_say(&c->options->say,
			"queue %s is there, but the ledger in %s does not know it: what comes and "
			"matches no --bind given here is parked as misrouted",
			c->queue, c->conf->state_directory);
	return rc ? rc : open_broker(c, err); /* asking may have cost the connection */
}

/*
 * From when on events are wanted.  The history is read from there; or, for a
 * queue that begins now, a little of it, to know where each type stands.
 */
static enum bus_code begin_at(struct bus_consumer *c, bool is_new, struct bus_err *err)
{
	const int64_t asked_us = c->options->since_us;
	int64_t from_us = asked_us ? asked_us : bus_time_now(), behind_us;
	enum bus_code rc;

	rc = bus_ledger_behind(c->ledger, &behind_us, err);
	if (rc && rc != BUS_E_NO)
		return rc;
	if (!rc && c->since_us < from_us) /* what was asked for before is not all there yet */
		from_us = c->since_us;
	if (!is_new && asked_us)
		bus_say(&c->options->say, "events from before are read from the history");
	c->since_us = from_us;
	rc = bus_ledger_forget_whole(c->ledger, err);
	if (!rc)
		rc = bus_ledger_set_since(c->ledger, from_us, err);
	if (!rc)
		rc = bus_consumer_set_behind(c, from_us - RECENT_S * 1000000LL, err);
	return rc;
}

static bool is_covered(void *arg, const char *type)
{
	return bus_bindings_cover(arg, type);
}

static enum bus_code learn(struct bus_consumer *c, const struct bus_bindings *before,
			   const struct bus_bindings *dropped, struct bus_err *err)
{
	bool is_new, is_added, is_earlier;
	int64_t behind_us;
	enum bus_code rc;

	rc = bus_ledger_since(c->ledger, &c->since_us, err);
	is_new = rc == BUS_E_NO;
	if (rc && !is_new)
		return rc;
	rc = is_new ? check_unknown(c, err) : BUS_OK;
	if (!rc && !c->options->bind->count && !before->count)
		rc = bus_bindings_add(&c->wanted, "#", err);
	if (!rc)
		rc = add_bound(&c->bound, &c->wanted, err);
	if (!rc)
		rc = add_bound(&c->bound, before, err); /* it may still be in the queue */
	if (rc)
		return rc;
	is_earlier = c->options->since_us && c->options->since_us < c->since_us;
	rc = reconcile(c, before, is_new, &is_added, err);
	/* what comes while a type is not bound is not missing when it is bound again */
	if (!rc)
		rc = bus_ledger_forget_types(c->ledger, is_covered, &c->wanted, err);
	if (!rc && (is_new || is_added || is_earlier))
		rc = begin_at(c, is_new, err);
	if (!rc)
		rc = add_bound(&c->bound, dropped, err);
	if (!rc)
		rc = bus_ledger_behind(c->ledger, &behind_us, err);
	c->behind = !rc;
	if (!rc || rc == BUS_E_NO)
		rc = c->options->no_heal ? BUS_OK
					 : bus_ledger_look_again(c->ledger, &c->look_again_us, err);
	return rc && rc != BUS_E_NO ? rc : bus_ledger_commit(c->ledger, err);
}

static enum bus_code learn_queue(struct bus_consumer *c, struct bus_err *err)
{
	struct bus_bindings before = { 0 }, dropped = { 0 };
	const struct bus_bindings *asked = c->options->bind;
	enum bus_code rc;
	size_t i;

	snprintf(c->queue, sizeof(c->queue), "%s.%s", bus_broker_user(c->broker),
		 c->options->queue);
	rc = bus_ledger_open(&c->ledger, c->conf->state_directory, c->queue, true, err);
	if (!rc)
		rc = bus_ledger_lock(c->ledger, err);
	if (!rc)
		rc = bus_ledger_patterns(c->ledger, false, remember, &before, err);
	if (!rc)
		rc = bus_ledger_patterns(c->ledger, true, remember, &dropped, err);
	if (!asked->count)
		asked = &before;
	for (i = 0; !rc && i < asked->count; i++)
		rc = bus_bindings_add(&c->wanted, asked->pattern[i], err);
	if (!rc)
		rc = learn(c, &before, &dropped, err);
	if (!rc && c->options->jobs)
		rc = bus_jobs_open(&c->jobs, c->ledger, c->options->jobs, err);
	bus_bindings_finish(&before);
	bus_bindings_finish(&dropped);
	if (!rc) {
		tell_finer(c);
	} else { /* nothing was learned: this was not the first connection yet */
		bus_ledger_close(c->ledger);
		c->ledger = NULL;
	}
	return rc;
}

/* -- the queue itself -- */

static enum bus_code find_oldest(void *arg, const char *source, int64_t heard_us,
				 struct bus_err *err)
{
	int64_t *oldest_us = arg;

	(void)source;
	(void)err;
	if (heard_us && heard_us < *oldest_us)
		*oldest_us = heard_us;
	return BUS_OK;
}

/* Deleted while we were away: what was in it is in the history. */
static enum bus_code check_gone(struct bus_consumer *c, struct bus_err *err)
{
	int64_t oldest_us = bus_time_now();
	enum bus_code rc;
	bool exists;

	rc = bus_broker_exists(c->broker, c->queue, &exists, err);
	if (rc || exists)
		return rc;
	rc = open_broker(c, err);
	if (!rc)
		rc = bus_ledger_logs(c->ledger, find_oldest, &oldest_us, err);
	if (rc || c->options->no_heal)
		return rc;
	bus_say(&c->options->say,
		"queue %s was not there and is made again; what it held is looked for in the "
		"history",
		c->queue);
	rc = bus_consumer_set_behind(c, oldest_us - RECENT_S * 1000000LL, err);
	return rc ? rc : bus_ledger_commit(c->ledger, err);
}

/* Known before a message is taken: it is said truly what becomes of it, and counted once. */
static enum bus_code learn_parking(struct bus_consumer *c, struct bus_err *err)
{
	bool may = true;
	enum bus_code rc;

	rc = bus_broker_may_publish(c->broker, bus_dead_exchange, &may, err);
	if (rc)
		return rc;
	c->asked_parking = true;
	c->counts->cannot_park = !may;
	if (!may)
		bus_say(&c->options->say,
			"messages that are rejected cannot be kept: user %s may not put them into "
			"%s; each is named here",
			bus_broker_user(c->broker), bus_parked_queue);
	return bus_broker_is_lost(c->broker) ? open_broker(c, err) : BUS_OK;
}

static enum bus_code set_up_queue(struct bus_consumer *c, struct bus_err *err)
{
	struct bus_bindings needed = { 0 };
	enum bus_code rc;
	size_t i;

	rc = add_bound(&needed, &c->wanted, err);
	if (!rc)
		rc = bus_broker_declare(c->broker, c->queue, err);
	for (i = 0; !rc && i < needed.count; i++)
		rc = bus_broker_bind(c->broker, c->queue, needed.pattern[i], err);
	for (i = 0; !rc && i < c->bound.count; i++)
		if (!bus_bindings_has(&needed, c->bound.pattern[i]))
			rc = bus_broker_unbind(c->broker, c->queue, c->bound.pattern[i], err);
	bus_bindings_finish(&needed);
	return rc;
}

enum bus_code bus_consumer_connect(struct bus_consumer *c, struct bus_err *err)
{
	const unsigned long long left = c->options->limit ? c->options->limit - c->counts->events
							  : PREFETCH;
	const bool is_first = !c->ledger;
	enum bus_code rc;

	rc = check_name(c->options->queue, err);
	if (!rc)
		rc = open_broker(c, err);
	if (!rc && is_first)
		rc = learn_queue(c, err);
	if (!rc)
		bus_notify_ready(c->options->notify);
	if (!rc && !c->behind)
		rc = check_gone(c, err);
	if (!rc)
		rc = set_up_queue(c, err);
	if (!rc && !c->asked_parking)
		rc = learn_parking(c, err);
	if (!rc)
		rc = bus_broker_confirms(c->broker, err);
	if (!rc && !c->behind && !bus_consumer_limit_reached(c))
		rc = bus_broker_consume(c->broker, c->queue,
					left < PREFETCH ? (uint16_t)left : PREFETCH, err);
	c->away_us = rc ? c->away_us : 0;
	c->counts->connected = !rc;
	c->counts->connections += !rc;
	return rc;
}
