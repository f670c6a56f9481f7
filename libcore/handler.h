#ifndef BUS_HANDLER_H
#define BUS_HANDLER_H

#include "event.h"
#include "inbox.h"
#include "message.h"

/*
 * Runs a handler for one event, and waits for its end (DESIGN section 4, --exec).
 *
 * The handler gets the event's JSON, as received, on its standard input, and in
 * its environment DEBMSG_TYPE, _SUBJECT, _SOURCE, _ID, _TIME, _SUMMARY, _URL,
 * and DEBMSG_DATA_<NAME> for the scalar members of `data`.  It is started
 * directly, never through a shell, in a session of its own.  What it prints goes
 * where our output goes; the last of it is also kept.
 *
 * Event text is hostile: names that are no names of variables are left out, and
 * so are values that no environment can hold.
 */
struct bus_handler {
	char *const *argv; /* ended by NULL; found by PATH */
	int timeout_s;	   /* then it and its children are killed; 0: never */
};

struct bus_handler_result {
	enum bus_inbox_outcome outcome; /* exit status 0: done; 75: again; all else: gave up */
	char reason[256]; /* "exit status 1", "killed by SIGKILL", "still running after 60 s" */
	char output[BUS_INBOX_OUTPUT_MAX + 1];
	size_t output_len;
};

/* Fails only where it could not be started for want of something of ours: BUS_E_TEMP, _NOMEM. */
enum bus_code bus_handler_run(const struct bus_handler *handler, const struct bus_event *ev,
			      const struct bus_message *m, bool unsure,
			      struct bus_handler_result *ret, struct bus_err *err);

#endif
