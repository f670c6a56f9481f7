#ifndef BUS_ADAPTER_HG_REPO_H
#define BUS_ADAPTER_HG_REPO_H

#include "adapters/alioth/change.h"

/*
 * A Mercurial repository, asked through hg itself.
 *
 * No configuration is read, neither the host's, the user's nor the
 * repository's, so no extension and no hook of theirs is run.  Failures as in
 * tool.h.
 */
enum {
	HG_ID_LEN = 40,
	HG_BRANCHES_MAX = 10000, /* of one push */
	HG_LINE_MAX = 64 * 1024	 /* bytes */
};

/* What a push brought of one named branch. */
struct hg_branch {
	char *name;
	uint64_t total; /* changesets */
	char newest[CHANGE_NEWEST]
		   [HG_ID_LEN + 1]; /* a ring: newest[total % CHANGE_NEWEST] is next */
	bool is_closed;		    /* by the newest of them */
};

struct hg_branches {
	struct hg_branch *branch; /* in the order in which they come */
	size_t count, cap;
};

void hg_branches_finish(struct hg_branches *branches);

/*
 * A line of what hg is asked for a changeset: "<node> <1 if it closes its
 * branch> <branch, percent-encoded>".  BUS_E_DATA: hg would not write that.
 */
enum bus_code hg_branches_line(struct hg_branches *branches, struct slice line,
			       struct bus_err *err);

/*
 * The first count of the changesets in text: node, user, date as "<seconds>
 * <zone>" and description, each ended by NUL.
 */
enum bus_code hg_commits_read(struct slice text, struct commit *commit, size_t max,
			      size_t *ret_count, struct bus_err *err);

bool hg_id_valid(const char *id);

/* All changesets from first to last, in the repository's own order. */
enum bus_code hg_repo_branches(const char *path, const char *first, const char *last,
			       struct hg_branches *ret, struct bus_err *err);
/* Newest first; what was read before a failure is counted too. */
enum bus_code hg_repo_commits(const char *path, const struct hg_branch *branch,
			      struct commit commit[CHANGE_NEWEST], size_t *ret_count,
			      struct bus_err *err);
/* The newest changeset of a branch before first; empty: there was none. */
enum bus_code hg_repo_before(const char *path, const char *branch, const char *first,
			     char ret[HG_ID_LEN + 1], struct bus_err *err);
enum bus_code hg_repo_is_ancestor(const char *path, const char *old_id, const char *new_id,
				  bool *ret, struct bus_err *err);

#endif
