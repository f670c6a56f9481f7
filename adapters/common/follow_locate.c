#include "config.h"

#include "adapters/common/follow_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/follow_mark.h"
#include "adapters/common/follow_rotated.h"
#include "adapters/common/say.h"

static void use_file(struct follow *follow, int fd, bool is_rotated)
{
	if (follow->fd >= 0)
		close(follow->fd);
	follow->fd = fd;
	follow->is_rotated = is_rotated;
	follow->begin = 0;
	follow->have = 0;
	follow->scanned = 0;
	follow->skipped = 0;
	follow->passed = 0;
}

static void use_from_start(struct follow *follow, int fd)
{
	use_file(follow, fd, false);
	if (follow->at.offset)
		follow->before = follow->at;
	memset(&follow->at, 0, sizeof(follow->at));
}

/* The file was edited: its last lines are gone, its first is the same. */
static enum bus_code use_clipped(struct follow *follow, int fd, struct bus_err *err)
{
	struct follow_position at = follow->at;
	enum bus_code rc = follow_mark_clip(fd, &at, err);

	if (rc)
		return rc;
	say(LOG_WARNING,
	    "%s: the last lines that were read are gone from it; going on behind byte %" PRIu64,
	    follow->path, at.offset);
	follow->at = at;
	use_file(follow, fd, false);
	return BUS_OK;
}

static enum bus_code use_rotated(struct follow *follow, struct bus_err *err)
{
	int fd = -1;
	enum bus_code rc = follow_rotated_find(&fd, follow->path, &follow->at, err);

	if (!rc)
		use_file(follow, fd, true);
	return rc;
}

/* Our position is in another file: where this one was renamed to, or a copy made for an edit. */
static enum bus_code use_rotated_or_edited(struct follow *follow, int fd, struct bus_err *err)
{
	int rotated = -1;
	enum bus_code rc = follow_rotated_find(&rotated, follow->path, &follow->at, err);

	if (rc)
		return rc;
	rc = follow_mark_is_copy(fd, rotated, follow->at.offset, err);
	if (rc == BUS_E_NO) {
		use_file(follow, rotated, true);
		close(fd);
		return BUS_OK;
	}
	close(rotated);
	return rc ? rc : use_clipped(follow, fd, err);
}

/*
 * Our position is not there in the file any more: has it been edited, or is it
 * another one?  fd is taken over on BUS_OK.
 */
static enum bus_code use_changed(struct follow *follow, int fd, struct bus_err *err)
{
	struct follow_position found;
	enum bus_code rc;

	rc = follow_mark_find(fd, &follow->at, &found, err);
	if (!rc) {
		follow->at = found;
		use_file(follow, fd, false);
	}
	if (rc == BUS_E_NO) {
		rc = use_rotated_or_edited(follow, fd, err);
		if (rc != BUS_E_NO)
			return rc;
		rc = follow_mark_has_first(fd, &follow->at, err);
		if (!rc)
			return use_clipped(follow, fd, err);
	}
	if (rc != BUS_E_NO)
		return rc;
	say(LOG_NOTICE, "%s: begun anew; reading it from its start", follow->path);
	use_from_start(follow, fd);
	return BUS_OK;
}

/* The file is there.  fd is taken over on BUS_OK. */
static enum bus_code use_present(struct follow *follow, int fd, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	if (follow->skip_present)
		rc = follow_mark_at_end(fd, &follow->at, err);
	else if (follow->at.offset)
		rc = follow_mark_is_at(fd, &follow->at, err);
	if (rc == BUS_E_NO)
		return use_changed(follow, fd, err);
	if (rc)
		return rc;
	follow->skip_present = false;
	use_file(follow, fd, false);
	return BUS_OK;
}

/* Nothing is known of a file in a directory that is not there: it may be mounted later. */
static void await_file(struct follow *follow)
{
	const char *slash = strrchr(follow->path, '/');
	char *directory = slash ? strndup(follow->path, (size_t)(slash - follow->path) + 1) : NULL;

	follow->is_begun = !directory || access(directory, F_OK) == 0;
	if (follow->is_begun)
		follow->skip_present = false; /* what comes into being from now on is new */
	free(directory);
}

enum bus_code follow_locate(struct follow *follow, struct bus_err *err)
{
	int fd = -1;
	enum bus_code rc = follow_open_file(&fd, follow->path, err);

	if (!rc) {
		rc = use_present(follow, fd, err);
		if (rc)
			close(fd);
	} else if (rc == BUS_E_NO && follow->at.offset) {
		rc = use_rotated(follow, err);
	} else if (rc == BUS_E_NO && !follow->is_begun) {
		await_file(follow);
	}
	follow->is_begun = follow->is_begun || !rc;
	return rc;
}

/* What cannot be looked at is another one: opening it will say why. */
enum follow_place follow_look(const struct follow *follow)
{
	struct stat now, ours;

	if (stat(follow->path, &now) != 0)
		return errno == ENOENT ? FOLLOW_SAME : FOLLOW_OTHER;
	if (fstat(follow->fd, &ours) != 0 || !S_ISREG(now.st_mode))
		return FOLLOW_OTHER;
	if (now.st_dev != ours.st_dev || now.st_ino != ours.st_ino)
		return now.st_size > 0 ? FOLLOW_OTHER : FOLLOW_SAME;
	return (uint64_t)now.st_size < follow->at.offset + follow->have + follow->skipped
		       ? FOLLOW_TRUNCATED
		       : FOLLOW_SAME;
}

void follow_drop_file(struct follow *follow)
{
	use_file(follow, -1, false);
}

enum bus_code follow_next_file(struct follow *follow, struct bus_err *err)
{
	bool is_rotated = false;
	enum bus_code rc;
	int fd = -1;

	if (!follow->is_rotated) {
		follow_drop_file(follow);
		return follow_locate(follow, err);
	}
	rc = follow_rotated_next(&fd, &is_rotated, follow->path, follow->fd, err);
	if (rc)
		return rc;
	use_from_start(follow, fd);
	follow->is_rotated = is_rotated;
	return BUS_OK;
}
