#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "draft.h"
#include "event.h"
#include "json.h"
#include "timestamp.h"
#include "topic.h"

#define SOURCE "ftp-master.example/dak/20261122T101500Z"
#define TYPE "org.debian.dev.dak.upload.accept"
#define TIME "2026-11-22T10:15:00.000000Z"

/* The attributes of a good event; a test replaces one of them. */
static const char *const attribute[] = {
	"\"specversion\":\"1.0\"",
	"\"source\":\"" SOURCE "\"",
	"\"id\":\"5\"",
	"\"type\":\"" TYPE "\"",
	"\"subject\":\"hello\"",
	"\"time\":\"" TIME "\"",
	"\"datacontenttype\":\"application/json\"",
	"\"dataschema\":\"urn:debmsg:schema:dak.upload.accept:1\"",
	"\"typesequence\":\"2\"",
	"\"data\":{\"summary\":\"hello accepted\"}",
};

enum {
	SPECVERSION,
	SOURCE_,
	ID,
	TYPE_,
	SUBJECT,
	TIME_,
	DATACONTENTTYPE,
	DATASCHEMA,
	TYPESEQUENCE,
	DATA,
	ATTRIBUTES
};

/* The event with attribute `which` replaced; "" leaves it out. */
static void spell(struct bus_buf *out, int which, const char *instead)
{
	const char *comma = "{";
	int i;

	bus_buf_clear(out);
	for (i = 0; i < ATTRIBUTES; i++) {
		const char *text = i == which ? instead : attribute[i];

		if (!*text)
			continue;
		bus_buf_puts(out, comma);
		bus_buf_puts(out, text);
		comma = ",";
	}
	bus_buf_puts(out, "}");
}

/* From memory of exactly the right size, so that reading past it is seen. */
static enum bus_code parse(struct bus_event **ret, const char *bytes, size_t len,
			   struct bus_err *err)
{
	char *copy = malloc(len ? len : 1);
	enum bus_code rc;

	CHECK_NEED(copy != NULL);
	memcpy(copy, bytes, len);
	rc = bus_event_parse(ret, copy, len, err);
	free(copy);
	return rc;
}

static enum bus_code try_with(int which, const char *instead, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_event *ev = NULL;
	enum bus_code rc;

	err->text[0] = '\0';
	spell(&text, which, instead);
	rc = parse(&ev, text.p, text.len, err);
	CHECK((rc == BUS_OK) == (ev != NULL));
	bus_event_free(ev);
	bus_buf_finish(&text);
	return rc;
}

static void takes_an_event_apart(void)
{
	struct bus_buf text = BUS_BUF_INIT(10000);
	struct bus_event *ev = NULL;
	struct bus_err err;

	spell(&text, DATA,
	      "\"data\":{\"summary\":\"s\",\"url\":\"https://x/\",\"n\":[1,2.5,null]}");
	CHECK_CODE(parse(&ev, text.p, text.len, &err), BUS_OK, &err);
	bus_buf_finish(&text);
	CHECK_NEED(ev != NULL);
	CHECK_TEXT(ev->source, SOURCE);
	CHECK(ev->id == 5 && ev->typesequence == 2);
	CHECK_TEXT(ev->type, TYPE);
	CHECK_TEXT(ev->subject, "hello");
	CHECK_TEXT(ev->time, TIME);
	CHECK_TEXT(ev->summary, "s");
	CHECK_TEXT(ev->url, "https://x/");
	bus_event_free(ev);
	bus_event_free(NULL);
}

static void needs_every_attribute_but_the_subject(void)
{
	struct bus_err err;
	int i;

	for (i = 0; i < ATTRIBUTES; i++)
		CHECK_ROW((try_with(i, "", &err) == BUS_OK) == (i == SUBJECT), "without %s: %s",
			  attribute[i], err.text);
}

static void refuses_attributes_of_another_kind(void)
{
	static const char *const value[] = { "null", "true", "1", "1.5", "[]", "{}", "[\"x\"]" };
	char text[200];
	struct bus_err err;
	size_t v;
	int i;

	for (i = 0; i < ATTRIBUTES; i++)
		for (v = 0; v < sizeof(value) / sizeof(value[0]); v++) {
			snprintf(text, sizeof(text), "%.*s:%s", (int)strcspn(attribute[i], ":"),
				 attribute[i], value[v]);
			CHECK_ROW(try_with(i, text, &err) == BUS_E_MALFORMED_EVENT, "%s is taken",
				  text);
		}
}

/* Strings, but not such as the attribute may hold. */
static const struct {
	int which;
	const char *text;
} wrong_value[] = {
	{ SPECVERSION, "\"specversion\":\"1\"" },
	{ SPECVERSION, "\"specversion\":\"1.0.1\"" },
	{ SPECVERSION, "\"specversion\":\"\"" },
	{ SPECVERSION, "\"Specversion\":\"1.0\"" },
	{ SOURCE_, "\"source\":\"\"" },
	{ SOURCE_, "\"source\":\"ftp-master.example/dak\"" },
	{ SOURCE_, "\"source\":\"a b/20261122T101500Z\"" },
	{ SOURCE_, "\"source\":\"" SOURCE "/\"" },
	{ ID, "\"id\":\"\"" },
	{ ID, "\"id\":\"05\"" },
	{ ID, "\"id\":\"-5\"" },
	{ ID, "\"id\":\"5 \"" },
	{ ID, "\"id\":\"0x5\"" },
	{ ID, "\"id\":\"9223372036854775808\"" },
	{ ID, "\"id\":\"five\"" },
	{ TYPE_, "\"type\":\"\"" },
	{ TYPE_, "\"type\":\"upload.accept\"" },
	{ TYPE_, "\"type\":\"org.debian.dev.dak.upload\"" },
	{ TYPE_, "\"type\":\"org.debian.dev.dak.upload.accept.x\"" },
	{ TYPE_, "\"type\":\"org.debian.dev.dak.upload.*\"" },
	{ TYPE_, "\"type\":\"org.debian.dev.dak.upload.reject\"" }, /* not the schema's */
	{ TIME_, "\"time\":\"\"" },
	{ TIME_, "\"time\":\"2026-11-22T10:15:00Z\"" },
	{ TIME_, "\"time\":\"2026-11-22T10:15:00.000Z\"" },
	{ TIME_, "\"time\":\"2026-11-22T10:15:00.0000000Z\"" },
	{ TIME_, "\"time\":\"2026-11-22t10:15:00.000000Z\"" },
	{ TIME_, "\"time\":\"2026-11-22T10:15:00.000000z\"" },
	{ TIME_, "\"time\":\"2026-11-22 10:15:00.000000Z\"" },
	{ TIME_, "\"time\":\"2026-11-22T10:15:00.000000+00:00\"" },
	{ TIME_, "\"time\":\"2026-11-22T10:15:00.000000\"" },
	{ TIME_, "\"time\":\"2026-02-30T10:15:00.000000Z\"" },
	{ TIME_, "\"time\":\"2026-11-22T24:00:00.000000Z\"" },
	{ TIME_, "\"time\":\"2026-11-22T10:15:00.000000Zx\"" },
	{ DATACONTENTTYPE, "\"datacontenttype\":\"text/plain\"" },
	{ DATACONTENTTYPE, "\"datacontenttype\":\"application/json; charset=utf-8\"" },
	{ DATASCHEMA, "\"dataschema\":\"\"" },
	{ DATASCHEMA, "\"dataschema\":\"urn:debmsg:schema:dak.upload.accept\"" },
	{ DATASCHEMA, "\"dataschema\":\"urn:debmsg:schema:dak.upload.accept:\"" },
	{ DATASCHEMA, "\"dataschema\":\"urn:debmsg:schema:dak.upload.accept:01\"" },
	{ DATASCHEMA, "\"dataschema\":\"urn:debmsg:schema:dak.upload.accept:1x\"" },
	{ DATASCHEMA, "\"dataschema\":\"urn:debmsg:schema:dak.upload.reject:1\"" },
	{ DATASCHEMA, "\"dataschema\":\"urn:debmsg:schema:dak.upload.acceptx:1\"" },
	{ DATASCHEMA, "\"dataschema\":\"https://example.org/dak.upload.accept:1\"" },
	{ TYPESEQUENCE, "\"typesequence\":\"0\"" },
	{ TYPESEQUENCE, "\"typesequence\":\"01\"" },
	{ TYPESEQUENCE, "\"typesequence\":\"\"" },
	{ TYPESEQUENCE, "\"typesequence\":\"-1\"" },
	{ DATA, "\"data\":\"{}\"" },
	{ DATA, "\"data\":{}" },
	{ DATA, "\"data\":{\"summary\":null}" },
	{ DATA, "\"data\":{\"summary\":1}" },
	{ DATA, "\"data\":{\"summary\":[\"s\"]}" },
	{ DATA, "\"data\":{\"summary\":\"two\\nlines\"}" },
	{ DATA, "\"data\":{\"summary\":\"two\\rlines\"}" },
	{ DATA, "\"data\":{\"summary\":\"s\",\"url\":1}" },
	{ DATA, "\"data\":{\"summary\":\"s\",\"url\":null}" },
	{ DATA, "\"data\":[{\"summary\":\"s\"}]" },
	{ DATA, "\"data_base64\":\"e30=\"" },
};

static void refuses_values_an_attribute_cannot_have(void)
{
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(wrong_value) / sizeof(wrong_value[0]); i++)
		CHECK_ROW(try_with(wrong_value[i].which, wrong_value[i].text, &err) ==
				  BUS_E_MALFORMED_EVENT,
			  "%s is taken", wrong_value[i].text);
}

static void ignores_what_it_does_not_know(void)
{
	struct bus_err err;

	CHECK_CODE(try_with(SUBJECT, "\"subject\":\"x\",\"extension\":{\"a\":[null]}", &err),
		   BUS_OK, &err);
	CHECK_CODE(try_with(DATA,
			    "\"data\":{\"more\":{\"summary\":1},\"summary\":\"s\",\"x\":-1e3}",
			    &err),
		   BUS_OK, &err);
}

static void refuses_a_name_that_comes_twice_at_any_level(void)
{
	static const struct {
		int which;
		const char *text;
	} row[] = {
		{ ID, "\"id\":\"5\",\"id\":\"5\"" },
		{ ID, "\"id\":\"5\",\"id\":\"6\"" },
		{ ID, "\"id\":\"5\",\"\\u0069d\":\"6\"" },
		{ DATA, "\"data\":{\"summary\":\"s\",\"summary\":\"t\"}" },
		{ DATA, "\"data\":{\"summary\":\"s\",\"x\":{\"a\":1,\"a\":1}}" },
		{ DATA, "\"data\":{\"summary\":\"s\",\"x\":[[{\"a\":1,\"b\":2,\"a\":null}]]}" },
		{ SUBJECT, "\"x\":{\"a\":1,\"a\":2}" },
	};
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		CHECK_ROW(try_with(row[i].which, row[i].text, &err) == BUS_E_MALFORMED_EVENT,
			  "%s is taken", row[i].text);
}

static void refuses_nul_wherever_it_stands(void)
{
	struct bus_buf text = BUS_BUF_INIT(10000);
	struct bus_event *ev = NULL;
	struct bus_err err;
	size_t i;
	char kept;

	CHECK_CODE(try_with(SUBJECT, "\"subject\":\"a\\u0000b\"", &err), BUS_E_MALFORMED_EVENT,
		   &err);
	CHECK_CODE(try_with(DATA, "\"data\":{\"summary\":\"s\",\"x\":\"\\u0000\"}", &err),
		   BUS_E_MALFORMED_EVENT, &err);
	CHECK_CODE(try_with(DATA, "\"data\":{\"summary\":\"s\",\"a\\u0000\":1}", &err),
		   BUS_E_MALFORMED_EVENT, &err);
	spell(&text, -1, NULL);
	for (i = 0; i < text.len; i++) {
		kept = text.p[i];
		text.p[i] = '\0';
		CHECK_ROW(parse(&ev, text.p, text.len, NULL) == BUS_E_MALFORMED_EVENT,
			  "NUL at %zu is taken", i);
		text.p[i] = kept;
	}
	/* the buffer's own NUL after the last byte, counted in */
	CHECK(parse(&ev, text.p, text.len + 1, NULL) == BUS_E_MALFORMED_EVENT);
	bus_buf_finish(&text);
}

static void refuses_every_truncation_and_what_follows(void)
{
	static const char *const after[] = {
		"x", "{}", ",", "\"", "]", "}", "null", "\xef\xbb\xbf"
	};
	struct bus_buf text = BUS_BUF_INIT(10000);
	struct bus_event *ev = NULL;
	size_t i, len;

	spell(&text, -1, NULL);
	for (i = 0; i < text.len; i++)
		CHECK_ROW(parse(&ev, text.p, i, NULL) == BUS_E_MALFORMED_EVENT,
			  "%zu bytes are taken", i);
	len = text.len;
	for (i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		text.len = len;
		bus_buf_puts(&text, after[i]);
		CHECK_ROW(parse(&ev, text.p, text.len, NULL) == BUS_E_MALFORMED_EVENT,
			  "%s after the object", after[i]);
	}
	bus_buf_finish(&text);
}

static void refuses_what_is_no_object(void)
{
	static const char *const bad[] = { "",	      " ",	 "null",       "true",
					   "1",	      "\"x\"",	 "[]",	       "[{}]",
					   "{",	      "}",	 "{}",	       "{}{}",
					   "{\"a\"}", "{'a':1}", "{\"a\":1,}", "\xef\xbb\xbf{}",
					   "{a:1}",   "{/**/}",	 "NaN" };
	struct bus_event *ev = NULL;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ROW(parse(&ev, bad[i], strlen(bad[i]), NULL) == BUS_E_MALFORMED_EVENT,
			  "'%s' is taken", bad[i]);
}

static void refuses_what_is_not_utf8(void)
{
	static const char *const bytes[] = {
		"\xff",	    "\xc3", "\xc0\x80", "\xed\xa0\x80",	  "\xf4\x90\x80\x80",
		"\xe2\x82", "\x80", "\\ud800",	"\\udc00\\ud800", "\\ud83d"
	};
	char text[100];
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		snprintf(text, sizeof(text), "\"subject\":\"a%sb\"", bytes[i]);
		CHECK_ROW(try_with(SUBJECT, text, &err) == BUS_E_MALFORMED_EVENT, "row %zu", i);
		snprintf(text, sizeof(text), "\"data\":{\"summary\":\"s\",\"%s\":1}", bytes[i]);
		CHECK_ROW(try_with(DATA, text, &err) == BUS_E_MALFORMED_EVENT, "name %zu", i);
	}
	CHECK_CODE(try_with(SUBJECT, "\"subject\":\"\\ud83d\\udc27 \xf0\x9f\x90\xa7\"", &err),
		   BUS_OK, &err);
}

/* Arrays, `levels` of them, below the event's own object and data's. */
static enum bus_code nest(int levels, struct bus_err *err)
{
	char deep[100], text[200];

	memset(deep, '[', (size_t)levels);
	memset(deep + levels, ']', (size_t)levels);
	deep[2 * levels] = '\0';
	snprintf(text, sizeof(text), "\"data\":{\"summary\":\"s\",\"x\":%s}", deep);
	return try_with(DATA, text, err);
}

static void takes_32_levels_and_not_33(void)
{
	struct bus_err err;

	CHECK_CODE(nest(30, &err), BUS_OK, &err);
	CHECK_CODE(nest(31, &err), BUS_E_MALFORMED_EVENT, &err);
	/* brackets inside of strings are text */
	CHECK_CODE(try_with(DATA,
			    "\"data\":{\"summary\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\","
			    "\"x\":\"\\\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\\\\\"}",
			    &err),
		   BUS_OK, &err);
	/* and many of them beside each other are not deep */
	CHECK_CODE(try_with(DATA,
			    "\"data\":{\"summary\":\"s\",\"x\":[[],[],[],[],[],[],[],[],[],[],"
			    "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"
			    "}",
			    &err),
		   BUS_OK, &err);
}

static void counts_the_summary_in_characters(void)
{
	char text[1000] = "\"data\":{\"summary\":\"";
	struct bus_err err;
	int i;

	for (i = 0; i < BUS_SUMMARY_MAX; i++)
		strcat(text, "\xc3\xbc");
	strcat(text, "\"}");
	CHECK_CODE(try_with(DATA, text, &err), BUS_OK, &err);
	strcpy(text + strlen(text) - 2, "x\"}");
	CHECK_CODE(try_with(DATA, text, &err), BUS_E_MALFORMED_EVENT, &err);
	CHECK_SAYS(&err, "200");
}

/* -- times -- */

static void formats_times(void)
{
	static const struct {
		int64_t us;
		const char *text;
	} row[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 1, "1970-01-01T00:00:00.000001Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ -1000000, "1969-12-31T23:59:59.000000Z" },
		{ 1795342500123456, "2026-11-22T10:15:00.123456Z" },
		{ 253402300799999999, "9999-12-31T23:59:59.999999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999999Z" },
		{ INT64_MIN, "0001-01-01T00:00:00.000000Z" },
	};
	char text[BUS_TIME_LEN + 1];
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		bus_time_format(text, row[i].us);
		CHECK_TEXT(text, row[i].text);
		CHECK(strlen(text) == BUS_TIME_LEN);
	}
}

static void reads_times_of_rfc_3339(void)
{
	static const struct {
		const char *text;
		int64_t us;
	} row[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01t00:00:00z", 0 },
		{ "1970-01-01 00:00:00Z", 0 },
		{ "1970-01-01T01:00:00+01:00", 0 },
		{ "1969-12-31T22:30:00-01:30", 0 },
		{ "1970-01-01T00:00:00-00:00", 0 },
		{ "1970-01-01T00:00:00.5Z", 500000 },
		{ "1970-01-01T00:00:00.123456789Z", 123456 },
		{ "1969-12-31T23:59:59.999999Z", -1 },
		{ "2000-02-29T00:00:00Z", 951782400000000 },
		{ "2026-11-22T10:15:00.123456Z", 1795342500123456 },
		{ "2016-12-31T23:59:60Z", 1483228800000000 }, /* a leap second */
	};
	int64_t us;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		us = -42;
		CHECK_ROW(bus_time_parse(&us, row[i].text) && us == row[i].us, "%s is %lld",
			  row[i].text, (long long)us);
	}
}

static void refuses_other_times(void)
{
	static const char *const bad[] = {
		"",
		"now",
		"1970-01-01",
		"1970-01-01T00:00:00",
		"1970-01-01T00:00Z",
		"1970-1-01T00:00:00Z",
		"1970-13-01T00:00:00Z",
		"1970-00-01T00:00:00Z",
		"1970-01-00T00:00:00Z",
		"1970-01-32T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z",
		"1970-01-01T00:00:61Z",
		"1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00.1234567890Z",
		"1970-01-01T00:00:00,5Z",
		"1970-01-01T00:00:00+1:00",
		"1970-01-01T00:00:00+24:00",
		"1970-01-01T00:00:00+01:60",
		"1970-01-01T00:00:00+0100",
		"1970-01-01T00:00:00Z ",
		" 1970-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z",
		"-1970-01-01T00:00:00Z",
		"19700101T000000Z",
		"1970-01-01_00:00:00Z",
		"1970-01-01T00:00:00ZZ",
		"2026-02-30T00:00:60Z",
	};
	int64_t us;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ROW(!bus_time_parse(&us, bad[i]), "'%s' is taken", bad[i]);
}

static void times_go_both_ways(void)
{
	char text[BUS_TIME_LEN + 1];
	int64_t us, again;

	for (us = -62135596800000000; us < 253402300799000000; us += 86399999999 * 997) {
		bus_time_format(text, us);
		CHECK_ROW(bus_time_parse(&again, text) && again == us, "%s", text);
	}
	CHECK(bus_time_now() > 1600000000000000);
}

/* -- building -- */

static const char data[] = "{\"summary\":\"hello accepted\",\"n\":1}";

static struct bus_draft a_draft(void)
{
	return (struct bus_draft){ .type = TYPE,
				   .subject = "hello",
				   .time_us = 1795342500000000,
				   .data = data,
				   .data_len = sizeof(data) - 1 };
}

static void builds_the_bytes_of_the_protocol(void)
{
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_draft draft = a_draft();
	struct bus_err err;

	CHECK_CODE(bus_event_build(&out, &draft, SOURCE, 5, 2, &err), BUS_OK, &err);
	CHECK_TEXT(out.p,
		   "{\"specversion\":\"1.0\",\"source\":\"" SOURCE "\",\"id\":\"5\","
		   "\"type\":\"" TYPE "\",\"subject\":\"hello\",\"time\":\"" TIME "\","
		   "\"datacontenttype\":\"application/json\","
		   "\"dataschema\":\"urn:debmsg:schema:dak.upload.accept:1\","
		   "\"typesequence\":\"2\",\"data\":{\"summary\":\"hello accepted\",\"n\":1}}");
	bus_buf_finish(&out);
}

static void what_is_built_is_parsed(void)
{
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_draft draft = a_draft();
	struct bus_event *ev = NULL;
	struct bus_err err;

	draft.subject = "a\"b\\c\n\x01 \xff \xc3\xbc";
	bus_buf_puts(&out, "before");
	CHECK_CODE(bus_event_build(&out, &draft, SOURCE, INT64_MAX, INT64_MAX, &err), BUS_OK, &err);
	CHECK(strncmp(out.p, "before{", 7) == 0);
	CHECK_CODE(parse(&ev, out.p + 6, out.len - 6, &err), BUS_OK, &err);
	CHECK_NEED(ev != NULL);
	CHECK(ev->id == INT64_MAX && ev->typesequence == INT64_MAX);
	CHECK_TEXT(ev->subject, "a\"b\\c\n\x01 \xef\xbf\xbd \xc3\xbc");
	bus_event_free(ev);
	bus_buf_finish(&out);
}

static void no_subject_is_left_out(void)
{
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_draft draft = a_draft();
	struct bus_err err;

	draft.subject = "";
	CHECK_CODE(bus_event_build(&out, &draft, SOURCE, 0, 1, &err), BUS_OK, &err);
	CHECK(!strstr(out.p, "\"subject\""));
	bus_buf_finish(&out);
}

static void builds_nothing_that_would_not_be_taken(void)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"summary\":1}",
		"{\"summary\":\"a\\nb\"}",
		"{\"summary\":\"s\",\"summary\":\"s\"}",
		"{\"summary\":\"s\"},\"id\":\"9\"",
		"{\"summary\":\"s\"",
		"{\"summary\":\"s\"}}",
		"{\"summary\":\"\xff\"}",
	};
	struct bus_draft draft = a_draft();
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bus_buf_clear(&out);
		draft.data = bad[i];
		draft.data_len = strlen(bad[i]);
		CHECK_ROW(bus_event_build(&out, &draft, SOURCE, 0, 1, &err) == BUS_E_DATA,
			  "'%s' is taken", bad[i]);
		CHECK(err.code == BUS_E_DATA);
	}
	draft = a_draft();
	draft.type = "org.debian.dev.dak.upload";
	CHECK_CODE(bus_event_build(&out, &draft, SOURCE, 0, 1, &err), BUS_E_DATA, &err);
	bus_buf_finish(&out);
}

static void builds_nothing_larger_than_the_limit(void)
{
	struct bus_draft draft = a_draft();
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_err err;
	size_t size;

	CHECK_CODE(bus_event_build(&out, &draft, SOURCE, 5, 2, &err), BUS_OK, &err);
	size = out.len;
	bus_buf_clear(&out);
	out.max = size;
	CHECK_CODE(bus_event_build(&out, &draft, SOURCE, 5, 2, &err), BUS_OK, &err);
	bus_buf_clear(&out);
	out.max = size - 1;
	CHECK_CODE(bus_event_build(&out, &draft, SOURCE, 5, 2, &err), BUS_E_DATA, &err);
	bus_buf_finish(&out);
}

/* -- drafts -- */

static enum bus_code draft_of(struct bus_draft_text **owner, struct bus_draft *draft,
			      const char *json, struct bus_err *err)
{
	*owner = NULL;
	return bus_draft_parse(owner, draft, "dev", "dak", json, strlen(json), err);
}

static void reads_a_draft(void)
{
	struct bus_draft_text *owner;
	struct bus_draft draft;
	struct bus_err err;

	CHECK_CODE(draft_of(&owner, &draft,
			    "{\"type\":\"upload.accept\",\"subject\":\"hello\","
			    "\"time\":\"2026-11-22T11:15:00+01:00\","
			    "\"data\":{\"summary\":\"s\",\"b\":[1,{\"a\":null}],\"a\":\"\xc3\xbc\"}"
			    "}",
			    &err),
		   BUS_OK, &err);
	CHECK_NEED(owner != NULL);
	CHECK_TEXT(draft.type, TYPE);
	CHECK_TEXT(draft.subject, "hello");
	CHECK(draft.time_us == 1795342500000000);
	CHECK(draft.data_len == strlen(draft.data));
	CHECK_TEXT(draft.data, "{\"summary\":\"s\",\"b\":[1,{\"a\":null}],\"a\":\"\xc3\xbc\"}");
	bus_draft_text_free(owner);
	bus_draft_text_free(NULL);
}

static void a_draft_has_defaults(void)
{
	const int64_t before = bus_time_now();
	struct bus_draft_text *owner;
	struct bus_draft draft;
	struct bus_err err;

	CHECK_CODE(draft_of(&owner, &draft, "{\"type\":\"" TYPE "\",\"subject\":\"hello\"}", &err),
		   BUS_OK, &err);
	CHECK_NEED(owner != NULL);
	CHECK(draft.time_us >= before && draft.time_us <= bus_time_now());
	CHECK_TEXT(draft.data, "{\"summary\":\"upload accept: hello\"}");
	bus_draft_text_free(owner);
	CHECK_CODE(draft_of(&owner, &draft, "{\"type\":\"" TYPE "\"}", &err), BUS_OK, &err);
	CHECK_NEED(owner != NULL);
	CHECK(!draft.subject);
	bus_draft_text_free(owner);
}

/* Whatever the subject, the summary made of it makes an event. */
static void a_summary_made_of_any_subject_is_good(void)
{
	static const char *const subject[] = {
		"two\\nlines", "\\u0001\\t", "\\\"quoted\\\"", "\\u007f", "",
	};
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT), json = BUS_BUF_INIT(10000);
	struct bus_draft_text *owner;
	struct bus_draft draft;
	struct bus_err err;
	size_t i, k;

	for (i = 0; i < 5 + 8; i++) {
		bus_buf_clear(&json);
		bus_buf_clear(&out);
		bus_buf_puts(&json, "{\"type\":\"upload.accept\",\"subject\":\"");
		/* long ones, to be cut at every place within a character */
		for (k = 0; i >= 5 && k < 300; k++)
			bus_buf_puts(&json, k < i - 5 ? "x"
					    : i % 2   ? "\xf0\x9f\x90\xa7"
						      : "\xe2\x82\xac");
		bus_buf_puts(&json, i < 5 ? subject[i] : "");
		bus_buf_puts(&json, "\"}");
		CHECK_CODE(draft_of(&owner, &draft, json.p, &err), BUS_OK, &err);
		CHECK_NEED(owner != NULL);
		CHECK_CODE(bus_event_build(&out, &draft, SOURCE, 0, 1, &err), BUS_OK, &err);
		bus_draft_text_free(owner);
	}
	bus_buf_finish(&out);
	bus_buf_finish(&json);
}

static void refuses_what_is_no_draft(void)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"type\":1}",
		"{\"type\":\"upload\"}",
		"{\"type\":\"a.b.c\"}",
		"{\"type\":\"Upload.accept\"}",
		"{\"type\":\"org.debian.dev.dak.upload\"}",
		"{\"type\":\"upload.accept\",\"subject\":1}",
		"{\"type\":\"upload.accept\",\"subject\":null}",
		"{\"type\":\"upload.accept\",\"time\":\"now\"}",
		"{\"type\":\"upload.accept\",\"time\":0}",
		"{\"type\":\"upload.accept\",\"data\":[]}",
		"{\"type\":\"upload.accept\",\"data\":null}",
		"{\"type\":\"upload.accept\",\"x\":1}",
		"{\"type\":\"upload.accept\",\"type\":\"upload.accept\"}",
		"{\"type\":\"upload.accept\"}x",
		"{\"type\":\"upload.accept\",\"subject\":\"\\u0000\"}",
	};
	struct bus_draft_text *owner;
	struct bus_draft draft;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_ROW(draft_of(&owner, &draft, bad[i], &err) == BUS_E_DATA, "%s is taken",
			  bad[i]);
		CHECK(owner == NULL);
	}
	CHECK_CODE(draft_of(&owner, &draft, "{\"type\":\"upload.accept\",\"sbject\":\"x\"}", &err),
		   BUS_E_DATA, &err);
	CHECK_SAYS(&err, "sbject");
}

static void an_event_gives_its_draft_back(void)
{
	struct bus_buf first = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_buf second = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	struct bus_draft_text *owner = NULL;
	struct bus_draft draft = a_draft(), again;
	struct bus_err err;

	draft.subject = "Gr\xc3\xbc\xc3\x9f"
			"e\n";
	CHECK_CODE(bus_event_build(&first, &draft, SOURCE, 5, 2, &err), BUS_OK, &err);
	CHECK_CODE(bus_draft_from_event(&owner, &again, first.p, first.len, &err), BUS_OK, &err);
	CHECK_NEED(owner != NULL);
	CHECK_CODE(bus_event_build(&second, &again, SOURCE, 5, 2, &err), BUS_OK, &err);
	CHECK_TEXT(second.p, first.p);
	bus_draft_text_free(owner);
	bus_buf_finish(&first);
	bus_buf_finish(&second);
}

/* People compare versions and sizes by eye: 0.1 must not become 0.10000000000000001. */
static void numbers_stay_as_they_were_written(void)
{
	static const char json[] = "{\"type\":\"upload.accept\",\"data\":{\"summary\":\"s\","
				   "\"load\":0.1,\"n\":9007199254740993,\"x\":1.5}}";
	struct bus_draft_text *owner;
	struct bus_draft draft;
	struct bus_err err;

	CHECK_CODE(draft_of(&owner, &draft, json, &err), BUS_OK, &err);
	CHECK_NEED(owner != NULL);
	CHECK_TEXT(draft.data, "{\"summary\":\"s\",\"load\":0.1,\"n\":9007199254740993,\"x\":1.5}");
	bus_draft_text_free(owner);
}

static const struct check_test tests[] = {
	{ "takes an event apart", takes_an_event_apart },
	{ "needs every attribute but the subject", needs_every_attribute_but_the_subject },
	{ "refuses attributes of another kind", refuses_attributes_of_another_kind },
	{ "refuses values an attribute cannot have", refuses_values_an_attribute_cannot_have },
	{ "ignores what it does not know", ignores_what_it_does_not_know },
	{ "refuses a name that comes twice, at any level",
	  refuses_a_name_that_comes_twice_at_any_level },
	{ "refuses NUL wherever it stands", refuses_nul_wherever_it_stands },
	{ "refuses every truncation, and what follows", refuses_every_truncation_and_what_follows },
	{ "refuses what is no object", refuses_what_is_no_object },
	{ "refuses what is not UTF-8", refuses_what_is_not_utf8 },
	{ "takes 32 levels and not 33", takes_32_levels_and_not_33 },
	{ "counts the summary in characters", counts_the_summary_in_characters },
	{ "formats times", formats_times },
	{ "reads times of RFC 3339", reads_times_of_rfc_3339 },
	{ "refuses other times", refuses_other_times },
	{ "times go both ways", times_go_both_ways },
	{ "builds the bytes of the protocol", builds_the_bytes_of_the_protocol },
	{ "what is built is parsed", what_is_built_is_parsed },
	{ "no subject is left out", no_subject_is_left_out },
	{ "builds nothing that would not be taken", builds_nothing_that_would_not_be_taken },
	{ "builds nothing larger than the limit", builds_nothing_larger_than_the_limit },
	{ "reads a draft", reads_a_draft },
	{ "a draft has defaults", a_draft_has_defaults },
	{ "a summary made of any subject is good", a_summary_made_of_any_subject_is_good },
	{ "refuses what is no draft", refuses_what_is_no_draft },
	{ "an event gives its draft back", an_event_gives_its_draft_back },
	{ "numbers stay as they were written", numbers_stay_as_they_were_written },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("event", tests);
}
