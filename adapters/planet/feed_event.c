#include "config.h"

#include "adapters/planet/feed_event.h"

#include <string.h>

#include "adapters/common/text.h"
#include "event.h"
#include "json.h"
#include "timestamp.h"

static void write_text(struct bus_json *js, const char *name, const char *text)
{
	if (*text)
		bus_json_text(js, name, text);
}

static void write_line(struct bus_json *js, const char *name, const char *text, size_t max)
{
	struct bus_buf line = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);

	text_line(&line, text, strlen(text), max);
	if (line.failed)
		js->out->failed = true;
	else
		bus_json_text(js, name, line.len ? line.p : "");
	bus_buf_finish(&line);
}

static void write_time(struct bus_json *js, const char *name, int64_t us)
{
	char text[BUS_TIME_LEN + 1];

	if (us == INT64_MIN)
		return;
	bus_time_format(text, us);
	bus_json_text(js, name, text);
}

/* "Feed: Title", as a planet shows it. */
static void write_summary(struct bus_json *js, const struct feed_post *post, enum feed_news news)
{
	const char *by = *post->feed_name ? post->feed_name : post->author;
	const char *what = *post->title ? post->title : *post->link ? post->link : post->id;
	struct bus_buf text = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);

	bus_buf_printf(&text, "%s%s%s%s", news == FEED_EDIT ? "edited: " : "", by, *by ? ": " : "",
		       what);
	if (text.failed)
		js->out->failed = true;
	else
		write_line(js, "summary", text.p, BUS_SUMMARY_MAX);
	bus_buf_finish(&text);
}

static bool is_backdated(const struct feed_post *post, int64_t time_us)
{
	const int64_t us = post->published_us != INT64_MIN ? post->published_us : post->updated_us;

	return us != INT64_MIN && us < time_us - (int64_t)BACKDATED_DAYS * 86400 * 1000000;
}

void feed_event_write(struct bus_buf *out, const struct feed_post *post, enum feed_news news,
		      int64_t time_us, size_t title_max, bool is_short)
{
	struct bus_json js = { out, false };

	bus_json_open(&js, NULL, '{');
	write_summary(&js, post, news);
	write_text(&js, "url", post->link);
	bus_json_text(&js, "id", post->id);
	write_line(&js, "title", post->title, title_max);
	write_text(&js, "link", post->link);
	if (!is_short) {
		write_text(&js, "author", post->author);
		write_text(&js, "feed_url", post->feed_url);
		write_text(&js, "feed_name", post->feed_name);
	}
	write_time(&js, "published", post->published_us);
	write_time(&js, "updated", post->updated_us);
	if (news == FEED_ADD && is_backdated(post, time_us))
		bus_json_bool(&js, "backdated", true);
	bus_json_close(&js, '}');
}

enum bus_code feed_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			     const struct feed_post *post, enum feed_news news, int64_t time_us,
			     struct bus_err *err)
{
	static const struct {
		size_t title_max;
		bool is_short;
	} detail[] = { { FEED_TITLE_MAX, false }, { 200, false }, { 60, true } };
	const char *type = news == FEED_ADD ? "post.add" : "post.edit";
	const char *subject = *post->link ? post->link : post->id;
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	enum bus_code rc = BUS_E_DATA;
	size_t i;

	for (i = 0; i < sizeof(detail) / sizeof(*detail) && rc == BUS_E_DATA; i++) {
		bus_buf_clear(&data);
		feed_event_write(&data, post, news, time_us, detail[i].title_max,
				 detail[i].is_short);
		rc = bus_buf_check(&data, "feed: event", err);
		if (!rc)
			rc = batch_try(ctx, type, subject, &data, err);
	}
	/* what does not fit at all is for the outbox to refuse, and to keep */
	if (!rc || rc == BUS_E_DATA)
		rc = batch_add(batch, ctx, type, subject, time_us, &data, post->position + 1,
			       post->id, strlen(post->id), err);
	bus_buf_finish(&data);
	return rc;
}
