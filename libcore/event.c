#include "config.h"

#include "event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_scan.h"
#include "proof.h"
#include "timestamp.h"
#include "topic.h"

static const char schema_prefix[] = "urn:debmsg:schema:";

void bus_event_free(struct bus_event *ev)
{
	free(ev);
}

/* What of an event is used.  The order is that of `wanted`. */
enum {
	SPECVERSION,
	SOURCE,
	ID,
	TYPE,
	SUBJECT,
	TIME,
	DATACONTENTTYPE,
	DATASCHEMA,
	TYPESEQUENCE,
	DATA,
	SUMMARY,
	URL,
	WANTED_COUNT
};

static const struct bus_json_want wanted[WANTED_COUNT] = {
	{ .name = "specversion" },
	{ .name = "source" },
	{ .name = "id" },
	{ .name = "type" },
	{ .name = "subject" },
	{ .name = "time" },
	{ .name = "datacontenttype" },
	{ .name = "dataschema" },
	{ .name = "typesequence" },
	{ .name = "data" },
	{ .name = "summary", .parent = "data" },
	{ .name = "url", .parent = "data" },
};

/* It has to be a string; an optional one may be absent. */
static enum bus_code check_text(const struct bus_json_want *m, bool optional, struct bus_err *err)
{
	if (m->kind == BUS_JSON_STRING || (optional && m->kind == BUS_JSON_ABSENT))
		return BUS_OK;
	return bus_fail(err, BUS_E_MALFORMED_EVENT, "%sevent: `%s` is %s",
			m->parent ? "data: " : "", m->name, m->kind ? "not a string" : "missing");
}

static enum bus_code expect_text(const struct bus_json_want *m, const char *expected,
				 struct bus_err *err)
{
	if (m->kind != BUS_JSON_STRING || m->len != strlen(expected) ||
	    memcmp(m->text, expected, m->len) != 0)
		return bus_fail(err, BUS_E_MALFORMED_EVENT, "event: `%s` is not \"%s\"", m->name,
				expected);
	return BUS_OK;
}

static enum bus_code get_number(uint64_t *ret, const struct bus_json_want *m, struct bus_err *err)
{
	if (m->kind != BUS_JSON_STRING || !bus_decimal_parse(ret, m->text, m->len))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `%s` is not a decimal number in a string", m->name);
	return BUS_OK;
}

static enum bus_code check_schema(const struct bus_json_want *m, const char *type,
				  struct bus_err *err)
{
	const size_t prefix = sizeof(schema_prefix) - 1;
	struct bus_type t = { 0 };
	uint64_t version;
	size_t len;

	if (!bus_type_parse(&t, type))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `type` is not "
				"org.debian.<environment>.<service>.<object>.<event>");
	len = strlen(t.service);
	if (m->kind != BUS_JSON_STRING || m->len < prefix + len + 1 ||
	    memcmp(m->text, schema_prefix, prefix) != 0 ||
	    memcmp(m->text + prefix, t.service, len) != 0 || m->text[prefix + len] != ':')
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `dataschema` is not %s%s:<version>", schema_prefix,
				t.service);
	len += prefix + 1;
	if (!bus_decimal_parse(&version, m->text + len, m->len - len))
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

static enum bus_code check_summary(const char *summary, struct bus_err *err)
{
	if (count_characters(summary) > BUS_SUMMARY_MAX || strpbrk(summary, "\r\n"))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `data.summary` is not one line of at most %d characters",
				BUS_SUMMARY_MAX);
	return BUS_OK;
}

/* All but what is checked when it has been copied. */
static enum bus_code check_members(const struct bus_json_want *m, struct bus_event *numbers,
				   struct bus_err *err)
{
	enum bus_code rc;

	if ((rc = expect_text(&m[SPECVERSION], "1.0", err)) ||
	    (rc = check_text(&m[SOURCE], false, err)) ||
	    (rc = get_number(&numbers->id, &m[ID], err)) ||
	    (rc = check_text(&m[TYPE], false, err)) || (rc = check_text(&m[SUBJECT], true, err)) ||
	    (rc = check_text(&m[TIME], false, err)) ||
	    (rc = expect_text(&m[DATACONTENTTYPE], "application/json", err)) ||
	    (rc = get_number(&numbers->typesequence, &m[TYPESEQUENCE], err)))
		return rc;
	if (!numbers->typesequence)
		return bus_fail(err, BUS_E_MALFORMED_EVENT, "event: `typesequence` is 0");
	if (m[DATA].kind != BUS_JSON_OBJECT)
		return bus_fail(err, BUS_E_MALFORMED_EVENT, "event: `data` is not an object");
	rc = check_text(&m[SUMMARY], false, err);
	return rc ? rc : check_text(&m[URL], true, err);
}

/* Copies a string to the free memory at *room, and moves that on; NULL if it is absent. */
static char *copy(char **room, const struct bus_json_want *m)
{
	char *const out = *room;

	if (m->kind == BUS_JSON_ABSENT)
		return NULL;
	memcpy(out, m->text, m->len);
	out[m->len] = '\0';
	*room += m->len + 1;
	return out;
}

/* One block: the struct, and all its strings behind it. */
static struct bus_event *make_event(const struct bus_json_want *m, const struct bus_event *numbers)
{
	static const unsigned int text[] = { SOURCE, TYPE, SUBJECT, TIME, SUMMARY, URL };
	size_t size = sizeof(struct bus_event), i;
	struct bus_event *ev;
	char *room;

	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		size += m[text[i]].kind == BUS_JSON_STRING ? m[text[i]].len + 1 : 0;
	ev = malloc(size);
	if (!ev)
		return NULL;
	room = (char *)(ev + 1);
	*ev = *numbers;
	ev->source = copy(&room, &m[SOURCE]);
	ev->type = copy(&room, &m[TYPE]);
	ev->subject = copy(&room, &m[SUBJECT]);
	ev->time = copy(&room, &m[TIME]);
	ev->summary = copy(&room, &m[SUMMARY]);
	ev->url = copy(&room, &m[URL]);
	return ev;
}

static enum bus_code check_event(const struct bus_event *ev, const struct bus_json_want *schema,
				 struct bus_err *err)
{
	char time[BUS_TIME_LEN + 1];
	enum bus_code rc;
	int64_t us;

	rc = check_schema(schema, ev->type, err);
	if (rc)
		return rc;
	if (!bus_origin_valid(ev->source))
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `source` is not <origin name>/<epoch>");
	if (!bus_time_parse(&us, ev->time))
		us = 0;
	bus_time_format(time, us);
	if (strcmp(time, ev->time) != 0)
		return bus_fail(err, BUS_E_MALFORMED_EVENT,
				"event: `time` is not RFC 3339 in UTC with microseconds");
	return check_summary(ev->summary, err);
}

enum bus_code bus_event_parse(struct bus_event **ret, const void *bytes, size_t len,
			      struct bus_err *err)
{
	struct bus_json_want member[WANTED_COUNT];
	struct bus_event *ev = NULL, numbers = { 0 };
	char *unescaped;
	enum bus_code rc;

	memcpy(member, wanted, sizeof(member));
	rc = bus_json_scan(member, WANTED_COUNT, bytes, len, &unescaped, BUS_E_MALFORMED_EVENT,
			   err);
	if (!rc)
		rc = check_members(member, &numbers, err);
	if (!rc) {
		ev = make_event(member, &numbers);
		rc = ev ? check_event(ev, &member[DATASCHEMA], err)
			: bus_fail(err, BUS_E_NOMEM, "event: out of memory");
	}
	free(unescaped);
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
