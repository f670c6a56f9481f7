#include "config.h"

#include "consumer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "broker.h"
#include "confirms.h"
#include "ledger.h"
#include "timestamp.h"
#include "topic.h"

enum {
	PREFETCH = 500,
	GROUP_MAX = 250,  /* messages between two acknowledgements */
	QUEUE_MAX = 100,  /* characters of a queue's name */
	LISTEN_MS = 5000, /* heartbeats are answered when we listen */
	CONFIRM_MS = 30000,
	ATTEMPTS = 4 /* at a message, some seconds in all: the broker must hear of us */
};

struct bus_consumer {
	const struct bus_conf *conf;
	const struct bus_consumer_options *options;
	struct bus_intake *intake;
	struct bus_broker *broker;
	struct bus_ledger *ledger;
	char queue[300]; /* <user>.<name> */
	/* What the queue is bound to; of these, what the user asked for. */
	struct bus_bindings bound, wanted;
	struct bus_consumer_counts *counts;
	struct bus_confirms parking; /* publishes to debmsg.dead on this connection */
	uint64_t last_tag;	     /* newest delivery not acknowledged; 0: none */
	unsigned int group;	     /* deliveries since the last acknowledgement */
	int64_t last_us;	     /* when the last message came */
};

/* -- bindings -- */

static enum bus_code remember(void *arg, const char *pattern, struct bus_err *err)
{
	struct bus_consumer *c = arg;

	return bus_bindings_add(&c->wanted, pattern, err);
}

/* What is wanted now, and what the queue was bound to before, which it still is. */
static enum bus_code collect_bindings(struct bus_consumer *c, struct bus_err *err)
{
	const struct bus_bindings *asked = c->options->bind;
	char checkpoint[BUS_KEY_MAX + 1];
	enum bus_code rc = BUS_OK;
	size_t i;

	if (!c->wanted.count && !asked->count)
		rc = bus_bindings_add(&c->wanted, "#", err);
	for (i = 0; !rc && i < asked->count; i++)
		rc = bus_bindings_add(&c->wanted, asked->pattern[i], err);
	for (i = 0; !rc && i < c->wanted.count; i++) {
		bus_topic_checkpoint(checkpoint, c->wanted.pattern[i]);
		rc = bus_bindings_add(&c->bound, c->wanted.pattern[i], err);
		if (!rc)
			rc = bus_bindings_add(&c->bound, checkpoint, err);
	}
	return rc;
}

/* -- connecting -- */

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

static enum bus_code set_up_queue(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc;
	size_t i;

	rc = bus_broker_declare(c->broker, c->queue, err);
	/* Noted before it is bound: what may come must be known. */
	for (i = 0; !rc && i < c->wanted.count; i++)
		rc = bus_ledger_pattern(c->ledger, c->wanted.pattern[i], false, err);
	for (i = 0; !rc && i < c->bound.count; i++)
		rc = bus_broker_bind(c->broker, c->queue, c->bound.pattern[i], err);
	return rc;
}

static void disconnect(struct bus_consumer *c)
{
	bus_broker_close(c->broker);
	c->broker = NULL;
}

static enum bus_code open_broker(struct bus_consumer *c, struct bus_err *err)
{
	char purpose[QUEUE_MAX + 20];
	const struct bus_broker_login login = { .conf = &c->conf->broker, .purpose = purpose };

	disconnect(c);
	snprintf(purpose, sizeof(purpose), "debmsg consume: %s", c->options->queue);
	return bus_broker_open(&c->broker, &login, err);
}

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

/* Once: what was this queue's before? */
static enum bus_code learn_queue(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc;

	snprintf(c->queue, sizeof(c->queue), "%s.%s", bus_broker_user(c->broker),
		 c->options->queue);
	rc = bus_ledger_open(&c->ledger, c->conf->state_directory, c->queue, true, err);
	if (!rc)
		rc = bus_ledger_patterns(c->ledger, false, remember, c, err);
	if (!rc && !c->wanted.count)
		rc = check_unknown(c, err);
	return rc ? rc : collect_bindings(c, err);
}

static enum bus_code connect_queue(struct bus_consumer *c, struct bus_err *err)
{
	const unsigned long long left = c->options->limit ? c->options->limit - c->counts->events
							  : PREFETCH;
	enum bus_code rc;

	rc = open_broker(c, err);
	if (!rc && !c->ledger)
		rc = learn_queue(c, err);
	if (!rc)
		rc = set_up_queue(c, err);
	if (!rc)
		rc = bus_broker_confirms(c->broker, err);
	if (!rc)
		rc = bus_broker_consume(c->broker, c->queue,
					left < PREFETCH ? (uint16_t)left : PREFETCH, err);
	memset(&c->parking, 0, sizeof(c->parking));
	c->last_tag = 0;
	c->group = 0;
	return rc;
}

static bool stop_asked(const struct bus_consumer *c, int timeout_ms)
{
	struct pollfd fd[2] = {
		{ .fd = c->options->stop_fd, .events = POLLIN },
		{ .fd = c->broker ? bus_broker_fd(c->broker) : -1, .events = POLLIN },
	};

	if (c->broker && bus_broker_pending(c->broker))
		timeout_ms = 0;
	poll(fd, 2, timeout_ms);
	return fd[0].revents != 0;
}

static bool pause_or_stop(const struct bus_consumer *c, int ms)
{
	struct pollfd stop = { .fd = c->options->stop_fd, .events = POLLIN };

	return poll(&stop, 1, ms) > 0;
}

/* -- one message -- */

static enum bus_code park(struct bus_consumer *c, const struct bus_message *m, enum bus_code why,
			  const char *text, struct bus_err *err)
{
	const char *reason = bus_code_info[why].name;
	const struct bus_outgoing out = {
		.exchange = bus_dead_exchange,
		.routing_key = m->routing_key,
		.message_id = m->message_id,
		.body = m->body,
		.body_len = m->body_len,
		.proof = m->proof,
		/* more could not be sent on: the frame has room for headers of this size */
		.proof_len = m->proof_len < BUS_PROOF_MAX ? m->proof_len : BUS_PROOF_MAX,
		.reason = reason,
		.text = text,
		.queue = c->queue,
	};
	enum bus_code rc;

	bus_say(&c->options->say, "not believed, parked: %s: %s (message %s, key %s)", reason, text,
		m->message_id ? m->message_id : "without id", m->routing_key);
	rc = bus_broker_publish(c->broker, &out, err);
	if (rc)
		return rc;
	bus_confirms_sent(&c->parking);
	c->counts->parked++;
	return BUS_OK;
}

static enum bus_code handle_event(struct bus_consumer *c, const struct bus_message *m,
				  const struct bus_belief *belief, struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	enum bus_seen seen;
	enum bus_code rc;

	rc = bus_ledger_look(c->ledger, ev->source, ev->id, &belief->leaf, &seen, err);
	if (rc)
		return rc;
	if (seen == BUS_SEEN_OTHER)
		return park(c, m, BUS_E_EQUIVOCATION,
			    "another body was delivered under this source and id before", err);
	if (seen == BUS_SEEN_REPEAT) {
		c->counts->repeats++;
		return BUS_OK;
	}
	if (bus_bindings_want(&c->wanted, m->routing_key, ev->type)) {
		rc = c->options->act(c->options->arg, belief, m, err);
		if (rc)
			return rc;
		c->counts->events++;
	}
	return bus_ledger_note(c->ledger, ev->source, ev->id, &belief->leaf, err);
}

static enum bus_code handle_message(struct bus_consumer *c, const struct bus_message *m,
				    struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief;
	unsigned int i;
	enum bus_code rc;

	/* Trouble of our own: leaving at once would only bring the message back. */
	for (i = 0;; i++) {
		rc = bus_intake_check(c->intake, m, &c->bound, &belief, &why);
		if ((rc != BUS_E_TEMP && rc != BUS_E_NOMEM) || i == ATTEMPTS ||
		    pause_or_stop(c, bus_backoff_ms(i)))
			break;
	}
	if (!rc) {
		rc = handle_event(c, m, &belief, err);
		bus_event_free(belief.event);
		return rc;
	}
	if (bus_code_info[rc].fate == BUS_FATE_PARK)
		return park(c, m, rc, why.text, err);
	return bus_fail(err, rc, "%s", why.text);
}

/* -- groups -- */

static bool limit_reached(const struct bus_consumer *c)
{
	return c->options->limit && c->counts->events >= c->options->limit;
}

static enum bus_code handle_broker(struct bus_consumer *c, struct bus_broker_event *ev,
				   struct bus_err *err)
{
	enum bus_code rc;

	switch (ev->what) {
	case BUS_BROKER_MESSAGE:
		c->last_us = bus_time_mono();
		if (limit_reached(c)) { /* goes back to the queue when we leave */
			bus_message_free(ev->message);
			return BUS_OK;
		}
		rc = handle_message(c, ev->message, err);
		bus_message_free(ev->message);
		if (rc)
			return rc;
		c->last_tag = ev->tag;
		c->group++;
		return BUS_OK;
	case BUS_BROKER_CONFIRMED:
		if (!bus_confirms_note(&c->parking, ev->tag, ev->multiple))
			return bus_fail(err, BUS_E_UNAVAILABLE,
					"the broker confirms what was not sent");
		return BUS_OK;
	case BUS_BROKER_REFUSED:
	case BUS_BROKER_RETURNED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"a rejected message could not be put into debmsg.parked: exchange "
				"%s "
				"takes it nowhere; the admin loads broker-config/definitions.json "
				"with broker-config/load",
				bus_dead_exchange);
	case BUS_BROKER_CANCELLED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"queue %s was deleted or lost its leader; it is made again, but "
				"what "
				"was in it must be fetched from the history",
				c->queue);
	default:
		return BUS_OK;
	}
}

/* Parked messages must have arrived before the originals may go. */
static enum bus_code await_parking(struct bus_consumer *c, struct bus_err *err)
{
	const int64_t until = bus_time_mono() + CONFIRM_MS * 1000LL;
	struct bus_broker_event ev;
	enum bus_code rc = BUS_OK;

	while (!rc && bus_confirms_open(&c->parking)) {
		if (bus_time_mono() > until)
			return bus_fail(err, BUS_E_UNAVAILABLE,
					"the broker does not confirm a message for debmsg.parked");
		rc = bus_broker_next(c->broker, 1000, &ev, err);
		if (!rc)
			rc = handle_broker(c, &ev, err);
	}
	return rc;
}

static enum bus_code end_group(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc;

	if (!c->group)
		return BUS_OK;
	rc = await_parking(c, err);
	if (!rc)
		rc = c->options->flush(c->options->arg, err);
	if (!rc)
		rc = bus_ledger_commit(c->ledger, err);
	if (!rc)
		rc = bus_broker_ack(c->broker, c->last_tag, true, err);
	c->group = 0;
	return rc;
}

static int listen_ms(const struct bus_consumer *c)
{
	int64_t left;

	if (!c->options->idle_s)
		return LISTEN_MS;
	left = c->last_us / 1000 + c->options->idle_s * 1000LL - bus_time_mono() / 1000;
	return left < 0 ? 0 : left < LISTEN_MS ? (int)left + 1 : LISTEN_MS;
}

static bool idle(const struct bus_consumer *c)
{
	return c->options->idle_s && bus_time_mono() - c->last_us >= c->options->idle_s * 1000000LL;
}

/* Consumes until there is a reason to end (*ret_end) or a failure. */
static enum bus_code consume(struct bus_consumer *c, bool *ret_end, struct bus_err *err)
{
	struct bus_broker_event ev;
	enum bus_code rc = BUS_OK;
	bool end = false;

	while (!rc && !end) {
		rc = bus_broker_next(c->broker, 0, &ev, err);
		if (!rc)
			rc = handle_broker(c, &ev, err);
		if (rc)
			break;
		if (ev.what == BUS_BROKER_NOTHING || c->group >= GROUP_MAX || limit_reached(c))
			rc = end_group(c, err);
		end = limit_reached(c);
		if (!rc && !end && ev.what == BUS_BROKER_NOTHING)
			end = idle(c) || stop_asked(c, listen_ms(c));
		else if (!rc && !end)
			end = stop_asked(c, 0);
	}
	if (!rc)
		rc = end_group(c, err);
	*ret_end = !rc;
	return rc;
}

static enum bus_code run(struct bus_consumer *c, struct bus_err *err)
{
	unsigned int attempts = 0;
	enum bus_code rc;
	bool end = false;
	int ms;

	rc = connect_queue(c, err);
	c->last_us = bus_time_mono();
	while (!end) {
		if (!rc) {
			attempts = 0;
			rc = consume(c, &end, err);
		}
		if (rc != BUS_E_UNAVAILABLE || (!attempts && !c->ledger))
			break;
		disconnect(c);
		/* What was done but not acknowledged comes again, and is known then. */
		if (c->options->flush(c->options->arg, NULL) || bus_ledger_commit(c->ledger, NULL))
			break;
		ms = bus_backoff_ms(attempts++);
		bus_say(&c->options->say, "%s; trying again in %d.%d s", err->text, ms / 1000,
			ms % 1000 / 100);
		if (pause_or_stop(c, ms))
			return BUS_OK;
		rc = connect_queue(c, err);
	}
	return rc;
}

enum bus_code bus_consumer_run(const struct bus_conf *conf,
			       const struct bus_consumer_options *options,
			       struct bus_consumer_counts *ret, struct bus_err *err)
{
	struct bus_consumer c = { .conf = conf, .options = options, .counts = ret };
	enum bus_code rc;

	memset(ret, 0, sizeof(*ret));
	rc = check_name(options->queue, err);
	if (!rc)
		rc = bus_intake_open(&c.intake, conf, err);
	if (!rc)
		rc = run(&c, err);
	disconnect(&c);
	bus_ledger_close(c.ledger);
	bus_intake_close(c.intake);
	bus_bindings_finish(&c.bound);
	bus_bindings_finish(&c.wanted);
	return rc;
}
