#ifndef BUS_ADAPTER_DAK_REJECTED_H
#define BUS_ADAPTER_DAK_REJECTED_H

#include "err.h"

/*
 * The directory rejected/ below another: files that nothing can be made of,
 * each with its reason in <name>.reason.
 *
 * Nothing in it is ever overwritten; where a name is taken, ".1", ".2", ... is
 * put behind it.  With more than MAILDIR_REJECTED_MAX files the oldest goes.
 */

/* Moves <directory>/<name>; *ret_kept is its new name, the caller's. */
enum bus_code rejected_keep(const char *directory, const char *name, const char *reason,
			    char **ret_kept, struct bus_err *err);

#endif
