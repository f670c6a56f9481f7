#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/common/follow.h"
#include "adapters/common/snapshot.h"
#include "check.h"

/* A log, and where its reader's position is "stored". */
static char *path, *old;
static char stored[400];

static void begin(void)
{
	free(path);
	free(old);
	path = check_path("log");
	old = check_path("log.1");
	check_remove(path);
	check_remove(old);
	stored[0] = '\0';
}

static void append_bytes(const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

	CHECK_NEED(fd >= 0);
	CHECK(write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

static void append(const char *text)
{
	append_bytes(text, strlen(text));
}

static struct follow *open_log(bool from_start)
{
	struct follow *follow = NULL;
	struct bus_err err;

	CHECK_CODE(follow_open(&follow, path, *stored ? stored : NULL, strlen(stored), from_start,
			       &err),
		   BUS_OK, &err);
	CHECK_NEED(follow != NULL);
	return follow;
}

/* Reads what is there and stores the position; the lines, each with a ';' behind it. */
static void expect(struct follow *follow, const char *lines)
{
	struct bus_buf got = BUS_BUF_INIT(1 << 20), text = BUS_BUF_INIT(sizeof(stored));
	struct follow_position position;
	struct follow_line line;
	struct bus_err err;
	enum bus_code rc;

	bus_buf_puts(&got, "");
	while ((rc = follow_next(follow, &line, &err)) == BUS_OK)
		bus_buf_printf(&got, "%.*s%s;", line.len > 40 ? 5 : (int)line.len, line.p,
			       line.is_cut    ? "(cut)"
			       : line.is_half ? "(half)"
					      : "");
	CHECK_CODE(rc, BUS_E_NO, &err);
	CHECK_TEXT(got.p, lines);
	follow_tell(follow, &position);
	follow_position_write(&text, &position);
	snprintf(stored, sizeof(stored), "%s", text.p);
	bus_buf_finish(&got);
	bus_buf_finish(&text);
}

/* The same after a restart. */
static void expect_again(const char *lines)
{
	struct follow *follow = open_log(false);

	expect(follow, lines);
	follow_close(follow);
}

static void lines_come_when_they_are_complete(void)
{
	struct follow *follow;

	begin();
	append("one\ntw");
	follow = open_log(true);
	expect(follow, "one;");
	expect(follow, "");
	append("o\n\nth");
	expect(follow, "two;;");
	append("ree\nfour\n");
	expect(follow, "three;four;");
	follow_close(follow);
}

static void goes_on_where_it_was(void)
{
	begin();
	append("one\ntwo\nthr");
	follow_close(open_log(true));
	expect_again(""); /* nothing was stored: from now, behind two */
	append("ee\nfour\n");
	expect_again("three;four;");
	expect_again("");
	append("five\n");
	expect_again("five;");
}

static void a_line_that_is_not_told_comes_again(void)
{
	struct follow_position before, after;
	struct follow_line line;
	struct follow *follow;

	begin();
	append("one\ntwo\n");
	follow = open_log(true);
	CHECK(follow_next(follow, &line, NULL) == BUS_OK && line.offset == 0);
	follow_tell(follow, &before);
	CHECK(before.offset == 4);
	CHECK(follow_next(follow, &line, NULL) == BUS_OK && line.offset == 4);
	follow_tell(follow, &after);
	CHECK(after.offset == 8);
	follow_close(follow);
}

static void what_is_there_can_be_passed_over(void)
{
	struct follow *follow;

	begin();
	append("one\ntwo\npart");
	follow = open_log(false);
	expect(follow, "");
	append("ial\n");
	expect(follow, "partial;");
	follow_close(follow);
}

static void a_file_that_comes_later_is_new(void)
{
	struct follow *follow;

	begin();
	follow = open_log(false);
	expect(follow, "");
	append("one\n");
	expect(follow, "one;");
	follow_close(follow);
	begin();
	follow = open_log(false);
	expect(follow, "");
	follow_close(follow);
	append("one\n");
	expect_again("one;");
}

static void a_renamed_file_is_read_to_its_end(void)
{
	struct follow *follow;

	begin();
	append("one\n");
	follow = open_log(true);
	expect(follow, "one;");
	append("two\nthr");
	CHECK(rename(path, old) == 0);
	expect(follow, "two;");
	append("new\n");
	expect(follow, "thr(half);new;"); /* nobody will complete it */
	expect(follow, "");
	follow_close(follow);
	expect_again("");
}

static void a_renamed_file_is_found_again(void)
{
	begin();
	append("one\n");
	follow_close(open_log(true));
	stored[0] = '\0';
	append("two\n");
	expect_again("");
	append("three\n");
	CHECK(rename(path, old) == 0);
	expect_again("three;"); /* without a new one */
	append("new\n");
	expect_again("new;");
	expect_again("");
}

static void many_renamed_files_are_read_in_order(void)
{
	static const char *const name[2][3] = {
		{ "log.10", "log.9", "log.1" },
		{ "log-20260930", "log-20261007", "log-20261014" },
	};
	char *to, *stray = check_path("log.orig");
	size_t i, j;

	for (i = 0; i < 2; i++) {
		begin();
		append("one\n");
		expect_again("");
		for (j = 0; j < 3; j++) {
			static const char *const text[] = { "two\n", "three\n", "four\n" };

			append(text[j]);
			to = check_path("%s", name[i][j]);
			CHECK(rename(path, to) == 0);
			free(to);
		}
		check_write(stray, 0600, "stray\n");
		append("five\n");
		expect_again("two;three;four;five;");
		expect_again("");
		for (j = 0; j < 3; j++) {
			to = check_path("%s", name[i][j]);
			check_remove(to);
			free(to);
		}
	}
	check_remove(stray);
	free(stray);
}

static void a_file_just_begun_may_be_renamed(void)
{
	struct follow *follow;
	char *older;

	begin();
	append("one\n");
	follow = open_log(true);
	expect(follow, "one;");
	older = check_path("log.2");
	CHECK(rename(path, older) == 0);
	append("tw"); /* the new one is open now, and nothing of it is read */
	expect(follow, "");
	follow_close(follow);
	append("o\n");
	CHECK(rename(path, old) == 0);
	append("three\n");
	expect_again("two;three;");
	check_remove(older);
	free(older);
}

static void a_truncated_file_is_read_from_its_start(void)
{
	struct follow *follow;

	begin();
	append("one\ntwo\n");
	follow = open_log(true);
	expect(follow, "one;two;");
	CHECK(truncate(path, 0) == 0);
	expect(follow, "");
	append("new\n");
	expect(follow, "new;");
	CHECK(truncate(path, 0) == 0);
	append("a much longer line than before\n");
	follow_close(follow);
	expect_again("a much longer line than before;");
}

/* Between two looks, so that its size says nothing. */
static void a_truncated_file_may_be_longer_than_before(void)
{
	struct follow *follow;

	begin();
	append("one\ntwo\n");
	follow = open_log(true);
	expect(follow, "one;two;");
	CHECK(truncate(path, 0) == 0);
	append("a much longer line\nnew\n");
	expect(follow, "a much longer line;new;");
	append("half");
	expect(follow, "");
	CHECK(truncate(path, 0) == 0);
	append("a line, longer than all there was\n");
	expect(follow, "a line, longer than all there was;");
	follow_close(follow);

	begin();
	append("half");
	follow = open_log(true);
	expect(follow, "");
	CHECK(truncate(path, 0) == 0);
	append("a whole line\n");
	expect(follow, "a whole line;");
	follow_close(follow);
}

static void a_file_may_be_truncated_between_start_and_first_read(void)
{
	struct follow *follow;

	begin();
	append("one\ntwo\n");
	follow = open_log(true);
	expect(follow, "one;two;");
	follow_close(follow);
	follow = open_log(true); /* has looked at the file, but passed no line of it */
	CHECK(truncate(path, 0) == 0);
	append("three and\nfour\n");
	expect(follow, "three and;four;");
	follow_close(follow);
}

static void a_copy_has_what_was_truncated(void)
{
	begin();
	append("one\n");
	expect_again("");
	append("two\n");
	CHECK(link(path, old) == 0); /* as good as a copy, once the other name is gone */
	check_remove(path);
	append("new\n");
	expect_again("two;new;");
}

/* The reader is in the middle of a large file, with part of a line in its buffer. */
static void a_large_file_may_be_truncated_while_it_is_read(void)
{
	enum { LINES = 20000 };
	struct follow_position position;
	struct follow_line line;
	struct follow *follow;
	char text[40], *copy = check_path("log.copy");
	struct bus_buf all = BUS_BUF_INIT(1 << 20);
	struct bus_err err;
	int i, regrown;

	for (i = 0; i < LINES; i++)
		bus_buf_printf(&all, "line %d of many\n", i);
	for (regrown = 0; regrown < 2; regrown++) {
		begin();
		append(all.p);
		follow = open_log(true);
		for (i = 0; i < 5000; i++)
			CHECK_NEED(follow_next(follow, &line, &err) == BUS_OK);
		check_write(copy, 0600, all.p);
		CHECK(rename(copy, old) == 0);
		CHECK(truncate(path, 0) == 0);
		if (regrown)
			append("another line, and more of it than there ever was\n");
		for (i = 0; regrown && i < LINES; i++)
			append("and more of it than there ever was, or nearly so\n");
		for (i = 5000; i < LINES; i++) {
			CHECK_NEED(follow_next(follow, &line, &err) == BUS_OK);
			snprintf(text, sizeof(text), "line %d of many", i);
			if (strcmp(line.p, text) != 0)
				break;
		}
		CHECK_ROW(i == LINES, "line %d is lost (regrown: %d)", i, regrown);
		if (!regrown)
			append("another line, and more of it than there ever was\n");
		CHECK(follow_next(follow, &line, &err) == BUS_OK);
		CHECK(strncmp(line.p, "another", 7) == 0);
		follow_tell(follow, &position);
		CHECK(position.offset == line.len + 1);
		follow_close(follow);
	}
	free(copy);
	bus_buf_finish(&all);
}

static void a_renamed_file_may_begin_like_the_new_one(void)
{
	begin();
	append("header\none\ntwo\n");
	expect_again("");
	append("three\n");
	CHECK(rename(path, old) == 0);
	append("header\nfour\n");
	expect_again("three;header;four;");
}

static void a_backup_is_no_renamed_file(void)
{
	char *backup = check_path("log.bak");

	begin();
	append("one\ntwo\nthree\n");
	expect_again("");
	CHECK(rename(path, backup) == 0);
	append("one\ntwo\n"); /* the last line was removed */
	expect_again("");
	append("four\n");
	expect_again("four;");
	check_remove(backup);
	free(backup);
}

static void an_old_archive_is_not_read(void)
{
	static const char *const name[] = { "log.2023", "log.1" };
	char *archive, *renamed = check_path("log.2");
	struct timespec then[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
	size_t i;

	for (i = 0; i < 2; i++) {
		begin();
		append("one\n");
		expect_again("");
		archive = check_path("%s", name[i]);
		check_write(archive, 0600, "archived\n");
		CHECK(utimensat(AT_FDCWD, archive, then, 0) == 0);
		CHECK(rename(path, renamed) == 0);
		append("two\n");
		expect_again("two;");
		check_remove(archive);
		check_remove(renamed);
		free(archive);
	}
	free(renamed);
}

static void what_cannot_be_read_is_not_passed_over(void)
{
	struct follow *follow = NULL;
	struct bus_err err;

	free(path);
	free(old);
	path = check_path("open/log");
	old = check_path("open/log.1");
	stored[0] = '\0';
	check_remove(path);
	CHECK(mkdir(dirname(strdupa(path)), 0777) == 0 || errno == EEXIST);
	CHECK(chmod(dirname(strdupa(path)), 0777) == 0);
	CHECK(chmod(dirname(dirname(strdupa(path))), 0711) == 0);
	append("one\n");
	CHECK(chmod(path, 0644) == 0);
	expect_again("");
	append("two\n");
	CHECK(rename(path, old) == 0 && chmod(old, 0) == 0);
	append("three\n");
	CHECK(chmod(path, 0644) == 0);
	if (geteuid() == 0)
		CHECK_NEED(seteuid(65534) == 0);
	CHECK_CODE(follow_open(&follow, path, stored, strlen(stored), true, &err), BUS_E_TEMP,
		   &err);
	CHECK_SAYS(&err, "log.1: Permission denied");
	if (getuid() == 0)
		CHECK(seteuid(0) == 0);
	CHECK(chmod(old, 0644) == 0);
	expect_again("two;three;");
	check_remove(old);
}

static void a_directory_that_is_not_there_says_nothing(void)
{
	struct follow *follow;

	free(path);
	free(old);
	path = check_path("later/log");
	old = check_path("later/log.1");
	stored[0] = '\0';
	follow = open_log(false);
	CHECK(!follow_is_begun(follow));
	CHECK(follow_next(follow, &(struct follow_line){ 0 }, NULL) == BUS_E_NO);
	CHECK(!follow_is_begun(follow));
	CHECK(mkdir(dirname(strdupa(path)), 0700) == 0);
	append("old\n"); /* as when its disk is mounted */
	expect(follow, "");
	CHECK(follow_is_begun(follow));
	append("new\n");
	expect(follow, "new;");
	follow_close(follow);
	check_remove(path);
}

static void half_a_line_at_the_end_may_be_the_last_that_was_read(void)
{
	struct follow *follow;
	char *older = check_path("log.2");

	begin();
	append("one\nha");
	follow = open_log(true);
	expect(follow, "one;");
	CHECK(rename(path, older) == 0);
	append("tw"); /* the new one has no whole line yet */
	expect(follow, "ha(half);");
	follow_close(follow);
	append("o\n");
	CHECK(rename(path, old) == 0);
	append("three\n");
	expect_again("two;three;");
	check_remove(older);
	free(older);
}

static void an_edited_file_is_not_read_twice(void)
{
	begin();
	append("one\ntwo\nthree\n");
	stored[0] = '\0';
	expect_again("");
	check_remove(path);
	append("two\nthree\nfour\n");
	expect_again("four;");
	check_remove(path);
	append("two\nthree\nfour\n"); /* copied back */
	expect_again("");
}

static void a_file_that_lost_its_end_is_not_read_twice(void)
{
	struct follow *follow;

	begin();
	append("one\ntwo\nthree\n");
	expect_again("");
	CHECK(truncate(path, 8) == 0);
	expect_again("");
	append("four\n");
	expect_again("four;");
	follow = open_log(true);
	CHECK(truncate(path, 4) == 0);
	expect(follow, "");
	append("five\n");
	expect(follow, "five;");
	follow_close(follow);
}

static void a_line_has_a_limit(void)
{
	const size_t size = FOLLOW_LINE_MAX * 3;
	char *big = malloc(size + 1);
	struct follow *follow;
	size_t i;

	CHECK_NEED(big != NULL);
	for (i = 0; i < 5; i++) {
		static const size_t len[] = { FOLLOW_LINE_MAX, FOLLOW_LINE_MAX + 1,
					      FOLLOW_LINE_MAX + 65536, FOLLOW_LINE_MAX + 65537,
					      FOLLOW_LINE_MAX * 3 };

		begin();
		memset(big, 'x', size);
		big[len[i]] = '\0';
		append("one\n");
		append(big);
		follow = open_log(true);
		expect(follow, "one;");
		append("\ntwo\n");
		expect(follow, i ? "xxxxx(cut);two;" : "xxxxx;two;");
		follow_close(follow);
		append("three\n");
		expect_again("three;");
		append(big);
		append("\n");
		expect_again(i ? "xxxxx(cut);" : "xxxxx;");
		append("four\n");
		expect_again("four;");
	}
	free(big);
}

static void any_byte_may_be_in_a_line(void)
{
	struct follow_line line;
	struct follow *follow;

	begin();
	append_bytes("a\0b\xff\r\n", 6);
	follow = open_log(true);
	CHECK(follow_next(follow, &line, NULL) == BUS_OK);
	CHECK(line.len == 5 && memcmp(line.p, "a\0b\xff\r", 5) == 0 && !line.is_cut);
	follow_close(follow);
}

static void a_position_is_checked(void)
{
	static const char *const bad[] = { "", "1", "1 x", "2 0 a b c", "1 5 zz zz zz" };
	struct follow *follow = NULL;
	struct bus_err err;
	size_t i;

	begin();
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_CODE(follow_open(&follow, path, bad[i], strlen(bad[i]), true, &err),
			   BUS_E_DATA, &err);
	append("one\ntwo\n");
	expect_again("");
	stored[strlen(stored) - 1] = '\0';
	CHECK_CODE(follow_open(&follow, path, stored, strlen(stored), true, &err), BUS_E_DATA,
		   &err);
	CHECK_SAYS(&err, "position");
}

static void no_regular_file_is_an_error(void)
{
	struct follow *follow = NULL;
	struct bus_err err;

	begin();
	CHECK_CODE(follow_open(&follow, "/dev/null", NULL, 0, true, &err), BUS_E_TEMP, &err);
	CHECK_SAYS(&err, "/dev/null");
}

static void a_snapshot_is_taken_once(void)
{
	struct bus_buf bytes = BUS_BUF_INIT(8);
	struct snapshot snapshot = SNAPSHOT_INIT;
	struct bus_err err;

	begin();
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_E_NO, &err);
	append("");
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_OK, &err);
	CHECK(bytes.len == 0);
	append("one");
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_OK, &err);
	CHECK_TEXT(bytes.p, "one");
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_E_NO, &err);
	check_write(old, 0600, "two");
	CHECK(rename(old, path) == 0);
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_OK, &err);
	CHECK_TEXT(bytes.p, "two");
	snapshot_forget(&snapshot);
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_OK, &err);
	append("67890");
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_OK, &err);
	append("x");
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_E_DATA, &err);
	CHECK_SAYS(&err, "more than 8 bytes");
	CHECK_CODE(snapshot_read(&snapshot, path, &bytes, &err), BUS_E_NO, &err);
	bus_buf_finish(&bytes);
}

int main(void)
{
	static const struct check_test tests[] = {
		{ "lines come when they are complete", lines_come_when_they_are_complete },
		{ "goes on where it was", goes_on_where_it_was },
		{ "a line that is not told comes again", a_line_that_is_not_told_comes_again },
		{ "what is there can be passed over", what_is_there_can_be_passed_over },
		{ "a file that comes later is new", a_file_that_comes_later_is_new },
		{ "a renamed file is read to its end", a_renamed_file_is_read_to_its_end },
		{ "a renamed file is found again", a_renamed_file_is_found_again },
		{ "many renamed files are read in order", many_renamed_files_are_read_in_order },
		{ "a file just begun may be renamed", a_file_just_begun_may_be_renamed },
		{ "a truncated file is read from its start",
		  a_truncated_file_is_read_from_its_start },
		{ "a truncated file may be longer than before",
		  a_truncated_file_may_be_longer_than_before },
		{ "a file may be truncated between start and first read",
		  a_file_may_be_truncated_between_start_and_first_read },
		{ "a copy has what was truncated", a_copy_has_what_was_truncated },
		{ "a large file may be truncated while it is read",
		  a_large_file_may_be_truncated_while_it_is_read },
		{ "a renamed file may begin like the new one",
		  a_renamed_file_may_begin_like_the_new_one },
		{ "a backup is no renamed file", a_backup_is_no_renamed_file },
		{ "an old archive is not read", an_old_archive_is_not_read },
		{ "what cannot be read is not passed over",
		  what_cannot_be_read_is_not_passed_over },
		{ "a directory that is not there says nothing",
		  a_directory_that_is_not_there_says_nothing },
		{ "half a line at the end may be the last that was read",
		  half_a_line_at_the_end_may_be_the_last_that_was_read },
		{ "an edited file is not read twice", an_edited_file_is_not_read_twice },
		{ "a file that lost its end is not read twice",
		  a_file_that_lost_its_end_is_not_read_twice },
		{ "a line has a limit", a_line_has_a_limit },
		{ "any byte may be in a line", any_byte_may_be_in_a_line },
		{ "a position is checked", a_position_is_checked },
		{ "no regular file is an error", no_regular_file_is_an_error },
		{ "a snapshot is taken once", a_snapshot_is_taken_once },
		{ NULL, NULL },
	};
	int status = check_main("follow", tests);

	free(path);
	free(old);
	return status;
}
