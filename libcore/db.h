#ifndef BUS_DB_H
#define BUS_DB_H

#include <stdbool.h>

#include <sqlite3.h>

#include "err.h"

/*
 * What outbox and ledger have in common: an SQLite file that survives anything
 * short of a broken disk (WAL, synchronous=FULL: a commit is on the disk when
 * it returns), made on first use, as open to its group as its directory is.
 * Included by those two modules only.
 */
struct bus_db_schema {
	const char *what;   /* "outbox": begins every message */
	int application_id; /* tells our file from another program's */
	int version;
	const char *sql; /* makes the tables of a new file */
	/* upgrade[n] makes version n + 1 of a file of version n; NULL: version is the first */
	const char *const *upgrade;
	bool shrinks; /* room that is freed can be given back to the disk */
	bool foreign; /* others write to it, whom we do not trust: no triggers, views, links, other
			 tables */
};

/*
 * Opens path, making directory and file if `create`; BUS_E_NO where there is
 * none and it must not be made.  Waits up to wait_ms for other writers.
 */
enum bus_code bus_db_open(sqlite3 **ret, const char *path, const struct bus_db_schema *schema,
			  bool create, int wait_ms, struct bus_err *err);

/* The kind of the last SQLite failure, with the file's name and the remedy. */
enum bus_code bus_db_fail(sqlite3 *db, const char *what, const char *doing, struct bus_err *err);

/* Prepares a statement that is kept. */
enum bus_code bus_db_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *what, const char *sql,
			     struct bus_err *err);

/* The version of SQLite. */
const char *bus_db_library(void);

#endif
