#ifndef BUS_ADAPTER_WATCH_H
#define BUS_ADAPTER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/adapter.h"

/*
 * What an input may ask of the process that watches for it.  An input is read
 * once after its open(), then whenever something it named here happens, and
 * once a minute in any case, because a directory may not have been there and a
 * file system may say nothing.
 *
 * All of these belong to the input whose open() was given this watch, and stay
 * as they are until its close().
 */
struct watch;

const struct adapter_context *watch_context(const struct watch *watch);

/* For an input without cursors: begin with what is there already? */
bool watch_from_start(const struct watch *watch);

/*
 * Whatever changes in the directory wakes the input: files made, written to,
 * closed, renamed, removed.  One that is not there yet is looked for each
 * minute; that is no failure.
 */
enum bus_code watch_directory(struct watch *watch, const char *path, struct bus_err *err);

/* The same for the directory a file is in. */
enum bus_code watch_directory_of(struct watch *watch, const char *file, struct bus_err *err);

/* Wakes the input when fd can be read; the caller closes fd, after watch_forget(). */
enum bus_code watch_descriptor(struct watch *watch, int fd, struct bus_err *err);
void watch_forget(struct watch *watch, int fd);

/*
 * Wakes the input once, ms milliseconds from now; an earlier timer of it is
 * replaced.  --once waits for what is due within four seconds.
 */
void watch_timer(struct watch *watch, int64_t ms);

/* If this read() fails, the input is left alone for at least ms milliseconds. */
void watch_hold(struct watch *watch, int64_t ms);

/* A cursor of this input as it is on the disk; *ret NULL if there is none, else the caller's. */
enum bus_code watch_cursor(struct watch *watch, const char *name, char **ret, size_t *ret_len,
			   struct bus_err *err);

/*
 * The names of this input's cursors that begin with prefix, in byte order: the
 * first one after `after` (NULL: the first at all).  *ret NULL: no more.
 */
enum bus_code watch_cursor_next(struct watch *watch, const char *prefix, const char *after,
				char **ret, struct bus_err *err);

#endif
