#include "config.h"

#include "audit.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"
#include "reader.h"

static const char help[] =
	"usage: debmsg audit [--log ORIGIN] [--since T]\n"
	"\n"
	"Proves that the broker's history is complete: recomputes each log's tree from the\n"
	"first event that is still there to its newest checkpoint, and compares the roots.\n"
	"Prints `complete I..N`, or the exact ranges that are missing; exits 1 then.\n"
	"\n"
	"  --log ORIGIN    only this log, with or without its epoch\n"
	"  --since T       begin at 2026-11-22T10:15:00Z, or 15m, 6h, 2d ago\n"
	"  -c, --config FILE\n";

struct audit {
	struct bus_intake *intake;
	struct bus_audit *audit;
	const char *log;
	int64_t since_us;
	uint64_t disbelieved[BUS_CODE_COUNT];
	size_t logs;
	bool bad;
};

static enum bus_code look(void *arg, const struct bus_message *m, struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief;
	struct audit *a = arg;
	enum bus_code rc;

	rc = bus_intake_check(a->intake, m, NULL, &belief, &why);
	if (rc && bus_code_info[rc].fate != BUS_FATE_PARK)
		return bus_fail(err, rc, "%s", why.text);
	if (rc) {
		a->disbelieved[rc]++;
		return BUS_OK;
	}
	if (!a->log || cli_is_of_log(belief.event->source, strlen(belief.event->source), a->log))
		rc = bus_audit_event(a->audit, &belief, err);
	bus_event_free(belief.event);
	return rc;
}

static void print_finding(void *arg, const struct bus_audit_finding *f)
{
	struct audit *a = arg;
	size_t i;

	a->logs++;
	printf("%s: ", f->origin);
	if (f->equivocation) {
		printf("equivocation: %s; do not trust this log any more", f->text);
	} else if (!f->missing_count) {
		printf("complete %" PRIu64 "..%" PRIu64, f->first, f->last);
	} else {
		printf("missing ");
		for (i = 0; i < f->missing_count; i++)
			printf("%s%" PRIu64 "..%" PRIu64, i ? ", " : "", f->missing[i].from,
			       f->missing[i].to);
	}
	printf(" (%" PRIu64 " events", f->events);
	if (f->repeats)
		printf(", %" PRIu64 " repeats", f->repeats);
	if (f->first)
		printf("; 0..%" PRIu64 " are before the history that was read", f->first - 1);
	puts(")");
	a->bad = a->bad || f->missing_count || f->equivocation;
}

static void print_disbelieved(const struct audit *a)
{
	int rc;

	for (rc = 0; rc < BUS_CODE_COUNT; rc++)
		if (a->disbelieved[rc])
			printf("not believed, and not counted: %" PRIu64 " messages: %s\n",
			       a->disbelieved[rc], bus_code_info[rc].name);
}

static enum bus_code audit(struct audit *a, struct bus_err *err)
{
	struct cli_reader reader = { .message = look, .prints_at_end = true, .arg = a };
	struct bus_conf *conf = NULL;
	struct cli_read_result result = { 0 };
	enum bus_code rc;

	reader.start = a->since_us ? BUS_STREAM_TIME : BUS_STREAM_FIRST;
	reader.time_us = a->since_us;
	a->audit = bus_audit_new();
	if (!a->audit)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	rc = cli_conf(&conf, err);
	if (!rc)
		rc = bus_intake_open(&a->intake, conf, err);
	if (!rc)
		rc = cli_read(&reader, conf, &result, err);
	if (!rc && result.stopped)
		rc = bus_fail(err, BUS_E_TEMP, "interrupted: nothing is proved");
	if (!rc)
		rc = bus_audit_findings(a->audit, print_finding, a, err);
	if (!rc)
		print_disbelieved(a);
	bus_intake_close(a->intake);
	bus_audit_free(a->audit);
	bus_conf_free(conf);
	return rc;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "log", required_argument, NULL, 'l' },
						 { "since", required_argument, NULL, 's' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct bus_err err = { BUS_OK, "" };
	struct audit a = { 0 };
	enum bus_code rc;
	int opt;

	while ((opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		if (opt == 'l')
			a.log = optarg;
		else if (!cli_time(&a.since_us, "--since", optarg))
			return EX_USAGE;
	}
	if (optind < argc)
		return cli_usage("unexpected argument '%s'", argv[optind]);
	rc = audit(&a, &err);
	if (rc)
		return cli_finish(cli_fail(rc, &err));
	if (!a.logs) {
		fprintf(stderr, "debmsg audit: no believed event%s%s in the history%s\n",
			a.log ? " of " : "", a.log ? a.log : "", a.since_us ? " since then" : "");
		a.bad = true;
	}
	return cli_finish(bus_code_info[a.bad ? BUS_E_NO : BUS_OK].exit_status);
}

const struct cli_command cli_audit = { "audit", "prove that the history is complete", help, run };
