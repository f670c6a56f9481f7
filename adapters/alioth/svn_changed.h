#ifndef BUS_ADAPTER_SVN_CHANGED_H
#define BUS_ADAPTER_SVN_CHANGED_H

#include "adapters/alioth/slice.h"
#include "err.h"

/*
 * Which branches and tags a revision touches, from the lines that
 * `svnlook changed --copy-info` prints (subversion/svnlook/svnlook.c,
 * print_changed_tree()):
 *
 *	A   trunk/a.txt			text: A added, D deleted, U changed, _ neither;
 *	_U  trunk/			properties: U or blank; a directory ends with /
 *	A + tags/1.0/			+: a copy; the next line says of what
 *	    (from trunk/:r4)
 *
 * Subversion has no branches of its own: they are directories, called by
 * habit trunk, branches/<name> and tags/<name>, at the top or in a project's
 * directory.  The ref is that directory's path.
 */
enum {
	SVN_REFS_MAX = 2000,	 /* of one revision; what is in more is told as SVN_ROOT */
	SVN_LINE_MAX = 64 * 1024 /* bytes */
};

#define SVN_ROOT "/" /* the ref of what is in no branch and no tag */

struct svn_ref {
	char *path;
	bool is_tag;
	char state; /* 'A' the directory itself was added, 'D' deleted, 'U' something in it */
	char *copied_from; /* "trunk@4", or NULL */
};

struct svn_refs {
	struct svn_ref *ref; /* in the order in which they are touched */
	size_t count, cap;
	bool has_outside;	/* something was touched that is in none of them */
	struct bus_buf parents; /* directories that were added for what may follow, each with NUL */
	bool last_is_ref;	/* the last line was of the directory of ref[count - 1] */
};

void svn_refs_init(struct svn_refs *refs);
void svn_refs_finish(struct svn_refs *refs);

/* A line, without its LF.  BUS_E_DATA: svnlook would not write that. */
enum bus_code svn_refs_line(struct svn_refs *refs, struct slice line, struct bus_err *err);
/* After the last line: what is in no ref becomes one of its own. */
enum bus_code svn_refs_end(struct svn_refs *refs, struct bus_err *err);

/*
 * The branch or tag that path, which ends with a slash if it is a directory,
 * is or is in; false: neither.
 */
bool svn_ref_of(struct slice path, struct slice *ret, bool *ret_is_tag);

#endif
