#include "config.h"

#include "doctor_private.h"

#include <stdlib.h>
#include <sys/timex.h>

#include "event.h"
#include "history.h"
#include "outbox.h"
#include "timestamp.h"

enum {
	DIFFERENCE_WARNING_S = 30,
	DIFFERENCE_ERROR_S = 300,
	/* Every log has a checkpoint an hour, which may be late twice. */
	SILENCE_S = 2 * 3600 + 300,
	MESSAGES_MAX = 100000 /* of the last chunk, and what comes in meanwhile */
};

static const char remedy[] = "set the clock and keep it right: timedatectl set-ntp true; see "
			     "timedatectl status";

/* -- what the kernel says -- */

static void check_synchronized(struct bus_doctor *d)
{
	struct timex tx = { .modes = 0 };
	int state = adjtimex(&tx);

	if (state < 0) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "clock-synchronized", "",
				"not looked at: the kernel does not say whether its clock is kept "
				"right");
		return;
	}
	if (state != TIME_ERROR && !(tx.status & STA_UNSYNC)) {
		bus_doctor_find(d, BUS_LEVEL_OK, "clock-synchronized", "",
				"the kernel's clock is kept right, within %ld ms",
				tx.maxerror / 1000);
		return;
	}
	/* Not worse: in a container or a virtual machine somebody else may keep it right. */
	bus_doctor_remedy(d, "%s", remedy);
	bus_doctor_find(d, BUS_LEVEL_NOTE, "clock-synchronized", "",
			"the kernel does not know of anybody who keeps its clock right");
}

/* -- the broker's clock -- */

static void check_broker(struct bus_doctor *d)
{
	static const char *const path[] = { "whoami", NULL };
	json_t *json = bus_doctor_get(d, "clock-broker", path, NULL);
	enum bus_level level = BUS_LEVEL_OK;
	int64_t date, ahead;
	char span[32];

	date = json ? bus_management_date(d->api) : 0;
	if (json && !date)
		bus_doctor_find(d, BUS_LEVEL_NOTE, "clock-broker", d->conf->management.url,
				"not looked at: its answers have no Date");
	json_decref(json);
	if (!date)
		return;
	ahead = bus_time_now() / 1000000 - date;
	bus_doctor_span(span, ahead);
	if (ahead > DIFFERENCE_ERROR_S || ahead < -DIFFERENCE_ERROR_S)
		level = BUS_LEVEL_ERROR;
	else if (ahead > DIFFERENCE_WARNING_S || ahead < -DIFFERENCE_WARNING_S)
		level = BUS_LEVEL_WARNING;
	if (level != BUS_LEVEL_OK)
		bus_doctor_remedy(d, "on the one that is wrong, %s", remedy);
	bus_doctor_find(d, level, "clock-broker", d->conf->management.url,
			"the clock of this host is %s %s the broker's", span,
			ahead < 0 ? "behind" : "ahead of");
}

/* -- times in the outboxes -- */

static void check_outbox(struct bus_doctor *d, const struct bus_conf_service *service)
{
	struct bus_outbox_params params = {
		.name = service->origin,
		.environment = d->conf->environment,
		.service = service->name,
		.max_event_size = d->conf->max_event_size,
		.wait_ms = 5000,
	};
	char *directory = bus_conf_outbox_dir(d->conf, service->name), span[32];
	struct bus_outbox_state state;
	struct bus_outbox *box = NULL;
	int64_t newest;

	params.directory = directory;
	if (!directory || bus_outbox_open(&box, &params, NULL) ||
	    bus_outbox_state(box, &state, NULL))
		goto out; /* which the field outbox says */
	newest = state.last_us > state.created_us ? state.last_us : state.created_us;
	newest = (newest - bus_time_now()) / 1000000;
	if (newest <= DIFFERENCE_WARNING_S) {
		bus_doctor_find(d, BUS_LEVEL_OK, "clock-outbox", service->name,
				"no event was stored in the future");
		goto out;
	}
	bus_doctor_remedy(d, "%s", remedy);
	bus_doctor_find(d, BUS_LEVEL_ERROR, "clock-outbox", service->name,
			"its newest event was stored %s from now: this host's clock was "
			"set "
			"back, or was wrong then",
			bus_doctor_span(span, newest));
out:
	bus_outbox_close(box);
	free(directory);
}

void bus_doctor_clock(struct bus_doctor *d)
{
	size_t i;

	check_synchronized(d);
	if (d->api)
		check_broker(d);
	for (i = 0; i < d->conf->service_count; i++)
		check_outbox(d, &d->conf->service[i]);
}

/* -- times in the history: of what all of the bus has published -- */

static int64_t time_of(const struct bus_message *m)
{
	struct bus_event *ev = NULL;
	int64_t us = 0;

	if (!bus_event_parse(&ev, m->body, m->body_len, NULL) && !bus_time_parse(&us, ev->time))
		us = 0;
	bus_event_free(ev);
	return us;
}

static void judge(struct bus_doctor *d, int64_t newest_us)
{
	const int64_t age = (bus_time_now() - newest_us) / 1000000;
	char span[32];

	bus_doctor_span(span, age);
	if (age < -DIFFERENCE_ERROR_S) {
		bus_doctor_remedy(d, "%s", remedy);
		bus_doctor_find(d, BUS_LEVEL_ERROR, "clock-history", bus_stream,
				"its newest event is of %s from now: this host's clock, or that of "
				"a publisher, is wrong by as much",
				span);
	} else if (age > SILENCE_S) {
		bus_doctor_remedy(d, "compare `date -u` with a good clock; if it is right, see "
				     "whether the relays run (each publishes once an hour)");
		bus_doctor_find(d, BUS_LEVEL_WARNING, "clock-history", bus_stream,
				"its newest event is %s old: this host's clock is ahead, or nobody "
				"has published since",
				span);
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "clock-history", bus_stream,
				"its newest event is %s old", span);
	}
}

/*
 * Events come nearly in the order of their times: the newest is close to the end.
 * Nobody's signature is checked, for nobody's word is taken but for a warning.
 */
void bus_doctor_history_clock(struct bus_doctor *d)
{
	enum bus_history_what what = BUS_HISTORY_NOTHING;
	struct bus_message *m = NULL;
	struct bus_history *h = NULL;
	struct bus_err err = { BUS_OK, "" };
	int64_t newest = 0, us;
	enum bus_code rc;
	int i;

	rc = bus_history_open(&h, d->conf, BUS_STREAM_LAST_CHUNK, 0, "debmsg doctor", &err);
	for (i = 0; !rc && what != BUS_HISTORY_END && i < MESSAGES_MAX; i++) {
		rc = bus_history_next(h, 1000, &what, &m, &err);
		if (rc || what != BUS_HISTORY_MESSAGE)
			continue;
		us = time_of(m);
		newest = us > newest ? us : newest;
		bus_message_free(m);
	}
	bus_history_close(h);
	if (rc) {
		bus_doctor_remedy(d,
				  "debmsg-broker load makes what is missing; the user of `broker` "
				  "needs the role relay or consumer");
		bus_doctor_find(d, BUS_LEVEL_ERROR, "history", bus_stream, "cannot be read: %s",
				err.text);
		return;
	}
	bus_doctor_find(d, BUS_LEVEL_OK, "history", bus_stream, "can be read");
	if (newest)
		judge(d, newest);
	else
		bus_doctor_find(d, BUS_LEVEL_NOTE, "clock-history", bus_stream,
				"not looked at: the history holds no event yet");
}
