#include "config.h"

#include "adapters/alioth/hg_repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/alioth/tool.h"

enum { COMMITS_MAX = 8 * 1024 * 1024 /* bytes hg says of CHANGE_NEWEST changesets */ };

/* No configuration of anybody, and nothing of Python's that a user could put there. */
static const char *const environment[] = {
	"HGPLAIN=1", "HGRCPATH=", "HGRCSKIPREPO=1", "HGENCODING=UTF-8", "PYTHONNOUSERSITE=1", NULL,
};

/*
 * --cwd, and not -R, because -R would expand $ and ~ in a path.  A changeset
 * that was made obsolete since is still what was pushed.
 */
#define HG_LOG "/usr/bin/hg", "--cwd", path, "-R", ".", "log", "--hidden"

bool hg_id_valid(const char *id)
{
	return strlen(id) == HG_ID_LEN && strspn(id, "0123456789abcdef") == HG_ID_LEN;
}

void hg_branches_finish(struct hg_branches *branches)
{
	size_t i;

	for (i = 0; i < branches->count; i++)
		free(branches->branch[i].name);
	free(branches->branch);
	memset(branches, 0, sizeof(*branches));
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) % 16 : -1;
}

/* The caller frees it; NULL: out of memory. */
static char *percent_decode(struct slice text)
{
	char *out = malloc(text.len + 1), *p = out;
	size_t i;

	if (!out)
		return NULL;
	for (i = 0; i < text.len; i++) {
		const int high = i + 2 < text.len ? hex_digit(text.p[i + 1]) : -1;
		const int low = i + 2 < text.len ? hex_digit(text.p[i + 2]) : -1;

		if (text.p[i] == '%' && high >= 0 && low >= 0) {
			*p++ = (char)(high * 16 + low);
			i += 2;
		} else {
			*p++ = text.p[i];
		}
	}
	*p = '\0';
	return out;
}

static struct hg_branch *find_branch(const struct hg_branches *branches, const char *name)
{
	size_t i;

	for (i = branches->count; i; i--)
		if (strcmp(branches->branch[i - 1].name, name) == 0)
			return &branches->branch[i - 1];
	return NULL;
}

/* name is taken over. */
static enum bus_code get_branch(struct hg_branches *branches, char *name, struct hg_branch **ret,
				struct bus_err *err)
{
	const size_t cap = branches->cap ? branches->cap * 2 : 4;
	struct hg_branch *grown;

	*ret = find_branch(branches, name);
	if (*ret) {
		free(name);
		return BUS_OK;
	}
	if (branches->count == HG_BRANCHES_MAX) {
		free(name);
		return bus_fail(err, BUS_E_DATA, "hg: more than %d branches in one push",
				HG_BRANCHES_MAX);
	}
	if (branches->count == branches->cap) {
		grown = reallocarray(branches->branch, cap, sizeof(*grown));
		if (!grown) {
			free(name);
			return bus_fail(err, BUS_E_NOMEM, "hg: out of memory");
		}
		branches->branch = grown;
		branches->cap = cap;
	}
	*ret = &branches->branch[branches->count++];
	memset(*ret, 0, sizeof(**ret));
	(*ret)->name = name;
	return BUS_OK;
}

enum bus_code hg_branches_line(struct hg_branches *branches, struct slice line, struct bus_err *err)
{
	struct slice rest = line, node = { "", 0 }, closed = { "", 0 };
	char id[HG_ID_LEN + 1], *name;
	struct hg_branch *branch;
	enum bus_code rc;

	slice_until(&rest, ' ', &node);
	slice_until(&rest, ' ', &closed);
	snprintf(id, sizeof(id), "%.*s", (int)(node.len < HG_ID_LEN ? node.len : HG_ID_LEN),
		 node.p);
	if (node.len != HG_ID_LEN || !hg_id_valid(id) || !rest.len)
		return bus_fail(err, BUS_E_DATA, "hg log: a line that is not its own");
	name = percent_decode(rest);
	if (!name)
		return bus_fail(err, BUS_E_NOMEM, "hg: out of memory");
	rc = get_branch(branches, name, &branch, err);
	if (rc)
		return rc;
	memcpy(branch->newest[branch->total++ % CHANGE_NEWEST], id, sizeof(id));
	branch->is_closed = slice_is(closed, "1");
	return BUS_OK;
}

/* "1712345678 -7200": seconds since 1970, and a zone that changes nothing. */
static void read_date(struct commit *commit, struct slice text)
{
	static const uint64_t max = 253402300799; /* the end of the year 9999 */
	struct slice seconds = { "", 0 };
	uint64_t number;

	slice_until(&text, ' ', &seconds);
	commit->has_date = slice_number(seconds, max, &number);
	if (commit->has_date)
		commit->date_us = (int64_t)number * 1000000;
}

enum bus_code hg_commits_read(struct slice text, struct commit *commit, size_t max,
			      size_t *ret_count, struct bus_err *err)
{
	enum { NODE, USER, DATE, MESSAGE, FIELDS };
	struct slice field[FIELDS];
	enum bus_code rc = BUS_OK;
	size_t i;

	*ret_count = 0;
	while (!rc && *ret_count < max && text.len) {
		for (i = 0; i < FIELDS; i++)
			if (!slice_until(&text, '\0', &field[i]))
				return bus_fail(err, BUS_E_DATA, "hg log: its output ended early");
		rc = commit_new(&commit[*ret_count], field[NODE], field[USER], field[MESSAGE], err);
		if (!rc)
			read_date(&commit[(*ret_count)++], field[DATE]);
	}
	return rc;
}

enum bus_code hg_repo_branches(const char *path, const char *first, const char *last,
			       struct hg_branches *ret, struct bus_err *err)
{
	char range[2 * HG_ID_LEN + 2], *line = malloc(HG_LINE_MAX);
	const char *const argv[] = {
		HG_LOG, "-r", range, "-T", "{node} {get(extras, 'close')} {branch|urlescape}\n",
		NULL
	};
	struct child *child = NULL;
	enum bus_code rc;

	if (!line)
		return bus_fail(err, BUS_E_NOMEM, "hg: out of memory");
	snprintf(range, sizeof(range), "%s:%s", first, last);
	rc = tool_start(&child, argv, environment, err);
	while (!rc) {
		rc = child_read_line(child, line, HG_LINE_MAX, err);
		if (!rc)
			rc = hg_branches_line(ret, slice_of(line), err);
	}
	if (rc == BUS_E_NO)
		rc = tool_finish(child, err);
	else
		child_kill(child);
	if (!rc && !ret->count)
		rc = bus_fail(err, BUS_E_NO, "hg log: no changeset from %s to %s", first, last);
	free(line);
	return rc;
}

enum bus_code hg_repo_commits(const char *path, const struct hg_branch *branch,
			      struct commit commit[CHANGE_NEWEST], size_t *ret_count,
			      struct bus_err *err)
{
	/* of a description that is longer, nobody sees the end */
	static const char template[] = "{node}\\0{user}\\0{date|hgdate}\\0"
				       "{sub(r'(?s)^(.{100000}).*', r'\\1', desc)}\\0";
	const size_t n = branch->total < CHANGE_NEWEST ? (size_t)branch->total : CHANGE_NEWEST;
	const char *argv[2 * CHANGE_NEWEST + 12] = { HG_LOG, "-T", template };
	struct bus_buf out = BUS_BUF_INIT(COMMITS_MAX);
	size_t argc = 0, i;
	enum bus_code rc;

	while (argv[argc])
		argc++;
	for (i = 1; i <= n; i++) {
		argv[argc++] = "-r";
		argv[argc++] = branch->newest[(branch->total - i) % CHANGE_NEWEST];
	}
	*ret_count = 0;
	rc = tool_ask(&out, argv, environment, err);
	if (!rc)
		rc = hg_commits_read(slice_of_buf(&out), commit, n, ret_count, err);
	bus_buf_finish(&out);
	return rc;
}

/* One id or nothing, for a set of revisions. */
static enum bus_code ask_one(const char *path, const char *set, char ret[HG_ID_LEN + 1],
			     struct bus_err *err)
{
	const char *const argv[] = { HG_LOG, "-r", set, "-T", "{node}", NULL };
	struct bus_buf out = BUS_BUF_INIT(HG_LINE_MAX);
	enum bus_code rc;

	ret[0] = '\0';
	rc = tool_ask(&out, argv, environment, err);
	if (!rc && out.len && !hg_id_valid(out.p))
		rc = bus_fail(err, BUS_E_DATA, "hg log: more than one id");
	if (!rc && out.len)
		memcpy(ret, out.p, HG_ID_LEN + 1);
	bus_buf_finish(&out);
	return rc;
}

enum bus_code hg_repo_before(const char *path, const char *branch, const char *first,
			     char ret[HG_ID_LEN + 1], struct bus_err *err)
{
	struct bus_buf set = BUS_BUF_INIT(8 * HG_LINE_MAX);
	enum bus_code rc;
	size_t i;

	/* a name may be made of anything, so each byte is written as its number */
	bus_buf_puts(&set, "last(branch(\"literal:");
	for (i = 0; branch[i]; i++)
		bus_buf_printf(&set, "\\x%02x", (unsigned char)branch[i]);
	bus_buf_printf(&set, "\") and (0:%s - %s))", first, first);
	rc = bus_buf_check(&set, "hg: branch", err);
	if (!rc)
		rc = ask_one(path, set.p, ret, err);
	bus_buf_finish(&set);
	return rc;
}

enum bus_code hg_repo_is_ancestor(const char *path, const char *old_id, const char *new_id,
				  bool *ret, struct bus_err *err)
{
	char set[2 * HG_ID_LEN + 40], found[HG_ID_LEN + 1];
	enum bus_code rc;

	snprintf(set, sizeof(set), "%s and ancestors(%s)", old_id, new_id);
	rc = ask_one(path, set, found, err);
	if (!rc)
		*ret = found[0] != '\0';
	return rc;
}
