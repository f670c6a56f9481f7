#ifndef BUS_ADAPTER_GIT_CHANGE_H
#define BUS_ADAPTER_GIT_CHANGE_H

#include "adapters/alioth/git_commit.h"
#include "adapters/alioth/git_repo.h"

/*
 * What a push did to one ref, and the event's data made of it.
 */
enum git_kind {
	GIT_BRANCH_CREATE,
	GIT_BRANCH_PUSH,
	GIT_BRANCH_FORCE,
	GIT_BRANCH_DELETE,
	GIT_TAG_CREATE,
	GIT_TAG_MOVE,
	GIT_TAG_DELETE,
	GIT_REF_PUSH,
	GIT_KIND_COUNT
};

extern const char *const git_kind_type[GIT_KIND_COUNT]; /* "branch.create" ... */

/* From the line alone: GIT_BRANCH_PUSH for what may turn out to be forced. */
enum git_kind git_kind_of(const struct git_line *line);

struct git_change {
	enum git_kind kind;
	struct git_line line;
	const char *repository; /* the event's subject */
	const char *pusher;
	bool has_commits;		      /* false: the repository could not say */
	uint64_t total;			      /* new commits */
	struct git_commit commit[GIT_NEWEST]; /* newest first */
	size_t count;
	bool has_tag; /* the next three are known */
	bool annotated;
	char target[GIT_ID_MAX + 1]; /* of an annotated tag */
	struct git_commit tag;
};

/* How much of a change goes into its event; less, where it would be too large. */
struct git_detail {
	size_t commits;	   /* at most */
	size_t characters; /* of a commit's subject and author */
	bool closes;
};

/* url: the service's template, see debmsg-alioth(1); NULL: none. */
void git_change_write(struct bus_buf *out, const struct git_change *change,
		      const struct git_detail *detail, const char *url);
void git_change_finish(struct git_change *change);

#endif
