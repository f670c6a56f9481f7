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

static const char first_tag[] = "first", last_tag[] = "last", read_tag[] = "read";

struct bus_history {
	struct bus_broker *broker;
	bool empty;		      /* nothing was in the stream at first */
	int64_t goal;		      /* offset that was in its last chunk at first */
	struct bus_history_place end; /* the message at the goal */
	int64_t kept;		      /* the first offset the broker had at first; -1: not asked */
	int64_t first;		      /* of the message returned first; -1: none */
	bool gone;		      /* the broker says that the stream is */
	bool elsewhere;		      /* bus_history_resume() did not find its place */
	bool starts_first;	      /* the start is the first message */
	bool by_time;		      /* the start is a time: perhaps nothing is that new */
	bool reached, told;	      /* the goal was seen; BUS_HISTORY_END was returned */
	bool from_first;	      /* see bus_history_from_first() */
	int64_t offset;		      /* of the message returned last; -1: none */
	uint64_t unacked_tag;	      /* the newest delivery; 0: all acknowledged */
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
		h->gone = ev->what == BUS_BROKER_CANCELLED && !strcmp(ev->consumer, tag);
		if (h->gone)
			return bus_fail(err, BUS_E_UNAVAILABLE,
					"history: the stream %s is gone from the broker",
					bus_stream);
		if (ev->what == BUS_BROKER_MESSAGE && !strcmp(ev->consumer, tag))
			return BUS_OK;
		bus_message_free(ev->message); /* for the probe, which has ended */
	}
}

/*
 * Where does the stream begin or end now?  A consumer that starts at its first or
 * last chunk gets at least one message, unless there is none.  Each probe has a
 * tag of its own, since what comes for it after it was cancelled is dropped by tag.
 */
static enum bus_code probe(struct bus_history *h, const char *tag, enum bus_stream_start start,
			   struct bus_history_place *ret, struct bus_err *err)
{
	struct bus_broker_event ev;
	uint32_t count = 1;
	enum bus_code rc;
	int i;

	rc = bus_broker_read_stream(h->broker, tag, start, 0, err);
	if (rc)
		return rc;
	rc = BUS_E_NO;
	for (i = 0; rc == BUS_E_NO && count && i < PROBES_MAX; i++) {
		rc = delivery(h, tag, PROBE_MS, &ev, err);
		if (rc == BUS_E_NO && bus_broker_count(h->broker, bus_stream, &count, err))
			return err ? err->code : BUS_E_UNAVAILABLE;
	}
	if (rc == BUS_E_NO && count)
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"history: the stream %s does not answer; does it have a leader "
				"(rabbitmq-streams stream_status)?",
				bus_stream);
	ret->offset = -1;
	if (!rc) {
		bus_history_place_of(ret, ev.offset, ev.message);
		bus_message_free(ev.message);
	}
	return rc && rc != BUS_E_NO ? rc : bus_broker_cancel(h->broker, tag, err);
}

static enum bus_code probe_ends(struct bus_history *h, enum bus_stream_start start,
				struct bus_err *err)
{
	struct bus_history_place first = { .offset = -1 };
	enum bus_code rc;

	rc = probe(h, last_tag, BUS_STREAM_LAST_CHUNK, &h->end, err);
	h->goal = h->end.offset;
	h->empty = h->goal < 0;
	if (!rc && !h->empty && start == BUS_STREAM_TIME)
		rc = probe(h, first_tag, BUS_STREAM_FIRST, &first, err);
	h->kept = first.offset;
	return rc;
}

static enum bus_code start_reading(struct bus_history *h, const struct bus_broker_login *login,
				   enum bus_stream_start start, int64_t at, struct bus_err *err)
{
	enum bus_code rc;

	rc = bus_broker_open(&h->broker, login, err);
	if (!rc)
		rc = probe_ends(h, start, err);
	h->starts_first = start == BUS_STREAM_FIRST;
	h->by_time = start == BUS_STREAM_TIME || start == BUS_STREAM_OFFSET;
	h->offset = h->first = -1;
	h->reached = h->empty || start == BUS_STREAM_NEXT;
	h->from_first = h->empty;
	if (!rc)
		rc = bus_broker_read_stream(h->broker, read_tag, start,
					    start == BUS_STREAM_TIME ? at / 1000000 : at, err);
	return rc;
}

enum bus_code bus_history_open(struct bus_history **ret, const struct bus_conf *conf,
			       enum bus_stream_start start, int64_t at, const char *purpose,
			       struct bus_err *err)
{
	struct bus_broker_login login = { .conf = &conf->broker, .purpose = purpose };
	struct bus_history *h;
	enum bus_code rc;
	bool more;

	do { /* a node that takes connections may have no replica of the stream, or no leader */
		h = calloc(1, sizeof(*h));
		if (!h)
			return bus_fail(err, BUS_E_NOMEM, "history: out of memory");
		rc = start_reading(h, &login, start, at, err);
		if (!rc) {
			*ret = h;
			return BUS_OK;
		}
		more = rc == BUS_E_UNAVAILABLE && h->broker &&
		       ++login.turn < conf->broker.url_count;
		bus_history_close(h);
	} while (more);
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

bool bus_history_empty(const struct bus_history *h)
{
	return h->empty;
}

bool bus_history_gone(const struct bus_history *h)
{
	return h && h->gone;
}

bool bus_history_cut(const struct bus_history *h)
{
	return h->kept > 0 && h->first >= 0 && h->first <= h->kept;
}

int bus_history_percent(const struct bus_history *h)
{
	if (h->first < 0 || h->offset < h->first)
		return 0;
	if (h->offset >= h->goal)
		return 100;
	return (int)((h->offset - h->first) * 100 / (h->goal - h->first + 1));
}

/* -- going on where another reader was -- */

void bus_history_place_of(struct bus_history_place *ret, int64_t offset,
			  const struct bus_message *m)
{
	ret->offset = offset;
	bus_sha256(&ret->body, m->body, m->body_len);
}

void bus_history_end(const struct bus_history *h, struct bus_history_place *ret)
{
	*ret = h->end;
}

/* Reads up to and with the message at this place; BUS_E_NO: it is not there. */
static enum bus_code skip_to(struct bus_history *h, const struct bus_history_place *place,
			     struct bus_err *err)
{
	struct bus_history_place here;
	enum bus_history_what what;
	struct bus_message *m;
	enum bus_code rc;
	int i = 0;

	for (;;) {
		rc = bus_history_next(h, PROBE_MS, &what, &m, err);
		if (rc)
			return rc;
		if (what == BUS_HISTORY_END)
			return BUS_E_NO;
		if (what == BUS_HISTORY_NOTHING && ++i == PROBES_MAX)
			return bus_fail(err, BUS_E_UNAVAILABLE,
					"history: the stream %s does not answer", bus_stream);
		if (what == BUS_HISTORY_NOTHING)
			continue;
		bus_history_place_of(&here, h->offset, m);
		bus_message_free(m);
		if (here.offset >= place->offset)
			return here.offset == place->offset &&
					       bus_hash_equal(&here.body, &place->body)
				       ? BUS_OK
				       : BUS_E_NO;
	}
}

/*
 * Past its end a stream swallows a reader without a word, and one that was made
 * anew may be shorter than our place: so we start no further than the last chunk.
 */
enum bus_code bus_history_resume(struct bus_history **ret, const struct bus_conf *conf,
				 const struct bus_history_place *place, const char *purpose,
				 struct bus_err *err)
{
	struct bus_history *h = NULL;
	enum bus_code rc;

	if (place->offset < 0)
		return bus_history_open(ret, conf, BUS_STREAM_FIRST, 0, purpose, err);
	rc = bus_history_open(&h, conf, BUS_STREAM_LAST_CHUNK, 0, purpose, err);
	if (h && !h->empty && h->goal > place->offset) {
		bus_history_close(h);
		h = NULL;
		rc = bus_history_open(&h, conf, BUS_STREAM_OFFSET, place->offset, purpose, err);
	}
	if (h)
		rc = h->empty ? BUS_E_NO : skip_to(h, place, err);
	if (h && !rc) {
		h->told = false; /* its end is the caller's to be told of */
		*ret = h;
		return BUS_OK;
	}
	bus_history_close(h);
	if (rc != BUS_E_NO)
		return rc;
	rc = bus_history_open(ret, conf, BUS_STREAM_FIRST, 0, purpose, err);
	if (!rc)
		(*ret)->elsewhere = true;
	return rc;
}

bool bus_history_elsewhere(const struct bus_history *h)
{
	return h->elsewhere;
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
	if (h->first < 0) {
		h->first = ev.offset;
		if (h->starts_first)
			h->kept = ev.offset;
	}
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
