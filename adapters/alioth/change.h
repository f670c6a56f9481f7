#ifndef BUS_ADAPTER_CHANGE_H
#define BUS_ADAPTER_CHANGE_H

#include "adapters/adapter.h"
#include "adapters/alioth/commit.h"
#include "json.h"

/*
 * What happened to one ref of a repository, whatever the version control
 * system, and the event made of it.
 */
enum change_kind {
	CHANGE_BRANCH_CREATE,
	CHANGE_BRANCH_PUSH,
	CHANGE_BRANCH_FORCE,
	CHANGE_BRANCH_DELETE,
	CHANGE_TAG_CREATE,
	CHANGE_TAG_MOVE,
	CHANGE_TAG_DELETE,
	CHANGE_REF_PUSH,
	CHANGE_KIND_COUNT
};

extern const char *const change_type[CHANGE_KIND_COUNT]; /* "branch.create" ... */

enum { CHANGE_NEWEST = 20 }; /* commits that are told */

/* How much of a change goes into its event; less, where it would be too large. */
struct change_detail {
	size_t commits;	   /* at most; also files, and what else is a list */
	size_t characters; /* of a commit's subject and author */
	bool closes;
};

struct change {
	enum change_kind kind;
	const char *vcs;	/* "git", or another */
	const char *repository; /* the event's subject */
	struct slice ref;
	const char *old_id, *new_id; /* NULL: not told; all zeros: there is none */
	const char *pusher;
	const char *note;		     /* for the summary of what has no commit, or NULL */
	bool has_commits;		     /* false: nobody could say */
	uint64_t total;			     /* new commits */
	struct commit commit[CHANGE_NEWEST]; /* newest first */
	size_t count;
	bool has_tag; /* the next three are known */
	bool annotated;
	const char *target; /* of an annotated tag, or NULL */
	struct commit tag;
	/* More members, which only one system has; NULL: none. */
	void (*write_more)(struct bus_json *js, const void *more,
			   const struct change_detail *detail);
	const void *more;
};

/* url: the service's template, see debmsg-alioth(1); NULL: none. */
void change_write(struct bus_buf *out, const struct change *change,
		  const struct change_detail *detail, const char *url);
void change_finish(struct change *change);

/*
 * Adds the event with as much detail as fits.  number, raw: of the input it
 * came from, to be kept if no event can be made of it.
 */
enum bus_code change_add(const struct adapter_context *ctx, const struct change *change,
			 int64_t time_us, size_t number, struct slice raw,
			 struct adapter_batch *batch, struct bus_err *err);

bool change_id_is_zero(const char *id);

#endif
