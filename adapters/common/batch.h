#ifndef BUS_ADAPTER_BATCH_H
#define BUS_ADAPTER_BATCH_H

#include "adapters/adapter.h"

/*
 * Events, cursors and rejected input on their way from an adapter's convert()
 * or read() to the outbox (struct adapter_batch).
 */
enum {
	ADAPTER_BATCH_ENOUGH = 4 * 1024 * 1024, /* bytes of data */
	ADAPTER_BATCH_ITEMS = 4096		/* events, cursors and rejects */
};

void batch_init(struct adapter_batch *batch);
void batch_finish(struct adapter_batch *batch);

/*
 * Adds an event of type org.debian.<environment>.<service>.<object_event>.
 * data is taken over.  number, raw, len: what to keep if no event can be made of it.
 */
enum bus_code batch_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			const char *object_event, const char *subject, int64_t time_us,
			struct bus_buf *data, size_t number, const char *raw, size_t len,
			struct bus_err *err);

/*
 * A cursor as it is to be after this batch, as the input names it; len 0: none.
 * The last value given for a name counts.
 */
enum bus_code batch_cursor(struct adapter_batch *batch, const char *name, const void *value,
			   size_t len, struct bus_err *err);

/*
 * The value a cursor of this name has on the disk: *ret is NULL where there is
 * none, else new.  For convert(); an input that is watched has watch_cursor().
 */
enum bus_code batch_stored(const struct adapter_batch *batch, const char *name, char **ret,
			   size_t *ret_len, struct bus_err *err);

/*
 * Keeps what cannot be an event, with the reason that *why holds; of raw, at
 * most the first 64 KiB.
 */
enum bus_code batch_reject(struct adapter_batch *batch, const void *raw, size_t len,
			   const struct bus_err *why, struct bus_err *err);

/* It is time to store what is in it. */
bool batch_is_full(const struct adapter_batch *batch);

/* Would the event fit?  BUS_E_DATA, naming the reason, where it would not. */
enum bus_code batch_try(const struct adapter_context *ctx, const char *object_event,
			const char *subject, const struct bus_buf *data, struct bus_err *err);

#endif
