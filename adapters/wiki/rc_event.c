#include "config.h"

#include "adapters/wiki/rc_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapters/common/text.h"
#include "adapters/wiki/address.h"

/* includes/Defines.php */
enum { NS_USER = 2, NS_USER_TALK = 3, NS_FILE = 6 };
enum { URL_MAX = 16 * 1024 };

static const struct {
	const char *type, *action; /* action NULL: each */
	enum wiki_kind kind, kind_of_file;
} log_kind[] = {
	{ "delete", "delete", WIKI_PAGE_DELETE, WIKI_ATTACHMENT_REMOVE },
	{ "delete", "delete_redir", WIKI_PAGE_DELETE, WIKI_PAGE_DELETE },
	{ "delete", "delete_redir2", WIKI_PAGE_DELETE, WIKI_PAGE_DELETE },
	{ "delete", "restore", WIKI_PAGE_CREATE, WIKI_ATTACHMENT_ADD },
	{ "move", NULL, WIKI_PAGE_RENAME, WIKI_PAGE_RENAME },
	{ "upload", NULL, WIKI_ATTACHMENT_ADD, WIKI_ATTACHMENT_ADD },
	{ "import", NULL, WIKI_PAGE_EDIT, WIKI_PAGE_EDIT },
};

static bool log_means(const struct recentchange *row, enum wiki_kind *ret)
{
	size_t i;

	if (!row->log_type || !row->log_action)
		return false;
	for (i = 0; i < sizeof(log_kind) / sizeof(*log_kind); i++)
		if (strcmp(row->log_type, log_kind[i].type) == 0 &&
		    (!log_kind[i].action || strcmp(row->log_action, log_kind[i].action) == 0)) {
			*ret = row->namespace == NS_FILE ? log_kind[i].kind_of_file
							 : log_kind[i].kind;
			return true;
		}
	return false;
}

static bool is_address(const char *text)
{
	return text && address_in(text, strlen(text));
}

/* The target of a move may be in another namespace, which a datagram does not say. */
static bool names_an_address(const struct recentchange *row)
{
	if (row->target && (is_address(row->title) || is_address(row->target)))
		return true;
	if (row->namespace == NS_USER || row->namespace == NS_USER_TALK)
		return is_address(row->title);
	return address_is_part(row->title, strlen(row->title)); /* extensions have more of them */
}

enum rc_meaning rc_event_meaning(const struct recentchange *row, enum wiki_kind *ret)
{
	if (row->type == RECENTCHANGE_OTHER)
		return RC_MEANING_NOTHING;
	if (row->is_hidden)
		return RC_MEANING_PRIVATE;
	if (row->type == RECENTCHANGE_EDIT)
		*ret = row->is_revert ? WIKI_PAGE_REVERT : WIKI_PAGE_EDIT;
	else if (row->type == RECENTCHANGE_NEW)
		*ret = WIKI_PAGE_CREATE;
	else if (!log_means(row, ret))
		return RC_MEANING_NOTHING;
	if (!row->title || !*row->title ||
	    (*ret == WIKI_PAGE_RENAME && (!row->target || !*row->target)))
		return RC_MEANING_BROKEN;
	return names_an_address(row) ? RC_MEANING_PRIVATE : RC_MEANING_EVENT;
}

/* As the wiki itself does: underscores for blanks. */
static void write_url(struct bus_buf *out, const struct rc_site *site, const char *page)
{
	const char *mark = site->article_path ? strstr(site->article_path, "$1") : NULL;

	if (!mark || !site->server || !*page)
		return;
	if (strncmp(site->server, "//", 2) == 0)
		bus_buf_puts(out, "https:");
	else if (strncmp(site->server, "https://", 8) != 0 &&
		 strncmp(site->server, "http://", 7) != 0)
		return;
	bus_buf_puts(out, site->server);
	bus_buf_add(out, site->article_path, (size_t)(mark - site->article_path));
	for (; *page; page++)
		text_percent(out, *page == ' ' ? "_" : page, 1);
	bus_buf_puts(out, mark + 2);
}

static struct wiki_text text(const char *p)
{
	return (struct wiki_text){ p, p ? strlen(p) : 0 };
}

static struct wiki_text after_colon(const char *title)
{
	const char *colon = strchr(title, ':');

	return text(colon && colon[1] ? colon + 1 : title);
}

/* What a row has, as the event has it. */
static void fill(struct wiki_change *change, const struct recentchange *row, char id[32])
{
	change->engine = "mediawiki";
	change->time_us = row->time_us;
	change->page = row->title;
	change->revision = row->revision;
	change->old_revision = row->old_revision;
	change->minor = row->is_minor;
	change->bot = row->is_bot;
	if (change->kind == WIKI_PAGE_RENAME) {
		change->page = row->target;
		change->old_page = text(row->title);
	}
	if (change->kind >= WIKI_ATTACHMENT_ADD)
		change->file = after_colon(row->title);
	if (!row->is_anonymous && !is_address(row->user)) {
		change->user = text(row->user);
		if (row->user_id)
			snprintf(id, 32, "%" PRIu64, row->user_id);
		change->user_id = text(id);
	}
	change->comment = text(row->comment);
}

enum bus_code rc_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			   const struct recentchange *row, enum wiki_kind kind,
			   const struct rc_site *site, struct bus_err *err)
{
	struct bus_buf url = BUS_BUF_INIT(URL_MAX);
	struct wiki_change change = { .kind = kind };
	char id[32] = "", raw[64];
	enum bus_code rc;

	fill(&change, row, id);
	if (!bus_conf_option(ctx->service, "url"))
		write_url(&url, site, change.page);
	if (url.len && !url.failed)
		change.url = url.p;
	snprintf(raw, sizeof(raw), "rcid %" PRIu64 "\n", row->id);
	if (url.failed && !url.over)
		rc = bus_buf_check(&url, "rcfeed: url", err);
	else
		rc = wiki_event_add(batch, ctx, &change, 1, raw, strlen(raw), err);
	bus_buf_finish(&url);
	return rc;
}
