#include "config.h"

#include "adapters/common/watch_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/say.h"
#include "timestamp.h"

enum { NAME_MAX_LEN = 400 };

const struct adapter_context *watch_context(const struct watch *watch)
{
	return &watch->watcher->ctx;
}

bool watch_from_start(const struct watch *watch)
{
	return watch->watcher->from_start;
}

/* inotify has one wd for a directory, whoever of us asked for it. */
static bool is_watched(const struct watcher *watcher, int wd)
{
	size_t i, j;

	for (i = 0; i < watcher->count; i++)
		for (j = 0; j < watcher->watch[i].directory_count; j++)
			if (watcher->watch[i].directory[j].wd == wd)
				return true;
	return false;
}

static void find_directory(struct watch *watch, struct watch_directory *directory)
{
	directory->wd = inotify_add_watch(watch->watcher->inotify, directory->path,
					  IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM |
						  IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF |
						  IN_MOVE_SELF | IN_ONLYDIR);
}

/* A name may lead to another directory by now; the same one keeps its wd. */
void watch_find_directories(struct watch *watch)
{
	size_t i;
	int old;

	for (i = 0; i < watch->directory_count; i++) {
		old = watch->directory[i].wd;
		find_directory(watch, &watch->directory[i]);
		if (old >= 0 && watch->directory[i].wd != old && !is_watched(watch->watcher, old))
			inotify_rm_watch(watch->watcher->inotify, old);
	}
}

static enum bus_code add_directory(struct watch *watch, const char *path, size_t len,
				   struct bus_err *err)
{
	struct watch_directory *grown, *directory;
	size_t i;

	for (i = 0; i < watch->directory_count; i++)
		if (strncmp(watch->directory[i].path, path, len) == 0 &&
		    !watch->directory[i].path[len])
			return BUS_OK;
	grown = reallocarray(watch->directory, watch->directory_count + 1, sizeof(*grown));
	if (!grown)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
	watch->directory = grown;
	directory = &grown[watch->directory_count];
	directory->path = strndup(path, len);
	if (!directory->path)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
	watch->directory_count++;
	find_directory(watch, directory);
	/* a limit of the system is no missing directory: nothing would ever wake us in time */
	if (directory->wd < 0 && (errno == ENOSPC || errno == ENOMEM))
		return bus_fail(err, BUS_E_TEMP,
				"%s: cannot be watched: %s; raise fs.inotify.max_user_watches",
				directory->path, strerror(errno));
	if (directory->wd < 0)
		say(LOG_WARNING, "%s: %s: %s; looked for again every minute", watch->input->name,
		    directory->path, strerror(errno));
	return BUS_OK;
}

enum bus_code watch_directory(struct watch *watch, const char *path, struct bus_err *err)
{
	return add_directory(watch, path, strlen(path), err);
}

enum bus_code watch_directory_of(struct watch *watch, const char *file, struct bus_err *err)
{
	const char *slash = strrchr(file, '/');

	if (!slash)
		return add_directory(watch, ".", 1, err);
	return add_directory(watch, file, slash > file ? (size_t)(slash - file) : 1, err);
}

enum bus_code watch_descriptor(struct watch *watch, int fd, struct bus_err *err)
{
	int *grown = reallocarray(watch->fd, watch->fd_count + 1, sizeof(*grown));

	if (!grown)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", watch->input->name);
	watch->fd = grown;
	watch->fd[watch->fd_count++] = fd;
	return BUS_OK;
}

void watch_forget(struct watch *watch, int fd)
{
	size_t i;

	for (i = 0; i < watch->fd_count; i++)
		if (watch->fd[i] == fd) {
			watch->fd[i] = watch->fd[--watch->fd_count];
			return;
		}
}

void watch_timer(struct watch *watch, int64_t ms)
{
	watch->timer_us = bus_time_mono() + (ms > 0 ? ms : 0) * 1000 + 1;
}

void watch_hold(struct watch *watch, int64_t ms)
{
	watch->hold_ms = ms;
}

static bool cursor_name(char name[NAME_MAX_LEN], const struct watch *watch, const char *text,
			struct bus_err *err)
{
	if ((size_t)snprintf(name, NAME_MAX_LEN, "%s/%s", watch->input->name, text) < NAME_MAX_LEN)
		return true;
	bus_fail(err, BUS_E_BUG, "%s: the cursor's name %s is too long", watch->input->name, text);
	return false;
}

enum bus_code watch_cursor(struct watch *watch, const char *name, char **ret, size_t *ret_len,
			   struct bus_err *err)
{
	char whole[NAME_MAX_LEN];

	if (!cursor_name(whole, watch, name, err))
		return BUS_E_BUG;
	return bus_outbox_cursor_get(watch->watcher->box, whole, ret, ret_len, err);
}

enum bus_code watch_cursor_next(struct watch *watch, const char *prefix, const char *after,
				char **ret, struct bus_err *err)
{
	const size_t own = strlen(watch->input->name) + 1;
	char whole[NAME_MAX_LEN], behind[NAME_MAX_LEN];
	char *name = NULL;
	enum bus_code rc;

	if (!cursor_name(whole, watch, prefix, err) ||
	    !cursor_name(behind, watch, after ? after : "", err))
		return BUS_E_BUG;
	rc = bus_outbox_cursor_next(watch->watcher->box, whole, behind, &name, err);
	if (rc)
		return rc;
	if (name)
		memmove(name, name + own, strlen(name + own) + 1);
	*ret = name;
	return BUS_OK;
}

/* -- for the loop -- */

void watch_clear(struct watch *watch)
{
	size_t i;

	for (i = 0; i < watch->directory_count; i++) {
		const int wd = watch->directory[i].wd;

		watch->directory[i].wd = -1;
		if (wd >= 0 && !is_watched(watch->watcher, wd))
			inotify_rm_watch(watch->watcher->inotify, wd);
		free(watch->directory[i].path);
	}
	free(watch->directory);
	free(watch->fd);
	watch->directory = NULL;
	watch->directory_count = 0;
	watch->fd = NULL;
	watch->fd_count = 0;
	watch->timer_us = 0;
}

static void wake(struct watcher *watcher, const struct inotify_event *event)
{
	const bool is_gone = event->mask & (IN_IGNORED | IN_MOVE_SELF);
	size_t i, j;

	for (i = 0; i < watcher->count; i++) {
		struct watch *watch = &watcher->watch[i];

		if (watch->is_off)
			continue;
		if (event->mask & IN_Q_OVERFLOW)
			watch->is_awake = true;
		for (j = 0; j < watch->directory_count; j++) {
			if (watch->directory[j].wd != event->wd)
				continue;
			watch->is_awake = true;
			if (is_gone)
				watch->directory[j].wd = -1;
		}
	}
	/* what was moved away is still watched, under a name that is not ours any more */
	if (event->mask & IN_MOVE_SELF)
		inotify_rm_watch(watcher->inotify, event->wd);
}

void watch_take_inotify(struct watcher *watcher)
{
	char bytes[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	ssize_t n;
	char *p;

	while ((n = read(watcher->inotify, bytes, sizeof(bytes))) > 0)
		for (p = bytes; p < bytes + n; p += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)(void *)p;
			wake(watcher, event);
		}
}
