#include "config.h"

#include "outbox_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "timestamp.h"

enum { STEPS = 10000 }; /* of SQLite, between two looks at the clock */

static int is_late(void *arg)
{
	const int64_t *until = arg;

	return bus_time_mono() > *until;
}

enum bus_code bus_outbox_intact(struct bus_outbox *box, int limit_ms, struct bus_err *err)
{
	int64_t until = bus_time_mono() + (int64_t)limit_ms * 1000;
	sqlite3_stmt *stmt = NULL;
	enum bus_code rc = BUS_OK;
	const char *said;

	sqlite3_progress_handler(box->db, STEPS, is_late, &until);
	if (sqlite3_prepare_v2(box->db, "PRAGMA quick_check(1)", -1, &stmt, NULL)) {
		rc = bus_outbox_fail(box, "cannot check", err);
		goto out;
	}
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		said = (const char *)sqlite3_column_text(stmt, 0);
		if (!said || strcmp(said, "ok") != 0)
			rc = bus_fail(err, BUS_E_DATA, "outbox: %s/outbox.db is damaged: %s",
				      box->directory, said ? said : "no answer");
		break;
	case SQLITE_INTERRUPT:
		rc = bus_fail(err, BUS_E_TEMP, "outbox: not checked to the end within %d ms",
			      limit_ms);
		break;
	default:
		rc = bus_outbox_fail(box, "cannot check", err);
	}
out:
	sqlite3_finalize(stmt);
	sqlite3_progress_handler(box->db, 0, NULL, NULL);
	return rc;
}

enum bus_code bus_outbox_relay(const struct bus_outbox *box, long *ret_pid, struct bus_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	enum bus_code rc = BUS_OK;
	char *path;
	int fd;

	if (asprintf(&path, "%s/relay.lock", box->directory) < 0)
		return bus_outbox_nomem(err);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		*ret_pid = 0;
	else if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0)
		rc = bus_fail(err, BUS_E_CONFIG, "outbox: %s: %s", path, strerror(errno));
	else
		*ret_pid = lock.l_type == F_UNLCK ? 0 : lock.l_pid > 0 ? (long)lock.l_pid : -1;
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

uint64_t bus_outbox_wal_size(const struct bus_outbox *box)
{
	uint64_t size = 0;
	struct stat st;
	char *path;

	if (asprintf(&path, "%s/outbox.db-wal", box->directory) < 0)
		return 0;
	if (stat(path, &st) == 0)
		size = (uint64_t)st.st_size;
	free(path);
	return size;
}
