#include "config.h"

#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/wiki/address.h"
#include "adapters/wiki/rc_event.h"
#include "adapters/wiki/rc_seen.h"
#include "event.h"
#include "fuzz.h"

/* Whatever a row has, its event is one that consumers accept, and names nobody by an address. */
static void check_row(const struct recentchange *row)
{
	char **options[64] = { NULL }; /* none is given */
	struct bus_conf conf = { .environment = (char *)"dev",
				 .max_event_size = BUS_BODY_MAX_DEFAULT };
	const struct bus_conf_service service = { .name = (char *)"wiki",
						  .origin = (char *)"a.example/wiki",
						  .option = options };
	const struct adapter_context ctx = { "fuzz", &conf, &service };
	const struct rc_site site = { "//w.example", "/wiki/$1" };
	struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct rc_seen seen = { 0 };
	struct adapter_batch batch;
	struct bus_draft draft;
	enum wiki_kind kind;

	MUST(rc_seen_is_new(&seen, row));
	MUST(rc_seen_add(&seen, row, NULL) == BUS_OK);
	rc_seen_finish(&seen);
	if (rc_event_meaning(row, &kind) != RC_MEANING_EVENT)
		return;
	batch_init(&batch);
	MUST(rc_event_add(&batch, &ctx, row, kind, &site, NULL) == BUS_OK);
	MUST(batch.count == 1);
	draft = (struct bus_draft){ .type = batch.event[0].type,
				    .subject = "x",
				    .data = batch.event[0].data.p,
				    .data_len = batch.event[0].data.len };
	MUST(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, NULL) == BUS_OK);
	MUST(!row->user || !row->is_anonymous || !strstr(draft.data, "\"user\""));
	bus_buf_finish(&body);
	batch_finish(&batch);
}

static void check_seen(const char *text, size_t len)
{
	struct bus_buf out = BUS_BUF_INIT(1 << 22);
	struct rc_seen seen = { 0 }, again = { 0 };

	if (rc_seen_parse(&seen, text, len, NULL) == BUS_OK) {
		rc_seen_write(&out, &seen);
		MUST(rc_seen_parse(&again, out.p, out.len, NULL) == BUS_OK);
		MUST(again.count == seen.count && again.settled_s == seen.settled_s);
	}
	rc_seen_finish(&seen);
	rc_seen_finish(&again);
	bus_buf_finish(&out);
}

static void check_mask(const char *text, size_t len)
{
	struct bus_buf out = BUS_BUF_INIT(1 << 22);

	address_mask(&out, text, len);
	MUST(!out.failed);
	MUST(address_in(text, len) == (out.len != len || (len && memcmp(out.p, text, len) != 0)));
	bus_buf_finish(&out);
}

/* The input: a datagram, a reply of the API, or a cursor. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct recentchange_reply reply;
	struct recentchange row;
	char *text = malloc(len + 1);
	struct bus_err err;
	size_t i;

	MUST(text != NULL);
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (recentchange_packet(&row, text, len, &err) == BUS_OK) {
		check_row(&row);
		recentchange_finish(&row);
	}
	if (recentchange_reply(&reply, text, len, &err) == BUS_OK) {
		for (i = 0; i < reply.count; i++)
			check_row(&reply.row[i]);
		recentchange_reply_finish(&reply);
	}
	check_seen(text, len);
	check_mask(text, len);
	free(text);
	return 0;
}
