#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "metrics_consume.h"
#include "metrics_relay.h"

enum { NOBODY = 65534 };

/* What was said. */
static unsigned int said;
static char last[800];

static void hear(void *arg, const char *text)
{
	(void)arg;
	said++;
	snprintf(last, sizeof(last), "%s", text);
}

static struct bus_metrics *open_at(const char *path)
{
	const struct bus_say say = { hear, NULL };
	struct bus_metrics *m = NULL;
	struct bus_err err;

	said = 0;
	CHECK_CODE(bus_metrics_open(&m, path, &say, &err), BUS_OK, &err);
	return m;
}

/* One family with one sample. */
static void write_number(struct bus_metrics *m, uint64_t value)
{
	bus_metrics_begin(m);
	bus_metrics_family(m, "n", BUS_METRICS_GAUGE, "A number.");
	bus_metrics_number(m, NULL, value);
	bus_metrics_commit(m);
}

static void check_holds(const char *path, const char *want)
{
	char *got = check_read(path, NULL);

	CHECK_TEXT(got, want);
	free(got);
}

static bool is_there(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

#define HEAD "# HELP n A number.\n# TYPE n gauge\n"

static void writes_families_and_samples(void)
{
	char *path = check_path("format.prom");
	const struct bus_metrics_labels one = { .name = "service", .value = "dak" };
	const struct bus_metrics_labels two = { "service", "dak", "result", "" };
	struct bus_metrics *m = open_at(path);

	bus_metrics_begin(m);
	bus_metrics_family(m, "a_total", BUS_METRICS_COUNTER, "What it is.");
	bus_metrics_number(m, &one, 0);
	bus_metrics_number(m, &two, UINT64_MAX);
	bus_metrics_family(m, "b_seconds", BUS_METRICS_GAUGE, "Another.");
	bus_metrics_seconds(m, NULL, 1500000);
	bus_metrics_seconds(m, NULL, 7);
	bus_metrics_seconds(m, NULL, -2000001);
	bus_metrics_seconds(m, NULL, INT64_MIN);
	bus_metrics_commit(m);
	check_holds(path, "# HELP a_total What it is.\n"
			  "# TYPE a_total counter\n"
			  "a_total{service=\"dak\"} 0\n"
			  "a_total{service=\"dak\",result=\"\"} 18446744073709551615\n"
			  "# HELP b_seconds Another.\n"
			  "# TYPE b_seconds gauge\n"
			  "b_seconds 1.500000\n"
			  "b_seconds 0.000007\n"
			  "b_seconds -2.000001\n"
			  "b_seconds -9223372036854.775808\n");
	CHECK(!said);
	bus_metrics_close(m);
	free(path);
}

static void escapes_label_values(void)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "a\"b\\c\nd", "a\\\"b\\\\c\\nd" },
		{ "\\n", "\\\\n" },
		{ "}{=,# \t", "}{=,# \t" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "a\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};
	char *path = check_path("escapes.prom"), *got, want[200];
	struct bus_metrics *m = open_at(path);
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bus_metrics_labels labels = { .name = "l", .value = rows[i].value };

		bus_metrics_begin(m);
		bus_metrics_family(m, "n", BUS_METRICS_GAUGE, "A number.");
		bus_metrics_number(m, &labels, 1);
		bus_metrics_commit(m);
		snprintf(want, sizeof(want), HEAD "n{l=\"%s\"} 1\n", rows[i].want);
		got = check_read(path, NULL);
		CHECK_ROW(!strcmp(got, want), "row %zu: %s", i, got);
		free(got);
	}
	bus_metrics_close(m);
	free(path);
}

static void refuses_a_name_node_exporter_does_not_read(void)
{
	static const char *const bad[] = { "/tmp/x", "/tmp/x.prom.tmp", "prom", "", "/dev/stdout" };
	const struct bus_say say = { hear, NULL };
	struct bus_metrics *m = NULL;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_CODE(bus_metrics_open(&m, bad[i], &say, &err), BUS_E_USAGE, &err);
		CHECK_SAYS(&err, ".prom");
	}
	CHECK(!m);
}

static void is_readable_for_all_and_replaced_as_a_whole(void)
{
	char *path = check_path("atomic.prom"), *temporary = check_path(".atomic.prom.tmp");
	char old[sizeof(HEAD "n 1\n")] = "";
	const mode_t mask = umask(077);
	struct bus_metrics *m = open_at(path);
	struct stat st;
	int fd;

	write_number(m, 1);
	CHECK(!stat(path, &st) && (st.st_mode & 07777) == 0644);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	write_number(m, 22);
	CHECK(read(fd, old, sizeof(old) - 1) == sizeof(old) - 1);
	CHECK_TEXT(old, HEAD "n 1\n");
	check_holds(path, HEAD "n 22\n");
	CHECK(!is_there(temporary));
	close(fd);
	umask(mask);
	bus_metrics_close(m);
	free(path);
	free(temporary);
}

/* Two kinds of file, so long that no write is done at once by accident. */
static void write_many(struct bus_metrics *m, const char *value)
{
	const struct bus_metrics_labels labels = { .name = "l", .value = value };
	int i;

	bus_metrics_begin(m);
	bus_metrics_family(m, "n", BUS_METRICS_GAUGE, value);
	for (i = 0; i < 2000; i++)
		bus_metrics_number(m, &labels, 1);
	bus_metrics_commit(m);
}

static void is_never_seen_mixed_or_half_written(void)
{
	char *path = check_path("two.prom"), *first, *second, *got;
	struct bus_metrics *m = open_at(path);
	pid_t child;
	int i, status;

	write_many(m, "first");
	first = check_read(path, NULL);
	write_many(m, "a second one");
	second = check_read(path, NULL);
	child = fork();
	for (i = 0; i < 300; i++) {
		write_many(m, child ? "first" : "a second one");
		if (!child)
			continue;
		got = check_read(path, NULL);
		CHECK_ROW(!strcmp(got, first) || !strcmp(got, second), "round %d: %zu bytes", i,
			  strlen(got));
		free(got);
	}
	if (!child)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == child && !status);
	/* the other one may have had the lock, which is said */
	CHECK_ROW(!said || strstr(last, "again") || strstr(last, "another process"), "%s", last);
	free(first);
	free(second);
	bus_metrics_close(m);
	free(path);
}

static void says_once_that_it_cannot_and_once_that_it_can(void)
{
	char *directory = check_path("later"), *path = check_path("later/x.prom");
	struct bus_metrics *m = open_at(path);

	write_number(m, 1);
	CHECK(said == 1);
	CHECK_ROW(strstr(last, path) && strstr(last, strerror(ENOENT)), "%s", last);
	write_number(m, 2);
	CHECK(said == 1);
	mkdir(directory, 0755);
	write_number(m, 3);
	CHECK(said == 2);
	CHECK_ROW(strstr(last, "again"), "%s", last);
	check_holds(path, HEAD "n 3\n");
	write_number(m, 4);
	CHECK(said == 2);
	bus_metrics_close(m);
	free(path);
	free(directory);
}

static void survives_a_read_only_directory(void)
{
	char *directory = check_path("ro"), *path = check_path("ro/x.prom");
	struct bus_metrics *m = open_at(path);
	pid_t child;
	int status;

	mkdir(directory, 0755);
	write_number(m, 1);
	chmod(directory, 0555);
	child = fork(); /* root may write anywhere */
	if (!child) {
		if (!geteuid() && seteuid(NOBODY))
			_exit(9);
		write_number(m, 2);
		write_number(m, 3);
		_exit(said == 1 && strstr(last, strerror(EACCES)) ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
	check_holds(path, HEAD "n 1\n");
	chmod(directory, 0755);
	bus_metrics_close(m);
	free(path);
	free(directory);
}

static void keeps_the_old_file_where_the_disk_is_full(void)
{
	char *path = check_path("full.prom"), *temporary = check_path(".full.prom.tmp");
	struct bus_metrics *m = open_at(path);
	void (*action)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit was, small;

	write_number(m, 1);
	getrlimit(RLIMIT_FSIZE, &was);
	small = (struct rlimit){ .rlim_cur = 10, .rlim_max = was.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	write_number(m, 2);
	write_number(m, 3);
	setrlimit(RLIMIT_FSIZE, &was);
	signal(SIGXFSZ, action);
	CHECK(said == 1);
	CHECK_ROW(strstr(last, strerror(EFBIG)), "%s", last);
	check_holds(path, HEAD "n 1\n");
	CHECK(!is_there(temporary));
	write_number(m, 4);
	check_holds(path, HEAD "n 4\n");
	CHECK(said == 2);
	bus_metrics_close(m);
	free(path);
	free(temporary);
}

static void uses_up_what_a_killed_run_left(void)
{
	char *path = check_path("left.prom"), *temporary = check_path(".left.prom.tmp");
	struct bus_metrics *m = open_at(path);

	check_write(temporary, 0600, "half a file, longer than what comes\nn 1 2 3 4 5 6\nn n n\n");
	write_number(m, 1);
	check_holds(path, HEAD "n 1\n");
	CHECK(!is_there(temporary));
	CHECK(!said);
	bus_metrics_close(m);
	free(path);
	free(temporary);
}

static void follows_no_trap_in_a_directory_of_others(void)
{
	char *path = check_path("trap.prom"), *temporary = check_path(".trap.prom.tmp");
	char *victim = check_path("victim");
	struct bus_metrics *m = open_at(path);

	check_write(victim, 0644, "mine");
	CHECK(!symlink(victim, temporary));
	write_number(m, 1);
	CHECK(!link(victim, temporary));
	write_number(m, 2);
	check_holds(path, HEAD "n 2\n");
	CHECK(!mkfifo(temporary, 0600));
	write_number(m, 3);
	check_holds(path, HEAD "n 3\n");
	check_holds(victim, "mine");
	CHECK_ROW(!said, "%s", last);
	CHECK(!mkdir(temporary, 0755));
	write_number(m, 4);
	CHECK(said == 1);
	check_remove(temporary);
	bus_metrics_close(m);
	free(path);
	free(temporary);
	free(victim);
}

static void is_due_at_first_and_when_it_is_urgent(void)
{
	char *path = check_path("due.prom");
	struct bus_metrics *m = open_at(path);

	CHECK(!bus_metrics_due(NULL));
	bus_metrics_hurry(NULL);
	CHECK(bus_metrics_wait_us(NULL) == INT64_MAX);
	CHECK(bus_metrics_due(m));
	write_number(m, 1);
	CHECK(bus_metrics_wait_us(m) > BUS_METRICS_HURRY_S * 1000000LL);
	CHECK(bus_metrics_wait_us(m) <= BUS_METRICS_EVERY_S * 1000000LL);
	CHECK(!bus_metrics_due(m));
	bus_metrics_hurry(m);
	bus_metrics_hurry(m);
	CHECK(bus_metrics_wait_us(m) <= BUS_METRICS_HURRY_S * 1000000LL);
	while (!bus_metrics_due(m))
		usleep(10000);
	CHECK(bus_metrics_wait_us(m) == 0);
	bus_metrics_close(m);
	free(path);
}

/* Asks tests/prometheus.py. */
static void check_strictly(const char *path, const char *const *conditions, size_t count)
{
	char *checker = check_source("tests/prometheus.py"), *argv[40] = { checker };
	pid_t child;
	int status;
	size_t i;

	argv[1] = (char *)(uintptr_t)path;
	for (i = 0; i < count; i++)
		argv[2 + i] = (char *)(uintptr_t)conditions[i];
	child = fork();
	if (!child) {
		execv(checker, argv);
		_exit(127);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_ROW(!status, "%s ended with %d", checker, status);
	free(checker);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void tells_of_a_relay(void)
{
	static const char *const conditions[] = {
		"debmsg_relay_events_total{service=\"a\",result=\"confirmed\"} == 5",
		"debmsg_relay_events_total{service=\"a\",result=\"returned\"} == 1",
		"debmsg_relay_events_total{service=\"b\",result=\"refused\"} == 0",
		"debmsg_relay_publishes_total{service=\"a\"} == 8",
		"debmsg_relay_outbox_events{service=\"a\"} == 3",
		"!debmsg_relay_outbox_events{service=\"b\"}",
		"debmsg_relay_outbox_oldest_age_seconds{service=\"a\"} > 1000000",
		"debmsg_relay_signature_seconds_total{service=\"a\"} == 0.25",
		"debmsg_relay_failures_total{service=\"a\",reason=\"unavailable\"} == 2",
		"debmsg_relay_failures_total{service=\"b\",reason=\"held\"} == 1",
		"debmsg_relay_failures_total{service=\"a\",reason=\"held\"} == 0",
		"debmsg_relay_failures_total{service=\"b\",reason=\"expired-key\"} == 4",
		"debmsg_relay_set_aside{service=\"b\"} == 1",
		"debmsg_relay_connected{service=\"a\"} == 1",
	};
	struct bus_relay_stats stats[2] = {
		{ .service = "a",
		  .counts = { .published = 8, .confirmed = 5, .returned = 1, .signing_us = 250000 },
		  .connected = true,
		  .known = true,
		  .status = { .size = 8, .sent = 5, .unconfirmed = 2, .oldest_us = 1000000 } },
		{ .service = "b", .aside = true },
	};
	char *path = check_path("relay.prom");
	struct bus_metrics *m = open_at(path);

	stats[0].failures[BUS_E_UNAVAILABLE] = 2;
	stats[1].failures[BUS_E_HELD] = 1;
	stats[1].failures[BUS_E_EXPIRED_KEY] = 4;
	bus_metrics_relay(m, stats, 2);
	check_strictly(path, conditions, COUNT(conditions));
	bus_metrics_close(m);
	free(path);
}

static void tells_of_a_consumer(void)
{
	static const char *const conditions[] = {
		"debmsg_consume_events_total{queue=\"qa.x\\\"y\",result=\"new\"} == 7",
		"debmsg_consume_events_total{queue=\"qa.x\\\"y\",result=\"repeat\"} == 2",
		"debmsg_consume_parked_total{queue=\"qa.x\\\"y\",reason=\"unsigned\"} == 3",
		"debmsg_consume_parked_total{queue=\"qa.x\\\"y\",reason=\"misrouted\"} == 0",
		"!debmsg_consume_parked_total{queue=\"qa.x\\\"y\",reason=\"ok\"}",
		"debmsg_consume_gaps_total{queue=\"qa.x\\\"y\"} == 1",
		"debmsg_consume_healed_events_total{queue=\"qa.x\\\"y\"} == 4",
		"debmsg_consume_missing_events{queue=\"qa.x\\\"y\"} == 5",
		"debmsg_consume_handler_runs_total{queue=\"qa.x\\\"y\",result=\"gave_up\"} == 6",
		"debmsg_consume_inbox_events{queue=\"qa.x\\\"y\",state=\"running\"} == 8",
		"debmsg_consume_signature_checks_total{queue=\"qa.x\\\"y\",by=\"gnupg\"} == 9",
		"debmsg_consume_queue_messages{queue=\"qa.x\\\"y\"} == 11",
		"debmsg_consume_lag_seconds{queue=\"qa.x\\\"y\"} > 1000000",
		"debmsg_consume_silent_logs{queue=\"qa.x\\\"y\"} == 12",
	};
	static const char *const empty[] = {
		"debmsg_consume_queue_messages{queue=\"q\"} == 0",
		"debmsg_consume_lag_seconds{queue=\"q\"} == 0",
		"!debmsg_consume_inbox_events{queue=\"q\",state=\"running\"}",
	};
	static const char *const unknown[] = {
		"!debmsg_consume_queue_messages{queue=\"q\"}",
		"debmsg_consume_lag_seconds{queue=\"q\"} > 1000000",
	};
	struct bus_consume_stats stats = {
		.queue = "qa.x\"y",
		.events = 7,
		.repeats = 2,
		.gaps = 1,
		.healed = 4,
		.missing = 5,
		.exec = true,
		.gave_up = 6,
		.inbox_running = 8,
		.verified = 9,
		.connected = true,
		.depth_known = true,
		.depth = 11,
		.event_time_us = 1000000,
		.silent_logs = 12,
	};
	char *path = check_path("consume.prom");
	struct bus_metrics *m = open_at(path);

	stats.parked[BUS_E_UNSIGNED] = 3;
	bus_metrics_consume(m, &stats);
	check_strictly(path, conditions, COUNT(conditions));
	stats.queue = "q";
	stats.exec = false;
	stats.depth = 0;
	bus_metrics_consume(m, &stats);
	check_strictly(path, empty, COUNT(empty));
	stats.connected = stats.depth_known = false;
	bus_metrics_consume(m, &stats);
	check_strictly(path, unknown, COUNT(unknown));
	bus_metrics_close(m);
	free(path);
}

static const struct check_test tests[] = {
	{ "writes families and samples", writes_families_and_samples },
	{ "escapes label values", escapes_label_values },
	{ "refuses a name node_exporter does not read",
	  refuses_a_name_node_exporter_does_not_read },
	{ "is readable for all and replaced as a whole",
	  is_readable_for_all_and_replaced_as_a_whole },
	{ "is never seen mixed or half written", is_never_seen_mixed_or_half_written },
	{ "says once that it cannot and once that it can",
	  says_once_that_it_cannot_and_once_that_it_can },
	{ "survives a read-only directory", survives_a_read_only_directory },
	{ "keeps the old file where the disk is full", keeps_the_old_file_where_the_disk_is_full },
	{ "uses up what a killed run left", uses_up_what_a_killed_run_left },
	{ "follows no trap in a directory of others", follows_no_trap_in_a_directory_of_others },
	{ "is due at first and when it is urgent", is_due_at_first_and_when_it_is_urgent },
	{ "tells of a relay", tells_of_a_relay },
	{ "tells of a consumer", tells_of_a_consumer },
	{ NULL, NULL }
};

int main(void)
{
	return check_main("metrics", tests);
}
