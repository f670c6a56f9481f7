#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "check.h"
#include "outbox.h"
#include "timestamp.h"

/* What stays in an outbox, what goes, and what is to be sent again. */

#define TYPE "org.debian.dev.dak.upload.accept"

enum { SECOND = 1000000 };

static struct bus_outbox *open_in(const char *directory)
{
	const struct bus_outbox_params params = {
		.directory = directory,
		.name = "ftp-master.example/dak",
		.environment = "dev",
		.service = "dak",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
		.create = true,
		.wait_ms = 10000,
	};
	struct bus_outbox *box = NULL;
	struct bus_err err;

	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_OK, &err);
	CHECK_NEED(box != NULL);
	return box;
}

static struct bus_outbox *open_new(void)
{
	static int n;
	char *directory = check_path("keep%d/dak", n++);
	struct bus_outbox *box = open_in(directory);

	free(directory);
	return box;
}

static void add(struct bus_outbox *box, int count)
{
	static const char data[] = "{\"summary\":\"s\"}";
	const struct bus_draft draft = { TYPE, "a", 1795342500000000, data, sizeof(data) - 1 };
	struct bus_err err;
	uint64_t id;

	CHECK_CODE(bus_outbox_begin(box, &err), BUS_OK, &err);
	while (count--)
		CHECK_CODE(bus_outbox_append(box, &draft, &id, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_commit(box, &err), BUS_OK, &err);
}

static void sign(struct bus_outbox *box, uint64_t size)
{
	struct bus_range range;
	struct bus_hash leaf;
	struct bus_err err;

	memset(&range, 0, sizeof(range));
	while (range.size < size) {
		bus_merkle_leaf(&leaf, &range.size, sizeof(range.size));
		bus_range_append(&range, &leaf);
	}
	CHECK_CODE(bus_outbox_checkpoint_save(box, &range, "note", &err), BUS_OK, &err);
}

static struct bus_outbox_state state_of(struct bus_outbox *box)
{
	struct bus_outbox_state state = { .size = 0 };
	struct bus_err err;

	CHECK_CODE(bus_outbox_state(box, &state, &err), BUS_OK, &err);
	return state;
}

static uint64_t prune(struct bus_outbox *box, int64_t before_us)
{
	uint64_t total = 0, count;
	struct bus_err err;

	do {
		CHECK_CODE(bus_outbox_prune(box, before_us, &count, &err), BUS_OK, &err);
		CHECK(count <= 1024 || total == 0);
		total += count;
	} while (count);
	return total;
}

static const int64_t soon = 3600LL * SECOND;

/* Ten events, signed at 3, 6 and 10; the first `sent` are confirmed. */
static struct bus_outbox *ten(uint64_t sent)
{
	struct bus_outbox *box = open_new();
	struct bus_err err;

	add(box, 10);
	sign(box, 3);
	sign(box, 6);
	sign(box, 10);
	CHECK_CODE(bus_outbox_sent(box, sent, &err), BUS_OK, &err);
	return box;
}

static enum bus_code count_up(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	uint64_t *next = arg;

	(void)err;
	CHECK(ev->id == *next);
	++*next;
	return BUS_OK;
}

static void only_whole_batches_that_are_confirmed_go(void)
{
	static const struct {
		uint64_t sent, first;
	} row[] = { { 0, 0 }, { 2, 0 }, { 3, 3 }, { 5, 3 }, { 6, 6 }, { 9, 6 }, { 10, 6 } };
	struct bus_outbox_checkpoint cp;
	struct bus_outbox *box;
	struct bus_err err;
	uint64_t next;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		box = ten(row[i].sent);
		CHECK_ROW(prune(box, bus_time_now() + soon) == row[i].first, "row %zu", i);
		CHECK_ROW(state_of(box).first == row[i].first, "row %zu: first", i);
		next = row[i].first;
		CHECK_CODE(bus_outbox_each(box, 0, INT64_MAX, count_up, &next, &err), BUS_OK, &err);
		CHECK_ROW(next == 10, "row %zu: the rest is there", i);
		/* where the rest begins, its tree is known */
		CHECK_CODE(bus_outbox_checkpoint_before(box, row[i].first, &cp, &err), BUS_OK,
			   &err);
		CHECK_ROW(cp.range.size == row[i].first, "row %zu: tree", i);
		bus_outbox_checkpoint_finish(&cp);
		bus_outbox_close(box);
	}
}

static void what_is_younger_stays(void)
{
	struct bus_outbox *box = open_new();
	struct bus_err err;
	int64_t between;

	add(box, 3);
	sign(box, 3);
	do
		between = bus_time_now();
	while (between <= state_of(box).last_us);
	while (bus_time_now() <= between)
		;
	add(box, 5);
	sign(box, 6);
	sign(box, 8);
	CHECK_CODE(bus_outbox_sent(box, 8, &err), BUS_OK, &err);
	CHECK(prune(box, between - soon) == 0);
	CHECK(prune(box, between) == 3);
	CHECK(prune(box, bus_time_now() + soon) == 3);
	bus_outbox_close(box);
}

static void the_log_goes_on_after_it(void)
{
	struct bus_outbox_state before, after;
	struct bus_outbox *box = ten(10);
	uint64_t next = 6;
	struct bus_err err;

	before = state_of(box);
	prune(box, bus_time_now() + soon);
	after = state_of(box);
	CHECK(after.size == 10 && after.sent == 10 && after.signed_size == 10);
	CHECK(after.last_us == before.last_us);
	add(box, 2);
	CHECK_CODE(bus_outbox_each(box, 0, INT64_MAX, count_up, &next, &err), BUS_OK, &err);
	CHECK(next == 12);
	bus_outbox_close(box);
}

static void many_go_in_pieces(void)
{
	struct bus_outbox *box = open_new();
	struct bus_err err;
	uint64_t count, i;

	add(box, 5000);
	for (i = 100; i <= 5000; i += 100)
		sign(box, i);
	CHECK_CODE(bus_outbox_sent(box, 5000, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_prune(box, bus_time_now() + soon, &count, &err), BUS_OK, &err);
	CHECK(count == 1000);
	CHECK(prune(box, bus_time_now() + soon) == 3900);
	bus_outbox_close(box);
}

static off_t file_size(const char *path)
{
	struct stat st = { 0 };

	CHECK(stat(path, &st) == 0);
	return st.st_size;
}

static void the_file_becomes_smaller(void)
{
	char *directory = check_path("shrink/dak"), *path = check_path("shrink/dak/outbox.db");
	struct bus_outbox *box = open_in(directory);
	struct bus_err err;
	bool more = true;
	off_t before;

	add(box, 3000);
	sign(box, 2900);
	sign(box, 3000);
	CHECK_CODE(bus_outbox_sent(box, 3000, &err), BUS_OK, &err);
	bus_outbox_close(box);
	before = file_size(path);
	box = open_in(directory);
	CHECK(prune(box, bus_time_now() + soon) == 2900);
	while (more)
		CHECK_CODE(bus_outbox_shrink(box, &more, &err), BUS_OK, &err);
	bus_outbox_close(box);
	CHECK_ROW(file_size(path) < before / 4, "%lld bytes of %lld", (long long)file_size(path),
		  (long long)before);
	free(directory);
	free(path);
}

/* "first..last" of what is to be sent again, and its number */
static void check_next(struct bus_outbox *box, uint64_t first, uint64_t last, uint64_t count)
{
	uint64_t a = 99, b = 99;
	struct bus_err err;

	if (!count)
		CHECK_CODE(bus_outbox_resend_next(box, &a, &b, &err), BUS_E_NO, &err);
	else
		CHECK_CODE(bus_outbox_resend_next(box, &a, &b, &err), BUS_OK, &err);
	CHECK_ROW(!count || (a == first && b == last), "%llu..%llu", (unsigned long long)a,
		  (unsigned long long)b);
	CHECK_ROW(state_of(box).resend == count, "%llu of them",
		  (unsigned long long)state_of(box).resend);
}

static void ranges_that_touch_become_one(void)
{
	struct bus_outbox *box = ten(10);
	struct bus_err err;

	check_next(box, 0, 0, 0);
	CHECK_CODE(bus_outbox_resend(box, 4, 5, &err), BUS_OK, &err);
	check_next(box, 4, 5, 2);
	CHECK_CODE(bus_outbox_resend(box, 8, 9, &err), BUS_OK, &err);
	check_next(box, 4, 5, 4);
	CHECK_CODE(bus_outbox_resend(box, 3, 3, &err), BUS_OK, &err);
	check_next(box, 3, 5, 5);
	CHECK_CODE(bus_outbox_resend(box, 4, 4, &err), BUS_OK, &err);
	check_next(box, 3, 5, 5);
	CHECK_CODE(bus_outbox_resend(box, 0, 6, &err), BUS_OK, &err);
	check_next(box, 0, 6, 9);
	CHECK_CODE(bus_outbox_resend(box, 7, 7, &err), BUS_OK, &err);
	check_next(box, 0, 9, 10);
	bus_outbox_close(box);
}

static void progress_is_kept(void)
{
	struct bus_outbox *box = ten(10);
	struct bus_err err;

	CHECK_CODE(bus_outbox_resend(box, 2, 5, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_resend(box, 8, 8, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_resent(box, 2, 4, &err), BUS_OK, &err);
	check_next(box, 4, 5, 3);
	/* somebody wanted earlier ones too, meanwhile: all of it is sent */
	CHECK_CODE(bus_outbox_resend(box, 1, 3, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_resent(box, 4, 6, &err), BUS_OK, &err);
	check_next(box, 1, 5, 6);
	CHECK_CODE(bus_outbox_resent(box, 1, 6, &err), BUS_OK, &err);
	check_next(box, 8, 8, 1);
	CHECK_CODE(bus_outbox_resent(box, 8, 9, &err), BUS_OK, &err);
	check_next(box, 0, 0, 0);
	bus_outbox_close(box);
}

static void what_cannot_be_sent_again_is_refused(void)
{
	struct bus_outbox *box = ten(8);
	struct bus_err err;

	CHECK_CODE(bus_outbox_resend(box, 0, 10, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, "no event 10");
	CHECK_CODE(bus_outbox_resend(box, 0, 8, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, "event 8 of");
	CHECK_SAYS(&err, "not confirmed yet");
	CHECK_CODE(bus_outbox_resend(box, 5, 4, &err), BUS_E_DATA, &err);
	CHECK(prune(box, bus_time_now() + soon) == 6);
	CHECK_CODE(bus_outbox_resend(box, 5, 7, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, "event 5 of");
	CHECK_SAYS(&err, "the oldest is 6");
	check_next(box, 0, 0, 0);
	CHECK_CODE(bus_outbox_resend(box, 6, 7, &err), BUS_OK, &err);
	bus_outbox_close(box);
}

static void what_is_to_be_sent_again_stays(void)
{
	struct bus_outbox *box = ten(10);
	struct bus_err err;

	CHECK_CODE(bus_outbox_resend(box, 4, 4, &err), BUS_OK, &err);
	CHECK(prune(box, bus_time_now() + soon) == 3);
	CHECK_CODE(bus_outbox_resent(box, 4, 5, &err), BUS_OK, &err);
	CHECK(prune(box, bus_time_now() + soon) == 3);
	bus_outbox_close(box);
}

static void a_new_epoch_sends_nothing_old_again(void)
{
	struct bus_outbox *box = ten(10);
	struct bus_err err;
	uint64_t moved;

	CHECK_CODE(bus_outbox_resend(box, 4, 6, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_new_epoch(box, &moved, &err), BUS_OK, &err);
	check_next(box, 0, 0, 0);
	CHECK(state_of(box).first == 0);
	bus_outbox_close(box);
}

static void an_outbox_of_the_first_version_is_upgraded(void)
{
	char *directory = check_path("old/dak"), *path = check_path("old/dak/outbox.db");
	struct bus_outbox *box = open_in(directory);
	struct bus_err err;
	sqlite3 *db = NULL;

	add(box, 3);
	bus_outbox_close(box);
	CHECK_NEED(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, "DROP TABLE resend; PRAGMA user_version = 1", NULL, NULL, NULL) ==
	      SQLITE_OK);
	sqlite3_close(db);
	box = open_in(directory);
	sign(box, 3);
	CHECK_CODE(bus_outbox_sent(box, 3, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_resend(box, 1, 1, &err), BUS_OK, &err);
	bus_outbox_close(box);
	box = open_in(directory);
	check_next(box, 1, 1, 1);
	CHECK(state_of(box).size == 3);
	bus_outbox_close(box);
	free(directory);
	free(path);
}

static const struct check_test tests[] = {
	{ "only whole batches that are confirmed go", only_whole_batches_that_are_confirmed_go },
	{ "what is younger stays", what_is_younger_stays },
	{ "the log goes on after it", the_log_goes_on_after_it },
	{ "many go in pieces", many_go_in_pieces },
	{ "the file becomes smaller", the_file_becomes_smaller },
	{ "ranges that touch become one", ranges_that_touch_become_one },
	{ "progress is kept", progress_is_kept },
	{ "what cannot be sent again is refused", what_cannot_be_sent_again_is_refused },
	{ "what is to be sent again stays", what_is_to_be_sent_again_stays },
	{ "a new epoch sends nothing old again", a_new_epoch_sends_nothing_old_again },
	{ "an outbox of the first version is upgraded",
	  an_outbox_of_the_first_version_is_upgraded },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("outbox-keep", tests);
}
