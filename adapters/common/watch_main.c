#include "config.h"

#include "adapters/common/watch_main.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/say.h"
#include "adapters/common/store.h"
#include "adapters/common/watch_private.h"
#include "backoff.h"
#include "timestamp.h"

enum { OUTBOX_WAIT_MS = 60000 };

struct options {
	const char *config;
	bool once, from_start;
};

/* -- options -- */

static void print_help(const struct adapter *adapter)
{
	const struct adapter_input *input;

	printf("usage: %s [-c FILE] [--once] [--from-start | --from-now]\n"
	       "\n"
	       "Watches what %s writes and puts what happens on the message bus.\n"
	       "\n"
	       "inputs, each with the option of debmsg.conf that turns it on:\n",
	       adapter->program, adapter->service);
	for (input = adapter->input; input->name; input++)
		printf("  %-14s %s%s%s%s\n", input->name, input->summary, input->option ? " (" : "",
		       input->option ? input->option : "", input->option ? ")" : "");
	printf("\n"
	       "  -c, --config FILE  configuration (else $DEBMSG_CONF, or\n"
	       "                     " SYSCONFDIR "/debmsg/debmsg.conf)\n"
	       "      --once         end when there is nothing more to read\n"
	       "      --from-start   announce also what an input has when it is read for the\n"
	       "                     first time\n"
	       "      --from-now     do not (the default)\n"
	       "      --help, --version\n"
	       "\n"
	       "Exit status: 0, 64 usage, 75 try again later, 78 configuration.\n"
	       "See %s(1).\n",
	       adapter->program);
}

static int usage(const struct adapter *adapter, const char *what)
{
	fprintf(stderr, "%s: %s; try %s --help\n", adapter->program, what, adapter->program);
	return EX_USAGE;
}

/* -1: go on; otherwise the exit status. */
static int parse_options(struct options *ret, const struct adapter *adapter, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "once", no_argument, NULL, 'o' },
		{ "from-start", no_argument, NULL, 's' },
		{ "from-now", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	bool from_now = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:", table, NULL)) != -1)
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 'o':
			ret->once = true;
			break;
		case 's':
			ret->from_start = true;
			break;
		case 'n':
			from_now = true;
			break;
		case 'h':
			print_help(adapter);
			return EX_OK;
		case 'v':
			printf("%s %s\n", adapter->program, PACKAGE_VERSION);
			return EX_OK;
		default: /* getopt_long() has named the option */
			return usage(adapter, "unknown option or missing value");
		}
	if (argv[optind])
		return usage(adapter, "it takes no operands");
	if (ret->from_start && from_now)
		return usage(adapter, "--from-start or --from-now, not both");
	return -1;
}

/* -- what is watched -- */

static enum bus_code find_inputs(struct watcher *watcher, const struct adapter *adapter,
				 struct bus_err *err)
{
	const struct adapter_input *input;
	size_t n = 0;

	for (input = adapter->input; input->name; input++)
		n++;
	watcher->watch = calloc(n + 1, sizeof(*watcher->watch));
	if (!watcher->watch)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	for (input = adapter->input; input->name; input++) {
		if (input->option && !bus_conf_option_list(watcher->ctx.service, input->option))
			continue;
		watcher->watch[watcher->count].watcher = watcher;
		watcher->watch[watcher->count].input = input;
		watcher->watch[watcher->count++].is_awake = true;
	}
	return BUS_OK;
}

/* BUS_E_HELD: another process watches this service. */
static enum bus_code take_lock(struct watcher *watcher, struct bus_err *err)
{
	char *directory = bus_conf_outbox_dir(watcher->ctx.conf, watcher->ctx.service->name);
	enum bus_code rc = BUS_OK;
	char *path = NULL;

	if (!directory || asprintf(&path, "%s/%s.lock", directory, watcher->ctx.program) < 0) {
		free(directory);
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	}
	watcher->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (watcher->lock < 0)
		rc = bus_fail(err, BUS_E_TEMP, "%s: %s", path, strerror(errno));
	else if (flock(watcher->lock, LOCK_EX | LOCK_NB) != 0)
		rc = bus_fail(err, errno == EWOULDBLOCK ? BUS_E_HELD : BUS_E_TEMP,
			      errno == EWOULDBLOCK ? "%s: another %s holds it" : "%s: %s: flock",
			      path, watcher->ctx.program);
	free(directory);
	free(path);
	return rc;
}

/* An outbox that cannot be had at the moment is awaited; services start in any order. */
static enum bus_code open_outbox(struct watcher *watcher, struct bus_err *err)
{
	unsigned int attempt = 0;
	int64_t until_us;
	enum bus_code rc;

	while (!watch_should_end()) {
		rc = store_open(&watcher->box, &watcher->ctx, true, OUTBOX_WAIT_MS, err);
		if (!rc && attempt)
			say(LOG_NOTICE, "the outbox works again");
		if ((rc != BUS_E_TEMP && rc != BUS_E_NOMEM) || watcher->once)
			return rc;
		if (!attempt)
			say(LOG_ERR, "%s; trying again until it works", err->text);
		until_us = bus_time_mono() + (int64_t)bus_backoff_ms(attempt++) * 1000;
		do
			rc = watch_wait(watcher, until_us, err);
		while (!rc && !watch_should_end() && bus_time_mono() < until_us);
		if (rc)
			return rc;
	}
	return BUS_OK;
}

static void report(const struct watcher *watcher)
{
	size_t i;

	for (i = 0; watcher->once && i < watcher->count; i++)
		if (!watcher->watch[i].is_off)
			say(LOG_INFO, "%s: %" PRIu64 " events, %" PRIu64 " rejected",
			    watcher->watch[i].input->name, watcher->watch[i].events,
			    watcher->watch[i].rejects);
}

static enum bus_code run(struct watcher *watcher, const struct adapter *adapter,
			 struct bus_err *err)
{
	enum bus_code rc;

	watch_catch_signals(watcher);
	rc = find_inputs(watcher, adapter, err);
	if (!rc && !watcher->count)
		rc = watch_nothing(watcher, err);
	if (!rc && watcher->inotify < 0)
		rc = bus_fail(err, BUS_E_TEMP, "inotify: %s; raise fs.inotify.max_user_instances",
			      strerror(errno));
	if (!rc)
		rc = open_outbox(watcher, err);
	if (rc || !watcher->box) /* none: it was told to end */
		return rc;
	rc = take_lock(watcher, err);
	if (!rc)
		rc = watch_all(watcher, err);
	if (!rc)
		report(watcher);
	return rc;
}

int watch_main(const struct adapter *adapter, int argc, char **argv)
{
	struct options options = { NULL, false, false };
	struct watcher watcher = { .ctx.program = adapter->program, .lock = -1 };
	struct bus_conf *conf = NULL;
	struct bus_err err;
	enum bus_code rc;
	int status;
	size_t i;

	status = parse_options(&options, adapter, argc, argv);
	if (status >= 0)
		return status;
	watcher.once = options.once;
	watcher.from_start = options.from_start;
	watcher.inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	rc = bus_notify_open(&watcher.notify, &err);
	if (!rc)
		rc = bus_conf_load(&conf, options.config, &err);
	watcher.ctx.conf = conf;
	if (!rc)
		rc = bus_conf_service(conf, adapter->service, &watcher.ctx.service, &err);
	if (!rc)
		rc = run(&watcher, adapter, &err);
	bus_notify_stopping(watcher.notify);
	if (rc)
		say(LOG_ERR, "%s", err.text);
	for (i = 0; i < watcher.count; i++)
		watch_close(&watcher.watch[i]);
	free(watcher.watch);
	bus_outbox_close(watcher.box);
	bus_notify_close(watcher.notify);
	bus_conf_free(conf);
	if (watcher.inotify >= 0)
		close(watcher.inotify);
	if (watcher.lock >= 0)
		close(watcher.lock);
	return bus_code_info[rc].exit_status;
}
