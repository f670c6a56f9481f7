#include "config.h"

#include "queue_audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"

static enum bus_code connect(struct bus_broker **ret, const struct bus_conf *conf,
			     struct bus_err *err)
{
	const struct bus_broker_login login = { .conf = &conf->broker, .purpose = "debmsg audit" };

	return bus_broker_open(ret, &login, err);
}

enum bus_code cli_queue_audit_open(struct cli_queue_audit *qa, const char *name,
				   struct bus_err *err)
{
	struct bus_broker *broker = NULL;
	enum bus_code rc = connect(&broker, qa->conf, err);

	if (rc)
		return rc;
	/* a queue's name begins with its user's, which a certificate may have chosen */
	if (asprintf(&qa->name, "%s.%s", bus_broker_user(broker), name) < 0) {
		qa->name = NULL;
		rc = bus_fail(err, BUS_E_NOMEM, "out of memory");
	}
	bus_broker_close(broker);
	return rc ? rc : bus_audit_queue_open(&qa->queue, qa->conf->state_directory, qa->name, err);
}

void cli_queue_audit_close(struct cli_queue_audit *qa)
{
	bus_audit_queue_close(qa->queue);
	free(qa->name);
}

void cli_print_holes(const struct bus_holes *holes)
{
	size_t i;

	for (i = 0; i < holes->count; i++)
		printf("%s%" PRIu64 "..%" PRIu64, i ? ", " : "", holes->hole[i].from,
		       holes->hole[i].to);
}

static void print_missing(const struct cli_queue_audit *qa, const struct bus_audit_queue_finding *f)
{
	printf("missing ");
	cli_print_holes(f->missing);
	if (qa->is_empty && f->after_count) {
		printf(f->missing_count ? ", " : "");
		cli_print_holes(f->after);
	}
}

static void print_finding(void *arg, const struct bus_audit_queue_finding *f)
{
	struct cli_queue_audit *qa = arg;
	const bool after_is_missing = f->after_count && qa->is_empty;

	if (!f->had && !f->missing_count && !f->after_count)
		return;
	if (qa->log && !cli_is_of_log(f->origin, strlen(f->origin), qa->log))
		return;
	qa->any = true;
	printf("%s: ", f->origin);
	if (f->missing_count || after_is_missing)
		print_missing(qa, f);
	else if (f->had)
		printf("complete %" PRIu64 "..%" PRIu64, f->first, f->last);
	else
		printf("nothing had");
	printf(" (%" PRIu64 " events had", f->had);
	if (f->missing_count || after_is_missing)
		printf(", %" PRIu64 " missing",
		       f->missing_count + (after_is_missing ? f->after_count : 0));
	if (f->waiting)
		printf(", %" PRIu64 " wait for their command", f->waiting);
	if (f->failed)
		printf(", %" PRIu64 " failed", f->failed);
	if (f->after_count && !after_is_missing) {
		printf(", ");
		cli_print_holes(f->after);
		printf(" not yet");
	}
	puts(")");
	if (f->others)
		printf("%s: equivocation: %" PRIu64
		       " events were had with another body than the history has\n",
		       f->origin, f->others);
	qa->not_yet += f->after_count;
	qa->bad = qa->bad || f->missing_count || after_is_missing || f->others;
}

static enum bus_code print_lost(void *arg, const struct bus_ledger_range *range,
				struct bus_err *err)
{
	struct cli_queue_audit *qa = arg;

	(void)err;
	if (qa->log && !cli_is_of_log(range->source, strlen(range->source), qa->log))
		return BUS_OK;
	printf("%s: missing of type %s: its %" PRIu64 "..%" PRIu64
	       " (typesequence), which consume did not find in the history\n",
	       range->source, range->type, range->first, range->last);
	qa->bad = true;
	return BUS_OK;
}

/* What was not had and is newer than all that was: does the queue hold it? */
static void print_queue(struct cli_queue_audit *qa, const struct bus_broker_waiting *w,
			uint64_t after)
{
	if (!w->exists)
		printf("queue %s is not there\n", qa->name);
	else if (w->consumers)
		printf("queue %s: somebody consumes it now, and %u messages wait\n", qa->name,
		       w->messages);
	else if (w->messages < after && w->messages && qa->not_yet)
		printf("queue %s holds %u messages and should hold %" PRIu64
		       ": of what is not there yet at least %" PRIu64 " are missing\n",
		       qa->name, w->messages, after, after - w->messages);
	else
		printf("queue %s holds %u messages\n", qa->name, w->messages);
	if (!w->consumers && w->messages < after && qa->not_yet)
		qa->bad = true;
}

enum bus_code cli_queue_audit_print(struct cli_queue_audit *qa, struct bus_err *err)
{
	struct bus_broker_waiting waiting = { 0 };
	struct bus_broker *broker = NULL;
	uint64_t after = 0;
	enum bus_code rc;

	rc = connect(&broker, qa->conf, err);
	if (!rc)
		rc = bus_broker_waiting(broker, qa->name, &waiting, err);
	bus_broker_close(broker);
	if (rc)
		return rc;
	qa->is_empty = !waiting.consumers && !waiting.messages;
	rc = bus_audit_queue_findings(qa->queue, print_finding, qa, &after, err);
	if (!rc)
		rc = bus_audit_queue_lost(qa->queue, print_lost, qa, err);
	if (rc)
		return rc;
	if (!qa->any)
		printf("queue %s: the history has nothing that it wants%s%s\n", qa->name,
		       qa->log ? " of " : "", qa->log ? qa->log : "");
	print_queue(qa, &waiting, after);
	return BUS_OK;
}
