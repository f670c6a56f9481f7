#include "config.h"

#include "adapters/planet/feed.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/planet/feed_event.h"
#include "adapters/planet/feed_memory.h"
#include "adapters/planet/rewritten.h"

static const char begun[] = "begun", remembering[] = "remembering", yes[] = "yes";
static const char pruned[] = "pruned"; /* the day when that was done last */

struct input {
	struct watch *watch;
	struct rewritten file;
	struct feed_memory *memory;
	struct feed *feed; /* that is being told; NULL: none */
	size_t next;	   /* post of it */
	int64_t time_us;   /* when it was written */
	bool is_begun;	   /* the cursor says so */
	bool only_remember;
	bool prunes;
	int64_t pruned_day;
};

static enum bus_code read_begun(struct input *in, struct bus_err *err)
{
	char *value = NULL;
	enum bus_code rc;
	size_t len;

	rc = watch_cursor(in->watch, begun, &value, &len, err);
	if (rc)
		return rc;
	in->is_begun = value != NULL;
	if (value)
		in->only_remember = strcmp(value, remembering) == 0;
	else
		in->only_remember = !watch_from_start(in->watch) &&
				    access(in->file.path, F_OK) == 0;
	free(value);
	return BUS_OK;
}

static enum bus_code read_pruned(struct input *in, struct bus_err *err)
{
	char *value = NULL;
	enum bus_code rc;
	size_t len;

	rc = watch_cursor(in->watch, pruned, &value, &len, err);
	if (!rc && value)
		in->pruned_day = strtoll(value, NULL, 10);
	free(value);
	return rc;
}

enum bus_code feed_open(void **ret, struct watch *watch, struct bus_err *err)
{
	const char *path = bus_conf_option(watch_context(watch)->service, "feed-file");
	struct input *in = calloc(1, sizeof(*in));
	enum bus_code rc;

	if (!in)
		return bus_fail(err, BUS_E_NOMEM, "feed: out of memory");
	in->watch = watch;
	rewritten_init(&in->file, watch, path);
	rc = feed_memory_open(&in->memory, watch, err);
	if (!rc)
		rc = watch_directory_of(watch, path, err);
	if (!rc)
		rc = read_begun(in, err);
	if (!rc)
		rc = read_pruned(in, err);
	if (rc) {
		feed_close(in);
		return rc;
	}
	*ret = in;
	return BUS_OK;
}

void feed_close(void *input)
{
	struct input *in = input;

	if (!in)
		return;
	feed_free(in->feed);
	feed_memory_close(in->memory);
	free(in);
}

/* The file's posts, if it is a new file; in->feed stays NULL if not, or not yet. */
static enum bus_code load(struct input *in, struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf bytes = BUS_BUF_INIT(FEED_BYTES_MAX);
	struct bus_err why = { BUS_OK, "" };
	enum bus_code rc;

	rc = rewritten_read(&in->file, &bytes, batch, &why);
	if (!rc)
		rc = feed_parse(&in->feed, bytes.p ? bytes.p : "", bytes.len, &why);
	if (rc == BUS_E_NO) {
		rc = BUS_OK;
	} else if (!rc) {
		in->next = 0;
		in->time_us = rewritten_time(&in->file);
		rc = rewritten_accept(&in->file, batch, err);
	} else if (rc == BUS_E_DATA) {
		rc = rewritten_wait(&in->file)
			     ? BUS_OK
			     : rewritten_reject(&in->file, &bytes, &why, batch, err);
	} else {
		rc = bus_fail(err, rc, "%s", why.text);
	}
	bus_buf_finish(&bytes);
	return rc;
}

static int64_t day_of(int64_t us)
{
	return us / 1000000 / 86400;
}

static enum bus_code begin(struct input *in, struct adapter_batch *batch, struct bus_err *err)
{
	const char *value = in->only_remember ? remembering : yes;

	if (in->is_begun)
		return BUS_OK;
	in->is_begun = true;
	return batch_cursor(batch, begun, value, strlen(value), err);
}

static enum bus_code tell_posts(struct input *in, struct adapter_batch *batch, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	enum feed_news news;

	while (!rc && in->next < in->feed->count && !batch_is_full(batch)) {
		const struct feed_post *post = in->feed->post[in->next++];

		rc = feed_memory_see(in->memory, post, day_of(in->time_us), batch, &news, err);
		if (!rc && news && !in->only_remember)
			rc = feed_event_add(batch, watch_context(in->watch), post, news,
					    in->time_us, err);
	}
	return rc;
}

/* The whole file is told. */
static enum bus_code finish(struct input *in, struct adapter_batch *batch, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	feed_free(in->feed);
	in->feed = NULL;
	malloc_trim(0);
	if (in->only_remember)
		rc = batch_cursor(batch, begun, yes, strlen(yes), err);
	in->only_remember = false;
	in->prunes = day_of(in->time_us) != in->pruned_day;
	in->pruned_day = day_of(in->time_us);
	return rc;
}

static enum bus_code prune(struct input *in, struct adapter_batch *batch, struct bus_err *err)
{
	char day[24];
	enum bus_code rc;

	batch->more = true;
	rc = feed_memory_prune(in->memory, in->pruned_day, batch, err);
	if (rc != BUS_E_NO)
		return rc;
	in->prunes = false;
	snprintf(day, sizeof(day), "%" PRId64, in->pruned_day);
	return batch_cursor(batch, pruned, day, strlen(day), err);
}

enum bus_code feed_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct input *in = input;
	enum bus_code rc;

	if (in->prunes)
		return prune(in, batch, err);
	rc = begin(in, batch, err);
	if (!rc && !in->feed)
		rc = load(in, batch, err);
	if (rc || !in->feed)
		return rc;
	rc = tell_posts(in, batch, err);
	if (!rc && in->next == in->feed->count)
		rc = finish(in, batch, err);
	batch->more = in->feed || in->prunes;
	return rc;
}

enum bus_code feed_stored(void *input, struct bus_err *err)
{
	struct input *in = input;

	(void)err;
	feed_memory_stored(in->memory);
	return BUS_OK;
}
