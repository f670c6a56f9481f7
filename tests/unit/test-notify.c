#include "config.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "notify.h"
#include "relay_status.h"
#include "timestamp.h"

/* A service manager's end. */
static char *path;
static int manager = -1;

static void start_manager(const char *watchdog_us)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	path = check_path("notify");
	check_remove(path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_NEED(manager >= 0);
	CHECK_NEED(bind(manager, (struct sockaddr *)&address, sizeof(address)) == 0);
	setenv("NOTIFY_SOCKET", path, 1);
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	if (watchdog_us)
		setenv("WATCHDOG_USEC", watchdog_us, 1);
}

static void stop_manager(void)
{
	close(manager);
	manager = -1;
	free(path);
}

static struct bus_notify *open_notify(void)
{
	struct bus_notify *n = NULL;
	struct bus_err err;

	CHECK_CODE(bus_notify_open(&n, &err), BUS_OK, &err);
	return n;
}

/* What the manager was told next; "" if nothing. */
static const char *heard(void)
{
	static char text[4096];
	struct pollfd p = { manager, POLLIN, 0 };
	ssize_t n = 0;

	/* datagrams of one process are there when its send has returned */
	if (poll(&p, 1, 0) > 0)
		n = recv(manager, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_states(void)
{
	struct bus_notify *n;

	start_manager(NULL);
	n = open_notify();
	CHECK_NEED(n != NULL);
	CHECK_TEXT(heard(), "");
	bus_notify_ready(n);
	CHECK_TEXT(heard(), "READY=1");
	bus_notify_ready(n);
	CHECK_TEXT(heard(), "");
	bus_notify_tick(n); /* no watchdog was asked for */
	CHECK_TEXT(heard(), "");
	CHECK(bus_notify_wait_us(n) == INT64_MAX);
	bus_notify_stopping(n);
	CHECK_TEXT(heard(), "STOPPING=1");
	bus_notify_stopping(n);
	CHECK_TEXT(heard(), "");
	bus_notify_close(n);
	stop_manager();
}

static void test_watchdog(void)
{
	const int64_t half_us = 100000;
	struct bus_notify *n;
	int64_t before_us;

	start_manager("200000");
	n = open_notify();
	CHECK_NEED(n != NULL);
	CHECK(bus_notify_wait_us(n) == 0);
	before_us = bus_time_mono();
	bus_notify_tick(n);
	CHECK_TEXT(heard(), "WATCHDOG=1");
	CHECK(bus_notify_wait_us(n) <= half_us);
	bus_notify_tick(n);
	if (bus_time_mono() - before_us < half_us)
		CHECK_TEXT(heard(), "");
	while (bus_notify_wait_us(n) > 0)
		poll(NULL, 0, 10);
	CHECK(bus_time_mono() - before_us >= half_us);
	bus_notify_tick(n);
	CHECK_TEXT(heard(), "WATCHDOG=1");
	bus_notify_close(n);
	stop_manager();
}

/* Of another process, whose child we are. */
static void test_watchdog_of_another(void)
{
	struct bus_notify *n;

	start_manager("200000");
	setenv("WATCHDOG_PID", "1", 1);
	n = open_notify();
	bus_notify_tick(n);
	CHECK_TEXT(heard(), "");
	CHECK(!getenv("WATCHDOG_PID"));
	bus_notify_close(n);
	stop_manager();
}

static void test_status(void)
{
	char text[2 * BUS_NOTIFY_STATUS_MAX];
	struct bus_notify *n;

	start_manager(NULL);
	n = open_notify();
	CHECK(bus_notify_status_due(n));
	bus_notify_status(n, "3 events wait");
	CHECK_TEXT(heard(), "STATUS=3 events wait");
	bus_notify_status(n, "3 events wait");
	CHECK_TEXT(heard(), "");
	/* who asks too early is told when to ask again, and who does not ask may sleep */
	CHECK(bus_notify_wait_us(n) == INT64_MAX);
	if (!bus_notify_status_due(n))
		CHECK(bus_notify_wait_us(n) <= 1000000);
	bus_notify_status(n, "one\nMAINPID=1\nREADY=1");
	CHECK_TEXT(heard(), "STATUS=one MAINPID=1 READY=1");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	bus_notify_status(n, text);
	CHECK(strlen(heard()) == strlen("STATUS=") + BUS_NOTIFY_STATUS_MAX);
	bus_notify_close(n);
	stop_manager();
}

static void test_environment(void)
{
	struct bus_notify *n;

	start_manager("200000");
	n = open_notify();
	CHECK(!getenv("NOTIFY_SOCKET") && !getenv("WATCHDOG_USEC"));
	bus_notify_ready(n);
	bus_notify_tick(n);
	bus_notify_status(n, "well");
	CHECK(!getenv("NOTIFY_SOCKET"));
	bus_notify_close(n);
	stop_manager();
}

static void test_nobody(void)
{
	struct bus_notify *n;

	setenv("NOTIFY_SOCKET", "", 1);
	CHECK(!open_notify());
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "200000", 1);
	n = open_notify();
	CHECK(!n);
	CHECK(!getenv("WATCHDOG_USEC"));
	bus_notify_ready(n);
	bus_notify_tick(n);
	CHECK(!bus_notify_status_due(n));
	bus_notify_status(n, "well");
	bus_notify_stopping(n);
	CHECK(bus_notify_wait_us(n) == INT64_MAX);
	bus_notify_close(n);
}

/* It is gone, or was never there: no failure of ours. */
static void test_dead_manager(void)
{
	struct bus_notify *n;

	start_manager("200000");
	n = open_notify();
	check_remove(path);
	stop_manager();
	bus_notify_ready(n);
	bus_notify_tick(n);
	CHECK(!getenv("NOTIFY_SOCKET"));
	bus_notify_close(n);
}

/* What systemctl status shows of a relay: the whole, and then what is not as it should be. */
static void test_relay(void)
{
	struct bus_relay_stats stats[] = {
		{ .service = "dak", .known = true, .connected = true },
		{ .service = "wiki", .known = true },
		{ .service = "planet", .aside = true },
		{ .service = "alioth", .connected = true, .blocked = true },
	};
	struct bus_notify *n;

	start_manager(NULL);
	n = open_notify();
	bus_relay_status(n, stats, 1);
	CHECK_TEXT(heard(), "STATUS=nothing waits");
	stats[0].status.size = 7;
	stats[0].status.sent = 4;
	stats[1].status.size = 2;
	stats[1].away_us = 1795342500000000;
	bus_relay_status(n, stats, 4);
	CHECK_TEXT(heard(), "STATUS=5 events wait; wiki: no connection since 2026-11-22T10:15:00Z; "
			    "planet: set aside, see the journal; "
			    "alioth: the broker takes no events");
	bus_notify_close(n);
	stop_manager();
}

static const struct check_test tests[] = {
	{ "says once that it is ready, and once that it stops", test_states },
	{ "ticks when half of the watchdog's time has passed", test_watchdog },
	{ "leaves another process's watchdog alone", test_watchdog_of_another },
	{ "says in one line how it is, and nothing twice", test_status },
	{ "says how a relay is", test_relay },
	{ "leaves nothing in the environment for children", test_environment },
	{ "is silent where nobody listens", test_nobody },
	{ "goes on where the manager does not listen any more", test_dead_manager },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("notify", tests);
}
