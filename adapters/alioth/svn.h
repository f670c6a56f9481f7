#ifndef BUS_ADAPTER_SVN_H
#define BUS_ADAPTER_SVN_H

#include "adapters/adapter.h"

/*
 * Subversion's post-commit and post-revprop-change.  A revision becomes one
 * event for each branch and tag it touches (svn_changed.h), asked of svnlook.
 * A changed property of a revision becomes alioth.ref.push, without its value.
 *
 * The arguments are what Subversion gives (subversion/libsvn_repos/hooks.c):
 * REPOS REV [TXN], or REPOS REV USER PROPNAME ACTION and the old value on
 * stdin, so their number tells which of the two it is.
 */
enum bus_code svn_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err);
enum bus_code svn_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err);

#endif
