#include "config.h"

#include "ledger_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db.h"

enum { WAIT_MS = 10000 };

#define NEXT_HEAD                                                                                  \
	"  UPDATE inbox SET head = 1 WHERE head = 0 AND number = (SELECT min(number) FROM inbox"   \
	"   WHERE log = OLD.log AND subject = OLD.subject AND state < 2);"

static const struct bus_db_schema schema = {
	.what = "ledger",
	.application_id = 0x64626d32, /* "dbm2" */
	.version = 2,
	.sql = "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	       "CREATE TABLE log (number INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE,"
	       "  heard_us INTEGER NOT NULL DEFAULT 0, whole INTEGER NOT NULL DEFAULT 0);"
	       "CREATE TABLE done (log INTEGER NOT NULL, id INTEGER NOT NULL, leaf BLOB NOT NULL,"
	       "  PRIMARY KEY (log, id)) WITHOUT ROWID;"
	       "CREATE TABLE position (log INTEGER NOT NULL, type TEXT NOT NULL,"
	       "  last INTEGER NOT NULL, time_us INTEGER NOT NULL, had INTEGER NOT NULL,"
	       "  PRIMARY KEY (log, type))"
	       "  WITHOUT ROWID;"
	       "CREATE TABLE missing (log INTEGER NOT NULL, type TEXT NOT NULL,"
	       "  first INTEGER NOT NULL, last INTEGER NOT NULL, reported INTEGER NOT NULL,"
	       "  PRIMARY KEY (log, type, first)) WITHOUT ROWID;"
	       "CREATE TABLE binding (pattern TEXT PRIMARY KEY, dropped INTEGER NOT NULL)"
	       "  WITHOUT ROWID;"
	       /*
		* Numbers are never used again: a keeper's lock is on one.  head: the
		* first of its log and subject that has not ended; kept by triggers, as
		* the counts are, so that neither is ever looked for in a large inbox.
		*/
	       "CREATE TABLE inbox (number INTEGER PRIMARY KEY AUTOINCREMENT,"
	       "  log INTEGER NOT NULL, id INTEGER NOT NULL, subject TEXT NOT NULL,"
	       "  routing_key TEXT NOT NULL, message_id TEXT, body BLOB NOT NULL,"
	       "  proof BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0, head INTEGER NOT NULL,"
	       "  tries INTEGER NOT NULL DEFAULT 0, not_before_us INTEGER NOT NULL DEFAULT 0,"
	       "  unsure INTEGER NOT NULL DEFAULT 0, reason TEXT, output BLOB,"
	       "  UNIQUE (log, id));"
	       "CREATE INDEX inbox_subject ON inbox (log, subject, number) WHERE state < 2;"
	       "CREATE INDEX inbox_state ON inbox (state, number);"
	       "CREATE INDEX inbox_head ON inbox (number, not_before_us)"
	       "  WHERE state = 0 AND head = 1;"
	       "CREATE TABLE inbox_count (state INTEGER PRIMARY KEY, count INTEGER NOT NULL);"
	       "INSERT INTO inbox_count VALUES (0, 0), (1, 0), (2, 0);"
	       "CREATE TRIGGER inbox_insert AFTER INSERT ON inbox BEGIN"
	       "  UPDATE inbox_count SET count = count + 1 WHERE state = NEW.state; END;"
	       "CREATE TRIGGER inbox_delete AFTER DELETE ON inbox BEGIN"
	       "  UPDATE inbox_count SET count = count - 1 WHERE state = OLD.state;" NEXT_HEAD
	       " END;"
	       "CREATE TRIGGER inbox_update AFTER UPDATE OF state ON inbox BEGIN"
	       "  UPDATE inbox_count SET count = count - 1 WHERE state = OLD.state;"
	       "  UPDATE inbox_count SET count = count + 1 WHERE state = NEW.state;" NEXT_HEAD
	       " END;"
	       /* What left the inbox as failed (2) is parked, and may come back once. */
	       "CREATE TABLE gave_up (log INTEGER NOT NULL, id INTEGER NOT NULL,"
	       "  PRIMARY KEY (log, id)) WITHOUT ROWID;"
	       "CREATE TRIGGER inbox_gave_up AFTER DELETE ON inbox WHEN old.state = 2 BEGIN"
	       "  INSERT OR IGNORE INTO gave_up VALUES (old.log, old.id); END;",
};

#define LOG "(SELECT number FROM log WHERE source = ?1)"

static const char *const sql_of[L_COUNT] = {
	[L_LOG] = "INSERT OR IGNORE INTO log (source) VALUES (?1)",
	[L_LOOK] = "SELECT leaf FROM done WHERE log = " LOG " AND id = ?2",
	[L_NOTE] = "INSERT INTO done VALUES (" LOG ", ?2, ?3)",
	[L_REVIVE] = "DELETE FROM gave_up WHERE log = " LOG " AND id = ?2",
	[L_PATTERN] = "INSERT OR REPLACE INTO binding VALUES (?1, ?2)",
	[L_PATTERNS] = "SELECT pattern FROM binding WHERE dropped = ?1 ORDER BY pattern",
	[L_GET] = "SELECT value FROM meta WHERE name = ?1",
	[L_STORE] = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
	[L_UNSET] = "DELETE FROM meta WHERE name = ?1",

	[L_POSITION] = "SELECT last, time_us, had FROM position WHERE log = " LOG " AND type = ?2",
	[L_ADVANCE] = "INSERT OR REPLACE INTO position VALUES (" LOG ", ?2, ?3, ?4, ?5)",
	[L_SETTLE] = "UPDATE position SET had = 1 WHERE had = 0",
	[L_NEXT_TYPE] = "SELECT min(type) FROM position WHERE type > ?1",
	[L_FORGET_TYPE] = "DELETE FROM position WHERE type = ?1",
	[L_LOSE] = "INSERT OR REPLACE INTO missing VALUES (" LOG ", ?2, ?3, ?4, ?5)",
	[L_MISSING_OF] = ("SELECT first, last, reported FROM missing"
			  " WHERE log = " LOG " AND type = ?2 AND first <= ?3 AND last >= ?3"),
	[L_UNLOSE] = "DELETE FROM missing WHERE log = " LOG " AND type = ?2 AND first = ?3",
	[L_MISSING] =
		("SELECT source, type, first, last, reported FROM missing JOIN log ON number = log"
		 " ORDER BY log, type, first"),
	[L_REPORTED] = "UPDATE missing SET reported = 1 WHERE reported = 0",
	[L_IS_WHOLE] = ("SELECT EXISTS (SELECT 1 FROM log WHERE source = ?1 AND whole = 1)"
			" OR EXISTS (SELECT 1 FROM meta WHERE name = 'whole')"),
	[L_SET_WHOLE] = "UPDATE log SET whole = 1 WHERE source = ?1 AND whole = 0",
	[L_FORGET_WHOLE] = "UPDATE log SET whole = 0",
	[L_HEAR] = "UPDATE log SET heard_us = ?2 WHERE source = ?1 AND heard_us < ?2",
	[L_SILENT] = ("SELECT source, heard_us FROM log"
		      " WHERE heard_us > 0 AND heard_us < ?1 ORDER BY number"),
	[L_LOGS] = "SELECT source, heard_us FROM log ORDER BY number",

	/* states: 0 waiting, 1 running, 2 failed (inbox.h) */
	[L_PUT] = ("INSERT INTO inbox"
		   " (log, id, subject, routing_key, message_id, body, proof, head)"
		   " VALUES (" LOG ", ?2, ?3, ?4, ?5, ?6, ?7, NOT EXISTS (SELECT 1 FROM inbox"
		   "  WHERE log = " LOG " AND subject = ?3 AND state < 2))"
		   " ON CONFLICT (log, id) DO NOTHING"),
	[L_COUNT_STATES] = "SELECT state, count FROM inbox_count",
	/* one that is to wait for longer than anything does: the clock was set back */
	[L_NEXT] =
		("SELECT number FROM inbox INDEXED BY inbox_head WHERE state = 0 AND head = 1 AND"
		 " (not_before_us <= ?1 OR not_before_us > ?1 + 600000000) ORDER BY number"),
	[L_NEXT_TIME] = ("SELECT min(not_before_us) FROM inbox INDEXED BY inbox_head"
			 " WHERE state = 0 AND head = 1 AND not_before_us > ?1"),
	[L_FIND] = ("SELECT number FROM inbox WHERE state = ?1 AND number > ?2"
		    " ORDER BY number LIMIT 1"),
	[L_ITEM] = ("SELECT state, tries, unsure, routing_key, message_id, body, proof, reason,"
		    " output FROM inbox WHERE number = ?1"),
	[L_BEGIN] = "UPDATE inbox SET state = 1 WHERE number = ?1 AND state = 0",
	/* unsure stays: that it said "again" now says nothing of what it did before */
	[L_AGAIN] = ("UPDATE inbox SET state = 0, tries = tries + ?2, not_before_us = ?3,"
		     " reason = ?4, output = ?5 WHERE number = ?1 AND state = 1"),
	[L_GIVE_UP] = ("UPDATE inbox SET state = 2, reason = ?2, output = ?3"
		       " WHERE number = ?1 AND state = 1"),
	[L_UNSURE] = ("UPDATE inbox SET state = 0, unsure = 1, tries = tries + 1,"
		      " not_before_us = ?2 WHERE number = ?1 AND state = 1"),
	[L_DROP] = "DELETE FROM inbox WHERE number = ?1",
};

/* -- what the other files of the ledger use -- */

enum bus_code bus_ledger_fail(struct bus_ledger *ledger, struct bus_err *err)
{
	return bus_db_fail(ledger->db, "ledger", "cannot use", err);
}

sqlite3_stmt *bus_ledger_statement(struct bus_ledger *ledger, enum bus_ledger_statement which,
				   enum bus_code *ret_rc, struct bus_err *err)
{
	sqlite3_stmt **stmt = &ledger->stmt[which];

	*ret_rc = *stmt ? BUS_OK : bus_db_prepare(ledger->db, stmt, "ledger", sql_of[which], err);
	if (*ret_rc)
		return NULL;
	sqlite3_reset(*stmt);
	sqlite3_clear_bindings(*stmt);
	return *stmt;
}

enum bus_code bus_ledger_begin(struct bus_ledger *ledger, struct bus_err *err)
{
	if (!sqlite3_get_autocommit(ledger->db))
		return BUS_OK;
	ledger->numbered[0] = '\0'; /* the transaction before may have been undone */
	return sqlite3_exec(ledger->db, "BEGIN IMMEDIATE", NULL, NULL, NULL)
		       ? bus_ledger_fail(ledger, err)
		       : BUS_OK;
}

enum bus_code bus_ledger_run(struct bus_ledger *ledger, sqlite3_stmt *stmt, struct bus_err *err)
{
	enum bus_code rc = sqlite3_step(stmt) == SQLITE_DONE ? BUS_OK
							     : bus_ledger_fail(ledger, err);

	sqlite3_reset(stmt);
	return rc;
}

sqlite3_stmt *bus_ledger_change(struct bus_ledger *ledger, enum bus_ledger_statement which,
				enum bus_code *ret_rc, struct bus_err *err)
{
	*ret_rc = bus_ledger_begin(ledger, err);
	return *ret_rc ? NULL : bus_ledger_statement(ledger, which, ret_rc, err);
}

static enum bus_code number_log(struct bus_ledger *ledger, const char *source, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_LOG, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
	rc = bus_ledger_run(ledger, stmt, err);
	if (!rc)
		snprintf(ledger->numbered, sizeof(ledger->numbered), "%s", source);
	return rc;
}

sqlite3_stmt *bus_ledger_change_log(struct bus_ledger *ledger, enum bus_ledger_statement which,
				    const char *source, enum bus_code *ret_rc, struct bus_err *err)
{
	sqlite3_stmt *stmt;

	*ret_rc = bus_ledger_begin(ledger, err);
	if (!*ret_rc && strcmp(ledger->numbered, source) != 0)
		*ret_rc = number_log(ledger, source, err);
	stmt = *ret_rc ? NULL : bus_ledger_statement(ledger, which, ret_rc, err);
	if (stmt)
		sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
	return stmt;
}

/* -- life -- */

enum bus_code bus_ledger_open(struct bus_ledger **ret, const char *state_directory,
			      const char *queue, bool create, struct bus_err *err)
{
	enum bus_code rc;
	char *path;

	if (asprintf(&path, "%s/ledger/%s.db", state_directory, queue) < 0)
		return bus_fail(err, BUS_E_NOMEM, "ledger: out of memory");
	rc = bus_ledger_open_path(ret, path, create, err);
	free(path);
	return rc;
}

enum bus_code bus_ledger_open_path(struct bus_ledger **ret, const char *path, bool create,
				   struct bus_err *err)
{
	struct bus_ledger *ledger = calloc(1, sizeof(*ledger));
	enum bus_code rc;

	if (ledger)
		ledger->path = strdup(path);
	if (!ledger || !ledger->path) {
		free(ledger);
		return bus_fail(err, BUS_E_NOMEM, "ledger: out of memory");
	}
	ledger->lock_fd = -1;
	rc = bus_db_open(&ledger->db, ledger->path, &schema, create, WAIT_MS, err);
	/* rows are added at a few places only, and memory is not to grow with what was had */
	if (!rc && sqlite3_exec(ledger->db, "PRAGMA cache_size = -512", NULL, NULL, NULL))
		rc = bus_ledger_fail(ledger, err);
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
	for (i = 0; i < L_COUNT; i++)
		sqlite3_finalize(ledger->stmt[i]);
	sqlite3_close(ledger->db);
	if (ledger->lock_fd >= 0)
		close(ledger->lock_fd);
	free(ledger->path);
	free(ledger);
}

enum bus_code bus_ledger_commit(struct bus_ledger *ledger, struct bus_err *err)
{
	if (sqlite3_get_autocommit(ledger->db))
		return BUS_OK;
	return sqlite3_exec(ledger->db, "COMMIT", NULL, NULL, NULL) ? bus_ledger_fail(ledger, err)
								    : BUS_OK;
}

enum bus_code bus_ledger_lock(struct bus_ledger *ledger, struct bus_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path;
	enum bus_code rc = BUS_OK;
	int fd;

	if (asprintf(&path, "%s.lock", ledger->path) < 0)
		return bus_fail(err, BUS_E_NOMEM, "ledger: out of memory");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		rc = bus_fail(err, BUS_E_CONFIG, "ledger: cannot make %s: %s", path,
			      strerror(errno));
	/* not of the process but of the open file: SQLite closes descriptors as it likes */
	else if (fcntl(fd, F_OFD_SETLK, &lock) != 0)
		rc = bus_fail(err, BUS_E_HELD,
			      "ledger: another `debmsg consume` works on %s; only one may",
			      ledger->path);
	if (!rc)
		ledger->lock_fd = fd;
	else if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

const char *bus_ledger_path(const struct bus_ledger *ledger)
{
	return ledger->path;
}

/* -- events -- */

enum bus_code bus_ledger_look(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, enum bus_seen *ret, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_LOOK, &rc, err);
	int step;

	if (rc)
		return rc;
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
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_note(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change_log(ledger, L_NOTE, source, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)id);
	sqlite3_bind_blob(stmt, 3, leaf->b, BUS_HASH_LEN, SQLITE_STATIC);
	return bus_ledger_run(ledger, stmt, err);
}

enum bus_code bus_ledger_hold(struct bus_ledger *ledger, struct bus_err *err)
{
	return bus_ledger_begin(ledger, err);
}

enum bus_code bus_ledger_revive(struct bus_ledger *ledger, const char *source, uint64_t id,
				struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change(ledger, L_REVIVE, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)id);
	rc = bus_ledger_run(ledger, stmt, err);
	return !rc && !sqlite3_changes(ledger->db) ? BUS_E_NO : rc;
}
