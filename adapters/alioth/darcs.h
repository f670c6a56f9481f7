#ifndef BUS_ADAPTER_DARCS_H
#define BUS_ADAPTER_DARCS_H

#include "adapters/adapter.h"

/*
 * darcs' posthook of "darcs apply", which is what a push runs on the other
 * side.  All facts are in the environment (darcs_patches.h); darcs is not run,
 * because it would run the hooks of the repository again.
 *
 * A darcs repository is one branch, and its tags are patches: one event for the
 * patches, and one for each tag.
 */
enum bus_code darcs_capture(const struct adapter_context *ctx, char **operand,
			    struct adapter_capture *ret, struct bus_err *err);
enum bus_code darcs_convert(const struct adapter_context *ctx, const char *input, size_t len,
			    struct adapter_batch *batch, struct bus_err *err);

#endif
