#include "config.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "keeper.h"

#define LOG_A "ftp-master.example/dak/20261122T101500Z"

enum { DEADLINE_S = 60 };

static struct bus_err err;
static struct bus_ledger *ledger;
static struct bus_jobs *jobs;
static struct bus_jobs_state state;
static char *dir, *had; /* the state directory; a file the handlers write to */
static char said[2000];
static int directories;

static void say(void *arg, const char *text)
{
	const size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static void say_nothing(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void new_inbox(void)
{
	dir = check_path("%d", ++directories);
	had = check_path("had%d", directories);
	check_write(had, 0600, "");
	setenv("HAD", had, 1);
	said[0] = '\0';
	CHECK_CODE(bus_ledger_open(&ledger, dir, "q", true, &err), BUS_OK, &err);
	CHECK_NEED(ledger != NULL);
}

static void put(uint64_t id, const char *subject)
{
	static const char data[] = "{\"summary\":\"s\"}";
	struct bus_draft draft = { "org.debian.dev.dak.upload.accept", subject, 0, data,
				   sizeof(data) - 1 };
	struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	char proof[] = "proof", key[] = "key", message_id[] = "mid";
	struct bus_message m = {
		.routing_key = key, .proof = proof, .proof_len = 5, .message_id = message_id
	};
	struct bus_belief belief = { 0 };

	CHECK_CODE(bus_event_build(&body, &draft, LOG_A, id, id + 1, &err), BUS_OK, &err);
	m.body = body.p;
	m.body_len = body.len;
	CHECK_CODE(bus_event_parse(&belief.event, body.p, body.len, &err), BUS_OK, &err);
	CHECK_NEED(belief.event != NULL);
	CHECK_CODE(bus_inbox_put(ledger, &belief, &m, &err), BUS_OK, &err);
	bus_event_free(belief.event);
	bus_buf_finish(&body);
}

static void start(const char *script, unsigned int at_once, unsigned int tries)
{
	static char shell[] = "sh", option[] = "-c", *argv[4];
	struct bus_jobs_options options = {
		.handler = { argv, 60 }, .jobs = at_once, .tries = tries, .say = { .line = say }
	};

	argv[0] = shell;
	argv[1] = option;
	argv[2] = (char *)script;
	if (!strchr(script, ' ')) {
		argv[0] = (char *)script;
		argv[1] = NULL;
	}
	CHECK_CODE(bus_jobs_open(&jobs, ledger, &options, &err), BUS_OK, &err);
	CHECK_NEED(jobs != NULL);
}

static void step(void)
{
	struct pollfd p = { bus_jobs_fd(jobs), POLLIN, 0 };

	CHECK_CODE(bus_jobs_step(jobs, true, &state, &err), BUS_OK, &err);
	if (state.running || state.waiting)
		poll(&p, 1, state.wait_ms >= 0 && state.wait_ms < 1000 ? state.wait_ms : 1000);
}

/* Steps until nothing is left to do. */
static void work_off(void)
{
	const time_t until = time(NULL) + DEADLINE_S;

	do
		step();
	while ((state.running || state.waiting) && time(NULL) < until);
	CHECK(!state.running && !state.waiting);
}

/* Steps until a handler has written at least this much. */
static void await_had(size_t len)
{
	const time_t until = time(NULL) + DEADLINE_S;
	size_t got;

	do {
		step();
		free(check_read(had, &got));
	} while (got < len && time(NULL) < until);
	CHECK(got >= len);
}

static void check_had(const char *expected)
{
	char *text = check_read(had, NULL);

	CHECK_TEXT(text, expected);
	free(text);
}

static void finish(void)
{
	bus_jobs_close(jobs);
	bus_ledger_close(ledger);
	jobs = NULL;
	ledger = NULL;
	free(dir);
	free(had);
}

static void one_at_once_is_the_order_of_arrival(void)
{
	char subject[2] = "a";
	uint64_t i;

	new_inbox();
	for (i = 0; i < 9; i++) {
		subject[0] = (char)('a' + i % 3);
		put(i, subject);
	}
	start("printf %s $DEBMSG_ID >>$HAD", 1, 3);
	work_off();
	check_had("012345678");
	CHECK(state.done == 9 && !state.again && !state.gave_up && !state.failed);
	CHECK(state.wait_ms == -1);
	CHECK_TEXT(said, "");
	finish();
}

static void several_at_once_keep_the_order_of_a_subject(void)
{
	/* the second is not started before the first has ended: it would be 213 */
	new_inbox();
	put(1, "a");
	put(2, "a");
	put(3, "b");
	start("if [ $DEBMSG_ID = 1 ]; then while [ ! -s $HAD ]; do sleep 0.02; done; fi; "
	      "printf %s $DEBMSG_ID >>$HAD",
	      2, 3);
	work_off();
	check_had("312");
	finish();
}

static void again_is_tried_again_and_then_given_up(void)
{
	struct bus_inbox_item *item = NULL;

	new_inbox();
	put(1, "a");
	start("printf %s ${DEBMSG_RETRY-x} >>$HAD; echo why; exit 75", 1, 2);
	work_off();
	check_had("xx");
	CHECK(state.again == 1 && state.gave_up == 1 && state.failed == 1);
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_FAILED, 0, &item, &err), BUS_OK, &err);
	CHECK_NEED(item != NULL);
	CHECK_TEXT(item->reason, "again 2 times; last: exit status 75");
	CHECK(item->output_len == 4 && !memcmp(item->output, "why\n", 4));
	bus_inbox_item_free(item);
	finish();
}

static void a_missing_handler_parks_nothing(void)
{
	struct bus_inbox_item *item = NULL;
	const time_t until = time(NULL) + DEADLINE_S;

	new_inbox();
	put(1, "a");
	put(2, "b");
	start("/nobody/has/this", 2, 1);
	do
		step();
	while (!*said && time(NULL) < until);
	CHECK(strstr(said, "cannot run /nobody/has/this: No such file or directory") != NULL);
	CHECK_CODE(bus_jobs_step(jobs, true, &state, &err), BUS_OK, &err);
	CHECK(!state.failed && !state.gave_up && !state.again);
	CHECK(state.wait_ms > 0);
	while (state.running && time(NULL) < until)
		step();
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_WAITING, 0, &item, &err), BUS_OK, &err);
	CHECK(item && item->tries == 0 && !item->unsure);
	bus_inbox_item_free(item);
	finish();
}

static pid_t keeper_in_file(void)
{
	char *text = check_read(had, NULL);
	const pid_t pid = (pid_t)strtol(text, NULL, 10);

	free(text);
	CHECK_NEED(pid > 1);
	return pid;
}

static void what_a_killed_keeper_ran_is_run_again_and_told_so(void)
{
	new_inbox();
	put(1, "a");
	put(2, "a");
	start("if [ ! -s $HAD ]; then printf ' %s ' $PPID >>$HAD; exec sleep 1000; fi; "
	      "printf %s $DEBMSG_ID${DEBMSG_RETRY-x} >>$HAD",
	      2, 3);
	await_had(3);
	CHECK(kill(keeper_in_file(), SIGKILL) == 0);
	work_off();
	CHECK(strstr(said, "mid") && strstr(said, "DEBMSG_RETRY=1"));
	CHECK(state.done == 2 && !state.failed);
	{
		char *text = check_read(had, NULL);

		CHECK_TEXT(strrchr(text, ' '), " 112x");
		free(text);
	}
	finish();
}

static void one_that_kills_its_keeper_is_given_up(void)
{
	struct bus_inbox_item *item = NULL;

	new_inbox();
	put(1, "a");
	start("printf x >>$HAD; kill -KILL $PPID; exec sleep 1000", 1, 2);
	work_off();
	check_had("xxx");
	CHECK(state.gave_up == 1 && state.failed == 1);
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_FAILED, 0, &item, &err), BUS_OK, &err);
	CHECK_TEXT(item ? item->reason : NULL, "its keeper was killed each time");
	bus_inbox_item_free(item);
	finish();
}

static void one_at_work_outlives_us_and_is_waited_for(void)
{
	static const char script[] = "printf %s $DEBMSG_ID >>$HAD; "
				     "while [ ! -e $HAD.go ]; do sleep 0.02; done";
	char *go = check_path("had%d.go", directories + 1);

	new_inbox();
	put(1, "a");
	put(2, "a");
	put(3, "b");
	start(script, 1, 3);
	await_had(1);
	bus_jobs_close(jobs);
	jobs = NULL;
	start(script, 2, 3);
	await_had(2); /* it takes a job's place, and holds back its subject */
	check_had("13");
	CHECK(state.running == 2 && state.waiting == 1 && !state.done);
	CHECK(state.wait_ms > 0);
	check_write(go, 0600, "");
	work_off();
	check_had("132");
	CHECK(state.done == 2);
	CHECK_TEXT(said, "");
	free(go);
	finish();
}

static void what_nobody_runs_after_the_machines_end_is_run_again(void)
{
	struct bus_inbox_item *item = NULL;

	new_inbox();
	put(1, "a");
	CHECK_CODE(bus_inbox_begin(ledger, 1, &item, &err), BUS_OK, &err);
	bus_inbox_item_free(item);
	start("printf %s ${DEBMSG_RETRY-x} >>$HAD", 4, 3);
	work_off();
	check_had("1");
	finish();
}

static void nothing_is_started_that_must_not_be(void)
{
	new_inbox();
	put(1, "a");
	start("printf x >>$HAD", 1, 3);
	CHECK_CODE(bus_jobs_step(jobs, false, &state, &err), BUS_OK, &err);
	CHECK(!state.running && state.waiting == 1 && state.wait_ms == -1);
	check_had("");
	work_off();
	check_had("x");
	finish();
}

static int count_files(void)
{
	DIR *files = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(files))
		n++;
	closedir(files);
	return n;
}

static void leaves_nothing_open(void)
{
	const int before = count_files();
	uint64_t i;

	new_inbox();
	for (i = 0; i < 20; i++)
		put(i, NULL);
	start("true or not", 4, 3);
	work_off();
	CHECK(count_files() <= before + 10);
	finish();
	CHECK(count_files() == before);
}

static const struct check_test tests[] = {
	{ "one at once is the order of arrival", one_at_once_is_the_order_of_arrival },
	{ "several at once keep the order of a subject",
	  several_at_once_keep_the_order_of_a_subject },
	{ "again is tried again, and then given up", again_is_tried_again_and_then_given_up },
	{ "a missing handler parks nothing", a_missing_handler_parks_nothing },
	{ "what a killed keeper ran is run again and told so",
	  what_a_killed_keeper_ran_is_run_again_and_told_so },
	{ "one that kills its keeper is given up", one_that_kills_its_keeper_is_given_up },
	{ "one at work outlives us and is waited for", one_at_work_outlives_us_and_is_waited_for },
	{ "what nobody runs after the machine's end is run again",
	  what_nobody_runs_after_the_machines_end_is_run_again },
	{ "nothing is started that must not be", nothing_is_started_that_must_not_be },
	{ "leaves nothing open", leaves_nothing_open },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	const struct bus_say quiet = { .line = say_nothing };

	if (bus_keeper_wanted(argv))
		return bus_keeper_main(argc, argv, &quiet);
	return check_main("jobs", tests);
}
