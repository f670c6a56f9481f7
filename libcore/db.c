#include "config.h"

#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum bus_code code_of(int sqlite_code)
{
	switch (sqlite_code & 0xff) {
	case SQLITE_NOMEM:
		return BUS_E_NOMEM;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return BUS_E_CONFIG;
	default:
		return BUS_E_TEMP;
	}
}

static const char *remedy_for(int sqlite_code)
{
	switch (sqlite_code & 0xff) {
	case SQLITE_FULL:
		return "; make room on that disk, nothing stored so far is lost";
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return "; check owner and mode of the directory and the files in it";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "; keep the file for inspection, and let a new one be made";
	case SQLITE_BUSY:
		return "; another process holds it, try again";
	default:
		return "";
	}
}

enum bus_code bus_db_fail(sqlite3 *db, const char *what, const char *doing, struct bus_err *err)
{
	const int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	const char *path = db ? sqlite3_db_filename(db, "main") : NULL;

	return bus_fail(err, code_of(code), "%s: %s %s: %s%s", what, doing, path ? path : "",
			db ? sqlite3_errmsg(db) : "out of memory", remedy_for(code));
}

/* Makes the directories above path, as private as they can be. */
static enum bus_code make_parents(const char *path, const char *what, struct bus_err *err)
{
	char *copy = strdup(path), *slash;
	enum bus_code rc = BUS_OK;

	if (!copy)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", what);
	for (slash = strchr(copy + 1, '/'); slash && !rc; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			rc = bus_fail(err, errno == ENOSPC ? BUS_E_TEMP : BUS_E_CONFIG,
				      "%s: cannot make directory %s: %s", what, copy,
				      strerror(errno));
		*slash = '/';
	}
	free(copy);
	return rc;
}

/*
 * SQLite gives its -wal and -shm files the mode of the database, so the mode
 * is set once, here: whoever may write in the directory may write in the file.
 */
static enum bus_code make_file(const char *path, const char *what, struct bus_err *err)
{
	const char *slash = strrchr(path, '/');
	struct stat dir = { 0 };
	enum bus_code rc;
	char *parent;
	int fd;

	rc = make_parents(path, what, err);
	if (rc)
		return rc;
	parent = strndup(path, (size_t)(slash - path));
	if (!parent || stat(parent, &dir) != 0)
		dir.st_mode = 0700;
	free(parent);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return bus_fail(err, errno == ENOSPC ? BUS_E_TEMP : BUS_E_CONFIG,
				"%s: cannot make %s: %s", what, path, strerror(errno));
	if (fd < 0)
		return BUS_OK;
	if (fchmod(fd, dir.st_mode & 0660) != 0)
		rc = bus_fail(err, BUS_E_TEMP, "%s: %s: %s", what, path, strerror(errno));
	close(fd);
	return rc;
}

static int read_pragma(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int value = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

/* Two processes may find the file empty: the one that comes second sees the version. */
static enum bus_code make_tables(sqlite3 *db, const struct bus_db_schema *schema,
				 struct bus_err *err)
{
	char pragmas[100];
	enum bus_code rc = BUS_OK;

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL))
		return bus_db_fail(db, schema->what, "cannot write to", err);
	snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
		 schema->application_id, schema->version);
	if (read_pragma(db, "PRAGMA user_version") == 0 &&
	    (sqlite3_exec(db, schema->sql, NULL, NULL, NULL) ||
	     sqlite3_exec(db, pragmas, NULL, NULL, NULL)))
		rc = bus_db_fail(db, schema->what, "cannot make the tables of", err);
	if (!rc && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
		rc = bus_db_fail(db, schema->what, "cannot write to", err);
	if (rc)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* An older version of us made it.  Others may be at it at this moment: look again, alone. */
static enum bus_code upgrade_tables(sqlite3 *db, const struct bus_db_schema *schema,
				    struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	char pragma[40];
	int version;

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL))
		return bus_db_fail(db, schema->what, "cannot write to", err);
	for (version = read_pragma(db, "PRAGMA user_version"); !rc && version < schema->version;
	     version++) {
		snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version + 1);
		if (version < 1 || sqlite3_exec(db, schema->upgrade[version], NULL, NULL, NULL) ||
		    sqlite3_exec(db, pragma, NULL, NULL, NULL))
			rc = bus_db_fail(db, schema->what, "cannot upgrade", err);
	}
	if (!rc && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
		rc = bus_db_fail(db, schema->what, "cannot write to", err);
	if (rc)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static enum bus_code check_tables(sqlite3 *db, const struct bus_db_schema *schema,
				  struct bus_err *err)
{
	int version = -1, id = -1;

	/* one look at both: another process may be making the tables right now */
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK) {
		version = read_pragma(db, "PRAGMA user_version");
		id = read_pragma(db, "PRAGMA application_id");
	}
	if (version < 0 || id < 0) {
		enum bus_code rc = bus_db_fail(db, schema->what, "cannot read", err);

		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return rc;
	}
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (version == 0 && id == 0)
		return make_tables(db, schema, err);
	if (id == schema->application_id && version > 0 && version < schema->version &&
	    schema->upgrade)
		return upgrade_tables(db, schema, err);
	if (version != schema->version || id != schema->application_id)
		return bus_fail(err, BUS_E_CONFIG, "%s: %s is not ours or of another version",
				schema->what, sqlite3_db_filename(db, "main"));
	return BUS_OK;
}

/*
 * Only the first process changes the mode of the file; others that come at the
 * same moment are told "busy" at once, without the wait they asked for.
 */
static int use_wal(sqlite3 *db, int wait_ms)
{
	enum { STEP_MS = 5 };
	int rc;

	for (; (rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL)) ==
		       SQLITE_BUSY &&
	       wait_ms > 0;
	     wait_ms -= STEP_MS)
		sqlite3_sleep(STEP_MS);
	return rc;
}

/*
 * Others may write to the file: an adapter's user to an outbox, which is read by the
 * relay.  It has no view or trigger of ours, so what they could make us do is not done,
 * and nothing in it is larger than a hook's whole input.
 */
static void distrust(sqlite3 *db)
{
	enum { ROW_MAX = 20 * 1024 * 1024 };

	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ROW_MAX);
}

/*
 * A journal that is left beside the file may name one of a transaction over several
 * files, which SQLite deletes after the rollback, whatever file that is and wherever.
 * We have no such transactions: the name is not ours, and what it names is not opened.
 */
static int careful_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			int *ret_flags)
{
	sqlite3_vfs *ordinary = sqlite3_vfs_find(NULL);

	(void)vfs;
	if (!ordinary || flags & SQLITE_OPEN_SUPER_JOURNAL) {
		file->pMethods = NULL;
		return SQLITE_CANTOPEN;
	}
	return ordinary->xOpen(ordinary, name, file, flags, ret_flags);
}

/* Of a pipe where a journal is expected: nobody may come to the other end, ever. */
static int open_at_once(const char *path, int flags, int mode)
{
	return open(path, flags | O_NONBLOCK, mode);
}

/* The name of the ordinary way to the disk, with these open functions. */
static const char *careful_vfs(void)
{
	static sqlite3_vfs vfs;
	const sqlite3_vfs *ordinary;

	if (!vfs.zName && (ordinary = sqlite3_vfs_find(NULL))) {
		vfs = *ordinary;
		vfs.pNext = NULL;
		vfs.zName = "debmsg-careful";
		vfs.xOpen = careful_open;
		if (vfs.iVersion >= 3 && vfs.xSetSystemCall)
			vfs.xSetSystemCall(&vfs, "open", (sqlite3_syscall_ptr)open_at_once);
	}
	/* fails without memory only; then the opening says that there is no such way */
	if (vfs.zName && !sqlite3_vfs_find(vfs.zName))
		sqlite3_vfs_register(&vfs, 0);
	return "debmsg-careful";
}

/* The directory may be behind a link of the admin's; the file in it must not be one. */
static char *without_links(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = strndup(path, (size_t)(slash - path)), *real = NULL, *ret = NULL;

	if (parent)
		real = realpath(parent, NULL);
	if (real && asprintf(&ret, "%s%s", real, slash) < 0)
		ret = NULL;
	free(parent);
	free(real);
	return ret;
}

static enum bus_code open_file(sqlite3 **ret, const char *path, const struct bus_db_schema *schema,
			       struct bus_err *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	enum bus_code rc = BUS_OK;
	char *real = NULL;
	int opened;

	if (schema->foreign) {
		real = without_links(path);
		if (!real)
			return bus_fail(err, errno == ENOMEM ? BUS_E_NOMEM : BUS_E_TEMP,
					"%s: cannot open %s: %s", schema->what, path,
					strerror(errno));
	}
	opened = real ? sqlite3_open_v2(real, ret, flags | SQLITE_OPEN_NOFOLLOW, careful_vfs())
		      : sqlite3_open_v2(path, ret, flags, NULL);
	if (opened)
		rc = bus_db_fail(*ret, schema->what, "cannot open", err);
	else if (schema->foreign)
		distrust(*ret);
	free(real);
	return rc;
}

/* Is this one of the statements that make our tables? */
static bool is_ours(const struct bus_db_schema *schema, const char *sql)
{
	const char *at = sql ? strstr(schema->sql, sql) : NULL;

	return at && (at == schema->sql || at[-1] == ';') && at[strlen(sql)] == ';';
}

/*
 * Tables of the same names may have columns that are computed: without end, in one step
 * of SQLite, at which no deadline is looked.
 */
static enum bus_code check_foreign(sqlite3 *db, const struct bus_db_schema *schema,
				   struct bus_err *err)
{
	sqlite3_stmt *stmt = NULL;
	bool ours = true;
	int step;

	if (sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema", -1, &stmt, NULL))
		return bus_db_fail(db, schema->what, "cannot read", err);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW && ours)
		ours = is_ours(schema, (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	if (!ours)
		return bus_fail(err, BUS_E_CONFIG,
				"%s: %s has tables that are not ours; keep the file for "
				"inspection, and let a new one be made",
				schema->what, sqlite3_db_filename(db, "main"));
	return step == SQLITE_DONE ? BUS_OK : bus_db_fail(db, schema->what, "cannot read", err);
}

static bool is_empty(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size == 0;
}

enum bus_code bus_db_open(sqlite3 **ret, const char *path, const struct bus_db_schema *schema,
			  bool create, int wait_ms, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	sqlite3 *db = NULL;

	if (access(path, F_OK) != 0) {
		if (!create)
			return bus_fail(err, errno == ENOENT ? BUS_E_NO : BUS_E_CONFIG,
					"%s: %s: %s", schema->what, path, strerror(errno));
		rc = make_file(path, schema->what, err);
		if (rc)
			return rc;
	}
	rc = open_file(&db, path, schema, err);
	if (rc)
		goto out;
	sqlite3_busy_timeout(db, wait_ms);
	/* counts for a file that is still empty only, and would be written into any other */
	if (schema->shrinks && is_empty(path))
		sqlite3_exec(db, "PRAGMA auto_vacuum = INCREMENTAL", NULL, NULL, NULL);
	if (use_wal(db, wait_ms) ||
	    sqlite3_exec(db, "PRAGMA synchronous = FULL", NULL, NULL, NULL)) {
		rc = bus_db_fail(db, schema->what, "cannot open", err);
		goto out;
	}
	rc = check_tables(db, schema, err);
	if (!rc && schema->foreign)
		rc = check_foreign(db, schema, err);
out:
	if (rc)
		sqlite3_close(db);
	else
		*ret = db;
	return rc;
}

enum bus_code bus_db_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *what, const char *sql,
			     struct bus_err *err)
{
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL))
		return bus_db_fail(db, what, "cannot use", err);
	return BUS_OK;
}

const char *bus_db_library(void)
{
	return sqlite3_libversion();
}
