#include "config.h"

#include "fault_rcfeed.h"

#include <stdio.h>
#include <stdlib.h>

#include "adapters/common/batch.h"
#include "adapters/common/store.h"
#include "adapters/wiki/rc_event.h"
#include "adapters/wiki/rc_seen.h"
#include "adapters/wiki/recentchange.h"
#include "fault_run.h"

struct feed {
	struct adapter_context ctx;
	struct bus_conf *conf;
	struct bus_outbox *box;
	struct adapter_batch batch;
	struct rc_seen seen;
};

static const struct rc_site site = { "//wiki.example.org", "/wiki/$1" };

/* As rcfeed.c does it; `seen` is the cursor. */
static enum bus_code announce(struct feed *feed, const struct recentchange *row,
			      struct bus_err *err)
{
	enum wiki_kind kind;

	if (!rc_seen_is_new(&feed->seen, row))
		return BUS_OK;
	if (rc_event_meaning(row, &kind) == RC_MEANING_EVENT) {
		const enum bus_code rc = rc_event_add(&feed->batch, &feed->ctx, row, kind, &site,
						      err);

		if (rc)
			return rc;
	}
	return rc_seen_add(&feed->seen, row, err);
}

static enum bus_code take_datagram(struct feed *feed, const char *bytes, size_t len,
				   struct bus_err *err)
{
	struct recentchange row = { 0 };
	enum bus_code rc = recentchange_packet(&row, bytes, len, err);

	if (!rc)
		rc = announce(feed, &row, err);
	recentchange_finish(&row);
	return rc;
}

static enum bus_code take_reply(struct feed *feed, const char *bytes, size_t len,
				struct bus_err *err)
{
	struct recentchange_reply reply = { 0 };
	enum bus_code rc = recentchange_reply(&reply, bytes, len, err);
	size_t i;

	for (i = 0; !rc && i < reply.count; i++)
		rc = announce(feed, &reply.row[i], err);
	recentchange_reply_finish(&reply);
	return rc;
}

static enum bus_code load_seen(struct feed *feed, struct bus_err *err)
{
	char *text = NULL;
	size_t len = 0;
	enum bus_code rc;

	rc = bus_outbox_cursor_get(feed->box, "rcfeed/seen", &text, &len, err);
	if (!rc && text)
		rc = rc_seen_parse(&feed->seen, text, len, err);
	free(text);
	return rc;
}

static enum bus_code store(struct feed *feed, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(ADAPTER_INPUT_MAX);
	size_t refused;
	enum bus_code rc;

	rc_seen_write(&text, &feed->seen);
	rc = bus_buf_check(&text, "rcfeed", err);
	if (!rc)
		rc = batch_cursor(&feed->batch, "seen", text.p, text.len, err);
	if (!rc)
		rc = bus_outbox_begin(feed->box, err);
	if (!rc)
		rc = store_batch(feed->box, "rcfeed", "id", &feed->batch, &refused, err);
	if (!rc)
		rc = bus_outbox_commit(feed->box, err);
	bus_buf_finish(&text);
	return rc;
}

static enum bus_code run(struct feed *feed, char text[3][4000], const size_t len[3],
			 struct bus_err *err)
{
	enum bus_code rc;

	rc = bus_conf_load(&feed->conf, NULL, err);
	feed->ctx.program = "debmsg-wiki";
	feed->ctx.conf = feed->conf;
	if (!rc)
		rc = bus_conf_service(feed->conf, "wiki", &feed->ctx.service, err);
	if (!rc)
		rc = store_open(&feed->box, &feed->ctx, true, 100, err);
	if (!rc)
		rc = load_seen(feed, err);
	if (!rc)
		rc = take_datagram(feed, text[0], len[0], err);
	if (!rc)
		rc = take_datagram(feed, text[1], len[1], err);
	if (!rc)
		rc = take_reply(feed, text[2], len[2], err);
	return rc ? rc : store(feed, err);
}

int fault_rcfeed_run(void)
{
	static const char *const name[] = { "move", "upload", "reply" };
	static char text[3][4000];
	struct feed feed = { .conf = NULL };
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc = BUS_OK;
	size_t len[3];
	int i;

	for (i = 0; i < 3; i++) {
		FILE *file = fopen(name[i], "r");

		if (!file)
			return fault_status(bus_fail(&err, BUS_E_TEMP, "%s", name[i]), &err);
		setvbuf(file, NULL, _IONBF, 0);
		len[i] = fread(text[i], 1, sizeof(text[i]) - 1, file);
		fclose(file);
	}
	batch_init(&feed.batch);
	rc = run(&feed, text, len, &err);
	batch_finish(&feed.batch);
	rc_seen_finish(&feed.seen);
	bus_outbox_close(feed.box);
	bus_conf_free(feed.conf);
	return rc ? fault_status(rc, &err) : 0;
}
