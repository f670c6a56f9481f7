#include "config.h"

#include "adapters/common/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/follow_mark.h"
#include "adapters/common/follow_rotated.h"
#include "adapters/common/say.h"

enum {
	READ_SIZE = 64 * 1024,
	BUFFER_SIZE = FOLLOW_LINE_MAX + READ_SIZE,
	LOOK_MAX = 4096 /* longer lines are not looked at again */
};

struct follow {
	char *path;
	bool skip_present; /* never read, and to begin after what is there */
	int fd;		   /* -1: no file yet */
	bool is_rotated;   /* fd is the rest of a file that has another name now */
	struct follow_position at;
	struct follow_position before; /* at the end of the file before this one */
	char *buffer; /* what is at `at` begins at `begin`, and `have` bytes are there */
	size_t begin, have;
	size_t scanned;	  /* of them: no LF is in these */
	uint64_t skipped; /* bytes of a line over the limit, behind what is in the buffer */
	size_t line_len;  /* of the line given last, its LF included: not yet passed */
	bool line_is_cut;
	bool line_is_half;
	size_t passed; /* bytes of the last line passed, its LF included; 0: not known */
	bool is_begun; /* it is known where to begin */
};

/* -- positions -- */

/* A file of which nothing is read yet is known only as the one that comes behind another. */
void follow_tell(const struct follow *follow, struct follow_position *ret)
{
	*ret = follow->at.offset || follow->line_len ? follow->at : follow->before;
	if (follow->line_len)
		follow_mark_pass(ret, follow->buffer + follow->begin,
				 follow->line_len - !follow->line_is_half,
				 follow->line_len + follow->skipped, follow->line_is_cut);
}

bool follow_is_begun(const struct follow *follow)
{
	return follow->is_begun;
}

void follow_position_write(struct bus_buf *out, const struct follow_position *position)
{
	const unsigned char *const hash[] = { position->first, position->line, position->mark };
	size_t i, j;

	bus_buf_printf(out, "1 %" PRIu64, position->offset);
	for (i = 0; i < 3; i++) {
		bus_buf_puts(out, " ");
		for (j = 0; j < sizeof(position->mark); j++)
			bus_buf_printf(out, "%02x", hash[i][j]);
	}
}

/* " " and 64 hex digits; returns what is behind them, NULL where it is not so. */
static const char *read_hash(unsigned char hash[32], const char *text)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	size_t i;

	if (!text || *text++ != ' ' || strspn(text, digits) != 64)
		return NULL;
	for (i = 0; i < 32; i++) {
		high = strchr(digits, *text++);
		low = strchr(digits, *text++);
		hash[i] = (unsigned char)((high - digits) << 4 | (low - digits));
	}
	return text;
}

static bool read_position(struct follow_position *ret, const char *text, size_t len)
{
	char *end = NULL;
	const char *rest;

	if (strlen(text) != len || strncmp(text, "1 ", 2) != 0)
		return false;
	ret->offset = strtoull(text + 2, &end, 10);
	rest = read_hash(ret->first, end);
	rest = read_hash(ret->line, rest);
	rest = read_hash(ret->mark, rest);
	return rest && !*rest;
}

/* -- which file, and where in it -- */

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

/* Finds our position again: in the file, or in one it was renamed to. */
static enum bus_code locate(struct follow *follow, struct bus_err *err)
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

/*
 * What is in the place of the file we have read to its end?  One that cannot be
 * looked at is another one: opening it will say why.
 */
enum place { PLACE_SAME, PLACE_TRUNCATED, PLACE_OTHER };

static enum place look_at_place(const struct follow *follow)
{
	struct stat now, ours;

	if (stat(follow->path, &now) != 0)
		return errno == ENOENT ? PLACE_SAME : PLACE_OTHER;
	if (fstat(follow->fd, &ours) != 0 || !S_ISREG(now.st_mode))
		return PLACE_OTHER;
	if (now.st_dev != ours.st_dev || now.st_ino != ours.st_ino)
		return now.st_size > 0 ? PLACE_OTHER : PLACE_SAME;
	return (uint64_t)now.st_size < follow->at.offset + follow->have + follow->skipped
		       ? PLACE_TRUNCATED
		       : PLACE_SAME;
}

/* What was read behind the last line is not in the file any more. */
static void drop_file(struct follow *follow)
{
	use_file(follow, -1, false);
}

/* The file at hand is read to its end, and another one is there. */
static enum bus_code next_file(struct follow *follow, struct bus_err *err)
{
	bool is_rotated = false;
	enum bus_code rc;
	int fd = -1;

	if (!follow->is_rotated) {
		drop_file(follow);
		return locate(follow, err);
	}
	rc = follow_rotated_next(&fd, &is_rotated, follow->path, follow->fd, err);
	if (rc)
		return rc;
	use_from_start(follow, fd);
	follow->is_rotated = is_rotated;
	return BUS_OK;
}

/* -- lines -- */

/*
 * Is the last line still where it was?  A file that was truncated may be longer
 * again than before, so that its size says nothing.
 */
static bool is_still_there(const struct follow *follow)
{
	char line[LOOK_MAX];

	if (!follow->passed || follow->passed > sizeof(line))
		return true;
	return pread(follow->fd, line, follow->passed,
		     (off_t)(follow->at.offset - follow->passed)) == (ssize_t)follow->passed &&
	       follow_mark_is_line(&follow->at, line, follow->passed - 1);
}

/* BUS_E_NO: nothing more is there. */
static enum bus_code fill(struct follow *follow, struct bus_err *err)
{
	const uint64_t offset = follow->at.offset + follow->have + follow->skipped;
	ssize_t n;

	memmove(follow->buffer, follow->buffer + follow->begin, follow->have);
	follow->begin = 0;
	n = pread(follow->fd, follow->buffer + follow->have, BUFFER_SIZE - follow->have,
		  (off_t)offset);
	if (n < 0)
		return bus_fail(err, BUS_E_TEMP, "%s: %s", follow->path, strerror(errno));
	if (n > 0 && !is_still_there(follow)) {
		drop_file(follow);
		return locate(follow, err);
	}
	follow->have += (size_t)n;
	return n ? BUS_OK : BUS_E_NO;
}

/* At the end of the file: BUS_OK if there is more to read after all. */
static enum bus_code at_end(struct follow *follow, bool *ret_is_last, struct bus_err *err)
{
	const enum place place = look_at_place(follow);
	enum bus_code rc;

	if (place == PLACE_SAME)
		return BUS_E_NO;
	if (place == PLACE_TRUNCATED)
		return next_file(follow, err);
	rc = fill(follow, err); /* once more, for what came before it was replaced */
	if (rc != BUS_E_NO || follow->fd < 0)
		return rc;
	/* nobody will complete what is left of it */
	*ret_is_last = follow->have > 0;
	return *ret_is_last ? BUS_OK : next_file(follow, err);
}

/* The line given last is done with. */
static void pass_line(struct follow *follow)
{
	const size_t len = follow->line_len;

	if (!len)
		return;
	follow_tell(follow, &follow->at);
	follow->passed = follow->line_is_cut || follow->line_is_half ? 0 : len;
	follow->begin += len < follow->have ? len : follow->have;
	follow->have -= len < follow->have ? len : follow->have;
	follow->scanned = 0;
	follow->skipped = 0;
	follow->line_len = 0;
	follow->line_is_cut = false;
}

static void give_line(struct follow *follow, size_t len, bool is_half, struct follow_line *ret)
{
	const size_t shown = len < FOLLOW_LINE_MAX ? len : FOLLOW_LINE_MAX;
	char *line = follow->buffer + follow->begin;

	follow->line_len = len + !is_half;
	follow->line_is_half = is_half;
	follow->line_is_cut = follow->skipped > 0 || len > FOLLOW_LINE_MAX;
	line[shown] = '\0';
	ret->p = line;
	ret->len = shown;
	ret->offset = follow->at.offset;
	ret->is_cut = follow->line_is_cut;
	ret->is_half = is_half;
}

/* Makes room in the middle of a line that is too long: its end is what counts. */
static void skip_excess(struct follow *follow)
{
	if (follow->have < BUFFER_SIZE)
		return; /* fill() has room then */
	follow->skipped += follow->have - FOLLOW_LINE_MAX;
	follow->have = FOLLOW_LINE_MAX;
	follow->scanned = FOLLOW_LINE_MAX;
}

/* Nothing more is there now.  What is left will be read again, when it may be something else. */
static enum bus_code wait_at_end(struct follow *follow)
{
	if (!follow->skipped) {
		follow->have = 0;
		follow->scanned = 0;
	}
	return BUS_E_NO;
}

enum bus_code follow_next(struct follow *follow, struct follow_line *ret, struct bus_err *err)
{
	bool is_last = false;
	enum bus_code rc;
	char *begin, *end;

	pass_line(follow);
	for (;;) {
		rc = follow->fd < 0 ? locate(follow, err) : BUS_OK;
		if (rc)
			return rc;
		begin = follow->buffer + follow->begin;
		end = memchr(begin + follow->scanned, '\n', follow->have - follow->scanned);
		if (end || is_last) {
			give_line(follow, end ? (size_t)(end - begin) : follow->have, !end, ret);
			return BUS_OK;
		}
		follow->scanned = follow->have;
		skip_excess(follow);
		rc = fill(follow, err);
		if (rc == BUS_E_NO && follow->fd >= 0)
			rc = at_end(follow, &is_last, err);
		if (rc)
			return rc == BUS_E_NO ? wait_at_end(follow) : rc;
	}
}

/* -- life -- */

enum bus_code follow_open(struct follow **ret, const char *path, const char *position, size_t len,
			  bool from_start, struct bus_err *err)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	enum bus_code rc = BUS_OK;

	if (!follow)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
	follow->fd = -1;
	follow->path = strdup(path);
	follow->buffer = malloc(BUFFER_SIZE + 1);
	if (!follow->path || !follow->buffer)
		rc = bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
	else if (position && !read_position(&follow->at, position, len))
		rc = bus_fail(err, BUS_E_DATA, "%s: the stored position is not one of this version",
			      path);
	follow->skip_present = !position && !from_start;
	follow->is_begun = position || from_start;
	if (!rc)
		rc = locate(follow, err);
	if (rc && rc != BUS_E_NO) {
		follow_close(follow);
		return rc;
	}
	*ret = follow;
	return BUS_OK;
}

void follow_close(struct follow *follow)
{
	if (!follow)
		return;
	if (follow->fd >= 0)
		close(follow->fd);
	free(follow->path);
	free(follow->buffer);
	free(follow);
}
