#include "config.h"

#include "ledger_private.h"

/* -- numbers with a name -- */

static enum bus_code get(struct bus_ledger *ledger, const char *name, int64_t *ret,
			 struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_GET, &rc, err);
	int step;

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else if (step == SQLITE_DONE)
		rc = BUS_E_NO;
	else
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}

static enum bus_code set(struct bus_ledger *ledger, const char *name, int64_t value,
			 struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change(ledger, L_STORE, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, value);
	return bus_ledger_run(ledger, stmt, err);
}

static enum bus_code unset(struct bus_ledger *ledger, const char *name, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_change(ledger, L_UNSET, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	return bus_ledger_run(ledger, stmt, err);
}

enum bus_code bus_ledger_since(struct bus_ledger *ledger, int64_t *ret_us, struct bus_err *err)
{
	return get(ledger, "since", ret_us, err);
}

enum bus_code bus_ledger_set_since(struct bus_ledger *ledger, int64_t us, struct bus_err *err)
{
	return set(ledger, "since", us, err);
}

enum bus_code bus_ledger_asked(struct bus_ledger *ledger, int64_t *ret_us, struct bus_err *err)
{
	return get(ledger, "asked", ret_us, err);
}

enum bus_code bus_ledger_set_asked(struct bus_ledger *ledger, int64_t us, struct bus_err *err)
{
	return set(ledger, "asked", us, err);
}

enum bus_code bus_ledger_behind(struct bus_ledger *ledger, int64_t *ret_us, struct bus_err *err)
{
	return get(ledger, "behind", ret_us, err);
}

enum bus_code bus_ledger_set_behind(struct bus_ledger *ledger, int64_t us, struct bus_err *err)
{
	return us ? set(ledger, "behind", us, err) : unset(ledger, "behind", err);
}

enum bus_code bus_ledger_look_again(struct bus_ledger *ledger, int64_t *ret_us, struct bus_err *err)
{
	return get(ledger, "look-again", ret_us, err);
}

enum bus_code bus_ledger_set_look_again(struct bus_ledger *ledger, int64_t us, struct bus_err *err)
{
	return us ? set(ledger, "look-again", us, err) : unset(ledger, "look-again", err);
}

enum bus_code bus_ledger_set_all_whole(struct bus_ledger *ledger, bool whole, struct bus_err *err)
{
	return whole ? set(ledger, "whole", 1, err) : unset(ledger, "whole", err);
}

/* -- patterns -- */

enum bus_code bus_ledger_pattern(struct bus_ledger *ledger, const char *pattern, bool dropped,
				 struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_PATTERN, &rc, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, pattern, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 2, dropped);
	return bus_ledger_run(ledger, stmt, err);
}

enum bus_code bus_ledger_patterns(struct bus_ledger *ledger, bool dropped,
				  enum bus_code (*each)(void *arg, const char *pattern,
							struct bus_err *err),
				  void *arg, struct bus_err *err)
{
	enum bus_code rc;
	sqlite3_stmt *stmt = bus_ledger_statement(ledger, L_PATTERNS, &rc, err);
	int step = SQLITE_DONE;

	if (rc)
		return rc;
	sqlite3_bind_int(stmt, 1, dropped);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = each(arg, (const char *)sqlite3_column_text(stmt, 0), err);
	if (!rc && step != SQLITE_DONE)
		rc = bus_ledger_fail(ledger, err);
	sqlite3_reset(stmt);
	return rc;
}
