#include "config.h"

#include "outbox_private.h"

enum {
	STEP_EVENTS = 1024 /* of one transaction: milliseconds */
};

/* Events below this may go, whatever their age. */
static enum bus_code find_limit(struct bus_outbox *box, struct bus_outbox_state *state,
				uint64_t *ret, struct bus_err *err)
{
	uint64_t first = 0, last;
	enum bus_code rc;

	rc = bus_outbox_state(box, state, err);
	if (rc)
		return rc;
	*ret = state->sent;
	if (state->size && *ret > state->size - 1) /* when the last one came is still asked for */
		*ret = state->size - 1;
	rc = bus_outbox_resend_next(box, &first, &last, err);
	if (!rc && first < *ret)
		*ret = first;
	return rc == BUS_E_NO ? BUS_OK : rc;
}

/* Where a checkpoint ends a piece of `most` events or, if none does, the next one; 0: none. */
static enum bus_code find_end(struct bus_outbox *box, uint64_t from, uint64_t limit, int most,
			      uint64_t *ret, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_PRUNE_TO, err);
	enum bus_code rc = BUS_OK;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)from);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)limit);
	sqlite3_bind_int(stmt, 3, most);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = (uint64_t)sqlite3_column_int64(stmt, 0);
	else
		rc = bus_outbox_fail(box, "cannot read", err);
	sqlite3_reset(stmt);
	return rc;
}

/* The end of what goes now, all of it older than before_us; 0: nothing goes. */
static enum bus_code find_old_end(struct bus_outbox *box, uint64_t from, uint64_t limit,
				  int64_t before_us, uint64_t *ret, struct bus_err *err)
{
	int64_t added_us = 0;
	enum bus_code rc;
	int most;

	/* where the large piece is not old enough yet, the smallest may be */
	for (most = STEP_EVENTS; most >= 0; most -= STEP_EVENTS) {
		rc = find_end(box, from, limit, most, ret, err);
		if (!rc && *ret)
			rc = bus_outbox_number(box, S_ADDED, *ret - 1, &added_us, err);
		if (rc || !*ret || added_us < before_us)
			return rc;
	}
	*ret = 0;
	return BUS_OK;
}

static enum bus_code remove_below(struct bus_outbox *box, enum bus_outbox_statement which,
				  uint64_t end, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, which, err);

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)end);
	return bus_outbox_run(box, stmt, err);
}

/* Is there anything to do?  To ask does not keep adapters from writing. */
static enum bus_code look(struct bus_outbox *box, int64_t before_us, uint64_t *ret_first,
			  uint64_t *ret_end, struct bus_err *err)
{
	struct bus_outbox_state state;
	uint64_t limit = 0;
	enum bus_code rc;

	*ret_end = 0;
	rc = find_limit(box, &state, &limit, err);
	*ret_first = rc ? 0 : state.first;
	if (!rc && state.first < limit)
		rc = find_old_end(box, state.first, limit, before_us, ret_end, err);
	return rc;
}

enum bus_code bus_outbox_prune(struct bus_outbox *box, int64_t before_us, uint64_t *ret_count,
			       struct bus_err *err)
{
	uint64_t first, end;
	enum bus_code rc;

	*ret_count = 0;
	rc = look(box, before_us, &first, &end, err);
	if (rc || !end)
		return rc;
	rc = bus_outbox_begin(box, err);
	if (rc)
		return rc;
	rc = look(box, before_us, &first, &end, err); /* somebody may want them sent again by now */
	if (!rc && end)
		rc = remove_below(box, S_PRUNE_EVENTS, end, err);
	if (!rc && end)
		rc = remove_below(box, S_PRUNE_CHECKPOINTS, end, err);
	rc = bus_outbox_end(box, rc, err);
	if (!rc && end)
		*ret_count = end - first;
	return rc;
}

static int pragma(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int value = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

enum bus_code bus_outbox_shrink(struct bus_outbox *box, bool *ret_more, struct bus_err *err)
{
	static const char step[] = "PRAGMA incremental_vacuum(256)";
	enum bus_code rc;

	*ret_more = false;
	if (pragma(box->db, "PRAGMA auto_vacuum") != 2 || !pragma(box->db, "PRAGMA freelist_count"))
		return BUS_OK;
	rc = bus_outbox_exec(box, step, "cannot shrink", err);
	if (rc)
		return rc;
	*ret_more = pragma(box->db, "PRAGMA freelist_count") > 0;
	if (!*ret_more) /* the file itself becomes smaller when the write-ahead log is put into it
			 */
		sqlite3_exec(box->db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
	return BUS_OK;
}
