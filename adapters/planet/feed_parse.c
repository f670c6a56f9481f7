#include "config.h"

#include "adapters/planet/feed_parse.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapters/planet/feed_private.h"

static enum bus_code begin_root(struct feed_reader *p, const char *name, const char **att,
				struct bus_err *err)
{
	const char *href = feed_xml_attribute(att, "href");
	static const char *const roots[] = { "feed", "rss", "RDF", "entry", "channel" };
	size_t i;

	for (i = 0; i < sizeof(roots) / sizeof(*roots); i++)
		if (strcasecmp(name, roots[i]) == 0)
			p->feed->root = roots[i];
	if (!p->feed->root)
		return bus_fail(err, BUS_E_DATA, "it is no feed: its first element is <%.40s>",
				name);
	if (href) /* CDF */
		feed_set_home(p, href);
	if (strcmp(p->feed->root, "entry") == 0)
		feed_begin_post(p, att);
	return BUS_OK;
}

static enum bus_code on_start(void *arg, enum feed_ns ns, const char *name, const char **att,
			      struct bus_err *err)
{
	struct feed_reader *p = arg;
	const char *base = feed_xml_attribute(att, "xml:base");
	enum bus_code rc;

	p->depth++;
	if (base && !p->field && (rc = feed_push_base(p, base, err)))
		return rc;
	if (p->depth == 1)
		return begin_root(p, name, att, err);
	if (p->field)
		feed_inner_element(p, name, att);
	else if (p->source)
		feed_source_element(p, ns, name, att);
	else if (p->post)
		feed_post_element(p, ns, name, att);
	else if (ns == FEED_NS_CORE)
		feed_outer_element(p, name, att);
	return BUS_OK;
}

static void on_text(void *arg, const char *text, size_t len)
{
	struct feed_reader *p = arg;

	if (!p->field)
		return;
	if (p->field == FEED_F_CONTENT) {
		digest_text(&p->draft.content, text, len);
		return;
	}
	/* of an author only what stands in its name, or in no element */
	if (p->field == FEED_F_AUTHOR && p->depth != p->field_depth + p->in_name)
		return;
	if (len > FEED_TEXT_MAX - p->text.len)
		len = FEED_TEXT_MAX - p->text.len;
	if (len)
		bus_buf_add(&p->text, text, len);
}

static enum bus_code end_post(struct feed_reader *p, struct bus_err *err)
{
	struct feed *feed = p->feed;
	struct feed_post *post = NULL, **grown;
	size_t cap = feed->cap ? 2 * feed->cap : 64;
	enum bus_code rc;

	p->post = 0;
	if (feed->count == FEED_POSTS_MAX)
		return bus_fail(err, BUS_E_DATA, "it has more than %d posts", FEED_POSTS_MAX);
	if (feed->count == feed->cap) {
		grown = reallocarray(feed->post, cap, sizeof(struct feed_post *));
		if (!grown)
			return bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
		feed->post = grown;
		feed->cap = cap;
	}
	rc = feed_draft_end(&p->draft, &post, err);
	if (rc)
		return rc;
	if (!post) {
		feed->left_out++;
		return BUS_OK;
	}
	feed->post[feed->count++] = post;
	feed->memory += malloc_usable_size(post);
	if (feed->memory > FEED_MEMORY_MAX)
		return bus_fail(err, BUS_E_DATA,
				"its posts have more than %d bytes of titles, "
				"addresses and names",
				FEED_MEMORY_MAX);
	return BUS_OK;
}

static enum bus_code on_end(void *arg, struct bus_err *err)
{
	struct feed_reader *p = arg;
	enum bus_code rc = BUS_OK;

	if (p->field && p->depth == p->field_depth)
		feed_end_field(p);
	else if (p->field == FEED_F_CONTENT)
		digest_string(&p->draft.content, "/");
	else if (p->in_name && p->depth == p->field_depth + 1)
		feed_end_name(p);
	if (p->text.failed || p->home.failed || p->failed)
		return bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
	if (p->resolved > FEED_RESOLVED_MAX)
		return bus_fail(err, BUS_E_DATA, "more of xml:base than any feed needs");
	if (p->source == p->depth)
		p->source = 0;
	if (p->post == p->depth)
		rc = end_post(p, err);
	feed_pop_base(p);
	p->depth--;
	return rc;
}

/* -- what is known when all is read -- */

static int64_t date_of(const struct feed_post *post)
{
	return post->updated_us != INT64_MIN ? post->updated_us : post->published_us;
}

/* By id, of one id the newest first, then the one that stood first. */
static int compare(const void *a, const void *b)
{
	const struct feed_post *const *x = a, *const *y = b;
	const int order = memcmp(&(*x)->key, &(*y)->key, sizeof((*x)->key));

	if (order)
		return order;
	if (date_of(*x) != date_of(*y))
		return date_of(*x) > date_of(*y) ? -1 : 1;
	return (*x)->position < (*y)->position ? -1 : 1;
}

static int compare_position(const void *a, const void *b)
{
	const struct feed_post *const *x = a, *const *y = b;

	return (*x)->position > (*y)->position ? -1 : 1;
}

static void keep_newest(struct feed *feed)
{
	size_t i, kept = 0;

	for (i = 0; i < feed->count; i++)
		feed->post[i]->position = i;
	if (feed->count)
		qsort(feed->post, feed->count, sizeof(struct feed_post *), compare);
	for (i = 0; i < feed->count; i++)
		if (kept && memcmp(&feed->post[kept - 1]->key, &feed->post[i]->key,
				   sizeof(feed->post[i]->key)) == 0)
			free(feed->post[i]);
		else
			feed->post[kept++] = feed->post[i];
	feed->repeated = feed->count - kept;
	feed->count = kept;
	if (feed->count)
		qsort(feed->post, feed->count, sizeof(struct feed_post *), compare_position);
}

enum bus_code feed_parse(struct feed **ret, const char *bytes, size_t len, struct bus_err *err)
{
	struct feed_reader p = { .text = BUS_BUF_INIT(FEED_TEXT_MAX + 1),
				 .home = BUS_BUF_INIT(FEED_TEXT_MAX) };
	const struct feed_xml_handler handler = { &p, on_start, on_end, on_text };
	struct feed *feed = calloc(1, sizeof(*feed));
	enum bus_code rc;

	if (!feed)
		return bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
	p.feed = feed;
	feed_draft_init(&p.draft);
	rc = feed_xml_parse(bytes, len, &handler, err);
	while (p.base_count)
		free(p.base[--p.base_count].url);
	feed_draft_finish(&p.draft);
	bus_buf_finish(&p.text);
	bus_buf_finish(&p.home);
	if (rc) {
		feed_free(feed);
		return rc;
	}
	keep_newest(feed);
	*ret = feed;
	return BUS_OK;
}

void feed_free(struct feed *feed)
{
	size_t i;

	if (!feed)
		return;
	for (i = 0; i < feed->count; i++)
		free(feed->post[i]);
	free(feed->post);
	free(feed);
}
