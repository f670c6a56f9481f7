#ifndef BUS_ADAPTER_GIT_H
#define BUS_ADAPTER_GIT_H

#include "adapters/adapter.h"

/*
 * Git's post-receive hook: pushes become alioth.branch.*, alioth.tag.* and
 * alioth.ref.push, one event for each ref.
 *
 *	git_input	what the hook is told, kept until it is converted
 *	git_repo	asks git: refs, ancestry, new commits, objects
 *	git_commit	reads raw commits and tags
 */

/* Reads stdin and the repository in the working directory; see struct adapter_hook. */
enum bus_code git_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err);
enum bus_code git_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err);

#endif
