#include "config.h"

#include "adapters/alioth/git.h"

/* The hooks of Alioth's version control systems. */
static const struct adapter_hook hooks[] = {
	{ "git", "post-receive", "a push to a Git repository", git_capture, git_convert },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct adapter adapter_alioth = {
	.program = "debmsg-alioth",
	.service = "alioth",
	.hook = hooks,
};
