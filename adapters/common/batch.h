#ifndef BUS_ADAPTER_BATCH_H
#define BUS_ADAPTER_BATCH_H

#include "adapters/adapter.h"

/*
 * Events on their way from convert() to the outbox (struct adapter_batch).
 */
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

/* Would the event fit?  BUS_E_DATA, naming the reason, where it would not. */
enum bus_code batch_try(const struct adapter_context *ctx, const char *object_event,
			const char *subject, const struct bus_buf *data, struct bus_err *err);

#endif
