#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/wiki/address.h"
#include "adapters/wiki/rc_event.h"
#include "adapters/wiki/rc_hints.h"
#include "adapters/wiki/rc_seen.h"
#include "adapters/wiki/rcfeed_private.h"
#include "adapters/wiki/recentchange.h"
#include "check.h"
#include "http.h"

#define SECOND 1000000

/* -- addresses -- */

static void finds_addresses_and_nothing_else(void)
{
	static const char *const some[] = {
		"192.0.2.1",
		"User talk:192.0.2.1",
		"Utente:2001:DB8:0:0:0:0:0:1",
		"imported>192.0.2.1",
		"[[Special:Contributions/192.0.2.1|x]]",
		"from 192.0.2.1.",
		"from 192.0.2.1, again",
		"192.0.2.1/24",
		"192.000.002.001",
		"\347\224\250\346\210\267192.0.2.1\347\232\204",
		"User_talk:_192.0.2.1_",
		"2001:db8::1",
		"(2001:db8::1)",
		"2001:db8::1: hello",
		"2001:db8::1:talk",
		"2001:db8::1::",
		"::2001:db8::1",
		"::ffff:192.0.2.1",
		"fe80::1%eth0",
		"::1",
		"x ::1 y",
	};
	static const char *const none[] = {
		"",
		".",
		"::",
		"a :: b",
		"Anna",
		"~2024-1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.4.5.6.7.8",
		"v1.2.3.4",
		"1.2.3.4a",
		"1234.1.1.1",
		"1.2.3.",
		"12:30:45",
		"00:11:22:33:44:55",
		"std::vector",
		"192.0.2.xxx",
		"Debian:Bug:1234",
	};
	size_t i;

	for (i = 0; i < sizeof(some) / sizeof(*some); i++)
		CHECK_ROW(address_in(some[i], strlen(some[i])), "an address: %s", some[i]);
	for (i = 0; i < sizeof(none) / sizeof(*none); i++)
		CHECK_ROW(!address_in(none[i], strlen(none[i])), "no address: %s", none[i]);
}

static void masks_each_address(void)
{
	static const char text[] =
		"Reverted edits by [[Special:Contributions/192.0.2.1|192.0.2.1]] "
		"([[User talk:2001:DB8::1|talk]]) to version 1.2.3";
	struct bus_buf out = BUS_BUF_INIT(1000);

	address_mask(&out, text, sizeof(text) - 1);
	CHECK_TEXT(out.p, "Reverted edits by [[Special:Contributions/(address)|(address)]] "
			  "([[User talk:(address)|talk]]) to version 1.2.3");
	bus_buf_finish(&out);
}

/* -- datagrams -- */

static enum bus_code packet(struct recentchange *ret, const char *text, struct bus_err *err)
{
	return recentchange_packet(ret, text, strlen(text), err);
}

static void reads_datagrams_as_mediawiki_sends_them(void)
{
	struct recentchange row;
	struct bus_err err;

	CHECK_CODE(packet(&row,
			  "{\"id\":3,\"type\":\"edit\",\"namespace\":4,\"title\":\"T\\u00e4st\","
			  "\"comment\":\"said\",\"timestamp\":1795366880,\"user\":\"Admin\","
			  "\"bot\":true,\"minor\":true,\"length\":{\"old\":5,\"new\":6},"
			  "\"revision\":{\"old\":2,\"new\":7},\"wiki\":\"wiki\"}",
			  &err),
		   BUS_OK, &err);
	CHECK(row.id == 3 && row.type == RECENTCHANGE_EDIT && row.namespace == 4);
	CHECK(row.time_us == (int64_t)1795366880 * SECOND);
	CHECK(row.revision == 7 && row.old_revision == 2 && row.is_bot && row.is_minor);
	CHECK_TEXT(row.title, "T\xc3\xa4st");
	CHECK_TEXT(row.user, "Admin");
	CHECK_TEXT(row.comment, "said");
	recentchange_finish(&row);

	CHECK_CODE(packet(&row,
			  "{\"id\":\"4\",\"type\":\"log\",\"namespace\":\"0\",\"title\":\"A\","
			  "\"timestamp\":\"12\",\"log_id\":\"9\",\"log_type\":\"move\","
			  "\"log_action\":\"move_redir\",\"log_params\":{\"target\":\"B\","
			  "\"noredir\":\"0\"},\"user\":null,\"bot\":\"\"}",
			  &err),
		   BUS_OK, &err);
	CHECK(row.id == 4 && row.log_id == 9 && row.time_us == 12 * SECOND && !row.is_bot);
	CHECK_TEXT(row.log_action, "move_redir");
	CHECK_TEXT(row.target, "B");
	CHECK(!row.user);
	recentchange_finish(&row);
}

static void takes_ids_that_are_none_and_prefixes(void)
{
	static const char *const zero[] = {
		"{\"id\":null,\"type\":\"log\",\"title\":\"A\",\"log_params\":[]}",
		"{\"id\":0,\"type\":\"log\",\"title\":\"A\",\"log_params\":\"x\"}",
		"{\"type\":\"log\",\"title\":\"A\",\"log_params\":{\"target\":[1]}}",
		"{\"id\":-5,\"type\":\"log\",\"title\":\"A\"}",
		"{\"id\":\"5x\",\"type\":\"log\",\"title\":\"A\"}",
		"{\"id\":\"99999999999999999999\",\"type\":\"log\",\"title\":\"A\"}",
		"{\"id\":1.5,\"type\":\"log\",\"title\":\"A\"}",
		"wiki-feed {\"id\":\"\",\"type\":\"log\",\"title\":\"A\"}\n",
	};
	struct recentchange row;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(zero) / sizeof(*zero); i++) {
		CHECK_CODE(packet(&row, zero[i], &err), BUS_OK, &err);
		CHECK_ROW(row.id == 0 && row.type == RECENTCHANGE_LOG && !row.target, "%s",
			  zero[i]);
		recentchange_finish(&row);
	}
}

static void refuses_what_is_no_datagram_of_the_feed(void)
{
	static const char *const bad[] = {
		"",
		"x",
		"{",
		"{}",
		"[]",
		"{\"type\":\"edit\"}",
		"{\"title\":\"A\"}",
		"{\"type\":\"edit\",\"title\":1}",
		"{\"type\":\"edit\",\"title\":\"A\"",
		"{\"type\":\"edit\",\"title\":\"A\"} {}",
		"{\"type\":\"edit\",\"title\":\"\xff\"}",
		"{\"type\":\"edit\",\"title\":\"a\\u0000b\"}",
		"{\"type\":\"edit\",\"title\":\"A\",\"title\":\"B\"}",
	};
	struct recentchange row;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(packet(&row, bad[i], &err) == BUS_E_DATA, "%s", bad[i]);
}

static void does_not_repeat_addresses_in_its_complaints(void)
{
	struct recentchange_reply reply;
	struct recentchange row;
	struct bus_err err;

	CHECK_CODE(packet(&row, "{\"user\":192.0.2.1}", &err), BUS_E_DATA, &err);
	CHECK(!strstr(err.text, "192"));
	CHECK_CODE(recentchange_reply(&reply, "{\"user\":192.0.2.1}", 18, &err), BUS_E_DATA, &err);
	CHECK(!strstr(err.text, "192"));
}

/* -- replies -- */

static enum bus_code reply(struct recentchange_reply *ret, const char *rows, struct bus_err *err)
{
	char text[4000];

	snprintf(text, sizeof(text),
		 "{\"continue\":{\"rccontinue\":\"20261122170121|7\",\"continue\":\"-||\"},"
		 "\"curtimestamp\":\"2026-11-22T17:01:22Z\",\"query\":{\"recentchanges\":[%s],"
		 "\"general\":{\"server\":\"//w.example\",\"articlepath\":\"/wiki/$1\"}}}",
		 rows);
	return recentchange_reply(ret, text, strlen(text), err);
}

#define ROW "\"ns\":0,\"title\":\"A\",\"timestamp\":\"2026-11-22T17:01:21Z\""

static void reads_replies_as_the_api_gives_them(void)
{
	struct recentchange_reply got;
	struct bus_err err;

	CHECK_CODE(reply(&got,
			 "{\"type\":\"edit\"," ROW ",\"rcid\":5,\"revid\":8,\"old_revid\":7,"
			 "\"user\":\"192.0.2.1\",\"userid\":0,\"anon\":true,\"minor\":true,"
			 "\"comment\":\"x\\u0000y\",\"tags\":[\"mw-undo\"]},"
			 "{\"type\":\"log\"," ROW ",\"rcid\":6,\"logid\":3,\"logtype\":\"move\","
			 "\"logaction\":\"move\",\"logparams\":{\"target_ns\":0,"
			 "\"target_title\":\"B\",\"suppressredirect\":false},\"tags\":[]},"
			 "{\"type\":\"edit\"," ROW "},"
			 "{\"type\":\"edit\",\"rcid\":7,\"timestamp\":\"yesterday\"},7,"
			 "{\"type\":\"new\"," ROW
			 ",\"rcid\":8,\"userhidden\":true,\"user\":\"Anna\","
			 "\"commenthidden\":true,\"comment\":\"secret\",\"userid\":4}",
			 &err),
		   BUS_OK, &err);
	CHECK_NEED(got.count == 3 && got.without_id == 3);
	CHECK_TEXT(got.continuation, "20261122170121|7");
	CHECK_TEXT(got.server, "//w.example");
	CHECK_TEXT(got.article_path, "/wiki/$1");
	CHECK(got.now_us == (int64_t)1795366882 * SECOND);
	CHECK(got.row[0].is_anonymous && got.row[0].is_revert && got.row[0].is_minor);
	CHECK(got.row[0].id == 5 && got.row[0].revision == 8 && got.row[0].old_revision == 7);
	CHECK_TEXT(got.row[0].comment, "x");
	CHECK_TEXT(got.row[1].target, "B");
	CHECK(!got.row[1].is_revert && got.row[1].log_id == 3);
	CHECK(!got.row[2].user && !got.row[2].comment && !got.row[2].user_id);
	recentchange_reply_finish(&got);
}

static void reads_errors_and_refuses_what_is_no_reply(void)
{
	static const char error[] = "{\"error\":{\"code\":\"maxlag\",\"info\":\"Waiting\"}}";
	static const char *const bad[] = { "",
					   "<html>",
					   "{}",
					   "{\"query\":{}}",
					   "{\"query\":{\"recentchanges\":{}}}",
					   "{\"error\":{}}",
					   "{\"error\":1}" };
	struct recentchange_reply got;
	struct bus_err err;
	size_t i;

	CHECK_CODE(recentchange_reply(&got, error, sizeof(error) - 1, &err), BUS_OK, &err);
	CHECK_TEXT(got.error_code, "maxlag");
	CHECK_TEXT(got.error_info, "Waiting");
	recentchange_reply_finish(&got);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(recentchange_reply(&got, bad[i], strlen(bad[i]), &err) == BUS_E_DATA,
			  "%s", bad[i]);
}

static void reads_no_more_values_than_are_asked_for(void)
{
	struct bus_buf text = BUS_BUF_INIT(8 * 1024 * 1024);
	struct recentchange_reply got;
	struct bus_err err;
	size_t i;

	/* what is in a text is no value */
	bus_buf_puts(&text, "{\"query\":{\"recentchanges\":[{\"type\":\"edit\"," ROW
			    ",\"rcid\":5,\"comment\":\"\\\"");
	for (i = 0; i < 70000; i++)
		bus_buf_puts(&text, "[,{\\\"\\\\");
	bus_buf_puts(&text, "\"}]}}");
	CHECK_CODE(recentchange_reply(&got, text.p, text.len, &err), BUS_OK, &err);
	CHECK(got.count == 1);
	recentchange_reply_finish(&got);
	bus_buf_clear(&text);
	bus_buf_puts(&text, "{\"query\":{\"recentchanges\":[]},\"x\":[");
	for (i = 0; i < 70000; i++)
		bus_buf_puts(&text, "[],");
	bus_buf_puts(&text, "0]}");
	CHECK_CODE(recentchange_reply(&got, text.p, text.len, &err), BUS_E_DATA, &err);
	CHECK_TEXT(err.text, "its reply has more than 60000 values");
	bus_buf_finish(&text);
}

/* -- what is new -- */

static struct recentchange change(uint64_t id, int64_t time_s)
{
	return (struct recentchange){ .id = id,
				      .type = RECENTCHANGE_EDIT,
				      .revision = 1000 + id,
				      .time_us = time_s * SECOND };
}

static void add(struct rc_seen *seen, struct recentchange row)
{
	struct bus_err err;

	CHECK_CODE(rc_seen_add(seen, &row, &err), BUS_OK, &err);
}

static bool is_new(const struct rc_seen *seen, struct recentchange row)
{
	return rc_seen_is_new(seen, &row);
}

static void knows_what_was_seen_in_any_order(void)
{
	struct rc_seen seen = { 0 };
	struct recentchange row;

	add(&seen, change(7, 100));
	add(&seen, change(9, 90));
	CHECK(seen.count == 2 && seen.high == 9);
	add(&seen, change(9, 90));
	CHECK(seen.count == 2);
	CHECK(!is_new(&seen, change(7, 100)) && is_new(&seen, change(8, 95)));
	row = change(20, 100); /* rebuildrecentchanges.php: another number, the same revision */
	row.revision = 1007;
	CHECK(!is_new(&seen, row));
	row.type = RECENTCHANGE_LOG;
	CHECK(is_new(&seen, row));
	rc_seen_finish(&seen);
}

/* The wiki's database was restored from a copy: it gives its numbers again. */
static void takes_a_number_of_another_time_for_another_row(void)
{
	struct rc_seen seen = { 0 };
	struct recentchange log = {
		.id = 9, .type = RECENTCHANGE_LOG, .log_id = 4, .time_us = 100 * SECOND
	};
	struct recentchange other = { .id = 10, .time_us = 100 * SECOND }; /* without a revision */

	add(&seen, change(8, 100));
	add(&seen, log);
	add(&seen, other);
	CHECK(!is_new(&seen, change(8, 100)) && is_new(&seen, change(8, 145)));
	CHECK(!is_new(&seen, log) && !is_new(&seen, other));
	log.time_us = other.time_us = 145 * SECOND;
	CHECK(is_new(&seen, log) && is_new(&seen, other));
	CHECK(!rc_seen_has(&seen, &other) && rc_seen_has_id(&seen, 10));
	add(&seen, change(8, 145));
	CHECK(seen.count == 4 && !is_new(&seen, change(8, 145)));
	rc_seen_finish(&seen);
}

static void settles_what_is_old(void)
{
	struct rc_seen seen = { 0 };

	add(&seen, change(5, 100));
	add(&seen, change(6, 200));
	rc_seen_settle(&seen, 150);
	CHECK(seen.count == 1 && seen.row[0].id == 6);
	CHECK(!is_new(&seen, change(4, 149)));
	CHECK(is_new(&seen, change(4, 150)));
	/* the wiki's clock was set back: the number is higher than any before */
	CHECK(is_new(&seen, change(7, 20)));
	rc_seen_finish(&seen);
}

static void keeps_a_limit(void)
{
	struct rc_seen seen = { 0 };
	uint64_t i;

	for (i = 1; i <= 101; i++)
		add(&seen, change(i, (int64_t)i));
	rc_seen_limit(&seen, 101);
	CHECK(seen.count == 101);
	rc_seen_limit(&seen, 100);
	CHECK(seen.count == 51 && seen.settled_s == 51);
	rc_seen_forget(&seen, 51);
	CHECK(seen.count == 51);
	rc_seen_forget(&seen, 50);
	CHECK(seen.count == 26 && seen.settled_s == 51 && seen.row[25].id == 101);
	rc_seen_finish(&seen);
}

static void reads_the_cursor_it_wrote(void)
{
	struct rc_seen seen = { 0 }, again = { 0 };
	struct bus_buf text = BUS_BUF_INIT(1000), more = BUS_BUF_INIT(1000);
	struct bus_err err;

	seen.settled_s = 77;
	add(&seen, change(5, 100));
	add(&seen, (struct recentchange){ .id = 8, .type = RECENTCHANGE_LOG, .log_id = 3 });
	rc_seen_write(&text, &seen);
	CHECK_TEXT(text.p, "77 8\n5 1005 0 100\n8 0 3 0\n");
	CHECK_CODE(rc_seen_parse(&again, text.p, text.len, &err), BUS_OK, &err);
	rc_seen_write(&more, &again);
	CHECK_TEXT(more.p, text.p);
	rc_seen_finish(&seen);
	rc_seen_finish(&again);
	bus_buf_finish(&text);
	bus_buf_finish(&more);
}

/* What is let in at the extremes, and what is not. */
static void reads_back_whatever_a_row_can_hold(void)
{
	static const char *const numbers[] = { "1",
					       "999999999999999999",
					       "1000000000000000000",
					       "9223372036854775799",
					       "9223372036854775807",
					       "\"9223372036854775807\"",
					       "\"18446744073709551615\"",
					       "\"18446744073709551617\"",
					       "-1",
					       "0" };
	static const char *const times[] = {
		"0", "1", "1700000000", "253402300799", "253402300800", "9223372036854775807"
	};
	struct bus_buf text = BUS_BUF_INIT(10000);
	struct rc_seen seen = { 0 }, again = { 0 };
	struct recentchange row;
	char datagram[400];
	struct bus_err err;
	size_t i, j;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		for (j = 0; j < sizeof(times) / sizeof(*times); j++) {
			snprintf(datagram, sizeof(datagram),
				 "{\"id\":%s,\"type\":\"edit\",\"title\":\"x\",\"timestamp\":%s,"
				 "\"log_id\":%s,\"revision\":{\"new\":%s}}",
				 numbers[i], times[j], numbers[i], numbers[i]);
			CHECK_CODE(packet(&row, datagram, &err), BUS_OK, &err);
			CHECK_CODE(rc_seen_add(&seen, &row, &err), BUS_OK, &err);
			recentchange_finish(&row);
		}
	CHECK(seen.high == 999999999999999999);
	rc_seen_settle(&seen, 0);
	rc_seen_write(&text, &seen);
	CHECK_CODE(rc_seen_parse(&again, text.p, text.len, &err), BUS_OK, &err);
	CHECK(again.count == seen.count);
	rc_seen_finish(&seen);
	rc_seen_finish(&again);
	bus_buf_finish(&text);
}

static void takes_no_time_before_1970_or_after_9999(void)
{
	static const char *const bad[] = { "1960-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
					   "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00" };
	struct recentchange_reply got;
	char text[400];
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text),
			 "{\"curtimestamp\":\"%s\",\"query\":{\"recentchanges\":[{\"type\":"
			 "\"edit\","
			 "\"title\":\"A\",\"rcid\":5,\"timestamp\":\"%s\"}]}}",
			 bad[i], bad[i]);
		CHECK_CODE(recentchange_reply(&got, text, strlen(text), &err), BUS_OK, &err);
		CHECK_ROW(!got.count && got.without_id == 1 && !got.now_us, "%s", bad[i]);
		recentchange_reply_finish(&got);
	}
}

static void refuses_other_cursors(void)
{
	static const char *const bad[] = { "",	     "x",	   "1",		  "1 2",
					   "1 2\n3", "1 2\n3 4\n", "1  2\n",	  "-1 2\n",
					   "1 2 \n", "1 2\n\n",	   "1 2\n1 2 3 4" };
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct rc_seen seen = { 0 };

		CHECK_ROW(rc_seen_parse(&seen, bad[i], strlen(bad[i]), &err) == BUS_E_DATA, "%s",
			  bad[i]);
		rc_seen_finish(&seen);
	}
}

/* -- when to ask -- */

static void asks_at_once_and_again_until_it_is_there(void)
{
	struct rc_hints hints = { 0 };
	struct rc_seen seen = { 0 };
	int64_t now = 1000 * SECOND;
	int asked = 0;

	CHECK(!rc_hints_is_due(&hints, now) && rc_hints_wait_ms(&hints, now) == -1);
	rc_hints_add(&hints, 5, now);
	rc_hints_add(&hints, 5, now);
	CHECK(hints.count == 1 && rc_hints_is_due(&hints, now));
	rc_hints_asked(&hints, &seen, now);
	CHECK(!rc_hints_is_due(&hints, now) && rc_hints_wait_ms(&hints, now) == 51);
	add(&seen, change(5, 1));
	rc_hints_asked(&hints, &seen, now);
	CHECK(!hints.count && rc_hints_wait_ms(&hints, now) == -1);

	rc_hints_add(&hints, 6, now); /* one that never comes */
	while (rc_hints_wait_ms(&hints, now) >= 0 && asked < 100) {
		now += rc_hints_wait_ms(&hints, now) * 1000;
		CHECK(rc_hints_is_due(&hints, now));
		rc_hints_asked(&hints, &seen, now);
		asked++;
	}
	CHECK(asked == 9 && now < 1020 * SECOND && !hints.count);
	rc_seen_finish(&seen);
}

static void asks_once_a_second_in_a_flood(void)
{
	struct rc_hints hints = { 0 };
	struct rc_seen seen = { 0 };
	int64_t now = SECOND, end = 101 * SECOND;
	uint64_t id = 0;
	int asked = 0;

	for (; now < end; now += 1000) {
		rc_hints_add(&hints, ++id, now);
		if (rc_hints_is_due(&hints, now)) {
			rc_hints_asked(&hints, &seen, now);
			asked++;
		}
	}
	CHECK_ROW(asked >= 100 && asked <= 122, "asked %d times in 100 seconds", asked);
	CHECK(hints.count <= RC_HINTS_MAX);
}

/* -- what it means -- */

static void knows_what_rows_mean(void)
{
	enum { NOTHING = -1, PRIVATE = -2, BROKEN = -3 };
	static const struct {
		struct recentchange row;
		int meaning;
	} table[] = {
#define LOG(ns, kind, what, name, goal)                                                            \
	{ .type = RECENTCHANGE_LOG,                                                                \
	  .namespace = (ns),                                                                       \
	  .log_type = (char *)(kind),                                                              \
	  .log_action = (char *)(what),                                                            \
	  .title = (char *)(name),                                                                 \
	  .target = (char *)(goal) }
#define EDIT(ns, name)                                                                             \
	{                                                                                          \
		.type = RECENTCHANGE_EDIT, .namespace = (ns), .title = (char *)(name)              \
	}
		{ EDIT(0, "A"), WIKI_PAGE_EDIT },
		{ { .type = RECENTCHANGE_EDIT, .title = (char *)"A", .is_revert = true },
		  WIKI_PAGE_REVERT },
		{ { .type = RECENTCHANGE_NEW, .title = (char *)"A" }, WIKI_PAGE_CREATE },
		{ LOG(0, "delete", "delete", "A", NULL), WIKI_PAGE_DELETE },
		{ LOG(0, "delete", "delete_redir", "A", NULL), WIKI_PAGE_DELETE },
		{ LOG(0, "delete", "restore", "A", NULL), WIKI_PAGE_CREATE },
		{ LOG(6, "delete", "delete", "File:A", NULL), WIKI_ATTACHMENT_REMOVE },
		{ LOG(6, "delete", "restore", "File:A", NULL), WIKI_ATTACHMENT_ADD },
		{ LOG(0, "delete", "revision", "A", NULL), NOTHING },
		{ LOG(0, "move", "move", "A", "B"), WIKI_PAGE_RENAME },
		{ LOG(6, "move", "move_redir", "File:A", "File:B"), WIKI_PAGE_RENAME },
		{ LOG(0, "move", "move", "A", NULL), BROKEN },
		{ LOG(6, "upload", "upload", "File:A", NULL), WIKI_ATTACHMENT_ADD },
		{ LOG(6, "upload", "overwrite", "File:A", NULL), WIKI_ATTACHMENT_ADD },
		{ LOG(0, "import", "interwiki", "A", NULL), WIKI_PAGE_EDIT },
		{ LOG(2, "newusers", "create", "User:Anna", NULL), NOTHING },
		{ LOG(2, "block", "block", "User:192.0.2.1", NULL), NOTHING },
		{ LOG(0, "protect", "protect", "A", NULL), NOTHING },
		{ LOG(0, "patrol", "patrol", "A", NULL), NOTHING },
		{ LOG(0, NULL, NULL, "A", NULL), NOTHING },
		{ { .type = RECENTCHANGE_OTHER, .title = (char *)"A" }, NOTHING },
		{ { .type = RECENTCHANGE_LOG, .is_hidden = true }, PRIVATE },
		{ EDIT(0, NULL), BROKEN },
		{ EDIT(0, ""), BROKEN },
		{ EDIT(3, "User talk:192.0.2.1"), PRIVATE },
		{ EDIT(2, "User:2001:DB8::1/draft"), PRIVATE },
		{ EDIT(0, "192.0.2.1"), WIKI_PAGE_EDIT },
		{ EDIT(200, "Benutzer:192.0.2.3"), PRIVATE },
		{ EDIT(200, "Benutzer:192.0.2.3/Entwurf"), PRIVATE },
		{ EDIT(200, "Benutzer:2001:DB8:0:0:0:0:0:1"), PRIVATE },
		{ EDIT(-1, "Special:Contributions/192.0.2.44"), PRIVATE },
		{ LOG(200, "delete", "delete", "Benutzer:192.0.2.3", NULL), PRIVATE },
		{ EDIT(6, "File:From 192.0.2.9.png"), WIKI_PAGE_EDIT },
		{ EDIT(4, "Project:Version 1.2.3.4"), WIKI_PAGE_EDIT },
		{ LOG(0, "move", "move", "A", "User:192.0.2.1"), PRIVATE },
		{ LOG(2, "move", "move", "User:192.0.2.1", "A"), PRIVATE },
	};
	enum wiki_kind kind;
	size_t i;
	int got;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		switch (rc_event_meaning(&table[i].row, &kind)) {
		case RC_MEANING_NOTHING:
			got = NOTHING;
			break;
		case RC_MEANING_PRIVATE:
			got = PRIVATE;
			break;
		case RC_MEANING_BROKEN:
			got = BROKEN;
			break;
		default:
			got = (int)kind;
		}
		CHECK_ROW(got == table[i].meaning, "row %zu: %d, not %d", i, got, table[i].meaning);
	}
}

static char *data_of(const struct recentchange *row, const char *server, const char *path)
{
	char **options[64] = { NULL }; /* none is given */
	struct bus_conf conf = { .environment = (char *)"dev", .max_event_size = 65536 };
	const struct bus_conf_service service = { .name = (char *)"wiki",
						  .origin = (char *)"wiki.example.org/wiki",
						  .option = options };
	const struct adapter_context ctx = { "debmsg-wiki", &conf, &service };
	const struct rc_site site = { server, path };
	struct adapter_batch batch;
	enum wiki_kind kind;
	struct bus_err err;
	char *data;

	batch_init(&batch);
	CHECK_NEED(rc_event_meaning(row, &kind) == RC_MEANING_EVENT);
	CHECK_CODE(rc_event_add(&batch, &ctx, row, kind, &site, &err), BUS_OK, &err);
	CHECK_NEED(batch.count == 1);
	CHECK(!strstr(batch.event[0].raw, "192."));
	data = strdup(batch.event[0].data.p);
	batch_finish(&batch);
	return data;
}

static void writes_events_without_addresses(void)
{
	struct recentchange row = {
		.id = 5,
		.type = RECENTCHANGE_EDIT,
		.time_us = SECOND,
		.revision = 8,
		.title = (char *)"A page: \xc3\xa4?",
		.user = (char *)"imported>192.0.2.1",
		.user_id = 7,
		.comment = (char *)"by 192.0.2.1",
	};
	char *data = data_of(&row, "//w.example", "/wiki/$1?x");

	CHECK(strstr(data, "\"url\":\"https://w.example/wiki/A_page%3A_%C3%A4%3F?x\"") != NULL);
	CHECK(strstr(data, "\"comment\":\"by (address)\"") != NULL);
	CHECK(!strstr(data, "user") && !strstr(data, "192"));
	free(data);
	row.user = (char *)"Anna";
	data = data_of(&row, "javascript://x", "/wiki/$1");
	CHECK(strstr(data, "\"user_id\":\"7\",\"user\":\"Anna\"") && !strstr(data, "\"url\""));
	free(data);
	row.is_anonymous = true;
	data = data_of(&row, "https://w.example", "/wiki/");
	CHECK(!strstr(data, "Anna") && !strstr(data, "\"url\""));
	free(data);
	row.type = RECENTCHANGE_LOG;
	row.log_type = (char *)"upload";
	row.log_action = (char *)"upload";
	row.title = (char *)"Datei:Logo: x.png";
	data = data_of(&row, NULL, NULL);
	CHECK(strstr(data, "\"page\":\"Datei:Logo: x.png\",\"file\":\"Logo: x.png\"") != NULL);
	free(data);
}

static void keeps_no_bytes_of_datagrams(void)
{
	static const char *const bad[] = {
		"{\"type\":\"edit\",\"comment\":\"\\u00ab192.0.2.77\\u00bb\",\"title\":",
		"{\"type\":\"edit\",\"comment\":\"a\\n198.51.100.9\",\"title\":",
		"{\"type\":\"edit\",\"comment\":\"a\\t2001:db8::9\",\"title\":",
	};
	static struct rcfeed feed; /* it is large */
	struct adapter_batch batch;
	struct recentchange row;
	struct bus_err why, err;
	size_t i;

	batch_init(&batch);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const size_t len = strlen(bad[i]);
		char whole[200];

		memcpy(feed.datagram, bad[i], len);
		CHECK_CODE(recentchange_packet(&row, feed.datagram, len, &why), BUS_E_DATA, &why);
		CHECK_CODE(rcfeed_keep_bad(&feed, len, &why, &batch, &err), BUS_OK, &err);
		snprintf(whole, sizeof(whole), "%s\"\",\"id\":%zu}", bad[i], i + 1);
		memcpy(feed.datagram, whole, strlen(whole));
		CHECK_CODE(packet(&row, whole, &err), BUS_OK, &err);
		CHECK_CODE(rcfeed_believe(&feed, &row, strlen(whole), &batch, &err), BUS_OK, &err);
		recentchange_finish(&row);
	}
	CHECK_NEED(batch.reject_count == 6);
	for (i = 0; i < batch.reject_count; i++)
		CHECK_ROW(batch.reject[i].raw.len < 40 &&
				  !memmem(batch.reject[i].raw.p, batch.reject[i].raw.len,
					  "::", 2) &&
				  !memchr(batch.reject[i].raw.p, '.', batch.reject[i].raw.len),
			  "row %zu", i);
	CHECK(memcmp(batch.reject[1].raw.p, "rcid 1, edit, ", 14) == 0);
	rc_seen_finish(&feed.seen);
	batch_finish(&batch);
}

/* -- where to -- */

static void checks_the_urls_it_may_ask(void)
{
	static const char *const good[] = {
		"http://localhost/mediawiki/api.php",
		"http://127.0.0.1:8080/api.php",
		"http://[::1]:8080/api.php",
		"https://wiki.example.org/w/api.php",
	};
	static const char *const bad[] = {
		"",
		"/api.php",
		"ftp://localhost/api.php",
		"http://wiki.example.org/api.php",
		"http://127.evil.example/api.php",
		"http://localhost.evil.example/api.php",
		"http://[::1]x.evil.example/",
		"http://[::1].evil.example/",
		"http://[::1/",
		"https://[::1",
		"http://127.0.0.1@evil.example/api.php",
		"https://anna:secret@wiki.example.org/api.php",
		"https://wiki.example.org/api.php?x",
		"https://wiki.example.org/api.php#x",
		"https:///api.php",
	};
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK_CODE(bus_http_check_url("api-url", good[i], &err), BUS_OK, &err);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_ROW(bus_http_check_url("api-url", bad[i], &err) == BUS_E_CONFIG, "%s",
			  bad[i]);
		CHECK(!strstr(err.text, "secret"));
	}
}

static void opens_a_socket_only_where_it_may(void)
{
	static const char *const bad[] = { "",		"1336",	  "127.0.0.1", "127.0.0.1:",
					   ":1336",	"[::1]",  "::1:1336",  "127.0.0.1:rcd",
					   "0.0.0.0:0", "[::]:0", "[]:1336" };
	struct bus_err err;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_ROW(rcfeed_socket_open(&fd, bad[i], true, &err) == BUS_E_CONFIG, "%s: %s",
			  bad[i], err.text);
	CHECK_CODE(rcfeed_socket_open(&fd, "127.0.0.1:0", true, &err), BUS_OK, &err);
}

/* -- real ones, where they are -- */

static void understands_the_wikimedia_samples(void)
{
	char *path = check_source("../shared/data/wiki/mediawiki-recentchange/"
				  "eventstreams-samples.ndjson");
	FILE *file = fopen(path, "re");
	struct recentchange row;
	struct bus_err err;
	char *line = NULL;
	size_t cap = 0, count = 0;
	ssize_t len;

	if (!file) {
		printf("    skipped: no samples of Wikimedia here\n");
		free(path);
		return;
	}
	for (; (len = getline(&line, &cap, file)) > 0; count++) {
		CHECK_CODE(recentchange_packet(&row, line, (size_t)len, &err), BUS_OK, &err);
		CHECK(row.title && *row.title && row.time_us > 0);
		CHECK((row.type == RECENTCHANGE_EDIT && row.id && row.revision) ||
		      (row.type == RECENTCHANGE_LOG && !row.id &&
		       !strcmp(row.log_type, "abusefilter")));
		recentchange_finish(&row);
	}
	CHECK(count == 4);
	free(line);
	fclose(file);
	free(path);
}

static const struct check_test tests[] = {
	{ "finds addresses and nothing else", finds_addresses_and_nothing_else },
	{ "masks each address", masks_each_address },
	{ "reads datagrams as MediaWiki sends them", reads_datagrams_as_mediawiki_sends_them },
	{ "takes ids that are none, and prefixes", takes_ids_that_are_none_and_prefixes },
	{ "refuses what is no datagram of the feed", refuses_what_is_no_datagram_of_the_feed },
	{ "does not repeat addresses in its complaints",
	  does_not_repeat_addresses_in_its_complaints },
	{ "reads replies as the API gives them", reads_replies_as_the_api_gives_them },
	{ "reads errors, and refuses what is no reply", reads_errors_and_refuses_what_is_no_reply },
	{ "reads no more values than are asked for", reads_no_more_values_than_are_asked_for },
	{ "knows what was seen, in any order", knows_what_was_seen_in_any_order },
	{ "takes a number of another time for another row",
	  takes_a_number_of_another_time_for_another_row },
	{ "settles what is old", settles_what_is_old },
	{ "keeps a limit", keeps_a_limit },
	{ "reads the cursor it wrote", reads_the_cursor_it_wrote },
	{ "reads back whatever a row can hold", reads_back_whatever_a_row_can_hold },
	{ "takes no time before 1970 or after 9999", takes_no_time_before_1970_or_after_9999 },
	{ "refuses other cursors", refuses_other_cursors },
	{ "asks at once, and again until it is there", asks_at_once_and_again_until_it_is_there },
	{ "asks once a second in a flood", asks_once_a_second_in_a_flood },
	{ "knows what rows mean", knows_what_rows_mean },
	{ "writes events without addresses", writes_events_without_addresses },
	{ "keeps no bytes of datagrams", keeps_no_bytes_of_datagrams },
	{ "checks the urls it may ask", checks_the_urls_it_may_ask },
	{ "opens a socket only where it may", opens_a_socket_only_where_it_may },
	{ "understands the samples of Wikimedia", understands_the_wikimedia_samples },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("rcfeed", tests);
}
