#include "config.h"

#include "outbox_private.h"

#include <inttypes.h>

static sqlite3_stmt *bound(struct bus_outbox *box, enum bus_outbox_statement which, uint64_t a,
			   uint64_t b, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, which, err);

	if (stmt) {
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)a);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)b);
	}
	return stmt;
}

static enum bus_code change(struct bus_outbox *box, enum bus_outbox_statement which, uint64_t a,
			    uint64_t b, struct bus_err *err)
{
	sqlite3_stmt *stmt = bound(box, which, a, b, err);

	return stmt ? bus_outbox_run(box, stmt, err) : bus_outbox_fail(box, "cannot use", err);
}

static enum bus_code check_range(struct bus_outbox *box, uint64_t first, uint64_t last,
				 struct bus_err *err)
{
	struct bus_outbox_state state;
	enum bus_code rc = bus_outbox_state(box, &state, err);

	if (rc)
		return rc;
	if (last >= state.size)
		return bus_fail(err, BUS_E_DATA,
				"outbox: there is no event %" PRIu64 ": %s has %" PRIu64
				" events, counted from 0",
				last, state.origin, state.size);
	if (last >= state.sent)
		return bus_fail(err, BUS_E_DATA,
				"outbox: event %" PRIu64 " of %s is not confirmed yet; the relay "
				"sends it without being asked",
				state.sent > first ? state.sent : first, state.origin);
	if (first < state.first)
		return bus_fail(err, BUS_E_DATA,
				"outbox: event %" PRIu64 " of %s is not kept any more, the oldest "
				"is %" PRIu64 "; debmsg import can publish it from an export",
				first, state.origin, state.first);
	return BUS_OK;
}

/* Ranges that touch become one, so that their rows stay few and apart. */
static enum bus_code add_range(struct bus_outbox *box, uint64_t first, uint64_t last,
			       struct bus_err *err)
{
	sqlite3_stmt *stmt = bound(box, S_RESEND_NEAR, first, last, err);
	enum bus_code rc;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	if (sqlite3_step(stmt) != SQLITE_ROW) {
		rc = bus_outbox_fail(box, "cannot read", err);
		sqlite3_reset(stmt);
		return rc;
	}
	if (sqlite3_column_type(stmt, 0) == SQLITE_INTEGER) {
		const uint64_t low = (uint64_t)sqlite3_column_int64(stmt, 0);
		const uint64_t high = (uint64_t)sqlite3_column_int64(stmt, 1);

		first = low < first ? low : first;
		last = high > last ? high : last;
	}
	sqlite3_reset(stmt);
	rc = change(box, S_RESEND_DELETE, first, last, err);
	return rc ? rc : change(box, S_RESEND_INSERT, first, last, err);
}

enum bus_code bus_outbox_resend(struct bus_outbox *box, uint64_t first, uint64_t last,
				struct bus_err *err)
{
	enum bus_code rc;

	if (first > last)
		return bus_fail(err, BUS_E_DATA,
				"outbox: a range that ends, at %" PRIu64
				", before it begins, at %" PRIu64,
				last, first);
	rc = bus_outbox_begin(box, err);
	if (rc)
		return rc;
	rc = check_range(box, first, last, err); /* nobody prunes while we hold the outbox */
	if (!rc)
		rc = add_range(box, first, last, err);
	return bus_outbox_end(box, rc, err);
}

enum bus_code bus_outbox_resend_next(struct bus_outbox *box, uint64_t *ret_first,
				     uint64_t *ret_last, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_RESEND_NEXT, err);
	enum bus_code rc = BUS_OK;
	int step;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW) {
		*ret_first = (uint64_t)sqlite3_column_int64(stmt, 0);
		*ret_last = (uint64_t)sqlite3_column_int64(stmt, 1);
	} else {
		rc = step == SQLITE_DONE ? BUS_E_NO : bus_outbox_fail(box, "cannot read", err);
	}
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_outbox_resent(struct bus_outbox *box, uint64_t first, uint64_t next,
				struct bus_err *err)
{
	sqlite3_stmt *stmt;
	enum bus_code rc = bus_outbox_begin(box, err);

	if (rc)
		return rc;
	/*
	 * A range that grew downwards meanwhile begins elsewhere: then no row is
	 * changed, and all of it is sent, a part of it twice.
	 */
	rc = change(box, S_RESENT, first, next, err);
	stmt = rc ? NULL : bus_outbox_statement(box, S_RESENT_ALL, err);
	if (!rc)
		rc = stmt ? bus_outbox_run(box, stmt, err)
			  : bus_outbox_fail(box, "cannot use", err);
	return bus_outbox_end(box, rc, err);
}
