#include "config.h"

#include "parked.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker.h"
#include "timestamp.h"

enum {
	WAIT_OTHERS_MS = 5000, /* for another reader to end */
	WAIT_BROKER_MS = 60000,
	STEP_MS = 200,
	/*
	 * The broker returns the messages of several consumers in the order of their
	 * tags, as long as there are no more than 32 of them.
	 */
	WINDOWS_MAX = 24,
	/*
	 * The broker's channel keeps acknowledgements back while more than 32 of them
	 * are not written to the queue's log, and forgets them when it is closed
	 * (rabbit_fifo_client.erl, "slow").  A consumer that begins or ends is written to
	 * that log before it is answered.  When the first of these is answered, what was
	 * sent before is written; with the second the channel has heard of that, and
	 * has sent the rest; with the third that is written too.
	 */
	BARRIERS = 2,	    /* consumers, which begin and end */
	WINDOW_FIRST = 500, /* messages; how large they are is not known yet */
	WINDOW_BYTES = 32 * 1024 * 1024,
	HEADERS_BYTES = 512, /* of a message beside body and proof, about */
	QUEUE_NAME_MAX = 255
};

enum rights { UNKNOWN, USER, ADMINISTRATOR };

struct bus_parked {
	const struct bus_conf *conf;
	struct bus_broker *broker;
	uint32_t target, received; /* messages */
	uint64_t bytes;		   /* received */
	unsigned int windows;	   /* consumers that were started */
	uint32_t window_left;	   /* messages still to come from the last one */
	uint64_t *removed;	   /* tags to be acknowledged */
	size_t removed_count, removed_size;
	bool acknowledged; /* something was */
	int64_t heard_us;  /* when the last message came */
	struct bus_parked_rest rest;
	enum rights rights;
};

/* -- names -- */

static void add_field(struct bus_hash *all, const void *bytes, size_t len)
{
	struct bus_hash both[2];

	both[0] = *all;
	bus_merkle_leaf(&both[1], bytes ? bytes : "", bytes ? len : 0);
	bus_sha256(all, both, sizeof(both));
}

static void add_text(struct bus_hash *all, const char *text)
{
	add_field(all, text, text ? strlen(text) : 0);
}

/* A chain of hashes, so that no field can pretend to be a part of its neighbour. */
void bus_parked_digest(struct bus_parked_message *m)
{
	struct bus_hash all = { { 0 } };
	int i;

	add_text(&all, m->parking->queue);
	add_text(&all, m->parking->reason);
	add_text(&all, m->message->message_id);
	add_text(&all, m->message->routing_key);
	add_field(&all, m->message->body, m->message->body_len);
	add_field(&all, m->message->proof, m->message->proof_len);
	for (i = 0; i < BUS_HASH_LEN; i++)
		snprintf(m->digest + 2 * i, 3, "%02x", all.b[i]);
}

void bus_parked_message_finish(struct bus_parked_message *m)
{
	bus_message_free(m->message);
	memset(m, 0, sizeof(*m));
}

bool bus_parked_matches(const struct bus_parked *p, const struct bus_parked_filter *filter,
			const struct bus_parked_message *m)
{
	const char *queue = m->parking->queue ? m->parking->queue : "";
	const char *reason = m->parking->reason ? m->parking->reason : "";
	char own[QUEUE_NAME_MAX + 1];

	if (filter->reason && strcmp(filter->reason, reason) != 0)
		return false;
	if (!filter->queue || strcmp(filter->queue, queue) == 0)
		return true;
	snprintf(own, sizeof(own), "%s.%s", bus_broker_user(p->broker), filter->queue);
	return strcmp(own, queue) == 0;
}

/* -- reading -- */

static enum bus_code connect_broker(struct bus_broker **ret, const struct bus_conf *conf,
				    struct bus_err *err)
{
	const struct bus_broker_login login = { .conf = &conf->broker, .purpose = "debmsg parked" };

	return bus_broker_open(ret, &login, err);
}

static uint16_t window_size(const struct bus_parked *p)
{
	const uint32_t left = p->target - p->received;
	const unsigned int windows = p->windows < WINDOWS_MAX ? WINDOWS_MAX - p->windows : 1;
	const uint32_t share = left / windows + (left % windows != 0);
	uint64_t size = WINDOW_FIRST;

	if (p->received)
		size = WINDOW_BYTES / (p->bytes / p->received + 1);
	size = size < share ? share : size;
	size = size > left ? left : size;
	return size > UINT16_MAX ? UINT16_MAX : (uint16_t)size;
}

static enum bus_code acknowledge(struct bus_parked *p, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; !rc && i < p->removed_count; i++)
		rc = bus_broker_ack(p->broker, p->removed[i], false, err);
	p->acknowledged = p->acknowledged || p->removed_count;
	p->removed_count = 0;
	return rc;
}

static void tag_of(char tag[32], unsigned int window)
{
	snprintf(tag, 32, "parked-%08u", window);
}

/*
 * Ends the window in hand, and acknowledges then: a consumer that has not ended
 * would get others for those that are gone.
 */
static enum bus_code end_window(struct bus_parked *p, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	char tag[32];

	tag_of(tag, p->windows);
	if (p->windows)
		rc = bus_broker_cancel(p->broker, tag, err);
	return rc ? rc : acknowledge(p, err);
}

static enum bus_code begin_window(struct bus_parked *p, struct bus_err *err)
{
	enum bus_code rc = end_window(p, err);
	const uint16_t size = window_size(p);
	char tag[32];

	if (rc)
		return rc;
	tag_of(tag, ++p->windows);
	p->window_left = size;
	p->heard_us = bus_time_mono();
	return bus_broker_consume_as(p->broker, bus_parked_queue, tag, size, err);
}

/* Connects and begins to read; BUS_E_HELD: so does somebody else. */
static enum bus_code begin(struct bus_parked *p, bool alone, struct bus_err *err)
{
	uint32_t ready, consumers;
	enum bus_code rc;

	rc = connect_broker(&p->broker, p->conf, err);
	if (!rc)
		rc = bus_broker_state(p->broker, bus_parked_queue, &p->target, &consumers, err);
	if (rc)
		return rc;
	p->rest.others = consumers > 0;
	if (p->rest.others && alone)
		return BUS_E_HELD;
	if (!p->target)
		return BUS_OK;
	rc = begin_window(p, err);
	/* Somebody may have begun at the same moment. */
	if (!rc)
		rc = bus_broker_state(p->broker, bus_parked_queue, &ready, &consumers, err);
	if (rc)
		return rc;
	p->rest.others = p->rest.others || consumers > 1;
	return p->rest.others && alone ? BUS_E_HELD : BUS_OK;
}

static void forget(struct bus_parked *p)
{
	bus_broker_close(p->broker);
	p->broker = NULL;
	p->windows = 0;
	p->window_left = 0;
}

enum bus_code bus_parked_open(struct bus_parked **ret, const struct bus_conf *conf,
			      struct bus_err *err)
{
	const int64_t until = bus_time_mono() + WAIT_OTHERS_MS * 1000LL;
	struct bus_parked *p = calloc(1, sizeof(*p));
	enum bus_code rc;

	if (!p)
		return bus_fail(err, BUS_E_NOMEM, "parked: out of memory");
	p->conf = conf;
	while ((rc = begin(p, bus_time_mono() < until, err)) == BUS_E_HELD) {
		forget(p);
		/* Not the same for two that meet. */
		poll(NULL, 0, STEP_MS + (int)(getpid() % STEP_MS));
	}
	if (rc)
		bus_parked_close(p);
	else
		*ret = p;
	return rc;
}

void bus_parked_close(struct bus_parked *p)
{
	if (!p)
		return;
	bus_broker_close(p->broker);
	free(p->removed);
	free(p);
}

bool bus_parked_would_wait(const struct bus_parked *p)
{
	return !p->window_left || !bus_broker_pending(p->broker);
}

static void take(struct bus_parked *p, struct bus_broker_event *ev, struct bus_parked_message *ret)
{
	static const struct bus_parking nothing = { 0 };

	*ret = (struct bus_parked_message){
		.tag = ev->tag,
		.message = ev->message,
		.parking = ev->message->parking ? ev->message->parking : &nothing,
	};
	bus_parked_digest(ret);
	p->received++;
	p->window_left -= p->window_left > 0;
	p->bytes += ev->message->body_len + ev->message->proof_len + HEADERS_BYTES;
	p->heard_us = bus_time_mono();
}

/* Nothing comes: BUS_OK to wait on, BUS_E_NO if nothing will. */
static enum bus_code check_silence(struct bus_parked *p, struct bus_err *err)
{
	const int64_t silent_ms = (bus_time_mono() - p->heard_us) / 1000;
	uint32_t ready, consumers;
	enum bus_code rc;

	if (silent_ms < WAIT_OTHERS_MS)
		return BUS_OK;
	rc = bus_broker_state(p->broker, bus_parked_queue, &ready, &consumers, err);
	if (rc || bus_broker_pending(p->broker))
		return rc;
	if (ready && silent_ms > WAIT_BROKER_MS)
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"broker %s: %u messages are in %s, and none comes",
				bus_broker_address(p->broker), ready, bus_parked_queue);
	if (ready)
		return BUS_OK;
	p->rest.unseen = p->target - p->received;
	p->target = p->received;
	return BUS_E_NO;
}

enum bus_code bus_parked_next(struct bus_parked *p, struct bus_parked_message *ret,
			      struct bus_err *err)
{
	struct bus_broker_event ev;
	enum bus_code rc = BUS_OK;

	while (!rc) {
		if (p->received >= p->target)
			return BUS_E_NO;
		if (!p->window_left)
			rc = begin_window(p, err);
		if (!rc)
			rc = bus_broker_next(p->broker, STEP_MS, &ev, err);
		if (!rc && ev.what == BUS_BROKER_MESSAGE) {
			take(p, &ev, ret);
			return BUS_OK;
		}
		if (!rc && ev.what == BUS_BROKER_CANCELLED)
			rc = bus_fail(err, BUS_E_UNAVAILABLE,
				      "queue %s was deleted or lost its leader", bus_parked_queue);
		if (!rc)
			rc = check_silence(p, err);
	}
	return rc;
}

/* -- removing -- */

enum bus_code bus_parked_remove(struct bus_parked *p, uint64_t tag, struct bus_err *err)
{
	uint64_t *more;

	if (p->removed_count == p->removed_size) {
		more = realloc(p->removed, (p->removed_size + 1024) * sizeof(*more));
		if (!more)
			return bus_fail(err, BUS_E_NOMEM, "parked: out of memory");
		p->removed = more;
		p->removed_size += 1024;
	}
	p->removed[p->removed_count++] = tag;
	return BUS_OK;
}

struct bus_parked_rest bus_parked_rest(const struct bus_parked *p)
{
	return p->rest;
}

enum bus_code bus_parked_finish(struct bus_parked *p, struct bus_err *err)
{
	enum bus_code rc = end_window(p, err);
	char tag[32];
	int i;

	for (i = 0; !rc && p->acknowledged && i < BARRIERS; i++) {
		tag_of(tag, ++p->windows);
		rc = bus_broker_consume_as(p->broker, bus_parked_queue, tag, 1, err);
		if (!rc)
			rc = bus_broker_cancel(p->broker, tag, err);
	}
	p->windows = 0;
	return rc;
}

static enum bus_code learn_rights(struct bus_parked *p, struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_broker *second = NULL; /* a refusal costs the connection */
	enum bus_code rc;

	rc = connect_broker(&second, p->conf, &why);
	if (!rc)
		rc = bus_broker_declare(second, bus_parked_queue, &why);
	bus_broker_close(second);
	if (rc == BUS_E_CONFIG && strstr(why.text, "ACCESS_REFUSED"))
		p->rights = USER;
	else if (rc == BUS_OK || rc == BUS_E_CONFIG) /* is there, with other arguments */
		p->rights = ADMINISTRATOR;
	else
		return bus_fail(err, rc, "%s", why.text);
	return BUS_OK;
}

enum bus_code bus_parked_allowed(struct bus_parked *p, const struct bus_parked_message *m,
				 struct bus_err *err)
{
	const char *user = bus_broker_user(p->broker);
	const char *queue = m->parking->queue ? m->parking->queue : "";
	const size_t len = strlen(user);
	enum bus_code rc;

	if (!strncmp(queue, user, len) && queue[len] == '.')
		return BUS_OK;
	if (p->rights == UNKNOWN) {
		rc = learn_rights(p, err);
		if (rc)
			return rc;
	}
	if (p->rights == ADMINISTRATOR)
		return BUS_OK;
	return bus_fail(err, BUS_E_NO,
			"it comes from %s%s, which is no queue of user %s; its user or an "
			"administrator of the broker can do that",
			*queue ? "queue " : "no known queue", queue, user);
}
