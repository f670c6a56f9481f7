#include "config.h"

#include "outbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "timestamp.h"
#include "topic.h"

enum bus_code bus_outbox_number(struct bus_outbox *box, enum bus_outbox_statement which,
				uint64_t id, int64_t *ret, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, which, err);
	enum bus_code rc = BUS_OK;
	int step;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	if (sqlite3_bind_parameter_count(stmt))
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
	step = sqlite3_step(stmt);
	*ret = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = bus_outbox_fail(box, "cannot read", err);
	sqlite3_reset(stmt);
	return rc;
}

/*
 * Looked at whenever it is read, not only when the file is opened: the adapter's user can
 * write to the file, and what is signed with the relay's key must be of this log.
 */
static enum bus_code check_log(const struct bus_outbox *box, const struct bus_outbox_state *log,
			       struct bus_err *err)
{
	if (!bus_origin_valid(log->origin) ||
	    bus_origin_name_len(log->origin) != strlen(box->name) ||
	    memcmp(log->origin, box->name, strlen(box->name)) != 0)
		return bus_fail(err, BUS_E_CONFIG,
				"outbox: the log in %s is %s, but `origin` says %s; a log cannot "
				"be renamed: set origin back, or move that directory away",
				box->directory, log->origin, box->name);
	if (log->size > INT64_MAX || log->sent > log->size)
		return bus_fail(err, BUS_E_CONFIG,
				"outbox: the numbers of the log in %s are damaged; move that "
				"directory away, and a new log begins",
				box->directory);
	return BUS_OK;
}

/* The one row of S_LOG, or of S_STATE, which has more. */
static enum bus_code read_row(struct bus_outbox *box, enum bus_outbox_statement which,
			      struct bus_outbox_state *ret, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, which, err);
	enum bus_code rc = BUS_OK;
	const char *origin;
	int step;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	memset(ret, 0, sizeof(*ret));
	step = sqlite3_step(stmt);
	if (step == SQLITE_DONE)
		rc = bus_fail(err, BUS_E_NO, "outbox: no log has begun in %s", box->directory);
	else if (step != SQLITE_ROW)
		rc = bus_outbox_fail(box, "cannot read", err);
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
	if (!rc && which == S_STATE) { /* NULL, where there is none, reads as 0 */
		ret->signed_size = (uint64_t)sqlite3_column_int64(stmt, 7);
		ret->last_us = sqlite3_column_int64(stmt, 8);
		ret->oldest_unsent_us = sqlite3_column_int64(stmt, 9);
		ret->first = (uint64_t)sqlite3_column_int64(stmt, 10);
		ret->resend = (uint64_t)sqlite3_column_int64(stmt, 11);
	}
	if (!rc)
		rc = check_log(box, ret, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_outbox_read_log(struct bus_outbox *box, struct bus_outbox_state *ret,
				  struct bus_err *err)
{
	return read_row(box, S_LOG, ret, err);
}

enum bus_code bus_outbox_state(struct bus_outbox *box, struct bus_outbox_state *ret,
			       struct bus_err *err)
{
	return read_row(box, S_STATE, ret, err);
}

/* Who holds the lock?  The kernel knows; a pid in the file could be stale. */
static enum bus_code claimed_by_other(struct bus_outbox *box, int fd, struct bus_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		return bus_fail(err, BUS_E_HELD,
				"outbox: process %ld already relays %s; only one may",
				(long)lock.l_pid, box->directory);
	return bus_fail(err, BUS_E_HELD, "outbox: another process already relays %s",
			box->directory);
}

enum bus_code bus_outbox_claim(struct bus_outbox *box, struct bus_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	enum bus_code rc = BUS_OK;
	char *path;
	int fd;

	if (asprintf(&path, "%s/relay.lock", box->directory) < 0)
		return bus_outbox_nomem(err);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
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

/* A column is NULL: SQLite has no memory, or it is none of ours. */
static enum bus_code no_event(struct bus_outbox *box, uint64_t id, struct bus_err *err)
{
	if (sqlite3_errcode(box->db) == SQLITE_NOMEM)
		return bus_outbox_nomem(err);
	return bus_fail(err, BUS_E_CONFIG,
			"outbox: event %" PRIu64 " in %s is damaged; begin a new log with debmsg "
			"outbox new-epoch",
			id, box->directory);
}

enum bus_code bus_outbox_each(struct bus_outbox *box, uint64_t from, uint64_t until,
			      enum bus_code (*each)(void *arg, const struct bus_outbox_event *ev,
						    struct bus_err *err),
			      void *arg, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_EVENTS, err);
	struct bus_outbox_event ev;
	enum bus_code rc = BUS_OK;
	int step = SQLITE_DONE;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
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
		rc = ev.type && ev.routing_key && ev.body ? each(arg, &ev, err)
							  : no_event(box, ev.id, err);
	}
	if (!rc && step != SQLITE_DONE)
		rc = bus_outbox_fail(box, "cannot read", err);
	sqlite3_reset(stmt);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

void bus_outbox_checkpoint_finish(struct bus_outbox_checkpoint *cp)
{
	free(cp->note);
	cp->note = NULL;
}

static enum bus_code read_checkpoint(struct bus_outbox *box, enum bus_outbox_statement which,
				     uint64_t size, struct bus_outbox_checkpoint *ret,
				     struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, which, err);
	enum bus_code rc = BUS_OK;
	size_t len;
	int step;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
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
		if (ret->range.size > INT64_MAX || len > sizeof(ret->range.node) ||
		    ret->range.count != (unsigned int)__builtin_popcountll(ret->range.size))
			rc = bus_fail(err, BUS_E_CONFIG,
				      "outbox: a checkpoint in %s is damaged; "
				      "begin a new log with "
				      "debmsg outbox new-epoch",
				      box->directory);
		else if (len)
			memcpy(ret->range.node, nodes, len);
		ret->note = !rc && note ? strdup(note) : NULL;
		if (!rc && !ret->note)
			rc = bus_outbox_nomem(err);
	} else if (step != SQLITE_DONE) {
		rc = bus_outbox_fail(box, "cannot read", err);
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
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_CP_INSERT, err);

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)range->size);
	sqlite3_bind_blob(stmt, 2, range->node, (int)(range->count * BUS_HASH_LEN), SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, note, -1, SQLITE_STATIC);
	return bus_outbox_run(box, stmt, err);
}

enum bus_code bus_outbox_checkpoint_renew(struct bus_outbox *box, uint64_t size, const char *note,
					  struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_CP_RENEW, err);

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)size);
	sqlite3_bind_text(stmt, 2, note, -1, SQLITE_STATIC);
	return bus_outbox_run(box, stmt, err);
}

enum bus_code bus_outbox_sent(struct bus_outbox *box, uint64_t sent, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_LOG_SENT, err);

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)sent);
	sqlite3_bind_int64(stmt, 2, bus_time_now());
	return bus_outbox_run(box, stmt, err);
}

static enum bus_code checkpoint_data(struct bus_outbox *box, uint64_t size, struct bus_buf *out,
				     struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_TYPE_ALL, err);
	struct bus_json js = { out, false };
	char summary[80];
	int step;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
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
				   : bus_outbox_fail(box, "cannot read", err);
}

enum bus_code bus_outbox_append_checkpoint(struct bus_outbox *box, struct bus_err *err)
{
	struct bus_buf data = BUS_BUF_INIT(box->max_event_size);
	struct bus_outbox_state log = { .size = 0 };
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
	rc = bus_outbox_read_log(box, &log, err);
	if (!rc)
		rc = checkpoint_data(box, log.size, &data, err);
	draft.data = data.p;
	draft.data_len = data.len;
	if (!rc)
		rc = bus_outbox_append(box, &draft, &id, err);
	stmt = rc ? NULL : bus_outbox_statement(box, S_LOG_CHECKPOINT, err);
	if (!rc && !stmt)
		rc = bus_outbox_fail(box, "cannot use", err);
	if (!rc) {
		sqlite3_bind_int64(stmt, 1, draft.time_us);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)(id + 1));
		rc = bus_outbox_run(box, stmt, err);
	}
	bus_buf_finish(&data);
	return bus_outbox_end(box, rc, err);
}

int64_t bus_outbox_checkpoint_due(const struct bus_outbox_state *state, int64_t now_us)
{
	static const int64_t settle = 60 * 1000000LL, interval = 3600 * 1000000LL;
	const int64_t begin = state->checkpoint_us ? state->checkpoint_us : state->created_us;
	const int64_t last = state->last_us < now_us ? state->last_us : now_us;
	int64_t due = (begin < now_us ? begin : now_us) + interval;

	if (state->checkpoint_size != state->size && last + settle < due)
		due = last + settle;
	return due > now_us ? due - now_us : 0;
}
