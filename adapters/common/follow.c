#include "config.h"

#include "adapters/common/follow_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adapters/common/follow_mark.h"

enum {
	READ_SIZE = 64 * 1024,
	BUFFER_SIZE = FOLLOW_LINE_MAX + READ_SIZE,
	LOOK_MAX = 4096 /* longer lines are not looked at again */
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

/* -- lines -- */

/*
 * Is what was read last still where it was?  A file that was truncated may be
 * longer again than before, so that its size says nothing.
 */
static bool is_still_there(const struct follow *follow)
{
	char line[LOOK_MAX];

	if (!follow->at.offset)
		return true;
	if (!follow->passed || follow->passed > sizeof(line)) /* read by the run before this one */
		return follow_mark_is_at(follow->fd, &follow->at, NULL) != BUS_E_NO;
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
		follow_drop_file(follow);
		return follow_locate(follow, err);
	}
	follow->have += (size_t)n;
	return n ? BUS_OK : BUS_E_NO;
}

/* At the end of the file: BUS_OK if there is more to read after all. */
static enum bus_code at_end(struct follow *follow, bool *ret_is_last, struct bus_err *err)
{
	const enum follow_place place = follow_look(follow);
	enum bus_code rc;

	if (place == FOLLOW_SAME)
		return BUS_E_NO;
	if (place == FOLLOW_TRUNCATED)
		return follow_next_file(follow, err);
	rc = fill(follow, err); /* once more, for what came before it was replaced */
	if (rc != BUS_E_NO || follow->fd < 0)
		return rc;
	/* nobody will complete what is left of it */
	*ret_is_last = follow->have > 0;
	return *ret_is_last ? BUS_OK : follow_next_file(follow, err);
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
		rc = follow->fd < 0 ? follow_locate(follow, err) : BUS_OK;
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
		rc = follow_locate(follow, err);
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
