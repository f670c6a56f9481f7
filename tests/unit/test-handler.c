#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "handler.h"

static const char head[] =
	"{\"specversion\":\"1.0\",\"source\":\"ftp-master.example/dak/20261122T101500Z\","
	"\"id\":\"5\",\"type\":\"org.debian.dev.dak.upload.accept\",\"subject\":\"hel'lo\","
	"\"time\":\"2026-11-22T10:15:00.000000Z\",\"datacontenttype\":\"application/json\","
	"\"dataschema\":\"urn:debmsg:schema:dak.upload.accept:1\",\"typesequence\":\"2\",";

static struct bus_handler_result result;
static struct bus_err err;

/* Our standard output goes there while the handler runs; -1: nowhere. */
static enum bus_code run_to(int out, char *const *argv, int timeout_s, const char *data,
			    bool unsure)
{
	const struct bus_handler handler = { argv, timeout_s };
	struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING + 1000);
	struct bus_message m = { 0 };
	struct bus_event *ev = NULL;
	int kept = dup(1), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	enum bus_code rc;

	bus_buf_puts(&body, head);
	bus_buf_printf(&body, "\"data\":%s}", data ? data : "{\"summary\":\"sum\"}");
	CHECK_NEED(!bus_buf_check(&body, "body", &err));
	m.body = body.p;
	m.body_len = body.len;
	CHECK_CODE(bus_event_parse(&ev, m.body, m.body_len, &err), BUS_OK, &err);
	CHECK_NEED(ev != NULL);
	fflush(stdout);
	dup2(out >= 0 ? out : null, 1);
	rc = bus_handler_run(&handler, ev, &m, unsure, &result, &err);
	dup2(kept, 1);
	close(kept);
	close(null);
	bus_event_free(ev);
	bus_buf_finish(&body);
	return rc;
}

static void run(const char *script, const char *data)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)script, NULL };

	CHECK_CODE(run_to(-1, argv, 60, data, false), BUS_OK, &err);
}

static void check_end(const char *script, enum bus_inbox_outcome outcome, const char *reason)
{
	run(script, NULL);
	CHECK_ROW(result.outcome == outcome, "%s", script);
	CHECK_TEXT(result.reason, reason);
}

static void its_exit_status_decides(void)
{
	check_end("exit 0", BUS_INBOX_DONE, "");
	check_end("exit 75", BUS_INBOX_AGAIN, "exit status 75");
	check_end("exit 1", BUS_INBOX_GAVE_UP, "exit status 1");
	check_end("exit 126", BUS_INBOX_GAVE_UP, "exit status 126");
	check_end("nobody-has-this-command", BUS_INBOX_GAVE_UP, "exit status 127");
	check_end("kill -KILL $$", BUS_INBOX_GAVE_UP, "killed by SIGKILL");
}

static void one_that_cannot_be_run_is_no_outcome(void)
{
	char *const none[] = { (char[]){ "/nobody/has/this" }, NULL };
	char *const no_program[] = { (char[]){ "/etc/passwd" }, NULL };

	CHECK_CODE(run_to(-1, none, 60, NULL, false), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "/nobody/has/this: No such file or directory");
	CHECK_CODE(run_to(-1, no_program, 60, NULL, false), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "Permission denied");
}

static void the_event_is_in_its_environment(void)
{
	setenv("DEBMSG_CONF", "/some/where", 1);
	setenv("DEBMSG_DATA_OLD", "1", 1);
	setenv("DEBMSG_AMQP_URL", "secret", 1);
	setenv("ANOTHER", "stays", 1);
	run("env | grep -e ^DEBMSG_ -e ^ANOTHER | LC_ALL=C sort",
	    "{\"summary\":\"sum\",\"url\":\"https://x.example/\"}");
	CHECK_TEXT(result.output, "ANOTHER=stays\n"
				  "DEBMSG_CONF=/some/where\n"
				  "DEBMSG_DATA_SUMMARY=sum\n"
				  "DEBMSG_DATA_URL=https://x.example/\n"
				  "DEBMSG_ID=5\n"
				  "DEBMSG_SOURCE=ftp-master.example/dak/20261122T101500Z\n"
				  "DEBMSG_SUBJECT=hel'lo\n"
				  "DEBMSG_SUMMARY=sum\n"
				  "DEBMSG_TIME=2026-11-22T10:15:00.000000Z\n"
				  "DEBMSG_TYPE=org.debian.dev.dak.upload.accept\n"
				  "DEBMSG_URL=https://x.example/\n");
	unsetenv("DEBMSG_CONF");
}

static void it_is_told_that_it_may_have_run_before(void)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
			       (char[]){ "test \"$DEBMSG_RETRY\" = 1" }, NULL };

	CHECK_CODE(run_to(-1, argv, 60, NULL, true), BUS_OK, &err);
	CHECK(result.outcome == BUS_INBOX_DONE);
	setenv("DEBMSG_RETRY", "1", 1);
	CHECK_CODE(run_to(-1, argv, 60, NULL, false), BUS_OK, &err);
	CHECK(result.outcome == BUS_INBOX_GAVE_UP);
	unsetenv("DEBMSG_RETRY");
}

static void hostile_data_does_no_harm(void)
{
	run("env -0 | LC_ALL=C sort -z | grep -z ^DEBMSG_DATA | tr '\\0\\n' '\\n~'; "
	    "printf %s \"$DEBMSG_DATA_TEXT\"",
	    "{\"summary\":\"s\",\"a b\":1,\"x=y\":1,\"1a\":1,\"\":1,\"\\u00fc\":1,"
	    "\"_ok1\":1,\"twice\":\"first\",\"TWICE\":\"second\",\"Twice\":3,"
	    "\"PATH\":\"/tmp\",\"none\":null,\"list\":[1],\"object\":{\"a\":1},"
	    "\"yes\":true,\"no\":false,\"real\":2.5,\"tenth\":0.1,\"big\":1e300,"
	    "\"int\":-9223372036854775807,"
	    "\"text\":\"-n `id` $(id) \\\"';\\n--\\t<b>\"}");
	CHECK_TEXT(result.output, "DEBMSG_DATA_BIG=1e300\n"
				  "DEBMSG_DATA_INT=-9223372036854775807\n"
				  "DEBMSG_DATA_NO=false\n"
				  "DEBMSG_DATA_PATH=/tmp\n"
				  "DEBMSG_DATA_REAL=2.5\n"
				  "DEBMSG_DATA_SUMMARY=s\n"
				  "DEBMSG_DATA_TENTH=0.1\n"
				  "DEBMSG_DATA_TEXT=-n `id` $(id) \"';~--\t<b>\n"
				  "DEBMSG_DATA_TWICE=first\n"
				  "DEBMSG_DATA_YES=true\n"
				  "DEBMSG_DATA__OK1=1\n"
				  "-n `id` $(id) \"';\n--\t<b>");
}

/* {"summary":"s","small":1,"<letter>":"xxx...", ...} with so many values of such a length */
static char *large_data(int count, int len)
{
	struct bus_buf text = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	int i, k;

	bus_buf_puts(&text, "{\"summary\":\"s\",\"small\":1");
	for (i = 0; i < count; i++) {
		bus_buf_printf(&text, ",\"v%d\":\"", i);
		for (k = 0; k < len - i; k++)
			bus_buf_add(&text, "x", 1);
		bus_buf_add(&text, "\"", 1);
	}
	bus_buf_add(&text, "}", 1);
	return bus_buf_detach(&text);
}

static void what_does_not_fit_is_left_out(void)
{
	char *data = large_data(2, 100001);
	struct bus_buf many = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	int i;

	CHECK_NEED(data != NULL);
	run("test -z \"${DEBMSG_DATA_V0+x}\" && test ${#DEBMSG_DATA_V1} = 100000", data);
	CHECK(result.outcome == BUS_INBOX_DONE);
	free(data);
	data = large_data(16, 60000);
	CHECK_NEED(data != NULL);
	/* the largest goes first, the rest is kept as far as there is room */
	run("test -z \"${DEBMSG_DATA_V0+x}\" && test ${#DEBMSG_DATA_V15} = 59985 && "
	    "test $DEBMSG_DATA_SMALL = 1 && wc -c",
	    data);
	CHECK(result.outcome == BUS_INBOX_DONE);
	CHECK(strtol(result.output, NULL, 10) > 950000);
	free(data);
	bus_buf_puts(&many, "{\"summary\":\"s\"");
	for (i = 0; i < 90000; i++)
		bus_buf_printf(&many, ",\"a%d\":1", i);
	bus_buf_puts(&many, "}");
	CHECK_NEED(!many.failed);
	run("true", many.p);
	CHECK(result.outcome == BUS_INBOX_DONE);
	bus_buf_finish(&many);
}

static void it_reads_the_bytes_as_received(void)
{
	char *path = check_path("event"), *data = large_data(10, 90000), *bytes;
	char script[200];
	size_t len;

	CHECK_NEED(data != NULL);
	snprintf(script, sizeof(script), "cat >'%s'", path);
	run(script, data);
	bytes = check_read(path, &len);
	CHECK(len == strlen(head) + strlen("\"data\":") + strlen(data) + 1);
	CHECK(strncmp(bytes, head, strlen(head)) == 0);
	CHECK(strncmp(bytes + strlen(head) + 7, data, strlen(data)) == 0);
	run("exec <&-; exit 0", data); /* one that reads nothing is no failure */
	CHECK(result.outcome == BUS_INBOX_DONE);
	free(bytes);
	free(data);
	free(path);
}

static void its_output_is_passed_on_and_the_last_of_it_kept(void)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
			       (char[]){ "head -c 100000 /dev/zero | tr '\\0' a; echo; echo end" },
			       NULL };
	char *path = check_path("out"), *bytes;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	size_t len;

	CHECK_CODE(run_to(fd, argv, 60, NULL, false), BUS_OK, &err);
	CHECK(result.output_len == BUS_INBOX_OUTPUT_MAX);
	CHECK_TEXT(result.output + BUS_INBOX_OUTPUT_MAX - 6, "a\nend\n");
	close(fd);
	bytes = check_read(path, &len);
	CHECK(len == 100005);
	CHECK_TEXT(bytes + len - 6, "a\nend\n");
	free(bytes);
	free(path);
	run("echo one; sleep 0.1; echo two >&2; exit 1", NULL);
	CHECK_TEXT(result.output, "one\ntwo\n");
}

static void a_reader_that_is_gone_or_stuck_does_no_harm(void)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
			       (char[]){ "head -c 1000000 /dev/zero; echo end" }, NULL };
	int fd[2];

	CHECK_NEED(pipe2(fd, O_CLOEXEC) == 0);
	/* nobody reads, and the pipe is full: only its own time can end it */
	CHECK_CODE(run_to(fd[1], argv, 1, NULL, false), BUS_OK, &err);
	CHECK(result.outcome == BUS_INBOX_GAVE_UP);
	CHECK_TEXT(result.reason, "still running after 1 s");
	close(fd[0]);
	CHECK_CODE(run_to(fd[1], argv, 60, NULL, false), BUS_OK, &err);
	CHECK(result.outcome == BUS_INBOX_DONE);
	CHECK_TEXT(result.output + result.output_len - 4, "end\n");
	close(fd[1]);
}

static void what_it_leaves_in_the_background_is_not_waited_for(void)
{
	pid_t pid;

	run("sleep 1000 & echo $!", NULL);
	CHECK(result.outcome == BUS_INBOX_DONE);
	pid = (pid_t)strtol(result.output, NULL, 10);
	CHECK(pid > 1 && kill(pid, SIGKILL) == 0);
	run("yes & echo started", NULL); /* nor is all of this read */
	CHECK(result.outcome == BUS_INBOX_DONE);
}

/* It is gone, or waits for whoever inherited it. */
static bool await_end(long pid)
{
	char state[100], name[64];
	int tries = 1000;
	bool ended;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%ld/stat", pid);
	do {
		f = fopen(name, "r");
		ended = !f || !fgets(state, sizeof(state), f) || strstr(state, ") Z");
		if (f)
			fclose(f);
		if (!ended)
			usleep(10000);
	} while (!ended && --tries);
	return ended;
}

static void check_ended(const char *script, const char *path)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)script, NULL };
	char *pids, *p, *end;
	long pid;

	CHECK_CODE(run_to(-1, argv, 1, NULL, false), BUS_OK, &err);
	CHECK(result.outcome == BUS_INBOX_GAVE_UP);
	CHECK_TEXT(result.reason, "still running after 1 s");
	pids = check_read(path, NULL);
	for (p = pids; (pid = strtol(p, &end, 10)) > 1; p = end)
		CHECK_ROW(await_end(pid), "%ld still runs", pid);
	CHECK(p != pids);
	free(pids);
}

static void its_time_is_limited(void)
{
	char *path = check_path("pids"), script[400];

	snprintf(script, sizeof(script), "sleep 1000 & echo $$ $! >'%s'; wait", path);
	check_ended(script, path);
	/* nobody listens to SIGTERM */
	snprintf(script, sizeof(script),
		 "trap '' TERM; sleep 1000 & echo $$ $! >'%s'; sleep 1000; sleep 1000", path);
	check_ended(script, path);
	free(path);
}

static void after_sigterm_it_may_clean_up(void)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
			       (char[]){ "(trap 'sleep 0.3; echo clean; exit 1' TERM;"
					 " sleep 1000 & wait) & wait" },
			       NULL };

	CHECK_CODE(run_to(-1, argv, 1, NULL, false), BUS_OK, &err);
	CHECK_TEXT(result.output, "clean\n");
	CHECK_TEXT(result.reason, "still running after 1 s");
}

static void it_starts_as_any_program_does(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	sigset_t set, old_set;
	int fd = fcntl(0, F_DUPFD, 50); /* not closed on exec */

	sigaction(SIGHUP, &ignore, &old);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old_set);
	check_end("kill -HUP $$", BUS_INBOX_GAVE_UP, "killed by SIGHUP");
	check_end("kill -PIPE $$", BUS_INBOX_GAVE_UP, "killed by SIGPIPE");
	check_end("kill -USR1 $$", BUS_INBOX_GAVE_UP, "killed by SIGUSR1");
	check_end("test ! -e /proc/$$/fd/50", BUS_INBOX_DONE, "");
	check_end("test \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$", BUS_INBOX_DONE, "");
	sigaction(SIGHUP, &old, NULL);
	sigprocmask(SIG_SETMASK, &old_set, NULL);
	close(fd);
}

static int count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void leaves_no_file_open(void)
{
	char *const none[] = { (char[]){ "/nobody/has/this" }, NULL };
	const int before = count_files();

	run("echo hello", NULL);
	run("sleep 0.1 & exit 1", NULL);
	run_to(-1, none, 60, NULL, false);
	CHECK(count_files() == before);
}

static const struct check_test tests[] = {
	{ "its exit status decides", its_exit_status_decides },
	{ "one that cannot be run is no outcome", one_that_cannot_be_run_is_no_outcome },
	{ "the event is in its environment", the_event_is_in_its_environment },
	{ "it is told that it may have run before", it_is_told_that_it_may_have_run_before },
	{ "hostile data does no harm", hostile_data_does_no_harm },
	{ "what does not fit is left out", what_does_not_fit_is_left_out },
	{ "it reads the bytes as received", it_reads_the_bytes_as_received },
	{ "its output is passed on and the last of it kept",
	  its_output_is_passed_on_and_the_last_of_it_kept },
	{ "a reader that is gone or stuck does no harm",
	  a_reader_that_is_gone_or_stuck_does_no_harm },
	{ "what it leaves in the background is not waited for",
	  what_it_leaves_in_the_background_is_not_waited_for },
	{ "its time is limited", its_time_is_limited },
	{ "after SIGTERM it may clean up", after_sigterm_it_may_clean_up },
	{ "it starts as any program does", it_starts_as_any_program_does },
	{ "leaves no file open", leaves_no_file_open },
	{ NULL, NULL },
};

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	return check_main("handler", tests);
}
