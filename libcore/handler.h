#ifndef BUS_HANDLER_H
#define BUS_HANDLER_H

#include "event.h"
#include "inbox.h"
#include "message.h"

/*
 * Runs a handler for one event, and waits for its end (DESIGN section 4, --exec).
 *
 * The handler gets the event's JSON, as received, on its standard input, and our
 * environment, but for DEBMSG_*: of these DEBMSG_CONF stays, and it gets
 * DEBMSG_TYPE, _SUBJECT, _SOURCE, _ID, _TIME, _SUMMARY, _URL, DEBMSG_DATA_<NAME>
 * for the scalar members of `data` (handler_env.h), and DEBMSG_RETRY=1 if an
 * earlier run may have succeeded.  It is started directly, never through a
 * shell, in a session of its own, with no signal blocked or ignored, and dies
 * with the process that called this.
 *
 * What it prints goes where our output goes, as long as somebody reads that; the
 * last of it is also kept.  It has ended when its process has: what it leaves
 * running in the background is not waited for, and finds its output closed.
 *
 * The caller ignores SIGPIPE.
 */
struct bus_handler {
	char *const *argv; /* ended by NULL; found by PATH */
	int timeout_s;	   /* then its whole process group is ended; 0: never */
};

struct bus_handler_result {
	enum bus_inbox_outcome outcome; /* exit status 0: done; 75: again; all else: gave up */
	char reason[256]; /* "exit status 1", "killed by SIGKILL", "still running after 60 s" */
	char output[BUS_INBOX_OUTPUT_MAX + 1];
	size_t output_len;
};

/*
 * Anything but BUS_OK: it was not started, which is not the event's fault.
 * BUS_E_CONFIG: there is no such program, or it cannot be run; BUS_E_TEMP and
 * BUS_E_NOMEM: this machine is short of something.
 */
enum bus_code bus_handler_run(const struct bus_handler *handler, const struct bus_event *ev,
			      const struct bus_message *m, bool unsure,
			      struct bus_handler_result *ret, struct bus_err *err);

#endif
