#include "config.h"

#include "adapters/wiki/rcfeed_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "adapters/common/say.h"
#include "timestamp.h"

enum {
	LATE_S = 600,	  /* so long after its time a row may appear */
	QUICK_S = 5,	  /* how far back a question looks where nothing is amiss */
	SEEN_MAX = 20000, /* rows kept */
	HOLD_MS = 60 * 1000,
	RESCAN_US = 60 * 1000 * 1000
};

static enum bus_code learn_site(struct rcfeed *feed, const struct recentchange_reply *reply,
				struct bus_err *err)
{
	if (feed->server || !reply->server || !reply->article_path)
		return BUS_OK;
	feed->server = strdup(reply->server);
	feed->article_path = strdup(reply->article_path);
	return feed->server && feed->article_path
		       ? BUS_OK
		       : bus_fail(err, BUS_E_NOMEM, "rcfeed: out of memory");
}

static enum bus_code ask(struct rcfeed *feed, const struct rc_api_question *question,
			 struct recentchange_reply *ret, struct bus_err *err)
{
	long retry_s = 0;
	enum bus_code rc;

	rc = rc_api_ask(feed->api, question, ret, &retry_s, err);
	if (rc) {
		watch_hold(feed->watch, retry_s * 1000);
		return rc;
	}
	feed->wiki_now_s = ret->now_us / 1000000;
	return learn_site(feed, ret, err);
}

/* By the wiki's clock, what is there before the first look begins in a moment. */
static enum bus_code find_beginning(struct rcfeed *feed, struct bus_err *err)
{
	const struct rc_api_question question = { .only_newest = true, .with_site = true };
	struct recentchange_reply reply = { 0 };
	enum bus_code rc;

	rc = ask(feed, &question, &reply, err);
	if (!rc) {
		feed->seen.settled_s = feed->wiki_now_s > LATE_S ? feed->wiki_now_s - LATE_S : 1;
		feed->scan.from_s = feed->seen.settled_s;
	}
	recentchange_reply_finish(&reply);
	return rc;
}

static enum bus_code take_rows(struct rcfeed *feed, const struct recentchange_reply *reply,
			       struct adapter_batch *batch, bool *ret_changed, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	const size_t before = feed->seen.count;
	char raw[64];
	size_t i;

	for (i = 0; i < reply->count && !rc; i++) {
		const struct recentchange *row = &reply->row[i];
		const int64_t row_s = row->time_us / 1000000;
		const int n = snprintf(raw, sizeof(raw), "rcid %" PRIu64 "\n", row->id);

		feed->newest_s = row_s > feed->newest_s ? row_s : feed->newest_s;
		if (!feed->is_baseline && rc_seen_is_new(&feed->seen, row))
			rc = rcfeed_announce(feed, row, raw, (size_t)n, batch, err);
		if (!rc)
			rc = rc_seen_add(&feed->seen, row, err);
	}
	if (reply->without_id && !feed->has_said_without_id)
		say(LOG_WARNING,
		    "rcfeed: the API gives rows without rcid or time, %zu at once; ignoring, and "
		    "more of them are not named",
		    reply->without_id);
	feed->has_said_without_id = feed->has_said_without_id || reply->without_id;
	*ret_changed = feed->seen.count != before;
	return rc;
}

/* The list is in the order of time and id, so each page ends behind the one before. */
static bool is_further(struct scan *scan, const struct recentchange_reply *reply)
{
	const struct recentchange *last = reply->count ? &reply->row[reply->count - 1] : NULL;

	if (!last || last->time_us < scan->last_us ||
	    (last->time_us == scan->last_us && last->id <= scan->last_id))
		return false;
	scan->last_us = last->time_us;
	scan->last_id = last->id;
	return true;
}

/* More pages follow: what they begin with is as far as we are. */
static enum bus_code go_on(struct rcfeed *feed, struct recentchange_reply *reply,
			   struct bus_err *err)
{
	struct scan *scan = &feed->scan;
	const int64_t late_s = scan->begin_s - LATE_S;
	int64_t far_s;

	if (!is_further(scan, reply)) {
		watch_hold(feed->watch, HOLD_MS);
		return bus_fail(err, BUS_E_UNAVAILABLE, "the API's list of changes does not go on");
	}
	far_s = scan->last_us / 1000000;
	far_s = far_s < late_s ? far_s : late_s;
	if (scan->is_full && !feed->is_baseline && far_s > feed->seen.settled_s)
		rc_seen_settle(&feed->seen, far_s);
	free(scan->continuation);
	scan->continuation = reply->continuation;
	reply->continuation = NULL;
	return BUS_OK;
}

void rcfeed_begin_scan(struct rcfeed *feed, bool full)
{
	const int64_t settled_s = feed->seen.settled_s, now_s = feed->wiki_now_s;
	int64_t from_s;

	if (full) {
		from_s = now_s && now_s - LATE_S < settled_s ? now_s - LATE_S : settled_s;
	} else {
		from_s = (feed->newest_s < now_s ? feed->newest_s : now_s) - QUICK_S;
		from_s = from_s > settled_s ? from_s : settled_s;
	}
	feed->scan.is_on = true;
	feed->scan.is_full = full;
	feed->scan.last_us = 0;
	feed->scan.last_id = 0;
	feed->scan.from_s = from_s;
}

/* Once a minute, should the clock go back again and again; the next minute begins there too. */
static bool may_rescan(struct rcfeed *feed)
{
	const int64_t now_us = bus_time_mono();

	if (feed->rescan_us && now_us - feed->rescan_us < RESCAN_US)
		return false;
	feed->rescan_us = now_us;
	return true;
}

static void end_scan(struct rcfeed *feed)
{
	struct scan *scan = &feed->scan;
	const int64_t late_s = scan->begin_s > LATE_S ? scan->begin_s - LATE_S : 1;

	rc_hints_asked(&feed->hints, &feed->seen, bus_time_mono());
	feed->is_baseline = false;
	scan->is_on = false;
	free(scan->continuation);
	scan->continuation = NULL;
	if (!scan->is_full)
		return;
	/* where the wiki's clock was set back, first all from there on; less is only its servers */
	if (late_s >= scan->from_s - LATE_S / 2)
		rc_seen_settle(&feed->seen, late_s > scan->from_s ? late_s : scan->from_s);
	else if (may_rescan(feed))
		rcfeed_begin_scan(feed, true);
}

static enum bus_code read_page(struct rcfeed *feed, struct adapter_batch *batch,
			       struct bus_err *err)
{
	struct scan *scan = &feed->scan;
	const struct rc_api_question question = {
		.from_s = scan->from_s,
		.continuation = scan->continuation,
		.with_site = !feed->server && !bus_conf_option(feed->ctx->service, "url"),
	};
	struct recentchange_reply reply = { 0 };
	bool has_changed = false;
	enum bus_code rc;

	rc = ask(feed, &question, &reply, err);
	if (!rc && !scan->continuation)
		scan->begin_s = feed->wiki_now_s;
	if (!rc)
		rc = take_rows(feed, &reply, batch, &has_changed, err);
	if (!rc && reply.continuation)
		rc = go_on(feed, &reply, err);
	else if (!rc)
		end_scan(feed);
	rc_seen_limit(&feed->seen, SEEN_MAX);
	/* half a baseline would make news of the other half */
	if (!rc && !feed->is_baseline && (has_changed || !feed->is_begun))
		rc = rcfeed_store_cursor(feed, batch, err);
	recentchange_reply_finish(&reply);
	if (!rc && !scan->is_on && !feed->hints.due_us)
		rc_api_rest(feed->api);
	return rc;
}

enum bus_code rcfeed_ask(struct rcfeed *feed, bool is_new_minute, struct adapter_batch *batch,
			 struct bus_err *err)
{
	const int64_t now_us = bus_time_mono();
	enum bus_code rc = BUS_OK;
	int64_t wait_ms;

	if (!feed->scan.is_on && is_new_minute)
		rcfeed_begin_scan(feed, true);
	else if (!feed->scan.is_on && rc_hints_is_due(&feed->hints, now_us))
		rcfeed_begin_scan(feed, rc_hints_is_doubtful(&feed->hints));
	if (feed->is_baseline && !feed->scan.from_s)
		rc = find_beginning(feed, err);
	if (!rc && feed->scan.is_on)
		rc = read_page(feed, batch, err);
	wait_ms = rc_hints_wait_ms(&feed->hints, bus_time_mono());
	if (wait_ms >= 0)
		watch_timer(feed->watch, wait_ms);
	batch->more = batch->more || feed->scan.is_on;
	return rc;
}
