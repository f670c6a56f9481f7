#include "config.h"

#include "event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_read.h"
#include "proof.h"
#include "timestamp.h"
#include "topic.h"

static const char schema_prefix[] = "urn:debmsg:schema:";

static enum bus_code nomem(struct bus_err *err)
{
	bus_fail(err, BUS_E_NOMEM, "event: out of memory");
	return BUS_E_NOMEM;
}

void bus_event_free(struct bus_event *ev)
{
	if (!ev)
		return;
	free(ev->source);
	free(ev->type);
	free(ev->subject);
	free(ev->time);
	free(ev->summary);
	free(ev->url);
	free(ev);
}

/* Copies a string member.  An optional one may be absent, and stays NULL. */
static enum bus_code get_text(char **ret, const json_t *object, const char *name, bool optional,
			      struct bus_err *err)
{
	const json_t *value = json_object_get(object, name);

	if (!value && optional)
		return BUS_OK;
	if (!json_is_string(value))
		return bus_fail(err, BUS_E_MALFORMED_EVENT, "event: `%s` is %s", name,
				value ? "not a string" : "missing");
	*ret = strdup(json_string_value(value));
	return *ret ? BUS_OK : nomem(err);
}

static enum bus_code expect_text(const json_t *object, const char *name, const char *expected,
				 struct bus_err *err)
{
	const char *value = json_string_value(json_object_get(object, name));

	if (!value || strcmp(value, expected) != 0)
		return bus_fail(err, BUS_E_MALFORMED_EVENT, "event: `%s` is not \"%s\"", name,
				expected);
	return BUS_OK;
}

static enum bus_code get_number(uint64_t *ret, const json_t *object, const char *name,
				struct bus_err *err)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_string(value) ||
	    !bus_decimal_parse(ret, json_string_value(value), json_string_length(value)))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `%s` is not a decimal number in a string", name);
	return BUS_OK;
}

static enum bus_code check_schema(const json_t *root, const char *type, struct bus_err *err)
{
	const char *schema = json_string_value(json_object_get(root, "dataschema"));
	struct bus_type t = { 0 };
	uint64_t version;
	size_t len;

	if (!bus_type_parse(&t, type))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `type` is not "
				"org.debian.<environment>.<service>.<object>.<event>");
	len = strlen(t.service);
	if (!schema || strncmp(schema, schema_prefix, sizeof(schema_prefix) - 1) != 0 ||
	    strncmp(schema + sizeof(schema_prefix) - 1, t.service, len) != 0 ||
	    schema[sizeof(schema_prefix) - 1 + len] != ':')
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `dataschema` is not %s%s:<version>", schema_prefix,
				t.service);
	schema += sizeof(schema_prefix) + len;
	if (!bus_decimal_parse(&version, schema, strlen(schema)))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `dataschema` ends in no version number");
	return BUS_OK;
}

static size_t count_characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static enum bus_code parse_data(struct bus_event *ev, const json_t *root, struct bus_err *err)
{
	const json_t *data = json_object_get(root, "data");
	enum bus_code rc;

	if (!json_is_object(data))
		return bus_fail(err, BUS_E_MALFORMED_EVENT, "event: `data` is not an object");
	rc = get_text(&ev->summary, data, "summary", false, err);
	if (!rc)
		rc = get_text(&ev->url, data, "url", true, err);
	if (rc) {
		bus_err_context(err, "data");
		return rc;
	}
	if (!ev->summary || count_characters(ev->summary) > BUS_SUMMARY_MAX ||
	    strpbrk(ev->summary, "\r\n"))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `data.summary` is not one line of at most %d characters",
				BUS_SUMMARY_MAX);
	return BUS_OK;
}

static enum bus_code parse_attributes(struct bus_event *ev, const json_t *root, struct bus_err *err)
{
	char time[BUS_TIME_LEN + 1];
	enum bus_code rc;
	int64_t us;

	if ((rc = expect_text(root, "specversion", "1.0", err)) ||
	    (rc = get_text(&ev->source, root, "source", false, err)) ||
	    (rc = get_number(&ev->id, root, "id", err)) ||
	    (rc = get_text(&ev->type, root, "type", false, err)) ||
	    (rc = get_text(&ev->subject, root, "subject", true, err)) ||
	    (rc = get_text(&ev->time, root, "time", false, err)) ||
	    (rc = expect_text(root, "datacontenttype", "application/json", err)) ||
	    (rc = check_schema(root, ev->type, err)) ||
	    (rc = get_number(&ev->typesequence, root, "typesequence", err)))
		return rc;
	if (!ev->typesequence)
		return bus_fail(err, BUS_E_MALFORMED_EVENT, "event: `typesequence` is 0");
	if (!bus_origin_valid(ev->source))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `source` is not <origin name>/<epoch>");
	if (!bus_time_parse(&us, ev->time))
		us = 0;
	bus_time_format(time, us);
	if (strcmp(time, ev->time) != 0)
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `time` is not RFC 3339 in UTC with microseconds");
	return BUS_OK;
}

enum bus_code bus_event_parse(struct bus_event **ret, const void *bytes, size_t len,
			      struct bus_err *err)
{
	struct bus_event *ev = NULL;
	json_t *root = NULL;
	enum bus_code rc;

	rc = bus_json_read(&root, bytes, len, 0, BUS_E_MALFORMED_EVENT, err);
	if (rc)
		return rc;
	ev = calloc(1, sizeof(*ev));
	rc = ev ? parse_attributes(ev, root, err) : nomem(err);
	if (!rc)
		rc = parse_data(ev, root, err);
	json_decref(root);
	if (rc)
		bus_event_free(ev);
	else
		*ret = ev;
	return rc;
}

enum bus_code bus_event_build(struct bus_buf *out, const struct bus_draft *draft,
			      const char *source, uint64_t id, uint64_t typesequence,
			      struct bus_err *err)
{
	struct bus_json js = { out, false };
	const size_t begin = out->len;
	char text[sizeof(schema_prefix) + BUS_TYPE_MAX + 2];
	struct bus_event *parsed = NULL;
	struct bus_type type;
	enum bus_code rc;

	if (!bus_type_parse(&type, draft->type))
		return bus_fail(err, BUS_E_DATA,
				"event: type '%s' is not "
				"org.debian.<environment>.<service>.<object>.<event>",
				draft->type);
	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "specversion", "1.0");
	bus_json_text(&js, "source", source);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	bus_json_text(&js, "id", text);
	bus_json_text(&js, "type", draft->type);
	if (draft->subject && *draft->subject)
		bus_json_text(&js, "subject", draft->subject);
	bus_time_format(text, draft->time_us);
	bus_json_text(&js, "time", text);
	bus_json_text(&js, "datacontenttype", "application/json");
	snprintf(text, sizeof(text), "%s%s:1", schema_prefix, type.service);
	bus_json_text(&js, "dataschema", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)typesequence);
	bus_json_text(&js, "typesequence", text);
	bus_json_raw(&js, "data", draft->data, draft->data_len);
	bus_json_close(&js, '}');

	rc = bus_buf_check(out, "event", err);
	if (rc)
		return rc;
	/* What no consumer would accept must never get a place in a log. */
	rc = bus_event_parse(&parsed, out->p + begin, out->len - begin, err);
	bus_event_free(parsed);
	if (rc == BUS_E_MALFORMED_EVENT) {
		rc = BUS_E_DATA;
		if (err)
			err->code = rc;
	}
	return rc;
}
