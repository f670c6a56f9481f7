#include "config.h"

#include "history.h"

#include <stdlib.h>
#include <string.h>

enum {
	ACK_EVERY = 60,	 /* a quarter of the credit a stream consumer has */
	PROBE_MS = 1000, /* how long an answer may take before we look whether ... */
	PROBES_MAX = 30, /* ... there is anything to wait for, and how often */
	FIRST_MS = 3000	 /* for the first message after a given time; see at_end() */
};

static const char probe_tag[] = "probe", read_tag[] = "read";

struct bus_history {
	struct bus_broker *broker;
	bool empty;	      /* nothing was in the stream at first */
	int64_t goal;	      /* offset that was in its last chunk at first */
	bool by_time;	      /* the start is a time: perhaps nothing is that new */
	bool reached, told;   /* the goal was seen; BUS_HISTORY_END was returned */
	bool from_first;      /* see bus_history_from_first() */
	int64_t offset;	      /* of the message returned last; -1: none */
	uint64_t unacked_tag; /* the newest delivery; 0: all acknowledged */
	unsigned int unacked;
};

/* Waits for the next delivery to `tag`; BUS_E_NO: none in time. */
static enum bus_code delivery(struct bus_history *h, const char *tag, int timeout_ms,
			      struct bus_broker_event *ev, struct bus_err *err)
{
	enum bus_code rc;

	for (;;) {
		rc = bus_broker_next(h->broker, timeout_ms, ev, err);
		if (rc)
			return rc;
		if (ev->what == BUS_BROKER_NOTHING)
			return BUS_E_NO;
		if (ev->what == BUS_BROKER_CANCELLED && !strcmp(ev->consumer, tag))
			return bus_fail(err, BUS_E_UNAVAILABLE,
					"history: the stream %s is gone from the broker",
					bus_stream);
		if (ev->what == BUS_BROKER_MESSAGE && !strcmp(ev->consumer, tag))
			return BUS_OK;
		bus_message_free(ev->message); /* for the probe, which has ended */
	}
}

/*
 * Where does the stream end now?  A consumer that starts at the last chunk gets
 * at least one message, unless there is none.
 */
static enum bus_code probe_end(struct bus_history *h, struct bus_err *err)
{
	struct bus_broker_event ev;
	uint32_t count = 1;
	enum bus_code rc;
	int i;

	rc = bus_broker_read_stream(h->broker, probe_tag, BUS_STREAM_LAST_CHUNK, 0, err);
	if (rc)
		return rc;
	rc = BUS_E_NO;
	for (i = 0; rc == BUS_E_NO && count && i < PROBES_MAX; i++) {
		rc = delivery(h, probe_tag, PROBE_MS, &ev, err);
		if (rc == BUS_E_NO && bus_broker_count(h->broker, bus_stream, &count, err))
			return err ? err->code : BUS_E_UNAVAILABLE;
	}
	if (rc == BUS_E_NO && count)
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"history: the stream %s does not answer; does it have a leader "
				"(rabbitmq-streams stream_status)?",
				bus_stream);
	if (rc == BUS_E_NO) {
		h->empty = true;
	} else if (rc) {
		return rc;
	} else {
		h->goal = ev.offset;
		bus_message_free(ev.message);
	}
	return bus_broker_cancel(h->broker, probe_tag, err);
}

enum bus_code bus_history_open(struct bus_history **ret, const struct bus_conf *conf,
			       enum bus_stream_start start, int64_t at, const char *purpose,
			       struct bus_err *err)
{
	const struct bus_broker_login login = { .conf = &conf->broker, .purpose = purpose };
	struct bus_history *h = calloc(1, sizeof(*h));
	enum bus_code rc;

	if (!h)
		return bus_fail(err, BUS_E_NOMEM, "history: out of memory");
	rc = bus_broker_open(&h->broker, &login, err);
	if (!rc)
		rc = probe_end(h, err);
	h->by_time = start == BUS_STREAM_TIME || start == BUS_STREAM_OFFSET;
	h->offset = -1;
	h->reached = h->empty || start == BUS_STREAM_NEXT;
	h->from_first = h->empty;
	if (!rc)
		rc = bus_broker_read_stream(h->broker, read_tag, start,
					    start == BUS_STREAM_TIME ? at / 1000000 : at, err);
	if (rc)
		bus_history_close(h);
	else
		*ret = h;
	return rc;
}

void bus_history_close(struct bus_history *h)
{
	if (!h)
		return;
	bus_broker_close(h->broker);
	free(h);
}

bool bus_history_silent(const struct bus_history *h)
{
	return !h->empty && !h->unacked_tag;
}

bool bus_history_from_first(const struct bus_history *h)
{
	return h->from_first;
}

int64_t bus_history_offset(const struct bus_history *h)
{
	return h->offset;
}

static enum bus_code acknowledge(struct bus_history *h, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	if (h->unacked)
		rc = bus_broker_ack(h->broker, h->unacked_tag, true, err);
	h->unacked = 0;
	return rc;
}

/*
 * Acknowledging gives the reader in the broker credit, and it sends at once what
 * it has; so when the answer to a question that was asked after that is here, and
 * no message came before it, there was none.  That holds once the reader has
 * started to send, which the goal tells.  Only where we start at a time past
 * which nothing may lie is there nothing to go by but patience.
 */
static enum bus_code at_end(struct bus_history *h, bool *ret, struct bus_err *err)
{
	enum bus_code rc;

	*ret = false;
	if (h->told || !h->reached)
		return BUS_OK;
	rc = acknowledge(h, err);
	if (!rc)
		rc = bus_broker_sync(h->broker, err);
	*ret = !bus_broker_pending(h->broker);
	return rc;
}

enum bus_code bus_history_next(struct bus_history *h, int timeout_ms, enum bus_history_what *ret,
			       struct bus_message **ret_message, struct bus_err *err)
{
	const bool hurry = h->reached && !h->told;
	struct bus_broker_event ev;
	enum bus_code rc;
	bool end;

	*ret = BUS_HISTORY_NOTHING;
	if (h->by_time && !h->unacked_tag && timeout_ms < FIRST_MS && !h->reached)
		timeout_ms = FIRST_MS;
	rc = delivery(h, read_tag, hurry ? 0 : timeout_ms, &ev, err);
	if (rc == BUS_E_NO) {
		h->reached = h->reached || (h->by_time && !h->unacked_tag);
		rc = at_end(h, &end, err);
		if (!rc && !end && h->told)
			rc = acknowledge(h, err);
		if (!rc && end) {
			h->told = true;
			*ret = BUS_HISTORY_END;
		}
		return rc;
	}
	if (rc)
		return rc;
	h->unacked_tag = ev.tag;
	h->from_first = h->from_first || ev.offset == 0;
	h->offset = ev.offset;
	h->reached = h->reached || ev.offset >= h->goal;
	if (++h->unacked >= ACK_EVERY)
		rc = acknowledge(h, err);
	if (rc) {
		bus_message_free(ev.message);
		return rc;
	}
	*ret = BUS_HISTORY_MESSAGE;
	*ret_message = ev.message;
	return BUS_OK;
}
