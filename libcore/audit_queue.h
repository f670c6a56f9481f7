#ifndef BUS_AUDIT_QUEUE_H
#define BUS_AUDIT_QUEUE_H

#include "holes.h"
#include "intake.h"
#include "ledger.h"

/*
 * Has a consumer had everything?  Its ledger against the history, event by event.
 *
 *	bus_audit_queue_open()
 *	bus_audit_queue_event()		every believed event of the history, from
 *					bus_audit_queue_since() on (less what clocks differ)
 *	bus_audit_queue_findings()	once, at the end
 *
 * What the queue's user wants and what happened since the queue is for, or is
 * further in its type than the ledger is, must be in the ledger.  This needs no
 * typesequence, so it holds for bindings that are finer than a type.
 *
 * What is newer than the last event that was had may still be in the queue:
 * only the broker knows.  To compare with its count, the bus.checkpoint events
 * that should be in the queue are counted as well.
 *
 * Memory: 16 bytes for each event that is wanted.
 */
struct bus_audit_queue;

struct bus_audit_queue_finding {
	const char *origin;
	uint64_t had;	      /* events; of these: */
	uint64_t waiting;     /* ... their command is still to run, or runs */
	uint64_t failed;      /* ... their command failed; they are on their way to be parked */
	uint64_t first, last; /* indices of what was had; had > 0 */
	uint64_t others;      /* events that were had with another body: equivocation */
	const struct bus_holes *missing;     /* between events that were had, or before them */
	const struct bus_holes *after;	     /* one range: not had, and newer than all that was */
	uint64_t missing_count, after_count; /* events in these */
};

/* BUS_E_CONFIG: there is no ledger of this queue, whose name has the user's in front. */
enum bus_code bus_audit_queue_open(struct bus_audit_queue **ret, const char *state_directory,
				   const char *queue, struct bus_err *err);
void bus_audit_queue_close(struct bus_audit_queue *q);

/* From when on events are the queue's (microseconds since 1970). */
int64_t bus_audit_queue_since(const struct bus_audit_queue *q);

enum bus_code bus_audit_queue_event(struct bus_audit_queue *q, const struct bus_belief *belief,
				    struct bus_err *err);

/*
 * Calls each() for the logs of which the queue wants something.  *ret_after: how
 * many messages the queue should still hold.
 */
enum bus_code bus_audit_queue_findings(struct bus_audit_queue *q,
				       void (*each)(void *arg,
						    const struct bus_audit_queue_finding *finding),
				       void *arg, uint64_t *ret_after, struct bus_err *err);

/* What no history had, as the ledger remembers it: typesequences of a type. */
enum bus_code bus_audit_queue_lost(struct bus_audit_queue *q,
				   enum bus_code (*each)(void *arg,
							 const struct bus_ledger_range *range,
							 struct bus_err *err),
				   void *arg, struct bus_err *err);

#endif
