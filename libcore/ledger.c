#include "config.h"

#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"

enum { WAIT_MS = 10000 };

static const struct bus_db_schema schema = {
	.what = "ledger",
	.application_id = 0x64626d32, /* "dbm2" */
	.version = 1,
	.sql = "CREATE TABLE log (number INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE);"
	       "CREATE TABLE done (log INTEGER NOT NULL, id INTEGER NOT NULL, leaf BLOB NOT NULL,"
	       "  PRIMARY KEY (log, id)) WITHOUT ROWID;"
	       "CREATE TABLE binding (pattern TEXT PRIMARY KEY) WITHOUT ROWID;",
};

enum statement { S_LOG, S_LOOK, S_NOTE, S_BIND, S_BINDINGS, S_COUNT };

static const char *const sql_of[S_COUNT] = {
	[S_LOG] = "INSERT OR IGNORE INTO log (source) VALUES (?1)",
	[S_LOOK] = ("SELECT leaf FROM done JOIN log ON done.log = log.number"
		    " WHERE log.source = ?1 AND done.id = ?2"),
	[S_NOTE] = "INSERT INTO done SELECT number, ?2, ?3 FROM log WHERE source = ?1",
	[S_BIND] = "INSERT OR IGNORE INTO binding VALUES (?1)",
	[S_BINDINGS] = "SELECT pattern FROM binding ORDER BY pattern",
};

struct bus_ledger {
	sqlite3 *db;
	sqlite3_stmt *stmt[S_COUNT];
};

static enum bus_code fail(struct bus_ledger *ledger, struct bus_err *err)
{
	return bus_db_fail(ledger->db, "ledger", "cannot use", err);
}

static enum bus_code run(struct bus_ledger *ledger, sqlite3_stmt *stmt, struct bus_err *err)
{
	enum bus_code rc = sqlite3_step(stmt) == SQLITE_DONE ? BUS_OK : fail(ledger, err);

	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_open(struct bus_ledger **ret, const char *state_directory,
			      const char *queue, struct bus_err *err)
{
	struct bus_ledger *ledger = calloc(1, sizeof(*ledger));
	char *path = NULL;
	enum bus_code rc;
	int i;

	if (!ledger || asprintf(&path, "%s/ledger/%s.db", state_directory, queue) < 0) {
		free(ledger);
		return bus_fail(err, BUS_E_NOMEM, "ledger: out of memory");
	}
	rc = bus_db_open(&ledger->db, path, &schema, true, WAIT_MS, err);
	free(path);
	for (i = 0; !rc && i < S_COUNT; i++)
		rc = bus_db_prepare(ledger->db, &ledger->stmt[i], "ledger", sql_of[i], err);
	if (rc)
		bus_ledger_close(ledger);
	else
		*ret = ledger;
	return rc;
}

void bus_ledger_close(struct bus_ledger *ledger)
{
	int i;

	if (!ledger)
		return;
	for (i = 0; i < S_COUNT; i++)
		sqlite3_finalize(ledger->stmt[i]);
	sqlite3_close(ledger->db);
	free(ledger);
}

enum bus_code bus_ledger_look(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, enum bus_seen *ret, struct bus_err *err)
{
	sqlite3_stmt *stmt = ledger->stmt[S_LOOK];
	enum bus_code rc = BUS_OK;
	int step;

	sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)id);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret = sqlite3_column_bytes(stmt, 0) == BUS_HASH_LEN &&
				       !memcmp(sqlite3_column_blob(stmt, 0), leaf->b, BUS_HASH_LEN)
			       ? BUS_SEEN_REPEAT
			       : BUS_SEEN_OTHER;
	else if (step == SQLITE_DONE)
		*ret = BUS_SEEN_NEW;
	else
		rc = fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_note(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, struct bus_err *err)
{
	sqlite3_stmt *stmt = ledger->stmt[S_LOG];
	enum bus_code rc;

	if (sqlite3_get_autocommit(ledger->db) &&
	    sqlite3_exec(ledger->db, "BEGIN IMMEDIATE", NULL, NULL, NULL))
		return fail(ledger, err);
	sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
	rc = run(ledger, stmt, err);
	if (rc)
		return rc;
	stmt = ledger->stmt[S_NOTE];
	sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)id);
	sqlite3_bind_blob(stmt, 3, leaf->b, BUS_HASH_LEN, SQLITE_STATIC);
	return run(ledger, stmt, err);
}

enum bus_code bus_ledger_commit(struct bus_ledger *ledger, struct bus_err *err)
{
	if (sqlite3_get_autocommit(ledger->db))
		return BUS_OK;
	return sqlite3_exec(ledger->db, "COMMIT", NULL, NULL, NULL) ? fail(ledger, err) : BUS_OK;
}

enum bus_code bus_ledger_bind(struct bus_ledger *ledger, const char *pattern, struct bus_err *err)
{
	sqlite3_stmt *stmt = ledger->stmt[S_BIND];

	sqlite3_bind_text(stmt, 1, pattern, -1, SQLITE_STATIC);
	return run(ledger, stmt, err);
}

enum bus_code bus_ledger_bindings(struct bus_ledger *ledger,
				  enum bus_code (*each)(void *arg, const char *pattern,
							struct bus_err *err),
				  void *arg, struct bus_err *err)
{
	sqlite3_stmt *stmt = ledger->stmt[S_BINDINGS];
	enum bus_code rc = BUS_OK;
	int step = SQLITE_DONE;

	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = each(arg, (const char *)sqlite3_column_text(stmt, 0), err);
	if (!rc && step != SQLITE_DONE)
		rc = fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}
