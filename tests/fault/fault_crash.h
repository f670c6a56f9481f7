#ifndef FAULT_CRASH_H
#define FAULT_CRASH_H

#include <stdbool.h>

/*
 * Where a process died: in one of the libraries that end the process when memory
 * has run out, or anywhere else.
 */
struct fault_crash {
	bool is_by_library;
	int depth;
	void *frame[24]; /* of backtrace() */
};

/* In memory that is shared with the process that asks. */
void fault_crash_catch(struct fault_crash *crash);

#endif
