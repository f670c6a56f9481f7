#include "config.h"

#include "adapters/planet/feed_post.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapters/common/text.h"
#include "adapters/planet/url_resolve.h"

enum {
	VALUE_MAX = 64 * 1024, /* bytes while it is read */
	NAME_MAX_LEN = 200,    /* characters of a person or a feed */
	CONTENT_TELLS =
		64 /* bytes, blanks not counted, from which on content says which post it is */
};

void feed_draft_init(struct feed_draft *draft)
{
	size_t i;

	memset(draft, 0, sizeof(*draft));
	for (i = 0; i < FEED_VALUE_COUNT; i++)
		draft->value[i].max = VALUE_MAX;
}

void feed_draft_begin(struct feed_draft *draft)
{
	size_t i;

	for (i = 0; i < FEED_VALUE_COUNT; i++) {
		bus_buf_clear(&draft->value[i]);
		draft->rank[i] = 0;
	}
	draft->published_us = draft->updated_us = INT64_MIN;
	digest_init(&draft->content);
}

void feed_draft_finish(struct feed_draft *draft)
{
	size_t i;

	for (i = 0; i < FEED_VALUE_COUNT; i++)
		bus_buf_finish(&draft->value[i]);
}

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

/* One line, and one blank where there are several. */
static void add_line(struct bus_buf *out, const char *p, size_t len, size_t max)
{
	struct bus_buf line = BUS_BUF_INIT(VALUE_MAX);
	size_t i;

	for (i = 0; i < len; i++)
		if (!is_blank(p[i]))
			bus_buf_add(&line, &p[i], 1);
		else if (line.len && line.p[line.len - 1] != ' ')
			bus_buf_add(&line, " ", 1);
	if (line.failed)
		out->failed = true;
	else if (line.len)
		text_line(out, line.p, line.len, max);
	bus_buf_finish(&line);
}

void feed_draft_set(struct feed_draft *draft, enum feed_value which, int rank, const char *p,
		    size_t len)
{
	static const size_t max[FEED_VALUE_COUNT] = {
		[FEED_ID] = VALUE_MAX,
		[FEED_LINK] = VALUE_MAX,
		[FEED_TITLE] = FEED_TITLE_MAX,
		[FEED_AUTHOR] = NAME_MAX_LEN,
		[FEED_SOURCE_URL] = VALUE_MAX,
		[FEED_SOURCE_NAME] = NAME_MAX_LEN,
		[FEED_SOURCE_AUTHOR] = NAME_MAX_LEN,
	};
	struct bus_buf line = BUS_BUF_INIT(VALUE_MAX);

	if (rank <= draft->rank[which])
		return;
	add_line(&line, p, len, max[which]);
	if (line.len || line.failed) {
		bus_buf_finish(&draft->value[which]);
		draft->value[which] = line;
		draft->rank[which] = rank;
	}
}

static const char *text_of(const struct feed_draft *draft, enum feed_value which)
{
	return draft->value[which].len ? draft->value[which].p : "";
}

/* A feed that moves to https has not written everything anew. */
static const char *without_scheme(const char *link)
{
	if (strncasecmp(link, "https://", 8) == 0)
		return link + 8;
	return strncasecmp(link, "http://", 7) == 0 ? link + 7 : link;
}

static void key_of(struct digest_key *ret, char kind, const char *a, const char *b,
		   const struct digest_key *content)
{
	struct digest digest;

	digest_init(&digest);
	digest_bytes(&digest, &kind, 1);
	digest_string(&digest, a);
	digest_string(&digest, b);
	if (content)
		digest_bytes(&digest, content->b, sizeof(content->b));
	digest_finish(&digest, ret);
}

static void set_keys(struct feed_post *post, struct feed_draft *draft)
{
	const char *place = without_scheme(post->link);
	struct digest_key content;
	const size_t count = draft->content.count;

	digest_finish(&draft->content, &content);
	key_of(&post->whole, 'w', place, post->title, &content);
	if (*place && *post->title)
		key_of(&post->place, 'p', place, post->title, NULL);
	post->whole_tells = *place || count >= CONTENT_TELLS;
	if (*post->title && count >= CONTENT_TELLS)
		key_of(&post->text, 't', "", post->title, &content);
}

/* It is told as the subject, where a reader may take it for an address. */
static bool is_fit_id(const struct bus_buf *id)
{
	return id->len <= FEED_URL_MAX && !url_is_harmful(id->p) && !url_has_hidden(id->p);
}

/* Where the post has no id: what stands for it; false: there is nothing. */
static bool make_id(struct feed_draft *draft)
{
	struct bus_buf *id = &draft->value[FEED_ID];
	const bool has_title = draft->value[FEED_TITLE].len > 0;
	const bool is_bad = id->len && !is_fit_id(id);
	struct digest content = draft->content;
	char hex[DIGEST_HEX + 1];
	struct digest_key key;

	if (id->len && !is_bad)
		return true;
	if (!id->len && !has_title && !content.count)
		return false;
	if (is_bad || has_title)
		key_of(&key, 'i', text_of(draft, is_bad ? FEED_ID : FEED_TITLE), "", NULL);
	else
		digest_finish(&content, &key);
	digest_hex(hex, &key);
	bus_buf_clear(id);
	bus_buf_printf(id, "urn:debmsg:post:%s", hex);
	return true;
}

/* One block: the post and behind it its text. */
static struct feed_post *pack(const struct feed_draft *draft)
{
	static const enum feed_value order[] = { FEED_ID,     FEED_LINK,       FEED_TITLE,
						 FEED_AUTHOR, FEED_SOURCE_URL, FEED_SOURCE_NAME };
	const size_t n = sizeof(order) / sizeof(*order);
	size_t size = sizeof(struct feed_post), i;
	struct feed_post *post;
	const char **to[sizeof(order) / sizeof(*order)];
	char *p;

	for (i = 0; i < n; i++)
		size += draft->value[order[i]].len + 1;
	post = calloc(1, size);
	if (!post)
		return NULL;
	p = (char *)(post + 1);
	to[0] = &post->id;
	to[1] = &post->link;
	to[2] = &post->title;
	to[3] = &post->author;
	to[4] = &post->feed_url;
	to[5] = &post->feed_name;
	for (i = 0; i < n; i++) {
		const size_t len = draft->value[order[i]].len;

		if (len)
			memcpy(p, draft->value[order[i]].p, len);
		*to[i] = p;
		p += len + 1;
	}
	post->published_us = draft->published_us;
	post->updated_us = draft->updated_us;
	return post;
}

static bool has_failed(const struct feed_draft *draft)
{
	size_t i;

	for (i = 0; i < FEED_VALUE_COUNT; i++)
		if (draft->value[i].failed)
			return true;
	return false;
}

enum bus_code feed_draft_end(struct feed_draft *draft, struct feed_post **ret, struct bus_err *err)
{
	struct feed_post *post;

	if (has_failed(draft))
		return bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
	if (draft->value[FEED_LINK].len > FEED_URL_MAX)
		bus_buf_clear(&draft->value[FEED_LINK]);
	if (draft->value[FEED_SOURCE_URL].len > FEED_URL_MAX)
		bus_buf_clear(&draft->value[FEED_SOURCE_URL]);
	feed_draft_set(draft, FEED_ID, 1, text_of(draft, FEED_LINK), draft->value[FEED_LINK].len);
	feed_draft_set(draft, FEED_AUTHOR, 1, text_of(draft, FEED_SOURCE_AUTHOR),
		       draft->value[FEED_SOURCE_AUTHOR].len);
	if (!make_id(draft)) {
		*ret = NULL;
		return BUS_OK;
	}
	post = has_failed(draft) ? NULL : pack(draft);
	if (!post)
		return bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
	key_of(&post->key, 'k', post->id, "", NULL);
	set_keys(post, draft);
	*ret = post;
	return BUS_OK;
}
