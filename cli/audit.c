#include "config.h"

#include "audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"
#include "evidence.h"
#include "queue_audit.h"
#include "reader.h"
#include "trust.h"

static const char help[] =
	"usage: debmsg audit [--log ORIGIN] [--since T] [--queue NAME]\n"
	"\n"
	"Proves that the broker's history is complete: recomputes each log's tree from the\n"
	"first event that is still there to its newest checkpoint, and compares the roots.\n"
	"Prints `complete I..N`, or the exact ranges that are missing; exits 1 then.\n"
	"\n"
	"  --queue NAME    has this queue's consumer had all that the history has for it?\n"
	"  --log ORIGIN    only this log, with or without its epoch\n"
	"  --since T       begin at 2026-11-22T10:15:00Z, or 15m, 6h, 2d ago\n"
	"  -c, --config FILE\n";

/* A log that contradicts itself, and what of it is to be kept. */
struct conviction {
	char *origin;
	struct bus_audit_checkpoint checkpoint[2];
	char *note[2]; /* signed, as received; NULL: not found yet */
	size_t note_len[2];
};

struct audit {
	struct bus_intake *intake;
	struct bus_audit *audit;
	const char *log, *queue;
	int64_t since_us;
	struct cli_queue_audit of_queue;
	struct cli_read_result read;
	uint64_t disbelieved[BUS_CODE_COUNT];
	struct conviction *conviction;
	size_t conviction_count;
	char **seen; /* origins of the logs that were found */
	size_t logs;
	bool bad;
	enum bus_code rc; /* of what print_finding() could not do */
};

static void audit_finish(struct audit *a)
{
	size_t i;

	for (i = 0; i < a->conviction_count; i++) {
		free(a->conviction[i].origin);
		free(a->conviction[i].note[0]);
		free(a->conviction[i].note[1]);
	}
	free(a->conviction);
	for (i = 0; i < a->logs; i++)
		free(a->seen[i]);
	free(a->seen);
	cli_queue_audit_close(&a->of_queue);
	bus_intake_close(a->intake);
	bus_audit_free(a->audit);
}

/* BUS_E_NO: not believed, or of another log; else the receiver frees the event. */
static enum bus_code believe(struct audit *a, const struct bus_message *m,
			     struct bus_belief *belief, struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	enum bus_code rc = bus_intake_check(a->intake, m, NULL, belief, &why);
	const char *source;

	if (rc && bus_code_info[rc].fate != BUS_FATE_PARK)
		return bus_fail(err, rc, "%s", why.text);
	if (rc) {
		a->disbelieved[rc]++;
		return BUS_E_NO;
	}
	source = belief->event->source;
	if (!a->log || cli_is_of_log(source, strlen(source), a->log))
		return BUS_OK;
	bus_event_free(belief->event);
	return BUS_E_NO;
}

static enum bus_code look(void *arg, const struct bus_message *m, struct bus_err *err)
{
	struct bus_belief belief;
	struct audit *a = arg;
	enum bus_code rc;

	rc = believe(a, m, &belief, err);
	if (rc)
		return rc == BUS_E_NO ? BUS_OK : rc;
	rc = bus_audit_event(a->audit, &belief, err);
	if (!rc && a->queue)
		rc = bus_audit_queue_event(a->of_queue.queue, &belief, err);
	bus_event_free(belief.event);
	return rc;
}

/* -- evidence: the history is read again for the checkpoints that contradict each other -- */

static enum bus_code convict(struct audit *a, const struct bus_audit_finding *f)
{
	struct conviction *more = reallocarray(a->conviction, a->conviction_count + 1,
					       sizeof(*more));

	if (!more)
		return BUS_E_NOMEM;
	a->conviction = more;
	more += a->conviction_count;
	*more = (struct conviction){ .origin = strdup(f->origin) };
	memcpy(more->checkpoint, f->contradicting, sizeof(more->checkpoint));
	if (!more->origin)
		return BUS_E_NOMEM;
	a->conviction_count++;
	return BUS_OK;
}

static enum bus_code take_note(struct conviction *c, const struct bus_message *m,
			       const struct bus_proof *proof, struct bus_err *err)
{
	const size_t len = m->proof_len - (size_t)(proof->signed_text - m->proof);
	int i;

	for (i = 0; i < 2; i++) {
		if (c->note[i] || proof->checkpoint.size != c->checkpoint[i].size ||
		    !bus_hash_equal(&proof->checkpoint.root, &c->checkpoint[i].root))
			continue;
		c->note[i] = malloc(len);
		if (!c->note[i])
			return bus_fail(err, BUS_E_NOMEM, "out of memory");
		memcpy(c->note[i], proof->signed_text, len);
		c->note_len[i] = len;
	}
	return BUS_OK;
}

static enum bus_code look_for_notes(void *arg, const struct bus_message *m, struct bus_err *err)
{
	struct bus_belief belief;
	struct audit *a = arg;
	bool open = false;
	enum bus_code rc;
	size_t i;

	rc = believe(a, m, &belief, err);
	if (rc)
		return rc == BUS_E_NO ? BUS_OK : rc;
	for (i = 0; !rc && i < a->conviction_count; i++) {
		if (strcmp(a->conviction[i].origin, belief.event->source) == 0)
			rc = take_note(&a->conviction[i], m, belief.proof, err);
		open = open || !a->conviction[i].note[0] || !a->conviction[i].note[1];
	}
	bus_event_free(belief.event);
	return rc ? rc : open ? BUS_OK : BUS_E_NO;
}

static void keep_evidence(const struct conviction *c, const struct bus_conf *conf)
{
	const struct bus_evidence evidence = {
		c->origin,
		{ { c->checkpoint[0].size, c->note[0], c->note_len[0] },
		  { c->checkpoint[1].size, c->note[1], c->note_len[1] } },
	};
	struct bus_err err = { BUS_OK, "" };
	char *path = NULL;

	if (!c->note[0] || !c->note[1])
		bus_fail(&err, BUS_E_NO, "evidence: the history has lost one of them");
	else
		bus_evidence_keep(conf->state_directory, &evidence, &path, &err);
	if (path)
		printf("%s: both checkpoints are kept in %s\n", c->origin, path);
	else
		printf("%s: the two checkpoints could not be kept: %s\n", c->origin, err.text);
	free(path);
}

static enum bus_code find_evidence(struct audit *a, struct cli_reader reader,
				   const struct bus_conf *conf, struct bus_err *err)
{
	uint64_t counted[BUS_CODE_COUNT];
	struct cli_read_result result;
	enum bus_code rc;
	size_t i;

	if (!a->conviction_count)
		return BUS_OK;
	memcpy(counted, a->disbelieved, sizeof(counted));
	reader.message = look_for_notes;
	rc = cli_read(&reader, conf, &result, err);
	memcpy(a->disbelieved, counted, sizeof(counted));
	if (!rc && result.stopped)
		rc = bus_fail(err, BUS_E_TEMP, "interrupted: the evidence is not kept");
	for (i = 0; !rc && i < a->conviction_count; i++)
		keep_evidence(&a->conviction[i], conf);
	return rc;
}

/* -- what was found -- */

static enum bus_code note_seen(struct audit *a, const char *origin)
{
	char **more = reallocarray(a->seen, a->logs + 1, sizeof(char *));

	if (!more)
		return BUS_E_NOMEM;
	a->seen = more;
	more[a->logs] = strdup(origin);
	if (!more[a->logs])
		return BUS_E_NOMEM;
	a->logs++;
	return BUS_OK;
}

static void print_counts(const struct audit *a, const struct bus_audit_finding *f)
{
	printf(" (%" PRIu64 " events", f->events);
	if (f->repeats)
		printf(", %" PRIu64 " repeats", f->repeats);
	if (f->unproved)
		printf(", %" PRIu64 " too late to be compared", f->unproved);
	if (f->first && a->read.cut)
		printf("; 0..%" PRIu64 " are gone, the history keeps this log from %" PRIu64 " on",
		       f->first - 1, f->first);
	else if (f->first)
		printf("; 0..%" PRIu64 " are before the history that was read", f->first - 1);
	puts(")");
}

static void print_finding(void *arg, const struct bus_audit_finding *f)
{
	const char *whose;
	struct audit *a = arg;

	if (!a->rc)
		a->rc = note_seen(a, f->origin);
	if (!a->rc && f->equivocation)
		a->rc = convict(a, f);
	a->bad = a->bad || f->missing->count || f->equivocation;
	/* with --queue the line of a log that is as it should be is the queue's */
	if (a->queue && !f->missing->count && !f->equivocation)
		return;
	whose = a->queue ? "the history itself: " : "";
	printf("%s: ", f->origin);
	if (f->equivocation) {
		printf("equivocation: %s; do not trust this log any more", f->text);
	} else if (!f->missing->count) {
		printf("complete %" PRIu64 "..%" PRIu64, f->first, f->last);
	} else {
		printf("%smissing ", whose);
		cli_print_holes(f->missing);
	}
	print_counts(a, f);
}

/* A log that is trusted, and of which there is nothing. */
static void print_unseen(void *arg, const char *log)
{
	const struct audit *a = arg;
	size_t i;

	for (i = 0; i < a->logs; i++)
		if (cli_is_of_log(a->seen[i], strlen(a->seen[i]), log))
			return;
	/* --log may name it with an epoch */
	if (a->log && !cli_is_of_log(a->log, strlen(a->log), log))
		return;
	printf("%s: nothing%s\n", log,
	       a->since_us ? " in the history that was read" : " in the history");
}

static enum bus_code print_all(struct audit *a, const struct bus_conf *conf, struct bus_err *err)
{
	struct bus_trust *trust = NULL;
	enum bus_code rc;
	int i;

	rc = bus_audit_findings(a->audit, print_finding, a, err);
	if (!rc && a->rc)
		rc = bus_fail(err, a->rc, "out of memory");
	if (!rc && !a->queue && a->logs)
		rc = bus_trust_load(&trust, conf->trust_file, err);
	if (trust)
		bus_trust_logs(trust, print_unseen, a);
	bus_trust_free(trust);
	for (i = 0; !rc && i < BUS_CODE_COUNT; i++)
		if (a->disbelieved[i])
			printf("not believed, and not counted: %" PRIu64 " messages: %s\n",
			       a->disbelieved[i], bus_code_info[i].name);
	return rc;
}

/* What a queue is for began at a time of its own. */
static enum bus_code open_queue(struct audit *a, const struct bus_conf *conf,
				struct cli_reader *reader, struct bus_err *err)
{
	enum bus_code rc;

	a->of_queue.conf = conf;
	a->of_queue.log = a->log;
	rc = cli_queue_audit_open(&a->of_queue, a->queue, err);
	if (!rc && !a->since_us) {
		reader->start = BUS_STREAM_TIME;
		reader->time_us = bus_audit_queue_since(a->of_queue.queue) - cli_read_margin_us;
	}
	return rc;
}

static enum bus_code audit(struct audit *a, const struct bus_conf *conf, struct bus_err *err)
{
	struct cli_reader reader = { .message = look, .prints_at_end = true, .arg = a };
	enum bus_code rc = BUS_OK;

	reader.start = a->since_us ? BUS_STREAM_TIME : BUS_STREAM_FIRST;
	reader.time_us = a->since_us;
	a->audit = bus_audit_new();
	if (!a->audit)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	rc = bus_intake_open(&a->intake, conf, err);
	if (!rc && a->queue)
		rc = open_queue(a, conf, &reader, err);
	if (!rc)
		rc = cli_read(&reader, conf, &a->read, err);
	if (!rc && a->read.stopped)
		rc = bus_fail(err, BUS_E_TEMP, "interrupted: nothing is proved");
	if (!rc)
		rc = print_all(a, conf, err);
	if (!rc && a->queue)
		rc = cli_queue_audit_print(&a->of_queue, err);
	return rc ? rc : find_evidence(a, reader, conf, err);
}

static bool parse_options(struct audit *a, int argc, char **argv)
{
	static const struct option options[] = { { "log", required_argument, NULL, 'l' },
						 { "since", required_argument, NULL, 's' },
						 { "queue", required_argument, NULL, 'q' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	int opt;

	while ((opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		if (opt == 'l')
			a->log = optarg;
		else if (opt == 'q')
			a->queue = optarg;
		else if (!cli_time(&a->since_us, "--since", optarg))
			return false;
	}
	if (optind < argc)
		cli_usage("unexpected argument '%s'", argv[optind]);
	return optind == argc;
}

static int run(int argc, char **argv)
{
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	struct audit a = { 0 };
	int status = EX_USAGE;
	enum bus_code rc;

	if (!parse_options(&a, argc, argv))
		return status;
	rc = cli_conf(&conf, &err);
	if (!rc)
		rc = audit(&a, conf, &err);
	if (!rc && !a.logs && !a.queue && !a.read.empty)
		fprintf(stderr, "debmsg audit: no believed event%s%s in the history%s\n",
			a.log ? " of " : "", a.log ? a.log : "", a.since_us ? " since then" : "");
	a.bad = a.bad || (!a.logs && !a.queue) || a.of_queue.bad;
	status = rc ? cli_fail(rc, &err) : bus_code_info[a.bad ? BUS_E_NO : BUS_OK].exit_status;
	audit_finish(&a);
	bus_conf_free(conf);
	return cli_finish(status);
}

const struct cli_command cli_audit = { "audit", "prove that the history is complete", help, run };
