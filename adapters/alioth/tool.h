#ifndef BUS_ADAPTER_TOOL_H
#define BUS_ADAPTER_TOOL_H

#include "adapters/common/child.h"

/*
 * A version control system's own program, asked about a repository.
 *
 * It runs without a shell, in an environment that has nothing of the pusher's
 * and no home directory, and for at most TOOL_MS.  What it cannot answer is
 * BUS_E_NO with its own words; BUS_E_UNAVAILABLE: it took too long.
 */
enum { TOOL_MS = 10 * 60 * 1000 };

/* more: what its environment has besides, ended by NULL; at most 12. */
enum bus_code tool_start(struct child **ret, const char *const *argv, const char *const *more,
			 struct bus_err *err);
/* After all of its output was read; frees child. */
enum bus_code tool_finish(struct child *child, struct bus_err *err);
/* Both, and replaces what is in out by its output; BUS_E_DATA: that is too much. */
enum bus_code tool_ask(struct bus_buf *out, const char *const *argv, const char *const *more,
		       struct bus_err *err);

#endif
