#ifndef BUS_ADAPTER_STORE_H
#define BUS_ADAPTER_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "adapters/adapter.h"
#include "outbox.h"

/*
 * What an adapter made, on its way into its service's outbox.  The caller has
 * the transaction: bus_outbox_begin(), these, bus_outbox_commit().
 */

/* BUS_E_NO: there is none yet, and create is false. */
enum bus_code store_open(struct bus_outbox **ret, const struct adapter_context *ctx, bool create,
			 int wait_ms, struct bus_err *err);

/*
 * All of a batch but its rest.  Its cursors are called <input>/<name>, and what
 * is rejected, here or by the outbox, is kept as <input>-rejected/<id>-<number>
 * with the reason as its first line, and said.  *ret_refused: how many events
 * the outbox refused.
 */
enum bus_code store_batch(struct bus_outbox *box, const char *input, const char *id,
			  const struct adapter_batch *batch, size_t *ret_refused,
			  struct bus_err *err);

/* Keeps one thing that cannot be an event; *err says why. */
enum bus_code store_reject(struct bus_outbox *box, const char *input, const char *id, size_t number,
			   const void *raw, size_t len, struct bus_err *err);

#endif
