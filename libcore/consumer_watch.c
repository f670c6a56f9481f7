#include "config.h"

#include "consumer_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "metrics_consume.h"
#include "timestamp.h"

enum { WATCH_MS = 5000 /* how often options->watch is called */ };

static enum bus_code add_range(void *arg, const struct bus_ledger_range *range, struct bus_err *err)
{
	uint64_t *sum = arg;

	(void)err;
	*sum += range->last - range->first + 1;
	return BUS_OK;
}

/* How it is now; what cannot be learned is told as 0. */
static void look_at(struct bus_consumer *c, struct bus_consume_stats *stats)
{
	const struct bus_intake_verified verified = bus_intake_verified(c->intake);
	uint32_t depth = 0;

	stats->verified = verified.asked;
	stats->remembered = verified.remembered;
	stats->verifying_us = verified.us;
	stats->trust_stale = !bus_intake_look(c->intake);
	if (c->ledger)
		bus_ledger_missing(c->ledger, add_range, &stats->missing, NULL);
	stats->depth_known = c->broker && c->counts->connected &&
			     bus_broker_count(c->broker, c->queue, &depth, NULL) == BUS_OK;
	stats->depth = depth;
}

static void write_metrics(struct bus_consumer *c, bool at_end)
{
	const struct bus_consumer_counts *n = c->counts;
	struct bus_consume_stats stats = {
		.queue = c->queue,
		.events = n->events,
		.repeats = n->repeats,
		.gaps = n->gaps,
		.healed = n->healed,
		.connections = n->connections,
		.done = n->jobs.done,
		.again = n->jobs.again,
		.gave_up = n->jobs.gave_up,
		.connected = n->connected && !at_end, /* this stays in the file */
		.exec = c->jobs != NULL,
		.inbox_waiting = n->jobs.waiting,
		.inbox_running = n->jobs.running,
		.inbox_failed = n->jobs.failed,
		.silent_logs = n->silent,
		.healing = c->behind,
		.event_time_us = n->newest_us,
		.taken_us = n->taken_us,
	};
	int i;

	for (i = 0; i < BUS_CODE_COUNT; i++)
		stats.parked[i] = n->disbelieved[i];
	look_at(c, &stats);
	bus_metrics_consume(c->metrics, &stats);
}

/* What we are doing, apart from the numbers. */
static void describe(const struct bus_consumer *c, char *ret, size_t size)
{
	char since[BUS_TIME_LEN + 1];

	bus_time_format(since, c->away_us);
	if (c->away_us)
		snprintf(ret, size, "no connection since %.19sZ", since);
	else if (!c->ledger)
		snprintf(ret, size, "connecting");
	else if (c->behind)
		snprintf(ret, size, "reading the history for what is missing");
	else
		snprintf(ret, size, c->broker ? "connected" : "waiting for commands to end");
}

void bus_consumer_notify(struct bus_consumer *c)
{
	const struct bus_consumer_counts *n = c->counts;
	char text[BUS_NOTIFY_STATUS_MAX + 1], doing[80];

	bus_notify_tick(c->options->notify);
	if (!bus_notify_status_due(c->options->notify))
		return;
	describe(c, doing, sizeof(doing));
	if (c->jobs)
		snprintf(text, sizeof(text),
			 "%s; %llu events taken, %" PRIu64 " wait, %u commands at work", doing,
			 n->events, n->jobs.waiting, n->jobs.running);
	else
		snprintf(text, sizeof(text), "%s; %llu events taken", doing, n->events);
	bus_notify_status(c->options->notify, text);
}

void bus_consumer_watch(struct bus_consumer *c, bool at_end)
{
	const int64_t now_us = bus_time_mono();

	bus_consumer_notify(c);
	if (c->intake)
		bus_intake_look(c->intake);
	if (c->options->watch && (at_end || now_us - c->watched_us >= WATCH_MS * 1000LL)) {
		c->watched_us = now_us;
		c->options->watch(c->options->arg, c->counts);
	}
	if (c->metrics && c->ledger && (at_end || bus_metrics_due(c->metrics)))
		write_metrics(c, at_end);
}
