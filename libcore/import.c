#include "config.h"

#include "import.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker.h"
#include "confirms.h"
#include "intake.h"
#include "repeats.h"
#include "timestamp.h"

enum {
	LISTEN_MS = 250,
	LISTEN_EVERY = 64, /* messages, so that heartbeats are answered */
	STALL_S = 60
};

struct bus_import {
	const struct bus_conf *conf;
	struct bus_intake *intake;
	struct bus_repeats *there;
	struct bus_broker *broker; /* NULL: there was nothing to send yet */
	struct bus_confirms confirms;
	bool blocked; /* by an alarm of the broker, which may last */
	uint64_t count;
	int64_t progress_us; /* when something last moved */
};

enum bus_code bus_import_open(struct bus_import **ret, const struct bus_conf *conf,
			      struct bus_err *err)
{
	struct bus_import *im = calloc(1, sizeof(*im));
	enum bus_code rc;

	if (!im)
		return bus_fail(err, BUS_E_NOMEM, "import: out of memory");
	im->conf = conf;
	im->there = bus_repeats_new();
	rc = im->there ? bus_intake_open(&im->intake, conf, err)
		       : bus_fail(err, BUS_E_NOMEM, "import: out of memory");
	if (rc)
		bus_import_close(im);
	else
		*ret = im;
	return rc;
}

void bus_import_close(struct bus_import *im)
{
	if (!im)
		return;
	bus_broker_close(im->broker);
	bus_repeats_free(im->there);
	bus_intake_close(im->intake);
	free(im);
}

/* BUS_OK, or why it is not believed, or trouble of our own. */
static enum bus_code check(struct bus_import *im, const struct bus_message *m,
			   struct bus_belief *belief, enum bus_seen *ret_seen, struct bus_err *why)
{
	enum bus_code rc = bus_intake_check(im->intake, m, NULL, belief, why);

	if (rc)
		return rc;
	rc = bus_repeats_look(im->there, belief->event->source, belief->event->id, &belief->leaf,
			      ret_seen, why);
	if (!rc && *ret_seen == BUS_SEEN_OTHER)
		rc = bus_fail(why, BUS_E_EQUIVOCATION,
			      "another body is in the history, or came before, as %s/%" PRIu64,
			      belief->event->source, belief->event->id);
	if (rc)
		bus_event_free(belief->event);
	return rc;
}

enum bus_code bus_import_seen(struct bus_import *im, const struct bus_message *m,
			      struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief;
	enum bus_seen seen;
	enum bus_code rc = check(im, m, &belief, &seen, &why);

	if (!rc)
		bus_event_free(belief.event);
	else if (bus_code_info[rc].fate != BUS_FATE_PARK)
		return bus_fail(err, rc, "%s", why.text);
	return BUS_OK;
}

/* -- to the broker -- */

static enum bus_code connect(struct bus_import *im, struct bus_err *err)
{
	const struct bus_broker_login login = {
		.conf = &im->conf->broker,
		.purpose = "debmsg import",
	};
	enum bus_code rc;

	if (im->broker)
		return BUS_OK;
	rc = bus_broker_open(&im->broker, &login, err);
	if (!rc)
		rc = bus_broker_confirms(im->broker, err);
	im->progress_us = bus_time_mono();
	return rc;
}

static enum bus_code handle(struct bus_import *im, const struct bus_broker_event *ev,
			    struct bus_err *err)
{
	switch (ev->what) {
	case BUS_BROKER_CONFIRMED:
		if (!bus_confirms_note(&im->confirms, ev->tag, ev->multiple))
			return bus_fail(err, BUS_E_UNAVAILABLE,
					"the broker confirms what was not sent (number %" PRIu64
					")",
					ev->tag);
		im->progress_us = bus_time_mono();
		return BUS_OK;
	case BUS_BROKER_REFUSED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"the broker refused a message (nack); is a queue or the stream in "
				"trouble?");
	case BUS_BROKER_RETURNED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"unroutable: no queue takes %s; the stream %s must be bound to "
				"exchange %s with # (debmsg-broker load)",
				ev->text, bus_stream, bus_keep_exchange);
	case BUS_BROKER_BLOCKED:
	case BUS_BROKER_UNBLOCKED:
		im->blocked = ev->what == BUS_BROKER_BLOCKED;
		im->progress_us = bus_time_mono();
		return BUS_OK;
	default:
		return BUS_OK;
	}
}

/* All that the broker has to say now, or in the time given. */
static enum bus_code listen_to_broker(struct bus_import *im, int timeout_ms, struct bus_err *err)
{
	struct bus_broker_event ev;
	enum bus_code rc;

	do {
		rc = bus_broker_next(im->broker, timeout_ms, &ev, err);
		if (!rc)
			rc = handle(im, &ev, err);
		timeout_ms = 0;
	} while (!rc && ev.what != BUS_BROKER_NOTHING);
	return rc;
}

static enum bus_code wait_for_broker(struct bus_import *im, int stop_fd, struct bus_err *err)
{
	struct pollfd stop = { .fd = stop_fd, .events = POLLIN };
	enum bus_code rc = listen_to_broker(im, LISTEN_MS, err);

	if (!rc && poll(&stop, 1, 0) > 0)
		rc = bus_fail(err, BUS_E_TEMP, "interrupted");
	if (!rc && !im->blocked && bus_time_mono() - im->progress_us > STALL_S * 1000000LL)
		rc = bus_fail(err, BUS_E_UNAVAILABLE, "no confirm from the broker for %d s",
			      STALL_S);
	return rc;
}

static enum bus_code publish(struct bus_import *im, const struct bus_message *m,
			     const struct bus_event *event, int stop_fd, struct bus_err *err)
{
	char message_id[BUS_ORIGIN_MAX + 24];
	int64_t time_us = 0;
	struct bus_outgoing out = {
		.exchange = bus_keep_exchange, /* queues had it, or find it in the history */
		.routing_key = m->routing_key,
		.type = event->type,
		.message_id = message_id,
		.body = m->body,
		.body_len = m->body_len,
		.proof = m->proof,
		.proof_len = m->proof_len,
	};
	enum bus_code rc = connect(im, err);

	if (!rc && !bus_confirms_open(&im->confirms))
		im->progress_us = bus_time_mono();
	while (!rc && (im->blocked || bus_confirms_full(&im->confirms) ||
		       !bus_broker_can_send(im->broker)))
		rc = wait_for_broker(im, stop_fd, err);
	if (rc)
		return rc;
	if (bus_time_parse(&time_us, event->time))
		out.timestamp = time_us / 1000000;
	snprintf(message_id, sizeof(message_id), "%s/%" PRIu64, event->source, event->id);
	rc = bus_broker_publish(im->broker, &out, err);
	if (!rc)
		bus_confirms_sent(&im->confirms);
	return rc;
}

enum bus_code bus_import_message(struct bus_import *im, const struct bus_message *m, int stop_fd,
				 enum bus_import_result *ret, struct bus_err *why,
				 struct bus_err *err)
{
	struct bus_belief belief;
	enum bus_seen seen;
	enum bus_code rc;

	if (im->broker && ++im->count % LISTEN_EVERY == 0) {
		rc = listen_to_broker(im, 0, err);
		if (rc)
			return rc;
	}
	*ret = BUS_IMPORT_REFUSED;
	rc = check(im, m, &belief, &seen, why);
	if (rc)
		return bus_code_info[rc].fate == BUS_FATE_PARK ? BUS_OK
							       : bus_fail(err, rc, "%s", why->text);
	*ret = seen == BUS_SEEN_NEW ? BUS_IMPORT_SENT : BUS_IMPORT_THERE;
	if (seen == BUS_SEEN_NEW)
		rc = publish(im, m, belief.event, stop_fd, err);
	bus_event_free(belief.event);
	return rc;
}

enum bus_code bus_import_flush(struct bus_import *im, int stop_fd, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	im->progress_us = bus_time_mono();
	while (!rc && bus_confirms_open(&im->confirms))
		rc = wait_for_broker(im, stop_fd, err);
	return rc;
}
