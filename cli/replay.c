#include "config.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "backoff.h"
#include "cli.h"
#include "handler.h"
#include "reader.h"
#include "repeats.h"
#include "timestamp.h"

static const char help[] =
	"usage: debmsg replay [OPTION]... [PATTERN]... [--exec CMD [ARG]...]\n"
	"\n"
	"Prints the verified events of the broker's history, each once, in the order in which\n"
	"they were sent; or runs a command for each.  To you alone: no queue is touched.\n"
	"\n"
	"  PATTERN         such as dak, alioth.branch.push; without any: everything\n"
	"  --since T       what happened at 2026-11-22T10:15:00Z, or 15m, 6h, 2d ago, and later\n"
	"  --until T       what happened before that\n"
	"  --log ORIGIN    only this log, with or without its epoch\n"
	"  --from N        from event N of that log on; without its epoch: of the newest one\n"
	"  --limit N       end after N events\n"
	"  --json          print events as received (the default)\n"
	"  --format F      json, line (for people) or export (with proof; see debmsg verify)\n"
	"  --exec CMD ...  all the rest of the line: run this, the event on its stdin;\n"
	"                  exit status 0: done, 75: run it again, all else: it failed\n"
	"  -c, --config FILE\n";

enum { TRIES = 5 };

/* How far a log was read: to say where to go on. */
struct progress {
	char source[BUS_ORIGIN_MAX + 1];
	uint64_t next;
};

struct replay {
	struct bus_intake *intake;
	struct bus_repeats *had;
	struct bus_bindings patterns;
	enum cli_format format;
	bool colours;
	int64_t since_us, until_us; /* 0: not given */
	const char *log;
	bool by_index;
	uint64_t from;
	char newest[BUS_ORIGIN_MAX + 1]; /* epoch of --log, if that had none */
	unsigned long long limit;
	struct bus_handler handler; /* argv NULL: print */

	unsigned long long count, failed, disbelieved;
	bool stopped;	   /* before the command was run again for an event */
	bool any;	   /* an event of --log, or any event, was read */
	uint64_t highest;  /* index of --log that was read */
	uint64_t lowest;   /* the same, but none below --from: it may be an old one sent again */
	int64_t newest_us; /* time of the newest event that was read */
	struct progress *logs;
	size_t log_count;
};

/* -- where to go on -- */

static enum bus_code note_progress(struct replay *r, const struct bus_event *ev, uint64_t next,
				   struct bus_err *err)
{
	struct progress *more;
	size_t i;

	for (i = 0; i < r->log_count; i++)
		if (strcmp(r->logs[i].source, ev->source) == 0)
			break;
	if (i == r->log_count) {
		more = reallocarray(r->logs, i + 1, sizeof(*more));
		if (!more)
			return bus_fail(err, BUS_E_NOMEM, "out of memory");
		r->logs = more;
		r->log_count++;
		snprintf(more[i].source, sizeof(more[i].source), "%s", ev->source);
		more[i].next = 0;
	}
	if (next > r->logs[i].next)
		r->logs[i].next = next;
	return BUS_OK;
}

/* By index: the times of a log's events need not ascend. */
static enum bus_code interrupted(const struct replay *r, struct bus_err *err)
{
	char text[BUS_ORIGIN_MAX + 80];
	size_t i;

	for (i = 0; i < r->log_count; i++) {
		snprintf(text, sizeof(text), "go on with --log %s --from %" PRIu64,
			 r->logs[i].source, r->logs[i].next);
		cli_say(NULL, text);
	}
	return bus_fail(err, BUS_E_TEMP, "interrupted after %llu events: the output is not whole",
			r->count);
}

/* -- one event -- */

static bool pause_or_stop(int ms)
{
	struct pollfd stop = { .fd = cli_stop_fd(), .events = POLLIN };

	return poll(&stop, 1, ms) > 0;
}

static void say_failed(const struct bus_event *ev, const char *reason)
{
	char text[BUS_ORIGIN_MAX + 400];

	cli_read_clear();
	snprintf(text, sizeof(text), "%s/%" PRIu64 ": %s", ev->source, ev->id, reason);
	cli_say(NULL, text);
}

static enum bus_code run_handler(struct replay *r, const struct bus_event *ev,
				 const struct bus_message *m, struct bus_err *err)
{
	struct bus_handler_result result;
	enum bus_code rc;
	unsigned int i;

	for (i = 0;; i++) {
		rc = bus_handler_run(&r->handler, ev, m, false, &result, err);
		if (rc || result.outcome == BUS_INBOX_DONE)
			return rc;
		if (result.outcome == BUS_INBOX_GAVE_UP || i + 1 == TRIES)
			break;
		r->stopped = pause_or_stop(bus_backoff_ms(i));
		if (r->stopped)
			return BUS_E_NO;
	}
	r->failed++;
	say_failed(ev, result.reason);
	return BUS_OK;
}

static enum bus_code act(struct replay *r, const struct bus_belief *belief,
			 const struct bus_message *m, struct bus_err *err)
{
	enum bus_code rc;

	rc = r->handler.argv ? run_handler(r, belief->event, m, err)
			     : cli_print(stdout, r->format, r->colours, belief, m, err);
	if (rc)
		return rc;
	r->count++;
	return ferror(stdout) || (r->limit && r->count >= r->limit) ? BUS_E_NO : BUS_OK;
}

static void disbelieve(struct replay *r, const struct bus_message *m, enum bus_code rc,
		       const char *why)
{
	if (!bus_bindings_match(&r->patterns, m->routing_key))
		return;
	r->disbelieved++;
	cli_read_clear();
	cli_print_disbelief(m, rc, why);
}

static bool is_wanted(const struct replay *r, const struct bus_message *m,
		      const struct bus_event *ev, int64_t time_us)
{
	return (!r->by_index || ev->id >= r->from) && time_us >= r->since_us &&
	       (!r->until_us || time_us < r->until_us) &&
	       bus_bindings_want(&r->patterns, m->routing_key, ev->type);
}

static enum bus_code replay_event(struct replay *r, const struct bus_belief *belief,
				  const struct bus_message *m, struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	enum bus_seen seen;
	int64_t time_us = 0;
	enum bus_code rc;

	if (r->log && !cli_is_of_log(ev->source, strlen(ev->source), r->log))
		return BUS_OK;
	rc = bus_repeats_look(r->had, ev->source, ev->id, &belief->leaf, &seen, err);
	if (rc)
		return rc;
	if (seen == BUS_SEEN_OTHER)
		disbelieve(r, m, BUS_E_EQUIVOCATION,
			   "another body came under this source and id before; see debmsg audit");
	if (seen != BUS_SEEN_NEW)
		return BUS_OK;
	bus_time_parse(&time_us, ev->time); /* intake has seen that it can be */
	r->newest_us = time_us > r->newest_us ? time_us : r->newest_us;
	if (ev->id >= r->from && ev->id < r->lowest)
		r->lowest = ev->id;
	r->highest = ev->id > r->highest ? ev->id : r->highest;
	r->any = true;
	if (is_wanted(r, m, ev, time_us))
		rc = act(r, belief, m, err);
	if (rc && rc != BUS_E_NO)
		return rc;
	if (note_progress(r, ev, r->stopped ? ev->id : ev->id + 1, err))
		return BUS_E_NOMEM;
	return rc;
}

static enum bus_code take(void *arg, const struct bus_message *m, struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief;
	struct replay *r = arg;
	enum bus_code rc;

	/* with --from all of the log is looked at, to tell what of it is kept */
	if (!r->by_index && !bus_bindings_match(&r->patterns, m->routing_key))
		return BUS_OK;
	rc = bus_intake_check(r->intake, m, NULL, &belief, &why);
	if (rc && bus_code_info[rc].fate == BUS_FATE_PARK) {
		disbelieve(r, m, rc, why.text);
		return BUS_OK;
	}
	if (rc)
		return bus_fail(err, rc, "%s", why.text);
	rc = replay_event(r, &belief, m, err);
	bus_event_free(belief.event);
	return rc;
}

static void flush(void *arg)
{
	(void)arg;
	fflush(stdout);
}

/* -- the newest epoch of a log: the history is read for it -- */

static enum bus_code look_for_newest(void *arg, const struct bus_message *m, struct bus_err *err)
{
	const char *slash = m->message_id ? strrchr(m->message_id, '/') : NULL;
	const size_t len = slash ? (size_t)(slash - m->message_id) : 0;
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief;
	struct replay *r = arg;
	enum bus_code rc;

	/* what it calls itself is not believed, but spares us most of the checks */
	if (m->message_id &&
	    (!cli_is_of_log(m->message_id, len, r->log) ||
	     (strlen(r->newest) == len && strncmp(m->message_id, r->newest, len) <= 0)))
		return BUS_OK;
	rc = bus_intake_check(r->intake, m, NULL, &belief, &why);
	if (rc)
		return bus_code_info[rc].fate == BUS_FATE_PARK ? BUS_OK
							       : bus_fail(err, rc, "%s", why.text);
	if (cli_is_of_log(belief.event->source, strlen(belief.event->source), r->log) &&
	    strcmp(belief.event->source, r->newest) > 0)
		snprintf(r->newest, sizeof(r->newest), "%s", belief.event->source);
	bus_event_free(belief.event);
	return BUS_OK;
}

static enum bus_code find_newest(struct replay *r, const struct bus_conf *conf, struct bus_err *err)
{
	const struct cli_reader reader = { .start = BUS_STREAM_FIRST,
					   .message = look_for_newest,
					   .prints_at_end = true,
					   .arg = r };
	struct cli_read_result result;
	enum bus_code rc = cli_read(&reader, conf, &result, err);

	if (!rc && result.stopped)
		return interrupted(r, err);
	if (!rc && !*r->newest)
		return bus_fail(err, BUS_E_NO, "no believed event of %s in the history", r->log);
	if (!rc)
		r->log = r->newest;
	return rc;
}

/* -- the whole -- */

/* What was asked for and is not there; BUS_E_NO: events that have a number. */
static enum bus_code explain(const struct replay *r, const struct cli_read_result *result,
			     struct bus_err *err)
{
	char newest[BUS_TIME_LEN + 1];

	if (r->by_index && !r->any)
		return bus_fail(err, BUS_E_NO, "no believed event of %s in the history", r->log);
	if (r->by_index && r->from > r->highest)
		return bus_fail(err, BUS_E_NO,
				"%" PRIu64 " is beyond the newest event that the history has of "
				"%s, which is %" PRIu64,
				r->from, r->log, r->highest);
	if (r->by_index && !r->since_us && r->lowest > r->from)
		return bus_fail(err, BUS_E_NO,
				"%" PRIu64 "..%" PRIu64 " are not in the history any more: the "
				"next that it has of %s is %" PRIu64,
				r->from, r->lowest - 1, r->log, r->lowest);
	if (r->count || result->empty)
		return BUS_OK;
	bus_time_format(newest, r->newest_us);
	if (r->any && r->since_us > r->newest_us)
		fprintf(stderr, "debmsg replay: nothing since then: the newest event is of %s\n",
			newest);
	else
		fputs("debmsg replay: no event of the history is what was asked for\n", stderr);
	return BUS_OK;
}

static enum bus_code conclude(struct replay *r, const struct cli_read_result *result,
			      struct bus_err *err)
{
	enum bus_code rc;

	if (result->stopped || r->stopped)
		return interrupted(r, err);
	rc = explain(r, result, err);
	if (r->disbelieved)
		fprintf(stderr, "debmsg replay: %llu messages were not believed and left out\n",
			r->disbelieved);
	if (!rc && r->failed)
		return bus_fail(err, BUS_E_NO, "the command failed for %llu of %llu events",
				r->failed, r->count);
	return rc;
}

static enum bus_code replay(struct replay *r, const struct bus_conf *conf, struct bus_err *err)
{
	struct cli_reader reader = { .message = take, .caught_up = flush, .arg = r };
	struct cli_read_result result;
	enum bus_code rc;

	r->had = bus_repeats_new();
	if (!r->had)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	rc = bus_intake_open(&r->intake, conf, err);
	if (!rc && r->by_index && !bus_origin_valid(r->log))
		rc = find_newest(r, conf, err);
	if (rc)
		return rc;
	reader.start = r->since_us ? BUS_STREAM_TIME : BUS_STREAM_FIRST;
	reader.time_us = r->since_us - cli_read_margin_us;
	reader.reconnect = r->handler.argv != NULL; /* no heartbeat is answered while it runs */
	rc = cli_read(&reader, conf, &result, err);
	return rc ? rc : conclude(r, &result, err);
}

static bool check_options(const struct replay *r)
{
	const char *wrong = NULL;

	if (r->by_index && !r->log)
		wrong = "--from counts in one log: name it with --log";
	else if (r->until_us && r->until_us <= r->since_us)
		wrong = "--until is not after --since";
	if (wrong)
		cli_usage("%s", wrong);
	return !wrong;
}

static bool parse_index(struct replay *r, const char *text)
{
	r->by_index = bus_decimal_parse(&r->from, text, strlen(text));
	if (!r->by_index)
		cli_usage("--from %s: the index of an event is a whole number, 0 or more", text);
	return r->by_index;
}

static bool parse_options(struct replay *r, int argc, char **argv)
{
	static const struct option options[] = { { "since", required_argument, NULL, 's' },
						 { "until", required_argument, NULL, 'u' },
						 { "log", required_argument, NULL, 'l' },
						 { "from", required_argument, NULL, 'i' },
						 { "limit", required_argument, NULL, 'n' },
						 { "json", no_argument, NULL, 'j' },
						 { "format", required_argument, NULL, 'f' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	bool ok;
	int opt;

	r->handler.argv = cli_exec(&argc, argv, &ok);
	while (ok && (opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		if (opt == 's')
			ok = cli_time(&r->since_us, "--since", optarg);
		else if (opt == 'u')
			ok = cli_time(&r->until_us, "--until", optarg);
		else if (opt == 'l')
			r->log = optarg;
		else if (opt == 'i')
			ok = parse_index(r, optarg);
		else if (opt == 'n')
			ok = cli_number(&r->limit, "--limit", optarg);
		else if (opt == 'f')
			ok = cli_format(&r->format, optarg);
		else
			r->format = CLI_JSON;
	}
	if (!ok || !check_options(r))
		return false;
	if (optind == argc)
		return bus_bindings_add(&r->patterns, "#", NULL) == BUS_OK;
	return cli_patterns(&r->patterns, argv + optind, argc - optind);
}

static int run(int argc, char **argv)
{
	struct replay r = { .format = CLI_JSON,
			    .colours = cli_colours(STDOUT_FILENO),
			    .lowest = UINT64_MAX };
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	int status = EX_USAGE;
	enum bus_code rc;

	if (!parse_options(&r, argc, argv))
		goto out;
	rc = cli_conf(&conf, &err);
	if (!rc)
		rc = replay(&r, conf, &err);
	status = rc ? cli_fail(rc, &err) : r.disbelieved ? EX_PROTOCOL : EX_OK;
	status = cli_finish(status);
out:
	free(r.logs);
	bus_repeats_free(r.had);
	bus_intake_close(r.intake);
	bus_conf_free(conf);
	bus_bindings_finish(&r.patterns);
	return status;
}

const struct cli_command cli_replay = { "replay", "print the history again, or act on it", help,
					run };
