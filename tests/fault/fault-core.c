#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "fault_files.h"
#include "fault_run.h"
#include "faulty_memory.h"
#include "intake.h"
#include "keeper.h"
#include "ledger.h"
#include "outbox.h"
#include "signed_batch.h"
#include "timestamp.h"

/*
 * Both halves of the bus without a broker, while allocations and SQLite's writes
 * fail in turn: see fault_run.h.
 *
 *	relay		outbox, signature, proof, sent: what is signed is believed
 *	receive		proof, signature, event, trust, ledger, inbox: no message is
 *			taken for a bad one
 *	handlers	inbox, keeper, handler: each event's handler ran, and not twice
 *			but where it was told so
 *
 * tests/fault/inputs makes the keys.
 */
extern char **environ;

enum { EVENTS = 3 };

static char base[200]; /* the directory of all runs */

static void use_conf(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/keys/debmsg.conf", base);
	setenv("DEBMSG_CONF", path, 1);
}

/* -- the sending half -- */

struct sender {
	struct bus_conf *conf;
	struct bus_outbox *box;
	struct bus_signing signing;
};

static enum bus_code open_sender(struct sender *s, struct bus_err *err)
{
	struct bus_outbox_params params = { .create = true, .wait_ms = 100 };
	const struct bus_conf_service *service = NULL;
	char *directory = NULL;
	enum bus_code rc;

	rc = bus_conf_load(&s->conf, NULL, err);
	if (!rc)
		rc = bus_conf_service(s->conf, "dak", &service, err);
	if (!rc) {
		directory = bus_conf_outbox_dir(s->conf, "dak");
		params.directory = directory;
		params.name = service->origin;
		params.environment = s->conf->environment;
		params.service = service->name;
		params.max_event_size = s->conf->max_event_size;
		rc = directory ? bus_outbox_open(&s->box, &params, err)
			       : bus_fail(err, BUS_E_NOMEM, "out of memory");
	}
	free(directory);
	if (rc)
		return rc;
	s->signing.key = s->conf->signing_key;
	return bus_keyring_open(&s->signing.ring, s->conf->signing_homedir, err);
}

static void close_sender(struct sender *s)
{
	bus_keyring_close(s->signing.ring);
	bus_outbox_close(s->box);
	bus_conf_free(s->conf);
}

/* Two transactions, unless they are there already. */
static enum bus_code append_all(struct sender *s, uint64_t size, struct bus_err *err)
{
	static const char data[] = "{\"summary\":\"s\",\"list\":[1,{\"a\":\"\\u00fc\"}]}";
	enum bus_code rc = BUS_OK;
	char subject[20];
	uint64_t id;

	while (!rc && size < EVENTS) {
		const struct bus_draft draft = { "org.debian.dev.dak.upload.accept", subject, 0,
						 data, sizeof(data) - 1 };

		rc = bus_outbox_begin(s->box, err);
		do {
			snprintf(subject, sizeof(subject), "event-%d", (int)size);
			if (!rc)
				rc = bus_outbox_append(s->box, &draft, &id, err);
		} while (!rc && ++size == EVENTS - 1);
		if (!rc)
			rc = bus_outbox_commit(s->box, err);
		bus_outbox_rollback(s->box);
	}
	return rc;
}

/* As a publisher does it, with a broker that confirms at once. */
static enum bus_code send_all(struct sender *s, uint64_t sent, struct bus_err *err)
{
	struct bus_buf proof = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_signed_batch *batch = NULL;
	enum bus_code rc = BUS_OK;

	while (!rc) {
		rc = bus_signed_batch_load(&batch, s->box, sent, &s->signing, err);
		if (rc || !batch)
			break;
		for (; !rc && sent < bus_signed_batch_end(batch); sent++) {
			bus_buf_clear(&proof);
			bus_signed_batch_proof(batch, sent, &proof);
			rc = bus_buf_check(&proof, "proof", err);
		}
		if (!rc)
			rc = bus_outbox_sent(s->box, sent, err);
		bus_signed_batch_free(batch);
		batch = NULL;
	}
	bus_buf_finish(&proof);
	return rc;
}

static int run_relay(void)
{
	struct bus_outbox_state state = { .size = 0 };
	struct sender s = { .conf = NULL };
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;

	rc = open_sender(&s, &err);
	if (!rc)
		rc = bus_outbox_state(s.box, &state, &err);
	if (!rc)
		rc = append_all(&s, state.size, &err);
	if (!rc)
		rc = send_all(&s, state.sent, &err);
	close_sender(&s);
	return rc ? fault_status(rc, &err) : 0;
}

/* -- what was sent, as its receivers see it -- */

static enum bus_code export_one(FILE *out, const struct bus_signed_batch *batch, uint64_t id,
				struct bus_err *err)
{
	const struct bus_outbox_event *ev = bus_signed_batch_event(batch, id);
	struct bus_buf proof = BUS_BUF_INIT(BUS_PROOF_MAX), line = BUS_BUF_INIT(1 << 20);
	struct bus_message m = { .body_len = ev->body_len };
	enum bus_code rc;

	bus_signed_batch_proof(batch, id, &proof);
	m.routing_key = (char *)(uintptr_t)ev->routing_key;
	m.body = (char *)(uintptr_t)ev->body;
	m.proof = proof.p;
	m.proof_len = proof.len;
	bus_message_export(&line, &m);
	rc = bus_buf_check(&line, "message", err);
	if (!rc)
		fwrite(line.p, 1, line.len, out);
	bus_buf_finish(&line);
	bus_buf_finish(&proof);
	return rc;
}

static enum bus_code export_all(FILE *out, struct bus_err *err)
{
	struct bus_signed_batch *batch = NULL;
	struct sender s = { .conf = NULL };
	enum bus_code rc;
	uint64_t id = 0;

	rc = open_sender(&s, err);
	while (!rc) {
		rc = bus_signed_batch_load(&batch, s.box, id, &s.signing, err);
		if (rc || !batch)
			break;
		for (; !rc && id < bus_signed_batch_end(batch); id++)
			rc = export_one(out, batch, id, err);
		bus_signed_batch_free(batch);
		batch = NULL;
	}
	close_sender(&s);
	return rc;
}

/* Calls each() for the messages of a file, whatever they are. */
static enum bus_code each_message(FILE *in,
				  enum bus_code (*each)(void *arg, const struct bus_message *m,
							struct bus_err *err),
				  void *arg, struct bus_err *err)
{
	struct bus_message_reader *reader = NULL;
	struct bus_message *m = NULL;
	enum bus_code rc;

	rc = bus_message_reader_new(&reader, in, err);
	while (!rc) {
		rc = bus_message_read(reader, &m, err);
		if (rc || !m)
			break;
		rc = each(arg, m, err);
		bus_message_free(m);
	}
	bus_message_reader_free(reader);
	return rc;
}

struct judge {
	struct bus_intake *in;
	FILE *out;
};

static enum bus_code believe(void *arg, const struct bus_message *m, struct bus_err *err)
{
	const struct judge *judge = arg;
	struct bus_belief belief = { .event = NULL };
	const enum bus_code rc = bus_intake_check(judge->in, m, NULL, &belief, err);

	fprintf(judge->out, "%s: %s\n", rc ? err->text : belief.event->subject,
		bus_code_info[rc].name);
	bus_event_free(belief.event);
	return BUS_OK;
}

static enum bus_code dump_relay(FILE *out, struct bus_err *err)
{
	struct judge judge = { NULL, out };
	struct bus_conf *conf = NULL;
	enum bus_code rc = fault_dump_outbox(out, "dak", err);
	FILE *file = fopen("messages", "w+");

	if (!file)
		return BUS_E_BUG;
	if (!rc)
		rc = export_all(file, err);
	rewind(file);
	if (!rc)
		rc = bus_conf_load(&conf, NULL, err);
	if (!rc)
		rc = bus_intake_open(&judge.in, conf, err);
	if (!rc)
		rc = each_message(file, believe, &judge, err);
	bus_intake_close(judge.in);
	bus_conf_free(conf);
	fclose(file);
	return rc;
}

/* -- the receiving half -- */

struct receiver {
	struct bus_conf *conf;
	struct bus_intake *in;
	struct bus_ledger *ledger;
};

static enum bus_code put(struct receiver *r, const struct bus_message *m,
			 const struct bus_belief *belief, struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	struct bus_ledger_position position = { .last = ev->typesequence, .was_had = true };
	enum bus_seen seen = BUS_SEEN_NEW;
	enum bus_code rc;

	bus_time_parse(&position.time_us, ev->time);
	rc = bus_ledger_look(r->ledger, ev->source, ev->id, &belief->leaf, &seen, err);
	if (!rc && seen == BUS_SEEN_OTHER)
		rc = bus_fail(err, BUS_E_EQUIVOCATION, "another body");
	if (rc || seen == BUS_SEEN_REPEAT)
		return rc;
	rc = bus_inbox_put(r->ledger, belief, m, err);
	if (!rc)
		rc = bus_ledger_note(r->ledger, ev->source, ev->id, &belief->leaf, err);
	if (!rc)
		rc = bus_ledger_advance(r->ledger, ev->source, ev->type, &position, err);
	if (!rc)
		rc = bus_ledger_hear(r->ledger, ev->source, position.time_us, err);
	return rc ? rc : bus_ledger_commit(r->ledger, err);
}

static enum bus_code receive(void *arg, const struct bus_message *m, struct bus_err *err)
{
	struct bus_belief belief = { .event = NULL };
	struct receiver *r = arg;
	enum bus_code rc = bus_intake_check(r->in, m, NULL, &belief, err);

	if (!rc)
		rc = put(r, m, &belief, err);
	bus_event_free(belief.event);
	return rc;
}

static int run_receive(void)
{
	struct receiver r = { .conf = NULL };
	struct bus_err err = { BUS_OK, "" };
	FILE *file = fopen("messages", "r"); /* before anything fails: it stands for the broker */
	enum bus_code rc;

	rc = file ? bus_conf_load(&r.conf, NULL, &err)
		  : bus_fail(&err, BUS_E_NOMEM, "messages: out of memory");
	if (!rc)
		rc = bus_intake_open(&r.in, r.conf, &err);
	if (!rc)
		rc = bus_ledger_open(&r.ledger, "state", "q", true, &err);
	if (!rc)
		rc = each_message(file, receive, &r, &err);
	bus_ledger_close(r.ledger);
	bus_intake_close(r.in);
	bus_conf_free(r.conf);
	if (file)
		fclose(file);
	return rc ? fault_status(rc, &err) : 0;
}

static enum bus_code dump_inbox(FILE *out, struct bus_err *err)
{
	struct bus_ledger *ledger = NULL;
	struct bus_inbox_item *item;
	int64_t number = 0;
	enum bus_code rc;

	rc = bus_ledger_open(&ledger, "state", "q", true, err);
	while (!rc) {
		rc = bus_inbox_find(ledger, BUS_INBOX_WAITING, number, &item, err);
		if (rc)
			break;
		number = item->number;
		fprintf(out, "%s %zu %zu %.*s\n", item->message->routing_key,
			item->message->body_len, item->message->proof_len,
			(int)item->message->body_len, item->message->body);
		bus_inbox_item_free(item);
	}
	bus_ledger_close(ledger);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

/* -- handlers -- */

static bool has_trouble;

static void say(void *arg, const char *text)
{
	(void)arg;
	has_trouble = true;
	fprintf(stderr, "%s\n", text);
}

static const struct bus_say to_stderr = { .line = say };

/* Until nothing is left, or something was said. */
static enum bus_code work_off(struct bus_jobs *jobs, struct bus_err *err)
{
	struct bus_jobs_state state = { 0 };
	struct pollfd p = { .fd = bus_jobs_fd(jobs), .events = POLLIN };
	enum bus_code rc;

	while (!(rc = bus_jobs_step(jobs, true, &state, err)) && (state.running || state.waiting) &&
	       !has_trouble)
		poll(&p, 1, state.wait_ms);
	return !rc && has_trouble ? bus_fail(err, BUS_E_TEMP, "see above") : rc;
}

static int run_handlers(void)
{
	static char shell[] = "/bin/sh", c[] = "-c";
	static char script[] = "echo \"$DEBMSG_SUBJECT ${DEBMSG_RETRY:-0}\" >>had";
	static char *argv[] = { shell, c, script, NULL };
	const struct bus_jobs_options options = {
		.handler = { argv, 60 },
		.jobs = 1,
		.tries = 20,
		.say = to_stderr,
	};
	struct bus_ledger *ledger = NULL;
	struct bus_err err = { BUS_OK, "" };
	struct bus_jobs *jobs = NULL;
	enum bus_code rc;

	rc = bus_ledger_open(&ledger, "state", "q", true, &err);
	if (!rc)
		rc = bus_jobs_open(&jobs, ledger, &options, &err);
	if (!rc)
		rc = work_off(jobs, &err);
	bus_jobs_close(jobs);
	bus_ledger_close(ledger);
	return rc ? fault_status(rc, &err) : 0;
}

/* The second time nobody else is at work, and what is said is no trouble. */
static int run_handlers_again(void)
{
	int attempt, status = 75;

	for (attempt = 0; status == 75 && attempt < 100; attempt++) {
		has_trouble = false;
		status = run_handlers();
	}
	return status;
}

/* Each once; a further time only where the handler was told. */
static enum bus_code dump_handlers(FILE *out, struct bus_err *err)
{
	FILE *had = fopen("had", "r");
	char line[200], subject[100];
	int retry, i, times[EVENTS] = { 0 };

	while (had && fgets(line, sizeof(line), had))
		if (sscanf(line, "%99s %d", subject, &retry) == 2)
			for (i = 0; i < EVENTS; i++)
				times[i] += subject[6] == '0' + i && !retry;
	if (had)
		fclose(had);
	for (i = 0; i < EVENTS; i++)
		fprintf(out, "event %d: %d times\n", i, times[i]);
	return dump_inbox(out, err);
}

/* -- all of them -- */

static const struct fault_scenario scenarios[] = {
	{
		.name = "relay",
		.memory_min = 300,
		.disk_min = 20,
		.cost = 2,
		.begin = use_conf,
		.run = run_relay,
		.dump = dump_relay,
	},
	{
		.name = "receive",
		.input = "received",
		.memory_min = 300,
		.disk_min = 20,
		.begin = use_conf,
		.run = run_receive,
		.dump = dump_inbox,
	},
	{
		.name = "handlers",
		.input = "inbox",
		.memory_min = 100,
		.disk_min = 5,
		.cost = 2,
		.begin = use_conf,
		.run = run_handlers,
		.again = run_handlers_again,
		.dump = dump_handlers,
	},
};

enum { SCENARIOS = sizeof(scenarios) / sizeof(*scenarios) };

static int run_program(const char *file, const char *a, const char *b)
{
	char *argv[] = { (char *)(uintptr_t)file, (char *)(uintptr_t)a, (char *)(uintptr_t)b,
			 NULL };
	int status = -1;
	pid_t pid;

	if (posix_spawnp(&pid, file, NULL, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	return status;
}

/*
 * Each half's work is what the next one begins with: what is sent is received,
 * what is received waits for a handler.
 */
static bool make(const char *from, int (*run)(void),
		 enum bus_code (*dump)(FILE *out, struct bus_err *err), const char *to)
{
	char first[PATH_MAX], here[PATH_MAX], second[PATH_MAX];
	struct bus_err err = { BUS_OK, "" };
	int status = -1;
	pid_t pid;

	snprintf(first, sizeof(first), "%s/%s", base, from);
	snprintf(here, sizeof(here), "%s/run", base);
	snprintf(second, sizeof(second), "%s/%s", base, to);
	fault_remove(here);
	if (!fault_copy(first, here))
		return false;
	pid = fork(); /* what fails later has to find libraries as they are at first */
	if (pid == 0) {
		FILE *null = fopen("/dev/null", "w");

		use_conf();
		status = null && chdir(here) == 0 ? run() : 99;
		if (!status && dump)
			status = dump(null, &err) != BUS_OK;
		exit(status);
	}
	waitpid(pid, &status, 0);
	return status == 0 && fault_copy(here, second);
}

static bool make_inputs(void)
{
	const char *srcdir = getenv("DEBMSG_SRCDIR");
	char script[PATH_MAX];

	snprintf(script, sizeof(script), "%s/tests/fault/inputs", srcdir ? srcdir : ".");
	return run_program(script, base, "keys") == 0;
}

int main(int argc, char **argv)
{
	int wrong = 0, i;

	if (bus_keeper_wanted(argv))
		return bus_keeper_main(argc, argv, &to_stderr);
	if (!fault_begin(base, "fault-core"))
		return 99;
	if (!make_inputs()) {
		printf("tests/fault/inputs failed\n");
		return 99;
	}
	if (!make("nothing", run_relay, dump_relay, "received") ||
	    !make("received", run_receive, NULL, "inbox")) {
		printf("without a fault it fails\n");
		return 99;
	}
	for (i = 0; i < SCENARIOS; i++)
		if (fault_is_wanted(scenarios[i].name, argc, argv))
			wrong += fault_run(&scenarios[i], base);
	run_program("gpgconf", "--kill", "all");
	fault_end(base);
	return wrong != 0;
}
