#include "config.h"

#include "publisher_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "timestamp.h"

enum {
	SAVE_EVERY = 512, /* confirms, at most, that a crash makes us forget */
	BURST = 256,	  /* events published before we listen again */
	OUTBOX_WAIT_MS = 30000
};

void bus_say(const struct bus_say *say, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say->line(say->arg, text);
}

enum bus_code bus_publisher_open(struct bus_publisher **ret, const struct bus_conf *conf,
				 const struct bus_conf_service *service, const struct bus_say *say,
				 int stop_fd, struct bus_notify *notify, struct bus_err *err)
{
	struct bus_publisher *p = calloc(1, sizeof(*p));
	struct bus_outbox_params params = {
		.name = service->origin,
		.environment = conf->environment,
		.service = service->name,
		.max_event_size = conf->max_event_size,
		.create = true,
		.wait_ms = OUTBOX_WAIT_MS,
	};
	enum bus_code rc;

	if (!p)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	p->conf = conf;
	p->service = service;
	p->say = say;
	p->stop_fd = stop_fd;
	p->notify = notify;
	p->proof.max = BUS_PROOF_MAX;
	p->signing.key = conf->signing_key;
	p->directory = bus_conf_outbox_dir(conf, service->name);
	if (!p->directory) {
		rc = bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
		goto out;
	}
	params.directory = p->directory;
	if (!conf->signing_homedir) {
		rc = bus_fail(err, BUS_E_CONFIG, "%s: no signing section; see debmsg.conf(5)",
			      conf->path);
		goto out;
	}
	rc = bus_outbox_open(&p->box, &params, err);
	if (!rc)
		rc = bus_outbox_claim(p->box, err);
	if (!rc)
		rc = bus_keyring_open(&p->signing.ring, conf->signing_homedir, err);
	if (!rc)
		rc = bus_keyring_has(p->signing.ring, conf->signing_key, err);
	if (rc)
		goto out;
	*ret = p;
	p = NULL;
out:
	bus_publisher_close(p);
	return rc;
}

void bus_publisher_close(struct bus_publisher *p)
{
	if (!p)
		return;
	bus_publisher_disconnect(p);
	bus_outbox_close(p->box);
	bus_keyring_close(p->signing.ring);
	bus_buf_finish(&p->proof);
	free(p->directory);
	free(p);
}

/*
 * A broker that has just started takes events before its streams are back, for half a
 * second or so: queues get them, they are confirmed, and the history never has them
 * (rabbit_stream_coordinator.erl, phase_update_mnesia, of RabbitMQ 3.10).
 */
static enum bus_code expect_stream(struct bus_broker *broker, struct bus_err *err)
{
	enum bus_code rc;
	bool exists;

	rc = bus_broker_exists(broker, bus_stream, &exists, err);
	if (rc || exists)
		return rc;
	return bus_fail(err, BUS_E_UNAVAILABLE,
			"broker %s: there is no stream %s; if the broker does not bring it back "
			"by itself, the admin makes it with debmsg-broker load",
			bus_broker_address(broker), bus_stream);
}

enum bus_code bus_publisher_connect(struct bus_publisher *p, struct bus_err *err)
{
	struct bus_broker_login login = {
		.conf = &p->conf->broker,
		.user = p->service->user,
		.password_file = p->service->password_file,
		.cert_file = p->service->cert_file,
		.key_file = p->service->key_file,
		.turn = p->turn,
	};
	struct bus_outbox_state state;
	char purpose[100];
	enum bus_code rc;

	snprintf(purpose, sizeof(purpose), "debmsg relay: %s", p->service->name);
	login.purpose = purpose;
	rc = bus_outbox_state(p->box, &state, err);
	if (!rc)
		rc = bus_broker_open(&p->broker, &login, err);
	if (!rc)
		rc = expect_stream(p->broker, err);
	if (!rc)
		rc = bus_broker_confirms(p->broker, err);
	if (rc) {
		bus_publisher_disconnect(p);
		return rc;
	}
	if (strcmp(p->origin, state.origin) != 0)
		p->keep_until = 0;
	memcpy(p->origin, state.origin, sizeof(p->origin));
	memset(&p->confirms, 0, sizeof(p->confirms));
	bus_publisher_go_to(p, state.sent, UINT64_MAX);
	p->blocked = p->refused = false;
	p->progress_us = bus_time_mono();
	p->counts.connections++;
	if (p->keep_until > p->first)
		return BUS_OK; /* the connection is another one, but nothing has happened */
	bus_say(p->say, "%s: connected to %s as %s; %" PRIu64 " events wait", p->service->name,
		bus_broker_address(p->broker), bus_broker_user(p->broker), state.size - state.sent);
	return BUS_OK;
}

static enum bus_code save_progress(struct bus_publisher *p, struct bus_err *err)
{
	uint64_t sent = p->first + p->confirms.confirmed;
	enum bus_code rc;

	if (p->refused && sent > p->refused_first)
		sent = p->refused_first;
	if (sent == p->saved)
		return BUS_OK;
	rc = p->again ? bus_outbox_resent(p->box, p->saved, sent, err)
		      : bus_outbox_sent(p->box, sent, err);
	if (rc)
		return rc;
	p->saved = sent;
	if (p->again)
		return BUS_OK;
	if (p->oldest_us)
		p->counts.lag_us = bus_time_now() - p->oldest_us;
	p->oldest_us = 0;
	return BUS_OK;
}

void bus_publisher_disconnect(struct bus_publisher *p)
{
	/* What was confirmed need not be sent again; if this fails, it will be. */
	if (p->broker)
		save_progress(p, NULL);
	bus_broker_close(p->broker);
	p->broker = NULL;
	p->turn++;
	bus_publisher_drop_batches(p);
}

bool bus_publisher_connected(const struct bus_publisher *p)
{
	return p->broker != NULL;
}

static enum bus_code note_confirm(struct bus_publisher *p, uint64_t tag, bool multiple,
				  struct bus_err *err)
{
	const uint64_t before = p->confirms.confirmed;

	if (!bus_confirms_note(&p->confirms, tag, multiple))
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"the broker confirms what was not sent (number %" PRIu64 ")", tag);
	p->counts.confirmed += p->confirms.confirmed - before;
	p->progress_us = bus_time_mono();
	return BUS_OK;
}

/* What queues had before, whether or not they took it, is not for them again. */
static bool for_history_only(const struct bus_publisher *p, uint64_t event)
{
	return p->again || event < p->keep_until;
}

static enum bus_code note_refusal(struct bus_publisher *p, uint64_t tag, bool multiple,
				  struct bus_err *err)
{
	const uint64_t last = tag ? tag : p->confirms.sent;
	const uint64_t first = p->first + (multiple ? p->confirms.confirmed : last - 1);

	p->counts.refused++;
	if (for_history_only(p, first))
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"the broker refused an event (nack); is the stream %s in trouble? "
				"nothing is lost, it will be sent again",
				bus_stream);
	if (!p->refused || first < p->refused_first)
		p->refused_first = first;
	p->refused = true;
	if (!p->told_refused)
		bus_say(p->say,
			"%s: a queue of somebody's refuses events (nack): these go to the history "
			"once more, and no one has to wait; an admin looks for a queue with "
			"x-overflow",
			p->service->name);
	p->told_refused = true;
	p->progress_us = bus_time_mono();
	return bus_confirms_note(&p->confirms, tag, multiple)
		       ? BUS_OK
		       : bus_fail(err, BUS_E_UNAVAILABLE, "the broker refuses what was not sent");
}

static enum bus_code handle(struct bus_publisher *p, const struct bus_broker_event *ev,
			    struct bus_err *err)
{
	switch (ev->what) {
	case BUS_BROKER_CONFIRMED:
		return note_confirm(p, ev->tag, ev->multiple, err);
	case BUS_BROKER_REFUSED:
		return note_refusal(p, ev->tag, ev->multiple, err);
	case BUS_BROKER_RETURNED:
		p->counts.returned++;
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"unroutable: no queue takes event %s; the stream %s must be bound "
				"to "
				"exchange %s with # (debmsg-broker load); nothing is lost, it will "
				"be sent again",
				ev->text, bus_stream, p->again ? bus_keep_exchange : bus_exchange);
	case BUS_BROKER_BLOCKED:
		p->blocked = true;
		p->counts.alarms++;
		bus_say(p->say, "%s: the broker takes no events: %s; waiting", p->service->name,
			ev->text);
		return BUS_OK;
	case BUS_BROKER_UNBLOCKED:
		p->blocked = false;
		bus_say(p->say, "%s: the broker takes events again", p->service->name);
		return BUS_OK;
	default:
		return BUS_OK;
	}
}

static enum bus_code listen_to_broker(struct bus_publisher *p, struct bus_err *err)
{
	struct bus_broker_event ev;
	enum bus_code rc;

	do {
		rc = bus_broker_next(p->broker, 0, &ev, err);
		if (!rc)
			rc = handle(p, &ev, err);
	} while (!rc && ev.what != BUS_BROKER_NOTHING);
	if (!rc && (p->first + p->confirms.confirmed - p->saved >= SAVE_EVERY ||
		    !bus_confirms_open(&p->confirms)))
		rc = save_progress(p, err);
	return rc;
}

static enum bus_code publish_one(struct bus_publisher *p, struct bus_err *err)
{
	const struct bus_outbox_event *ev = bus_signed_batch_event(p->batch, bus_publisher_next(p));
	char message_id[BUS_ORIGIN_MAX + 24];
	struct bus_outgoing out = {
		.exchange = for_history_only(p, ev->id) ? bus_keep_exchange : bus_exchange,
		.routing_key = ev->routing_key,
		.type = ev->type,
		.message_id = message_id,
		.timestamp = ev->time_us / 1000000,
		.body = ev->body,
		.body_len = ev->body_len,
	};
	enum bus_code rc;

	snprintf(message_id, sizeof(message_id), "%s/%" PRIu64, p->origin, ev->id);
	bus_buf_clear(&p->proof);
	bus_signed_batch_proof(p->batch, ev->id, &p->proof);
	rc = bus_buf_check(&p->proof, "relay: proof", err);
	if (rc)
		return rc;
	out.proof = p->proof.p;
	out.proof_len = p->proof.len;
	rc = bus_broker_publish(p->broker, &out, err);
	if (rc)
		return rc;
	bus_confirms_sent(&p->confirms);
	p->counts.published++;
	return BUS_OK;
}

/*
 * While a batch is sent, gpg signs the one after it: a whole one, so that a batch is
 * never smaller for it.
 */
static enum bus_code next_batch(struct bus_publisher *p, uint64_t size, struct bus_err *err)
{
	const bool started = p->ahead != NULL;
	enum bus_code rc;

	bus_signed_batch_free(p->batch);
	p->batch = p->ahead;
	p->ahead = NULL;
	rc = started ? bus_signed_batch_finish(p->batch, p->box, err)
		     : bus_signed_batch_load(&p->batch, p->box, bus_publisher_next(p), &p->signing,
					     err);
	if (rc) { /* it must not be sent */
		bus_publisher_drop_batches(p);
		return rc;
	}
	if (!p->batch || p->again || size < bus_signed_batch_end(p->batch) + BUS_SIGNED_BATCH_MAX)
		return BUS_OK;
	return bus_signed_batch_start(&p->ahead, p->box, bus_signed_batch_end(p->batch),
				      &p->signing, err);
}

/* Publishes up to BURST events of a log of `size`; *ret_more: there was no lack of them. */
static enum bus_code publish_some(struct bus_publisher *p, uint64_t size, bool *ret_more,
				  struct bus_err *err)
{
	const uint64_t until = p->until < size ? p->until : size;
	enum bus_code rc = BUS_OK;
	int i;

	*ret_more = p->full = false;
	if (p->refused)
		return BUS_OK;
	if (!bus_confirms_open(&p->confirms))
		p->progress_us = bus_time_mono(); /* nothing was being waited for */
	for (i = 0; !rc && i < BURST; i++) {
		if (bus_publisher_next(p) >= until)
			return BUS_OK;
		if (p->blocked || bus_confirms_full(&p->confirms))
			return BUS_OK;
		p->full = !bus_broker_can_send(p->broker);
		if (p->full)
			return BUS_OK;
		if (!p->batch || bus_publisher_next(p) >= bus_signed_batch_end(p->batch))
			rc = next_batch(p, size, err);
		if (rc || !p->batch)
			return rc;
		rc = publish_one(p, err);
	}
	*ret_more = true;
	return rc;
}

/* All is answered, but not all was taken: publish what was not to the history only. */
static enum bus_code begin_again(struct bus_publisher *p, struct bus_err *err)
{
	p->keep_until = bus_publisher_next(p);
	bus_publisher_disconnect(p);
	return bus_publisher_connect(p, err);
}

enum bus_code bus_publisher_look(struct bus_publisher *p, struct bus_publisher_status *ret,
				 struct bus_err *err)
{
	struct bus_outbox_state state;
	enum bus_code rc;

	rc = bus_outbox_state(p->box, &state, err);
	if (rc)
		return rc;
	memset(ret, 0, sizeof(*ret));
	ret->size = state.size;
	ret->sent = state.sent;
	ret->resend = state.resend;
	ret->due_in_us = bus_outbox_checkpoint_due(&state, bus_time_now());
	ret->unconfirmed = p->broker ? p->confirms.sent - p->confirms.confirmed : 0;
	ret->oldest_us = p->oldest_us = state.oldest_unsent_us;
	ret->sent_us = state.sent_us;
	return BUS_OK;
}

/*
 * Once, before anything is signed; nobody else moves an outbox that we have
 * claimed.  Not when connecting: a log with nothing to say need not read hours
 * of history while others wait.
 */
static enum bus_code check_not_behind(struct bus_publisher *p, struct bus_err *err)
{
	struct bus_outbox_state state;
	enum bus_code rc = bus_outbox_state(p->box, &state, err);

	if (!rc)
		rc = bus_ahead_check(p->conf, p->service->name, &state, p->signing.ring, p->stop_fd,
				     p->notify, err);
	p->checked = !rc;
	return rc;
}

enum bus_code bus_publisher_pump(struct bus_publisher *p, struct bus_publisher_status *ret,
				 struct bus_err *err)
{
	bool more = false;
	enum bus_code rc;

	rc = listen_to_broker(p, err);
	if (!rc && p->refused && !bus_confirms_open(&p->confirms))
		rc = begin_again(p, err);
	if (!rc)
		rc = bus_publisher_look(p, ret, err);
	if (!rc && !ret->due_in_us) {
		rc = bus_outbox_append_checkpoint(p->box, err);
		if (!rc)
			rc = bus_publisher_look(p, ret, err);
	}
	if (!rc)
		rc = bus_publisher_choose(p, ret, err);
	if (!rc && !p->checked && ret->size > bus_publisher_next(p))
		rc = check_not_behind(p, err);
	if (!rc)
		rc = publish_some(p, ret->size, &more, err);
	if (!rc && !more)
		rc = bus_publisher_prune(p, ret, err);
	if (rc)
		return rc;
	ret->blocked = p->blocked;
	ret->full = p->full;
	ret->busy = more || bus_broker_pending(p->broker);
	if (bus_confirms_open(&p->confirms) || p->blocked || p->full)
		ret->stalled_us = bus_time_mono() - p->progress_us;
	return BUS_OK;
}

struct bus_publisher_counts bus_publisher_counts(const struct bus_publisher *p)
{
	struct bus_publisher_counts counts = p->counts;

	counts.signatures = p->signing.made;
	counts.signatures_failed = p->signing.failed;
	counts.signing_us = p->signing.us;
	return counts;
}

int bus_publisher_fd(const struct bus_publisher *p)
{
	return p->broker ? bus_broker_fd(p->broker) : -1;
}

const char *bus_publisher_directory(const struct bus_publisher *p)
{
	return p->directory;
}

const char *bus_publisher_name(const struct bus_publisher *p)
{
	return p->service->name;
}
