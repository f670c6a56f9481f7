#ifndef BUS_JOBS_H
#define BUS_JOBS_H

#include "handler.h"
#include "publisher.h"

/*
 * Runs handlers for what is in the inbox, up to so many at once.
 *
 * A keeper is a child of ours that runs a handler, waits for it and writes the
 * outcome into the ledger itself; there are as many as there are jobs at once, and
 * each serves one event after the other.  It is in a session of its own and
 * outlives us until its handler has ended, so that our end, at any moment, changes
 * nothing.  keeper.h says what a main() must do for it.
 *
 * While an item is begun and not ended, its keeper holds a lock (of its open file
 * description, fcntl(2), F_OFD_SETLK) on the byte of <ledger>.jobs that has the
 * item's number; the handler does not inherit it.  So who gets that lock and then
 * finds the item running knows that its keeper died: by SIGKILL, or with the
 * machine.  Such an item runs again, marked as unsure.
 *
 * A handler that cannot be started at all is not an event's fault: nothing is
 * counted, everything waits, and it is tried again after a pause.
 *
 *	bus_jobs_open()
 *	bus_jobs_step()		whenever bus_jobs_fd() is readable, wait_ms have passed,
 *				or something was put into the inbox
 *	bus_jobs_close()	keepers at work are left to it (at the program's end: they
 *				stay our children)
 */
struct bus_jobs;

struct bus_jobs_options {
	struct bus_handler handler;
	unsigned int jobs;  /* at once; with 1 in the order of arrival */
	unsigned int tries; /* "again" this often, then it is given up; at least 1 */
	struct bus_say say;
};

struct bus_jobs_state {
	unsigned int running; /* keepers at work, also those of an earlier run */
	uint64_t waiting, failed;
	unsigned long long done, again, gave_up; /* since bus_jobs_open(), by our own keepers */
	int wait_ms; /* call bus_jobs_step() again after so long; -1: no need to */
};

enum bus_code bus_jobs_open(struct bus_jobs **ret, struct bus_ledger *ledger,
			    const struct bus_jobs_options *options, struct bus_err *err);
int bus_jobs_fd(const struct bus_jobs *jobs); /* readable when a keeper has ended */
/*
 * Collects what has ended and, if `start`, starts what may be started.  Commits what
 * is not yet (bus_ledger_commit()), for only then a keeper sees it.
 */
enum bus_code bus_jobs_step(struct bus_jobs *jobs, bool start, struct bus_jobs_state *ret,
			    struct bus_err *err);
void bus_jobs_close(struct bus_jobs *jobs);

#endif
