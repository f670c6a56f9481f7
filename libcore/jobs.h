#ifndef BUS_JOBS_H
#define BUS_JOBS_H

#include "handler.h"
#include "publisher.h"

/*
 * Runs handlers for what is in the inbox, up to so many at once.
 *
 * Each handler has a keeper: a child of ours that runs it, waits for it and
 * writes the outcome into the ledger itself.  It is in a session of its own and
 * outlives us, so that our end, at any moment, changes nothing.
 *
 * A keeper holds a lock (an open file description lock, fcntl(2), F_OFD_SETLK)
 * on the byte of <ledger>.jobs that has its item's number.  We take it before
 * the keeper is forked, which inherits it.  So who finds an item running and
 * its byte unlocked knows that its keeper died with the machine.
 *
 *	bus_jobs_open()
 *	bus_jobs_step()		whenever bus_jobs_fd() is readable, wait_ms have passed,
 *				or something was put into the inbox
 *	bus_jobs_close()	keepers at work are left to it
 */
struct bus_jobs;

struct bus_jobs_options {
	struct bus_handler handler;
	unsigned int jobs;  /* at once; with 1 in the order of arrival */
	unsigned int tries; /* "again" this often, then it is given up */
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
/* Collects what has ended and, if `start`, starts what may be started. */
enum bus_code bus_jobs_step(struct bus_jobs *jobs, bool start, struct bus_jobs_state *ret,
			    struct bus_err *err);
void bus_jobs_close(struct bus_jobs *jobs);

#endif
