#ifndef BUS_ADAPTER_WATCH_PRIVATE_H
#define BUS_ADAPTER_WATCH_PRIVATE_H

#include <signal.h>

#include "adapters/common/watch.h"
#include "notify.h"
#include "outbox.h"

/*
 * The parts of a watching process.  watch_main.c is the program,
 * watch_loop.c its loop, watch_step.c opens and reads one input, watch_status.c
 * says how it is, watch.c is what an input sees.
 *
 * Times are bus_time_mono()'s; 0: none.
 */
struct watch_directory {
	char *path;
	int wd; /* of inotify; -1: it is not there */
};

struct watcher;

/* One input that is configured. */
struct watch {
	struct watcher *watcher;
	const struct adapter_input *input;
	void *state; /* the input's own; NULL: closed */
	bool is_off; /* not configured */
	bool is_awake, is_open, is_first, has_failed, shows_progress;
	int64_t timer_us, retry_us;
	int64_t failing_us; /* since when it is in trouble, on bus_time_now() */
	int64_t hold_ms;    /* before the next attempt, at least */
	unsigned int attempt;
	struct watch_directory *directory;
	size_t directory_count;
	int *fd;
	size_t fd_count;
	struct adapter_batch batch; /* what was read and could not be stored yet */
	bool has_batch;
	uint64_t events, rejects; /* so far */
};

struct watcher {
	struct adapter_context ctx;
	struct bus_outbox *box;
	struct watch *watch;
	size_t count, off_count;
	struct bus_notify *notify; /* told that we are ready when each input was read from once */
	int inotify;
	int lock; /* file descriptor */
	bool from_start, once;
	sigset_t waiting; /* signals that are blocked while it waits */
};

/*
 * SIGTERM and SIGINT reach the process only while it waits: a step is whole or
 * not begun.
 */
void watch_catch_signals(struct watcher *watcher);
bool watch_should_end(void);

/* Until something happens to an input, or the time comes, or the service manager is to be told. */
enum bus_code watch_wait(struct watcher *watcher, int64_t until_us, struct bus_err *err);

/* The loop: until it is told to end, or with `once` until nothing more is there to read. */
enum bus_code watch_all(struct watcher *watcher, struct bus_err *err);

/* BUS_E_CONFIG: no input is configured. */
enum bus_code watch_nothing(const struct watcher *watcher, struct bus_err *err);

/* Forgets directories, descriptors and timer of an input that was closed. */
void watch_clear(struct watch *watch);

/* Looks again for directories that were not there. */
void watch_find_directories(struct watch *watch);

/* Takes what inotify has, and wakes the inputs it is about. */
void watch_take_inotify(struct watcher *watcher);

/*
 * Opens the input where that is to be done, reads once, and stores what came.
 * BUS_E_NO: it is not configured.  What can pass is said and tried again later;
 * BUS_E_CONFIG and BUS_E_BUG are the end.
 */
enum bus_code watch_step(struct watch *watch, struct bus_err *err);

/* Tells the service manager, if it is time. */
void watch_tell_status(struct watcher *watcher);

/* So that it can be opened anew. */
void watch_close(struct watch *watch);

#endif
