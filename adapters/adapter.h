#ifndef BUS_ADAPTER_H
#define BUS_ADAPTER_H

#include <stdbool.h>
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
 * There are two kinds: the service calls us (a hook), or we watch what it
 * writes (inputs).
 *
 * A hook is answered in two steps:
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

/* A named value that changes together with events: how far an input was read. */
struct adapter_cursor {
	char *name;
	struct bus_buf value; /* empty: the cursor goes away */
};

/* Input that can never be an event, to be kept. */
struct adapter_reject {
	char *reason; /* one line */
	struct bus_buf raw;
};

struct bus_outbox;

/*
 * What convert() or read() makes of an input, or of the first part of a large
 * one; see common/batch.h.  All of it is stored in one transaction.
 */
struct adapter_batch {
	struct adapter_event *event;
	size_t count, cap;
	size_t bytes; /* of all data so far */
	struct adapter_cursor *cursor;
	size_t cursor_count, cursor_cap;
	struct adapter_reject *reject;
	size_t reject_count, reject_cap;
	struct bus_buf rest;	/* convert(): the input that remains; empty: all is converted */
	bool more;		/* read(): there is more to read at once */
	struct bus_outbox *box; /* the next two: where batch_stored() looks */
	const char *input;
};

struct adapter_hook {
	const char *name;      /* "git": the subcommand, and begins cursor names */
	const char *hook_name; /* "post-receive": run under this name, it is this hook;
				  several separated by blanks, NULL: none */
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

/*
 * Something that is watched: a log that grows, a file that is rewritten, a
 * directory, a socket.  One process per service (common/watch_main.h) calls
 *
 *	open()		once; the input says what wakes it (common/watch.h)
 *	read()		whenever it was woken: takes what is new into the batch, and
 *			the cursors that say so
 *	stored()	the batch is on the disk: what is not needed any more may go
 *	close()
 *
 * Where read() or stored() fails, the input is closed and a little later opened
 * anew; a batch that cannot be stored is kept, and stored before the input is
 * read again.  So an input keeps in its cursors all that it needs, and nothing
 * is lost and nothing told twice, whatever is killed when.
 */
struct watch;
struct follow_line;

struct adapter_input {
	const char *name;    /* "edit-log": begins the names of its cursors */
	const char *option;  /* of debmsg.conf: turns it on; NULL: open() knows, see there */
	const char *summary; /* for --help */

	/*
	 * Called only where the option is set; BUS_E_NO says that the input is
	 * not configured after all.  Reads its cursors; where there
	 * are none it begins with what is there already, or after it, as
	 * watch_from_start() says.
	 */
	enum bus_code (*open)(void **ret, struct watch *watch, struct bus_err *err);

	/*
	 * At most about batch_is_full() much; more stays for the next call.
	 * Nothing new is BUS_OK (or BUS_E_NO) and an empty batch.  BUS_E_CONFIG
	 * and BUS_E_BUG end the program; after any other failure it is tried
	 * again later.
	 */
	enum bus_code (*read)(void *input, struct adapter_batch *batch, struct bus_err *err);
	enum bus_code (*stored)(void *input, struct bus_err *err); /* may be NULL */
	void (*close)(void *input);				   /* NULL is fine */

	/*
	 * Instead of all these, where the option names one growing file
	 * (common/follow.h) whose lines are independent of each other: what one
	 * line is.  BUS_E_DATA, with the reason: it is rejected.
	 */
	enum bus_code (*line)(const struct adapter_context *ctx, const struct follow_line *line,
			      struct adapter_batch *batch, struct bus_err *err);
};

/* The service, and its hooks or its inputs, ended by one without a name. */
struct adapter {
	const char *program; /* "debmsg-alioth" */
	const char *service; /* "alioth": its section in debmsg.conf */
	const struct adapter_hook *hook;
	const struct adapter_input *input; /* where hook is NULL */
};

/* By name, because the fuzzer and the tests link several at once. */
extern const struct adapter adapter_alioth;
extern const struct adapter adapter_dak;
extern const struct adapter adapter_planet;
extern const struct adapter adapter_wiki;

#endif
