#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "keeper.h"

/*
 * What debmsg consume --exec does, without a broker.
 *
 *	run-jobs fill STATE-DIRECTORY FIRST END SUBJECTS  puts them into the inbox of queue q
 *	run-jobs run STATE-DIRECTORY JOBS COMMAND...	  until nothing is left
 *	run-jobs record FILE				  a handler: appends "id subject retry"
 *
 * `run` ends with 1 if something failed.
 */
static void say(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "run-jobs: %s\n", text);
}

static int give_up(const struct bus_err *err)
{
	say(NULL, err->text);
	return bus_code_info[err->code].exit_status;
}

static enum bus_code put(struct bus_ledger *ledger, int i, int subjects, struct bus_err *err)
{
	static const char source[] = "ftp-master.example/dak/20261122T101500Z";
	static const char data[] = "{\"summary\":\"s\"}";
	char subject[20], body[4096], proof[] = "proof", key[] = "key";
	struct bus_draft draft = { "org.debian.dev.dak.upload.accept", subject, 0, data,
				   sizeof(data) - 1 };
	struct bus_buf out = BUS_BUF_INIT(sizeof(body));
	struct bus_message m = { .routing_key = key, .proof = proof, .proof_len = 5 };
	struct bus_belief belief = { 0 };
	enum bus_code rc;

	snprintf(subject, sizeof(subject), "s%d", i % subjects);
	rc = bus_event_build(&out, &draft, source, (uint64_t)i, (uint64_t)i + 1, err);
	if (!rc)
		rc = bus_event_parse(&belief.event, out.p, out.len, err);
	m.body = out.p;
	m.body_len = out.len;
	if (!rc)
		rc = bus_inbox_put(ledger, &belief, &m, err);
	bus_event_free(belief.event);
	bus_buf_finish(&out);
	return rc;
}

static enum bus_code fill(struct bus_ledger *ledger, char **argv, struct bus_err *err)
{
	const int end = (int)strtol(argv[1], NULL, 10), subjects = (int)strtol(argv[2], NULL, 10);
	enum bus_code rc = BUS_OK;
	int i;

	for (i = (int)strtol(argv[0], NULL, 10); !rc && i < end; i++)
		rc = put(ledger, i, subjects, err);
	return rc ? rc : bus_ledger_commit(ledger, err);
}

static enum bus_code run(struct bus_ledger *ledger, int jobs_at_once, char **argv, bool *ret_failed,
			 struct bus_err *err)
{
	const struct bus_jobs_options options = {
		.handler = { argv, 60 },
		.jobs = (unsigned int)jobs_at_once,
		.tries = 20,
		.say = { .line = say },
	};
	struct bus_jobs_state state = { 0 };
	struct bus_jobs *jobs = NULL;
	struct pollfd p = { .events = POLLIN };
	enum bus_code rc;

	rc = bus_jobs_open(&jobs, ledger, &options, err);
	if (rc)
		return rc;
	p.fd = bus_jobs_fd(jobs);
	while (!(rc = bus_jobs_step(jobs, true, &state, err)) && (state.running || state.waiting))
		poll(&p, 1, state.wait_ms);
	bus_jobs_close(jobs);
	*ret_failed = state.failed > 0;
	return rc;
}

/* One that takes a moment of varying length, and whose effect is on the disk. */
static int record(const char *path)
{
	const char *id = getenv("DEBMSG_ID"), *subject = getenv("DEBMSG_SUBJECT");
	const char *retry = getenv("DEBMSG_RETRY");
	char line[100];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600), len;

	if (fd < 0 || !id || !subject)
		return EX_USAGE;
	usleep((useconds_t)(strtol(id, NULL, 10) * 7919 % 8000));
	len = snprintf(line, sizeof(line), "%s %s %s\n", id, subject, retry ? retry : "0");
	return write(fd, line, (size_t)len) == len && fsync(fd) == 0 ? EX_OK : EX_IOERR;
}

int main(int argc, char **argv)
{
	const struct bus_say to_stderr = { .line = say };
	struct bus_ledger *ledger = NULL;
	struct bus_err err = { BUS_OK, "" };
	bool failed = false;
	enum bus_code rc;

	if (bus_keeper_wanted(argv))
		return bus_keeper_main(argc, argv, &to_stderr);
	if (argc == 3 && strcmp(argv[1], "record") == 0)
		return record(argv[2]);
	if (argc < 5 || (strcmp(argv[1], "fill") == 0 && argc != 6))
		return EX_USAGE;
	rc = bus_ledger_open(&ledger, argv[2], "q", true, &err);
	if (!rc && strcmp(argv[1], "fill") == 0)
		rc = fill(ledger, argv + 3, &err);
	else if (!rc)
		rc = run(ledger, (int)strtol(argv[3], NULL, 10), argv + 4, &failed, &err);
	bus_ledger_close(ledger);
	return rc ? give_up(&err) : failed;
}
