#ifndef BUS_METRICS_H
#define BUS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "publisher.h"

/*
 * A file of metrics in the text format of Prometheus, version 0.0.4, for the
 * textfile collector of node_exporter.
 *
 *	bus_metrics_open()
 *	bus_metrics_hurry()		something important has changed
 *	bus_metrics_wait_us()		wait no longer than this, then look at due()
 *	bus_metrics_due()		true: write it now
 *	bus_metrics_begin()
 *	    bus_metrics_family()	name, type and help, then its samples
 *	    bus_metrics_number() ...	or bus_metrics_seconds()
 *	bus_metrics_commit()
 *	bus_metrics_close()		who wants the last state in the file writes it first
 *
 * The file is written every 15 seconds, a second after the last time where
 * something important changed, and whenever the caller likes.  It is replaced
 * as a whole, never seen half written, and readable for everybody.  What is
 * being written is called .<name>.tmp, in the same directory, and locked, so
 * that two processes cannot mix; a killed one leaves at most this one file,
 * which the next one uses.  Nothing is synced: after a crash of the machine
 * nobody asks for old numbers.
 *
 * To fail at writing is no reason to stop working.  It is said once, and once
 * more when it works again; the file keeps its old content and time meanwhile.
 *
 * hurry(), wait_us(), due() and close() take NULL, of a caller without metrics:
 * it is never due then.
 *
 * Format: https://github.com/prometheus/docs, "Exposition formats", text-based.
 * Names: the same, "Metric and label naming": base units, counters in _total.
 */
struct bus_metrics;

enum {
	BUS_METRICS_EVERY_S = 15,
	BUS_METRICS_HURRY_S = 1,
	BUS_METRICS_MAX = 4 << 20 /* bytes of the file */
};

/* BUS_E_USAGE unless the name ends in .prom: node_exporter reads no other file. */
enum bus_code bus_metrics_open(struct bus_metrics **ret, const char *path,
			       const struct bus_say *say, struct bus_err *err);
void bus_metrics_close(struct bus_metrics *m);

void bus_metrics_hurry(struct bus_metrics *m);
int64_t bus_metrics_wait_us(const struct bus_metrics *m); /* INT64_MAX: no matter how long */
bool bus_metrics_due(const struct bus_metrics *m);

enum bus_metrics_type { BUS_METRICS_COUNTER, BUS_METRICS_GAUGE };

/* Up to two labels; a name of NULL: no such label. */
struct bus_metrics_labels {
	const char *name, *value;
	const char *name2, *value2;
};

void bus_metrics_begin(struct bus_metrics *m);
/* All samples of a family follow its head.  name and help are ours; values are escaped. */
void bus_metrics_family(struct bus_metrics *m, const char *name, enum bus_metrics_type type,
			const char *help);
void bus_metrics_number(struct bus_metrics *m, const struct bus_metrics_labels *labels,
			uint64_t value);
void bus_metrics_seconds(struct bus_metrics *m, const struct bus_metrics_labels *labels,
			 int64_t us); /* told in seconds, with a fraction */
void bus_metrics_commit(struct bus_metrics *m);

#endif
