#include "config.h"

#include "adapters/wiki/recentchange.h"

#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "timestamp.h"

enum {
	ROWS_MAX = 500,	    /* what the API is asked for */
	VALUES_MAX = 60000, /* of JSON in a reply: a row has 30 or so */
	SECOND_US = 1000000
};

/* Copies are made here; the first one that cannot be had is remembered. */
struct reader {
	bool no_memory;
};

/* A number, or a string of one, as a database hands it through. */
static uint64_t number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	const char *digit = json_string_value(value);
	uint64_t n = 0;

	if (json_is_integer(value) && json_integer_value(value) > 0)
		n = (uint64_t)json_integer_value(value);
	for (; digit && *digit; digit++) {
		if (*digit < '0' || *digit > '9' || n > RECENTCHANGE_NUMBER_MAX)
			return 0;
		n = n * 10 + (uint64_t)(*digit - '0');
	}
	return n <= RECENTCHANGE_NUMBER_MAX ? n : 0;
}

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* RFC 3339; 0: it is none, or not of the years in which there are wikis. */
static int64_t time_of(const json_t *object, const char *name)
{
	const char *when = text(object, name);
	int64_t us = 0;

	if (!when || !bus_time_parse(&us, when) || us < SECOND_US ||
	    us / SECOND_US > RECENTCHANGE_TIME_MAX_S)
		return 0;
	return us;
}

/* PHP's true: true, 1, "1"; in formatversion 1 also "". */
static bool truth(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_true(value) || number(object, name) == 1;
}

static char *copy(struct reader *reader, const json_t *object, const char *name)
{
	const char *value = text(object, name);
	char *made = value ? strdup(value) : NULL;

	reader->no_memory = reader->no_memory || (value && !made);
	return made;
}

static enum recentchange_type type_of(const char *name)
{
	if (name && strcmp(name, "edit") == 0)
		return RECENTCHANGE_EDIT;
	if (name && strcmp(name, "new") == 0)
		return RECENTCHANGE_NEW;
	if (name && strcmp(name, "log") == 0)
		return RECENTCHANGE_LOG;
	return RECENTCHANGE_OTHER;
}

static int64_t namespace_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? json_integer_value(value) : (int64_t)number(object, name);
}

static void read_packet(struct reader *reader, struct recentchange *row, const json_t *object)
{
	const json_t *revision = json_object_get(object, "revision");
	const json_t *params = json_object_get(object, "log_params");
	uint64_t seconds = number(object, "timestamp");

	row->id = number(object, "id");
	row->time_us = seconds <= RECENTCHANGE_TIME_MAX_S ? (int64_t)seconds * SECOND_US : 0;
	row->namespace = namespace_of(object, "namespace");
	row->revision = number(revision, "new");
	row->old_revision = number(revision, "old");
	row->log_id = number(object, "log_id");
	row->title = copy(reader, object, "title");
	row->user = copy(reader, object, "user");
	row->comment = copy(reader, object, "comment");
	row->log_type = copy(reader, object, "log_type");
	row->log_action = copy(reader, object, "log_action");
	row->target = copy(reader, params, "target");
	row->is_minor = truth(object, "minor");
	row->is_bot = truth(object, "bot");
}

static bool is_revert_tag(const char *tag)
{
	return strcmp(tag, "mw-undo") == 0 || strcmp(tag, "mw-rollback") == 0 ||
	       strcmp(tag, "mw-manual-revert") == 0;
}

static bool has_revert_tag(const json_t *tags)
{
	bool found = false;
	size_t i;

	for (i = 0; i < json_array_size(tags); i++)
		if (json_is_string(json_array_get(tags, i)))
			found |= is_revert_tag(json_string_value(json_array_get(tags, i)));
	return found;
}

static void read_row(struct reader *reader, struct recentchange *row, const json_t *object)
{
	const json_t *params = json_object_get(object, "logparams");

	row->id = number(object, "rcid");
	row->time_us = time_of(object, "timestamp");
	row->namespace = namespace_of(object, "ns");
	row->revision = number(object, "revid");
	row->old_revision = number(object, "old_revid");
	row->log_id = number(object, "logid");
	row->is_anonymous = truth(object, "anon");
	row->is_hidden = truth(object, "actionhidden") || truth(object, "suppressed");
	row->is_minor = truth(object, "minor");
	row->is_bot = truth(object, "bot");
	row->is_revert = has_revert_tag(json_object_get(object, "tags"));
	/* an API that was logged in would show even what is hidden */
	if (!truth(object, "userhidden") && !row->is_hidden) {
		row->user = copy(reader, object, "user");
		row->user_id = number(object, "userid");
	}
	if (!truth(object, "commenthidden") && !row->is_hidden)
		row->comment = copy(reader, object, "comment");
	if (row->is_hidden)
		return;
	row->title = copy(reader, object, "title");
	row->log_type = copy(reader, object, "logtype");
	row->log_action = copy(reader, object, "logaction");
	row->target = copy(reader, params, "target_title");
}

enum bus_code recentchange_packet(struct recentchange *ret, const char *bytes, size_t len,
				  struct bus_err *err)
{
	const char *begin = memchr(bytes, '{', len);
	struct recentchange row = { 0 };
	struct reader reader = { false };
	json_t *object = NULL;
	enum bus_code rc;

	if (!begin)
		return bus_fail(err, BUS_E_DATA,
				"rcfeed: a datagram without a JSON object; "
				"$wgRCFeeds needs JSONRCFeedFormatter");
	rc = bus_json_read(&object, begin, len - (size_t)(begin - bytes), 0, BUS_E_DATA, err);
	if (rc == BUS_E_DATA) /* without jansson's words, which repeat the text: it has addresses */
		return bus_fail(err, rc,
				"rcfeed: a datagram of %zu bytes is no JSON object; it was cut "
				"off, "
				"or is not from JSONRCFeedFormatter",
				len);
	if (rc)
		return rc;
	row.type = type_of(text(object, "type"));
	if (text(object, "type") && text(object, "title"))
		read_packet(&reader, &row, object);
	else
		rc = bus_fail(err, BUS_E_DATA, "rcfeed: a datagram without type or title");
	if (reader.no_memory)
		rc = bus_fail(err, BUS_E_NOMEM, "rcfeed: out of memory");
	if (rc)
		recentchange_finish(&row);
	else
		*ret = row;
	json_decref(object);
	return rc;
}

static enum bus_code read_rows(struct reader *reader, struct recentchange_reply *reply,
			       const json_t *rows, struct bus_err *err)
{
	const size_t count = json_array_size(rows);
	const json_t *object;
	size_t i;

	if (!json_is_array(rows))
		return bus_fail(err, BUS_E_DATA,
				"no list of recent changes; api-url must be that of api.php");
	if (count > ROWS_MAX)
		return bus_fail(err, BUS_E_DATA, "%zu rows in one reply, more than %d", count,
				ROWS_MAX);
	reply->row = calloc(count ? count : 1, sizeof(*reply->row));
	if (!reply->row) {
		reader->no_memory = true;
		return BUS_OK;
	}
	for (i = 0; i < count; i++) {
		struct recentchange *row = &reply->row[reply->count];

		object = json_array_get(rows, i);
		row->type = type_of(text(object, "type"));
		read_row(reader, row, object);
		if (row->id && row->time_us) {
			reply->count++;
		} else {
			reply->without_id++;
			recentchange_finish(row);
		}
	}
	return BUS_OK;
}

static enum bus_code read_reply(struct reader *reader, struct recentchange_reply *reply,
				const json_t *root, struct bus_err *err)
{
	const json_t *error = json_object_get(root, "error"), *query, *general;

	reply->now_us = time_of(root, "curtimestamp");
	if (error) {
		reply->error_code = copy(reader, error, "code");
		reply->error_info = copy(reader, error, "info");
		return reply->error_code ? BUS_OK
					 : bus_fail(err, BUS_E_DATA, "an error without a code");
	}
	query = json_object_get(root, "query");
	general = json_object_get(query, "general");
	reply->server = copy(reader, general, "server");
	reply->article_path = copy(reader, general, "articlepath");
	reply->continuation = copy(reader, json_object_get(root, "continue"), "rccontinue");
	return read_rows(reader, reply, json_object_get(query, "recentchanges"), err);
}

/* An empty list is two bytes, and a hundred when it is read: so they are counted before. */
static bool has_too_many_values(const char *bytes, size_t len)
{
	size_t i, values = 0;
	bool is_text = false;

	for (i = 0; i < len && values <= VALUES_MAX; i++)
		if (bytes[i] == '"')
			is_text = !is_text;
		else if (is_text && bytes[i] == '\\')
			i++;
		else if (!is_text && (bytes[i] == '[' || bytes[i] == '{' || bytes[i] == ','))
			values++;
	return values > VALUES_MAX;
}

enum bus_code recentchange_reply(struct recentchange_reply *ret, const char *bytes, size_t len,
				 struct bus_err *err)
{
	struct recentchange_reply reply = { 0 };
	struct reader reader = { false };
	json_t *root = NULL;
	enum bus_code rc;

	if (has_too_many_values(bytes, len))
		return bus_fail(err, BUS_E_DATA, "its reply has more than %d values", VALUES_MAX);
	/* one odd comment must not stop all others, so NUL is let in, and ends a text */
	rc = bus_json_read(&root, bytes, len, JSON_ALLOW_NUL, BUS_E_DATA, err);
	if (rc == BUS_E_DATA)
		bus_fail(err, rc, "its reply is not JSON; api-url must be that of api.php");
	if (!rc)
		rc = read_reply(&reader, &reply, root, err);
	if (!rc && reader.no_memory)
		rc = bus_fail(err, BUS_E_NOMEM, "out of memory");
	if (rc)
		recentchange_reply_finish(&reply);
	else
		*ret = reply;
	json_decref(root);
	return rc;
}

void recentchange_finish(struct recentchange *row)
{
	free(row->title);
	free(row->user);
	free(row->comment);
	free(row->log_type);
	free(row->log_action);
	free(row->target);
	memset(row, 0, sizeof(*row));
}

void recentchange_reply_finish(struct recentchange_reply *reply)
{
	size_t i;

	for (i = 0; i < reply->count; i++)
		recentchange_finish(&reply->row[i]);
	free(reply->row);
	free(reply->continuation);
	free(reply->server);
	free(reply->article_path);
	free(reply->error_code);
	free(reply->error_info);
	memset(reply, 0, sizeof(*reply));
}
