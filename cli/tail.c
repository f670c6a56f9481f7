#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli.h"
#include "reader.h"

static const char help[] =
	"usage: debmsg tail [PATTERN]... [OPTION]...\n"
	"\n"
	"Watches the bus live, one line an event: time, type, subject, summary, signer.\n"
	"Makes no queue and misses what happens while it does not run.  What is not believed\n"
	"is named on stderr.\n"
	"\n"
	"  PATTERN         such as dak, alioth.branch.push, '#'; without any: everything\n"
	"  --since T       begin in the past: 2026-11-22T10:15:00Z, or 15m, 6h, 2d ago\n"
	"  --limit N       end after N events\n"
	"  --json          print events as received\n"
	"  --format F      line (the default), json or export (with proof; see debmsg verify)\n"
	"  -c, --config FILE\n";

struct tail {
	struct bus_intake *intake;
	struct bus_bindings patterns;
	enum cli_format format;
	bool colours;
	int64_t since_us; /* 0: from now on */
	unsigned long long limit, count;
};

static enum bus_code show(void *arg, const struct bus_message *m, struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief;
	struct tail *t = arg;
	enum bus_code rc;

	if (!bus_bindings_match(&t->patterns, m->routing_key))
		return BUS_OK;
	rc = bus_intake_check(t->intake, m, NULL, &belief, &why);
	if (rc && bus_code_info[rc].fate == BUS_FATE_PARK) {
		cli_print_disbelief(m, rc, why.text);
		return BUS_OK;
	}
	if (rc)
		return bus_fail(err, rc, "%s", why.text);
	if (bus_bindings_want(&t->patterns, m->routing_key, belief.event->type)) {
		rc = cli_print(stdout, t->format, t->colours, &belief, m, err);
		t->count++;
	}
	bus_event_free(belief.event);
	if (rc)
		return rc;
	if (ferror(stdout))
		return BUS_E_NO; /* cli_finish() says so */
	return t->limit && t->count >= t->limit ? BUS_E_NO : BUS_OK;
}

static void flush(void *arg)
{
	(void)arg;
	fflush(stdout);
}

static bool parse_options(struct tail *t, int argc, char **argv)
{
	static const struct option options[] = { { "since", required_argument, NULL, 's' },
						 { "limit", required_argument, NULL, 'n' },
						 { "json", no_argument, NULL, 'j' },
						 { "format", required_argument, NULL, 'f' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	bool ok = true;
	int opt;

	while (ok && (opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		if (opt == 's')
			ok = cli_time(&t->since_us, "--since", optarg);
		else if (opt == 'n')
			ok = cli_number(&t->limit, "--limit", optarg);
		else if (opt == 'f')
			ok = cli_format(&t->format, optarg);
		else
			t->format = CLI_JSON;
	}
	if (ok && optind == argc)
		return bus_bindings_add(&t->patterns, "#", NULL) == BUS_OK;
	return ok && cli_patterns(&t->patterns, argv + optind, argc - optind);
}

static int run(int argc, char **argv)
{
	struct tail t = { .format = CLI_LINE, .colours = cli_colours(STDOUT_FILENO) };
	struct cli_reader reader = {
		.follow = true, .message = show, .caught_up = flush, .arg = &t
	};
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	int status = EX_USAGE;
	enum bus_code rc;
	struct cli_read_result result;
	const struct bus_say say = { .line = cli_say };

	if (!parse_options(&t, argc, argv))
		goto out;
	reader.start = t.since_us ? BUS_STREAM_TIME : BUS_STREAM_NEXT;
	reader.time_us = t.since_us;
	rc = cli_conf(&conf, &err);
	if (!rc)
		rc = bus_intake_open(&t.intake, conf, &err);
	if (!rc) {
		bus_intake_tell(t.intake, &say);
		rc = cli_read(&reader, conf, &result, &err);
	}
	status = cli_finish(rc ? cli_fail(rc, &err) : EX_OK);
out:
	bus_intake_close(t.intake);
	bus_conf_free(conf);
	bus_bindings_finish(&t.patterns);
	return status;
}

const struct cli_command cli_tail = { "tail", "watch the bus live", help, run };
