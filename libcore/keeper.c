#include "config.h"

#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "backoff.h"
#include "timestamp.h"

enum { SOCKET_FD = 3 };

static char keeper_name[] = "debmsg-keeper";

/* -- the locks -- */

enum bus_code bus_keeper_open_locks(int *ret_fd, const char *ledger_path, struct bus_err *err)
{
	struct stat st;
	char *path;
	int fd;

	if (asprintf(&path, "%s.jobs", ledger_path) < 0)
		return bus_fail(err, BUS_E_NOMEM, "jobs: out of memory");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		bus_fail(err, errno == ENOSPC ? BUS_E_TEMP : BUS_E_CONFIG,
			 "jobs: cannot open %s: %s", path, strerror(errno));
	} else if (stat(ledger_path, &st) == 0) {
		/* who may use the ledger may use this; only the first one can set it */
		(void)!fchmod(fd, st.st_mode & 0660);
	}
	free(path);
	if (fd < 0)
		return err ? err->code : BUS_E_CONFIG;
	*ret_fd = fd;
	return BUS_OK;
}

static bool set_lock(int fd, int64_t number, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = number, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool bus_keeper_lock(int fd, int64_t number)
{
	return set_lock(fd, number, F_WRLCK);
}

void bus_keeper_unlock(int fd, int64_t number)
{
	set_lock(fd, number, F_UNLCK);
}

/* -- the side that starts it -- */

static int spawn(pid_t *pid, int fd, char *const *argv)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int failed;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	/* each needs memory; without one of them it would be a keeper of something else */
	failed = posix_spawn_file_actions_adddup2(&actions, fd, SOCKET_FD);
	if (!failed)
		failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
							  O_RDONLY, 0);
	if (!failed)
		failed = posix_spawn_file_actions_addclosefrom_np(&actions, SOCKET_FD + 1);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSID);
	if (!failed)
		failed = posix_spawn(pid, "/proc/self/exe", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

enum bus_code bus_keeper_start(pid_t *ret_pid, int *ret_fd, const char *ledger_path,
			       const struct bus_jobs_options *options, struct bus_err *err)
{
	char *path = strdup(ledger_path), timeout[16], tries[16], **argv;
	size_t count = 0, i;
	int fd[2], failed;

	while (options->handler.argv[count])
		count++;
	argv = calloc(count + 5, sizeof(*argv));
	if (!argv || !path) {
		free(argv);
		free(path);
		return bus_fail(err, BUS_E_NOMEM, "jobs: out of memory");
	}
	snprintf(timeout, sizeof(timeout), "%d", options->handler.timeout_s);
	snprintf(tries, sizeof(tries), "%u", options->tries);
	argv[0] = keeper_name;
	argv[1] = path;
	argv[2] = timeout;
	argv[3] = tries;
	for (i = 0; i < count; i++)
		argv[4 + i] = options->handler.argv[i];
	failed = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) ? errno : 0;
	if (!failed) {
		failed = spawn(ret_pid, fd[1], argv);
		close(fd[1]);
		if (failed)
			close(fd[0]);
		else
			*ret_fd = fd[0];
	}
	free(argv);
	free(path);
	return failed ? bus_fail(err, BUS_E_TEMP, "jobs: cannot start a keeper: %s",
				 strerror(failed))
		      : BUS_OK;
}

/* -- the keeper -- */

struct keeper {
	const char *path;
	struct bus_handler handler;
	unsigned int tries;
	const struct bus_say *say;
	struct bus_ledger *ledger; /* NULL: not open yet */
	int locks;
	struct bus_handler_result result;
};

static enum bus_code open_ledger(struct keeper *k, struct bus_err *err)
{
	enum bus_code rc = bus_ledger_open_path(&k->ledger, k->path, false, err);

	return rc == BUS_E_NO
		       ? bus_fail(err, BUS_E_CONFIG, "jobs: %s is not there any more", k->path)
		       : rc;
}

static enum bus_code make_ready(struct keeper *k, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	if (k->locks < 0)
		rc = bus_keeper_open_locks(&k->locks, k->path, err);
	if (!rc && !k->ledger)
		rc = open_ledger(k, err);
	return rc;
}

/* How the handler's end is to be written down, `end` pointing into k->result. */
static enum bus_keeper_end judge(struct keeper *k, const struct bus_inbox_item *item,
				 struct bus_inbox_end *end)
{
	struct bus_handler_result *r = &k->result;
	char last[sizeof(r->reason)];

	if (r->outcome == BUS_INBOX_AGAIN && item->tries + 1 >= k->tries) {
		memcpy(last, r->reason, sizeof(last));
		snprintf(r->reason, sizeof(r->reason), "again %u times; last: %.200s",
			 item->tries + 1, last);
		r->outcome = BUS_INBOX_GAVE_UP;
	}
	*end = (struct bus_inbox_end){
		.outcome = r->outcome,
		.not_before_us = bus_time_now() + bus_backoff_event_us(item->tries),
		.reason = r->reason,
		.output = r->output,
		.output_len = r->output_len,
	};
	switch (r->outcome) {
	case BUS_INBOX_DONE:
		return BUS_KEEPER_DONE;
	case BUS_INBOX_AGAIN:
		return BUS_KEEPER_AGAIN;
	case BUS_INBOX_GAVE_UP:
		break;
	}
	return BUS_KEEPER_GAVE_UP;
}

/* For as long as it takes: only this process knows the outcome. */
static void write_down(struct keeper *k, int64_t number, const struct bus_inbox_end *end)
{
	const struct timespec first = { 0, 100 * 1000000 }, later = { 5, 0 };
	struct bus_err err = { BUS_OK, "" };
	unsigned long attempt;
	enum bus_code rc;

	for (attempt = 0;; attempt++) {
		rc = bus_inbox_end(k->ledger, number, end, &err);
		if (!rc || rc == BUS_E_NO) /* the latter: it was heard the last time */
			return;
		if (attempt == 3 || (attempt > 3 && attempt % 60 == 0))
			bus_say(k->say,
				"the outcome of a handler cannot be written down, trying on: %s",
				err.text);
		nanosleep(attempt < 3 ? &first : &later, NULL);
	}
}

/* Runs the handler and writes down how it ended. */
static enum bus_keeper_end run_item(struct keeper *k, const struct bus_inbox_item *item,
				    struct bus_err *err)
{
	struct bus_inbox_end end = { .outcome = BUS_INBOX_AGAIN, .uncounted = true };
	enum bus_keeper_end answer = BUS_KEEPER_TROUBLE;
	const struct bus_message *m = item->message;
	struct bus_event *ev = NULL;
	enum bus_code rc;

	rc = bus_event_parse(&ev, m->body, m->body_len, err);
	if (!rc)
		rc = bus_handler_run(&k->handler, ev, m, item->unsure, &k->result, err);
	if (!rc) {
		answer = judge(k, item, &end);
	} else if (rc != BUS_E_NOMEM && rc != BUS_E_TEMP && rc != BUS_E_CONFIG) {
		/* it was believed, so this is not to be: but no event may stop the rest */
		answer = BUS_KEEPER_GAVE_UP;
		end = (struct bus_inbox_end){ .outcome = BUS_INBOX_GAVE_UP, .reason = err->text };
	} else {
		end.reason = err->text;
	}
	write_down(k, item->number, &end);
	bus_event_free(ev);
	return answer;
}

static void keep(struct keeper *k, int64_t number, struct bus_keeper_reply *reply)
{
	struct bus_inbox_item *item = NULL;
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;

	memset(reply, 0, sizeof(*reply));
	reply->number = number;
	rc = make_ready(k, &err);
	if (!rc && !bus_keeper_lock(k->locks, number)) {
		rc = BUS_E_NO;
	} else if (!rc) {
		rc = bus_inbox_begin(k->ledger, number, &item, &err);
		if (!rc)
			reply->end = run_item(k, item, &err);
		bus_keeper_unlock(k->locks, number);
	}
	bus_inbox_item_free(item);
	if (rc)
		reply->end = rc == BUS_E_NO ? BUS_KEEPER_TAKEN : BUS_KEEPER_TROUBLE;
	if (reply->end == BUS_KEEPER_TROUBLE)
		memcpy(reply->text, err.text, sizeof(reply->text));
}

/* Its number; false: nobody is there who wants anything to be started. */
static bool await_item(int64_t *ret)
{
	struct pollfd p = { SOCKET_FD, 0, 0 };
	ssize_t n;

	do
		n = recv(SOCKET_FD, ret, sizeof(*ret), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(*ret) && poll(&p, 1, 0) == 0;
}

bool bus_keeper_wanted(char *const *argv)
{
	return argv[0] && strcmp(argv[0], keeper_name) == 0;
}

int bus_keeper_main(int argc, char **argv, const struct bus_say *say)
{
	struct keeper k = { .say = say, .locks = -1 };
	struct bus_keeper_reply reply;
	int64_t number;

	if (argc < 5) /* started by hand */
		return EX_USAGE;
	signal(SIGPIPE, SIG_IGN);
	fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
	k.path = argv[1];
	k.handler.timeout_s = (int)strtol(argv[2], NULL, 10);
	k.tries = (unsigned int)strtoul(argv[3], NULL, 10);
	k.handler.argv = argv + 4;
	while (await_item(&number)) {
		keep(&k, number, &reply);
		send(SOCKET_FD, &reply, sizeof(reply), MSG_NOSIGNAL);
	}
	bus_ledger_close(k.ledger);
	if (k.locks >= 0)
		close(k.locks);
	return EX_OK;
}
