#include "config.h"

#include "adapters/wiki/wiki_event.h"

#include <inttypes.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/common/text.h"
#include "adapters/wiki/address.h"
#include "event.h"
#include "json.h"

/* Characters: MediaWiki's limit (MoinMoin's is 201), and so many that none behind them is shown,
 * however much is masked. */
enum { COMMENT_MAX = 500, COMMENT_READ = 4000 };

const char *const wiki_kind_type[WIKI_KIND_COUNT] = {
	[WIKI_PAGE_CREATE] = "page.create",
	[WIKI_PAGE_EDIT] = "page.edit",
	[WIKI_PAGE_DELETE] = "page.delete",
	[WIKI_PAGE_RENAME] = "page.rename",
	[WIKI_PAGE_REVERT] = "page.revert",
	[WIKI_ATTACHMENT_ADD] = "attachment.add",
	[WIKI_ATTACHMENT_REMOVE] = "attachment.remove",
	[WIKI_ATTACHMENT_DRAW] = "attachment.draw",
};

/* What each is called in a summary: "<page>: <words> [<name>] [by <user>][: <comment>]". */
static const char *const words_of[WIKI_KIND_COUNT] = {
	[WIKI_PAGE_CREATE] = "created",
	[WIKI_PAGE_EDIT] = "edited",
	[WIKI_PAGE_DELETE] = "deleted",
	[WIKI_PAGE_RENAME] = "renamed from",
	[WIKI_PAGE_REVERT] = "reverted",
	[WIKI_ATTACHMENT_ADD] = "attached",
	[WIKI_ATTACHMENT_REMOVE] = "removed attachment",
	[WIKI_ATTACHMENT_DRAW] = "changed drawing",
};

/* MediaWiki's name for who is not logged in; "<wiki>>" before it: imported from there. */
static bool has_user(const struct wiki_change *change)
{
	return change->user.len && !address_in(change->user.p, change->user.len);
}

static bool is_edit(const struct wiki_change *change)
{
	return change->kind == WIKI_PAGE_EDIT || change->kind == WIKI_PAGE_REVERT;
}

static void add_named(struct bus_buf *out, const char *before, struct wiki_text name)
{
	if (!name.len)
		return;
	bus_buf_puts(out, before);
	bus_buf_add(out, name.p, name.len);
}

static void write_summary(struct bus_json *js, const struct wiki_change *change,
			  struct wiki_text comment)
{
	struct bus_buf text = BUS_BUF_INIT(64 * 1024), line = BUS_BUF_INIT(4 * 1024);

	bus_buf_printf(&text, "%s: %s", change->page, words_of[change->kind]);
	add_named(&text, " ", change->old_page);
	add_named(&text, " ", change->file);
	if (change->reverted_to)
		bus_buf_printf(&text, " to revision %" PRIu64, change->reverted_to);
	if (has_user(change))
		add_named(&text, " by ", change->user);
	add_named(&text, ": ", comment);
	if (text.p)
		text_line(&line, text.p, text.len, BUS_SUMMARY_MAX);
	bus_json_bytes(js, "summary", line.p ? line.p : "", line.len);
	js->out->failed = js->out->failed || text.failed || line.failed;
	bus_buf_finish(&text);
	bus_buf_finish(&line);
}

/* {page}; any other brace stays as it is. */
static void write_url(struct bus_json *js, const struct wiki_change *change, const char *template)
{
	static const char name[] = "{page}";
	struct bus_buf url = BUS_BUF_INIT(64 * 1024);
	const char *next;

	for (; (next = strstr(template, name)); template = next + sizeof(name) - 1) {
		bus_buf_add(&url, template, (size_t)(next - template));
		text_percent(&url, change->page, strlen(change->page));
	}
	bus_buf_puts(&url, template);
	if (url.p)
		bus_json_bytes(js, "url", url.p, url.len);
	js->out->failed = js->out->failed || url.failed;
	bus_buf_finish(&url);
}

static void write_text(struct bus_json *js, const char *name, struct wiki_text text)
{
	if (text.len)
		bus_json_bytes(js, name, text.p, text.len);
}

/* Addresses are masked before it is cut, where half of one would stay. */
static void write_comment(struct bus_buf *out, struct wiki_text comment, size_t max)
{
	struct bus_buf line = BUS_BUF_INIT(16 * 1024), masked = BUS_BUF_INIT(64 * 1024);

	text_line(&line, comment.p, comment.len, COMMENT_READ);
	if (line.p)
		address_mask(&masked, line.p, line.len);
	if (masked.p)
		text_line(out, masked.p, masked.len, max);
	out->failed = out->failed || line.failed || masked.failed;
	bus_buf_finish(&line);
	bus_buf_finish(&masked);
}

static void write_number(struct bus_json *js, const char *name, uint64_t number)
{
	if (number)
		bus_json_uint(js, name, number);
}

void wiki_event_write(struct bus_buf *out, const struct wiki_change *change,
		      size_t comment_characters, const char *url_template)
{
	struct bus_buf comment = BUS_BUF_INIT(64 * 1024);
	struct bus_json js = { out, false };
	struct wiki_text shown;

	if (comment_characters)
		write_comment(&comment, change->comment, comment_characters);
	shown = (struct wiki_text){ comment.p, comment.len };
	bus_json_open(&js, NULL, '{');
	write_summary(&js, change, shown);
	if (change->url)
		bus_json_text(&js, "url", change->url);
	else if (url_template)
		write_url(&js, change, url_template);
	bus_json_text(&js, "engine", change->engine);
	bus_json_text(&js, "page", change->page);
	if (change->kind == WIKI_PAGE_RENAME)
		write_text(&js, "old_page", change->old_page);
	if (change->kind >= WIKI_ATTACHMENT_ADD)
		write_text(&js, "file", change->file);
	write_number(&js, "revision", change->revision);
	if (is_edit(change))
		write_number(&js, "old_revision", change->old_revision);
	if (change->kind == WIKI_PAGE_REVERT)
		write_number(&js, "reverted_to", change->reverted_to);
	write_text(&js, "user_id", change->user_id);
	if (has_user(change))
		write_text(&js, "user", change->user);
	write_text(&js, "comment", shown);
	if (change->minor)
		bus_json_bool(&js, "minor", true);
	if (change->bot)
		bus_json_bool(&js, "bot", true);
	bus_json_close(&js, '}');
	out->failed = out->failed || comment.failed;
	bus_buf_finish(&comment);
}

enum bus_code wiki_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			     const struct wiki_change *change, size_t number, const char *raw,
			     size_t len, struct bus_err *err)
{
	static const struct {
		size_t comment;
		bool url;
	} detail[] = { { COMMENT_MAX, true }, { 60, true }, { 0, true }, { 0, false } };
	const size_t n = sizeof(detail) / sizeof(*detail);
	const char *url = bus_conf_option(ctx->service, "url");
	const char *type = wiki_kind_type[change->kind];
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct wiki_change shown = *change;
	enum bus_code rc = BUS_E_DATA;
	size_t i;

	for (i = 0; i < n && rc == BUS_E_DATA; i++) {
		bus_buf_clear(&data);
		shown.url = detail[i].url ? change->url : NULL;
		wiki_event_write(&data, &shown, detail[i].comment, detail[i].url ? url : NULL);
		rc = bus_buf_check(&data, "wiki: event", err);
		if (!rc)
			rc = batch_try(ctx, type, change->page, &data, err);
	}
	/* what does not fit at all is for the outbox to refuse, and to keep */
	if (!rc || rc == BUS_E_DATA)
		rc = batch_add(batch, ctx, type, change->page, change->time_us, &data, number, raw,
			       len, err);
	bus_buf_finish(&data);
	return rc;
}
