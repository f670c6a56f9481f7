#include "config.h"

#include "consumer.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli.h"

static const char help[] =
	"usage: debmsg consume --queue NAME [--bind PATTERN]... [OPTION]... [--exec CMD [ARG]...]\n"
	"\n"
	"Prints the verified events of a durable queue of your own, each once, one a line,\n"
	"or runs a command for each.  The queue, <user>.NAME, is made when it is not there,\n"
	"and stays when this ends.  What is missing is fetched from the history; what is\n"
	"not believed goes to debmsg.parked with the reason.\n"
	"\n"
	"  --queue NAME    whose queue: one name for one purpose\n"
	"  --bind PATTERN  what to get; dak.upload.accept is short for\n"
	"                  org.debian.*.dak.upload.accept.#; without any: as before, or "
	"everything\n"
	"  --since T       for a new queue: from 2026-11-22T10:15:00Z, or 15m, 6h, 2d ago on\n"
	"  --json          print events as received (the default)\n"
	"  --format F      json, line (for people) or export (with proof; see debmsg verify)\n"
	"  --exec CMD ...  all the rest of the line: run this, the event on its stdin;\n"
	"                  exit status 0: done, 75: again later, all else: parked\n"
	"  --jobs N        so many at once, in order per subject (1: in order)\n"
	"  --timeout S     kill a command after S seconds\n"
	"  --tries N       park an event after so many times 75 (10)\n"
	"  --limit N       end after N events\n"
	"  --idle-exit S   end after S seconds without a message\n"
	"  --no-heal       only report what is missing\n"
	"  --metrics-file FILE.prom   for Prometheus\n"
	"  -c, --config FILE\n";

enum { JOBS_MAX = 64, TRIES = 10, YEAR_S = 86400 * 365 };

struct consume {
	enum cli_format format;
	bool colours;
	struct bus_bindings bind;
	unsigned long long limit, idle, jobs, timeout, tries;
	int64_t since_us;
	bool no_heal, show_progress;
	const char *queue, *metrics_file;
	char *const *exec; /* NULL: print */
};

static enum bus_code print(void *arg, const struct bus_belief *belief, const struct bus_message *m,
			   struct bus_err *err)
{
	const struct consume *c = arg;

	return cli_print(stdout, c->format, c->colours, belief, m, err);
}

static enum bus_code flush(void *arg, struct bus_err *err)
{
	(void)arg;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return BUS_OK;
	if (cli_reader_gone())
		return BUS_E_NO; /* the rest stays in the queue */
	return bus_fail(err, BUS_E_TEMP,
			"cannot write to standard output: %s; nothing of it is "
			"acknowledged",
			strerror(errno));
}

static void show(void *arg, const struct bus_consumer_counts *counts)
{
	const struct consume *c = arg;

	if (c->show_progress)
		fprintf(stderr, "\r%llu events\033[K", counts->events);
}

static bool check_range(const char *option, unsigned long long value, unsigned long long max)
{
	if (value <= max)
		return true;
	cli_usage("%s: more than %llu", option, max);
	return false;
}

static bool check_options(const struct consume *c, int argc)
{
	if (optind < argc || !c->queue) {
		cli_usage(c->queue ? "unexpected argument (is it a pattern? then --bind it)"
				   : "--queue is missing");
		return false;
	}
	if (!c->exec && (c->timeout || c->jobs > 1)) {
		cli_usage("--jobs and --timeout are for a command: --exec CMD");
		return false;
	}
	return check_range("--idle-exit", c->idle, YEAR_S) &&
	       check_range("--timeout", c->timeout, YEAR_S) &&
	       check_range("--jobs", c->jobs, JOBS_MAX) && check_range("--tries", c->tries, 1000);
}

/* The options that are a whole number. */
static bool parse_number(struct consume *c, int opt)
{
	switch (opt) {
	case 'J':
		return cli_number(&c->jobs, "--jobs", optarg);
	case 't':
		return cli_number(&c->timeout, "--timeout", optarg);
	case 'r':
		return cli_number(&c->tries, "--tries", optarg);
	case 'n':
		return cli_number(&c->limit, "--limit", optarg);
	default:
		return cli_number(&c->idle, "--idle-exit", optarg);
	}
}

static bool parse_options(struct consume *c, int argc, char **argv)
{
	static const struct option options[] = { { "queue", required_argument, NULL, 'q' },
						 { "bind", required_argument, NULL, 'b' },
						 { "since", required_argument, NULL, 's' },
						 { "json", no_argument, NULL, 'j' },
						 { "format", required_argument, NULL, 'f' },
						 { "jobs", required_argument, NULL, 'J' },
						 { "timeout", required_argument, NULL, 't' },
						 { "tries", required_argument, NULL, 'r' },
						 { "limit", required_argument, NULL, 'n' },
						 { "idle-exit", required_argument, NULL, 'i' },
						 { "no-heal", no_argument, NULL, 'H' },
						 { "metrics-file", required_argument, NULL, 'm' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	bool ok;
	int opt;

	c->exec = cli_exec(&argc, argv, &ok);
	while (ok && (opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		switch (opt) {
		case 'q':
			c->queue = optarg;
			break;
		case 'b':
			ok = cli_patterns(&c->bind, &optarg, 1);
			break;
		case 's':
			ok = cli_time(&c->since_us, "--since", optarg);
			break;
		case 'j':
			c->format = CLI_JSON;
			break;
		case 'f':
			ok = cli_format(&c->format, optarg);
			break;
		case 'm':
			c->metrics_file = optarg;
			break;
		case 'H':
			c->no_heal = true;
			break;
		default:
			ok = parse_number(c, opt);
		}
	}
	return ok && check_options(c, argc);
}

static void tell_counts(const struct bus_consumer_counts *counts)
{
	const struct bus_say say = { .line = cli_say };
	unsigned long long disbelieved = 0;
	int rc;

	for (rc = 0; rc < BUS_CODE_COUNT; rc++)
		disbelieved += counts->disbelieved[rc];
	if (disbelieved || counts->gaps || counts->missing || counts->given_up)
		bus_say(&say,
			"%llu events, %llu repeats, %llu not believed and %s, %llu gaps, "
			"%llu events healed, %llu missing, %llu given up by the command",
			counts->events, counts->repeats, disbelieved,
			counts->cannot_park ? "not kept" : "parked", counts->gaps, counts->healed,
			counts->missing, counts->given_up);
	if (counts->jobs.running)
		bus_say(&say,
			"%u commands are still at work; they go on, and note themselves how they "
			"end",
			counts->jobs.running);
}

static enum bus_code consume(struct consume *c, struct bus_err *err)
{
	const struct bus_jobs_options jobs = {
		.handler = { .argv = c->exec, .timeout_s = (int)c->timeout },
		.jobs = (unsigned int)c->jobs,
		.tries = (unsigned int)c->tries,
		.say = { .line = cli_say },
	};
	struct bus_consumer_options options = {
		.queue = c->queue,
		.bind = &c->bind,
		.since_us = c->since_us,
		.no_heal = c->no_heal,
		.limit = c->limit,
		.idle_s = (int)c->idle,
		.metrics_file = c->metrics_file,
		.say = { .line = cli_say },
		.jobs = c->exec ? &jobs : NULL,
		.act = print,
		.flush = flush,
		.watch = show,
		.arg = c,
	};
	struct bus_consumer_counts counts = { 0 };
	struct bus_conf *conf = NULL;
	enum bus_code rc;

	/* before any child is there */
	rc = bus_notify_open(&options.notify, err);
	if (!rc)
		rc = cli_conf(&conf, err);
	if (rc) {
		bus_notify_close(options.notify);
		return rc;
	}
	c->colours = cli_colours(STDOUT_FILENO);
	c->show_progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && !c->exec;
	options.stop_fd = cli_stop_fd();
	rc = bus_consumer_run(conf, &options, &counts, err);
	if (c->show_progress)
		fputs("\r\033[K", stderr);
	tell_counts(&counts);
	bus_conf_free(conf);
	bus_notify_close(options.notify);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

static int run(int argc, char **argv)
{
	struct consume c = { .format = CLI_JSON, .jobs = 1, .tries = TRIES };
	struct bus_err err = { BUS_OK, "" };
	int status = EX_USAGE;
	enum bus_code rc;

	if (parse_options(&c, argc, argv)) {
		rc = consume(&c, &err);
		status = rc ? cli_fail(rc, &err) : cli_finish(EX_OK);
	}
	bus_bindings_finish(&c.bind);
	return status;
}

const struct cli_command cli_consume = { "consume", "receive the events of a durable queue", help,
					 run };
