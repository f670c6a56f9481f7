#include "config.h"

#include "draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_read.h"
#include "timestamp.h"
#include "topic.h"

static enum bus_code nomem(struct bus_err *err)
{
	bus_fail(err, BUS_E_NOMEM, "event: out of memory");
	return BUS_E_NOMEM;
}

struct bus_draft_text {
	char type[BUS_TYPE_MAX + 1];
	char *subject;
	struct bus_buf data;
};

void bus_draft_text_free(struct bus_draft_text *owner)
{
	if (!owner)
		return;
	free(owner->subject);
	bus_buf_finish(&owner->data);
	free(owner);
}

static enum bus_code draft_type(struct bus_draft_text *owner, const json_t *root,
				const char *environment, const char *service, struct bus_err *err)
{
	const char *text = json_string_value(json_object_get(root, "type"));
	const size_t room = sizeof(owner->type);
	struct bus_type t;
	int n;

	if (!text)
		return bus_fail(err, BUS_E_DATA, "event: `type` is missing or not a string");
	if (strncmp(text, "org.", 4) == 0)
		n = snprintf(owner->type, room, "%s", text);
	else
		n = snprintf(owner->type, room, "org.debian.%s.%s.%s", environment, service, text);
	if (n < 0 || (size_t)n >= room || !bus_type_parse(&t, owner->type))
		return bus_fail(err, BUS_E_DATA,
				"event: type '%s' is neither <object>.<event> nor "
				"org.debian.<environment>.<service>.<object>.<event>",
				text);
	return BUS_OK;
}

static void draft_summary(struct bus_json *js, const struct bus_draft_text *owner)
{
	char summary[BUS_TYPE_MAX + 4 * BUS_SUMMARY_MAX];
	size_t len, n, characters = 0;
	struct bus_type t;

	if (!bus_type_parse(&t, owner->type))
		return;
	snprintf(summary, sizeof(summary), "%.*s %s%s%s", (int)t.object_len, t.object, t.event,
		 owner->subject ? ": " : "", owner->subject ? owner->subject : "");
	for (len = 0; summary[len] && characters < BUS_SUMMARY_MAX; len += n, characters++) {
		n = bus_utf8_char(summary + len, strlen(summary + len));
		if (!n)
			break;
		if ((unsigned char)summary[len] < 0x20)
			summary[len] = ' ';
	}
	bus_json_bytes(js, "summary", summary, len);
}

/*
 * A value as it was written.  jansson keeps a number as a double and prints 17
 * digits of it, or fewer on request: as many as bring the same double back.
 */
static char *dump_value(json_t *value)
{
	static const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	json_t *back;
	size_t digits;
	char *text;
	int same;

	for (digits = 15; digits < 17; digits++) {
		text = json_dumps(value, flags | JSON_REAL_PRECISION(digits));
		back = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
		same = json_equal(value, back);
		json_decref(back);
		if (same)
			return text;
		free(text);
	}
	return json_dumps(value, flags | JSON_REAL_PRECISION(17));
}

static enum bus_code draft_data(struct bus_draft_text *owner, json_t *root, struct bus_err *err)
{
	struct bus_json js = { &owner->data, false };
	json_t *data = json_object_get(root, "data"), *value;
	const char *name;
	char *text;

	if (data && !json_is_object(data))
		return bus_fail(err, BUS_E_DATA, "event: `data` is not an object");
	bus_json_open(&js, NULL, '{');
	if (!json_object_get(data, "summary"))
		draft_summary(&js, owner);
	json_object_foreach(data, name, value)
	{
		text = dump_value(value);
		if (!text)
			return nomem(err);
		bus_json_raw(&js, name, text, strlen(text));
		free(text);
	}
	bus_json_close(&js, '}');
	return bus_buf_check(&owner->data, "event: data", err);
}

static enum bus_code draft_subject_time(struct bus_draft_text *owner, struct bus_draft *draft,
					const json_t *root, struct bus_err *err)
{
	const json_t *subject = json_object_get(root, "subject");
	const json_t *time = json_object_get(root, "time");

	if (subject && !json_is_string(subject))
		return bus_fail(err, BUS_E_DATA, "event: `subject` is not a string");
	if (subject) {
		owner->subject = strdup(json_string_value(subject));
		if (!owner->subject)
			return nomem(err);
	}
	draft->time_us = bus_time_now();
	if (time &&
	    (!json_is_string(time) || !bus_time_parse(&draft->time_us, json_string_value(time))))
		return bus_fail(err, BUS_E_DATA,
				"event: `time` is not RFC 3339, such as 2026-11-22T10:15:00Z");
	return BUS_OK;
}

static enum bus_code known_members(const json_t *root, struct bus_err *err)
{
	static const char *const known[] = { "type", "subject", "time", "data" };
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)root, name, value)
	{
		for (i = 0; i < 4 && strcmp(name, known[i]); i++)
			;
		if (i == 4)
			return bus_fail(err, BUS_E_DATA,
					"event: unknown member `%s`; there are type, subject, time "
					"and data",
					name);
	}
	return BUS_OK;
}

/* The members that a whole event and a line of publish --jsonl share. */
static enum bus_code from_object(struct bus_draft_text **ret_owner, struct bus_draft *ret,
				 const char *environment, const char *service, json_t *root,
				 struct bus_err *err)
{
	struct bus_draft_text *owner = calloc(1, sizeof(*owner));
	enum bus_code rc;

	if (!owner)
		return nomem(err);
	owner->data.max = BUS_BODY_MAX_CEILING;
	if ((rc = draft_type(owner, root, environment, service, err)) ||
	    (rc = draft_subject_time(owner, ret, root, err)) ||
	    (rc = draft_data(owner, root, err))) {
		bus_draft_text_free(owner);
		return rc;
	}
	ret->type = owner->type;
	ret->subject = owner->subject;
	ret->data = owner->data.p;
	ret->data_len = owner->data.len;
	*ret_owner = owner;
	return BUS_OK;
}

enum bus_code bus_draft_parse(struct bus_draft_text **ret_owner, struct bus_draft *ret,
			      const char *environment, const char *service, const char *json,
			      size_t len, struct bus_err *err)
{
	json_t *root = NULL;
	enum bus_code rc;

	rc = bus_json_read(&root, json, len, 0, BUS_E_DATA, err);
	if (!rc)
		rc = known_members(root, err);
	if (!rc)
		rc = from_object(ret_owner, ret, environment, service, root, err);
	json_decref(root);
	return rc;
}

enum bus_code bus_draft_from_event(struct bus_draft_text **ret_owner, struct bus_draft *ret,
				   const char *body, size_t len, struct bus_err *err)
{
	json_t *root = NULL;
	enum bus_code rc;

	rc = bus_json_read(&root, body, len, 0, BUS_E_DATA, err);
	if (!rc)
		rc = from_object(ret_owner, ret, "", "", root, err);
	json_decref(root);
	return rc;
}
