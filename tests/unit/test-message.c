#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "message.h"

/* A reader on text; the FILE is closed with it. */
static struct bus_message_reader *reader_on(FILE **stream, const char *text, size_t len)
{
	struct bus_message_reader *reader = NULL;
	struct bus_err err;

	*stream = fmemopen((void *)(uintptr_t)text, len ? len : 1, "r");
	CHECK_NEED(*stream != NULL);
	if (!len)
		getc(*stream);
	CHECK_CODE(bus_message_reader_new(&reader, *stream, &err), BUS_OK, &err);
	CHECK_NEED(reader != NULL);
	return reader;
}

/* Reads to the end or to the first failure; returns the number of messages. */
static enum bus_code read_all(const char *text, size_t len, int *ret_count, struct bus_err *err)
{
	struct bus_message *m;
	FILE *stream;
	struct bus_message_reader *reader = reader_on(&stream, text, len);
	enum bus_code rc;

	*ret_count = 0;
	for (;;) {
		m = NULL;
		rc = bus_message_read(reader, &m, err);
		if (rc || !m)
			break;
		(*ret_count)++;
		bus_message_free(m);
	}
	CHECK(!m);
	bus_message_reader_free(reader);
	fclose(stream);
	return rc;
}

static enum bus_code read_one(struct bus_message **ret, const char *text, size_t len,
			      struct bus_err *err)
{
	FILE *stream;
	struct bus_message_reader *reader = reader_on(&stream, text, len);
	enum bus_code rc = bus_message_read(reader, ret, err);

	bus_message_reader_free(reader);
	fclose(stream);
	return rc;
}

static void check_round_trip(const char *body, size_t body_len, const char *member)
{
	struct bus_message m = { .routing_key = (char[]){ "a.b" },
				 .body_len = body_len,
				 .body = malloc(body_len + 1),
				 .proof = (char[]){ "p\n\xe2\x80\x94" },
				 .proof_len = 5 };
	struct bus_buf out = BUS_BUF_INIT(1 << 23);
	struct bus_message *back = NULL;
	struct bus_err err;

	CHECK_NEED(m.body != NULL);
	memcpy(m.body, body, body_len);
	bus_message_export(&out, &m);
	CHECK_CODE(bus_buf_check(&out, "export", &err), BUS_OK, &err);
	CHECK(out.len && strchr(out.p, '\n') == out.p + out.len - 1); /* one line */
	CHECK_ROW(strstr(out.p, member) != NULL, "no %s in %s", member, out.p);
	CHECK_CODE(read_one(&back, out.p, out.len, &err), BUS_OK, &err);
	CHECK_NEED(back != NULL);
	CHECK_TEXT(back->routing_key, "a.b");
	CHECK(back->body_len == body_len && !memcmp(back->body, body, body_len));
	CHECK(back->proof_len == 5 && !memcmp(back->proof, m.proof, 5));
	CHECK(!back->message_id && !back->oversize);
	bus_message_free(back);
	bus_buf_finish(&out);
	free(m.body);
}

static void any_body_goes_both_ways(void)
{
	char all[256];
	int i;

	for (i = 0; i < 256; i++)
		all[i] = (char)i;
	check_round_trip("{\"a\":1}", 7, "\"body\":");
	check_round_trip("x", 1, "\"body\":");
	check_round_trip("", 0, "\"body\":");
	check_round_trip("a\"\\\n\r\t\x01\x1f\x7f/", 10, "\"body\":");
	check_round_trip("Gr\xc3\xbc\xc3\x9f"
			 "e \xf0\x9f\x90\xa7",
			 12, "\"body\":");
	check_round_trip("\xff", 1, "\"body_base64\":");
	check_round_trip("ab\xc3", 3, "\"body_base64\":");
	check_round_trip("a\0b", 3, "\"body_base64\":");
	check_round_trip("\0", 1, "\"body_base64\":");
	check_round_trip(all, sizeof(all), "\"body_base64\":");
}

static void a_body_of_one_mebibyte_goes_both_ways(void)
{
	char *lots = malloc(1 << 20);

	CHECK_NEED(lots != NULL);
	memset(lots, '\x01', 1 << 20); /* six bytes each in JSON */
	check_round_trip(lots, 1 << 20, "\"body\":");
	memset(lots, '\xff', 1 << 20);
	check_round_trip(lots, 1 << 20, "\"body_base64\":");
	free(lots);
}

static void a_message_without_proof_goes_both_ways(void)
{
	struct bus_message m = { .routing_key = (char[]){ "a" },
				 .body = (char[]){ "b" },
				 .body_len = 1 };
	struct bus_buf out = BUS_BUF_INIT(1000);
	struct bus_message *back = NULL;
	struct bus_err err;

	bus_message_export(&out, &m);
	CHECK_TEXT(out.p, "{\"routing_key\":\"a\",\"proof\":\"\",\"body\":\"b\"}\n");
	CHECK_CODE(read_one(&back, out.p, out.len, &err), BUS_OK, &err);
	CHECK_NEED(back != NULL);
	CHECK(!back->proof && !back->proof_len);
	bus_message_free(back);
	bus_message_free(NULL);
	bus_buf_finish(&out);
}

/* A message from the broker may have no body at all: nothing points anywhere then. */
static void an_empty_message_can_be_exported(void)
{
	struct bus_message m = { .routing_key = (char[]){ "" } };
	struct bus_buf out = BUS_BUF_INIT(1000);

	bus_message_export(&out, &m);
	CHECK_TEXT(out.p, "{\"routing_key\":\"\",\"proof\":\"\",\"body\":\"\"}\n");
	bus_buf_finish(&out);
}

static void an_export_too_large_fails(void)
{
	struct bus_message m = { .routing_key = (char[]){ "a" },
				 .body = (char[]){ "\xff"
						   "b" },
				 .body_len = 2 };
	struct bus_buf out = BUS_BUF_INIT(20);

	bus_message_export(&out, &m);
	CHECK(bus_buf_check(&out, "export", NULL) == BUS_E_DATA);
	bus_buf_finish(&out);
}

#define ONE "{\"routing_key\":\"k\",\"proof\":\"p\",\"body\":\"b\"}"

static void reads_objects_however_they_are_laid_out(void)
{
	static const struct {
		const char *text;
		int count;
	} row[] = {
		{ "", 0 },
		{ "\n", 0 },
		{ " \t\r\n\n", 0 },
		{ ONE, 1 },
		{ ONE "\n", 1 },
		{ ONE "\n" ONE "\n", 2 },
		{ ONE ONE ONE, 3 },
		{ "\n\n  " ONE "\r\n\r\n" ONE, 2 },
		{ "{\n  \"routing_key\": \"k\",\n  \"proof\": \"p\",\n  \"body\": \"b\"\n}\n" ONE,
		  2 },
		{ "{\"x\":{\"y\":[{}]},\"routing_key\":\"k\",\"proof\":\"p\",\"body\":\"b\"}", 1 },
		{ "{\"routing_key\":\"}{\",\"proof\":\"\\\"}\",\"body\":\"\\\\\"}" ONE, 2 },
		{ "{\"routing_key\":\"k\",\"proof\":\"p\",\"body_base64\":\"\"}", 1 },
	};
	struct bus_err err;
	size_t i;
	int count;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		CHECK_CODE(read_all(row[i].text, strlen(row[i].text), &count, &err), BUS_OK, &err);
		CHECK_ROW(count == row[i].count, "row %zu has %d", i, count);
	}
}

static void names_the_line_of_rubbish(void)
{
	static const struct {
		const char *text;
		int count;
		const char *line;
	} row[] = {
		{ "x", 0, "line 1:" },
		{ "\n\n[]", 0, "line 3:" },
		{ ONE "\n" ONE "\nrubbish", 2, "line 3:" },
		{ "}", 0, "line 1:" },
		{ "null\n", 0, "line 1:" },
		{ "{}", 0, "line 1:" },
		{ ONE "\n{", 1, "line 2:" },
		{ ONE "\n\n{\"a\":\"", 1, "line 3:" },
		{ "{\"routing_key\":1,\"proof\":\"p\",\"body\":\"b\"}", 0, "line 1:" },
		{ "{\"routing_key\":\"k\",\"body\":\"b\"}", 0, "line 1:" },
		{ "{\"routing_key\":\"k\",\"proof\":\"p\"}", 0, "line 1:" },
		{ "{\"routing_key\":\"k\",\"proof\":\"p\",\"body\":1}", 0, "line 1:" },
		{ "{\"routing_key\":\"k\",\"proof\":null,\"body\":\"b\"}", 0, "line 1:" },
		{ "{\"routing_key\":\"a\\u0000b\",\"proof\":\"p\",\"body\":\"b\"}", 0, "line 1:" },
		{ "{\"routing_key\":\"k\",\"proof\":\"p\",\"body_base64\":\"!\"}", 0, "line 1:" },
		{ "{\"routing_key\":\"k\",\"proof\":\"p\",\"body_base64\":\"YQ\"}", 0, "line 1:" },
		{ ONE "\n{\"proof\":\"p\",\"proof\":\"p\"}", 1, "line 2:" },
		{ ONE "\n{\"routing_key\":\"\xff\"}", 1, "line 2:" },
		{ ONE "\n{\"a\" \"b\"}\n" ONE, 1, "line 2:" },
		{ ONE "," ONE, 1, "line 1:" },
	};
	struct bus_err err;
	size_t i;
	int count;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		CHECK_CODE(read_all(row[i].text, strlen(row[i].text), &count, &err), BUS_E_DATA,
			   &err);
		CHECK_ROW(count == row[i].count, "row %zu has %d", i, count);
		CHECK_SAYS(&err, row[i].line);
	}
}

static void nul_bytes_are_rubbish(void)
{
	struct bus_err err;
	int count;

	CHECK_CODE(read_all("\0\0\0\0", 4, &count, &err), BUS_E_DATA, &err);
	CHECK_CODE(read_all(ONE "\0" ONE, 2 * strlen(ONE) + 1, &count, &err), BUS_E_DATA, &err);
	CHECK_CODE(read_all("{\"routing_key\":\"k\0\"}", 20, &count, &err), BUS_E_DATA, &err);
}

static void too_large_an_object_names_its_line(void)
{
	const size_t len = 9 * 1024 * 1024;
	char *lots = malloc(len);
	struct bus_err err;
	int count;

	CHECK_NEED(lots != NULL);
	memset(lots, 'x', len);
	memcpy(lots, ONE "\n{\"a\":\"", strlen(ONE) + 7);
	CHECK_CODE(read_all(lots, len, &count, &err), BUS_E_DATA, &err);
	CHECK(count == 1);
	CHECK_SAYS(&err, "line 2");
	free(lots);
}

static void deep_nesting_is_refused(void)
{
	char deep[20000];
	struct bus_err err;
	int count;

	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"a\":", 5);
	memset(deep + sizeof(deep) / 2, ']', sizeof(deep) / 2);
	deep[sizeof(deep) - 1] = '}';
	CHECK_CODE(read_all(deep, sizeof(deep), &count, &err), BUS_E_DATA, &err);
}

static void a_stream_that_cannot_be_read_is_no_bad_data(void)
{
	struct bus_message_reader *reader = NULL;
	struct bus_message *m = NULL;
	struct bus_err err;
	FILE *stream = fopen("/", "r");

	CHECK_NEED(stream != NULL);
	CHECK(bus_message_reader_new(&reader, stream, &err) == BUS_OK);
	CHECK_CODE(bus_message_read(reader, &m, &err), BUS_E_TEMP, &err);
	bus_message_reader_free(reader);
	bus_message_reader_free(NULL);
	fclose(stream);
}

static const struct check_test tests[] = {
	{ "any body goes both ways", any_body_goes_both_ways },
	{ "a body of one mebibyte goes both ways", a_body_of_one_mebibyte_goes_both_ways },
	{ "a message without proof goes both ways", a_message_without_proof_goes_both_ways },
	{ "an empty message can be exported", an_empty_message_can_be_exported },
	{ "an export too large fails", an_export_too_large_fails },
	{ "reads objects however they are laid out", reads_objects_however_they_are_laid_out },
	{ "names the line of rubbish", names_the_line_of_rubbish },
	{ "NUL bytes are rubbish", nul_bytes_are_rubbish },
	{ "too large an object names its line", too_large_an_object_names_its_line },
	{ "deep nesting is refused", deep_nesting_is_refused },
	{ "a stream that cannot be read is no bad data",
	  a_stream_that_cannot_be_read_is_no_bad_data },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("message", tests);
}
