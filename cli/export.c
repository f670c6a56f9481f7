#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"
#include "reader.h"

static const char help[] =
	"usage: debmsg export [PATTERN]... [OPTION]...\n"
	"\n"
	"Writes the messages of the broker's history with their proofs, as JSON lines.\n"
	"They are copied as they are, believed or not: debmsg verify - says which.\n"
	"\n"
	"  PATTERN         such as dak, alioth.branch.push; without any: everything\n"
	"  --since T       begin at 2026-11-22T10:15:00Z, or 15m, 6h, 2d ago\n"
	"  --log ORIGIN    only this log, with or without its epoch\n"
	"  -c, --config FILE\n";

struct export
{
	struct bus_bindings patterns;
	const char *log;
	int64_t since_us;
};

/* By message id, <origin>/<index>: a hint, but this copies and believes nothing. */
static bool is_of_log(const struct bus_message *m, const char *log)
{
	const char *slash = m->message_id ? strrchr(m->message_id, '/') : NULL;

	return slash && cli_is_of_log(m->message_id, (size_t)(slash - m->message_id), log);
}

static enum bus_code copy(void *arg, const struct bus_message *m, struct bus_err *err)
{
	const struct export *e = arg;

	if (!bus_bindings_match(&e->patterns, m->routing_key) || (e->log && !is_of_log(m, e->log)))
		return BUS_OK;
	return ferror(stdout) ? BUS_E_NO : cli_print_export(stdout, m, err);
}

static bool parse_options(struct export *e, int argc, char **argv)
{
	static const struct option options[] = { { "since", required_argument, NULL, 's' },
						 { "log", required_argument, NULL, 'l' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	bool ok = true;
	int opt;

	while (ok && (opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		if (opt == 's')
			ok = cli_time(&e->since_us, "--since", optarg);
		else
			e->log = optarg;
	}
	if (ok && optind == argc)
		return bus_bindings_add(&e->patterns, "#", NULL) == BUS_OK;
	return ok && cli_patterns(&e->patterns, argv + optind, argc - optind);
}

static int run(int argc, char **argv)
{
	struct export e = { 0 };
	struct cli_reader reader = { .message = copy, .arg = &e };
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	int status = EX_USAGE;
	struct cli_read_result result = { 0 };
	enum bus_code rc;

	if (!parse_options(&e, argc, argv))
		goto out;
	reader.start = e.since_us ? BUS_STREAM_TIME : BUS_STREAM_FIRST;
	reader.time_us = e.since_us;
	rc = cli_conf(&conf, &err);
	if (!rc)
		rc = cli_read(&reader, conf, &result, &err);
	if (!rc && result.stopped)
		rc = bus_fail(&err, BUS_E_TEMP, "interrupted: the export is not whole");
	status = cli_finish(rc ? cli_fail(rc, &err) : EX_OK);
out:
	bus_conf_free(conf);
	bus_bindings_finish(&e.patterns);
	return status;
}

const struct cli_command cli_export = { "export", "copy the history with its proofs to JSON lines",
					help, run };
