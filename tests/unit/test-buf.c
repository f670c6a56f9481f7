#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "check.h"
#include "json.h"

static void grows_and_ends_in_nul(void)
{
	struct bus_buf buf = BUS_BUF_INIT(1 << 20);
	int i;

	for (i = 0; i < 10000; i++)
		bus_buf_add(&buf, "0123456789", 10);
	CHECK(buf.len == 100000);
	CHECK(buf.p[buf.len] == '\0');
	CHECK(strlen(buf.p) == buf.len);
	CHECK(bus_buf_check(&buf, "test", NULL) == BUS_OK);
	bus_buf_finish(&buf);
	CHECK(!buf.p && !buf.len);
}

static void takes_exactly_its_limit(void)
{
	struct bus_buf buf = BUS_BUF_INIT(4);
	struct bus_err err;

	bus_buf_puts(&buf, "abcd");
	CHECK(bus_buf_check(&buf, "test", NULL) == BUS_OK);
	bus_buf_add(&buf, "e", 1);
	CHECK_CODE(bus_buf_check(&buf, "the test", &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, "the test: more than 4 bytes");
	bus_buf_finish(&buf);
}

static void stays_failed_until_cleared(void)
{
	struct bus_buf buf = BUS_BUF_INIT(4);

	bus_buf_puts(&buf, "ab");
	bus_buf_puts(&buf, "cdefg");
	bus_buf_puts(&buf, "c"); /* would fit, but something is missing before it */
	CHECK(buf.failed && buf.over && buf.len == 2);
	bus_buf_printf(&buf, "%d", 1);
	CHECK(buf.len == 2);
	bus_buf_clear(&buf);
	bus_buf_puts(&buf, "abcd");
	CHECK(bus_buf_check(&buf, "test", NULL) == BUS_OK);
	CHECK_TEXT(buf.p, "abcd");
	bus_buf_finish(&buf);
}

static void a_huge_length_does_not_wrap_around(void)
{
	struct bus_buf buf = BUS_BUF_INIT(64);

	bus_buf_puts(&buf, "a");
	bus_buf_add(&buf, "b", SIZE_MAX);
	CHECK(buf.over);
	bus_buf_clear(&buf);
	bus_buf_puts(&buf, "a");
	bus_buf_add(&buf, "b", SIZE_MAX - 1);
	CHECK(buf.over);
	bus_buf_finish(&buf);
}

static void prints_at_the_edge_of_its_memory(void)
{
	struct bus_buf buf = BUS_BUF_INIT(4096);
	char *p;

	while (buf.len < 255)
		bus_buf_add(&buf, "x", 1);
	bus_buf_printf(&buf, "%s", "y");
	bus_buf_printf(&buf, "%s", "");
	CHECK(buf.len == 256 && buf.p[255] == 'y' && !buf.p[256]);
	p = bus_buf_detach(&buf);
	CHECK(p && !buf.p && strlen(p) == 256);
	free(p);
}

static void gives_nothing_away_after_a_failure(void)
{
	struct bus_buf buf = BUS_BUF_INIT(2);

	bus_buf_puts(&buf, "a");
	bus_buf_puts(&buf, "bc");
	CHECK(!bus_buf_detach(&buf));
	CHECK(!buf.p);
}

/* RFC 4648 section 10, and every length around a group. */
static const struct {
	const char *plain, *text;
} base64[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xff\xff\xff", "////" },
	{ "\xfb\xef\xbe", "++++" },
};

static void base64_goes_both_ways(void)
{
	size_t i, n;

	for (i = 0; i < sizeof(base64) / sizeof(base64[0]); i++) {
		struct bus_buf buf = BUS_BUF_INIT(100);
		unsigned char out[100];

		bus_base64_encode(&buf, base64[i].plain, strlen(base64[i].plain));
		CHECK_TEXT(buf.p ? buf.p : "", base64[i].text);
		CHECK(bus_base64_decode(out, &n, base64[i].text, strlen(base64[i].text)));
		CHECK(n == strlen(base64[i].plain) && !memcmp(out, base64[i].plain, n));
		bus_buf_finish(&buf);
	}
}

static void base64_has_one_text_for_one_meaning(void)
{
	static const char *const bad[] = {
		"Z",	    "Zg",	"Zg=",	"Zg===", "=",	   "==",    "===",
		"====",	    "Z===",	"Zh==", "Zm9=",	 "Zm9v\n", "Zm9 ",  " Zm9v",
		"Zm9v====", "Zg==Zg==", "Zg=g", "Z=g=",	 "-_-_",   "Zm9v=", "Zm9\x80",
	};
	unsigned char out[100];
	size_t i, n;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ROW(!bus_base64_decode(out, &n, bad[i], strlen(bad[i])), "'%s' is taken",
			  bad[i]);
	CHECK(!bus_base64_decode(out, &n, "Zm\0v", 4));
}

static void utf8_is_that_of_rfc_3629(void)
{
	static const struct {
		const char *text;
		size_t len;
	} row[] = {
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xee\x80\x80", 3 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "", 0 },
		{ "\x80", 0 },
		{ "\xbf", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xc2", 0 },
		{ "\xc2 ", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xe2\x82", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xed\xbf\xbf", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xf0\x90\x80", 0 },
		{ "\xff", 0 },
		{ "\xfe", 0 },
		{ "\xe2\x28\xa1", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		CHECK_ROW(bus_utf8_char(row[i].text, strlen(row[i].text)) == row[i].len, "row %zu",
			  i);
	CHECK(bus_utf8_valid("", 0));
	CHECK(bus_utf8_valid("Gr\xc3\xbc\xc3\x9f"
			     "e",
			     7));
	CHECK(!bus_utf8_valid("ab\xc3", 3));
}

static void json_is_compact_and_has_its_commas(void)
{
	struct bus_buf buf = BUS_BUF_INIT(1000);
	struct bus_json js = { &buf, false };

	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "a", "x");
	bus_json_open(&js, "list", '[');
	bus_json_uint(&js, NULL, 0);
	bus_json_uint(&js, NULL, UINT64_MAX);
	bus_json_open(&js, NULL, '{');
	bus_json_close(&js, '}');
	bus_json_bool(&js, NULL, true);
	bus_json_close(&js, ']');
	bus_json_raw(&js, "raw", "null", 4);
	bus_json_bool(&js, "no", false);
	bus_json_close(&js, '}');
	CHECK_TEXT(buf.p, "{\"a\":\"x\",\"list\":[0,18446744073709551615,{},true],\"raw\":null,"
			  "\"no\":false}");
	bus_buf_finish(&buf);
}

static void json_text_may_be_any_bytes(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *json;
	} row[] = {
		{ "", 0, "\"\"" },
		{ "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
		{ "\n\r\t\x01\x1f\x7f", 6, "\"\\n\\r\\t\\u0001\\u001f\\u007f\"" },
		{ "Gr\xc3\xbc\xc3\x9f", 6, "\"Gr\xc3\xbc\xc3\x9f\"" },
		{ "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", 8, "\"\\u0080\\u009b\\u009f\xc2\xa0\"" },
		{ "a\0b", 3,
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		{ "\xff"
		  "a\xc3",
		  3,
		  "\"\xef\xbf\xbd"
		  "a\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf0\x9f\x90\xa7", 4, "\"\xf0\x9f\x90\xa7\"" },
	};
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct bus_buf buf = BUS_BUF_INIT(100);
		struct bus_json js = { &buf, false };

		bus_json_bytes(&js, NULL, row[i].bytes, row[i].len);
		CHECK_TEXT(buf.p, row[i].json);
		CHECK(bus_utf8_valid(buf.p, buf.len));
		bus_buf_finish(&buf);
	}
}

static const struct check_test tests[] = {
	{ "grows, and ends in NUL", grows_and_ends_in_nul },
	{ "takes exactly its limit", takes_exactly_its_limit },
	{ "stays failed until it is cleared", stays_failed_until_cleared },
	{ "a huge length does not wrap around", a_huge_length_does_not_wrap_around },
	{ "prints at the edge of its memory", prints_at_the_edge_of_its_memory },
	{ "gives nothing away after a failure", gives_nothing_away_after_a_failure },
	{ "base64 goes both ways", base64_goes_both_ways },
	{ "base64 has one text for one meaning", base64_has_one_text_for_one_meaning },
	{ "UTF-8 is that of RFC 3629", utf8_is_that_of_rfc_3629 },
	{ "JSON is compact and has its commas", json_is_compact_and_has_its_commas },
	{ "JSON text may be any bytes", json_text_may_be_any_bytes },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("buf, base64, json", tests);
}
