#include "config.h"

#include <sysexits.h>
#include <unistd.h>

#include "cli.h"
#include "relay.h"

static const char help[] =
	"usage: debmsg relay [--once] [--metrics-file FILE]\n"
	"\n"
	"Signs and publishes what the outboxes of this host hold, each service's as that\n"
	"service's broker user.  Runs until SIGTERM; opens lost connections again.\n"
	"\n"
	"  --once          end when all outboxes are empty, or at the first trouble\n"
	"  --metrics-file FILE.prom\n"
	"                  numbers for the textfile collector of node_exporter\n"
	"  -c, --config FILE\n";

static bool progress_shown;

static void show_progress(void *arg, const char *service, unsigned long long sent,
			  unsigned long long size)
{
	(void)arg;
	fprintf(stderr, "\r%s: %llu of %llu events confirmed\033[K", service, sent, size);
	progress_shown = true;
}

/* A line of text must not land behind a line of progress. */
static void say(void *arg, const char *text)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
	cli_say(arg, text);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "once", no_argument, NULL, '1' },
						 { "metrics-file", required_argument, NULL, 'm' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct bus_relay_options relay = { .say = { .line = say } };
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	enum bus_code rc;
	int opt;

	while ((opt = cli_option(argc, argv, ":c:h", options)) != -1)
		if (opt == 'm')
			relay.metrics_file = optarg;
		else
			relay.once = true;
	if (optind < argc)
		return cli_usage("unexpected argument '%s'", argv[optind]);
	rc = bus_notify_open(&relay.notify, &err);
	if (!rc)
		rc = cli_conf(&conf, &err);
	if (rc) {
		bus_notify_close(relay.notify);
		return cli_fail(rc, &err);
	}
	relay.stop_fd = cli_stop_fd();
	if (isatty(STDERR_FILENO))
		relay.progress = show_progress;
	rc = bus_relay_run(conf, &relay);
	bus_conf_free(conf);
	bus_notify_close(relay.notify);
	return bus_code_info[rc].exit_status; /* why was said when it happened */
}

const struct cli_command cli_relay = { "relay", "sign and publish what the outboxes hold", help,
				       run };
