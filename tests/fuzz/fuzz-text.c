#include "config.h"

#include <string.h>

#include "adapters/alioth/closes.h"
#include "adapters/common/text.h"
#include "adapters/dak/date.h"
#include "adapters/planet/feed_date.h"
#include "adapters/planet/html_text.h"
#include "base64.h"
#include "fuzz.h"
#include "json.h"
#include "proof.h"
#include "timestamp.h"

enum { ROOM = 1 << 20, LINE_MAX_CHARACTERS = 100 };

/* Years of four digits: a time that was understood can be written, and is read as the same. */
static void check_time(int64_t us)
{
	char text[BUS_TIME_LEN + 1];
	int64_t again;

	bus_time_format(text, us);
	MUST(bus_time_parse(&again, text) && again == us);
}

static void check_times(const char *text, size_t len)
{
	int64_t us;

	if (bus_time_parse(&us, text))
		check_time(us);
	if (feed_date_parse(&us, text))
		check_time(us);
	if (dak_date_parse(&us, (struct dak_slice){ text, len }))
		check_time(us);
	if (bus_age_parse(&us, text))
		MUST(us >= 0 && us <= 1000000LL * 7 * 86400 * 1000000);
}

/* One number, one text, one encoding. */
static void check_codes(const char *text, size_t len)
{
	struct bus_buf again = BUS_BUF_INIT(ROOM);
	unsigned char *out = malloc(len / 4 * 3 + 1);
	uint64_t number;
	char digits[32];
	size_t n = 0;

	MUST(out);
	if (bus_decimal_parse(&number, text, len)) {
		snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
		MUST(strlen(digits) == len && memcmp(digits, text, len) == 0);
	}
	if (bus_base64_decode(out, &n, text, len)) {
		MUST(n <= len / 4 * 3);
		bus_base64_encode(&again, out, n);
		MUST(again.len == len && (!len || memcmp(again.p, text, len) == 0));
	}
	bus_buf_clear(&again);
	bus_base64_encode(&again, text, len);
	free(out);
	out = malloc(again.len / 4 * 3 + 1);
	MUST(out && bus_base64_decode(out, &n, again.p ? again.p : "", again.len));
	MUST(n == len && memcmp(out, text, len) == 0);
	free(out);
	bus_buf_finish(&again);
}

static void check_line(const char *text, size_t len)
{
	struct bus_buf line = BUS_BUF_INIT(ROOM), again = BUS_BUF_INIT(ROOM);
	size_t i, n, characters = 0;

	text_line(&line, text, len, LINE_MAX_CHARACTERS);
	MUST(!line.failed && bus_utf8_valid(line.p ? line.p : "", line.len));
	for (i = 0; i < line.len; i += n, characters++) {
		n = bus_utf8_char(line.p + i, line.len - i);
		MUST(n && (unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
	}
	MUST(characters <= LINE_MAX_CHARACTERS);
	text_line(&again, line.p ? line.p : "", line.len, LINE_MAX_CHARACTERS);
	MUST(again.len == line.len && (!line.len || memcmp(again.p, line.p, line.len) == 0));
	bus_buf_clear(&again);
	text_percent(&again, text, len);
	for (i = 0; i < again.len; i++)
		MUST((unsigned char)again.p[i] > 0x20 && (unsigned char)again.p[i] < 0x7f);
	bus_buf_finish(&line);
	bus_buf_finish(&again);
}

static void check_html(const char *text, size_t len)
{
	struct bus_buf out = BUS_BUF_INIT(ROOM);

	html_text(&out, text, len);
	MUST(!out.failed);
	MUST(!bus_utf8_valid(text, len) || bus_utf8_valid(out.p ? out.p : "", out.len));
	bus_buf_finish(&out);
}

static void check_closes(const char *text, size_t len)
{
	struct closes closes = { .count = 0 };
	size_t i, j;

	closes_find(&closes, text, len);
	MUST(closes.count <= CLOSES_MAX);
	for (i = 0; i < closes.count; i++)
		for (j = 0; j < i; j++)
			MUST(closes.bug[i] != closes.bug[j]);
}

/* The input: any text; all that reads a piece of one reads it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1);

	MUST(text);
	memcpy(text, bytes, len);
	text[len] = '\0';
	check_times(text, len);
	check_codes(text, len);
	check_line(text, len);
	check_html(text, len);
	check_closes(text, len);
	free(text);
	return 0;
}
