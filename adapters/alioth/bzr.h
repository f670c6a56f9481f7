#ifndef BUS_ADAPTER_BZR_H
#define BUS_ADAPTER_BZR_H

#include "adapters/adapter.h"
#include "adapters/alioth/slice.h"

/*
 * Bazaar, as Breezy has it.  Its hooks are Python: bzr-plugin/debmsg.py is
 * called when the tip of a branch has changed (post_change_branch_tip), and
 * runs this with what Breezy knows, on stdin as fields (slice.h):
 *
 *	"debmsg-bzr 1", path of the branch, old revision number and id, new
 *	revision number and id ("0 null:": none), "1" if the old revision is
 *	in the new one's history, "0" if not, "" if that took too long to find;
 *	and of at most 20 new revisions of the main line, newest first:
 *	id, author, seconds since 1970, message
 *
 * So nothing is asked later, and a branch that is stacked on another's host is
 * not opened.
 */
enum bus_code bzr_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err);
enum bus_code bzr_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err);

/* For tests: what the plugin says, taken apart. */
struct bzr_tip {
	struct slice path, old_id, new_id, is_ancestor;
	uint64_t old_number, new_number;
	struct slice revisions; /* fields that follow */
};

bool bzr_tip_read(struct bzr_tip *ret, struct slice fields);

#endif
