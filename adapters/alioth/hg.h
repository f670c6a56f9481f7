#ifndef BUS_ADAPTER_HG_H
#define BUS_ADAPTER_HG_H

#include "adapters/adapter.h"

/*
 * Mercurial's hooks, told apart by HG_HOOKTYPE (mercurial/hook.py, and "hooks"
 * in hgrc(5)):
 *
 *	changegroup	once for each push: one event for each named branch in it
 *	incoming	once for each changeset, after changegroup: one event, if
 *			the changegroup was not told already
 *	pushkey		of the namespace "bookmarks": one event
 *
 * Facts come from the environment Mercurial gives its hooks, HG_NODE and
 * others; the repository is the working directory.
 */
enum bus_code hg_capture(const struct adapter_context *ctx, char **operand,
			 struct adapter_capture *ret, struct bus_err *err);
enum bus_code hg_convert(const struct adapter_context *ctx, const char *input, size_t len,
			 struct adapter_batch *batch, struct bus_err *err);

#endif
