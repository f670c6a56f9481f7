#include "config.h"

#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "db.h"
#include "draft.h"
#include "json.h"
#include "timestamp.h"
#include "topic.h"

static const struct bus_db_schema schema = {
	.what = "outbox",
	.application_id = 0x64626d31,	/* "dbm1" */
	.version = 1,
	.sql = "CREATE TABLE log ("		/* one row */
	       "  origin TEXT NOT NULL, created INTEGER NOT NULL,"
	       "  size INTEGER NOT NULL, sent INTEGER NOT NULL, sent_time INTEGER NOT NULL,"
	       "  checkpoint_time INTEGER NOT NULL, checkpoint_size INTEGER NOT NULL);"
	       "CREATE TABLE event ("
	       "  id INTEGER PRIMARY KEY, type TEXT NOT NULL, routing_key TEXT NOT NULL,"
	       "  time INTEGER NOT NULL, added INTEGER NOT NULL, body BLOB NOT NULL);"
	       "CREATE TABLE type (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;"
	       "CREATE TABLE checkpoint ("
	       "  size INTEGER PRIMARY KEY, range BLOB NOT NULL, note TEXT NOT NULL);"
	       "CREATE TABLE cursor (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
};

enum statement {
	S_LOG, S_LOG_INSERT, S_LOG_SIZE, S_LOG_SENT, S_LOG_CHECKPOINT,
	S_TYPE, S_TYPE_SET, S_TYPE_ALL, S_EVENT_INSERT, S_EVENTS, S_ADDED,
	S_CP_BEFORE, S_CP_AFTER, S_CP_INSERT, S_CP_LAST,
	S_CURSOR_SET, S_CURSOR_DELETE, S_CURSOR_GET, S_CURSOR_FIRST,
	S_COUNT
};

static const char *const sql_of[S_COUNT] = {
	[S_LOG] = "SELECT origin, created, size, sent, sent_time, checkpoint_time,"
		  " checkpoint_size FROM log",
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
	[S_CP_LAST] = "SELECT max(size) FROM checkpoint",
	[S_CURSOR_SET] = "INSERT OR REPLACE INTO cursor VALUES (?1, ?2)",
	[S_CURSOR_DELETE] = "DELETE FROM cursor WHERE name = ?1",
	[S_CURSOR_GET] = "SELECT value FROM cursor WHERE name = ?1",
	[S_CURSOR_FIRST] = "SELECT name FROM cursor WHERE name >= ?1 AND"
			   " substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT 1",
};

struct bus_outbox {
	sqlite3 *db;
	sqlite3_stmt *stmt[S_COUNT];	/* prepared when first used */
	char *directory, *name, *environment, *service;
	size_t max_event_size;
	struct bus_buf body;		/* kept, so that an append allocates nothing */
	int lock_fd;			/* -1: not claimed */
};

static enum bus_code fail(struct bus_outbox *box, const char *doing, struct bus_err *err)
{
	return bus_db_fail(box->db, "outbox", doing, err);
}

static enum bus_code nomem(struct bus_err *err)
{
	return bus_fail(err, BUS_E_NOMEM, "outbox: out of memory");
}

/* The statement, ready to be bound; NULL on failure. */
static sqlite3_stmt *get(struct bus_outbox *box, enum statement which, struct bus_err *err)
{
	if (!box->stmt[which] &&
	    bus_db_prepare(box->db, &box->stmt[which], "outbox", sql_of[which], err))
		return NULL;
	sqlite3_reset(box->stmt[which]);
	sqlite3_clear_bindings(box->stmt[which]);
	return box->stmt[which];
}

/* Runs a bound statement that returns no rows. */
static enum bus_code run(struct bus_outbox *box, sqlite3_stmt *stmt, struct bus_err *err)
{
	int step = sqlite3_step(stmt);
	enum bus_code rc = step == SQLITE_DONE ? BUS_OK : fail(box, "cannot write to", err);

	sqlite3_reset(stmt);
	return rc;
}

static enum bus_code exec(struct bus_outbox *box, const char *sql, const char *doing,
			  struct bus_err *err)
{
	return sqlite3_exec(box->db, sql, NULL, NULL, NULL) ? fail(box, doing, err) : BUS_OK;
}

enum bus_code bus_outbox_begin(struct bus_outbox *box, struct bus_err *err)
{
	return exec(box, "BEGIN IMMEDIATE", "cannot write to", err);
}

enum bus_code bus_outbox_commit(struct bus_outbox *box, struct bus_err *err)
{
	return exec(box, "COMMIT", "cannot write to", err);
}

void bus_outbox_rollback(struct bus_outbox *box)
{
	if (!sqlite3_get_autocommit(box->db))
		sqlite3_exec(box->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Ends a transaction: commits if rc is BUS_OK, and undoes it if not. */
static enum bus_code end(struct bus_outbox *box, enum bus_code rc, struct bus_err *err)
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

/* Writes the one row of a new log, with an epoch later than `after`. */
static enum bus_code start_log(struct bus_outbox *box, const char *after, struct bus_err *err)
{
	char origin[BUS_ORIGIN_MAX + 1], epoch[BUS_EPOCH_LEN + 1];
	int64_t now = bus_time_now();
	sqlite3_stmt *stmt;

	do {
		format_epoch(epoch, now);
		now += 1000000;
		snprintf(origin, sizeof(origin), "%s/%s", box->name, epoch);
	} while (strcmp(origin, after) <= 0 && strlen(after) == strlen(origin));
	stmt = get(box, S_LOG_INSERT, err);
	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_text(stmt, 1, origin, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(stmt, 2, now - 1000000);
	return run(box, stmt, err);
}

static enum bus_code read_log(struct bus_outbox *box, struct bus_outbox_state *ret,
			      struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_LOG, err);
	enum bus_code rc = BUS_OK;
	const char *origin;
	int step;

	if (!stmt)
		return BUS_E_TEMP;
	memset(ret, 0, sizeof(*ret));
	step = sqlite3_step(stmt);
	if (step == SQLITE_DONE)
		rc = bus_fail(err, BUS_E_NO, "outbox: no log has begun in %s", box->directory);
	else if (step != SQLITE_ROW)
		rc = fail(box, "cannot read", err);
	if (!rc) {
		origin = (const char *)sqlite3_column_text(stmt, 0);
		snprintf(ret->origin, sizeof(ret->origin), "%s", origin ? origin : "");
		ret->created_us = sqlite3_column_int64(stmt, 1);
		ret->size = (uint64_t)sqlite3_column_int64(stmt, 2);
		ret->sent = (uint64_t)sqlite3_column_int64(stmt, 3);
		ret->sent_us = sqlite3_column_int64(stmt, 4);
		ret->checkpoint_us = sqlite3_column_int64(stmt, 5);
		ret->checkpoint_size = (uint64_t)sqlite3_column_int64(stmt, 6);
	}
	sqlite3_reset(stmt);
	return rc;
}

/* Begins the log of a new file; checks that an old one is the log we think it is. */
static enum bus_code begin_or_check_log(struct bus_outbox *box, bool create, struct bus_err *err)
{
	struct bus_outbox_state state;
	enum bus_code rc;

	rc = read_log(box, &state, err);
	if (rc == BUS_E_NO && create) {
		rc = bus_outbox_begin(box, err);
		if (rc)
			return rc;
		rc = read_log(box, &state, err);	/* nobody was faster? */
		if (rc == BUS_E_NO)
			rc = start_log(box, "", err);
		rc = end(box, rc, err);
		if (!rc)
			rc = read_log(box, &state, err);
	}
	if (rc)
		return rc;
	if (!bus_origin_valid(state.origin) ||
	    bus_origin_name_len(state.origin) != strlen(box->name) ||
	    memcmp(state.origin, box->name, strlen(box->name)) != 0)
		return bus_fail(err, BUS_E_CONFIG,
				"outbox: the log in %s is %s, but `origin` says %s; a log cannot be "
				"renamed: set origin back, or move that directory away",
				box->directory, state.origin, box->name);
	return BUS_OK;
}

enum bus_code bus_outbox_open(struct bus_outbox **ret, const struct bus_outbox_params *params,
			      struct bus_err *err)
{
	struct bus_outbox *box = calloc(1, sizeof(*box));
	char *path = NULL;
	enum bus_code rc;

	if (!box)
		return nomem(err);
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
		rc = nomem(err);
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

static enum bus_code check_type(const struct bus_outbox *box, const char *type,
				struct bus_err *err)
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
	sqlite3_stmt *stmt = get(box, S_TYPE, err);
	enum bus_code rc = BUS_OK;
	int step;

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_text(stmt, 1, type, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	*ret = 1;
	if (step == SQLITE_ROW)
		*ret += (uint64_t)sqlite3_column_int64(stmt, 0);
	else if (step != SQLITE_DONE)
		rc = fail(box, "cannot read", err);
	sqlite3_reset(stmt);
	return rc;
}

static enum bus_code insert_event(struct bus_outbox *box, const struct bus_draft *draft,
				  uint64_t id, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_EVENT_INSERT, err);
	char key[BUS_KEY_MAX + 1];

	if (!stmt)
		return BUS_E_TEMP;
	bus_topic_key(key, draft->type, draft->subject);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
	sqlite3_bind_text(stmt, 2, draft->type, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, draft->time_us);
	sqlite3_bind_int64(stmt, 5, bus_time_now());
	sqlite3_bind_blob(stmt, 6, box->body.p, (int)box->body.len, SQLITE_STATIC);
	return run(box, stmt, err);
}

static enum bus_code set_counters(struct bus_outbox *box, const char *type, uint64_t sequence,
				  uint64_t size, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_TYPE_SET, err);
	enum bus_code rc;

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_text(stmt, 1, type, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)sequence);
	rc = run(box, stmt, err);
	if (rc)
		return rc;
	stmt = get(box, S_LOG_SIZE, err);
	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)size);
	return run(box, stmt, err);
}

enum bus_code bus_outbox_append(struct bus_outbox *box, const struct bus_draft *draft,
				uint64_t *ret_id, struct bus_err *err)
{
	struct bus_outbox_state log;
	uint64_t sequence;
	enum bus_code rc;

	if (sqlite3_get_autocommit(box->db))
		return bus_fail(err, BUS_E_BUG, "outbox: append outside of a transaction");
	rc = check_type(box, draft->type, err);
	if (!rc)
		rc = read_log(box, &log, err);
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

enum bus_code bus_outbox_cursor_set(struct bus_outbox *box, const char *name, const void *value,
				    size_t len, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, len ? S_CURSOR_SET : S_CURSOR_DELETE, err);

	if (!stmt)
		return BUS_E_TEMP;
	if (len > BUS_BODY_MAX_CEILING * 16)
		return bus_fail(err, BUS_E_DATA, "outbox: cursor %s: more than 16 MiB", name);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (len)
		sqlite3_bind_blob(stmt, 2, value, (int)len, SQLITE_STATIC);
	return run(box, stmt, err);
}

/* The first column of the first row, copied; *ret NULL where there is no row. */
static enum bus_code read_one(struct bus_outbox *box, sqlite3_stmt *stmt, char **ret,
			      size_t *ret_len, struct bus_err *err)
{
	int step = sqlite3_step(stmt);
	enum bus_code rc = BUS_OK;
	char *copy = NULL;
	size_t len = 0;

	if (step == SQLITE_ROW) {
		const void *value = sqlite3_column_blob(stmt, 0);

		len = (size_t)sqlite3_column_bytes(stmt, 0);
		copy = malloc(len + 1);
		if (copy && len)
			memcpy(copy, value, len);
		if (copy)
			copy[len] = '\0';
		else
			rc = nomem(err);
	} else if (step != SQLITE_DONE) {
		rc = fail(box, "cannot read", err);
	}
	sqlite3_reset(stmt);
	if (rc)
		return rc;
	*ret = copy;
	*ret_len = len;
	return BUS_OK;
}

enum bus_code bus_outbox_cursor_get(struct bus_outbox *box, const char *name, char **ret,
				    size_t *ret_len, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_CURSOR_GET, err);

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	return read_one(box, stmt, ret, ret_len, err);
}

enum bus_code bus_outbox_cursor_first(struct bus_outbox *box, const char *prefix, char **ret,
				      struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_CURSOR_FIRST, err);
	size_t len;

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
	return read_one(box, stmt, ret, &len, err);
}

/* One number; 0 where there is no row. */
static enum bus_code read_number(struct bus_outbox *box, enum statement which, uint64_t id,
				 int64_t *ret, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, which, err);
	enum bus_code rc = BUS_OK;
	int step;

	if (!stmt)
		return BUS_E_TEMP;
	if (sqlite3_bind_parameter_count(stmt))
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
	step = sqlite3_step(stmt);
	*ret = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = fail(box, "cannot read", err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_outbox_state(struct bus_outbox *box, struct bus_outbox_state *ret,
			       struct bus_err *err)
{
	int64_t signed_size = 0;
	enum bus_code rc;

	rc = read_log(box, ret, err);
	if (!rc)
		rc = read_number(box, S_CP_LAST, 0, &signed_size, err);
	if (!rc && ret->size)
		rc = read_number(box, S_ADDED, ret->size - 1, &ret->last_us, err);
	if (!rc && ret->sent < ret->size)
		rc = read_number(box, S_ADDED, ret->sent, &ret->oldest_unsent_us, err);
	ret->signed_size = (uint64_t)signed_size;
	return rc;
}

/* Who holds the lock?  The kernel knows; a pid in the file could be stale. */
static enum bus_code claimed_by_other(struct bus_outbox *box, int fd, struct bus_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		return bus_fail(err, BUS_E_TEMP,
				"outbox: process %ld already relays %s; only one may", (long)lock.l_pid,
				box->directory);
	return bus_fail(err, BUS_E_TEMP, "outbox: another process already relays %s",
			box->directory);
}

enum bus_code bus_outbox_claim(struct bus_outbox *box, struct bus_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	enum bus_code rc = BUS_OK;
	char *path;
	int fd;

	if (asprintf(&path, "%s/relay.lock", box->directory) < 0)
		return nomem(err);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		rc = bus_fail(err, BUS_E_CONFIG, "outbox: cannot make %s: %s", path,
			      strerror(errno));
	else if (fcntl(fd, F_SETLK, &lock) != 0)
		rc = claimed_by_other(box, fd, err);
	if (!rc)
		box->lock_fd = fd;
	else if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

enum bus_code bus_outbox_each(struct bus_outbox *box, uint64_t from, uint64_t until,
			      enum bus_code (*each)(void *arg, const struct bus_outbox_event *ev,
						    struct bus_err *err),
			      void *arg, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_EVENTS, err);
	struct bus_outbox_event ev;
	enum bus_code rc = BUS_OK;
	int step = SQLITE_DONE;

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)from);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)until);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		ev.id = (uint64_t)sqlite3_column_int64(stmt, 0);
		ev.type = (const char *)sqlite3_column_text(stmt, 1);
		ev.routing_key = (const char *)sqlite3_column_text(stmt, 2);
		ev.time_us = sqlite3_column_int64(stmt, 3);
		ev.added_us = sqlite3_column_int64(stmt, 4);
		ev.body = sqlite3_column_blob(stmt, 5);
		ev.body_len = (size_t)sqlite3_column_bytes(stmt, 5);
		rc = ev.type && ev.routing_key && ev.body ? each(arg, &ev, err) : nomem(err);
	}
	if (!rc && step != SQLITE_DONE)
		rc = fail(box, "cannot read", err);
	sqlite3_reset(stmt);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

void bus_outbox_checkpoint_finish(struct bus_outbox_checkpoint *cp)
{
	free(cp->note);
	cp->note = NULL;
}

static enum bus_code read_checkpoint(struct bus_outbox *box, enum statement which, uint64_t size,
				     struct bus_outbox_checkpoint *ret, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, which, err);
	enum bus_code rc = BUS_OK;
	size_t len;
	int step;

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)size);
	ret->range.size = 0;
	ret->range.count = 0;
	ret->note = NULL;
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW) {
		const void *nodes = sqlite3_column_blob(stmt, 1);
		const char *note = (const char *)sqlite3_column_text(stmt, 2);

		len = (size_t)sqlite3_column_bytes(stmt, 1);
		ret->range.size = (uint64_t)sqlite3_column_int64(stmt, 0);
		ret->range.count = (unsigned int)(len / BUS_HASH_LEN);
		if (len > sizeof(ret->range.node) ||
		    ret->range.count != (unsigned int)__builtin_popcountll(ret->range.size))
			rc = bus_fail(err, BUS_E_CONFIG, "outbox: a checkpoint in %s is damaged; "
				      "restore the outbox from a copy, or begin a new log with "
				      "debmsg outbox new-epoch", box->directory);
		else
			memcpy(ret->range.node, nodes, len);
		ret->note = !rc && note ? strdup(note) : NULL;
		if (!rc && !ret->note)
			rc = nomem(err);
	} else if (step != SQLITE_DONE) {
		rc = fail(box, "cannot read", err);
	}
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_outbox_checkpoint_before(struct bus_outbox *box, uint64_t size,
					   struct bus_outbox_checkpoint *ret, struct bus_err *err)
{
	return read_checkpoint(box, S_CP_BEFORE, size, ret, err);
}

enum bus_code bus_outbox_checkpoint_after(struct bus_outbox *box, uint64_t size,
					  struct bus_outbox_checkpoint *ret, struct bus_err *err)
{
	return read_checkpoint(box, S_CP_AFTER, size, ret, err);
}

enum bus_code bus_outbox_checkpoint_save(struct bus_outbox *box, const struct bus_range *range,
					 const char *note, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_CP_INSERT, err);

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)range->size);
	sqlite3_bind_blob(stmt, 2, range->node, (int)(range->count * BUS_HASH_LEN), SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, note, -1, SQLITE_STATIC);
	return run(box, stmt, err);
}

enum bus_code bus_outbox_sent(struct bus_outbox *box, uint64_t sent, struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_LOG_SENT, err);

	if (!stmt)
		return BUS_E_TEMP;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)sent);
	sqlite3_bind_int64(stmt, 2, bus_time_now());
	return run(box, stmt, err);
}

static enum bus_code checkpoint_data(struct bus_outbox *box, uint64_t size, struct bus_buf *out,
				     struct bus_err *err)
{
	sqlite3_stmt *stmt = get(box, S_TYPE_ALL, err);
	struct bus_json js = { out, false };
	char summary[80];
	int step;

	if (!stmt)
		return BUS_E_TEMP;
	snprintf(summary, sizeof(summary), "bus checkpoint: %" PRIu64 " events before this one",
		 size);
	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "summary", summary);
	bus_json_uint(&js, "size", size);
	bus_json_open(&js, "types", '{');
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
		bus_json_uint(&js, (const char *)sqlite3_column_text(stmt, 0),
			      (uint64_t)sqlite3_column_int64(stmt, 1));
	sqlite3_reset(stmt);
	bus_json_close(&js, '}');
	bus_json_close(&js, '}');
	return step == SQLITE_DONE ? bus_buf_check(out, "outbox: bus.checkpoint", err)
				   : fail(box, "cannot read", err);
}

enum bus_code bus_outbox_append_checkpoint(struct bus_outbox *box, struct bus_err *err)
{
	struct bus_buf data = BUS_BUF_INIT(box->max_event_size);
	struct bus_outbox_state log;
	char type[BUS_TYPE_MAX + 1];
	struct bus_draft draft = { .type = type, .time_us = bus_time_now() };
	sqlite3_stmt *stmt;
	enum bus_code rc;
	uint64_t id;

	snprintf(type, sizeof(type), "org.debian.%s.%s.bus.checkpoint", box->environment,
		 box->service);
	rc = bus_outbox_begin(box, err);
	if (rc)
		return rc;
	rc = read_log(box, &log, err);
	if (!rc)
		rc = checkpoint_data(box, log.size, &data, err);
	draft.data = data.p;
	draft.data_len = data.len;
	if (!rc)
		rc = bus_outbox_append(box, &draft, &id, err);
	stmt = rc ? NULL : get(box, S_LOG_CHECKPOINT, err);
	if (!rc && !stmt)
		rc = BUS_E_TEMP;
	if (!rc) {
		sqlite3_bind_int64(stmt, 1, draft.time_us);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)(id + 1));
		rc = run(box, stmt, err);
	}
	bus_buf_finish(&data);
	return end(box, rc, err);
}

int64_t bus_outbox_checkpoint_due(const struct bus_outbox_state *state)
{
	static const int64_t settle = 60 * 1000000LL, interval = 3600 * 1000000LL;
	const int64_t begin = state->checkpoint_us ? state->checkpoint_us : state->created_us;
	const int64_t hourly = begin + interval;
	if (state->checkpoint_size == state->size)
		return hourly;
	return state->last_us + settle < hourly ? state->last_us + settle : hourly;
}

struct mover {
	struct bus_outbox *box;
	struct bus_buf *lines;		/* drafts of the events that move, one after the other */
	uint64_t count;
};

/* Bodies are copied first: the table they come from is emptied before they return. */
static enum bus_code collect_unsent(void *arg, const struct bus_outbox_event *ev,
				    struct bus_err *err)
{
	struct mover *mover = arg;

	bus_buf_add(mover->lines, &ev->body_len, sizeof(ev->body_len));
	bus_buf_add(mover->lines, ev->body, ev->body_len);
	return bus_buf_check(mover->lines, "outbox: unsent events", err);
}

static enum bus_code append_unsent(struct mover *mover, struct bus_err *err)
{
	const char *p = mover->lines->p, *end_of = p + mover->lines->len;
	struct bus_draft_text *owner = NULL;
	struct bus_draft draft;
	enum bus_code rc = BUS_OK;
	uint64_t id;
	size_t len;

	for (; !rc && p < end_of; p += len) {
		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		rc = bus_draft_from_event(&owner, &draft, p, len, err);
		if (rc)
			break;
		/* the new log counts its own checkpoints */
		if (!bus_type_is_checkpoint(draft.type)) {
			rc = bus_outbox_append(mover->box, &draft, &id, err);
			mover->count++;
		}
		bus_draft_text_free(owner);
	}
	return rc;
}

static enum bus_code keep_old_file(struct bus_outbox *box, const char *origin, struct bus_err *err)
{
	const char *epoch = origin + bus_origin_name_len(origin) + 1;
	char *path = sqlite3_mprintf("%s/outbox-%s.db", box->directory, epoch);
	char *sql = sqlite3_mprintf("VACUUM INTO %Q", path);
	enum bus_code rc;

	rc = path && sql ? exec(box, sql, "cannot keep a copy of", err) : nomem(err);
	if (!rc && chmod(path, 0600) != 0)
		rc = bus_fail(err, BUS_E_TEMP, "outbox: %s: %s", path, strerror(errno));
	sqlite3_free(sql);
	sqlite3_free(path);
	return rc;
}

enum bus_code bus_outbox_new_epoch(struct bus_outbox *box, uint64_t *ret_moved,
				   struct bus_err *err)
{
	static const char empty[] = "DELETE FROM event; DELETE FROM type; DELETE FROM checkpoint;"
				    "DELETE FROM log";
	struct bus_buf lines = BUS_BUF_INIT((size_t)1 << 30);
	struct mover mover = { box, &lines, 0 };
	struct bus_outbox_state old;
	enum bus_code rc;

	rc = read_log(box, &old, err);
	if (!rc)
		rc = keep_old_file(box, old.origin, err);
	if (!rc)
		rc = bus_outbox_begin(box, err);
	if (rc)
		return rc;
	rc = read_log(box, &old, err);		/* adapters may have been at it meanwhile */
	if (!rc)
		rc = bus_outbox_each(box, old.sent, old.size, collect_unsent, &mover, err);
	if (!rc)
		rc = exec(box, empty, "cannot write to", err);
	if (!rc)
		rc = start_log(box, old.origin, err);
	if (!rc)
		rc = append_unsent(&mover, err);
	rc = end(box, rc, err);
	bus_buf_finish(&lines);
	if (!rc)
		*ret_moved = mover.count;
	return rc;
}
