#include "config.h"

#include "metrics_relay.h"

#include "timestamp.h"

struct relay {
	struct bus_metrics *metrics;
	const struct bus_relay_stats *stats;
	size_t count;
};

static void number(const struct relay *r, const char *service, uint64_t value)
{
	const struct bus_metrics_labels labels = { .name = "service", .value = service };

	bus_metrics_number(r->metrics, &labels, value);
}

static void labelled(const struct relay *r, const char *service, const char *name,
		     const char *value, uint64_t n)
{
	const struct bus_metrics_labels labels = { "service", service, name, value };

	bus_metrics_number(r->metrics, &labels, n);
}

static void seconds(const struct relay *r, const char *service, int64_t us)
{
	const struct bus_metrics_labels labels = { .name = "service", .value = service };

	bus_metrics_seconds(r->metrics, &labels, us);
}

static void tell_events(const struct relay *r)
{
	const struct bus_relay_stats *s, *end = r->stats + r->count;

	bus_metrics_family(r->metrics, "debmsg_relay_events_total", BUS_METRICS_COUNTER,
			   "What the broker said of the events that were sent.");
	for (s = r->stats; s < end; s++) {
		labelled(r, s->service, "result", "confirmed", s->counts.confirmed);
		labelled(r, s->service, "result", "returned", s->counts.returned);
		labelled(r, s->service, "result", "refused", s->counts.refused);
	}
	bus_metrics_family(r->metrics, "debmsg_relay_publishes_total", BUS_METRICS_COUNTER,
			   "Events that were sent, those that were sent again included.");
	for (s = r->stats; s < end; s++)
		number(r, s->service, s->counts.published);
	bus_metrics_family(r->metrics, "debmsg_relay_unconfirmed_events", BUS_METRICS_GAUGE,
			   "Events that were sent and are not confirmed yet.");
	for (s = r->stats; s < end; s++)
		if (s->known)
			number(r, s->service, s->status.unconfirmed);
	bus_metrics_family(r->metrics, "debmsg_relay_confirm_lag_seconds", BUS_METRICS_GAUGE,
			   "How old, in the outbox, the oldest of the last confirmed events was.");
	for (s = r->stats; s < end; s++)
		seconds(r, s->service, s->counts.lag_us);
	bus_metrics_family(r->metrics, "debmsg_relay_last_success_timestamp_seconds",
			   BUS_METRICS_GAUGE,
			   "When events were last confirmed, by any relay; 0 for never.");
	for (s = r->stats; s < end; s++)
		if (s->known)
			seconds(r, s->service, s->status.sent_us);
}

static void tell_outboxes(const struct relay *r)
{
	const struct bus_relay_stats *s, *end = r->stats + r->count;
	const int64_t now = bus_time_now();

	bus_metrics_family(r->metrics, "debmsg_relay_outbox_events", BUS_METRICS_GAUGE,
			   "Events in the outbox that are not confirmed.");
	for (s = r->stats; s < end; s++)
		if (s->known)
			number(r, s->service, s->status.size - s->status.sent);
	bus_metrics_family(r->metrics, "debmsg_relay_outbox_oldest_age_seconds", BUS_METRICS_GAUGE,
			   "For how long the oldest of them has waited; 0 for none.");
	for (s = r->stats; s < end; s++) {
		const int64_t oldest = s->status.oldest_us;

		if (s->known)
			seconds(r, s->service, oldest && oldest < now ? now - oldest : 0);
	}
}

static void tell_signatures(const struct relay *r)
{
	const struct bus_relay_stats *s, *end = r->stats + r->count;

	bus_metrics_family(r->metrics, "debmsg_relay_signatures_total", BUS_METRICS_COUNTER,
			   "Signatures GnuPG was asked to make, by result.");
	for (s = r->stats; s < end; s++) {
		labelled(r, s->service, "result", "made", s->counts.signatures);
		labelled(r, s->service, "result", "failed", s->counts.signatures_failed);
	}
	bus_metrics_family(r->metrics, "debmsg_relay_signature_seconds_total", BUS_METRICS_COUNTER,
			   "Time spent on signing.");
	for (s = r->stats; s < end; s++)
		seconds(r, s->service, s->counts.signing_us);
}

/* These are told from the start on, since a counter that appears has no rate. */
static bool is_usual(enum bus_code code)
{
	return code == BUS_E_NOMEM || code == BUS_E_HELD || code == BUS_E_TEMP ||
	       code == BUS_E_UNAVAILABLE || code == BUS_E_CONFIG || code == BUS_E_BUG;
}

static void tell_failures(const struct relay *r)
{
	const struct bus_relay_stats *s, *end = r->stats + r->count;
	int i;

	bus_metrics_family(r->metrics, "debmsg_relay_failures_total", BUS_METRICS_COUNTER,
			   "Failures of a log, after which it was tried again or set aside.");
	for (s = r->stats; s < end; s++)
		for (i = BUS_OK + 1; i < BUS_CODE_COUNT; i++)
			if (is_usual(i) || s->failures[i])
				labelled(r, s->service, "reason", bus_code_info[i].name,
					 s->failures[i]);
	bus_metrics_family(r->metrics, "debmsg_relay_set_aside", BUS_METRICS_GAUGE,
			   "1 for a log that needs its operator.");
	for (s = r->stats; s < end; s++)
		number(r, s->service, s->aside);
}

static void tell_connections(const struct relay *r)
{
	const struct bus_relay_stats *s, *end = r->stats + r->count;

	bus_metrics_family(r->metrics, "debmsg_relay_connected", BUS_METRICS_GAUGE,
			   "1 while there is a connection to the broker.");
	for (s = r->stats; s < end; s++)
		number(r, s->service, s->connected);
	bus_metrics_family(r->metrics, "debmsg_relay_connections_total", BUS_METRICS_COUNTER,
			   "Connections to the broker that were made, the first included.");
	for (s = r->stats; s < end; s++)
		number(r, s->service, s->counts.connections);
	bus_metrics_family(r->metrics, "debmsg_relay_blocked", BUS_METRICS_GAUGE,
			   "1 while the broker takes no events because of an alarm.");
	for (s = r->stats; s < end; s++)
		number(r, s->service, s->blocked);
	bus_metrics_family(r->metrics, "debmsg_relay_alarms_total", BUS_METRICS_COUNTER,
			   "Times that the broker said it takes no events.");
	for (s = r->stats; s < end; s++)
		number(r, s->service, s->counts.alarms);
}

void bus_metrics_relay(struct bus_metrics *metrics, const struct bus_relay_stats *stats,
		       size_t count)
{
	const struct relay r = { metrics, stats, count };

	bus_metrics_begin(metrics);
	tell_events(&r);
	tell_outboxes(&r);
	tell_signatures(&r);
	tell_failures(&r);
	tell_connections(&r);
	bus_metrics_commit(metrics);
}
