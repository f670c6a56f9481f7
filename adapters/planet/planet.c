#include "config.h"

#include "adapters/adapter.h"
#include "adapters/planet/feed.h"
#include "adapters/planet/subscriptions.h"

/* What a Planet writes, and what it is told to read. */
static const struct adapter_input inputs[] = {
	{
		.name = "feed",
		.option = "feed-file",
		.summary = "the planet's own atom.xml: posts",
		.open = feed_open,
		.read = feed_read,
		.stored = feed_stored,
		.close = feed_close,
	},
	{
		.name = "subscriptions",
		.option = "config-file",
		.summary = "the planet's config.ini: feeds",
		.open = subscriptions_open,
		.read = subscriptions_read,
		.close = subscriptions_close,
	},
	{ .name = NULL },
};

const struct adapter adapter_planet = {
	.program = "debmsg-planet",
	.service = "planet",
	.input = inputs,
};
