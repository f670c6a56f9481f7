#include "config.h"

#include <string.h>

#include "adapters/planet/feed_event.h"
#include "adapters/planet/feed_parse.h"
#include "event.h"
#include "fuzz.h"
#include "json.h"

/* Whatever is in a post: the event is one that consumers accept. */
static void check_post(const struct feed_post *post, enum feed_news news)
{
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_draft draft = { .type = "org.debian.dev.planet.post.add" };
	struct bus_err err = { BUS_OK, "" };

	MUST(*post->id && strlen(post->id) <= FEED_URL_MAX && strlen(post->link) <= FEED_URL_MAX);
	MUST(digest_is_set(&post->key) && digest_is_set(&post->whole));
	MUST(bus_utf8_valid(post->id, strlen(post->id)) &&
	     bus_utf8_valid(post->title, strlen(post->title)));
	feed_event_write(&data, post, news, 0, FEED_TITLE_MAX, false);
	MUST(!data.failed);
	draft.subject = *post->link ? post->link : post->id;
	draft.data = data.p;
	draft.data_len = data.len;
	MUST(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, &err) == BUS_OK);
	bus_buf_finish(&data);
	bus_buf_finish(&body);
}

/* The input: a file that should be a feed. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_err err = { BUS_OK, "" };
	struct feed *feed = NULL;
	enum bus_code rc;
	size_t i, j;

	rc = feed_parse(&feed, (const char *)bytes, len, &err);
	MUST(rc == BUS_OK || (rc == BUS_E_DATA && *err.text && !feed));
	for (i = 0; feed && i < feed->count; i++) {
		check_post(feed->post[i], i % 2 ? FEED_ADD : FEED_EDIT);
		for (j = 0; j < i && j < 10; j++)
			MUST(memcmp(&feed->post[i]->key, &feed->post[j]->key,
				    sizeof(feed->post[i]->key)) != 0);
	}
	feed_free(feed);
	return 0;
}
