#include "config.h"

#include "adapters/common/watch_private.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "timestamp.h"

enum { LOOK_AROUND_MS = 60000, ONCE_PATIENCE_MS = 4000 };

static volatile sig_atomic_t is_told_to_end;

static void end(int signal_number)
{
	(void)signal_number;
	is_told_to_end = 1;
}

/* Only while it waits does a signal reach the process: a step is whole or not begun. */
void watch_catch_signals(struct watcher *watcher)
{
	const struct sigaction action = { .sa_handler = end };
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigprocmask(SIG_BLOCK, &ours, &watcher->waiting);
	sigdelset(&watcher->waiting, SIGTERM);
	sigdelset(&watcher->waiting, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

bool watch_should_end(void)
{
	sigset_t pending;

	sigpending(&pending);
	return is_told_to_end || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT);
}

enum bus_code watch_nothing(const struct watcher *watcher, struct bus_err *err)
{
	return bus_fail(err, BUS_E_CONFIG,
			"%s: service \"%s\" has none of the options that name an input; see %s "
			"--help",
			watcher->ctx.conf->path, watcher->ctx.service->name, watcher->ctx.program);
}

/* Some inputs know only in their open() that they are not configured. */
static void turn_off(struct watch *watch)
{
	watch_clear(watch);
	watch->is_off = true;
	watch->is_awake = false;
	watch->watcher->off_count++;
}

/* Reads whatever is awake until nothing is, one step of each input in turn. */
static enum bus_code read_awake(struct watcher *watcher, bool *ret_failed, struct bus_err *err)
{
	bool any = true;
	enum bus_code rc;
	size_t i;

	while (any && !watch_should_end()) {
		any = false;
		for (i = 0; i < watcher->count && !watch_should_end(); i++) {
			struct watch *watch = &watcher->watch[i];

			if (!watch->is_awake || watch->retry_us > bus_time_mono())
				continue;
			bus_notify_tick(watcher->notify);
			rc = watch_step(watch, err);
			if (rc == BUS_E_NO) {
				turn_off(watch);
				continue;
			}
			if (rc)
				return rc;
			*ret_failed = *ret_failed || watch->has_failed;
			any = any || watch->is_awake;
		}
		if (watcher->off_count < watcher->count)
			bus_notify_ready(watcher->notify);
		watch_tell_status(watcher);
	}
	return watcher->off_count < watcher->count ? BUS_OK : watch_nothing(watcher, err);
}

/* Wakes an input whose time has come, and moves *until_us to one that will. */
static void consider(struct watch *watch, int64_t *due_us, int64_t now_us, int64_t *until_us)
{
	if (*due_us && *due_us <= now_us) {
		*due_us = 0;
		watch->is_awake = true;
	}
	if (*due_us && *due_us < *until_us)
		*until_us = *due_us;
}

/* Until when to wait. */
static int64_t next_time(struct watcher *watcher, int64_t now_us, int64_t until_us)
{
	size_t i;

	for (i = 0; i < watcher->count; i++) {
		struct watch *watch = &watcher->watch[i];

		consider(watch, &watch->timer_us, now_us, &until_us);
		consider(watch, &watch->retry_us, now_us, &until_us);
		if (watch->is_awake && !watch->retry_us)
			until_us = now_us;
	}
	return until_us;
}

static struct pollfd *make_pollfds(const struct watcher *watcher, size_t *ret_count)
{
	size_t i, j, n = 1;
	struct pollfd *fds;

	for (i = 0; i < watcher->count; i++)
		n += watcher->watch[i].fd_count;
	fds = calloc(n, sizeof(*fds));
	if (!fds)
		return NULL;
	fds[0].fd = watcher->inotify;
	*ret_count = n;
	for (n = 1, i = 0; i < watcher->count; i++)
		for (j = 0; j < watcher->watch[i].fd_count; j++)
			fds[n++].fd = watcher->watch[i].fd[j];
	for (i = 0; i < n; i++)
		fds[i].events = POLLIN;
	return fds;
}

static void wake_descriptors(struct watcher *watcher, const struct pollfd *fds)
{
	size_t i, j, n = 1;

	for (i = 0; i < watcher->count; i++)
		for (j = 0; j < watcher->watch[i].fd_count; j++)
			if (fds[n++].revents)
				watcher->watch[i].is_awake = true;
}

enum bus_code watch_wait(struct watcher *watcher, int64_t until_us, struct bus_err *err)
{
	const int64_t notify_us = bus_notify_wait_us(watcher->notify);
	int64_t left_us = until_us - bus_time_mono();
	struct timespec timeout = { 0, 0 };
	struct pollfd *fds;
	size_t count = 0;

	left_us = notify_us < left_us ? notify_us : left_us;
	if (left_us > 0) {
		timeout.tv_sec = (time_t)(left_us / 1000000);
		timeout.tv_nsec = (long)(left_us % 1000000) * 1000;
	}
	fds = make_pollfds(watcher, &count);
	if (!fds)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	if (ppoll(fds, count, &timeout, &watcher->waiting) > 0) {
		wake_descriptors(watcher, fds);
		if (fds[0].revents)
			watch_take_inotify(watcher);
	}
	free(fds);
	bus_notify_tick(watcher->notify);
	watch_tell_status(watcher);
	return BUS_OK;
}

/* Once a minute, for what no event told: see common/watch.h. */
static void look_around(struct watcher *watcher)
{
	size_t i;

	for (i = 0; i < watcher->count; i++) {
		watch_find_directories(&watcher->watch[i]);
		watcher->watch[i].is_awake = !watcher->watch[i].is_off;
	}
}

/* The next timer of an input, 0 if none has one. */
static int64_t next_timer(const struct watcher *watcher)
{
	int64_t next_us = 0;
	size_t i;

	for (i = 0; i < watcher->count; i++) {
		const int64_t us = watcher->watch[i].timer_us;

		if (us && (!next_us || us < next_us))
			next_us = us;
	}
	return next_us;
}

/* With `once`: is an input about to have what it waits for, a file that settles say? */
static bool is_worth_waiting(const struct watcher *watcher, int64_t *end_us)
{
	const int64_t next_us = next_timer(watcher);

	if (!*end_us)
		*end_us = bus_time_mono() + (int64_t)ONCE_PATIENCE_MS * 1000;
	return next_us && next_us < *end_us && bus_time_mono() < *end_us;
}

enum bus_code watch_all(struct watcher *watcher, struct bus_err *err)
{
	int64_t look_us = bus_time_mono() + (int64_t)LOOK_AROUND_MS * 1000, now_us, end_us = 0;
	bool failed = false;
	enum bus_code rc = BUS_OK;

	while (!rc && !watch_should_end()) {
		rc = read_awake(watcher, &failed, err);
		if (rc || (watcher->once && (failed || !is_worth_waiting(watcher, &end_us))))
			break;
		now_us = bus_time_mono();
		if (now_us >= look_us) {
			look_around(watcher);
			look_us = now_us + (int64_t)LOOK_AROUND_MS * 1000;
			continue;
		}
		rc = watch_wait(watcher, next_time(watcher, now_us, look_us), err);
	}
	if (!rc && watcher->once && failed)
		rc = bus_fail(err, BUS_E_TEMP, "not everything could be read; see above");
	return rc;
}
