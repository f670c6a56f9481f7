#include "config.h"

#include "adapters/alioth/git_input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char format[] = "git 1";

bool git_id_valid(const char *id, size_t len)
{
	return (len == 40 || len == GIT_ID_MAX) && strspn(id, "0123456789abcdef") >= len;
}

bool git_id_is_zero(const char *id)
{
	return id[strspn(id, "0")] == '\0';
}

/* What git itself refuses in a name (git-check-ref-format(1)) did not come from git. */
static bool ref_valid(struct slice ref)
{
	size_t i;

	if (ref.len < 6 || ref.len > GIT_REF_MAX || memcmp(ref.p, "refs/", 5) != 0 ||
	    ref.p[ref.len - 1] == '/' || ref.p[ref.len - 1] == '.')
		return false;
	for (i = 0; i < ref.len; i++) {
		const char c = ref.p[i];

		if ((unsigned char)c <= 0x20 || strchr("\x7f~^:?*[\\", c) ||
		    (i && ref.p[i - 1] == c && (c == '.' || c == '/')) ||
		    (i && ref.p[i - 1] == '@' && c == '{'))
			return false;
	}
	return true;
}

bool git_line_parse(struct git_line *ret, struct slice line, const char **why)
{
	const char *space = line.len ? memchr(line.p, ' ', line.len) : NULL;
	const size_t n = space ? (size_t)(space - line.p) : 0;

	*why = "it does not begin with two object ids of 40 or 64 hex digits";
	if ((n != 40 && n != GIT_ID_MAX) || line.len < 2 * n + 3 || line.p[2 * n + 1] != ' ' ||
	    !git_id_valid(line.p, n) || !git_id_valid(line.p + n + 1, n))
		return false;
	memcpy(ret->old_id, line.p, n);
	memcpy(ret->new_id, line.p + n + 1, n);
	ret->old_id[n] = ret->new_id[n] = '\0';
	ret->ref.p = line.p + 2 * n + 2;
	ret->ref.len = line.len - 2 * n - 2;
	*why = "its ref is not one that git allows";
	if (!ref_valid(ret->ref))
		return false;
	*why = "both of its object ids are zero";
	return !git_id_is_zero(ret->old_id) || !git_id_is_zero(ret->new_id);
}

enum change_kind git_kind_of(const struct git_line *line)
{
	const bool created = git_id_is_zero(line->old_id), deleted = git_id_is_zero(line->new_id);

	if (slice_begins(line->ref, "refs/heads/"))
		return created	 ? CHANGE_BRANCH_CREATE
		       : deleted ? CHANGE_BRANCH_DELETE
				 : CHANGE_BRANCH_PUSH;
	if (slice_begins(line->ref, "refs/tags/"))
		return created ? CHANGE_TAG_CREATE : deleted ? CHANGE_TAG_DELETE : CHANGE_TAG_MOVE;
	return CHANGE_REF_PUSH;
}

void git_input_write(struct bus_buf *out, const struct git_input *input)
{
	bus_buf_add(out, format, sizeof(format));
	bus_buf_printf(out, "%" PRId64 "%c%zu%c%d%c", input->time_us, 0, input->done, 0,
		       input->has_others, 0);
	bus_buf_add(out, input->repository, strlen(input->repository) + 1);
	bus_buf_add(out, input->pusher, strlen(input->pusher) + 1);
	bus_buf_add(out, input->lines.p, input->lines.len);
	bus_buf_add(out, "", 1);
	bus_buf_add(out, input->others.p, input->others.len);
	bus_buf_add(out, "", 1);
}

bool git_input_read(struct git_input *ret, const char *bytes, size_t len)
{
	enum { FORMAT, TIME, DONE, HAS_OTHERS, REPOSITORY, PUSHER, LINES, OTHERS, COUNT };
	struct slice field[COUNT];
	size_t i;

	for (i = 0; i < COUNT; i++) {
		const char *nul = len ? memchr(bytes, '\0', len) : NULL;

		if (!nul)
			return false;
		field[i].p = bytes;
		field[i].len = (size_t)(nul - bytes);
		bytes += field[i].len + 1;
		len -= field[i].len + 1;
	}
	if (len || strcmp(field[FORMAT].p, format) != 0 || field[REPOSITORY].p[0] != '/')
		return false;
	ret->time_us = strtoll(field[TIME].p, NULL, 10);
	ret->done = strtoul(field[DONE].p, NULL, 10);
	ret->has_others = field[HAS_OTHERS].p[0] == '1';
	ret->repository = field[REPOSITORY].p;
	ret->pusher = field[PUSHER].p;
	ret->lines = field[LINES];
	ret->others = field[OTHERS];
	return true;
}
