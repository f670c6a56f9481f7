#ifndef BUS_ADAPTER_CHILD_H
#define BUS_ADAPTER_CHILD_H

#include <stddef.h>

#include "buf.h"
#include "err.h"

/*
 * Another program, run without a shell: we write to its stdin and read its
 * stdout, both until a deadline, and keep the beginning of its stderr.
 *
 *	child_start()
 *	child_write() ...  child_end_input()	where it reads anything
 *	child_read() or child_read_line() ...
 *	child_finish()				always, if only child_start() was BUS_OK
 *
 * The caller ignores SIGPIPE.  BUS_E_UNAVAILABLE says that the time is up; the
 * program is killed by child_finish().  What of its output is not read is
 * thrown away.
 */
struct child;

/* argv[0] is an absolute path; envp is the whole environment; both end with NULL. */
enum bus_code child_start(struct child **ret, const char *const *argv, const char *const *envp,
			  int timeout_ms, struct bus_err *err);

/* Gives it timeout_ms from now: for one that answers questions. */
void child_extend(struct child *child, int timeout_ms);

/* A program that does not read to the end is no failure: it may know enough. */
enum bus_code child_write(struct child *child, const void *bytes, size_t len, struct bus_err *err);
void child_end_input(struct child *child);

/* Exactly len bytes; BUS_E_NO where the output ends before. */
enum bus_code child_read(struct child *child, void *bytes, size_t len, struct bus_err *err);
/* Without its LF, as a string.  BUS_E_NO at the end, BUS_E_DATA where it has no room. */
enum bus_code child_read_line(struct child *child, char *line, size_t size, struct bus_err *err);
/* Appends all that comes; BUS_E_DATA where it is more than out takes. */
enum bus_code child_read_all(struct child *child, struct bus_buf *out, struct bus_err *err);

/*
 * BUS_OK and the exit status, or BUS_E_UNAVAILABLE if it had to be killed or died
 * by a signal.  Frees child (NULL is fine).  err gets what it said on stderr
 * where the status is not 0.
 */
enum bus_code child_finish(struct child *child, int *ret_status, struct bus_err *err);

/* Ends it without asking for more. */
void child_kill(struct child *child);

#endif
