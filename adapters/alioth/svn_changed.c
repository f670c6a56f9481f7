#include "config.h"

#include "adapters/alioth/svn_changed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARENTS_MAX = 1024 * 1024 };

void svn_refs_init(struct svn_refs *refs)
{
	memset(refs, 0, sizeof(*refs));
	refs->parents.max = PARENTS_MAX;
}

void svn_refs_finish(struct svn_refs *refs)
{
	size_t i;

	for (i = 0; i < refs->count; i++) {
		free(refs->ref[i].path);
		free(refs->ref[i].copied_from);
	}
	free(refs->ref);
	bus_buf_finish(&refs->parents);
	svn_refs_init(refs);
}

bool svn_ref_of(struct slice path, struct slice *ret, bool *ret_is_tag)
{
	const char *end = path.p + path.len;
	struct slice rest = path, part;

	/* what has no slash after it is a file, which is no branch */
	while (slice_until(&rest, '/', &part) && part.p + part.len < end) {
		*ret_is_tag = slice_is(part, "tags");
		if (*ret_is_tag || slice_is(part, "branches")) {
			if (!slice_until(&rest, '/', &part) || part.p + part.len == end)
				return false;
		} else if (!slice_is(part, "trunk")) {
			continue;
		}
		ret->p = path.p;
		ret->len = (size_t)(part.p + part.len - path.p);
		return true;
	}
	return false;
}

static enum bus_code add_ref(struct svn_refs *refs, struct slice path, bool is_tag,
			     struct bus_err *err)
{
	const size_t cap = refs->cap ? refs->cap * 2 : 8;
	struct svn_ref *grown;

	if (refs->count == refs->cap) {
		grown = reallocarray(refs->ref, cap, sizeof(*grown));
		if (!grown)
			return bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
		refs->ref = grown;
		refs->cap = cap;
	}
	refs->ref[refs->count] = (struct svn_ref){ .path = strndup(path.p, path.len),
						   .is_tag = is_tag,
						   .state = 'U' };
	if (!refs->ref[refs->count].path)
		return bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
	refs->count++;
	return BUS_OK;
}

/* They come in the order of the tree, so it is nearly always the last one. */
static struct svn_ref *find_ref(const struct svn_refs *refs, struct slice path)
{
	size_t i;

	for (i = refs->count; i; i--)
		if (slice_is(path, refs->ref[i - 1].path))
			return &refs->ref[i - 1];
	return NULL;
}

/* "    (from trunk/:r4)", about the line before */
static enum bus_code note_copy(struct svn_refs *refs, struct slice line, struct bus_err *err)
{
	static const char from[] = "    (from ";
	struct svn_ref *ref = refs->last_is_ref ? &refs->ref[refs->count - 1] : NULL;
	const char *colon = memrchr(line.p, ':', line.len);
	const char *path = line.p + sizeof(from) - 1, *end = line.p + line.len - 1;
	uint64_t revision;
	size_t len;

	if (!colon || colon < path || *end != ')' || end - colon < 3 || colon[1] != 'r' ||
	    !slice_number((struct slice){ colon + 2, (size_t)(end - colon) - 2 }, INT32_MAX,
			  &revision))
		return bus_fail(err, BUS_E_DATA, "svnlook changed: a copy from nowhere");
	len = (size_t)(colon - path);
	if (len && path[len - 1] == '/')
		len--;
	if (ref && !ref->copied_from &&
	    asprintf(&ref->copied_from, "%.*s@%u", (int)len, path, (unsigned int)revision) < 0) {
		ref->copied_from = NULL;
		return bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
	}
	return BUS_OK;
}

/*
 * Directories that are added for the branches in them, such as branches/ or a
 * project's, are no change of their own where such branches follow.
 */
static void note_outside(struct svn_refs *refs, struct slice path, bool is_plain_add)
{
	if (is_plain_add && path.p[path.len - 1] == '/' &&
	    refs->parents.len + path.len < PARENTS_MAX) {
		bus_buf_add(&refs->parents, path.p, path.len);
		bus_buf_add(&refs->parents, "", 1);
	} else {
		refs->has_outside = true;
	}
}

enum bus_code svn_refs_line(struct svn_refs *refs, struct slice line, struct bus_err *err)
{
	struct slice path = { line.p + 4, line.len - 4 }, name;
	struct svn_ref *ref;
	bool is_tag, itself;
	enum bus_code rc;

	if (slice_begins(line, "    (from "))
		return note_copy(refs, line, err);
	refs->last_is_ref = false;
	if (line.len < 5 || !strchr("ADU_", line.p[0]) || !strchr("U ", line.p[1]) ||
	    !strchr("+ ", line.p[2]) || line.p[3] != ' ')
		return bus_fail(err, BUS_E_DATA, "svnlook changed: a line that is not its own");
	if (!svn_ref_of(path, &name, &is_tag)) {
		note_outside(refs, path, line.p[0] == 'A' && line.p[2] == ' ');
		return BUS_OK;
	}
	itself = path.len == name.len + 1;
	ref = find_ref(refs, name);
	if (!ref && refs->count == SVN_REFS_MAX) {
		refs->has_outside = true;
		return BUS_OK;
	}
	if (!ref) {
		rc = add_ref(refs, name, is_tag, err);
		if (rc)
			return rc;
		ref = &refs->ref[refs->count - 1];
	}
	if (itself && (line.p[0] == 'A' || line.p[0] == 'D'))
		ref->state = line.p[0];
	refs->last_is_ref = itself && ref == &refs->ref[refs->count - 1];
	return BUS_OK;
}

static bool is_container(const char *directory)
{
	static const char *const name[] = { "branches/", "tags/" };
	const size_t len = strlen(directory);
	size_t i, n;

	for (i = 0; i < 2; i++) {
		n = strlen(name[i]);
		if (len >= n && strcmp(directory + len - n, name[i]) == 0 &&
		    (len == n || directory[len - n - 1] == '/'))
			return true;
	}
	return false;
}

static bool has_ref_below(const struct svn_refs *refs, const char *directory)
{
	size_t i;

	for (i = 0; i < refs->count; i++)
		if (strncmp(refs->ref[i].path, directory, strlen(directory)) == 0)
			return true;
	return false;
}

enum bus_code svn_refs_end(struct svn_refs *refs, struct bus_err *err)
{
	size_t i;

	for (i = 0; i < refs->parents.len && !refs->has_outside;
	     i += strlen(refs->parents.p + i) + 1)
		refs->has_outside = !is_container(refs->parents.p + i) &&
				    !has_ref_below(refs, refs->parents.p + i);
	if (refs->count && !refs->has_outside)
		return BUS_OK;
	return add_ref(refs, slice_of(SVN_ROOT), false, err);
}
