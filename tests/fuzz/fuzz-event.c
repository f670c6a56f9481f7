#include "config.h"

#include <string.h>

#include "draft.h"
#include "event.h"
#include "fuzz.h"
#include "json.h"
#include "timestamp.h"
#include "topic.h"

static void same(const char *a, const char *b)
{
	MUST(!a == !b && (!a || strcmp(a, b) == 0));
}

/* What was parsed can be a draft again, and gives an event that says the same. */
static void check_rebuild(const struct bus_event *ev, const char *bytes, size_t len)
{
	/* numbers and escapes may take more room when they are written again */
	struct bus_buf out = BUS_BUF_INIT(64 * len + 10000);
	struct bus_draft_text *owner = NULL;
	struct bus_event *again = NULL;
	struct bus_draft draft;

	MUST(bus_draft_from_event(&owner, &draft, bytes, len, NULL) == BUS_OK);
	MUST(bus_event_build(&out, &draft, ev->source, ev->id, ev->typesequence, NULL) == BUS_OK);
	MUST(bus_utf8_valid(out.p, out.len) && !memchr(out.p, '\n', out.len));
	MUST(bus_event_parse(&again, out.p, out.len, NULL) == BUS_OK);
	same(again->source, ev->source);
	same(again->type, ev->type);
	same(again->subject, ev->subject && *ev->subject ? ev->subject : NULL);
	same(again->time, ev->time);
	same(again->summary, ev->summary);
	same(again->url, ev->url);
	MUST(again->id == ev->id && again->typesequence == ev->typesequence);
	bus_event_free(again);
	bus_draft_text_free(owner);
	bus_buf_finish(&out);
}

static void check_event(const char *bytes, size_t len)
{
	char key[BUS_KEY_MAX + 1], time[BUS_TIME_LEN + 1];
	struct bus_err err = { BUS_OK, "" };
	struct bus_event *ev = NULL;
	enum bus_code rc = bus_event_parse(&ev, bytes, len, &err);
	int64_t us;

	MUST(rc == BUS_OK || (rc == BUS_E_MALFORMED_EVENT && err.code == rc && err.text[0]));
	if (rc)
		return;
	MUST(ev->typesequence >= 1 && ev->source && ev->type && ev->time && ev->summary);
	MUST(bus_utf8_valid(ev->summary, strlen(ev->summary)));
	MUST(bus_time_parse(&us, ev->time));
	bus_time_format(time, us);
	same(time, ev->time);
	bus_topic_key(key, ev->type, ev->subject);
	MUST(strlen(key) <= BUS_KEY_MAX && strncmp(key, ev->type, strlen(ev->type)) == 0);
	MUST(bus_topic_match("org.debian.#", key));
	check_rebuild(ev, bytes, len);
	bus_event_free(ev);
}

/* A draft, if it is one, becomes an event, or is refused for a reason that is about the draft. */
static void check_draft(const char *bytes, size_t len)
{
	static const char source[] = "a/20261122T101500Z";
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_draft_text *owner = NULL;
	struct bus_event *ev = NULL;
	struct bus_draft draft;
	enum bus_code rc;

	rc = bus_draft_parse(&owner, &draft, "dev", "dak", bytes, len, NULL);
	MUST(rc == BUS_OK || (rc == BUS_E_DATA && !owner));
	if (rc)
		return;
	rc = bus_event_build(&out, &draft, source, 7, 3, NULL);
	MUST(rc == BUS_OK || rc == BUS_E_DATA);
	if (!rc) {
		MUST(bus_event_parse(&ev, out.p, out.len, NULL) == BUS_OK);
		same(ev->type, draft.type);
		same(ev->subject, draft.subject && *draft.subject ? draft.subject : NULL);
		bus_event_free(ev);
	}
	bus_buf_finish(&out);
	bus_draft_text_free(owner);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	check_event((const char *)bytes, len);
	check_draft((const char *)bytes, len);
	return 0;
}
