#ifndef FAULTY_DISK_H
#define FAULTY_DISK_H

#include <stdbool.h>

/*
 * A disk on which a write, sync or truncate of SQLite fails: the faulty_fail_at-th one
 * (0: none), or all from then on.  faulty_calls counts them.
 */
extern long faulty_calls, faulty_fail_at;
extern bool faulty_for_ever;
/* Where children count too: in memory that is shared; may be NULL. */
extern long *faulty_calls_of_all;

/* For every database that is opened from here on. */
void faulty_disk_use(void);

#endif
