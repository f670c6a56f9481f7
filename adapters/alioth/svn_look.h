#ifndef BUS_ADAPTER_SVN_LOOK_H
#define BUS_ADAPTER_SVN_LOOK_H

#include "adapters/alioth/commit.h"
#include "adapters/alioth/svn_changed.h"

/*
 * A revision of a Subversion repository, asked through svnlook, which reads no
 * configuration, runs nothing and knows no network.  Failures as in tool.h.
 */
struct svn_look {
	const char *repository;
	char revision[24];
};

enum { SVN_LOG_MAX = 1024 * 1024 /* bytes; of a longer message the beginning counts */ };

/* The repository's UUID; the caller frees it. */
enum bus_code svn_look_uuid(const struct svn_look *look, char **ret, struct bus_err *err);
enum bus_code svn_look_changed(const struct svn_look *look, struct svn_refs *refs,
			       struct bus_err *err);
/* Who, when and why; what is not set stays empty. */
enum bus_code svn_look_commit(const struct svn_look *look, struct commit *ret, struct bus_err *err);
/* Whether path was there one revision before. */
enum bus_code svn_look_existed(const struct svn_look *look, const char *path, bool *ret,
			       struct bus_err *err);

#endif
