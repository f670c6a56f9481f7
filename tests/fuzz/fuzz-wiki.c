#include "config.h"

#include <string.h>

#include "adapters/wiki/moin_line.h"
#include "adapters/wiki/page_name.h"
#include "adapters/wiki/wiki_event.h"
#include "event.h"
#include "fuzz.h"
#include "json.h"

static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_()";

static bool consists_of(const char *p, size_t len, const char *set)
{
	for (; len; p++, len--)
		if (!*p || !strchr(set, *p))
			return false;
	return true;
}

/* No address has only such characters, but for one that is a word or a number. */
static void check_mask(const char *bytes, size_t len)
{
	struct bus_buf masked = BUS_BUF_INIT(1 << 20);

	moin_line_mask(&masked, bytes, len);
	MUST(!masked.failed && masked.len <= len);
	MUST(consists_of(masked.p, masked.len,
			 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_()/*\t"));
	bus_buf_finish(&masked);
}

/* Whatever is in the line: the event is one that consumers accept. */
static void check_event(const struct moin_line *line, const char *page)
{
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_draft draft = { .type = "org.debian.dev.wiki.page.rename", .subject = page };
	const struct wiki_change change = {
		.kind = WIKI_PAGE_RENAME,
		.engine = "moinmoin",
		.time_us = line->time_us,
		.page = page,
		.revision = line->revision,
		.old_page = { line->extra.p, line->extra.len },
		.user_id = { line->user_id.p, line->user_id.len },
		.user = { line->comment.p, line->comment.len },
		.comment = { line->comment.p, line->comment.len },
	};
	struct bus_err err = { BUS_OK, "" };

	wiki_event_write(&data, &change, 500, "http://x/{page}");
	MUST(!data.failed);
	draft.data = data.p;
	draft.data_len = data.len;
	draft.time_us = line->time_us;
	MUST(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, &err) == BUS_OK);
	bus_buf_finish(&data);
	bus_buf_finish(&body);
}

static void check_line(const char *bytes, size_t len)
{
	struct bus_buf memory = BUS_BUF_INIT(1 << 20), page = BUS_BUF_INIT(PAGE_NAME_MAX);
	struct bus_buf file = BUS_BUF_INIT(1 << 20);
	struct moin_line line;
	const char *why = NULL;

	if (moin_line_read(&line, &memory, bytes, len, &why)) {
		MUST(!why && line.time_us >= 0 && line.torn <= len);
		MUST(consists_of(line.user_id.p, line.user_id.len, "0123456789."));
		if (moin_line_file(&file, &line))
			MUST(file.len && file.len <= 255);
		if (page_name_read(&page, line.page.p, line.page.len, &why)) {
			MUST(consists_of(line.page.p, line.page.len, safe));
			MUST(strlen(page.p) == page.len && bus_utf8_valid(page.p, page.len));
			check_event(&line, page.p);
		}
	} else {
		MUST(why != NULL);
	}
	bus_buf_finish(&memory);
	bus_buf_finish(&page);
	bus_buf_finish(&file);
}

/* The input: a line of MoinMoin's edit-log. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len ? len : 1); /* not longer, so that reading beyond it is seen */

	MUST(text != NULL);
	memcpy(text, bytes, len);
	check_mask(text, len);
	if (len < 8000) /* six bytes of JSON for one of ours, several times */
		check_line(text, len);
	free(text);
	return 0;
}
