#ifndef FAULT_RUN_H
#define FAULT_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "err.h"

/*
 * Runs something whole, from its input to what is stored, in a process of its
 * own, with one fault: an allocation, or a write, sync or truncate of SQLite that
 * fails, once or from then on for ever.  Then it is run again without.
 * * The first run may end well or with "try again later" and a reason; nothing
 * else, no finding of a sanitizer, no signal.  GLib and GMime, libgcrypt, GPGME where
 * a keyring is opened, and libconfuse where it reads a file, do not tell who calls
 * them that memory has run out: they end the process.  So it may die in there, but nowhere else.
 *
 * Every allocation fails once per place it is asked from (faulty_memory.h), or
 * every n-th place of them where that would take too long: $DEBMSG_FAULTS is how
 * many faults of each kind a scenario gets at most, "all" fails each allocation
 * and each write, from wherever.  The same ones fail in every run.
 */
struct fault_scenario {
	const char *name;
	const char *input;	   /* directory below the inputs; NULL: it begins with nothing */
	const char *needs;	   /* what inputs may have left out; NULL: nothing */
	bool settles;		   /* its files must lie still for two seconds */
	bool ends_by_glib;	   /* may end by GLib's abort(), which is how GLib does it */
	long memory_min, disk_min; /* fewer allocations, or writes, than these: it was not run */
	int cost;		   /* so many times what others take: fewer faults */

	/* Exit statuses as of a program; the working directory is the run's own. */
	int (*run)(void);
	/* The second time; NULL: the same as run(). */
	int (*again)(void);
	/*
	 * A first run may also lose its input, where it says one of these or a
	 * library ended it (NULL: never).
	 */
	const char *const *says_lost; /* ended by NULL */
	/* What is stored, in lines that are compared. */
	enum bus_code (*dump)(FILE *out, struct bus_err *err);
	/* Is called in each process before anything else; may be NULL. */
	void (*begin)(void);
};

/*
 * directory: $DIRECTORY/run is where each run happens; $DIRECTORY/<input> is
 * copied there first.  Returns how many runs went wrong, and says which.
 */
int fault_run(const struct fault_scenario *scenario, const char *directory);

/* A new directory of this run's own, and its removal. */
bool fault_begin(char directory[200], const char *program);
void fault_end(const char *directory);

/* With operands: only the scenarios whose name begins with one of them. */
bool fault_is_wanted(const char *name, int argc, char **argv);

/* For scenarios: the exit status for a code, which is said on stderr. */
int fault_status(enum bus_code rc, const struct bus_err *err);

/* The events of an outbox, without what depends on their order or the clock; its rejects. */
enum bus_code fault_dump_outbox(FILE *out, const char *service, struct bus_err *err);

#endif
