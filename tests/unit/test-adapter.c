#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/common/child.h"
#include "adapters/common/text.h"
#include "buf.h"
#include "check.h"

static const char *const no_env[] = { "PATH=/usr/bin:/bin", NULL };

/* Starts `sh -c script`, which stands for any program here. */
static struct child *start(const char *script, int timeout_ms)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct child *child = NULL;

	CHECK_NEED(child_start(&child, argv, no_env, timeout_ms, NULL) == BUS_OK);
	return child;
}

static void a_child_reads_and_writes(void)
{
	struct child *child = start("cat; exit 3", 60000);
	int status = -1;
	char line[100];
	struct bus_err err;

	CHECK(child_write(child, "one\ntwo", 7, NULL) == BUS_OK);
	child_end_input(child);
	CHECK(child_read_line(child, line, sizeof(line), NULL) == BUS_OK);
	CHECK_TEXT(line, "one");
	CHECK(child_read(child, line, 3, NULL) == BUS_OK && !memcmp(line, "two", 3));
	CHECK(child_read(child, line, 1, NULL) == BUS_E_NO);
	CHECK(child_finish(child, &status, &err) == BUS_OK);
	CHECK(status == 3);
	CHECK_SAYS(&err, "without a word");
}

static void much_goes_in_and_comes_out(void)
{
	enum { SIZE = 1 << 20 };
	struct child *child = start("cat >/dev/null; head -c 1048576 /dev/zero", 60000);
	char *bytes = calloc(1, SIZE);
	int status = -1;

	CHECK_NEED(bytes != NULL);
	CHECK(child_write(child, bytes, SIZE, NULL) == BUS_OK);
	child_end_input(child);
	CHECK(child_read(child, bytes, SIZE, NULL) == BUS_OK);
	CHECK(child_finish(child, &status, NULL) == BUS_OK && status == 0);
	free(bytes);
}

static void a_flood_on_stderr_does_not_stop_it(void)
{
	struct child *child =
		start("echo first >&2; head -c 1048576 /dev/zero >&2; echo out; exit 1", 60000);
	struct bus_err err;
	char line[10];
	int status = -1;

	CHECK(child_read_line(child, line, sizeof(line), NULL) == BUS_OK);
	CHECK(child_finish(child, &status, &err) == BUS_OK && status == 1);
	CHECK_TEXT(err.text, "-c: first");
}

static void one_that_does_not_read_is_no_failure(void)
{
	struct child *child = start("exec <&-; echo done", 60000);
	char *bytes = calloc(1, 1 << 20), line[10];
	int status = -1;

	CHECK_NEED(bytes != NULL);
	CHECK(child_write(child, bytes, 1 << 20, NULL) == BUS_OK);
	CHECK(child_read_line(child, line, sizeof(line), NULL) == BUS_OK);
	CHECK(child_finish(child, &status, NULL) == BUS_OK && status == 0);
	free(bytes);
}

/* One that hangs in whatever way is ended when its time is up. */
static void time_runs_out(void)
{
	static const char *const hang[] = {
		"while :; do :; done",
		"exec >&- 2>&-; while :; do :; done",
		"trap '' TERM INT; exec >&-; while :; do :; done",
		"while echo x; do :; done",
		"while echo x >&2; do :; done",
	};
	struct timespec begin, end;
	struct bus_err err;
	int status = -1;
	size_t i;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < sizeof(hang) / sizeof(*hang); i++) {
		CHECK_CODE(child_finish(start(hang[i], 50), &status, &err), BUS_E_UNAVAILABLE,
			   &err);
		CHECK_SAYS(&err, "took too long");
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK(end.tv_sec - begin.tv_sec < 20);
}

static void lines_have_a_limit(void)
{
	struct child *child = start("echo 1234; echo 12345", 60000);
	char line[5];

	CHECK(child_read_line(child, line, sizeof(line), NULL) == BUS_OK);
	CHECK(child_read_line(child, line, sizeof(line), NULL) == BUS_E_DATA);
	child_kill(child);
}

static void a_program_that_is_not_there_is_named(void)
{
	const char *const argv[] = { "/nonexistent/git", NULL };
	struct child *child = NULL;
	struct bus_err err;

	CHECK_CODE(child_start(&child, argv, no_env, 1000, &err), BUS_E_TEMP, &err);
	CHECK_SAYS(&err, "/nonexistent/git: cannot be run: No such file");
	CHECK(child_finish(NULL, NULL, NULL) == BUS_OK);
}

static void a_signal_is_told_from_an_exit(void)
{
	struct bus_err err;
	int status = -1;

	CHECK_CODE(child_finish(start("kill -9 $$", 60000), &status, &err), BUS_E_UNAVAILABLE,
		   &err);
	CHECK_SAYS(&err, "signal 9");
}

static const char *line_of(const char *text, size_t len, size_t max)
{
	static char result[200];
	struct bus_buf buf = BUS_BUF_INIT(sizeof(result) - 1);

	bus_buf_puts(&buf, "");
	text_line(&buf, text, len, max);
	CHECK_NEED(buf.len < sizeof(result) && !buf.failed);
	memcpy(result, buf.p ? buf.p : "", buf.len);
	result[buf.len] = '\0';
	bus_buf_finish(&buf);
	return result;
}

static void makes_one_line_of_anything(void)
{
	CHECK_TEXT(line_of("  a\r\nb\tc \n", 10, 20), "a  b c");
	CHECK_TEXT(line_of("a\0b", 3, 20), "a b");
	CHECK_TEXT(line_of("a\xc2\x85"
			   "b\xe2\x80\xa8"
			   "c\xe2\x80\xa9\xc2\xa0",
			   13, 20),
		   "a b c \xc2\xa0");
	CHECK_TEXT(line_of("\xff\xc3\xbc\xc3", 4, 20), "\xef\xbf\xbd\xc3\xbc\xef\xbf\xbd");
	CHECK_TEXT(line_of("12345", 5, 5), "12345");
	CHECK_TEXT(line_of("123456", 6, 5), "1234\xe2\x80\xa6");
	CHECK_TEXT(line_of("\xc3\xbc\xc3\xbc\xc3\xbc", 6, 2), "\xc3\xbc\xe2\x80\xa6");
	CHECK_TEXT(line_of("", 0, 5), "");
	CHECK_TEXT(line_of(" \n", 2, 5), "");
	CHECK_TEXT(line_of("\xc2\x9b\xe2\x80\xa8 a\xe2\x80\xa9 \xc2\x80", 13, 20), "a");
}

static void percent_encodes_for_urls(void)
{
	struct bus_buf buf = BUS_BUF_INIT(100);

	text_percent(&buf, "a/B-9._~ +&?#%\xc3\xbc\n", 17);
	CHECK_TEXT(buf.p, "a/B-9._~%20%2B%26%3F%23%25%C3%BC%0A");
	bus_buf_finish(&buf);
}

static const struct check_test tests[] = {
	{ "a child reads and writes", a_child_reads_and_writes },
	{ "much goes in and comes out", much_goes_in_and_comes_out },
	{ "a flood on stderr does not stop it", a_flood_on_stderr_does_not_stop_it },
	{ "one that does not read is no failure", one_that_does_not_read_is_no_failure },
	{ "time runs out", time_runs_out },
	{ "lines have a limit", lines_have_a_limit },
	{ "a program that is not there is named", a_program_that_is_not_there_is_named },
	{ "a signal is told from an exit", a_signal_is_told_from_an_exit },
	{ "makes one line of anything", makes_one_line_of_anything },
	{ "percent-encodes for URLs", percent_encodes_for_urls },
	{ NULL, NULL },
};

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	return check_main("adapter", tests);
}
