#ifndef BUS_LEDGER_PRIVATE_H
#define BUS_LEDGER_PRIVATE_H

#include <sqlite3.h>

#include "ledger.h"
#include "proof.h"

/*
 * What ledger.c, ledger_queue.c, ledger_position.c and inbox.c share.  One table each would do
 * for small ones, but they must be changed in one transaction.
 */
enum bus_ledger_statement {
	/* ledger.c */
	L_LOG,
	L_LOOK,
	L_NOTE,
	L_REVIVE,
	L_PATTERN,
	L_PATTERNS,
	L_GET,
	L_STORE,
	L_UNSET,
	/* ledger_position.c */
	L_POSITION,
	L_ADVANCE,
	L_SETTLE,
	L_NEXT_TYPE,
	L_FORGET_TYPE,
	L_LOSE,
	L_MISSING_OF,
	L_UNLOSE,
	L_MISSING,
	L_REPORTED,
	L_IS_WHOLE,
	L_SET_WHOLE,
	L_FORGET_WHOLE,
	L_HEAR,
	L_SILENT,
	L_LOGS,
	/* inbox.c */
	L_PUT,
	L_COUNT_STATES,
	L_NEXT,
	L_NEXT_TIME,
	L_FIND,
	L_ITEM,
	L_BEGIN,
	L_AGAIN,
	L_GIVE_UP,
	L_UNSURE,
	L_DROP,
	L_COUNT
};

struct bus_ledger {
	sqlite3 *db;
	char *path;
	int lock_fd;		     /* -1: not locked */
	sqlite3_stmt *stmt[L_COUNT]; /* prepared when first used */
	/* A log that has a number, as this transaction knows; "": none. */
	char numbered[BUS_ORIGIN_MAX + 1];
};

/* The statement, reset and without bindings; NULL and *ret_rc: it cannot be prepared. */
sqlite3_stmt *bus_ledger_statement(struct bus_ledger *ledger, enum bus_ledger_statement which,
				   enum bus_code *ret_rc, struct bus_err *err);
/* Begins a transaction if none is open. */
enum bus_code bus_ledger_begin(struct bus_ledger *ledger, struct bus_err *err);
/* Runs a statement that returns no row, and resets it. */
enum bus_code bus_ledger_run(struct bus_ledger *ledger, sqlite3_stmt *stmt, struct bus_err *err);
/* For what the database said last. */
enum bus_code bus_ledger_fail(struct bus_ledger *ledger, struct bus_err *err);
/* The statement, in a transaction. */
sqlite3_stmt *bus_ledger_change(struct bus_ledger *ledger, enum bus_ledger_statement which,
				enum bus_code *ret_rc, struct bus_err *err);
/* The same for one that is about a log, its source bound to ?1, which has a number then. */
sqlite3_stmt *bus_ledger_change_log(struct bus_ledger *ledger, enum bus_ledger_statement which,
				    const char *source, enum bus_code *ret_rc, struct bus_err *err);

/* All logs are whole, also those that are not known yet. */
enum bus_code bus_ledger_set_all_whole(struct bus_ledger *ledger, bool whole, struct bus_err *err);

#endif
