#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "buf.h"
#include "ledger.h"

#define LOG_A "ftp-master.example/dak/20261122T101500Z"
#define LOG_B "ftp-master.example/dak/20261123T000000Z"

static char *new_directory(void)
{
	static int n;

	return check_path("state%d", n++);
}

static struct bus_ledger *open_ledger(const char *directory, const char *queue)
{
	struct bus_ledger *ledger = NULL;
	struct bus_err err;

	CHECK_CODE(bus_ledger_open(&ledger, directory, queue, true, &err), BUS_OK, &err);
	CHECK_NEED(ledger != NULL);
	return ledger;
}

static struct bus_hash leaf_of(const char *body)
{
	struct bus_hash leaf;

	bus_merkle_leaf(&leaf, body, strlen(body));
	return leaf;
}

static void check_look(struct bus_ledger *ledger, const char *source, uint64_t id, const char *body,
		       enum bus_seen expected)
{
	const struct bus_hash leaf = leaf_of(body);
	enum bus_seen seen = BUS_SEEN_NEW;
	struct bus_err err;

	CHECK_CODE(bus_ledger_look(ledger, source, id, &leaf, &seen, &err), BUS_OK, &err);
	CHECK_ROW(seen == expected, "%s/%llu is %d, expected %d", source, (unsigned long long)id,
		  (int)seen, (int)expected);
}

static void note(struct bus_ledger *ledger, const char *source, uint64_t id, const char *body)
{
	const struct bus_hash leaf = leaf_of(body);
	struct bus_err err;

	CHECK_CODE(bus_ledger_note(ledger, source, id, &leaf, &err), BUS_OK, &err);
}

static void commit(struct bus_ledger *ledger)
{
	struct bus_err err;

	CHECK_CODE(bus_ledger_commit(ledger, &err), BUS_OK, &err);
}

static void what_was_noted_is_a_repeat(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "qa.lintian");

	check_look(ledger, LOG_A, 0, "a", BUS_SEEN_NEW);
	check_look(ledger, LOG_A, 0, "a", BUS_SEEN_NEW); /* looking is not noting */
	note(ledger, LOG_A, 0, "a");
	check_look(ledger, LOG_A, 0, "a", BUS_SEEN_REPEAT);
	check_look(ledger, LOG_A, 1, "a", BUS_SEEN_NEW);
	check_look(ledger, LOG_B, 0, "a", BUS_SEEN_NEW);
	commit(ledger);
	commit(ledger); /* nothing to do */
	check_look(ledger, LOG_A, 0, "a", BUS_SEEN_REPEAT);
	bus_ledger_close(ledger);
	bus_ledger_close(NULL);
	free(dir);
}

static void another_body_under_the_same_name_is_equivocation(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "qa.lintian");

	note(ledger, LOG_A, 7, "a");
	check_look(ledger, LOG_A, 7, "b", BUS_SEEN_OTHER);
	commit(ledger);
	check_look(ledger, LOG_A, 7, "b", BUS_SEEN_OTHER);
	check_look(ledger, LOG_A, 7, "a", BUS_SEEN_REPEAT);
	bus_ledger_close(ledger);
	free(dir);
}

static void survives_what_was_committed_and_nothing_else(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "qa.lintian");

	note(ledger, LOG_A, 1, "a");
	commit(ledger);
	note(ledger, LOG_A, 2, "b");
	bus_ledger_close(ledger); /* as if killed before the acknowledgement */
	ledger = open_ledger(dir, "qa.lintian");
	check_look(ledger, LOG_A, 1, "a", BUS_SEEN_REPEAT);
	check_look(ledger, LOG_A, 2, "b", BUS_SEEN_NEW);
	bus_ledger_close(ledger);
	free(dir);
}

static void ids_may_come_in_any_order(void)
{
	static const uint64_t id[] = { 5, 0, 3, INT64_MAX, 4, 1 };
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "qa.lintian");
	size_t i;

	for (i = 0; i < sizeof(id) / sizeof(id[0]); i++) {
		check_look(ledger, LOG_A, id[i], "a", BUS_SEEN_NEW);
		note(ledger, LOG_A, id[i], "a");
	}
	commit(ledger);
	for (i = 0; i < sizeof(id) / sizeof(id[0]); i++)
		check_look(ledger, LOG_A, id[i], "a", BUS_SEEN_REPEAT);
	check_look(ledger, LOG_A, 2, "a", BUS_SEEN_NEW);
	bus_ledger_close(ledger);
	free(dir);
}

static void queues_have_ledgers_of_their_own(void)
{
	char *dir = new_directory();
	struct bus_ledger *one = open_ledger(dir, "qa.lintian"), *two = open_ledger(dir, "qa.mail");

	note(one, LOG_A, 1, "a");
	commit(one);
	check_look(two, LOG_A, 1, "a", BUS_SEEN_NEW);
	bus_ledger_close(one);
	bus_ledger_close(two);
	free(dir);
}

static enum bus_code list(void *arg, const char *pattern, struct bus_err *err)
{
	(void)err;
	bus_buf_printf(arg, "%s;", pattern);
	return BUS_OK;
}

static void check_patterns(struct bus_ledger *ledger, bool dropped, const char *expected)
{
	struct bus_buf text = BUS_BUF_INIT(1000);
	struct bus_err err;

	bus_buf_puts(&text, "");
	CHECK_CODE(bus_ledger_patterns(ledger, dropped, list, &text, &err), BUS_OK, &err);
	CHECK_TEXT(text.p, expected);
	bus_buf_finish(&text);
}

static void check_bindings(struct bus_ledger *ledger, const char *expected)
{
	check_patterns(ledger, false, expected);
}

static void check_dropped(struct bus_ledger *ledger, const char *expected)
{
	check_patterns(ledger, true, expected);
}

static void remembers_what_the_queue_is_bound_to(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "qa.lintian");
	struct bus_err err;

	check_bindings(ledger, "");
	CHECK_CODE(bus_ledger_pattern(ledger, "org.debian.*.dak.#", false, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_pattern(ledger, "#", false, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_pattern(ledger, "#", false, &err), BUS_OK, &err);
	bus_ledger_close(ledger);
	ledger = open_ledger(dir, "qa.lintian");
	check_bindings(ledger, "#;org.debian.*.dak.#;");
	CHECK_CODE(bus_ledger_pattern(ledger, "#", true, &err), BUS_OK, &err);
	check_bindings(ledger, "org.debian.*.dak.#;");
	check_dropped(ledger, "#;");
	bus_ledger_close(ledger);
	free(dir);
}

static enum bus_code refuse(void *arg, const char *pattern, struct bus_err *err)
{
	(void)arg;
	return bus_fail(err, BUS_E_UNAVAILABLE, "%s", pattern);
}

static void a_failing_listener_ends_the_list(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "qa.lintian");
	struct bus_err err;

	CHECK(bus_ledger_pattern(ledger, "b.#", false, &err) == BUS_OK);
	CHECK(bus_ledger_pattern(ledger, "a.#", false, &err) == BUS_OK);
	CHECK_CODE(bus_ledger_patterns(ledger, false, refuse, NULL, &err), BUS_E_UNAVAILABLE, &err);
	CHECK_TEXT(err.text, "a.#");
	CHECK(bus_ledger_pattern(ledger, "c.#", false, &err) == BUS_OK);
	bus_ledger_close(ledger);
	free(dir);
}

static void check_position(struct bus_ledger *ledger, const char *type, uint64_t expected)
{
	struct bus_ledger_position position = { 0 };
	struct bus_err err;

	CHECK_CODE(bus_ledger_position(ledger, LOG_A, type, &position, &err),
		   expected ? BUS_OK : BUS_E_NO, &err);
	CHECK(position.last == expected);
	CHECK(position.time_us == (int64_t)expected * 1000);
	CHECK(position.was_had == expected % 2);
}

static void advance(struct bus_ledger *ledger, const char *source, const char *type, uint64_t last)
{
	const struct bus_ledger_position position = { last, (int64_t)last * 1000, last % 2 };
	struct bus_err err;

	CHECK_CODE(bus_ledger_advance(ledger, source, type, &position, &err), BUS_OK, &err);
}

static void a_position_is_of_one_type_of_one_log(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "q");

	check_position(ledger, "t.one", 0);
	advance(ledger, LOG_A, "t.one", 7);
	advance(ledger, LOG_B, "t.one", 9);
	advance(ledger, LOG_A, "t.two", 1);
	advance(ledger, LOG_A, "t.one", 8);
	commit(ledger);
	advance(ledger, LOG_A, "t.one", 10);
	bus_ledger_close(ledger); /* not committed */
	ledger = open_ledger(dir, "q");
	check_position(ledger, "t.one", 8);
	check_position(ledger, "t.two", 1);
	bus_ledger_close(ledger);
	free(dir);
}

static enum bus_code list_range(void *arg, const struct bus_ledger_range *range,
				struct bus_err *err)
{
	struct bus_buf *text = arg;

	(void)err;
	bus_buf_printf(text, "%s %s %d..%d%s;", range->source, range->type, (int)range->first,
		       (int)range->last, range->reported ? " (reported)" : "");
	return BUS_OK;
}

static void check_missing(struct bus_ledger *ledger, const char *expected)
{
	struct bus_buf text = BUS_BUF_INIT(1000);
	struct bus_err err;

	bus_buf_puts(&text, "");
	CHECK_CODE(bus_ledger_missing(ledger, list_range, &text, &err), BUS_OK, &err);
	CHECK_TEXT(text.p, expected);
	bus_buf_finish(&text);
}

static void what_is_missing_may_be_found(void)
{
	const struct bus_ledger_range range = { LOG_A, "t", 3, 6, false };
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "q");
	struct bus_err err;

	check_missing(ledger, "");
	CHECK_CODE(bus_ledger_lose(ledger, &range, &err), BUS_OK, &err);
	commit(ledger);
	CHECK_CODE(bus_ledger_find(ledger, LOG_A, "t", 2, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_find(ledger, LOG_A, "t", 7, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_find(ledger, LOG_A, "u", 3, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_find(ledger, LOG_B, "t", 3, &err), BUS_E_NO, &err);
	check_missing(ledger, LOG_A " t 3..6;");
	CHECK_CODE(bus_ledger_reported(ledger, &err), BUS_OK, &err);
	check_missing(ledger, LOG_A " t 3..6 (reported);");
	CHECK_CODE(bus_ledger_find(ledger, LOG_A, "t", 4, &err), BUS_OK, &err);
	check_missing(ledger, LOG_A " t 3..3 (reported);" LOG_A " t 5..6 (reported);");
	CHECK_CODE(bus_ledger_find(ledger, LOG_A, "t", 3, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_find(ledger, LOG_A, "t", 6, &err), BUS_OK, &err);
	check_missing(ledger, LOG_A " t 5..5 (reported);");
	CHECK_CODE(bus_ledger_find(ledger, LOG_A, "t", 5, &err), BUS_OK, &err);
	check_missing(ledger, "");
	bus_ledger_close(ledger);
	free(dir);
}

static enum bus_code list_log(void *arg, const char *source, int64_t heard_us, struct bus_err *err)
{
	(void)err;
	bus_buf_printf(arg, "%s %d;", source, (int)heard_us);
	return BUS_OK;
}

static void check_silent(struct bus_ledger *ledger, int64_t time_us, const char *expected)
{
	struct bus_buf text = BUS_BUF_INIT(1000);
	struct bus_err err;

	bus_buf_puts(&text, "");
	CHECK_CODE(bus_ledger_silent(ledger, time_us, list_log, &text, &err), BUS_OK, &err);
	CHECK_TEXT(text.p, expected);
	bus_buf_finish(&text);
}

static void knows_which_logs_are_silent(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "q");
	struct bus_err err;

	CHECK_CODE(bus_ledger_hear(ledger, LOG_A, 100, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_hear(ledger, LOG_B, 200, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_hear(ledger, LOG_B, 50, &err), BUS_OK, &err); /* an old one */
	commit(ledger);
	check_silent(ledger, 100, "");
	check_silent(ledger, 101, LOG_A " 100;");
	check_silent(ledger, 201, LOG_A " 100;" LOG_B " 200;");
	bus_ledger_close(ledger);
	free(dir);
}

static void remembers_from_when_on(void)
{
	char *dir = new_directory();
	struct bus_ledger *ledger = open_ledger(dir, "q");
	struct bus_err err;
	int64_t us = 0;

	CHECK_CODE(bus_ledger_since(ledger, &us, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_behind(ledger, &us, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_set_since(ledger, 12, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_set_behind(ledger, 34, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_look_again(ledger, &us, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_set_look_again(ledger, 56, &err), BUS_OK, &err);
	commit(ledger);
	CHECK_CODE(bus_ledger_since(ledger, &us, &err), BUS_OK, &err);
	CHECK(us == 12);
	CHECK_CODE(bus_ledger_behind(ledger, &us, &err), BUS_OK, &err);
	CHECK(us == 34);
	CHECK_CODE(bus_ledger_look_again(ledger, &us, &err), BUS_OK, &err);
	CHECK(us == 56);
	CHECK_CODE(bus_ledger_set_look_again(ledger, 0, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_look_again(ledger, &us, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_set_behind(ledger, 0, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_behind(ledger, &us, &err), BUS_E_NO, &err);
	bus_ledger_close(ledger);
	CHECK_CODE(bus_ledger_open(&ledger, dir, "none", false, &err), BUS_E_NO, &err);
	free(dir);
}

static void another_programs_file_is_refused(void)
{
	char *dir = new_directory(), *path;
	struct bus_ledger *ledger = open_ledger(dir, "x");
	struct bus_err err;

	bus_ledger_close(ledger);
	ledger = NULL;
	CHECK_NEED(asprintf(&path, "%s/ledger/x.db", dir) > 0);
	check_write(path, 0600,
		    "not a database, but long enough to be looked at as if it were one: "
		    "a header of SQLite has one hundred bytes\n");
	CHECK_CODE(bus_ledger_open(&ledger, dir, "x", true, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, path);
	CHECK(!ledger);
	free(path);
	free(dir);
}

static const struct check_test tests[] = {
	{ "what was noted is a repeat", what_was_noted_is_a_repeat },
	{ "another body under the same name is equivocation",
	  another_body_under_the_same_name_is_equivocation },
	{ "survives what was committed and nothing else",
	  survives_what_was_committed_and_nothing_else },
	{ "ids may come in any order", ids_may_come_in_any_order },
	{ "queues have ledgers of their own", queues_have_ledgers_of_their_own },
	{ "remembers what the queue is bound to", remembers_what_the_queue_is_bound_to },
	{ "a position is of one type of one log", a_position_is_of_one_type_of_one_log },
	{ "what is missing may be found", what_is_missing_may_be_found },
	{ "knows which logs are silent", knows_which_logs_are_silent },
	{ "remembers from when on", remembers_from_when_on },
	{ "a failing listener ends the list", a_failing_listener_ends_the_list },
	{ "another program's file is refused", another_programs_file_is_refused },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("ledger", tests);
}
