#include "config.h"

#include "adapters/common/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct child {
	const char *name; /* for messages: argv[1], or argv[0] */
	pid_t pid;
	int in, out, said; /* its stdin, stdout, stderr; -1: closed */
	int process;	   /* readable when it has ended; -1: this kernel has none */
	int64_t deadline_ms;
	size_t begin, end; /* of what was read and not yet handed out */
	char buf[32768];
	char text[300]; /* the beginning of stderr */
	size_t text_len;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void child_extend(struct child *child, int timeout_ms)
{
	child->deadline_ms = now_ms() + timeout_ms;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int make_pipe(int *ours, int *theirs, int our_end)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return -1;
	*ours = fd[our_end];
	*theirs = fd[!our_end];
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

/* Standard streams from theirs[0..2], no signal blocked or ignored. */
static int spawn(pid_t *pid, const int theirs[3], const char *const *argv, const char *const *envp)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int fd, failed = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	/* each needs memory; without one of them the child would write to our own streams */
	for (fd = 0; fd < 3 && !failed; fd++)
		failed = posix_spawn_file_actions_adddup2(&actions, theirs[fd], fd);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!failed)
		failed = posix_spawn(pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv,
				     (char *const *)(uintptr_t)envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

enum bus_code child_start(struct child **ret, const char *const *argv, const char *const *envp,
			  int timeout_ms, struct bus_err *err)
{
	struct child *child = calloc(1, sizeof(*child));
	int theirs[3] = { -1, -1, -1 }, failed = 0, i;
	enum bus_code rc = BUS_OK;

	if (!child)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", argv[0]);
	child->name = argv[1] ? argv[1] : argv[0];
	child->in = child->out = child->said = child->process = -1;
	child_extend(child, timeout_ms);
	if (make_pipe(&child->in, &theirs[0], 1) != 0 ||
	    make_pipe(&child->out, &theirs[1], 0) != 0 ||
	    make_pipe(&child->said, &theirs[2], 0) != 0)
		failed = errno;
	if (!failed)
		failed = spawn(&child->pid, theirs, argv, envp);
	if (failed) {
		child->pid = 0;
		rc = bus_fail(err, BUS_E_TEMP, "%s: cannot be run: %s", argv[0], strerror(failed));
	} else {
		child->process = pidfd_open(child->pid, 0);
	}
	for (i = 0; i < 3; i++)
		close_fd(&theirs[i]);
	if (rc)
		child_kill(child);
	else
		*ret = child;
	return rc;
}

/* false: nothing is there now */
static bool read_stderr(struct child *child)
{
	char buf[1024];
	ssize_t n = read(child->said, buf, sizeof(buf));
	size_t room = sizeof(child->text) - 1 - child->text_len;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_fd(&child->said);
		return false;
	}
	room = room < (size_t)n ? room : (size_t)n;
	memcpy(child->text + child->text_len, buf, room);
	child->text_len += room;
	return true;
}

/* Waits until fd can be used, taking what comes on stderr. */
static enum bus_code await(struct child *child, int fd, short events, struct bus_err *err)
{
	for (;;) {
		struct pollfd p[2] = { { fd, events, 0 }, { child->said, POLLIN, 0 } };
		int64_t left = child->deadline_ms - now_ms();

		if (left <= 0)
			return bus_fail(err, BUS_E_UNAVAILABLE, "%s took too long", child->name);
		if (poll(p, 2, (int)left) < 0 && errno != EINTR)
			return bus_fail(err, BUS_E_TEMP, "%s: poll: %s", child->name,
					strerror(errno));
		if (p[1].revents)
			read_stderr(child);
		if (p[0].revents)
			return BUS_OK;
	}
}

enum bus_code child_write(struct child *child, const void *bytes, size_t len, struct bus_err *err)
{
	const char *p = bytes;
	enum bus_code rc;
	ssize_t n;

	while (len && child->in >= 0) {
		n = write(child->in, p, len);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EPIPE)
			close_fd(&child->in);
		else if (errno != EAGAIN && errno != EINTR)
			return bus_fail(err, BUS_E_TEMP, "%s: write: %s", child->name,
					strerror(errno));
		rc = child->in >= 0 ? await(child, child->in, POLLOUT, err) : BUS_OK;
		if (rc)
			return rc;
	}
	return BUS_OK;
}

void child_end_input(struct child *child)
{
	close_fd(&child->in);
}

/* Reads what is there; nothing new in buf means the end. */
static enum bus_code fill(struct child *child, struct bus_err *err)
{
	enum bus_code rc;
	ssize_t n;

	child->begin = child->end = 0;
	if (now_ms() >= child->deadline_ms)
		return bus_fail(err, BUS_E_UNAVAILABLE, "%s took too long", child->name);
	while (child->out >= 0) {
		n = read(child->out, child->buf, sizeof(child->buf));
		if (n > 0) {
			child->end = (size_t)n;
			return BUS_OK;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			close_fd(&child->out);
			break;
		}
		rc = await(child, child->out, POLLIN, err);
		if (rc)
			return rc;
	}
	return bus_fail(err, BUS_E_NO, "%s: its output ended early", child->name);
}

enum bus_code child_read(struct child *child, void *bytes, size_t len, struct bus_err *err)
{
	char *p = bytes;
	enum bus_code rc;
	size_t n;

	while (len) {
		if (child->begin == child->end) {
			rc = fill(child, err);
			if (rc)
				return rc;
		}
		n = child->end - child->begin;
		n = n < len ? n : len;
		memcpy(p, child->buf + child->begin, n);
		child->begin += n;
		p += n;
		len -= n;
	}
	return BUS_OK;
}

enum bus_code child_read_line(struct child *child, char *line, size_t size, struct bus_err *err)
{
	size_t len = 0, n;
	enum bus_code rc;
	const char *lf;

	for (;;) {
		if (child->begin == child->end) {
			rc = fill(child, err);
			if (rc)
				return rc;
		}
		n = child->end - child->begin;
		lf = memchr(child->buf + child->begin, '\n', n);
		if (lf)
			n = (size_t)(lf - child->buf) - child->begin;
		if (n >= size - len)
			return bus_fail(err, BUS_E_DATA, "%s: a line of its output is too long",
					child->name);
		memcpy(line + len, child->buf + child->begin, n);
		len += n;
		child->begin += n;
		if (lf)
			break;
	}
	child->begin++;
	line[len] = '\0';
	return BUS_OK;
}

enum bus_code child_read_all(struct child *child, struct bus_buf *out, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	while (!rc) {
		bus_buf_add(out, child->buf + child->begin, child->end - child->begin);
		child->begin = child->end;
		rc = bus_buf_check(out, child->name, err);
		if (!rc)
			rc = fill(child, err);
	}
	return rc == BUS_E_NO ? BUS_OK : rc;
}

static enum bus_code end_of(struct child *child, int *ret_status, struct bus_err *err)
{
	int status = 0;

	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return bus_fail(err, BUS_E_TEMP, "%s: wait: %s", child->name,
					strerror(errno));
	if (!WIFEXITED(status))
		return bus_fail(err, BUS_E_UNAVAILABLE, "%s was ended by signal %d", child->name,
				WTERMSIG(status));
	*ret_status = WEXITSTATUS(status);
	if (*ret_status) {
		child->text[strcspn(child->text, "\n")] = '\0';
		bus_fail(err, BUS_OK, "%s: %s", child->name,
			 child->text[0] ? child->text : "failed without a word");
	}
	return BUS_OK;
}

enum bus_code child_finish(struct child *child, int *ret_status, struct bus_err *err)
{
	enum bus_code rc;

	if (!child)
		return BUS_OK;
	close_fd(&child->in);
	do
		rc = fill(child, err);
	while (!rc);
	if (rc == BUS_E_NO)
		rc = child->process >= 0 ? await(child, child->process, POLLIN, err) : BUS_OK;
	while (!rc && child->said >= 0 && child->text_len < sizeof(child->text) - 1 &&
	       read_stderr(child))
		;
	if (!rc) {
		rc = end_of(child, ret_status, err);
		child->pid = 0;
	}
	child_kill(child);
	return rc;
}

void child_kill(struct child *child)
{
	if (!child)
		return;
	close_fd(&child->in);
	close_fd(&child->out);
	close_fd(&child->said);
	close_fd(&child->process);
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(child);
}
