#include "config.h"

#include "doctor_private.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "history.h"
#include "ledger.h"
#include "timestamp.h"

/*
 * What a consumer has not read is in its queue, and also in the history, from which
 * gaps are filled and events replayed.  The history forgets by age and size,
 * whatever consumers have read; this tells of it before, when less than this
 * part of the time is left.
 */
enum { PART_LEFT = 4, FIRST_TRIES = 10 };

struct history {
	bool cut;	  /* there were older messages than the first one */
	int64_t first_us; /* time of the oldest event; 0: there is none */
	int64_t count;	  /* messages, about */
	int64_t window_s; /* how long an event is kept, as things are; 0: not to be known */
};

/* -- ledgers of this host -- */

void bus_doctor_each_ledger(struct bus_doctor *d, bus_doctor_ledger_fn *each, void *arg)
{
	static const char suffix[] = ".db";
	const struct dirent *entry;
	char path[4096], queue[256];
	size_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/ledger", d->conf->state_directory);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		len = strlen(entry->d_name);
		if (len < sizeof(suffix) || len >= sizeof(queue) ||
		    strcmp(entry->d_name + len - 3, suffix) != 0)
			continue;
		snprintf(queue, sizeof(queue), "%.*s", (int)len - 3, entry->d_name);
		each(d, queue, arg);
	}
	if (dir)
		closedir(dir);
}

static enum bus_code newest(void *arg, const char *source, int64_t heard_us, struct bus_err *err)
{
	int64_t *us = arg;

	(void)source;
	(void)err;
	*us = heard_us > *us ? heard_us : *us;
	return BUS_OK;
}

/* Up to when its consumer has read, by its ledger; 0: it does not say. */
static int64_t read_up_to(struct bus_doctor *d, const char *queue)
{
	struct bus_ledger *ledger = NULL;
	int64_t us = 0, behind = 0;

	if (bus_ledger_open(&ledger, d->conf->state_directory, queue, false, NULL))
		return 0;
	if (bus_ledger_logs(ledger, newest, &us, NULL))
		us = 0;
	if (!bus_ledger_behind(ledger, &behind, NULL) && behind && behind < us)
		us = behind;
	bus_ledger_close(ledger);
	return us;
}

/* -- the history -- */

static int64_t first_time(struct bus_doctor *d, bool *ret_cut, struct bus_err *err)
{
	enum bus_history_what what = BUS_HISTORY_NOTHING;
	struct bus_message *m = NULL;
	struct bus_history *h = NULL;
	struct bus_event *ev = NULL;
	enum bus_code rc;
	int64_t us = 0;
	int i;

	rc = bus_history_open(&h, d->conf, BUS_STREAM_FIRST, 0, "debmsg doctor", err);
	for (i = 0; !rc && what == BUS_HISTORY_NOTHING && i < FIRST_TRIES; i++)
		rc = bus_history_next(h, 1000, &what, &m, err);
	if (!rc && what == BUS_HISTORY_MESSAGE) {
		*ret_cut = bus_history_offset(h) > 0;
		if (!bus_event_parse(&ev, m->body, m->body_len, NULL) &&
		    !bus_time_parse(&us, ev->time))
			us = 0;
		bus_event_free(ev);
		bus_message_free(m);
	}
	bus_history_close(h);
	return us;
}

static void measure(struct bus_doctor *d, const json_t *queues, struct history *ret)
{
	const json_t *stream = bus_member_find(queues, "name", bus_stream);
	const char *max_age = bus_member_text(stream, "effective_policy_definition.max-age");
	struct bus_err err = { BUS_OK, "" };
	int64_t age;

	ret->count = bus_member_int(stream, "messages");
	ret->window_s = *max_age ? bus_doctor_age(max_age) : 0;
	if (ret->window_s < 0)
		ret->window_s = 0;
	if (!d->broker)
		return;
	ret->first_us = first_time(d, &ret->cut, &err);
	age = (bus_time_now() - ret->first_us) / 1000000;
	/* It forgets already, and by size sooner than by age. */
	if (ret->cut && ret->first_us && age > 0 && (!ret->window_s || age < ret->window_s))
		ret->window_s = age;
}

/* -- one queue -- */

static void by_ledger(struct bus_doctor *d, const struct history *h, const char *name,
		      int64_t waiting, int64_t read_us)
{
	const int64_t left = read_us / 1000000 + h->window_s - bus_time_now() / 1000000;
	const bool lost = left <= 0 || (h->cut && read_us < h->first_us);
	char span[32], behind[32];

	bus_doctor_span(behind, (bus_time_now() - read_us) / 1000000);
	bus_doctor_span(span, left);
	if (lost || left < h->window_s / PART_LEFT)
		bus_doctor_remedy(d, "make its consumer work; or have the history kept longer: "
				     "policy history in bus.conf, then debmsg-broker load");
	if (lost)
		bus_doctor_find(d, BUS_LEVEL_ERROR, "queue-lag", name,
				"its consumer is %s behind, with %" PRId64 " messages waiting, and "
				"the history no longer has what it has not read",
				behind, waiting);
	else
		bus_doctor_find(d,
				left < h->window_s / PART_LEFT ? BUS_LEVEL_WARNING : BUS_LEVEL_OK,
				"queue-lag", name,
				"its consumer is %s behind; the history begins to lose what it has "
				"not read in %s",
				behind, span);
}

/*
 * Whatever is in a queue is in the history too, in the same order: so the oldest of
 * n messages is at least as old as the n-th from the end of the history.
 */
static void by_count(struct bus_doctor *d, const struct history *h, const char *name,
		     int64_t waiting)
{
	const int64_t part = h->count / PART_LEFT;
	enum bus_level level = BUS_LEVEL_OK;

	if (h->cut && waiting > h->count - part)
		level = waiting >= h->count ? BUS_LEVEL_ERROR : BUS_LEVEL_WARNING;
	if (level != BUS_LEVEL_OK)
		bus_doctor_remedy(d, "make its consumer work; or have the history kept longer: "
				     "policy history in bus.conf, then debmsg-broker load");
	bus_doctor_find(d, level, "queue-lag", name,
			"%" PRId64 " messages wait; the history %s %" PRId64, waiting,
			h->cut ? "keeps no more than" : "has forgotten nothing yet, and holds",
			h->count);
}

static void check_queue(struct bus_doctor *d, const struct history *h, const json_t *queue)
{
	const int64_t waiting = bus_member_int(queue, "messages");
	const char *name = bus_member_text(queue, "name");
	int64_t read_us;

	if (strncmp(name, "debmsg.", 7) == 0 || strncmp(name, "public.", 7) == 0 || !waiting)
		return;
	read_us = strchr(name, '/') ? 0 : read_up_to(d, name);
	if (read_us && h->window_s)
		by_ledger(d, h, name, waiting, read_us);
	else
		by_count(d, h, name, waiting);
}

void bus_doctor_lag(struct bus_doctor *d)
{
	const char *const path[] = { "queues", d->where.vhost, NULL };
	struct history h = { .cut = false };
	json_t *queues;
	size_t i;

	queues = bus_doctor_get(d, "queue-lag", path,
				"columns=name,messages,effective_policy_definition");
	if (!queues)
		return;
	measure(d, queues, &h);
	if (!d->broker || !h.first_us)
		bus_doctor_find(d, BUS_LEVEL_NOTE, "queue-lag", bus_stream,
				"how far back the history goes was not looked at: it %s",
				d->broker ? "holds no event yet" : "cannot be read from here");
	for (i = 0; i < json_array_size(queues); i++)
		check_queue(d, &h, json_array_get(queues, i));
	json_decref(queues);
}
