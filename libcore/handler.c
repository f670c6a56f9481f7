#include "config.h"

#include "handler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "handler_env.h"
#include "timestamp.h"

enum {
	GRACE_MS = 5000,	/* from SIGTERM to SIGKILL */
	DRAIN_MS = 1000,	/* for our reader to take what is left after its end */
	DRAIN_MAX = 1024 * 1024 /* bytes of it */
};

/* Its standard output or error: from the pipe to ours, some bytes at a time. */
struct stream {
	int from; /* -1: ended */
	int to;	  /* -1: nobody reads it */
	/* not more than a pipe that can be written to is sure to take, see poll(2), pipe(7) */
	char pending[4096];
	size_t at, len;
};

struct run {
	const struct bus_handler *handler;
	struct bus_handler_result *result;
	pid_t pid;
	int process; /* readable when it has ended */
	struct stream streams[2];
	int64_t deadline_ms; /* of what comes next: SIGTERM, SIGKILL; 0: nothing */
	bool asked;	     /* SIGTERM was sent */
};

static int64_t now_ms(void)
{
	return bus_time_mono() / 1000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Away from 0, 1 and 2, which are set in the child one after the other. */
static int above_standard(int fd)
{
	int moved = fd;

	if (fd >= 0 && fd <= 2) {
		moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		close(fd);
	}
	return moved;
}

static bool make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	ends[0] = above_standard(ends[0]);
	ends[1] = above_standard(ends[1]);
	return ends[0] >= 0 && ends[1] >= 0;
}

/* The event's bytes as a file that nobody else has. */
static int make_input(const struct bus_message *m)
{
	int fd = above_standard(memfd_create("debmsg-event", MFD_CLOEXEC));
	size_t at = 0;
	ssize_t n;

	while (fd >= 0 && at < m->body_len) {
		n = write(fd, m->body + at, m->body_len - at);
		if (n < 0 && errno != EINTR)
			close_fd(&fd);
		else if (n > 0)
			at += (size_t)n;
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) != 0)
		close_fd(&fd);
	return fd;
}

/* -- in the child -- */

/* Returns only where it cannot. */
static int become_handler(const struct bus_handler *handler, char **env, const int standard[3],
			  pid_t parent)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		sigaction(i, &act, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* It is run again if its keeper dies: then there must not be two. */
	if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return errno;
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
	for (i = 0; i < 3; i++)
		if (dup2(standard[i], i) < 0)
			return errno;
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return errno;
	execvpe(handler->argv[0], handler->argv, env);
	return errno;
}

/* Returns 0, or errno of what went wrong in the child, which then is gone. */
static int start(struct run *run, char **env, int input)
{
	int out[2] = { -1, -1 }, said[2] = { -1, -1 }, report[2] = { -1, -1 };
	const pid_t parent = getpid();
	int failed = 0;

	if (!make_pipe(out) || !make_pipe(said) || !make_pipe(report)) {
		failed = errno;
		goto out;
	}
	run->pid = fork();
	if (run->pid == 0) {
		failed = become_handler(run->handler, env, (int[]){ input, out[1], said[1] },
					parent);
		(void)!write(report[1], &failed, sizeof(failed));
		_exit(EX_OSERR);
	}
	failed = run->pid < 0 ? errno : 0;
	close_fd(&report[1]);
	while (!failed && read(report[0], &failed, sizeof(failed)) < 0 && errno == EINTR)
		;
	if (!failed) {
		run->process = pidfd_open(run->pid, 0);
		failed = run->process < 0 ? errno : 0;
		if (failed)
			kill(-run->pid, SIGKILL);
	}
	if (failed && run->pid > 0)
		while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
			;
out:
	if (!failed) {
		run->streams[0].from = out[0];
		run->streams[1].from = said[0];
		fcntl(out[0], F_SETFL, O_NONBLOCK);
		fcntl(said[0], F_SETFL, O_NONBLOCK);
		out[0] = said[0] = -1;
	}
	close_fd(&out[0]);
	close_fd(&out[1]);
	close_fd(&said[0]);
	close_fd(&said[1]);
	close_fd(&report[0]);
	close_fd(&report[1]);
	return failed;
}

/* -- its output -- */

static void keep(struct bus_handler_result *result, const char *bytes, size_t len)
{
	size_t over;

	if (len > BUS_INBOX_OUTPUT_MAX) {
		bytes += len - BUS_INBOX_OUTPUT_MAX;
		len = BUS_INBOX_OUTPUT_MAX;
	}
	over = result->output_len + len;
	over = over > BUS_INBOX_OUTPUT_MAX ? over - BUS_INBOX_OUTPUT_MAX : 0;
	memmove(result->output, result->output + over, result->output_len - over);
	result->output_len -= over;
	memcpy(result->output + result->output_len, bytes, len);
	result->output_len += len;
	result->output[result->output_len] = '\0';
}

static bool pending(const struct stream *s)
{
	return s->at < s->len;
}

static void pass_on(struct stream *s)
{
	ssize_t n = write(s->to, s->pending + s->at, s->len - s->at);

	if (n > 0) {
		s->at += (size_t)n;
	} else if (n < 0 && errno != EINTR && errno != EAGAIN) {
		/* our reader is gone or its disk full, which is no concern of the handler's */
		s->to = -1;
		s->at = s->len;
	}
}

/* How much there was. */
static size_t take(struct run *run, struct stream *s)
{
	ssize_t n = read(s->from, s->pending, sizeof(s->pending));

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_fd(&s->from);
		return 0;
	}
	keep(run->result, s->pending, (size_t)n);
	s->at = 0;
	s->len = s->to >= 0 ? (size_t)n : 0;
	return (size_t)n;
}

/* -- until its end -- */

static void end_it(struct run *run, int64_t now)
{
	kill(-run->pid, run->asked ? SIGKILL : SIGTERM);
	run->deadline_ms = run->asked ? 0 : now + GRACE_MS;
	run->asked = true;
}

/* Waits for what comes next; true: its process has ended. */
static bool await(struct run *run, int timeout_ms)
{
	struct pollfd p[5];
	int i;

	for (i = 0; i < 2; i++) {
		struct stream *s = &run->streams[i];

		p[i] = (struct pollfd){ pending(s) ? -1 : s->from, POLLIN, 0 };
		p[2 + i] = (struct pollfd){ pending(s) ? s->to : -1, POLLOUT, 0 };
	}
	p[4] = (struct pollfd){ run->process, POLLIN, 0 };
	if (poll(p, 5, timeout_ms) <= 0)
		return false;
	for (i = 0; i < 2; i++) {
		if (p[2 + i].revents)
			pass_on(&run->streams[i]);
		if (p[i].revents)
			take(run, &run->streams[i]);
	}
	return p[4].revents != 0;
}

/*
 * After SIGTERM its children have until the deadline to clean up, also if it
 * has ended itself: they still hold its output open.
 */
static bool is_over(const struct run *run, bool ended)
{
	if (!ended || !run->asked || !run->deadline_ms)
		return ended;
	return run->streams[0].from < 0 && run->streams[1].from < 0;
}

static void wait_for_end(struct run *run)
{
	bool ended = false;
	int64_t now = now_ms(), left;

	if (run->handler->timeout_s > 0)
		run->deadline_ms = now + (int64_t)run->handler->timeout_s * 1000;
	while (!is_over(run, ended)) {
		left = run->deadline_ms ? run->deadline_ms - now : -1;
		if (run->deadline_ms && left <= 0) {
			end_it(run, now);
			continue;
		}
		if (await(run, left > 60000 ? 60000 : (int)left) && !ended) {
			ended = true;
			close_fd(&run->process); /* or poll() would return at once from now on */
		}
		now = now_ms();
	}
}

/* What is left in the pipes, and not what its children in the background may go on writing. */
static void drain(struct run *run)
{
	const int64_t until = now_ms() + DRAIN_MS;
	size_t drained = 0, n;
	int i;

	for (i = 0; i < 2; i++) {
		struct stream *s = &run->streams[i];

		for (;;) {
			struct pollfd p = { s->to, POLLOUT, 0 };
			const int64_t left = until - now_ms();

			if (!pending(s)) {
				n = s->from >= 0 && drained < DRAIN_MAX ? take(run, s) : 0;
				if (!n)
					break;
				drained += n;
			} else if (left <= 0) { /* our reader is stuck */
				s->to = -1;
				s->at = s->len;
			} else if (poll(&p, 1, (int)left) > 0) {
				pass_on(s);
			}
		}
		close_fd(&s->from);
	}
}

static void judge(struct run *run)
{
	struct bus_handler_result *r = run->result;
	int status = 0, sig;

	while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		r->outcome = BUS_INBOX_DONE;
		return;
	}
	r->outcome = BUS_INBOX_GAVE_UP;
	if (run->asked) {
		snprintf(r->reason, sizeof(r->reason), "still running after %d s",
			 run->handler->timeout_s);
	} else if (WIFEXITED(status)) {
		if (WEXITSTATUS(status) == EX_TEMPFAIL)
			r->outcome = BUS_INBOX_AGAIN;
		snprintf(r->reason, sizeof(r->reason), "exit status %d", WEXITSTATUS(status));
	} else {
		sig = WTERMSIG(status);
		if (sigabbrev_np(sig))
			snprintf(r->reason, sizeof(r->reason), "killed by SIG%s",
				 sigabbrev_np(sig));
		else
			snprintf(r->reason, sizeof(r->reason), "killed by signal %d", sig);
	}
}

static enum bus_code cannot_run(const char *name, int why, struct bus_err *err)
{
	const bool ours = why == EAGAIN || why == ENOMEM || why == EMFILE || why == ENFILE ||
			  why == ETXTBSY;

	return bus_fail(err, ours ? BUS_E_TEMP : BUS_E_CONFIG,
			"handler: cannot run %s: %s; no event is lost by that", name,
			strerror(why));
}

enum bus_code bus_handler_run(const struct bus_handler *handler, const struct bus_event *ev,
			      const struct bus_message *m, bool unsure,
			      struct bus_handler_result *ret, struct bus_err *err)
{
	struct run run = { .handler = handler,
			   .result = ret,
			   .pid = -1,
			   .process = -1,
			   .streams = { { .from = -1, .to = STDOUT_FILENO },
					{ .from = -1, .to = STDERR_FILENO } } };
	char **env = NULL;
	enum bus_code rc;
	int input = -1, failed;

	rc = bus_handler_env(&env, handler->argv, ev, m, unsure, err);
	if (rc)
		return rc;
	memset(ret, 0, sizeof(*ret));
	input = make_input(m);
	failed = input < 0 ? errno : start(&run, env, input);
	if (failed) {
		rc = cannot_run(handler->argv[0], failed, err);
		goto out;
	}
	close_fd(&input);
	wait_for_end(&run);
	drain(&run);
	if (run.asked)
		kill(-run.pid, SIGKILL); /* its number is its own until it is waited for */
	judge(&run);
out:
	close_fd(&run.process);
	close_fd(&input);
	free(env);
	return rc;
}
