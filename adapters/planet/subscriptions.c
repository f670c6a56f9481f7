#include "config.h"

#include "adapters/planet/subscriptions.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/say.h"
#include "adapters/common/text.h"
#include "adapters/planet/config_ini.h"
#include "adapters/planet/rewritten.h"
#include "event.h"
#include "json.h"

static const char cursor[] = "feeds", format[] = "1\n";

struct input {
	struct watch *watch;
	struct rewritten file;
	struct config *config; /* that is being told; NULL: none */
	int64_t time_us;       /* when it was written */
	bool only_remember;    /* the first file that is read */
	bool is_believed;      /* config: a part of it was told */
	bool has_doubted;      /* and said so */
};

/* The feeds as they were told; text owns all. */
struct known {
	char *text;
	struct config_feed *feed;
	size_t count;
};

enum bus_code subscriptions_open(void **ret, struct watch *watch, struct bus_err *err)
{
	const char *path = bus_conf_option(watch_context(watch)->service, "config-file");
	struct input *in = calloc(1, sizeof(*in));
	char *value = NULL;
	enum bus_code rc;
	size_t len;

	if (!in)
		return bus_fail(err, BUS_E_NOMEM, "subscriptions: out of memory");
	in->watch = watch;
	rewritten_init(&in->file, watch, path);
	rc = watch_directory_of(watch, path, err);
	if (!rc)
		rc = watch_cursor(watch, cursor, &value, &len, err);
	in->only_remember = !value && !watch_from_start(watch) && access(path, F_OK) == 0;
	free(value);
	if (rc) {
		subscriptions_close(in);
		return rc;
	}
	*ret = in;
	return BUS_OK;
}

void subscriptions_close(void *input)
{
	struct input *in = input;

	if (!in)
		return;
	config_free(in->config);
	free(in);
}

/* -- what was told before -- */

static char *take_field(char **p, char end)
{
	char *field = *p, *stop = strchr(field, end);

	if (!stop)
		return NULL;
	*stop = '\0';
	*p = stop + 1;
	return field;
}

static void known_finish(struct known *known)
{
	free(known->text);
	free(known->feed);
}

static enum bus_code known_read(struct known *ret, struct watch *watch, struct bus_err *err)
{
	size_t len = 0, lines = 0, i;
	enum bus_code rc;
	char *p, *line;

	memset(ret, 0, sizeof(*ret));
	rc = watch_cursor(watch, cursor, &ret->text, &len, err);
	if (rc || !ret->text)
		return rc;
	for (i = 0; i < len; i++)
		lines += ret->text[i] == '\n';
	p = ret->text;
	line = take_field(&p, '\n');
	if (!line || strcmp(line, "1") != 0)
		return bus_fail(err, BUS_E_CONFIG,
				"subscriptions: the outbox was written by a newer debmsg-planet; "
				"install that");
	ret->feed = calloc(lines + 1, sizeof(*ret->feed));
	if (!ret->feed)
		return bus_fail(err, BUS_E_NOMEM, "subscriptions: out of memory");
	while ((line = take_field(&p, '\n'))) {
		struct config_feed *feed = &ret->feed[ret->count];

		feed->url = take_field(&line, '\t');
		if (!feed->url)
			break;
		feed->name = line;
		ret->count++;
	}
	return BUS_OK;
}

static void write_known(struct bus_buf *out, const struct config_feed *feed, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		bus_buf_printf(out, "%s\t%s\n", feed[i].url, feed[i].name);
}

/* -- events -- */

void subscriptions_write(struct bus_buf *out, const char *what, const struct config_feed *feed,
			 const char *old_name)
{
	struct bus_buf text = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_buf line = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_json js = { out, false };

	bus_buf_printf(&text, "feed %s: ", what);
	if (old_name)
		bus_buf_printf(&text, "%s is now ", *old_name ? old_name : feed->url);
	bus_buf_printf(&text, "%s", *feed->name ? feed->name : feed->url);
	if (*feed->name && !old_name)
		bus_buf_printf(&text, " (%s)", feed->url);
	if (!text.failed)
		text_line(&line, text.p, text.len, BUS_SUMMARY_MAX);
	if (text.failed || line.failed)
		out->failed = true;
	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "summary", line.len ? line.p : "");
	bus_json_text(&js, "url", feed->url);
	if (*feed->name)
		bus_json_text(&js, "name", feed->name);
	if (old_name && *old_name)
		bus_json_text(&js, "old_name", old_name);
	if (feed->face && *feed->face)
		bus_json_text(&js, "face", feed->face);
	bus_json_close(&js, '}');
	bus_buf_finish(&text);
	bus_buf_finish(&line);
}

static enum bus_code add_event(struct input *in, const char *event, const struct config_feed *feed,
			       const char *old_name, struct adapter_batch *batch,
			       struct bus_err *err)
{
	static const struct {
		const char *event, *what;
	} types[] = {
		{ "feed.add", "added" },
		{ "feed.remove", "removed" },
		{ "feed.rename", "renamed" },
	};
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	const char *what = "";
	enum bus_code rc;
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].event, event) == 0)
			what = types[i].what;
	subscriptions_write(&data, what, feed, old_name);
	rc = bus_buf_check(&data, "subscriptions: event", err);
	if (!rc)
		rc = batch_add(batch, watch_context(in->watch), event, feed->url, in->time_us,
			       &data, batch->count + 1, feed->url, strlen(feed->url), err);
	bus_buf_finish(&data);
	return rc;
}

/* One step along two sorted lists: at *i of what was told, at *j of what is there. */
static enum bus_code compare_next(struct input *in, const struct known *known, size_t *i, size_t *j,
				  struct adapter_batch *batch, struct bus_err *err)
{
	const struct config_feed *old = *i < known->count ? &known->feed[*i] : NULL;
	const struct config_feed *new = *j < in->config->count ? &in->config->feed[*j] : NULL;
	const int order = !old ? 1 : !new ? -1 : strcmp(old->url, new->url);
	const struct config_feed *feed = order < 0 ? old : new;
	const char *event = NULL, *old_name = NULL;

	if (order < 0) {
		event = "feed.remove";
	} else if (order > 0) {
		event = "feed.add";
	} else if (old && new &&strcmp(old->name, new->name) != 0) {
		event = "feed.rename";
		old_name = old->name;
	}
	*i += order <= 0;
	*j += order >= 0;
	if (!event || !feed || in->only_remember)
		return BUS_OK;
	return add_event(in, event, feed, old_name, batch, err);
}

static size_t count_removed(const struct known *known, const struct config *config)
{
	size_t i, j = 0, count = 0;

	for (i = 0; i < known->count; i++) {
		while (j < config->count && strcmp(config->feed[j].url, known->feed[i].url) < 0)
			j++;
		count += j == config->count || strcmp(config->feed[j].url, known->feed[i].url) != 0;
	}
	return count;
}

/* A file that was cut at its begin is a good one, and has few feeds. */
static bool is_doubtful(struct input *in, const struct known *known)
{
	const size_t removed = count_removed(known, in->config);

	if (in->is_believed || removed < MANY_FEEDS || removed <= known->count / 2 ||
	    !rewritten_doubt(&in->file))
		return false;
	if (!in->has_doubted)
		say(LOG_WARNING,
		    "%s: %zu of %zu feeds are gone; announced if it stays so for a minute",
		    in->file.path, removed, known->count);
	in->has_doubted = true;
	return true;
}

static void forget_config(struct input *in)
{
	config_free(in->config);
	in->config = NULL;
	in->is_believed = false;
}

/* As much as fits into the batch; the cursor is what is told by then. */
static enum bus_code tell(struct input *in, struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf value = BUS_BUF_INIT(ADAPTER_INPUT_MAX);
	struct known known;
	enum bus_code rc;
	size_t i = 0, j = 0;

	rc = known_read(&known, in->watch, err);
	if (!rc && is_doubtful(in, &known)) {
		forget_config(in);
		goto out;
	}
	in->is_believed = true;
	while (!rc && !batch_is_full(batch) && (i < known.count || j < in->config->count))
		rc = compare_next(in, &known, &i, &j, batch, err);
	if (rc)
		goto out;
	batch->more = i < known.count || j < in->config->count;
	bus_buf_puts(&value, format);
	write_known(&value, in->config->feed, j);
	if (i < known.count)
		write_known(&value, known.feed + i, known.count - i);
	rc = bus_buf_check(&value, "subscriptions: the feeds", err);
	if (!rc)
		rc = batch_cursor(batch, cursor, value.p, value.len, err);
	if (!rc && !batch->more) {
		forget_config(in);
		in->only_remember = in->has_doubted = false;
	}
out:
	known_finish(&known);
	bus_buf_finish(&value);
	malloc_trim(0);
	return rc;
}

/* The file's feeds, if it is another one; in->config stays NULL if not, or not yet. */
static enum bus_code load(struct input *in, struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf bytes = BUS_BUF_INIT(CONFIG_BYTES_MAX);
	struct bus_err why = { BUS_OK, "" };
	enum bus_code rc;

	rc = rewritten_read(&in->file, &bytes, batch, &why);
	if (rc == BUS_E_NO || ((!rc || rc == BUS_E_DATA) && rewritten_wait(&in->file))) {
		rc = BUS_OK;
		goto out;
	}
	if (!rc)
		rc = config_parse(&in->config, bytes.p ? bytes.p : "", bytes.len, &why);
	if (!rc) {
		in->time_us = rewritten_time(&in->file);
		rc = rewritten_accept(&in->file, batch, err);
	} else if (rc == BUS_E_DATA) {
		rc = rewritten_reject(&in->file, &bytes, &why, batch, err);
	} else {
		rc = bus_fail(err, rc, "%s", why.text);
	}
out:
	bus_buf_finish(&bytes);
	return rc;
}

/* Without a file at the first start: nothing was there, all that comes is new. */
static enum bus_code remember_none(struct input *in, struct adapter_batch *batch,
				   struct bus_err *err)
{
	char *value = NULL;
	enum bus_code rc;
	size_t len;

	rc = watch_cursor(in->watch, cursor, &value, &len, err);
	if (!rc && !value)
		rc = batch_cursor(batch, cursor, format, strlen(format), err);
	free(value);
	return rc;
}

enum bus_code subscriptions_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct input *in = input;
	enum bus_code rc = BUS_OK;

	if (!in->only_remember)
		rc = remember_none(in, batch, err);
	if (!rc && !in->config)
		rc = load(in, batch, err);
	return rc || !in->config ? rc : tell(in, batch, err);
}
