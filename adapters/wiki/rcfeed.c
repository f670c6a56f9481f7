#include "config.h"

#include "adapters/wiki/rcfeed_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/batch.h"
#include "adapters/common/say.h"
#include "adapters/wiki/rc_event.h"
#include "timestamp.h"

enum {
	DATAGRAMS_MAX = 2000, /* for one read() */
	MINUTE_US = 50 * 1000000
};

static enum bus_code load_cursor(struct rcfeed *feed, struct bus_err *err)
{
	char *text = NULL;
	enum bus_code rc;
	size_t len = 0;

	rc = watch_cursor(feed->watch, "seen", &text, &len, err);
	if (!rc && text) {
		rc = rc_seen_parse(&feed->seen, text, len, err);
		feed->is_begun = true;
	}
	free(text);
	return rc;
}

enum bus_code rcfeed_store_cursor(struct rcfeed *feed, struct adapter_batch *batch,
				  struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(ADAPTER_INPUT_MAX);
	enum bus_code rc;

	rc_seen_write(&text, &feed->seen);
	rc = bus_buf_check(&text, "rcfeed: the rows seen", err);
	if (!rc)
		rc = batch_cursor(batch, "seen", text.p, text.len, err);
	feed->is_begun = true;
	bus_buf_finish(&text);
	return rc;
}

enum bus_code rcfeed_open(void **ret, struct watch *watch, struct bus_err *err)
{
	const struct adapter_context *ctx = watch_context(watch);
	const char *api_url = bus_conf_option(ctx->service, "api-url");
	struct rcfeed *feed = calloc(1, sizeof(*feed));
	enum bus_code rc;

	if (!feed)
		return bus_fail(err, BUS_E_NOMEM, "rcfeed: out of memory");
	feed->watch = watch;
	feed->ctx = ctx;
	feed->fd = -1;
	feed->minute_us = bus_time_mono();
	rc = rcfeed_socket_open(&feed->fd, bus_conf_option(ctx->service, "rcfeed-address"),
				!api_url, err);
	if (!rc)
		rc = watch_descriptor(watch, feed->fd, err);
	if (!rc && api_url)
		rc = rc_api_open(&feed->api, api_url, err);
	if (!rc)
		rc = load_cursor(feed, err);
	feed->is_baseline = !feed->is_begun && !watch_from_start(watch);
	rcfeed_begin_scan(feed, true);
	if (rc)
		rcfeed_close(feed);
	else
		*ret = feed;
	return rc;
}

void rcfeed_close(void *input)
{
	struct rcfeed *feed = input;

	if (!feed)
		return;
	if (feed->fd >= 0) {
		watch_forget(feed->watch, feed->fd);
		close(feed->fd);
	}
	rc_api_close(feed->api);
	rc_seen_finish(&feed->seen);
	free(feed->scan.continuation);
	free(feed->server);
	free(feed->article_path);
	free(feed);
}

enum bus_code rcfeed_announce(struct rcfeed *feed, const struct recentchange *row, const void *raw,
			      size_t len, struct adapter_batch *batch, struct bus_err *err)
{
	const struct rc_site site = { feed->server, feed->article_path };
	enum wiki_kind kind = WIKI_PAGE_EDIT;
	struct bus_err why;

	switch (rc_event_meaning(row, &kind)) {
	case RC_MEANING_NOTHING:
		return BUS_OK;
	case RC_MEANING_PRIVATE:
		if (!feed->has_said_private)
			say(LOG_NOTICE, "rcfeed: a change that is hidden, or of a page named after "
					"an address, is not announced; more of them are not named");
		feed->has_said_private = true;
		return BUS_OK;
	case RC_MEANING_BROKEN:
		bus_fail(&why, BUS_E_DATA, "rcfeed: rcid %" PRIu64 ": no title, or no target",
			 row->id);
		return batch_reject(batch, raw, len, &why, err);
	case RC_MEANING_EVENT:
		break;
	}
	return rc_event_add(batch, feed->ctx, row, kind, &site, err);
}

static enum bus_code take_datagram(struct rcfeed *feed, size_t len, struct adapter_batch *batch,
				   struct bus_err *err)
{
	struct recentchange row = { 0 };
	struct bus_err why;
	enum bus_code rc;

	rc = recentchange_packet(&row, feed->datagram, len, &why);
	if (rc && rc != BUS_E_DATA)
		return bus_fail(err, rc, "%s", why.text);
	if (rc) {
		feed->bad++;
		if (!feed->api)
			return rcfeed_keep_bad(feed, len, &why, batch, err);
		rc_hints_add(&feed->hints, 0, bus_time_mono());
		return BUS_OK;
	}
	if (!feed->api)
		rc = rcfeed_believe(feed, &row, len, batch, err);
	else if (row.type != RECENTCHANGE_OTHER && !rc_seen_has(&feed->seen, &row))
		/* a number that is given again does not tell when its row is there */
		rc_hints_add(&feed->hints, rc_seen_has_id(&feed->seen, row.id) ? 0 : row.id,
			     bus_time_mono());
	recentchange_finish(&row);
	return rc;
}

static enum bus_code take_datagrams(struct rcfeed *feed, struct adapter_batch *batch,
				    struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	size_t i, len;

	for (i = 0; i < DATAGRAMS_MAX && !batch_is_full(batch); i++) {
		rc = rcfeed_socket_take(feed->fd, feed->datagram, &len, err);
		if (!rc)
			rc = take_datagram(feed, len, batch, err);
		if (rc)
			break;
	}
	batch->more = !rc;
	if (rc == BUS_E_NO)
		rc = BUS_OK;
	if (!rc && !feed->api && (i || !feed->is_begun))
		rc = rcfeed_store_cursor(feed, batch, err);
	return rc;
}

/* What the minute before had, said once. */
static bool begin_minute(struct rcfeed *feed)
{
	const int64_t now_us = bus_time_mono();

	if (now_us - feed->minute_us < MINUTE_US)
		return false;
	if (feed->bad)
		say(LOG_WARNING,
		    "rcfeed: %" PRIu64 " datagrams were not understood; is "
		    "$wgRCFeeds set to JSONRCFeedFormatter, and who else sends?",
		    feed->bad);
	if (feed->lost)
		say(LOG_WARNING,
		    "rcfeed: %" PRIu64 " changes were lost: no datagram came; set api-url, and "
		    "they are found",
		    feed->lost);
	feed->bad = feed->lost = feed->kept = 0;
	feed->minute_us = now_us;
	return true;
}

enum bus_code rcfeed_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct rcfeed *feed = input;
	const bool is_new_minute = begin_minute(feed);
	enum bus_code rc;

	rc = take_datagrams(feed, batch, err);
	if (!rc && feed->api)
		rc = rcfeed_ask(feed, is_new_minute, batch, err);
	return rc;
}
