#include "config.h"

#include "adapters/planet/feed_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapters/planet/feed_date.h"
#include "adapters/planet/html_text.h"
#include "adapters/planet/url_resolve.h"

/* -- addresses -- */

static const char *base_of(const struct feed_reader *p)
{
	return p->base_count ? p->base[p->base_count - 1].url : "";
}

/* What is too long is left out, but not what there is no memory for. */
static void note_failure(struct feed_reader *p, const struct bus_buf *buf)
{
	p->failed = p->failed || (buf->failed && !buf->over);
}

/* A base is written once and gone through for each link, so that is counted. */
static void resolve(struct feed_reader *p, struct bus_buf *out, const char *base, const char *url)
{
	p->resolved += strlen(base);
	if (p->resolved <= FEED_RESOLVED_MAX)
		url_resolve(out, base, url);
}

enum bus_code feed_push_base(struct feed_reader *p, const char *url, struct bus_err *err)
{
	struct bus_buf whole = BUS_BUF_INIT(FEED_URL_MAX + 1);

	if (p->base_count == FEED_BASES_MAX || strlen(url) > FEED_URL_MAX)
		return BUS_OK;
	resolve(p, &whole, base_of(p), url);
	bus_buf_add(&whole, "", 1);
	if (whole.failed) {
		bus_buf_finish(&whole);
		return whole.over ? BUS_OK : bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
	}
	p->base[p->base_count].depth = p->depth;
	p->base[p->base_count++].url = bus_buf_detach(&whole);
	return BUS_OK;
}

void feed_pop_base(struct feed_reader *p)
{
	while (p->base_count && p->base[p->base_count - 1].depth >= p->depth)
		free(p->base[--p->base_count].url);
}

void feed_set_url(struct feed_reader *p, enum feed_value which, int rank, const char *url,
		  size_t len)
{
	struct bus_buf reference = BUS_BUF_INIT(FEED_TEXT_MAX), whole = BUS_BUF_INIT(FEED_TEXT_MAX);
	const char *base = base_of(p);

	if (rank <= p->draft.rank[which])
		return;
	bus_buf_add(&reference, url, len);
	bus_buf_add(&reference, "", 1);
	if (!reference.failed)
		resolve(p, &whole, url_is_absolute(base) || !p->home.len ? base : p->home.p,
			reference.p);
	if (whole.len && !whole.failed && url_is_page(whole.p))
		feed_draft_set(&p->draft, which, rank, whole.p, whole.len);
	note_failure(p, &reference);
	note_failure(p, &whole);
	bus_buf_finish(&reference);
	bus_buf_finish(&whole);
}

void feed_set_home(struct feed_reader *p, const char *url)
{
	if (p->home.len || !url_is_page(url) || strlen(url) > FEED_URL_MAX)
		return;
	bus_buf_puts(&p->home, url);
}

static void set_author(struct feed_reader *p, const char *text, size_t len)
{
	feed_draft_set(&p->draft, p->source ? FEED_SOURCE_AUTHOR : FEED_AUTHOR, p->rank, text, len);
}

/* RSS has "mail (name)" in an author: the name is enough. */
static void set_rss_author(struct feed_reader *p)
{
	const char *text = p->text.p;
	const char *open = memchr(text, '(', p->text.len);
	const char *close = open ? strrchr(open, ')') : NULL;

	if (close && close > open + 1)
		set_author(p, open + 1, (size_t)(close - open) - 1);
	else
		set_author(p, text, p->text.len);
}

void feed_end_name(struct feed_reader *p)
{
	if (p->text.len)
		set_author(p, p->text.p, p->text.len);
	bus_buf_clear(&p->text);
	p->in_name = false;
}

static void set_markup(struct feed_reader *p, enum feed_value which)
{
	struct bus_buf shown = BUS_BUF_INIT(2 * FEED_TEXT_MAX);

	if (p->is_html) {
		html_text(&shown, p->text.p, p->text.len);
		if (shown.len && !shown.failed)
			feed_draft_set(&p->draft, which, p->rank, shown.p, shown.len);
		note_failure(p, &shown);
	} else {
		feed_draft_set(&p->draft, which, p->rank, p->text.p, p->text.len);
	}
	bus_buf_finish(&shown);
}

static void set_date(int64_t *date, const char *text)
{
	int64_t us;

	if (*date == INT64_MIN && feed_date_parse(&us, text))
		*date = us;
}

static void set_id(struct feed_reader *p)
{
	if (!p->source)
		feed_draft_set(&p->draft, FEED_ID, p->rank, p->text.p, p->text.len);
	else if (strncasecmp(p->text.p + strspn(p->text.p, " \t\r\n"), "http", 4) == 0)
		feed_set_url(p, FEED_SOURCE_URL, p->rank, p->text.p, p->text.len);
}

void feed_end_field(struct feed_reader *p)
{
	const enum feed_field field = p->field;

	p->field = FEED_NO_FIELD;
	if (!p->text.len)
		return;
	switch (field) {
	case FEED_F_GUID:
		if (url_is_absolute(p->text.p + strspn(p->text.p, " \t\r\n")))
			feed_set_url(p, FEED_LINK, 1, p->text.p, p->text.len);
		set_id(p);
		break;
	case FEED_F_ID:
		set_id(p);
		break;
	case FEED_F_LINK:
		feed_set_url(p, FEED_LINK, p->rank, p->text.p, p->text.len);
		break;
	case FEED_F_TITLE:
		set_markup(p, FEED_TITLE);
		break;
	case FEED_F_SOURCE_NAME:
		set_markup(p, FEED_SOURCE_NAME);
		break;
	case FEED_F_AUTHOR:
		set_rss_author(p);
		break;
	case FEED_F_PUBLISHED:
		set_date(&p->draft.published_us, p->text.p);
		break;
	case FEED_F_UPDATED:
		set_date(&p->draft.updated_us, p->text.p);
		break;
	case FEED_F_HOME:
		feed_set_home(p, p->text.p + strspn(p->text.p, " \t\r\n"));
		break;
	case FEED_F_CONTENT:
	case FEED_NO_FIELD:
		break;
	}
}
