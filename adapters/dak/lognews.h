#ifndef BUS_ADAPTER_DAK_LOGNEWS_H
#define BUS_ADAPTER_DAK_LOGNEWS_H

#include "adapters/adapter.h"
#include "adapters/dak/logline.h"
#include "adapters/dak/memory.h"

/*
 * Events that dak's log alone tells of.
 */

/* NEW ACCEPT and NEW REJECT of process-new; the file's name has been checked. */
enum bus_code lognews_new(const struct adapter_context *ctx, const struct dak_line *line,
			  struct adapter_batch *batch, struct bus_err *err);

/* A DAK_NOTE_DM that is final. */
enum bus_code lognews_dm(const struct adapter_context *ctx, const struct dak_note *note,
			 struct adapter_batch *batch, struct bus_err *err);

/*
 * override, control-overrides and control-suite: an event, or nothing.
 * BUS_E_DATA: details that are not what they must be.
 */
enum bus_code lognews_add(const struct adapter_context *ctx, const struct dak_line *line,
			  struct dak_slice raw, struct adapter_batch *batch, struct bus_err *err);

#endif
