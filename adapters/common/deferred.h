#ifndef BUS_ADAPTER_DEFERRED_H
#define BUS_ADAPTER_DEFERRED_H

#include <stdbool.h>

#include "adapters/adapter.h"

/*
 * Inputs that were captured and are not events yet.
 *
 * Each is a cursor of the service's outbox, <hook>/<uid>/<time>-<pid>, so the
 * order of names is the order of arrival, and it is replaced by its events in
 * one transaction.  Users convert only their own: nobody runs a version
 * control system in another's repository.  One process converts at a time for
 * each user; one that finds another at it leaves, and the other looks again
 * before it ends, so nothing waits and nothing is forgotten.
 *
 * What cannot become an event is kept as <hook>-rejected/<uid>/<time>-<pid>,
 * with the reason in its first line.
 */

/* On the disk when it returns BUS_OK.  wait_ms: for other writers of the outbox. */
enum bus_code deferred_store(const struct adapter_context *ctx, const struct adapter_hook *hook,
			     const struct adapter_capture *capture, int wait_ms,
			     struct bus_err *err);

/*
 * Converts this user's inputs until there are none.  wait: for another process
 * that is at it, so that all that was stored before is done on return.
 */
enum bus_code deferred_convert(const struct adapter_context *ctx, const struct adapter_hook *hook,
			       bool wait, struct bus_err *err);

#endif
