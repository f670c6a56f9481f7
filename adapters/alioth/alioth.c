#include "config.h"

#include "adapters/alioth/bzr.h"
#include "adapters/alioth/cvs.h"
#include "adapters/alioth/darcs.h"
#include "adapters/alioth/git.h"
#include "adapters/alioth/hg.h"
#include "adapters/alioth/svn.h"

/* The hooks of Alioth's version control systems. */
static const struct adapter_hook hooks[] = {
	{ "git", "post-receive", "a push to a Git repository", git_capture, git_convert },
	{ "svn", "post-commit post-revprop-change", "a revision in a Subversion repository",
	  svn_capture, svn_convert },
	{ "hg", NULL, "a push to a Mercurial repository", hg_capture, hg_convert },
	{ "cvs", NULL, "a commit to a CVS repository (loginfo)", cvs_capture, cvs_convert },
	{ "bzr", NULL, "a new tip of a Bazaar branch (the plugin debmsg.py)", bzr_capture,
	  bzr_convert },
	{ "darcs", NULL, "a push to a darcs repository (apply posthook)", darcs_capture,
	  darcs_convert },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct adapter adapter_alioth = {
	.program = "debmsg-alioth",
	.service = "alioth",
	.hook = hooks,
};
