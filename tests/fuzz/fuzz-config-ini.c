#include "config.h"

#include <string.h>

#include "adapters/planet/config_ini.h"
#include "adapters/planet/subscriptions.h"
#include "event.h"
#include "fuzz.h"
#include "json.h"

static void check_feed(const struct config_feed *feed)
{
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_draft draft = { .type = "org.debian.dev.planet.feed.rename" };
	struct bus_err err = { BUS_OK, "" };

	/* the cursor has them in lines, separated by TAB */
	MUST(*feed->url && !strpbrk(feed->url, "\t\n") && !strpbrk(feed->name, "\t\n"));
	MUST(bus_utf8_valid(feed->url, strlen(feed->url)) &&
	     bus_utf8_valid(feed->name, strlen(feed->name)));
	subscriptions_write(&data, "renamed", feed, feed->face);
	MUST(!data.failed);
	draft.subject = feed->url;
	draft.data = data.p;
	draft.data_len = data.len;
	MUST(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, &err) == BUS_OK);
	bus_buf_finish(&data);
	bus_buf_finish(&body);
}

/* The input: a file that should be a planet's configuration. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_err err = { BUS_OK, "" };
	struct config *config = NULL;
	enum bus_code rc;
	size_t i;

	rc = config_parse(&config, (const char *)bytes, len, &err);
	MUST(rc == BUS_OK || (rc == BUS_E_DATA && *err.text && !config));
	for (i = 0; config && i < config->count; i++) {
		check_feed(&config->feed[i]);
		MUST(!i || strcmp(config->feed[i - 1].url, config->feed[i].url) < 0);
	}
	config_free(config);
	return 0;
}
