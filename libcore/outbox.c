#include "config.h"

#include "outbox_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "timestamp.h"
#include "topic.h"

#define RESEND_TABLE                                                                               \
	"CREATE TABLE resend (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);" /* inclusive */

static const char *const upgrade[] = { [1] = RESEND_TABLE };

static const struct bus_db_schema schema = {
	.what = "outbox",
	.application_id = 0x64626d31, /* "dbm1" */
	.version = 2,
	.upgrade = upgrade,
	.shrinks = true,
	.foreign = true,
	.sql = "CREATE TABLE log (" /* one row */
	       "  origin TEXT NOT NULL, created INTEGER NOT NULL,"
	       "  size INTEGER NOT NULL, sent INTEGER NOT NULL, sent_time INTEGER NOT NULL,"
	       "  checkpoint_time INTEGER NOT NULL, checkpoint_size INTEGER NOT NULL);"
	       "CREATE TABLE event ("
	       "  id INTEGER PRIMARY KEY, type TEXT NOT NULL, routing_key TEXT NOT NULL,"
	       "  time INTEGER NOT NULL, added INTEGER NOT NULL, body BLOB NOT NULL);"
	       "CREATE TABLE type (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;"
	       "CREATE TABLE checkpoint ("
	       "  size INTEGER PRIMARY KEY, range BLOB NOT NULL, note TEXT NOT NULL);"
	       "CREATE TABLE cursor (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT "
	       "ROWID;" RESEND_TABLE,
};

static const char *const sql_of[S_COUNT] = {
	[S_LOG] = "SELECT origin, created, size, sent, sent_time, checkpoint_time,"
		  " checkpoint_size FROM log",
	/* one statement: one look at the file, at one moment */
	[S_STATE] = "SELECT origin, created, size, sent, sent_time, checkpoint_time,"
		    " checkpoint_size, (SELECT max(size) FROM checkpoint),"
		    " (SELECT added FROM event WHERE id = log.size - 1),"
		    " (SELECT added FROM event WHERE id = log.sent),"
		    " (SELECT min(id) FROM event),"
		    " (SELECT sum(last - first + 1) FROM resend) FROM log",
	[S_LOG_INSERT] = "INSERT INTO log VALUES (?1, ?2, 0, 0, 0, 0, 0)",
	[S_LOG_SIZE] = "UPDATE log SET size = ?1",
	[S_LOG_SENT] = "UPDATE log SET sent = ?1, sent_time = ?2",
	[S_LOG_CHECKPOINT] = "UPDATE log SET checkpoint_time = ?1, checkpoint_size = ?2",
	[S_TYPE] = "SELECT sequence FROM type WHERE name = ?1",
	[S_TYPE_SET] = "INSERT OR REPLACE INTO type VALUES (?1, ?2)",
	[S_TYPE_ALL] = "SELECT name, sequence FROM type ORDER BY name",
	[S_EVENT_INSERT] = "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[S_EVENTS] = "SELECT id, type, routing_key, time, added, body FROM event"
		     " WHERE id >= ?1 AND id < ?2 ORDER BY id",
	[S_ADDED] = "SELECT added FROM event WHERE id = ?1",
	[S_CP_BEFORE] = "SELECT size, range, note FROM checkpoint WHERE size <= ?1"
			" ORDER BY size DESC LIMIT 1",
	[S_CP_AFTER] = "SELECT size, range, note FROM checkpoint WHERE size > ?1"
		       " ORDER BY size LIMIT 1",
	[S_CP_INSERT] = "INSERT INTO checkpoint VALUES (?1, ?2, ?3)",
	[S_CP_RENEW] = "UPDATE checkpoint SET note = ?2 WHERE size = ?1",
	[S_CURSOR_SET] = "INSERT OR REPLACE INTO cursor VALUES (?1, ?2)",
	[S_CURSOR_DELETE] = "DELETE FROM cursor WHERE name = ?1",
	[S_CURSOR_GET] = "SELECT value FROM cursor WHERE name = ?1",
	/* ?2 is where to begin: one lower bound is all that SQLite uses of an index */
	[S_CURSOR_NEXT] = "SELECT name FROM cursor WHERE name >= ?2 AND name <> ?3 AND"
			  " name < ?1 || char(1114111) ORDER BY name LIMIT 1",
	[S_RESEND_NEXT] = "SELECT first, last FROM resend ORDER BY first LIMIT 1",
	[S_RESEND_NEAR] = "SELECT min(first), max(last) FROM resend"
			  " WHERE first <= ?2 + 1 AND last >= ?1 - 1",
	[S_RESEND_DELETE] = "DELETE FROM resend WHERE first >= ?1 AND last <= ?2",
	[S_RESEND_INSERT] = "INSERT INTO resend VALUES (?1, ?2)",
	[S_RESENT] = "UPDATE resend SET first = ?2 WHERE first = ?1",
	[S_RESENT_ALL] = "DELETE FROM resend WHERE first > last",
	/* the newest in reach, else the next one: as much as is fit for one transaction */
	[S_PRUNE_TO] =
		"SELECT coalesce("
		" (SELECT max(size) FROM checkpoint WHERE size > ?1 AND size <= min(?1 + ?3, ?2)),"
		" (SELECT min(size) FROM checkpoint WHERE size > ?1 AND size <= ?2), 0)",
	[S_PRUNE_EVENTS] = "DELETE FROM event WHERE id < ?1",
	[S_PRUNE_CHECKPOINTS] = "DELETE FROM checkpoint WHERE size < ?1",
};

enum bus_code bus_outbox_fail(struct bus_outbox *box, const char *doing, struct bus_err *err)
{
	return bus_db_fail(box->db, "outbox", doing, err);
}

enum bus_code bus_outbox_nomem(struct bus_err *err)
{
	bus_fail(err, BUS_E_NOMEM, "outbox: out of memory");
	return BUS_E_NOMEM;
}

sqlite3_stmt *bus_outbox_statement(struct bus_outbox *box, enum bus_outbox_statement which,
				   struct bus_err *err)
{
	if (!box->stmt[which] &&
	    bus_db_prepare(box->db, &box->stmt[which], "outbox", sql_of[which], err))
		return NULL;
	sqlite3_reset(box->stmt[which]);
	sqlite3_clear_bindings(box->stmt[which]);
	return box->stmt[which];
}

enum bus_code bus_outbox_run(struct bus_outbox *box, sqlite3_stmt *stmt, struct bus_err *err)
{
	int step = sqlite3_step(stmt);
	enum bus_code rc = step == SQLITE_DONE ? BUS_OK
					       : bus_outbox_fail(box, "cannot write to", err);

	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_outbox_exec(struct bus_outbox *box, const char *sql, const char *doing,
			      struct bus_err *err)
{
	return sqlite3_exec(box->db, sql, NULL, NULL, NULL) ? bus_outbox_fail(box, doing, err)
							    : BUS_OK;
}

enum bus_code bus_outbox_begin(struct bus_outbox *box, struct bus_err *err)
{
	return bus_outbox_exec(box, "BEGIN IMMEDIATE", "cannot write to", err);
}

/*
 * SQLite's last write to a file is before what it wrote can be seen, which it says in
 * shared memory: a relay that wakes at the write looks too early, and would not look
 * again for seconds.  So the file is touched; if that fails, the relay is only late.
 */
static void wake_relay(struct bus_outbox *box)
{
	utimensat(AT_FDCWD, sqlite3_db_filename(box->db, "main"), NULL, 0);
}

enum bus_code bus_outbox_commit(struct bus_outbox *box, struct bus_err *err)
{
	enum bus_code rc = bus_outbox_exec(box, "COMMIT", "cannot write to", err);

	if (!rc)
		wake_relay(box);
	return rc;
}

void bus_outbox_rollback(struct bus_outbox *box)
{
	if (!sqlite3_get_autocommit(box->db))
		sqlite3_exec(box->db, "ROLLBACK", NULL, NULL, NULL);
}

enum bus_code bus_outbox_end(struct bus_outbox *box, enum bus_code rc, struct bus_err *err)
{
	if (!rc)
		rc = bus_outbox_commit(box, err);
	if (rc)
		bus_outbox_rollback(box);
	return rc;
}

static void format_epoch(char epoch[BUS_EPOCH_LEN + 1], int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(epoch, BUS_EPOCH_LEN + 1, "%Y%m%dT%H%M%SZ", &tm);
}

enum bus_code bus_outbox_start_log(struct bus_outbox *box, const char *after, struct bus_err *err)
{
	char origin[BUS_ORIGIN_MAX + 1], epoch[BUS_EPOCH_LEN + 1];
	int64_t now = bus_time_now();
	sqlite3_stmt *stmt;

	do {
		format_epoch(epoch, now);
		now += 1000000;
		snprintf(origin, sizeof(origin), "%s/%s", box->name, epoch);
	} while (strcmp(origin, after) <= 0 && strlen(after) == strlen(origin));
	stmt = bus_outbox_statement(box, S_LOG_INSERT, err);
	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_text(stmt, 1, origin, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(stmt, 2, now - 1000000);
	return bus_outbox_run(box, stmt, err);
}

/* Begins the log of a new file; reading an old one checks that it is the one we think. */
static enum bus_code begin_or_check_log(struct bus_outbox *box, bool create, struct bus_err *err)
{
	struct bus_outbox_state state;
	enum bus_code rc;

	rc = bus_outbox_read_log(box, &state, err);
	if (rc == BUS_E_NO && create) {
		rc = bus_outbox_begin(box, err);
		if (rc)
			return rc;
		rc = bus_outbox_read_log(box, &state, err); /* nobody was faster? */
		if (rc == BUS_E_NO)
			rc = bus_outbox_start_log(box, "", err);
		rc = bus_outbox_end(box, rc, err);
		if (!rc)
			rc = bus_outbox_read_log(box, &state, err);
	}
	return rc;
}

enum bus_code bus_outbox_open(struct bus_outbox **ret, const struct bus_outbox_params *params,
			      struct bus_err *err)
{
	struct bus_outbox *box = calloc(1, sizeof(*box));
	char *path = NULL;
	enum bus_code rc;

	if (!box)
		return bus_outbox_nomem(err);
	box->lock_fd = -1;
	box->directory = strdup(params->directory);
	box->name = strdup(params->name);
	box->environment = strdup(params->environment);
	box->service = strdup(params->service);
	box->max_event_size = params->max_event_size;
	box->body.max = params->max_event_size;
	if (asprintf(&path, "%s/outbox.db", params->directory) < 0)
		path = NULL;
	if (!path || !box->directory || !box->name || !box->environment || !box->service) {
		rc = bus_outbox_nomem(err);
		goto out;
	}
	rc = bus_db_open(&box->db, path, &schema, params->create, params->wait_ms, err);
	if (!rc)
		rc = begin_or_check_log(box, params->create, err);
	if (rc)
		goto out;
	*ret = box;
	box = NULL;
out:
	free(path);
	bus_outbox_close(box);
	return rc;
}

void bus_outbox_close(struct bus_outbox *box)
{
	int i;

	if (!box)
		return;
	for (i = 0; i < S_COUNT; i++)
		sqlite3_finalize(box->stmt[i]);
	sqlite3_close(box->db);
	if (box->lock_fd >= 0)
		close(box->lock_fd);
	bus_buf_finish(&box->body);
	free(box->directory);
	free(box->name);
	free(box->environment);
	free(box->service);
	free(box);
}

static enum bus_code check_type(const struct bus_outbox *box, const char *type, struct bus_err *err)
{
	struct bus_type t;

	if (bus_type_parse(&t, type) && t.environment_len == strlen(box->environment) &&
	    !memcmp(t.environment, box->environment, t.environment_len) &&
	    t.service_len == strlen(box->service) &&
	    !memcmp(t.service, box->service, t.service_len))
		return BUS_OK;
	return bus_fail(err, BUS_E_DATA,
			"outbox: type '%s' is not org.debian.%s.%s.<object>.<event>, and the "
			"broker would take no other from this service",
			type, box->environment, box->service);
}

static enum bus_code next_sequence(struct bus_outbox *box, const char *type, uint64_t *ret,
				   struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_TYPE, err);
	enum bus_code rc = BUS_OK;
	int step;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_text(stmt, 1, type, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	*ret = 1;
	if (step == SQLITE_ROW)
		*ret += (uint64_t)sqlite3_column_int64(stmt, 0);
	else if (step != SQLITE_DONE)
		rc = bus_outbox_fail(box, "cannot read", err);
	sqlite3_reset(stmt);
	return rc;
}

static enum bus_code insert_event(struct bus_outbox *box, const struct bus_draft *draft,
				  uint64_t id, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_EVENT_INSERT, err);
	char key[BUS_KEY_MAX + 1];

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	bus_topic_key(key, draft->type, draft->subject);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
	sqlite3_bind_text(stmt, 2, draft->type, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, draft->time_us);
	sqlite3_bind_int64(stmt, 5, bus_time_now());
	sqlite3_bind_blob(stmt, 6, box->body.p, (int)box->body.len, SQLITE_STATIC);
	return bus_outbox_run(box, stmt, err);
}

static enum bus_code set_counters(struct bus_outbox *box, const char *type, uint64_t sequence,
				  uint64_t size, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_TYPE_SET, err);
	enum bus_code rc;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_text(stmt, 1, type, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)sequence);
	rc = bus_outbox_run(box, stmt, err);
	if (rc)
		return rc;
	stmt = bus_outbox_statement(box, S_LOG_SIZE, err);
	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)size);
	return bus_outbox_run(box, stmt, err);
}

enum bus_code bus_outbox_append(struct bus_outbox *box, const struct bus_draft *draft,
				uint64_t *ret_id, struct bus_err *err)
{
	struct bus_outbox_state log = { .size = 0 };
	uint64_t sequence = 0;
	enum bus_code rc;

	if (sqlite3_get_autocommit(box->db))
		return bus_fail(err, BUS_E_BUG, "outbox: append outside of a transaction");
	rc = check_type(box, draft->type, err);
	if (!rc)
		rc = bus_outbox_read_log(box, &log, err);
	if (!rc)
		rc = next_sequence(box, draft->type, &sequence, err);
	if (rc)
		return rc;
	bus_buf_clear(&box->body);
	rc = bus_event_build(&box->body, draft, log.origin, log.size, sequence, err);
	if (!rc)
		rc = insert_event(box, draft, log.size, err);
	if (!rc)
		rc = set_counters(box, draft->type, sequence, log.size + 1, err);
	if (!rc)
		*ret_id = log.size;
	return rc;
}
