#include "config.h"

#include "adapters/common/follow_mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "merkle.h"

enum {
	HASH = 32,
	WINDOW = 2 * (FOLLOW_LINE_MAX + 1) + 1, /* two lines, and the LF before them */
	CHUNK = 64 * 1024
};

static void hash_bytes(unsigned char ret[HASH], const void *bytes, size_t len)
{
	struct bus_hash hash;

	bus_sha256(&hash, bytes, len);
	memcpy(ret, hash.b, HASH);
}

static void mark_of(unsigned char ret[HASH], const unsigned char before[HASH],
		    const unsigned char line[HASH])
{
	unsigned char both[2 * HASH];

	memcpy(both, before, HASH);
	memcpy(both + HASH, line, HASH);
	hash_bytes(ret, both, sizeof(both));
}

bool follow_mark_is_line(const struct follow_position *position, const char *line, size_t len)
{
	unsigned char hash[HASH];

	hash_bytes(hash, line, len);
	return memcmp(hash, position->line, HASH) == 0;
}

void follow_mark_pass(struct follow_position *position, const char *line, size_t len, uint64_t size,
		      bool is_cut)
{
	unsigned char before[HASH];

	memcpy(before, position->line, HASH);
	if (is_cut) {
		memset(before, 0, HASH);
		memset(position->line, 0, HASH);
	} else {
		hash_bytes(position->line, line, len);
	}
	mark_of(position->mark, before, position->line);
	if (!position->offset)
		memcpy(position->first, position->line, HASH);
	position->offset += size;
}

static enum bus_code read_at(int fd, char *out, size_t len, uint64_t offset, size_t *ret_len,
			     struct bus_err *err)
{
	size_t have = 0;
	ssize_t n = 1;

	while (have < len && n > 0) {
		n = pread(fd, out + have, len - have, (off_t)(offset + have));
		if (n > 0)
			have += (size_t)n;
	}
	*ret_len = have;
	return n < 0 ? bus_fail(err, BUS_E_TEMP, "a followed file: %s", strerror(errno)) : BUS_OK;
}

static enum bus_code nomem(struct bus_err *err)
{
	return bus_fail(err, BUS_E_NOMEM, "a followed file: out of memory");
}

/*
 * The line that ends before bytes[end], the first byte being the file's offset
 * `base`: its hash, and in *ret_begin where it begins; false for one that is
 * too long.
 */
static bool line_before(const char *bytes, size_t end, uint64_t base, size_t *ret_begin,
			unsigned char hash[HASH])
{
	const char *lf = end ? memrchr(bytes, '\n', end) : NULL;
	const size_t begin = lf ? (size_t)(lf - bytes) + 1 : 0;

	memset(hash, 0, HASH);
	if (end - begin > FOLLOW_LINE_MAX || (!lf && base))
		return false;
	hash_bytes(hash, bytes + begin, end - begin);
	*ret_begin = begin;
	return true;
}

static bool is_size(int fd, uint64_t offset)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_size == offset;
}

/* line and mark of the position with this offset; BUS_E_NO where there can be none. */
static enum bus_code marks_before(int fd, uint64_t offset, struct follow_position *ret,
				  struct bus_err *err)
{
	const size_t len = offset < WINDOW ? (size_t)offset : WINDOW;
	const uint64_t base = offset - len;
	unsigned char before[HASH] = { 0 };
	char *bytes = malloc(len + 1);
	size_t begin, have = 0, end;
	enum bus_code rc;

	rc = bytes ? read_at(fd, bytes, len, base, &have, err) : nomem(err);
	/* a half line has no LF, and is the end of its file */
	if (!rc && (!len || have != len || (bytes[len - 1] != '\n' && !is_size(fd, offset))))
		rc = BUS_E_NO;
	if (!rc) {
		end = bytes[len - 1] == '\n' ? len - 1 : len;
		if (line_before(bytes, end, base, &begin, ret->line) && begin)
			line_before(bytes, begin - 1, base, &begin, before);
		mark_of(ret->mark, before, ret->line);
	}
	free(bytes);
	return rc;
}

enum bus_code follow_mark_is_at(int fd, const struct follow_position *position, struct bus_err *err)
{
	struct follow_position there;
	enum bus_code rc = marks_before(fd, position->offset, &there, err);

	if (rc)
		return rc;
	return memcmp(there.mark, position->mark, HASH) == 0 ? BUS_OK : BUS_E_NO;
}

/* Calls each() with the position behind every complete line, until it says so: BUS_OK. */
static enum bus_code walk(int fd, struct follow_position *at,
			  bool (*each)(void *arg, const struct follow_position *at), void *arg,
			  struct bus_err *err)
{
	const size_t size = FOLLOW_LINE_MAX + CHUNK;
	char *buffer = malloc(size), *end;
	size_t have = 0, used, n;
	uint64_t skipped = 0;
	bool stop = false;
	enum bus_code rc = BUS_OK;

	memset(at, 0, sizeof(*at));
	if (!buffer)
		return nomem(err);
	while (!rc && !stop) {
		rc = read_at(fd, buffer + have, size - have, at->offset + skipped + have, &n, err);
		if (!rc && !n)
			rc = BUS_E_NO;
		if (rc)
			break;
		have += n;
		for (used = 0; !stop && (end = memchr(buffer + used, '\n', have - used)) != NULL;) {
			n = (size_t)(end - buffer) - used;
			follow_mark_pass(at, buffer + used, n, n + 1 + skipped,
					 skipped || n > FOLLOW_LINE_MAX);
			used += n + 1;
			skipped = 0;
			stop = each(arg, at);
		}
		have -= used;
		memmove(buffer, buffer + used, have);
		if (have == size) {
			skipped += have - FOLLOW_LINE_MAX;
			have = FOLLOW_LINE_MAX;
		}
	}
	free(buffer);
	return rc;
}

struct search {
	const struct follow_position *wanted;
	struct follow_position found;
	bool is_found;
};

static bool compare_mark(void *arg, const struct follow_position *at)
{
	struct search *search = arg;

	if (memcmp(at->mark, search->wanted->mark, HASH) == 0) {
		search->found = *at;
		search->is_found = true;
	}
	return false;
}

enum bus_code follow_mark_find(int fd, const struct follow_position *position,
			       struct follow_position *ret, struct bus_err *err)
{
	struct search search = { .wanted = position };
	struct follow_position at;
	enum bus_code rc = walk(fd, &at, compare_mark, &search, err);

	if (rc == BUS_E_NO && search.is_found) {
		*ret = search.found;
		return BUS_OK;
	}
	return rc;
}

static bool is_enough(void *arg, const struct follow_position *at)
{
	(void)arg;
	(void)at;
	return true;
}

enum bus_code follow_mark_has_first(int fd, const struct follow_position *position,
				    struct bus_err *err)
{
	static const unsigned char none[HASH];
	struct follow_position at;
	enum bus_code rc;

	if (memcmp(position->first, none, HASH) == 0)
		return BUS_E_NO;
	rc = walk(fd, &at, is_enough, NULL, err);
	return !rc && memcmp(at.first, position->first, HASH) != 0 ? BUS_E_NO : rc;
}

enum bus_code follow_mark_is_copy(int fd, int other, uint64_t offset, struct bus_err *err)
{
	const size_t size = offset < CHUNK ? (size_t)offset : CHUNK;
	char *bytes = malloc(2 * size + 1);
	size_t have = 0, other_have = 0, same = 0;
	enum bus_code rc;

	if (!bytes)
		return nomem(err);
	rc = read_at(fd, bytes, size, 0, &have, err);
	if (!rc)
		rc = read_at(other, bytes + size, size, 0, &other_have, err);
	while (!rc && same < have && same < other_have && bytes[same] == bytes[size + same])
		same++;
	free(bytes);
	return rc ? rc : 2 * same > size ? BUS_OK : BUS_E_NO;
}

static bool is_behind(void *arg, const struct follow_position *at)
{
	const uint64_t *offset = arg;

	return at->offset >= *offset;
}

/* To walk to the end is what is wanted here. */
static enum bus_code walk_to(int fd, uint64_t offset, struct follow_position *ret,
			     struct bus_err *err)
{
	struct follow_position at;
	enum bus_code rc = walk(fd, &at, is_behind, &offset, err);

	if (rc && rc != BUS_E_NO)
		return rc;
	*ret = at;
	return BUS_OK;
}

enum bus_code follow_mark_clip(int fd, struct follow_position *position, struct bus_err *err)
{
	return walk_to(fd, position->offset, position, err);
}

enum bus_code follow_mark_at_end(int fd, struct follow_position *ret, struct bus_err *err)
{
	return walk_to(fd, UINT64_MAX, ret, err);
}
