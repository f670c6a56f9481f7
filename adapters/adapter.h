#ifndef BUS_ADAPTER_H
#define BUS_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "conf.h"

/*
 * The adapter contract: what one Debian service says goes in, events come out.
 *
 * An adapter knows its service's formats and nothing else: it opens no outbox,
 * holds no key, and never makes its service wait or fail.  adapters/main.c,
 * built into every program with -DADAPTER=adapter_<service>, does the options,
 * the configuration and the exit status; adapters/common has the rest.
 *
 * A service that calls us is a hook.  It is answered in two steps:
 *
 *	capture()	in the service's own process, in milliseconds: reads all
 *			it is told and what will have changed a moment later
 *	convert()	later, in the background and perhaps more than once:
 *			makes the events; the only step that may take long
 *
 * Between the two the input is on the disk, as a cursor of the outbox
 * (common/deferred.h), and it goes away in the transaction that stores its
 * events.  So whatever is killed whenever, each input gives its events once.
 */
enum { ADAPTER_INPUT_MAX = 16 * 1024 * 1024 }; /* bytes of an input: what a cursor takes */

struct adapter_context {
	const char *program; /* "debmsg-alioth" */
	const struct bus_conf *conf;
	const struct bus_conf_service *service;
};

/* What a hook was told: both empty if nothing happened. */
struct adapter_capture {
	struct bus_buf input;	 /* for convert(); its form is the adapter's own */
	struct bus_buf rejected; /* what can never be converted: one line that says
				    why, then the bytes as they came */
};

/* One event to be, and the bytes it came from in case no event can be made of it. */
struct adapter_event {
	char *type; /* whole */
	char *subject;
	int64_t time_us;
	struct bus_buf data;
	char *raw;
	size_t number; /* of raw in its input, from 1 */
};

/* What convert() makes of an input, or of the first part of a large one. */
struct adapter_batch {
	struct adapter_event *event;
	size_t count, cap;
	size_t bytes;	     /* of all data so far */
	struct bus_buf rest; /* the input that remains; empty: all is converted */
};
enum { ADAPTER_BATCH_ENOUGH = 4 * 1024 * 1024 }; /* bytes; then leave a rest */

struct adapter_hook {
	const char *name;      /* "git": the subcommand, and begins cursor names */
	const char *hook_name; /* "post-receive": run under this name, it is this hook */
	const char *summary;   /* for --help */

	/*
	 * BUS_E_USAGE where this is no call by the service.  operand: what
	 * stands after the subcommand, ended by NULL.
	 */
	enum bus_code (*capture)(const struct adapter_context *ctx, char **operand,
				 struct adapter_capture *ret, struct bus_err *err);

	/*
	 * BUS_E_DATA: this input can never be converted, it is put aside.
	 * Anything else but BUS_OK: it stays, to be tried again.
	 */
	enum bus_code (*convert)(const struct adapter_context *ctx, const char *input, size_t len,
				 struct adapter_batch *batch, struct bus_err *err);
};

/* The service, and its hooks, ended by one without a name. */
struct adapter {
	const char *program; /* "debmsg-alioth" */
	const char *service; /* "alioth": its section in debmsg.conf */
	const struct adapter_hook *hook;
};

/* By name, because the fuzzer and the tests link several at once. */
extern const struct adapter adapter_alioth;

#endif
