#include "config.h"

#include "metrics_consume.h"

#include "timestamp.h"

/* The label every sample has; a second one is set where a family has several. */
static void one(struct bus_metrics *m, const struct bus_consume_stats *s, const char *name,
		enum bus_metrics_type type, uint64_t value, const char *help)
{
	const struct bus_metrics_labels labels = { .name = "queue", .value = s->queue };

	bus_metrics_family(m, name, type, help);
	bus_metrics_number(m, &labels, value);
}

static void one_time(struct bus_metrics *m, const struct bus_consume_stats *s, const char *name,
		     enum bus_metrics_type type, int64_t us, const char *help)
{
	const struct bus_metrics_labels labels = { .name = "queue", .value = s->queue };

	bus_metrics_family(m, name, type, help);
	bus_metrics_seconds(m, &labels, us);
}

struct value {
	const char *label;
	uint64_t value;
};

static void several(struct bus_metrics *m, const struct bus_consume_stats *s, const char *label,
		    const struct value *values, size_t count)
{
	struct bus_metrics_labels labels = { .name = "queue", .value = s->queue, .name2 = label };
	size_t i;

	for (i = 0; i < count; i++) {
		labels.value2 = values[i].label;
		bus_metrics_number(m, &labels, values[i].value);
	}
}

static void tell_events(struct bus_metrics *m, const struct bus_consume_stats *s)
{
	const struct value taken[] = { { "new", s->events }, { "repeat", s->repeats } };
	struct value parked[BUS_CODE_COUNT];
	size_t n = 0;
	int i;

	bus_metrics_family(m, "debmsg_consume_events_total", BUS_METRICS_COUNTER,
			   "Events that were believed, by whether the ledger knew them.");
	several(m, s, "result", taken, 2);
	/* each from the start on, since a counter that appears has no rate */
	for (i = 0; i < BUS_CODE_COUNT; i++)
		if (bus_code_info[i].fate == BUS_FATE_PARK || s->parked[i])
			parked[n++] = (struct value){ bus_code_info[i].name, s->parked[i] };
	bus_metrics_family(m, "debmsg_consume_parked_total", BUS_METRICS_COUNTER,
			   "Messages not believed, by the reason: parked, if the user may do "
			   "that.");
	several(m, s, "reason", parked, n);
}

static void tell_completeness(struct bus_metrics *m, const struct bus_consume_stats *s)
{
	one(m, s, "debmsg_consume_gaps_total", BUS_METRICS_COUNTER, s->gaps,
	    "Holes found, by typesequence or by a bus.checkpoint.");
	one(m, s, "debmsg_consume_healed_events_total", BUS_METRICS_COUNTER, s->healed,
	    "Events that were missing and came out of the history.");
	one(m, s, "debmsg_consume_missing_events", BUS_METRICS_GAUGE, s->missing,
	    "Events that are missing and in no history.");
	one(m, s, "debmsg_consume_healing", BUS_METRICS_GAUGE, s->healing,
	    "1 while the history is read.");
	one(m, s, "debmsg_consume_silent_logs", BUS_METRICS_GAUGE, s->silent_logs,
	    "Logs that were not heard of for twice the promised interval.");
}

static void tell_handlers(struct bus_metrics *m, const struct bus_consume_stats *s)
{
	const struct value outcomes[] = { { "done", s->done },
					  { "again", s->again },
					  { "gave_up", s->gave_up } };
	const struct value inbox[] = { { "waiting", s->inbox_waiting },
				       { "running", s->inbox_running },
				       { "failed", s->inbox_failed } };

	bus_metrics_family(m, "debmsg_consume_handler_runs_total", BUS_METRICS_COUNTER,
			   "Handlers that ended, by result.");
	several(m, s, "result", outcomes, 3);
	bus_metrics_family(m, "debmsg_consume_inbox_events", BUS_METRICS_GAUGE,
			   "Events whose handler has not succeeded yet, by state.");
	several(m, s, "state", inbox, 3);
}

static void tell_signatures(struct bus_metrics *m, const struct bus_consume_stats *s)
{
	const struct value checks[] = { { "gnupg", s->verified }, { "memory", s->remembered } };

	bus_metrics_family(m, "debmsg_consume_signature_checks_total", BUS_METRICS_COUNTER,
			   "Signatures of checkpoints, by who knew whether they are good.");
	several(m, s, "by", checks, 2);
	one_time(m, s, "debmsg_consume_signature_seconds_total", BUS_METRICS_COUNTER,
		 s->verifying_us, "Time spent on asking GnuPG about signatures.");
	one(m, s, "debmsg_consume_trust_file_unusable", BUS_METRICS_GAUGE, s->trust_stale,
	    "1 while trust.conf cannot be used and what it said before holds.");
}

/*
 * An event that was taken long ago is no lag where nothing came since, and that
 * is known while the queue is empty.
 */
static int64_t lag_us(const struct bus_consume_stats *s, int64_t now_us)
{
	if (!s->event_time_us || (s->depth_known && !s->depth && !s->healing))
		return 0;
	return now_us > s->event_time_us ? now_us - s->event_time_us : 0;
}

static void tell_state(struct bus_metrics *m, const struct bus_consume_stats *s)
{
	one(m, s, "debmsg_consume_connected", BUS_METRICS_GAUGE, s->connected,
	    "1 while there is a connection to the broker.");
	one(m, s, "debmsg_consume_connections_total", BUS_METRICS_COUNTER, s->connections,
	    "Connections to the broker that were made, the first included.");
	if (s->depth_known)
		one(m, s, "debmsg_consume_queue_messages", BUS_METRICS_GAUGE, s->depth,
		    "Messages that wait in the queue.");
	one_time(m, s, "debmsg_consume_lag_seconds", BUS_METRICS_GAUGE, lag_us(s, bus_time_now()),
		 "Age of the last event taken; 0 while the queue is empty.");
	one_time(m, s, "debmsg_consume_last_event_timestamp_seconds", BUS_METRICS_GAUGE,
		 s->event_time_us, "Time of the last event taken, as the event says; 0 for none.");
	one_time(m, s, "debmsg_consume_last_success_timestamp_seconds", BUS_METRICS_GAUGE,
		 s->taken_us, "When the last event was taken; 0 for never.");
}

void bus_metrics_consume(struct bus_metrics *metrics, const struct bus_consume_stats *stats)
{
	bus_metrics_begin(metrics);
	tell_events(metrics, stats);
	tell_completeness(metrics, stats);
	if (stats->exec)
		tell_handlers(metrics, stats);
	tell_signatures(metrics, stats);
	tell_state(metrics, stats);
	bus_metrics_commit(metrics);
}
