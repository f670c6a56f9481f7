#ifndef BUS_ADAPTER_GIT_REPO_H
#define BUS_ADAPTER_GIT_REPO_H

#include "adapters/alioth/git_input.h"
#include "err.h"

/*
 * A Git repository, asked through git itself.
 *
 * Nothing in the caller's environment and nothing in the repository's
 * configuration makes git run another program or reach the network, and no
 * name or id is ever taken for an option.  What git cannot answer is
 * BUS_E_NO with its own words; BUS_E_UNAVAILABLE: git took too long, and will
 * again.  Other failures are this machine's.
 */
struct git_repo;

enum bus_code git_repo_open(struct git_repo **ret, const char *path, int timeout_ms,
			    struct bus_err *err);
void git_repo_close(struct git_repo *repo);

/*
 * Appends the ids of all refs except those of the lines, each as "<id> LF".
 * BUS_E_DATA where there are more refs than max.
 */
enum bus_code git_repo_others(struct git_repo *repo, struct bus_buf *out, struct slice lines,
			      size_t max, struct bus_err *err);

/* Both are commits; BUS_E_NO also where one is missing. */
enum bus_code git_repo_is_ancestor(struct git_repo *repo, const char *old_id, const char *new_id,
				   bool *ret, struct bus_err *err);

/* How many, and the newest of them, newest first. */
struct git_commits {
	uint64_t total;
	char newest[CHANGE_NEWEST][GIT_ID_MAX + 1];
};

/* Commits that can be reached from id and not from any of known, lines of "^<id> LF". */
enum bus_code git_repo_new_commits(struct git_repo *repo, const char *id, struct slice known,
				   struct git_commits *ret, struct bus_err *err);

enum { GIT_OBJECT_MAX = 1024 * 1024 }; /* bytes that are read of one */

struct git_object {
	char id[GIT_ID_MAX + 1];
	char type[16]; /* "commit", "tag", "tree", "blob" */
};

/* What name ("<id>" or "<id>^{}") stands for. */
enum bus_code git_repo_object(struct git_repo *repo, const char *name, struct git_object *ret,
			      struct bus_err *err);
/* Replaces what is in out by the object's first GIT_OBJECT_MAX bytes. */
enum bus_code git_repo_read(struct git_repo *repo, const char *id, struct bus_buf *out,
			    struct bus_err *err);

#endif
