#ifndef BUS_HANDLER_ENV_H
#define BUS_HANDLER_ENV_H

#include "event.h"
#include "message.h"

/*
 * The environment of a handler (handler.h).
 *
 * Event text is hostile.  Only members of `data` whose names are names of
 * variables, [A-Za-z_][A-Za-z0-9_]*, become DEBMSG_DATA_<NAME> in upper case;
 * of several that then are the same, the first.  Strings are as they are,
 * numbers and true and false as in JSON; null, objects and arrays are left out.
 * So are values with NUL or longer than BUS_HANDLER_VALUE_MAX, and the largest
 * ones where all together would not fit into what exec(2) takes: a handler reads
 * those on its standard input.
 */
enum {
	BUS_HANDLER_VALUE_MAX = 100000, /* bytes; the kernel takes strings of 128 KiB */
	BUS_HANDLER_ENV_MAX = 512 * 1024
};

/* One piece of memory: *ret, ended by NULL, for execvpe(3); the caller frees it. */
enum bus_code bus_handler_env(char ***ret, char *const *argv, const struct bus_event *ev,
			      const struct bus_message *m, bool unsure, struct bus_err *err);

#endif
