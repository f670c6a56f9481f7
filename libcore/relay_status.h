#ifndef BUS_RELAY_STATUS_H
#define BUS_RELAY_STATUS_H

#include "metrics_relay.h"

/*
 * How a relay is, in one line for the service manager: how many events wait, and
 * each log that is not as it should be.  As in
 *
 *	3 events wait; wiki: no connection since 2026-11-22T23:14:05Z
 */
void bus_relay_status(struct bus_notify *notify, const struct bus_relay_stats *stats, size_t count);

#endif
