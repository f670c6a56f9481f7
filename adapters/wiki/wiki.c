#include "config.h"

#include "adapters/wiki/moin.h"
#include "adapters/wiki/rcfeed.h"

/* The wiki's inputs: of the software it runs, and of the one it will run. */
static const struct adapter_input inputs[] = {
	{ .name = "edit-log",
	  .option = "moin-data-directory",
	  .summary = "MoinMoin's edit-log",
	  .open = moin_open,
	  .read = moin_read,
	  .close = moin_close },
	{ .name = "rcfeed",
	  .option = "rcfeed-address",
	  .summary = "MediaWiki's recent changes",
	  .open = rcfeed_open,
	  .read = rcfeed_read,
	  .close = rcfeed_close },
	{ .name = NULL },
};

const struct adapter adapter_wiki = {
	.program = "debmsg-wiki",
	.service = "wiki",
	.input = inputs,
};
