#ifndef BUS_ADAPTER_CVS_LOGINFO_H
#define BUS_ADAPTER_CVS_LOGINFO_H

#include "adapters/alioth/slice.h"
#include "err.h"

/*
 * What CVS tells loginfo (cvs 1.12: src/logmsg.c, logfile_write(); src/import.c;
 * src/add.c).  The arguments are, with UseNewInfoFmtStrings=yes and
 * "%p %{sVv} $USER",
 *
 *	mod/dir  f1 1.1 1.2  f2 NONE 1.1  anna
 *	mod/dir  "- New directory" NONE NONE  anna
 *	mod      "- Imported sources" NONE NONE  anna
 *
 * and in the old format, "%{sVv} $USER", two of which the first is
 *
 *	mod/dir f1,1.1,1.2 name with blanks,NONE,1.1
 *
 * The user may be left out, and in the new format the directory.  On stdin there is
 *
 *	Update of /srv/cvs/mod/dir
 *	In directory host:/home/anna/mod/dir		(not ours to tell)
 *
 *	Modified Files:
 *	      Tag: BRANCH				(or No tag)
 *		f1 f2
 *	Log Message:
 *	...
 */
#define CVS_TRUNK "HEAD" /* the ref where there is no tag */

enum cvs_kind { CVS_COMMIT, CVS_IMPORT, CVS_DIRECTORY };

struct cvs_file {
	struct slice name;
	struct slice old_revision, new_revision; /* empty: there is none */
	size_t ref;				 /* its branch, in cvs_loginfo.ref */
};

enum { CVS_REFS_MAX = 100 }; /* of one directory; more count as the last one */

struct cvs_loginfo {
	enum cvs_kind kind;
	struct slice directory; /* below the repository */
	struct slice user;	/* may be empty */
	struct slice message;
	struct cvs_file *file;
	size_t file_count;
	struct slice ref[CVS_REFS_MAX];
	size_t ref_count; /* at least one */
};

/*
 * Points into what it is given.  BUS_E_DATA: CVS would not say that.
 * root: the repository; without a slash at its end.
 */
enum bus_code cvs_loginfo_parse(struct cvs_loginfo *ret, const struct slice *operand, size_t count,
				struct slice text, struct slice root, struct bus_err *err);
void cvs_loginfo_finish(struct cvs_loginfo *loginfo);

/* The repository's directory that stdin speaks of; empty: it does not. */
struct slice cvs_loginfo_update(struct slice text);

/* Of an RCS file's head: the commit id of a revision; empty where it has none. */
struct slice cvs_commit_id(struct slice rcs, struct slice revision);

#endif
