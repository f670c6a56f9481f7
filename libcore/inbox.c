#include "config.h"

#include "inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_private.h"

void bus_inbox_item_free(struct bus_inbox_item *item)
{
	if (!item)
		return;
	bus_message_free(item->message);
	free(item);
}

/* -- one change, one transaction -- */

/* Ends what bus_ledger_begin() began.  ours: it was not open before. */
static enum bus_code finish(struct bus_ledger *ledger, bool ours, enum bus_code rc,
			    struct bus_err *err)
{
	if (!rc)
		rc = bus_ledger_commit(ledger, err);
	if (rc && ours && !sqlite3_get_autocommit(ledger->db))
		sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* Begins it and prepares a statement about one item, its number bound to ?1. */
static sqlite3_stmt *change(struct bus_ledger *ledger, enum bus_ledger_statement which,
			    int64_t number, bool *ret_ours, enum bus_code *ret_rc,
			    struct bus_err *err)
{
	sqlite3_stmt *stmt;

	*ret_ours = sqlite3_get_autocommit(ledger->db);
	stmt = bus_ledger_change(ledger, which, ret_rc, err);
	if (stmt)
		sqlite3_bind_int64(stmt, 1, number);
	return stmt;
}

/* Runs it; BUS_E_NO where there was no such item. */
static enum bus_code run(struct bus_ledger *ledger, sqlite3_stmt *stmt, struct bus_err *err)
{
	enum bus_code rc = bus_ledger_run(ledger, stmt, err);

	if (!rc && !sqlite3_changes(ledger->db))
		rc = bus_fail(err, BUS_E_NO, "inbox: it is not there any more");
	return rc;
}

/* -- in -- */

enum bus_code bus_inbox_put(struct bus_ledger *ledger, const struct bus_belief *belief,
			    const struct bus_message *m, struct bus_err *err)
{
	const struct bus_event *ev = belief->event;
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change_log(ledger, L_PUT, ev->source, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)ev->id);
	sqlite3_bind_text(stmt, 3, ev->subject ? ev->subject : "", -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, m->routing_key, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 5, m->message_id, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(stmt, 6, m->body, m->body_len, SQLITE_STATIC);
	sqlite3_bind_blob64(stmt, 7, m->proof, m->proof_len, SQLITE_STATIC);
	return bus_ledger_run(ledger, stmt, err);
}

/* -- looking -- */

enum bus_code bus_inbox_count(struct bus_ledger *ledger, uint64_t ret[BUS_INBOX_FAILED + 1],
			      struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_COUNT_STATES, &rc, err);
	int step = SQLITE_DONE, state;

	if (rc)
		return rc;
	memset(ret, 0, (BUS_INBOX_FAILED + 1) * sizeof(*ret));
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		state = sqlite3_column_int(stmt, 0);
		if (state >= 0 && state <= BUS_INBOX_FAILED)
			ret[state] = (uint64_t)sqlite3_column_int64(stmt, 1);
	}
	if (step != SQLITE_DONE)
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

static bool is_taken(const struct bus_inbox_taken *taken, int64_t number)
{
	size_t i;

	for (i = 0; taken && i < taken->count; i++)
		if (taken->numbers[i] == number)
			return true;
	return false;
}

static enum bus_code next_time(struct bus_ledger *ledger, int64_t now_us, int64_t *ret_wait_us,
			       struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_NEXT_TIME, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 1, now_us);
	if (sqlite3_step(stmt) != SQLITE_ROW)
		rc = bus_ledger_fail(ledger, err);
	else if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		*ret_wait_us = -1;
	else
		*ret_wait_us = sqlite3_column_int64(stmt, 0) - now_us;
	sqlite3_reset(stmt);
	return rc ? rc : BUS_E_NO;
}

enum bus_code bus_inbox_next(struct bus_ledger *ledger, int64_t now_us,
			     const struct bus_inbox_taken *taken, int64_t *ret_number,
			     int64_t *ret_wait_us, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_NEXT, &rc, err);
	int64_t number = 0;
	int step;

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 1, now_us);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		number = sqlite3_column_int64(stmt, 0);
		if (!is_taken(taken, number))
			break;
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	if (!rc && step == SQLITE_DONE)
		return next_time(ledger, now_us, ret_wait_us, err);
	if (!rc)
		*ret_number = number;
	return rc;
}

/* NULL for NULL; the bytes and a NUL. */
static char *copy_column(sqlite3_stmt *stmt, int column, size_t *ret_len, bool *nomem)
{
	const void *bytes = sqlite3_column_blob(stmt, column);
	const size_t len = (size_t)sqlite3_column_bytes(stmt, column);
	char *copy;

	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return NULL;
	/* SQLite says "nothing" also where it had no memory */
	copy = !bytes && sqlite3_errcode(sqlite3_db_handle(stmt)) == SQLITE_NOMEM ? NULL
										  : malloc(len + 1);
	if (!copy) {
		*nomem = true;
		return NULL;
	}
	if (bytes)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return copy;
}

static struct bus_inbox_item *item_of(sqlite3_stmt *stmt, int64_t number)
{
	struct bus_inbox_item *item = calloc(1, sizeof(*item));
	struct bus_message *m = calloc(1, sizeof(*m));
	bool nomem = !item || !m;
	const char *reason;

	if (nomem) {
		free(item);
		free(m);
		return NULL;
	}
	item->message = m;
	item->number = number;
	item->state = (enum bus_inbox_state)sqlite3_column_int(stmt, 0);
	item->tries = (unsigned int)sqlite3_column_int(stmt, 1);
	item->unsure = sqlite3_column_int(stmt, 2) != 0;
	m->routing_key = copy_column(stmt, 3, NULL, &nomem);
	m->message_id = copy_column(stmt, 4, NULL, &nomem);
	m->body = copy_column(stmt, 5, &m->body_len, &nomem);
	m->proof = copy_column(stmt, 6, &m->proof_len, &nomem);
	reason = (const char *)sqlite3_column_text(stmt, 7);
	snprintf(item->reason, sizeof(item->reason), "%s", reason ? reason : "");
	if (sqlite3_column_bytes(stmt, 8) <= BUS_INBOX_OUTPUT_MAX) {
		item->output_len = (size_t)sqlite3_column_bytes(stmt, 8);
		if (item->output_len)
			memcpy(item->output, sqlite3_column_blob(stmt, 8), item->output_len);
	}
	if (nomem) {
		bus_inbox_item_free(item);
		item = NULL;
	}
	return item;
}

enum bus_code bus_inbox_get(struct bus_ledger *ledger, int64_t number, struct bus_inbox_item **ret,
			    struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_ITEM, &rc, err);
	struct bus_inbox_item *item = NULL;
	int step;

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 1, number);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW) {
		item = item_of(stmt, number);
		if (!item)
			rc = bus_fail(err, BUS_E_NOMEM, "inbox: out of memory");
	} else {
		rc = step == SQLITE_DONE ? BUS_E_NO : bus_ledger_fail(ledger, err);
	}
	sqlite3_reset(stmt);
	if (!rc)
		*ret = item;
	return rc;
}

enum bus_code bus_inbox_find(struct bus_ledger *ledger, enum bus_inbox_state state, int64_t after,
			     struct bus_inbox_item **ret, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_FIND, &rc, err);
	int64_t number = 0;
	int step;

	if (rc)
		return rc;
	sqlite3_bind_int(stmt, 1, (int)state);
	sqlite3_bind_int64(stmt, 2, after);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		number = sqlite3_column_int64(stmt, 0);
	else
		rc = step == SQLITE_DONE ? BUS_E_NO : bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc ? rc : bus_inbox_get(ledger, number, ret, err);
}

/* -- its life -- */

enum bus_code bus_inbox_begin(struct bus_ledger *ledger, int64_t number,
			      struct bus_inbox_item **ret, struct bus_err *err)
{
	struct bus_inbox_item *item = NULL;
	enum bus_code rc;
	bool ours;
	sqlite3_stmt *stmt = change(ledger, L_BEGIN, number, &ours, &rc, err);

	if (!rc)
		rc = run(ledger, stmt, err);
	if (!rc)
		rc = bus_inbox_get(ledger, number, &item, err);
	rc = finish(ledger, ours, rc, err);
	if (rc)
		bus_inbox_item_free(item);
	else
		*ret = item;
	return rc;
}

static sqlite3_stmt *change_to_end(struct bus_ledger *ledger, int64_t number,
				   const struct bus_inbox_end *end, bool *ret_ours,
				   enum bus_code *ret_rc, struct bus_err *err)
{
	static const enum bus_ledger_statement statements[] = {
		[BUS_INBOX_DONE] = L_DROP,
		[BUS_INBOX_AGAIN] = L_AGAIN,
		[BUS_INBOX_GAVE_UP] = L_GIVE_UP,
	};
	sqlite3_stmt *stmt = change(ledger, statements[end->outcome], number, ret_ours, ret_rc,
				    err);
	int next = 2;

	if (!stmt || end->outcome == BUS_INBOX_DONE)
		return stmt;
	if (end->outcome == BUS_INBOX_AGAIN) {
		sqlite3_bind_int(stmt, next++, !end->uncounted);
		sqlite3_bind_int64(stmt, next++, end->not_before_us);
	}
	sqlite3_bind_text(stmt, next++, end->reason, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(stmt, next++, end->output, end->output_len, SQLITE_STATIC);
	return stmt;
}

enum bus_code bus_inbox_end(struct bus_ledger *ledger, int64_t number,
			    const struct bus_inbox_end *end, struct bus_err *err)
{
	enum bus_code rc;
	bool ours;
	sqlite3_stmt *stmt = change_to_end(ledger, number, end, &ours, &rc, err);

	if (!rc)
		rc = run(ledger, stmt, err);
	return finish(ledger, ours, rc, err);
}

enum bus_code bus_inbox_unsure(struct bus_ledger *ledger, int64_t number, int64_t not_before_us,
			       struct bus_err *err)
{
	enum bus_code rc;
	bool ours;
	sqlite3_stmt *stmt = change(ledger, L_UNSURE, number, &ours, &rc, err);

	if (!rc) {
		sqlite3_bind_int64(stmt, 2, not_before_us);
		rc = run(ledger, stmt, err);
	}
	return finish(ledger, ours, rc, err);
}

enum bus_code bus_inbox_drop(struct bus_ledger *ledger, int64_t number, struct bus_err *err)
{
	enum bus_code rc;
	bool ours;
	sqlite3_stmt *stmt = change(ledger, L_DROP, number, &ours, &rc, err);

	if (!rc)
		rc = run(ledger, stmt, err);
	return finish(ledger, ours, rc, err);
}
