#include "config.h"

#include "adapters/alioth/git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "adapters/alioth/git_commit.h"
#include "adapters/alioth/git_input.h"
#include "adapters/alioth/git_repo.h"
#include "adapters/alioth/vcs.h"
#include "adapters/common/batch.h"
#include "adapters/common/say.h"

enum {
	GIT_MS = 10 * 60 * 1000, /* for each question to git */
	LATE_REFS_MAX = 1000000	 /* other refs, where the hook left them to us */
};

/* One input on its way to events. */
struct conversion {
	const struct adapter_context *ctx;
	struct git_input input;
	struct git_repo *repo; /* NULL: it is not asked any more */
	struct bus_buf known;  /* "^<id>" of all that is not new */
	struct bus_buf raw;    /* an object */
	char *subject;
	char target[GIT_ID_MAX + 1]; /* of the tag at hand */
	bool has_complained;
};

/* Where the repository has no answer the event goes without; other failures end the conversion. */
static enum bus_code do_without(struct conversion *cv, enum bus_code rc, const struct bus_err *err)
{
	if (rc != BUS_E_NO && rc != BUS_E_UNAVAILABLE && rc != BUS_E_DATA)
		return rc;
	if (!cv->has_complained)
		say(LOG_WARNING, "%s: %s; announced without its commits", cv->input.repository,
		    err->text);
	cv->has_complained = true;
	if (rc == BUS_E_UNAVAILABLE) {
		git_repo_close(cv->repo);
		cv->repo = NULL;
	}
	return BUS_OK;
}

static void add_known(struct bus_buf *known, const char *id, size_t len)
{
	bus_buf_add(known, "^", 1);
	bus_buf_add(known, id, len);
	bus_buf_add(known, "\n", 1);
}

/* What was there before this push: the old values of its refs, and all other refs. */
static enum bus_code collect_known(struct conversion *cv, struct bus_err *err)
{
	struct slice lines = cv->input.lines, others = cv->input.others, line;
	struct bus_buf late = BUS_BUF_INIT((size_t)LATE_REFS_MAX * (GIT_ID_MAX + 1));
	enum bus_code rc = BUS_OK;
	struct git_line parsed;
	const char *why;

	while (slice_line(&lines, &line))
		if (git_line_parse(&parsed, line, &why) && !git_id_is_zero(parsed.old_id))
			add_known(&cv->known, parsed.old_id, strlen(parsed.old_id));
	if (!cv->input.has_others) {
		rc = git_repo_others(cv->repo, &late, cv->input.lines, LATE_REFS_MAX, err);
		others.p = late.p;
		others.len = late.len;
	}
	while (!rc && slice_line(&others, &line))
		add_known(&cv->known, line.p, line.len);
	if (!rc)
		rc = bus_buf_check(&cv->known, "git: refs", err);
	bus_buf_finish(&late);
	/* without that nothing can be counted, so the repository is not asked at all */
	if (rc == BUS_E_NO || rc == BUS_E_DATA)
		rc = BUS_E_UNAVAILABLE;
	return rc ? do_without(cv, rc, err) : BUS_OK;
}

static enum bus_code read_commit(struct conversion *cv, const char *id, struct commit *ret,
				 struct bus_err *err)
{
	enum bus_code rc = git_repo_read(cv->repo, id, &cv->raw, err);

	return rc ? rc : git_commit_read(ret, id, (struct slice){ cv->raw.p, cv->raw.len }, err);
}

static enum bus_code ask_commits(struct conversion *cv, struct change *change, struct bus_err *err)
{
	const struct slice known = { cv->known.p, cv->known.len };
	struct git_commits found;
	enum bus_code rc;

	rc = git_repo_new_commits(cv->repo, change->new_id, known, &found, err);
	if (rc)
		return rc;
	change->total = found.total;
	change->has_commits = true;
	while (!rc && change->count < CHANGE_NEWEST && change->count < found.total) {
		rc = read_commit(cv, found.newest[change->count], &change->commit[change->count],
				 err);
		change->count += rc == BUS_OK;
	}
	return rc;
}

static enum bus_code ask_tag(struct conversion *cv, struct change *change,
			     const struct git_object *object, struct bus_err *err)
{
	char peeled[GIT_ID_MAX + 4];
	struct git_object target;
	enum bus_code rc;

	change->annotated = strcmp(object->type, "tag") == 0;
	change->has_tag = true;
	if (!change->annotated)
		return BUS_OK;
	rc = read_commit(cv, object->id, &change->tag, err);
	snprintf(peeled, sizeof(peeled), "%s^{}", object->id);
	if (!rc)
		rc = git_repo_object(cv->repo, peeled, &target, err);
	if (!rc) {
		memcpy(cv->target, target.id, sizeof(target.id));
		change->target = cv->target;
	}
	return rc;
}

/* An old commit that is gone was not an ancestor of one that is there. */
static enum bus_code ask_forced(struct conversion *cv, struct change *change, struct bus_err *err)
{
	struct git_object old;
	bool is_ancestor = false;
	enum bus_code rc;

	rc = git_repo_object(cv->repo, change->old_id, &old, err);
	if (rc == BUS_E_NO)
		rc = BUS_OK;
	else if (!rc)
		rc = git_repo_is_ancestor(cv->repo, change->old_id, change->new_id, &is_ancestor,
					  err);
	if (!rc && !is_ancestor)
		change->kind = CHANGE_BRANCH_FORCE;
	return rc;
}

static enum bus_code ask_repository(struct conversion *cv, struct change *change,
				    struct bus_err *err)
{
	struct git_object object;
	enum bus_code rc;

	if (!cv->repo || git_id_is_zero(change->new_id))
		return BUS_OK;
	rc = git_repo_object(cv->repo, change->new_id, &object, err);
	if (!rc && (change->kind == CHANGE_TAG_CREATE || change->kind == CHANGE_TAG_MOVE))
		rc = ask_tag(cv, change, &object, err);
	if (!rc)
		rc = ask_commits(cv, change, err);
	/* after that, because git takes a hole in the history for an answer here */
	if (!rc && change->kind == CHANGE_BRANCH_PUSH)
		rc = ask_forced(cv, change, err);
	return rc ? do_without(cv, rc, err) : BUS_OK;
}

static enum bus_code convert_line(struct conversion *cv, size_t number, struct slice line,
				  struct adapter_batch *batch, struct bus_err *err)
{
	struct change change = {
		.vcs = "git",
		.repository = cv->subject,
		.pusher = cv->input.pusher,
	};
	struct git_line parsed;
	const char *why;
	enum bus_code rc;

	if (!git_line_parse(&parsed, line, &why))
		return bus_fail(err, BUS_E_DATA, "git: line %zu: %s", number, why);
	change.kind = git_kind_of(&parsed);
	change.ref = parsed.ref;
	change.old_id = parsed.old_id;
	change.new_id = parsed.new_id;
	rc = ask_repository(cv, &change, err);
	if (!rc)
		rc = change_add(cv->ctx, &change, cv->input.time_us, number, line, batch, err);
	change_finish(&change);
	return rc;
}

static enum bus_code convert_lines(struct conversion *cv, struct adapter_batch *batch,
				   struct bus_err *err)
{
	struct slice lines = cv->input.lines, line;
	enum bus_code rc = BUS_OK;
	size_t number = 0;

	while (!rc && !batch_is_full(batch) && slice_line(&lines, &line))
		if (++number > cv->input.done)
			rc = convert_line(cv, number, line, batch, err);
	if (!rc && lines.len) {
		cv->input.done = number;
		git_input_write(&batch->rest, &cv->input);
		rc = bus_buf_check(&batch->rest, "git: the push", err);
	}
	return rc;
}

enum bus_code git_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err)
{
	struct conversion cv = {
		.ctx = ctx,
		.known = BUS_BUF_INIT((size_t)256 * 1024 * 1024),
		.raw = BUS_BUF_INIT(GIT_OBJECT_MAX),
	};
	enum bus_code rc;

	if (!git_input_read(&cv.input, input, len))
		return bus_fail(err, BUS_E_DATA, "git: not an input of this version");
	cv.subject = vcs_name(ctx, cv.input.repository, "/.git");
	rc = cv.subject ? git_repo_open(&cv.repo, cv.input.repository, GIT_MS, err)
			: bus_fail(err, BUS_E_NOMEM, "git: out of memory");
	if (!rc)
		rc = collect_known(&cv, err);
	if (!rc)
		rc = convert_lines(&cv, batch, err);
	git_repo_close(cv.repo);
	bus_buf_finish(&cv.known);
	bus_buf_finish(&cv.raw);
	free(cv.subject);
	return rc;
}
