#ifndef BUS_OUTBOX_PRIVATE_H
#define BUS_OUTBOX_PRIVATE_H

#include "db.h"
#include "outbox.h"

/*
 * What the files of the outbox share; nobody else includes this.
 *
 *   outbox.c         opening and appending
 *   outbox_cursor.c  what changes together with events
 *   outbox_log.c     the relay's side: state, reading, checkpoints, progress
 *   outbox_check.c   is it in order, and does somebody relay it
 *   outbox_epoch.c   the end of one log and the beginning of the next
 *   outbox_resend.c  what was confirmed, and is to be sent again
 *   outbox_prune.c   what is confirmed, and old
 */
enum bus_outbox_statement {
	S_LOG,
	S_STATE,
	S_LOG_INSERT,
	S_LOG_SIZE,
	S_LOG_SENT,
	S_LOG_CHECKPOINT,
	S_TYPE,
	S_TYPE_SET,
	S_TYPE_ALL,
	S_EVENT_INSERT,
	S_EVENTS,
	S_ADDED,
	S_CP_BEFORE,
	S_CP_AFTER,
	S_CP_INSERT,
	S_CP_RENEW,
	S_CURSOR_SET,
	S_CURSOR_DELETE,
	S_CURSOR_GET,
	S_CURSOR_NEXT,
	S_RESEND_NEXT,
	S_RESEND_NEAR,
	S_RESEND_DELETE,
	S_RESEND_INSERT,
	S_RESENT,
	S_RESENT_ALL,
	S_PRUNE_TO,
	S_PRUNE_EVENTS,
	S_PRUNE_CHECKPOINTS,
	S_COUNT
};

struct bus_outbox {
	sqlite3 *db;
	sqlite3_stmt *stmt[S_COUNT]; /* prepared when first used */
	char *directory, *name, *environment, *service;
	size_t max_event_size;
	struct bus_buf body; /* kept, so that an append allocates nothing */
	int lock_fd;	     /* -1: not claimed */
};

/* The statement, ready to be bound; NULL on failure. */
sqlite3_stmt *bus_outbox_statement(struct bus_outbox *box, enum bus_outbox_statement which,
				   struct bus_err *err);
/* Runs a bound statement that returns no rows. */
enum bus_code bus_outbox_run(struct bus_outbox *box, sqlite3_stmt *stmt, struct bus_err *err);
enum bus_code bus_outbox_exec(struct bus_outbox *box, const char *sql, const char *doing,
			      struct bus_err *err);
enum bus_code bus_outbox_fail(struct bus_outbox *box, const char *doing, struct bus_err *err);
enum bus_code bus_outbox_nomem(struct bus_err *err);
/* Ends a transaction: commits if rc is BUS_OK, and undoes it if not. */
enum bus_code bus_outbox_end(struct bus_outbox *box, enum bus_code rc, struct bus_err *err);

/* The one number that a statement answers, with id as ?1 if it has a ?1; 0 where there is none. */
enum bus_code bus_outbox_number(struct bus_outbox *box, enum bus_outbox_statement which,
				uint64_t id, int64_t *ret, struct bus_err *err);

/* The one row of `log`; BUS_E_NO: none yet.  Fills what that row has of *ret. */
enum bus_code bus_outbox_read_log(struct bus_outbox *box, struct bus_outbox_state *ret,
				  struct bus_err *err);
/* Writes the one row of a new log, with an epoch later than that of origin `after`. */
enum bus_code bus_outbox_start_log(struct bus_outbox *box, const char *after, struct bus_err *err);

#endif
