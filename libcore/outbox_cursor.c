#include "config.h"

#include "outbox_private.h"

#include <stdlib.h>
#include <string.h>

enum { CURSOR_MAX = 16 * 1024 * 1024 }; /* bytes; a hook's whole input may be one */

enum bus_code bus_outbox_cursor_set(struct bus_outbox *box, const char *name, const void *value,
				    size_t len, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, len ? S_CURSOR_SET : S_CURSOR_DELETE, err);

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	if (len > CURSOR_MAX)
		return bus_fail(err, BUS_E_DATA, "outbox: cursor %s: more than 16 MiB", name);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (len)
		sqlite3_bind_blob(stmt, 2, value, (int)len, SQLITE_STATIC);
	return bus_outbox_run(box, stmt, err);
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
			rc = bus_outbox_nomem(err);
	} else if (step != SQLITE_DONE) {
		rc = bus_outbox_fail(box, "cannot read", err);
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
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_CURSOR_GET, err);

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	return read_one(box, stmt, ret, ret_len, err);
}

enum bus_code bus_outbox_cursor_next(struct bus_outbox *box, const char *prefix, const char *after,
				     char **ret, struct bus_err *err)
{
	sqlite3_stmt *stmt = bus_outbox_statement(box, S_CURSOR_NEXT, err);
	size_t len;

	if (!stmt)
		return bus_outbox_fail(box, "cannot use", err);
	sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
	after = after ? after : "";
	sqlite3_bind_text(stmt, 2, strcmp(after, prefix) > 0 ? after : prefix, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, after, -1, SQLITE_STATIC);
	return read_one(box, stmt, ret, &len, err);
}
