#ifndef BUS_RELAY_H
#define BUS_RELAY_H

#include <stdbool.h>

#include "publisher.h"

/*
 * The relay: all outboxes of this host to the broker, in one process.
 *
 * It waits for the outboxes to change (inotify) and for the broker to answer,
 * keeps a connection for each service, and opens a lost one again after a
 * pause that grows to 30 seconds, with jitter.  A log that needs its operator
 * (BUS_E_CONFIG, BUS_E_HELD, BUS_E_BUG) is set aside, and said so;
 * the others go on.
 */
struct bus_relay_options {
	bool once;		  /* end when all outboxes are empty, or at the first trouble */
	int stop_fd;		  /* readable: finish what is in hand and return */
	const char *metrics_file; /* metrics.h; NULL: none */
	/* Told that we are ready when the outboxes are open, wherever the broker is. */
	struct bus_notify *notify;
	struct bus_say say;
	/* How far it is, for people; may be NULL. */
	void (*progress)(void *arg, const char *service, unsigned long long sent,
			 unsigned long long size);
	void *progress_arg;
};

/*
 * BUS_OK when it was asked to stop or, with once, when everything is sent.
 * Otherwise the failure of the first log that was set aside, when none is left
 * or, with once, when the others are done.  All failures have been said.
 */
enum bus_code bus_relay_run(const struct bus_conf *conf, const struct bus_relay_options *options);

#endif
