#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "check.h"
#include "outbox.h"
#include "timestamp.h"

#define ACCEPT "org.debian.dev.dak.upload.accept"
#define REJECT "org.debian.dev.dak.upload.reject"
#define NAME "ftp-master.example/dak"

enum { SECOND = 1000000 };

/* A new directory for each test; the caller closes the box and frees the directory. */
static char *new_directory(void)
{
	static int n;

	return check_path("outbox%d/dak", n++);
}

static struct bus_outbox_params params_of(const char *directory)
{
	return (struct bus_outbox_params){
		.directory = directory,
		.name = NAME,
		.environment = "dev",
		.service = "dak",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
		.create = true,
		.wait_ms = 10000,
	};
}

static struct bus_outbox *open_box(const char *directory)
{
	struct bus_outbox_params params = params_of(directory);
	struct bus_outbox *box = NULL;
	struct bus_err err;

	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_OK, &err);
	CHECK_NEED(box != NULL);
	return box;
}

static struct bus_draft draft_of(const char *type, const char *subject)
{
	static const char data[] = "{\"summary\":\"s\"}";

	return (struct bus_draft){ type, subject, 1795342500000000, data, sizeof(data) - 1 };
}

static enum bus_code append(struct bus_outbox *box, const char *type, const char *subject,
			    uint64_t *id)
{
	struct bus_draft draft = draft_of(type, subject);

	return bus_outbox_append(box, &draft, id, NULL);
}

/* One event, committed. */
static void add(struct bus_outbox *box, const char *type, const char *subject)
{
	struct bus_err err;
	uint64_t id;

	CHECK_CODE(bus_outbox_begin(box, &err), BUS_OK, &err);
	CHECK_CODE(append(box, type, subject, &id), BUS_OK, &err);
	CHECK_CODE(bus_outbox_commit(box, &err), BUS_OK, &err);
}

static uint64_t size_of(struct bus_outbox *box)
{
	struct bus_outbox_state state = { .size = 0 };
	struct bus_err err;

	CHECK_CODE(bus_outbox_state(box, &state, &err), BUS_OK, &err);
	return state.size;
}

/* What a walk has seen: "id:typesequence:subject " for each, and whether it fits together. */
struct seen {
	char text[4000];
	uint64_t next;
};

static enum bus_code see(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	struct seen *seen = arg;
	struct bus_event *parsed = NULL;
	size_t used = strlen(seen->text);

	CHECK_CODE(bus_event_parse(&parsed, ev->body, ev->body_len, err), BUS_OK, err);
	CHECK_NEED(parsed != NULL);
	CHECK(parsed->id == ev->id && ev->id == seen->next);
	CHECK_TEXT(parsed->type, ev->type);
	CHECK(strncmp(ev->routing_key, ev->type, strlen(ev->type)) == 0);
	snprintf(seen->text + used, sizeof(seen->text) - used, "%llu:%llu:%s ",
		 (unsigned long long)ev->id, (unsigned long long)parsed->typesequence,
		 parsed->subject ? parsed->subject : "");
	bus_event_free(parsed);
	seen->next = ev->id + 1;
	return BUS_OK;
}

static void check_events(struct bus_outbox *box, uint64_t from, uint64_t until,
			 const char *expected)
{
	struct seen seen = { "", from };
	struct bus_err err;

	CHECK_CODE(bus_outbox_each(box, from, until, see, &seen, &err), BUS_OK, &err);
	CHECK_TEXT(seen.text, expected);
}

static void ids_and_typesequences_are_contiguous(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);

	add(box, ACCEPT, "a");
	add(box, REJECT, "b");
	add(box, ACCEPT, "c");
	add(box, ACCEPT, NULL);
	add(box, REJECT, "e");
	check_events(box, 0, INT64_MAX, "0:1:a 1:1:b 2:2:c 3:3: 4:2:e ");
	check_events(box, 1, 3, "1:1:b 2:2:c ");
	check_events(box, 5, 9, "");
	check_events(box, 3, 3, "");
	bus_outbox_close(box);
	bus_outbox_close(NULL);
	free(dir);
}

static void a_rollback_leaves_nothing(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;
	uint64_t id = 99;

	add(box, ACCEPT, "a");
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(append(box, ACCEPT, "b", &id) == BUS_OK && id == 1);
	CHECK(append(box, REJECT, "c", &id) == BUS_OK && id == 2);
	CHECK(bus_outbox_cursor_set(box, "log", "7", 1, &err) == BUS_OK);
	bus_outbox_rollback(box);
	bus_outbox_rollback(box); /* fine at any time */
	CHECK(size_of(box) == 1);
	add(box, ACCEPT, "d");
	add(box, REJECT, "e");
	check_events(box, 0, 9, "0:1:a 1:2:d 2:1:e ");
	bus_outbox_close(box);
	free(dir);
}

static void closing_forgets_what_was_not_committed(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;
	uint64_t id;

	add(box, ACCEPT, "a");
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(append(box, ACCEPT, "b", &id) == BUS_OK);
	bus_outbox_close(box);
	box = open_box(dir);
	check_events(box, 0, 9, "0:1:a ");
	bus_outbox_close(box);
	free(dir);
}

static void reopening_goes_on_in_the_same_log(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_outbox_state before, after;
	struct bus_err err;

	add(box, ACCEPT, "a");
	CHECK(bus_outbox_state(box, &before, &err) == BUS_OK);
	CHECK(bus_origin_valid(before.origin));
	CHECK(strncmp(before.origin, NAME "/", strlen(NAME) + 1) == 0);
	bus_outbox_close(box);
	box = open_box(dir);
	CHECK(bus_outbox_state(box, &after, &err) == BUS_OK);
	CHECK_TEXT(after.origin, before.origin);
	CHECK(after.created_us == before.created_us && after.last_us == before.last_us);
	add(box, ACCEPT, "b");
	check_events(box, 0, 9, "0:1:a 1:2:b ");
	bus_outbox_close(box);
	free(dir);
}

static void append_needs_a_transaction(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	uint64_t id = 99;

	CHECK(append(box, ACCEPT, "a", &id) == BUS_E_BUG);
	CHECK(id == 99 && size_of(box) == 0);
	bus_outbox_close(box);
	free(dir);
}

static void types_of_others_are_refused(void)
{
	static const char *const type[] = {
		"org.debian.dev.wiki.page.edit",
		"org.debian.production.dak.upload.accept",
		"org.debian.dev.dakk.upload.accept",
		"org.debian.dev.da.upload.accept",
		"upload.accept",
		"",
		"org.debian.dev.dak.upload.accept.x",
	};
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;
	uint64_t id = 99;
	size_t i;

	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(append(box, ACCEPT, "a", &id) == BUS_OK);
	for (i = 0; i < sizeof(type) / sizeof(type[0]); i++)
		CHECK_ROW(append(box, type[i], "x", &id) == BUS_E_DATA, "'%s' is taken", type[i]);
	CHECK(id == 0);
	/* the transaction stands as it was */
	CHECK(append(box, ACCEPT, "b", &id) == BUS_OK);
	CHECK(bus_outbox_commit(box, &err) == BUS_OK);
	check_events(box, 0, 9, "0:1:a 1:2:b ");
	bus_outbox_close(box);
	free(dir);
}

static void an_event_too_large_is_refused(void)
{
	char *dir = new_directory(), *lots = malloc(BUS_BODY_MAX_DEFAULT + 1);
	struct bus_outbox *box = open_box(dir);
	struct bus_draft draft = draft_of(ACCEPT, "a");
	struct bus_err err;
	uint64_t id = 99;

	CHECK_NEED(lots != NULL);
	memset(lots, 'x', BUS_BODY_MAX_DEFAULT);
	lots[BUS_BODY_MAX_DEFAULT] = '\0';
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	draft.subject = lots;
	CHECK_CODE(bus_outbox_append(box, &draft, &id, &err), BUS_E_DATA, &err);
	CHECK(id == 99);
	CHECK(append(box, ACCEPT, "b", &id) == BUS_OK);
	CHECK(bus_outbox_commit(box, &err) == BUS_OK);
	check_events(box, 0, 9, "0:1:b ");
	bus_outbox_close(box);
	free(lots);
	free(dir);
}

static void check_cursor(struct bus_outbox *box, const char *name, const char *expected)
{
	char *value = (char *)1;
	struct bus_err err;
	size_t len = 0;

	CHECK_CODE(bus_outbox_cursor_get(box, name, &value, &len, &err), BUS_OK, &err);
	CHECK_TEXT(value, expected);
	CHECK(!value || len == strlen(value));
	free(value);
}

static void cursors_change_together_with_events(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;
	uint64_t id;

	check_cursor(box, "log", NULL);
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(append(box, ACCEPT, "a", &id) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "log", "100", 3, &err) == BUS_OK);
	CHECK(bus_outbox_commit(box, &err) == BUS_OK);
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(append(box, ACCEPT, "b", &id) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "log", "200", 3, &err) == BUS_OK);
	check_cursor(box, "log", "200");
	bus_outbox_close(box); /* as if killed before the commit */
	box = open_box(dir);
	check_cursor(box, "log", "100");
	CHECK(size_of(box) == 1);
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "log", NULL, 0, &err) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "never there", "", 0, &err) == BUS_OK);
	CHECK(bus_outbox_commit(box, &err) == BUS_OK);
	check_cursor(box, "log", NULL);
	bus_outbox_close(box);
	free(dir);
}

static void check_next(struct bus_outbox *box, const char *prefix, const char *after,
		       const char *expected)
{
	char *name = (char *)1;
	struct bus_err err;

	CHECK_CODE(bus_outbox_cursor_next(box, prefix, after, &name, &err), BUS_OK, &err);
	CHECK_TEXT(name, expected);
	free(name);
}

static void cursors_are_found_by_prefix(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;

	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "todo/b", "1", 1, &err) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "todo/a%_", "a\0b", 3, &err) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "x", "1", 1, &err) == BUS_OK);
	CHECK(bus_outbox_commit(box, &err) == BUS_OK);
	check_next(box, "todo/", NULL, "todo/a%_");
	check_next(box, "todo/b", NULL, "todo/b");
	check_next(box, "todo/c", NULL, NULL);
	check_next(box, "t%", NULL, NULL);
	check_next(box, "", NULL, "todo/a%_");
	check_next(box, "y", NULL, NULL);
	check_next(box, "todo/", "todo/a%_", "todo/b");
	check_next(box, "todo/", "todo/b", NULL);
	check_next(box, "todo/", "todo/", "todo/a%_");
	check_next(box, "x", "a", "x");
	bus_outbox_close(box);
	free(dir);
}

static void an_origin_cannot_be_changed(void)
{
	char *dir = new_directory();
	struct bus_outbox_params params = params_of(dir);
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;

	bus_outbox_close(box);
	box = NULL;
	params.name = "ftp-master.example/dak2";
	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, NAME);
	CHECK_SAYS(&err, "ftp-master.example/dak2");
	params.name = "ftp-master.example";
	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_E_CONFIG, &err);
	CHECK(!box);
	free(dir);
}

static void makes_nothing_unless_asked(void)
{
	char *dir = new_directory();
	struct bus_outbox_params params = params_of(dir);
	struct bus_outbox *box = NULL;
	struct stat st;
	struct bus_err err;

	params.create = false;
	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_E_NO, &err);
	CHECK(!box && stat(dir, &st) != 0);
	params.create = true;
	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_OK, &err);
	bus_outbox_close(box);
	params.create = false;
	box = NULL;
	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_OK, &err);
	bus_outbox_close(box);
	free(dir);
}

static void a_file_that_is_not_ours_is_refused(void)
{
	char *dir = new_directory(), *path;
	struct bus_outbox_params params = params_of(dir);
	struct bus_outbox *box = open_box(dir);
	sqlite3 *db = NULL;
	struct bus_err err;

	bus_outbox_close(box);
	box = NULL;
	path = malloc(strlen(dir) + 20);
	CHECK_NEED(path != NULL);
	sprintf(path, "%s/outbox.db", dir);
	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, path);
	check_remove(path);
	check_write(path, 0600,
		    "This is a text file that somebody put here by mistake, and it is "
		    "long enough to be taken for a header of one hundred bytes.\n");
	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, path);
	CHECK(!box);
	free(path);
	free(dir);
}

/* The code that is returned and the one in the error are the same, whatever breaks. */
static void a_damaged_file_is_the_operators_business(void)
{
	char *dir = new_directory(), *path = malloc(strlen(dir) + 20);
	struct bus_outbox_state state;
	struct bus_outbox *box = open_box(dir);
	struct bus_draft draft = draft_of(ACCEPT, "a");
	sqlite3 *db = NULL;
	struct bus_err err;
	enum bus_code rc;
	uint64_t id;

	CHECK_NEED(path != NULL);
	sprintf(path, "%s/outbox.db", dir);
	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK(sqlite3_exec(db, "DROP TABLE type; DROP TABLE checkpoint", NULL, NULL, NULL) ==
	      SQLITE_OK);
	sqlite3_close(db);
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	rc = bus_outbox_append(box, &draft, &id, &err);
	CHECK_ROW(rc && rc == err.code, "append: %s, and the error is %s: %s",
		  bus_code_info[rc].name, bus_code_info[err.code].name, err.text);
	bus_outbox_rollback(box);
	rc = bus_outbox_state(box, &state, &err);
	CHECK_ROW(rc && rc == err.code, "state: %s, and the error is %s: %s",
		  bus_code_info[rc].name, bus_code_info[err.code].name, err.text);
	bus_outbox_close(box);
	free(path);
	free(dir);
}

/* -- the relay's side -- */

static void one_relay_per_outbox(void)
{
	char *dir = new_directory(), pid[40];
	struct bus_outbox *box = open_box(dir), *other;
	struct bus_err err;
	int ready[2], status;
	pid_t child;
	char c;

	CHECK_NEED(pipe(ready) == 0);
	fflush(NULL);
	child = fork();
	if (child == 0) { /* holds the outbox until the parent is done */
		other = open_box(dir);
		c = bus_outbox_claim(other, &err) == BUS_OK ? 'y' : 'n';
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(0);
	}
	CHECK_NEED(read(ready[0], &c, 1) == 1 && c == 'y');
	CHECK_CODE(bus_outbox_claim(box, &err), BUS_E_HELD, &err);
	snprintf(pid, sizeof(pid), "process %d ", (int)child);
	CHECK_SAYS(&err, pid);
	CHECK_SAYS(&err, dir);
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_CODE(bus_outbox_claim(box, &err), BUS_OK, &err); /* no stale lock */
	bus_outbox_close(box);
	close(ready[0]);
	close(ready[1]);
	free(dir);
}

static void make_range(struct bus_range *range, uint64_t size)
{
	struct bus_hash leaf;

	memset(range, 0, sizeof(*range));
	while (range->size < size) {
		bus_merkle_leaf(&leaf, &range->size, sizeof(range->size));
		bus_range_append(range, &leaf);
	}
}

static void check_checkpoint(const struct bus_outbox_checkpoint *cp, uint64_t size,
			     const char *note)
{
	struct bus_range range;

	make_range(&range, size);
	CHECK(cp->range.size == size && cp->range.count == range.count);
	CHECK(!memcmp(cp->range.node, range.node, range.count * sizeof(range.node[0])));
	CHECK_TEXT(cp->note, note);
}

static void checkpoints_are_found_before_and_after(void)
{
	static const struct {
		uint64_t size, before, after;
	} row[] = { { 0, 0, 3 }, { 2, 0, 3 }, { 3, 3, 8 }, { 7, 3, 8 }, { 8, 8, 0 }, { 99, 8, 0 } };
	struct bus_outbox_checkpoint cp;
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_range range;
	struct bus_err err;
	size_t i;
	int k;

	make_range(&range, 3);
	CHECK_CODE(bus_outbox_checkpoint_save(box, &range, "note 3", &err), BUS_OK, &err);
	make_range(&range, 8);
	CHECK_CODE(bus_outbox_checkpoint_save(box, &range, "note 8", &err), BUS_OK, &err);
	for (k = 0; k < 2; k++) { /* and again from the disk */
		for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
			CHECK_CODE(bus_outbox_checkpoint_before(box, row[i].size, &cp, &err),
				   BUS_OK, &err);
			check_checkpoint(&cp, row[i].before,
					 row[i].before == 3 ? "note 3"
					 : row[i].before    ? "note 8"
							    : NULL);
			bus_outbox_checkpoint_finish(&cp);
			CHECK_CODE(bus_outbox_checkpoint_after(box, row[i].size, &cp, &err), BUS_OK,
				   &err);
			check_checkpoint(&cp, row[i].after,
					 row[i].after == 3 ? "note 3"
					 : row[i].after	   ? "note 8"
							   : NULL);
			bus_outbox_checkpoint_finish(&cp);
		}
		bus_outbox_close(box);
		box = open_box(dir);
	}
	bus_outbox_close(box);
	free(dir);
}

static void a_checkpoint_is_never_replaced(void)
{
	struct bus_outbox_checkpoint cp;
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_range range;
	struct bus_err err;

	make_range(&range, 3);
	CHECK(bus_outbox_checkpoint_save(box, &range, "first", &err) == BUS_OK);
	CHECK(bus_outbox_checkpoint_save(box, &range, "second", &err) != BUS_OK);
	CHECK(bus_outbox_checkpoint_before(box, 3, &cp, &err) == BUS_OK);
	CHECK_TEXT(cp.note, "first");
	bus_outbox_checkpoint_finish(&cp);
	bus_outbox_close(box);
	free(dir);
}

static void the_state_tells_what_is_unsent(void)
{
	const int64_t begin = bus_time_now();
	struct bus_outbox_state state;
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	struct bus_range range;
	struct bus_err err;

	CHECK(bus_outbox_state(box, &state, &err) == BUS_OK);
	CHECK(!state.size && !state.sent && !state.signed_size && !state.last_us &&
	      !state.oldest_unsent_us && !state.sent_us && !state.checkpoint_us);
	CHECK(state.created_us / SECOND >= begin / SECOND);
	add(box, ACCEPT, "a");
	add(box, ACCEPT, "b");
	add(box, ACCEPT, "c");
	make_range(&range, 2);
	CHECK(bus_outbox_checkpoint_save(box, &range, "note", &err) == BUS_OK);
	CHECK_CODE(bus_outbox_sent(box, 1, &err), BUS_OK, &err);
	CHECK(bus_outbox_state(box, &state, &err) == BUS_OK);
	CHECK(state.size == 3 && state.sent == 1 && state.signed_size == 2);
	CHECK(state.last_us >= begin && state.sent_us >= state.last_us);
	CHECK(state.oldest_unsent_us >= begin && state.oldest_unsent_us <= state.last_us);
	CHECK_CODE(bus_outbox_sent(box, 3, &err), BUS_OK, &err);
	CHECK(bus_outbox_state(box, &state, &err) == BUS_OK);
	CHECK(state.sent == 3 && !state.oldest_unsent_us);
	bus_outbox_close(box);
	free(dir);
}

static enum bus_code stop_at_two(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	enum bus_code *with = arg;

	return ev->id == 2 ? bus_fail(err, *with, "enough") : BUS_OK;
}

static void a_walk_ends_when_it_is_told(void)
{
	char *dir = new_directory();
	struct bus_outbox *box = open_box(dir);
	enum bus_code with = BUS_E_NO;
	struct bus_err err;
	int i;

	for (i = 0; i < 5; i++)
		add(box, ACCEPT, "x");
	CHECK_CODE(bus_outbox_each(box, 0, 9, stop_at_two, &with, &err), BUS_OK, &err);
	with = BUS_E_UNAVAILABLE;
	CHECK_CODE(bus_outbox_each(box, 0, 9, stop_at_two, &with, &err), BUS_E_UNAVAILABLE, &err);
	CHECK(bus_outbox_each(box, 3, 9, stop_at_two, &with, &err) == BUS_OK);
	add(box, ACCEPT, "y"); /* the walk holds nothing up */
	bus_outbox_close(box);
	free(dir);
}

static enum bus_code copy_body(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	(void)err;
	*(char **)arg = strndup(ev->body, ev->body_len);
	return BUS_OK;
}

static void a_bus_checkpoint_counts_all_before_it(void)
{
	struct bus_outbox_state state;
	char *dir = new_directory(), *body = NULL;
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;

	add(box, ACCEPT, "a");
	add(box, REJECT, "b");
	add(box, ACCEPT, "c");
	CHECK_CODE(bus_outbox_append_checkpoint(box, &err), BUS_OK, &err);
	CHECK(bus_outbox_each(box, 3, 4, copy_body, &body, &err) == BUS_OK);
	CHECK_NEED(body != NULL);
	CHECK(strstr(body, "\"type\":\"org.debian.dev.dak.bus.checkpoint\"") != NULL);
	CHECK(strstr(body, "\"size\":3,\"types\":{\"" ACCEPT "\":2,\"" REJECT "\":1}") != NULL);
	CHECK(!strstr(body, "\"subject\""));
	free(body);
	CHECK(bus_outbox_state(box, &state, &err) == BUS_OK);
	CHECK(state.size == 4 && state.checkpoint_size == 4 && state.checkpoint_us > 0);
	CHECK_CODE(bus_outbox_append_checkpoint(box, &err), BUS_OK, &err);
	body = NULL;
	CHECK(bus_outbox_each(box, 4, 5, copy_body, &body, &err) == BUS_OK);
	CHECK(body && strstr(body, "\"typesequence\":\"2\"") && strstr(body, "\"size\":4"));
	CHECK(body && strstr(body, "\"org.debian.dev.dak.bus.checkpoint\":1"));
	free(body);
	bus_outbox_close(box);
	free(dir);
}

static void checkpoints_are_due_when_the_protocol_says(void)
{
	const int64_t t = 1795342500LL * SECOND, minute = 60LL * SECOND, hour = 60 * minute;
	const struct {
		const char *when;
		struct bus_outbox_state state;
		int64_t now, wait;
	} row[] = {
		{ "a new log", { .created_us = t }, t, hour },
		{ "an hour of silence", { .created_us = t }, t + hour, 0 },
		{ "a first event",
		  { .created_us = t, .size = 1, .last_us = t + 5 * minute },
		  t + 5 * minute + 1,
		  minute - 1 },
		{ "a minute after it",
		  { .created_us = t, .size = 1, .last_us = t + 5 * minute },
		  t + 6 * minute,
		  0 },
		{ "long after it",
		  { .created_us = t, .size = 1, .last_us = t + 5 * minute },
		  t + 99 * hour,
		  0 },
		{ "events go on and on",
		  { .created_us = t, .size = 9, .last_us = t + hour - 1 },
		  t + hour - 1,
		  1 },
		{ "nothing since the checkpoint",
		  { .created_us = t,
		    .size = 5,
		    .last_us = t + hour,
		    .checkpoint_us = t + hour,
		    .checkpoint_size = 5 },
		  t + hour + minute,
		  59 * minute },
		{ "an event since the checkpoint",
		  { .created_us = t,
		    .size = 6,
		    .last_us = t + hour + minute,
		    .checkpoint_us = t + hour,
		    .checkpoint_size = 5 },
		  t + hour + minute,
		  minute },
		/* a clock that was set back must not silence the log until it has caught up */
		{ "a checkpoint in the future",
		  { .created_us = t,
		    .size = 5,
		    .last_us = t,
		    .checkpoint_us = t + 1000 * hour,
		    .checkpoint_size = 5 },
		  t + hour,
		  hour },
		{ "an event in the future",
		  { .created_us = t, .size = 1, .last_us = t + 1000 * hour },
		  t + minute,
		  minute },
	};
	int64_t left;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		left = bus_outbox_checkpoint_due(&row[i].state, row[i].now);
		CHECK_ROW(left == row[i].wait, "%s: in %lld us", row[i].when, (long long)left);
	}
}

/* -- a new epoch -- */

static void a_new_epoch_takes_the_unsent_along(void)
{
	struct bus_outbox_state before, after;
	char *dir = new_directory(), *old;
	struct bus_outbox *box = open_box(dir);
	struct bus_range range;
	struct bus_err err;
	struct stat st;
	uint64_t moved = 99;

	add(box, ACCEPT, "a");
	add(box, REJECT, "b");
	add(box, ACCEPT, "c");
	CHECK(bus_outbox_append_checkpoint(box, &err) == BUS_OK);
	add(box, REJECT, "d\"\n\xc3\xbc");
	make_range(&range, 2);
	CHECK(bus_outbox_checkpoint_save(box, &range, "note", &err) == BUS_OK);
	CHECK(bus_outbox_sent(box, 2, &err) == BUS_OK);
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK(bus_outbox_cursor_set(box, "log", "7", 1, &err) == BUS_OK);
	CHECK(bus_outbox_commit(box, &err) == BUS_OK);
	CHECK(bus_outbox_state(box, &before, &err) == BUS_OK);
	CHECK_CODE(bus_outbox_new_epoch(box, &moved, &err), BUS_OK, &err);
	CHECK(moved == 2); /* not the log's own checkpoint */
	CHECK(bus_outbox_state(box, &after, &err) == BUS_OK);
	CHECK_ROW(strcmp(after.origin, before.origin) > 0, "%s", after.origin);
	CHECK(bus_origin_valid(after.origin));
	CHECK(after.size == 2 && !after.sent && !after.signed_size && !after.checkpoint_us);
	check_events(box, 0, 9, "0:1:c 1:1:d\"\n\xc3\xbc ");
	check_cursor(box, "log", "7");
	bus_outbox_close(box);
	old = malloc(strlen(dir) + 60);
	CHECK_NEED(old != NULL);
	sprintf(old, "%s/outbox-%s.db", dir, strrchr(before.origin, '/') + 1);
	CHECK(stat(old, &st) == 0 && (st.st_mode & 0777) == 0600);
	box = open_box(dir);
	CHECK(size_of(box) == 2);
	bus_outbox_close(box);
	free(old);
	free(dir);
}

static void epochs_of_one_second_differ(void)
{
	struct bus_outbox_state state;
	char *dir = new_directory(), last[BUS_ORIGIN_MAX + 1] = "";
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;
	uint64_t moved;
	int i;

	for (i = 0; i < 4; i++) {
		CHECK_CODE(bus_outbox_new_epoch(box, &moved, &err), BUS_OK, &err);
		CHECK(moved == 0);
		CHECK(bus_outbox_state(box, &state, &err) == BUS_OK);
		CHECK_ROW(strcmp(state.origin, last) > 0, "%s after %s", state.origin, last);
		strcpy(last, state.origin);
	}
	bus_outbox_close(box);
	free(dir);
}

/* A relay that was killed after the copy was made, and before the new log began. */
static void a_new_epoch_can_be_tried_again(void)
{
	struct bus_outbox_state state;
	char *dir = new_directory(), *old = malloc(strlen(dir) + 60);
	struct bus_outbox *box = open_box(dir);
	struct bus_err err;
	uint64_t moved = 99;

	CHECK_NEED(old != NULL);
	add(box, ACCEPT, "a");
	CHECK(bus_outbox_state(box, &state, &err) == BUS_OK);
	sprintf(old, "%s/outbox-%s.db", dir, strrchr(state.origin, '/') + 1);
	check_write(old, 0600, "half a copy");
	CHECK_CODE(bus_outbox_new_epoch(box, &moved, &err), BUS_OK, &err);
	CHECK(moved == 1);
	bus_outbox_close(box);
	free(old);
	free(dir);
}

/* -- several processes -- */

enum { WRITERS = 4, EVENTS = 25 };

/* In a child: every event in a transaction of its own. */
static int write_events(const char *dir)
{
	struct bus_outbox_params params = params_of(dir);
	struct bus_outbox *box = NULL;
	uint64_t id;
	int i;

	if (bus_outbox_open(&box, &params, NULL))
		return 1;
	for (i = 0; i < EVENTS; i++)
		if (bus_outbox_begin(box, NULL) || append(box, i % 2 ? ACCEPT : REJECT, "x", &id) ||
		    bus_outbox_commit(box, NULL))
			return 2;
	bus_outbox_close(box);
	return 0;
}

static enum bus_code count_types(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	uint64_t *n = arg;
	struct bus_event *parsed = NULL;

	CHECK(bus_event_parse(&parsed, ev->body, ev->body_len, err) == BUS_OK && ev->id == n[0]++);
	CHECK_NEED(parsed != NULL);
	CHECK(parsed->typesequence == ++n[strcmp(parsed->type, ACCEPT) ? 1 : 2]);
	bus_event_free(parsed);
	return BUS_OK;
}

/* The outbox is not there yet: they also make it at the same time. */
static void processes_that_append_at_once_share_one_log(void)
{
	char *dir = new_directory();
	struct bus_outbox *box;
	uint64_t n[3] = { 0 };
	struct bus_err err;
	pid_t child[WRITERS];
	int i, status;

	fflush(NULL);
	for (i = 0; i < WRITERS; i++) {
		child[i] = fork();
		if (child[i] == 0)
			_exit(write_events(dir));
	}
	for (i = 0; i < WRITERS; i++) {
		CHECK(waitpid(child[i], &status, 0) == child[i]);
		CHECK_ROW(status == 0, "writer %d: %x", i, (unsigned int)status);
	}
	box = open_box(dir);
	CHECK(bus_outbox_each(box, 0, INT64_MAX, count_types, n, &err) == BUS_OK);
	CHECK(n[0] == WRITERS * EVENTS && size_of(box) == n[0]);
	bus_outbox_close(box);
	free(dir);
}

/* Making the file takes several steps, and any two processes may meet at any of them. */
static void processes_that_make_an_outbox_at_once_all_get_it(void)
{
	struct bus_outbox_params params;
	struct bus_outbox *box = NULL;
	int round, i, status;
	struct bus_err err;
	pid_t child;
	char *dir;

	fflush(NULL);
	for (round = 0; round < 25; round++) {
		dir = new_directory();
		params = params_of(dir);
		for (i = 0; i < WRITERS; i++) {
			child = fork();
			if (child)
				continue;
			status = bus_outbox_open(&box, &params, &err) ? 1 : 0;
			if (status)
				fprintf(stderr, "%s\n", err.text);
			_exit(status);
		}
		for (i = 0; i < WRITERS; i++)
			CHECK(wait(&status) > 0 && status == 0);
		free(dir);
	}
}

static void a_writer_does_not_wait_for_ever(void)
{
	char *dir = new_directory();
	struct bus_outbox_params params = params_of(dir);
	struct bus_outbox *box = open_box(dir), *other = NULL;
	struct bus_err err;

	params.wait_ms = 50;
	CHECK(bus_outbox_open(&other, &params, &err) == BUS_OK);
	CHECK(bus_outbox_begin(box, &err) == BUS_OK);
	CHECK_CODE(bus_outbox_begin(other, &err), BUS_E_TEMP, &err);
	CHECK_SAYS(&err, "another process");
	bus_outbox_rollback(box);
	CHECK_CODE(bus_outbox_begin(other, &err), BUS_OK, &err);
	bus_outbox_close(other);
	bus_outbox_close(box);
	free(dir);
}

static void the_group_of_the_directory_may_write(void)
{
	char *dir = new_directory(), *path = malloc(strlen(dir) + 20), *parent;
	struct bus_outbox *box;
	struct stat st;

	CHECK_NEED(path != NULL);
	parent = strndup(dir, strlen(dir) - 4);
	CHECK(mkdir(parent, 0700) == 0 && mkdir(dir, 0700) == 0 && chmod(dir, 02770) == 0);
	box = open_box(dir);
	add(box, ACCEPT, "a");
	sprintf(path, "%s/outbox.db", dir);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0660);
	strcat(path, "-wal");
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0660);
	bus_outbox_close(box);
	free(parent);
	free(path);
	free(dir);
}

static const struct check_test tests[] = {
	{ "ids and typesequences are contiguous", ids_and_typesequences_are_contiguous },
	{ "a rollback leaves nothing", a_rollback_leaves_nothing },
	{ "closing forgets what was not committed", closing_forgets_what_was_not_committed },
	{ "reopening goes on in the same log", reopening_goes_on_in_the_same_log },
	{ "append needs a transaction", append_needs_a_transaction },
	{ "types of others are refused", types_of_others_are_refused },
	{ "an event too large is refused", an_event_too_large_is_refused },
	{ "cursors change together with events", cursors_change_together_with_events },
	{ "cursors are found by prefix", cursors_are_found_by_prefix },
	{ "an origin cannot be changed", an_origin_cannot_be_changed },
	{ "makes nothing unless asked", makes_nothing_unless_asked },
	{ "a file that is not ours is refused", a_file_that_is_not_ours_is_refused },
	{ "a damaged file is the operator's business", a_damaged_file_is_the_operators_business },
	{ "one relay per outbox", one_relay_per_outbox },
	{ "checkpoints are found before and after", checkpoints_are_found_before_and_after },
	{ "a checkpoint is never replaced", a_checkpoint_is_never_replaced },
	{ "the state tells what is unsent", the_state_tells_what_is_unsent },
	{ "a walk ends when it is told", a_walk_ends_when_it_is_told },
	{ "a bus.checkpoint counts all before it", a_bus_checkpoint_counts_all_before_it },
	{ "checkpoints are due when the protocol says",
	  checkpoints_are_due_when_the_protocol_says },
	{ "a new epoch takes the unsent along", a_new_epoch_takes_the_unsent_along },
	{ "epochs of one second differ", epochs_of_one_second_differ },
	{ "a new epoch can be tried again", a_new_epoch_can_be_tried_again },
	{ "processes that append at once share one log",
	  processes_that_append_at_once_share_one_log },
	{ "processes that make an outbox at once all get it",
	  processes_that_make_an_outbox_at_once_all_get_it },
	{ "a writer does not wait for ever", a_writer_does_not_wait_for_ever },
	{ "the group of the directory may write", the_group_of_the_directory_may_write },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("outbox", tests);
}
