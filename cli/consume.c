#include "config.h"

#include "consumer.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"

static const char help[] =
	"usage: debmsg consume --queue NAME [--bind PATTERN]... [OPTION]...\n"
	"\n"
	"Prints the verified events of a durable queue of your own, each once, one a line.\n"
	"The queue, <user>.NAME, is made when it is not there, and stays when this ends.\n"
	"What is not believed goes to debmsg.parked with the reason.\n"
	"\n"
	"  --queue NAME    whose queue: one name for one purpose\n"
	"  --bind PATTERN  what to get; dak.upload.accept is short for\n"
	"                  org.debian.*.dak.upload.accept.#; without any: everything\n"
	"  --json          print events as received (the default)\n"
	"  --format F      json, line (for people) or export (with proof; see debmsg verify)\n"
	"  --limit N       end after N events\n"
	"  --idle-exit S   end after S seconds without a message\n"
	"  -c, --config FILE\n";

enum format { FORMAT_JSON, FORMAT_LINE, FORMAT_EXPORT };

struct consume {
	enum format format;
	struct bus_bindings bind;
	unsigned long long limit, idle;
	const char *queue;
};

static enum bus_code print(void *arg, const struct bus_belief *belief, const struct bus_message *m,
			   struct bus_err *err)
{
	const struct consume *c = arg;

	switch (c->format) {
	case FORMAT_LINE:
		cli_print_line(stdout, belief);
		return BUS_OK;
	case FORMAT_EXPORT:
		return cli_print_export(stdout, m, err);
	case FORMAT_JSON:
		cli_print_json(stdout, m);
		break;
	}
	return BUS_OK;
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

static bool parse_format(enum format *ret, const char *text)
{
	static const char *const names[] = { "json", "line", "export" };
	int i;

	for (i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum format)i;
			return true;
		}
	cli_usage("--format %s: there are json, line and export", text);
	return false;
}

static bool parse_options(struct consume *c, int argc, char **argv)
{
	static const struct option options[] = { { "queue", required_argument, NULL, 'q' },
						 { "bind", required_argument, NULL, 'b' },
						 { "json", no_argument, NULL, 'j' },
						 { "format", required_argument, NULL, 'f' },
						 { "limit", required_argument, NULL, 'n' },
						 { "idle-exit", required_argument, NULL, 'i' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	bool ok = true;
	int opt;

	while (ok && (opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		switch (opt) {
		case 'q':
			c->queue = optarg;
			break;
		case 'b':
			ok = cli_patterns(&c->bind, &optarg, 1);
			break;
		case 'j':
			c->format = FORMAT_JSON;
			break;
		case 'f':
			ok = parse_format(&c->format, optarg);
			break;
		case 'n':
			ok = cli_number(&c->limit, "--limit", optarg);
			break;
		case 'i':
			ok = cli_number(&c->idle, "--idle-exit", optarg);
			break;
		}
	}
	if (ok && (optind < argc || !c->queue)) {
		cli_usage(c->queue ? "unexpected argument (is it a pattern? then --bind it)"
				   : "--queue is missing");
		ok = false;
	}
	if (ok && c->idle > 86400 * 365) {
		cli_usage("--idle-exit: more than a year");
		ok = false;
	}
	return ok;
}

static enum bus_code consume(struct consume *c, struct bus_err *err)
{
	struct bus_consumer_options options = {
		.queue = c->queue,
		.bind = &c->bind,
		.limit = c->limit,
		.idle_s = (int)c->idle,
		.say = { .line = cli_say },
		.act = print,
		.flush = flush,
		.arg = c,
	};
	struct bus_consumer_counts counts = { 0 };
	struct bus_conf *conf = NULL;
	enum bus_code rc;

	rc = cli_conf(&conf, err);
	if (rc)
		return rc;
	options.stop_fd = cli_stop_fd();
	rc = bus_consumer_run(conf, &options, &counts, err);
	if (counts.parked)
		bus_say(&options.say, "%llu events, %llu repeats, %llu not believed and parked",
			counts.events, counts.repeats, counts.parked);
	bus_conf_free(conf);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

static int run(int argc, char **argv)
{
	struct consume c = { .format = FORMAT_JSON };
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
