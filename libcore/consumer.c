#include "config.h"

#include "consumer_private.h"

#include <poll.h>
#include <string.h>

#include "backoff.h"
#include "timestamp.h"

enum {
	LISTEN_MS = 5000, /* heartbeats are answered when we listen */
	LOOK_EVERY = 25,  /* messages, whether we are asked to stop */
	CONFIRM_MS = 30000
};

/* -- waiting -- */

/* No longer than the service manager may be left without a word. */
static int limit_ms(const struct bus_consumer *c, int ms)
{
	const int64_t notify_us = bus_notify_wait_us(c->options->notify);

	return notify_us < ms * 1000LL ? (int)((notify_us + 999) / 1000) : ms;
}

bool bus_consumer_pause(struct bus_consumer *c, int ms)
{
	struct pollfd stop = { .fd = c->options->stop_fd, .events = POLLIN };
	const int64_t until_ms = bus_time_mono() / 1000 + ms;

	for (;;) {
		if (poll(&stop, 1, limit_ms(c, ms)) > 0)
			return true;
		ms = (int)(until_ms - bus_time_mono() / 1000);
		if (ms <= 0)
			return false;
		bus_consumer_notify(c);
	}
}

/* Until something is to be done; true: we are asked to stop. */
static bool await_work(const struct bus_consumer *c, int timeout_ms)
{
	struct pollfd fd[] = {
		{ .fd = c->options->stop_fd, .events = POLLIN },
		{ .fd = c->broker ? bus_broker_fd(c->broker) : -1, .events = POLLIN },
		{ .fd = c->jobs ? bus_jobs_fd(c->jobs) : -1, .events = POLLIN },
	};
	const int jobs_ms = c->jobs ? c->counts->jobs.wait_ms : -1;

	if (c->broker && bus_broker_pending(c->broker))
		timeout_ms = 0;
	else if (jobs_ms >= 0 && jobs_ms < timeout_ms)
		timeout_ms = jobs_ms;
	poll(fd, sizeof(fd) / sizeof(*fd), limit_ms(c, timeout_ms));
	return fd[0].revents != 0;
}

static bool inbox_is_empty(const struct bus_consumer *c)
{
	const struct bus_jobs_state *jobs = &c->counts->jobs;

	return !c->jobs || !(jobs->running || jobs->waiting || jobs->failed);
}

/* With the limit reached, the rest of the history is another run's. */
static bool must_fill(const struct bus_consumer *c)
{
	return c->behind && !bus_consumer_limit_reached(c);
}

static int listen_ms(const struct bus_consumer *c)
{
	int64_t left;

	if (!c->options->idle_s)
		return LISTEN_MS;
	left = c->last_us / 1000 + c->options->idle_s * 1000LL - bus_time_mono() / 1000;
	return left < 0 ? 0 : left < LISTEN_MS ? (int)left + 1 : LISTEN_MS;
}

static bool is_idle(const struct bus_consumer *c)
{
	return c->options->idle_s && inbox_is_empty(c) &&
	       bus_time_mono() - c->last_us >= c->options->idle_s * 1000000LL;
}

/* -- groups -- */

static enum bus_code handle_message(struct bus_consumer *c, struct bus_broker_event *ev,
				    struct bus_err *err)
{
	enum bus_code rc;

	c->last_us = bus_time_mono();
	/* goes back to the queue when we leave, or is there when the history was read */
	if (c->behind || bus_consumer_limit_reached(c))
		return BUS_OK;
	rc = bus_consumer_take(c, ev->message, BUS_FROM_QUEUE, err);
	if (rc || c->behind)
		return rc;
	c->last_tag = ev->tag;
	c->group++;
	return BUS_OK;
}

static enum bus_code handle_broker(struct bus_consumer *c, struct bus_broker_event *ev,
				   struct bus_err *err)
{
	enum bus_code rc;

	switch (ev->what) {
	case BUS_BROKER_MESSAGE:
		rc = handle_message(c, ev, err);
		bus_message_free(ev->message);
		return rc;
	case BUS_BROKER_CONFIRMED:
		if (!bus_confirms_note(&c->parking, ev->tag, ev->multiple))
			return bus_fail(err, BUS_E_UNAVAILABLE,
					"the broker confirms what was not sent");
		return BUS_OK;
	case BUS_BROKER_REFUSED:
	case BUS_BROKER_RETURNED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"a rejected message could not be put into debmsg.parked: exchange "
				"%s takes it nowhere; the admin makes what is missing with "
				"debmsg-broker load",
				bus_dead_exchange);
	case BUS_BROKER_CANCELLED:
		return bus_fail(err, BUS_E_UNAVAILABLE, "queue %s was deleted or lost its leader",
				c->queue);
	case BUS_BROKER_BLOCKED:
		bus_say(&c->options->say, "the broker is in an alarm: %s", ev->text);
		return BUS_OK;
	case BUS_BROKER_UNBLOCKED:
		bus_say(&c->options->say, "the broker's alarm is over");
		return BUS_OK;
	default:
		return BUS_OK;
	}
}

enum bus_code bus_consumer_await_parking(struct bus_consumer *c, struct bus_err *err)
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

	rc = bus_consumer_await_parking(c, err);
	if (!rc)
		rc = c->options->flush(c->options->arg, err);
	if (!rc)
		rc = bus_consumer_tell_missing(c, err);
	if (!rc)
		rc = bus_ledger_commit(c->ledger, err);
	if (!rc && c->group)
		rc = bus_broker_ack(c->broker, c->last_tag, true, err);
	c->group = 0;
	return rc ? rc : bus_consumer_work(c, err);
}

/* -- the loop -- */

/* When the queue is empty. */
static enum bus_code look_around(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc = bus_consumer_drain(c, err);

	if (!rc)
		rc = bus_consumer_look_for_silence(c, err);
	return rc ? rc : bus_ledger_commit(c->ledger, err);
}

/* Until there is a reason to end (*ret_end), to read the history, or to make room. */
static enum bus_code consume(struct bus_consumer *c, bool *ret_end, struct bus_err *err)
{
	struct bus_broker_event ev;
	enum bus_code rc = BUS_OK;
	bool quiet;

	while (!rc && !*ret_end && !must_fill(c) && !bus_consumer_is_full(c)) {
		rc = bus_broker_next(c->broker, 0, &ev, err);
		if (!rc)
			rc = handle_broker(c, &ev, err);
		quiet = ev.what == BUS_BROKER_NOTHING;
		if (!rc && (quiet || c->behind || c->group >= BUS_CONSUMER_GROUP_MAX ||
			    bus_consumer_limit_reached(c)))
			rc = end_group(c, err);
		if (!rc && quiet)
			rc = look_around(c, err);
		bus_consumer_watch(c, false);
		if (rc || must_fill(c))
			break;
		*ret_end = (bus_consumer_limit_reached(c) && inbox_is_empty(c)) ||
			   (quiet && is_idle(c)) ||
			   (quiet ? await_work(c, listen_ms(c))
				  : !(c->group % LOOK_EVERY) && bus_consumer_pause(c, 0));
	}
	return rc;
}

/* The queue waits: our connection would have to answer heartbeats, and could do nothing else. */
static enum bus_code make_room(struct bus_consumer *c, bool *ret_end, struct bus_err *err)
{
	const struct bus_jobs_state *jobs = &c->counts->jobs;
	enum bus_code rc;

	if (!jobs->failed) /* only with a connection can these be parked */
		bus_consumer_disconnect(c);
	do {
		rc = bus_consumer_work(c, err);
		bus_consumer_watch(c, false);
		*ret_end = !rc && await_work(c, LISTEN_MS);
	} while (!rc && !*ret_end && !jobs->failed &&
		 jobs->waiting + jobs->running > BUS_CONSUMER_INBOX_MAX / 2);
	return rc;
}

/* One of the things there are to do. */
static enum bus_code proceed(struct bus_consumer *c, bool *ret_end, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	if (c->jobs && bus_consumer_is_full(c)) {
		if (!c->counts->jobs.failed)
			return make_room(c, ret_end, err);
		/* what is to be parked makes room, also where the history is being read */
		if (!c->broker)
			rc = bus_consumer_connect(c, err);
		return rc ? rc : bus_consumer_work(c, err);
	}
	if (c->ledger && must_fill(c)) {
		bus_consumer_disconnect(c);
		rc = bus_consumer_fill(c, err);
		*ret_end = bus_consumer_pause(c, 0) ||
			   (bus_consumer_limit_reached(c) && inbox_is_empty(c));
		return rc;
	}
	if (!c->broker) {
		rc = bus_consumer_connect(c, err);
		c->last_us = bus_time_mono(); /* before, no message could come */
	}
	if (rc || must_fill(c))
		return rc;
	rc = consume(c, ret_end, err);
	if (!rc && *ret_end)
		rc = end_group(c, err);
	return rc;
}

static enum bus_code run(struct bus_consumer *c, struct bus_err *err)
{
	unsigned int attempts = 0;
	enum bus_code rc = BUS_OK;
	bool end = false;
	int ms;

	c->last_us = bus_time_mono();
	while (!end) {
		rc = proceed(c, &end, err);
		if (!rc)
			attempts = 0;
		if (rc != BUS_E_UNAVAILABLE && rc)
			break;
		if (!rc)
			continue;
		if (!attempts && !c->ledger && !c->options->notify)
			break; /* the first connection */
		bus_consumer_disconnect(c);
		c->turn++;
		if (!c->away_us)
			c->away_us = bus_time_now();
		/* What was done but not acknowledged comes again, and is known then. */
		if (c->options->flush(c->options->arg, NULL) ||
		    (c->ledger && bus_ledger_commit(c->ledger, NULL)))
			break;
		bus_notify_ready(c->options->notify);
		bus_consumer_watch(c, false);
		ms = bus_backoff_ms(attempts++);
		bus_say(&c->options->say, "%s; trying again in %d.%d s", err->text, ms / 1000,
			ms % 1000 / 100);
		if (bus_consumer_pause(c, ms))
			return BUS_OK;
	}
	return rc;
}

enum bus_code bus_consumer_run(const struct bus_conf *conf,
			       const struct bus_consumer_options *options,
			       struct bus_consumer_counts *ret, struct bus_err *err)
{
	struct bus_consumer c = {
		.conf = conf,
		.options = options,
		.counts = ret,
		.resume_offset = -1,
		.untold = true /* perhaps by a run before this one */
	};
	enum bus_code rc;

	memset(ret, 0, sizeof(*ret));
	ret->jobs.wait_ms = -1;
	rc = bus_intake_open(&c.intake, conf, err);
	if (!rc)
		bus_intake_tell(c.intake, &options->say);
	if (!rc && options->metrics_file)
		rc = bus_metrics_open(&c.metrics, options->metrics_file, &options->say, err);
	if (!rc)
		rc = run(&c, err);
	bus_notify_stopping(options->notify);
	bus_consumer_watch(&c, true);
	bus_consumer_disconnect(&c);
	bus_metrics_close(c.metrics);
	bus_jobs_close(c.jobs);
	bus_ledger_close(c.ledger);
	bus_intake_close(c.intake);
	bus_bindings_finish(&c.bound);
	bus_bindings_finish(&c.wanted);
	bus_bindings_finish(&c.hush);
	return rc;
}
