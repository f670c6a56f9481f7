#ifndef BUS_METRICS_RELAY_H
#define BUS_METRICS_RELAY_H

#include "metrics.h"

/*
 * What `debmsg relay --metrics-file` tells: debmsg_relay_*, which
 * debmsg-relay.1 lists.  One of these for each service.
 */
struct bus_relay_stats {
	const char *service;
	uint64_t failures[BUS_CODE_COUNT]; /* since the start, by name */
	struct bus_publisher_counts counts;

	bool connected;
	int64_t away_us; /* since when it is not, though it should be; 0: it is */
	bool aside;	 /* needs its operator */
	bool blocked;	 /* by an alarm of the broker */
	bool known;	 /* status is; an outbox that another relay has cannot be looked at */
	struct bus_publisher_status status;
};

/* Writes the file.  It cannot fail for the caller: metrics.h says what is said, and when. */
void bus_metrics_relay(struct bus_metrics *metrics, const struct bus_relay_stats *stats,
		       size_t count);

#endif
