#include "config.h"

#include "adapters/common/follow_mark.h"

#include <stdlib.h>
#include <string.h>
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

static size_t read_at(int fd, char *out, size_t len, uint64_t offset)
{
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = pread(fd, out + have, len - have, (off_t)(offset + have));
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have;
}

/*
 * The line that ends with the LF at bytes[end], the first byte being the
 * file's offset `base`: its hash, and in *ret_begin where it begins; false for
 * one that is too long.
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

/* line and mark of the position with this offset. */
static bool marks_before(int fd, uint64_t offset, struct follow_position *ret)
{
	const size_t len = offset < WINDOW ? (size_t)offset : WINDOW;
	const uint64_t base = offset - len;
	unsigned char before[HASH] = { 0 };
	char *bytes = malloc(len + 1);
	bool found = false;
	size_t begin;

	if (bytes && len && read_at(fd, bytes, len, base) == len && bytes[len - 1] == '\n') {
		if (line_before(bytes, len - 1, base, &begin, ret->line) && begin)
			line_before(bytes, begin - 1, base, &begin, before);
		mark_of(ret->mark, before, ret->line);
		ret->offset = offset;
		found = true;
	}
	free(bytes);
	return found;
}

bool follow_mark_is_at(int fd, const struct follow_position *position)
{
	struct follow_position there;

	return marks_before(fd, position->offset, &there) &&
	       memcmp(there.mark, position->mark, HASH) == 0;
}

/* Calls each() with the position behind every complete line, until it says so. */
static bool walk(int fd, struct follow_position *at,
		 bool (*each)(void *arg, const struct follow_position *at), void *arg)
{
	const size_t size = FOLLOW_LINE_MAX + CHUNK;
	char *buffer = malloc(size), *end;
	size_t have = 0, used, n;
	uint64_t skipped = 0;
	bool stop = false;

	memset(at, 0, sizeof(*at));
	while (buffer && !stop) {
		n = read_at(fd, buffer + have, size - have, at->offset + skipped + have);
		if (!n)
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
	return stop;
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

bool follow_mark_find(int fd, const struct follow_position *position, struct follow_position *ret)
{
	struct search search = { .wanted = position };
	struct follow_position at;

	walk(fd, &at, compare_mark, &search);
	if (search.is_found)
		*ret = search.found;
	return search.is_found;
}

static bool is_enough(void *arg, const struct follow_position *at)
{
	(void)arg;
	(void)at;
	return true;
}

bool follow_mark_has_first(int fd, const struct follow_position *position)
{
	static const unsigned char none[HASH];
	struct follow_position at;

	return memcmp(position->first, none, HASH) != 0 && walk(fd, &at, is_enough, NULL) &&
	       memcmp(at.first, position->first, HASH) == 0;
}

static bool is_behind(void *arg, const struct follow_position *at)
{
	const uint64_t *offset = arg;

	return at->offset >= *offset;
}

void follow_mark_clip(int fd, struct follow_position *position)
{
	uint64_t offset = position->offset;

	walk(fd, position, is_behind, &offset);
}

static bool never(void *arg, const struct follow_position *at)
{
	(void)arg;
	(void)at;
	return false;
}

void follow_mark_at_end(int fd, struct follow_position *ret)
{
	walk(fd, ret, never, NULL);
}
