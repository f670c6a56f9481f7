#ifndef BUS_KEEPER_H
#define BUS_KEEPER_H

#include <sys/types.h>

#include "jobs.h"

/*
 * The keepers of jobs.h, from both sides.  Used by jobs.c, and by each main()
 * from which bus_jobs_open() is reached.
 *
 * A keeper is the same program, started anew, since SQLite's files must not be
 * carried over a fork(2).  So such a main() begins with
 *
 *	if (bus_keeper_wanted(argv))
 *		return bus_keeper_main(argc, argv, &say);
 *
 * It serves one event after the other, and ends when it has none and the process
 * that started it has gone.  Until then nothing but SIGKILL of itself, or the
 * machine's end, keeps it from writing down how its handler ended.
 */
bool bus_keeper_wanted(char *const *argv);
int bus_keeper_main(int argc, char **argv, const struct bus_say *say);

/* -- between jobs.c and the keeper: one datagram each way -- */

enum bus_keeper_end {
	BUS_KEEPER_DONE,
	BUS_KEEPER_AGAIN,
	BUS_KEEPER_GAVE_UP,
	BUS_KEEPER_TAKEN,  /* somebody else has it, or it is gone: nothing was done */
	BUS_KEEPER_TROUBLE /* not the event's fault; it waits as before */
};

struct bus_keeper_reply {
	int64_t number;
	enum bus_keeper_end end;
	char text[640]; /* TROUBLE: what */
};

/* *ret_fd: takes an int64_t, the number of an item, and gives a struct bus_keeper_reply. */
enum bus_code bus_keeper_start(pid_t *ret_pid, int *ret_fd, const char *ledger_path,
			       const struct bus_jobs_options *options, struct bus_err *err);

/* The file of the locks; the caller closes it. */
enum bus_code bus_keeper_open_locks(int *ret_fd, const char *ledger_path, struct bus_err *err);
/* False: another process has it. */
bool bus_keeper_lock(int fd, int64_t number);
void bus_keeper_unlock(int fd, int64_t number);

#endif
