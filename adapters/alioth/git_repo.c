#include "config.h"

#include "adapters/alioth/git_repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/child.h"

static const char git[] = "/usr/bin/git";

enum { LINE_MAX_LEN = GIT_REF_MAX * 2 + GIT_ID_MAX + 100 };

struct git_repo {
	char *git_dir, *safe; /* members of env */
	const char *env[20];
	int timeout_ms;	       /* of each program */
	struct child *objects; /* git cat-file, started when first needed */
};

/* No git of the host's or the user's taste, and nothing that could run a program. */
static const char *const clean_env[] = {
	"PATH=/usr/bin:/bin",
	"LC_ALL=C.UTF-8",
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_ATTR_NOSYSTEM=1",
	"GIT_TERMINAL_PROMPT=0",
	"GIT_OPTIONAL_LOCKS=0",
	"GIT_NO_REPLACE_OBJECTS=1",
	/* a partial clone would fetch what it lacks; twice, as older versions know only one */
	"GIT_NO_LAZY_FETCH=1",
	"GIT_ALLOW_PROTOCOL=none",
	"GIT_CONFIG_COUNT=2",
	"GIT_CONFIG_KEY_0=core.fsmonitor",
	"GIT_CONFIG_VALUE_0=false",
	/* repositories of a project belong to any of its members */
	"GIT_CONFIG_KEY_1=safe.directory",
};

enum bus_code git_repo_open(struct git_repo **ret, const char *path, int timeout_ms,
			    struct bus_err *err)
{
	const size_t n = sizeof(clean_env) / sizeof(*clean_env);
	struct git_repo *repo = calloc(1, sizeof(*repo));

	if (!repo)
		return bus_fail(err, BUS_E_NOMEM, "git: out of memory");
	repo->timeout_ms = timeout_ms;
	if (asprintf(&repo->git_dir, "GIT_DIR=%s", path) < 0)
		repo->git_dir = NULL;
	if (asprintf(&repo->safe, "GIT_CONFIG_VALUE_1=%s", path) < 0)
		repo->safe = NULL;
	if (!repo->git_dir || !repo->safe) {
		git_repo_close(repo);
		return bus_fail(err, BUS_E_NOMEM, "git: out of memory");
	}
	memcpy(repo->env, clean_env, sizeof(clean_env));
	repo->env[n] = repo->safe;
	repo->env[n + 1] = repo->git_dir;
	*ret = repo;
	return BUS_OK;
}

void git_repo_close(struct git_repo *repo)
{
	if (!repo)
		return;
	child_kill(repo->objects);
	free(repo->git_dir);
	free(repo->safe);
	free(repo);
}

static int compare_slices(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	const int order = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* The refs of lines, sorted; the caller frees *ret. */
static enum bus_code pushed_refs(struct slice **ret, size_t *ret_count, struct slice lines,
				 struct bus_err *err)
{
	struct slice *ref = NULL, *more, line;
	size_t count = 0, cap = 0;
	struct git_line parsed;
	const char *why;

	while (slice_line(&lines, &line)) {
		if (!git_line_parse(&parsed, line, &why))
			continue;
		if (count == cap) {
			cap = cap ? cap * 2 : 16;
			more = realloc(ref, cap * sizeof(*ref));
			if (!more) {
				free(ref);
				return bus_fail(err, BUS_E_NOMEM, "git: out of memory");
			}
			ref = more;
		}
		ref[count++] = parsed.ref;
	}
	if (count)
		qsort(ref, count, sizeof(*ref), compare_slices);
	*ret = ref;
	*ret_count = count;
	return BUS_OK;
}

/* A line of for-each-ref: "<id> <target if symbolic> <ref>".  A symbolic ref is no ref more. */
static void add_other(struct bus_buf *out, const char *line, const struct slice *pushed,
		      size_t count)
{
	const char *space = strchr(line, ' ');
	const size_t n = space ? (size_t)(space - line) : 0;
	struct slice ref;

	if (!space || !git_id_valid(line, n) || space[1] != ' ')
		return;
	ref.p = space + 2;
	ref.len = strlen(ref.p);
	if (count && bsearch(&ref, pushed, count, sizeof(ref), compare_slices))
		return;
	if (out->len > n && memcmp(out->p + out->len - n - 1, line, n) == 0)
		return; /* as the one before */
	bus_buf_add(out, line, n);
	bus_buf_add(out, "\n", 1);
}

/* What a program that printed all we wanted says at its end. */
static enum bus_code finish(struct child *child, struct bus_err *err)
{
	int status = 0;
	enum bus_code rc = child_finish(child, &status, err);

	if (rc || !status)
		return rc;
	if (err)
		err->code = BUS_E_NO;
	return BUS_E_NO;
}

enum bus_code git_repo_others(struct git_repo *repo, struct bus_buf *out, struct slice lines,
			      size_t max, struct bus_err *err)
{
	static const char *const argv[] = { git, "for-each-ref",
					    "--format=%(objectname) %(symref) %(refname)", NULL };
	struct slice *pushed = NULL;
	struct child *child = NULL;
	char line[LINE_MAX_LEN];
	size_t count = 0, seen = 0;
	enum bus_code rc;

	rc = pushed_refs(&pushed, &count, lines, err);
	if (!rc)
		rc = child_start(&child, argv, repo->env, repo->timeout_ms, err);
	if (rc)
		goto out;
	child_end_input(child);
	while (!(rc = child_read_line(child, line, sizeof(line), err)) && seen++ < max + count)
		add_other(out, line, pushed, count);
	if (!rc)
		rc = bus_fail(err, BUS_E_DATA, "git: more than %zu refs", max);
	if (rc == BUS_E_NO) {
		rc = finish(child, err);
		child = NULL;
	}
	if (!rc)
		rc = bus_buf_check(out, "git: refs", err);
out:
	child_kill(child);
	free(pushed);
	return rc;
}

enum bus_code git_repo_is_ancestor(struct git_repo *repo, const char *old_id, const char *new_id,
				   bool *ret, struct bus_err *err)
{
	const char *const argv[] = { git, "merge-base", "--is-ancestor", old_id, new_id, NULL };
	struct child *child = NULL;
	int status = 0;
	enum bus_code rc;

	rc = child_start(&child, argv, repo->env, repo->timeout_ms, err);
	if (rc)
		return rc;
	rc = child_finish(child, &status, err);
	if (rc)
		return rc;
	if (status > 1) {
		if (err)
			err->code = BUS_E_NO;
		return BUS_E_NO;
	}
	*ret = status == 0;
	return BUS_OK;
}

enum bus_code git_repo_new_commits(struct git_repo *repo, const char *id, struct slice known,
				   struct git_commits *ret, struct bus_err *err)
{
	/* children before parents, so that the newest are right whatever the clocks said */
	static const char *const argv[] = {
		git, "rev-list", "--date-order", "--ignore-missing", "--stdin", NULL
	};
	struct git_commits found = { 0 };
	struct child *child = NULL;
	char line[GIT_ID_MAX + 2];
	enum bus_code rc;

	rc = child_start(&child, argv, repo->env, repo->timeout_ms, err);
	if (rc)
		return rc;
	rc = child_write(child, id, strlen(id), err);
	if (!rc)
		rc = child_write(child, "\n", 1, err);
	if (!rc)
		rc = child_write(child, known.p, known.len, err);
	child_end_input(child);
	while (!rc && !(rc = child_read_line(child, line, sizeof(line), err))) {
		if (found.total < CHANGE_NEWEST && git_id_valid(line, strlen(line)))
			memcpy(found.newest[found.total], line, strlen(line));
		found.total++;
	}
	if (rc != BUS_E_NO) {
		child_kill(child);
		return rc;
	}
	rc = finish(child, err);
	if (!rc)
		*ret = found;
	return rc;
}

/* One question to git cat-file, and the first line of its answer. */
static enum bus_code ask(struct git_repo *repo, const char *command, const char *name, char *line,
			 size_t size, struct bus_err *err)
{
	static const char *const argv[] = { git, "cat-file", "--batch-command", NULL };
	char question[GIT_ID_MAX + 40];
	enum bus_code rc = BUS_OK;
	int n;

	n = snprintf(question, sizeof(question), "%s %s\n", command, name);
	if (n < 0 || (size_t)n >= sizeof(question))
		return bus_fail(err, BUS_E_BUG, "git: '%s' is no object id", name);
	if (!repo->objects)
		rc = child_start(&repo->objects, argv, repo->env, repo->timeout_ms, err);
	else
		child_extend(repo->objects, repo->timeout_ms);
	if (!rc)
		rc = child_write(repo->objects, question, (size_t)n, err);
	if (!rc)
		rc = child_read_line(repo->objects, line, size, err);
	return rc;
}

/* It died of the question, or of the repository; err gets its own words. */
static enum bus_code give_up(struct git_repo *repo, enum bus_code rc, struct bus_err *err)
{
	if (rc == BUS_E_NO) {
		rc = finish(repo->objects, err);
		rc = rc ? rc : BUS_E_NO;
	} else {
		child_kill(repo->objects);
	}
	repo->objects = NULL;
	return rc;
}

/* "<id> <type> <size>", or "<name> missing" */
static enum bus_code parse_answer(const char *line, struct git_object *ret, size_t *ret_size,
				  struct bus_err *err)
{
	const char *type = strchr(line, ' '), *size = type ? strchr(type + 1, ' ') : NULL;
	struct git_object found = { 0 };

	if (!size || !git_id_valid(line, (size_t)(type - line)) ||
	    (size_t)(size - type) > sizeof(found.type))
		return bus_fail(err, BUS_E_NO, "cat-file: %s", line);
	memcpy(found.id, line, (size_t)(type - line));
	memcpy(found.type, type + 1, (size_t)(size - type - 1));
	*ret = found;
	*ret_size = (size_t)strtoull(size, NULL, 10);
	return BUS_OK;
}

enum bus_code git_repo_object(struct git_repo *repo, const char *name, struct git_object *ret,
			      struct bus_err *err)
{
	char line[GIT_ID_MAX + 100];
	enum bus_code rc;
	size_t size;

	rc = ask(repo, "info", name, line, sizeof(line), err);
	return rc ? give_up(repo, rc, err) : parse_answer(line, ret, &size, err);
}

enum bus_code git_repo_read(struct git_repo *repo, const char *id, struct bus_buf *out,
			    struct bus_err *err)
{
	struct git_object object;
	char line[GIT_ID_MAX + 100], chunk[4096];
	size_t size = 0, n;
	enum bus_code rc;

	bus_buf_clear(out);
	rc = ask(repo, "contents", id, line, sizeof(line), err);
	if (rc)
		return give_up(repo, rc, err);
	rc = parse_answer(line, &object, &size, err);
	if (rc)
		return rc;
	for (; !rc && size; size -= n) {
		n = size < sizeof(chunk) ? size : sizeof(chunk);
		rc = child_read(repo->objects, chunk, n, err);
		if (!rc && out->len + n <= GIT_OBJECT_MAX)
			bus_buf_add(out, chunk, n);
	}
	if (!rc)
		rc = child_read(repo->objects, chunk, 1, err); /* the LF after it */
	return rc ? give_up(repo, rc, err) : bus_buf_check(out, "git: object", err);
}
