#include "config.h"

#include "consumer_private.h"

#include <stdio.h>

#include "backoff.h"
#include "topic.h"

enum { ATTEMPTS = 4 /* at a message, some seconds in all: the broker must hear of us */ };

bool bus_consumer_limit_reached(const struct bus_consumer *c)
{
	return c->options->limit && c->counts->events >= c->options->limit;
}

enum bus_code bus_consumer_park(struct bus_consumer *c, const struct bus_message *m,
				const char *reason, const char *text, const char *output,
				size_t output_len, struct bus_err *err)
{
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
		.output = output,
		.output_len = output_len,
	};
	enum bus_code rc;

	if (c->counts->cannot_park)
		return BUS_OK;
	rc = bus_broker_publish(c->broker, &out, err);
	if (!rc)
		bus_confirms_sent(&c->parking);
	return rc;
}

const char *bus_consumer_kept(const struct bus_consumer *c)
{
	return c->counts->cannot_park ? "not kept" : "parked";
}

/* In the history it is nobody's to park: the queue's own copy is. */
static void note_unbelieved(struct bus_consumer *c, enum bus_code why, const char *text)
{
	if (why == BUS_E_EQUIVOCATION)
		bus_say(&c->options->say, "%s: %s; in the history", bus_code_info[why].name, text);
	if (!c->unbelieved++)
		snprintf(c->unbelieved_why, sizeof(c->unbelieved_why), "%s: %s",
			 bus_code_info[why].name, text);
}

static enum bus_code disbelieve(struct bus_consumer *c, const struct bus_message *m,
				enum bus_consumer_from from, enum bus_code why, const char *text,
				struct bus_err *err)
{
	const char *reason = bus_code_info[why].name;
	enum bus_code rc;

	if (from == BUS_FROM_HISTORY) {
		note_unbelieved(c, why, text);
		return BUS_OK;
	}
	bus_say(&c->options->say, "not believed, %s: %s: %s (message %s, key %s)",
		bus_consumer_kept(c), reason, text, m->message_id ? m->message_id : "without id",
		m->routing_key);
	rc = bus_consumer_park(c, m, reason, text, NULL, 0, err);
	if (!rc)
		c->counts->disbelieved[why]++;
	return rc;
}

static enum bus_code act(struct bus_consumer *c, const struct bus_message *m,
			 const struct bus_belief *belief, enum bus_consumer_from from,
			 struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	enum bus_code rc = BUS_OK;

	if (bus_bindings_want(&c->wanted, m->routing_key, ev->type)) {
		rc = c->jobs ? bus_inbox_put(c->ledger, belief, m, err)
			     : c->options->act(c->options->arg, belief, m, err);
		if (rc)
			return rc;
		c->counts->events++;
		c->counts->healed += from == BUS_FROM_HISTORY;
	}
	rc = bus_ledger_note(c->ledger, ev->source, ev->id, &belief->leaf, err);
	return rc ? rc : bus_consumer_pass(c, belief, err);
}

static enum bus_code take_event(struct bus_consumer *c, const struct bus_message *m,
				const struct bus_belief *belief, enum bus_consumer_from from,
				struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	enum bus_seen seen;
	enum bus_code rc;
	bool is_ours;

	rc = bus_ledger_look(c->ledger, ev->source, ev->id, &belief->leaf, &seen, err);
	if (rc)
		return rc;
	if (seen == BUS_SEEN_OTHER)
		return disbelieve(c, m, from, BUS_E_EQUIVOCATION,
				  "another body was delivered under this source and id before",
				  err);
	c->counts->repeats += seen == BUS_SEEN_REPEAT && from == BUS_FROM_QUEUE;
	/* where bindings were added, it says more than when it was had */
	if (bus_type_is_checkpoint(ev->type) && (seen == BUS_SEEN_NEW || from == BUS_FROM_HISTORY))
		rc = bus_consumer_look_at_checkpoint(c, belief, m, from, err);
	if (rc || (seen == BUS_SEEN_REPEAT && from == BUS_FROM_QUEUE))
		return rc;
	if (bus_consumer_must_look_back(c, from))
		return BUS_OK;
	rc = bus_consumer_look_before(c, belief, from, &is_ours, err);
	if (rc || bus_consumer_must_look_back(c, from) || !is_ours)
		return rc;
	/* one that `debmsg parked retry` put into the inbox was had, but out of its turn */
	return seen == BUS_SEEN_REPEAT ? bus_consumer_pass(c, belief, err)
				       : act(c, m, belief, from, err);
}

enum bus_code bus_consumer_take(struct bus_consumer *c, const struct bus_message *m,
				enum bus_consumer_from from, struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief;
	unsigned int i;
	enum bus_code rc;

	/* Trouble of our own: leaving at once would only bring the message back. */
	for (i = 0;; i++) {
		rc = bus_intake_check(c->intake, m, &c->bound, &belief, &why);
		if ((rc != BUS_E_TEMP && rc != BUS_E_NOMEM) || i == ATTEMPTS ||
		    bus_consumer_pause(c, bus_backoff_ms(i)))
			break;
	}
	if (!rc) {
		rc = take_event(c, m, &belief, from, err);
		bus_event_free(belief.event);
		return rc;
	}
	if (bus_code_info[rc].fate == BUS_FATE_PARK)
		return disbelieve(c, m, from, rc, why.text, err);
	return bus_fail(err, rc, "%s", why.text);
}
