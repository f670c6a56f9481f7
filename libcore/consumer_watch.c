#include "config.h"

#include "consumer_private.h"

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

void bus_consumer_watch(struct bus_consumer *c, bool at_end)
{
	const int64_t now_us = bus_time_mono();

	if (c->options->watch && (at_end || now_us - c->watched_us >= WATCH_MS * 1000LL)) {
		c->watched_us = now_us;
		c->options->watch(c->options->arg, c->counts);
	}
	if (c->metrics && c->ledger && (at_end || bus_metrics_due(c->metrics)))
		write_metrics(c, at_end);
}
