#include "config.h"

#include <stdio.h>

#include "ledger_private.h"
#include "topic.h"

/* Statements about one type of one log: ?1 its source, ?2 the type. */
static sqlite3_stmt *about(struct bus_ledger *ledger, enum bus_ledger_statement which,
			   const char *source, const char *type, enum bus_code *ret_rc,
			   struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, which, ret_rc, err);

	if (stmt) {
		sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, type, -1, SQLITE_STATIC);
	}
	return stmt;
}

static sqlite3_stmt *change(struct bus_ledger *ledger, enum bus_ledger_statement which,
			    const char *source, const char *type, enum bus_code *ret_rc,
			    struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_ledger_change_log(ledger, which, source, ret_rc, err);

	if (stmt)
		sqlite3_bind_text(stmt, 2, type, -1, SQLITE_STATIC);
	return stmt;
}

enum bus_code bus_ledger_position(struct bus_ledger *ledger, const char *source, const char *type,
				  struct bus_ledger_position *ret, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = about(ledger, L_POSITION, source, type, &rc, err);
	int step;

	if (rc)
		return rc;
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret = (struct bus_ledger_position){ (uint64_t)sqlite3_column_int64(stmt, 0),
						     sqlite3_column_int64(stmt, 1),
						     sqlite3_column_int(stmt, 2) != 0 };
	else
		rc = step == SQLITE_DONE ? BUS_E_NO : bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_advance(struct bus_ledger *ledger, const char *source, const char *type,
				 const struct bus_ledger_position *position, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = change(ledger, L_ADVANCE, source, type, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)position->last);
	sqlite3_bind_int64(stmt, 4, position->time_us);
	sqlite3_bind_int(stmt, 5, position->was_had);
	return bus_ledger_run(ledger, stmt, err);
}

enum bus_code bus_ledger_settle(struct bus_ledger *ledger, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change(ledger, L_SETTLE, &rc, err);

	return rc ? rc : bus_ledger_run(ledger, stmt, err);
}

/* The type after this one, in a buffer of BUS_TYPE_MAX + 1 bytes; BUS_E_NO: there is none. */
static enum bus_code next_type(struct bus_ledger *ledger, char *type, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_NEXT_TYPE, &rc, err);
	const char *next;

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, type, -1, SQLITE_TRANSIENT);
	if (sqlite3_step(stmt) != SQLITE_ROW) {
		rc = bus_ledger_fail(ledger, err);
	} else {
		next = (const char *)sqlite3_column_text(stmt, 0);
		if (next)
			snprintf(type, BUS_TYPE_MAX + 1, "%s", next);
		else
			rc = BUS_E_NO;
	}
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_forget_types(struct bus_ledger *ledger,
				      bool (*keep)(void *arg, const char *type), void *arg,
				      struct bus_err *err)
{
	char type[BUS_TYPE_MAX + 1] = "";
	sqlite3_stmt *stmt;
	enum bus_code rc = bus_ledger_begin(ledger, err);

	while (!rc && !(rc = next_type(ledger, type, err))) {
		if (keep(arg, type))
			continue;
		stmt = bus_ledger_statement(ledger, L_FORGET_TYPE, &rc, err);
		if (rc)
			break;
		sqlite3_bind_text(stmt, 1, type, -1, SQLITE_STATIC);
		rc = bus_ledger_run(ledger, stmt, err);
	}
	return rc == BUS_E_NO ? BUS_OK : rc;
}

enum bus_code bus_ledger_lose(struct bus_ledger *ledger, const struct bus_ledger_range *range,
			      struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = change(ledger, L_LOSE, range->source, range->type, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)range->first);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)range->last);
	sqlite3_bind_int(stmt, 5, range->reported);
	return bus_ledger_run(ledger, stmt, err);
}

/* The missing range that holds this number. */
static enum bus_code missing_of(struct bus_ledger *ledger, const char *source, const char *type,
				uint64_t number, struct bus_ledger_range *ret, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = about(ledger, L_MISSING_OF, source, type, &rc, err);
	int step;

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)number);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret = (struct bus_ledger_range){ source, type,
						  (uint64_t)sqlite3_column_int64(stmt, 0),
						  (uint64_t)sqlite3_column_int64(stmt, 1),
						  sqlite3_column_int(stmt, 2) != 0 };
	else
		rc = step == SQLITE_DONE ? BUS_E_NO : bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_find(struct bus_ledger *ledger, const char *source, const char *type,
			      uint64_t typesequence, struct bus_err *err)
{
	struct bus_ledger_range range = { 0 }, rest;
	sqlite3_stmt *stmt;
	enum bus_code rc;

	rc = missing_of(ledger, source, type, typesequence, &range, err);
	if (rc)
		return rc;
	stmt = change(ledger, L_UNLOSE, source, type, &rc, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)range.first);
	rc = bus_ledger_run(ledger, stmt, err);
	rest = range;
	rest.last = typesequence - 1;
	if (!rc && rest.first <= rest.last)
		rc = bus_ledger_lose(ledger, &rest, err);
	rest = range;
	rest.first = typesequence + 1;
	if (!rc && rest.first <= rest.last)
		rc = bus_ledger_lose(ledger, &rest, err);
	return rc;
}

enum bus_code bus_ledger_missing(struct bus_ledger *ledger,
				 enum bus_code (*each)(void *arg,
						       const struct bus_ledger_range *range,
						       struct bus_err *err),
				 void *arg, struct bus_err *err)
{
	struct bus_ledger_range range;
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_MISSING, &rc, err);
	int step = SQLITE_DONE;

	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		range.source = (const char *)sqlite3_column_text(stmt, 0);
		range.type = (const char *)sqlite3_column_text(stmt, 1);
		range.first = (uint64_t)sqlite3_column_int64(stmt, 2);
		range.last = (uint64_t)sqlite3_column_int64(stmt, 3);
		range.reported = sqlite3_column_int(stmt, 4) != 0;
		rc = each(arg, &range, err);
	}
	if (!rc && step != SQLITE_DONE)
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_reported(struct bus_ledger *ledger, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change(ledger, L_REPORTED, &rc, err);

	return rc ? rc : bus_ledger_run(ledger, stmt, err);
}

enum bus_code bus_ledger_is_whole(struct bus_ledger *ledger, const char *source, bool *ret,
				  struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_IS_WHOLE, &rc, err);
	int step;

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, source, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	*ret = step == SQLITE_ROW && sqlite3_column_int(stmt, 0) != 0;
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_set_whole(struct bus_ledger *ledger, const char *source,
				   struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt;

	if (!source)
		return bus_ledger_set_all_whole(ledger, true, err);
	stmt = bus_ledger_change_log(ledger, L_SET_WHOLE, source, &rc, err);
	return rc ? rc : bus_ledger_run(ledger, stmt, err);
}

enum bus_code bus_ledger_forget_whole(struct bus_ledger *ledger, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change(ledger, L_FORGET_WHOLE, &rc, err);

	if (!rc)
		rc = bus_ledger_run(ledger, stmt, err);
	return rc ? rc : bus_ledger_set_all_whole(ledger, false, err);
}

enum bus_code bus_ledger_hear(struct bus_ledger *ledger, const char *source, int64_t time_us,
			      struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change_log(ledger, L_HEAR, source, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 2, time_us);
	return bus_ledger_run(ledger, stmt, err);
}

static enum bus_code list_logs(struct bus_ledger *ledger, sqlite3_stmt *stmt,
			       enum bus_code (*each)(void *arg, const char *source,
						     int64_t heard_us, struct bus_err *err),
			       void *arg, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	int step = SQLITE_DONE;

	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = each(arg, (const char *)sqlite3_column_text(stmt, 0),
			  sqlite3_column_int64(stmt, 1), err);
	if (!rc && step != SQLITE_DONE)
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

enum bus_code bus_ledger_silent(struct bus_ledger *ledger, int64_t time_us,
				enum bus_code (*each)(void *arg, const char *source,
						      int64_t heard_us, struct bus_err *err),
				void *arg, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_SILENT, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 1, time_us);
	return list_logs(ledger, stmt, each, arg, err);
}

enum bus_code bus_ledger_logs(struct bus_ledger *ledger,
			      enum bus_code (*each)(void *arg, const char *source, int64_t heard_us,
						    struct bus_err *err),
			      void *arg, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_LOGS, &rc, err);

	return rc ? rc : list_logs(ledger, stmt, each, arg, err);
}
