#include "config.h"

#include "adapters/alioth/hg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/alioth/hg_repo.h"
#include "adapters/alioth/vcs.h"
#include "adapters/common/batch.h"
#include "adapters/common/say.h"
#include "timestamp.h"

static const char format[] = "hg 1", no_id[] = "0000000000000000000000000000000000000000";

enum {
	SEEN_MAX = 100,	       /* transactions whose changegroup was told, that are remembered */
	TRANSACTION_MAX = 100, /* bytes */
	BOOKMARK_MAX = 1000    /* bytes; the rest is cut */
};

/* What is kept after struct vcs_input, as fields in this order. */
struct hg_input {
	struct vcs_input vcs;
	char *kind;	    /* "changegroup", "incoming" or "pushkey" */
	char *transaction;  /* HG_TXNID, which hooks of one push share; may be empty */
	char *bookmark;	    /* of pushkey */
	char *first, *last; /* ids; of pushkey, the old and the new one, no_id: none */
};

/* One input on its way to events. */
struct conversion {
	const struct adapter_context *ctx;
	struct hg_input input;
	struct slice raw;
	char *subject;
	bool has_complained;
};

/* -- capture -- */

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

/* Older versions do not say which hook it is. */
static const char *find_kind(void)
{
	const char *kind = variable("HG_HOOKTYPE");

	if (*kind)
		return kind;
	if (*variable("HG_NAMESPACE"))
		return "pushkey";
	return *variable("HG_NODE_LAST") ? "changegroup" : "incoming";
}

static const char *or_none(const char *id)
{
	return *id ? id : no_id;
}

static enum bus_code find_facts(struct hg_input *ret, bool *ret_is_news, struct bus_err *err)
{
	const char *kind = find_kind(), *node = variable("HG_NODE");

	ret->kind = (char *)(uintptr_t)kind;
	ret->transaction = (char *)(uintptr_t)variable("HG_TXNID");
	ret->bookmark = (char *)(uintptr_t) "";
	if (strlen(ret->transaction) > TRANSACTION_MAX)
		ret->transaction = (char *)(uintptr_t) "";
	*ret_is_news = true;
	if (strcmp(kind, "pushkey") == 0) {
		ret->bookmark = (char *)(uintptr_t)variable("HG_KEY");
		ret->first = (char *)(uintptr_t)or_none(variable("HG_OLD"));
		ret->last = (char *)(uintptr_t)or_none(variable("HG_NEW"));
		/* phases and obsolete markers move as well */
		*ret_is_news = strcmp(variable("HG_NAMESPACE"), "bookmarks") == 0 &&
			       strcmp(variable("HG_RET"), "0") != 0 &&
			       strcmp(ret->first, ret->last) != 0;
		if (strlen(ret->bookmark) > BOOKMARK_MAX)
			ret->bookmark[BOOKMARK_MAX] = '\0'; /* our own environment */
		if (*ret_is_news &&
		    (!*ret->bookmark || !hg_id_valid(ret->first) || !hg_id_valid(ret->last)))
			return bus_fail(err, BUS_E_USAGE,
					"hg: HG_KEY, HG_OLD and HG_NEW of pushkey "
					"are not a bookmark and two ids");
		return BUS_OK;
	}
	ret->first = (char *)(uintptr_t)node;
	ret->last = (char *)(uintptr_t)node;
	if (strcmp(kind, "changegroup") == 0)
		ret->last = (char *)(uintptr_t)variable("HG_NODE_LAST");
	else if (strcmp(kind, "incoming") != 0)
		return bus_fail(err, BUS_E_USAGE,
				"hg: run as the hook %s; set it as changegroup, incoming or "
				"pushkey",
				kind);
	/* hg strip puts back what was there before */
	*ret_is_news = strcmp(variable("HG_SOURCE"), "strip") != 0;
	if (!hg_id_valid(ret->first) || !hg_id_valid(ret->last))
		return bus_fail(err, BUS_E_USAGE,
				"hg: HG_NODE is no changeset, so this was not run by Mercurial; "
				"set it as hooks.changegroup in an hgrc, or see --pending");
	return BUS_OK;
}

static void write_input(struct bus_buf *out, const struct hg_input *input)
{
	vcs_input_write(out, format, &input->vcs);
	slice_field_puts(out, input->kind);
	slice_field_puts(out, input->transaction);
	slice_field_puts(out, input->bookmark);
	slice_field_puts(out, input->first);
	slice_field_puts(out, input->last);
}

enum bus_code hg_capture(const struct adapter_context *ctx, char **operand,
			 struct adapter_capture *ret, struct bus_err *err)
{
	struct hg_input input = { .vcs.time_us = bus_time_now() };
	char pusher[VCS_PUSHER_MAX + 1];
	bool is_news = false;
	enum bus_code rc;

	if (*operand)
		return bus_fail(err, BUS_E_USAGE,
				"hg: unexpected operand %s; Mercurial's hooks have none", *operand);
	rc = find_facts(&input, &is_news, err);
	if (rc || !is_news)
		return rc;
	input.vcs.repository = realpath(".", NULL);
	if (!input.vcs.repository)
		return bus_fail(err, BUS_E_TEMP, "hg: the repository: %s", strerror(errno));
	vcs_pusher(pusher, NULL);
	input.vcs.pusher = pusher;
	if (vcs_is_served(ctx, input.vcs.repository))
		write_input(&ret->input, &input);
	free(input.vcs.repository);
	return bus_buf_check(&ret->input, "hg: the push", err);
}

/* -- convert -- */

static void finish_input(struct hg_input *input)
{
	vcs_input_finish(&input->vcs);
	free(input->kind);
	free(input->transaction);
	free(input->bookmark);
	free(input->first);
	free(input->last);
}

static enum bus_code read_input(struct hg_input *ret, const char *bytes, size_t len,
				struct bus_err *err)
{
	char **const text[] = { &ret->kind, &ret->transaction, &ret->bookmark, &ret->first,
				&ret->last };
	struct slice fields = { bytes, len }, field;
	bool good = vcs_input_read(&ret->vcs, format, &fields);
	size_t i;

	for (i = 0; good && i < sizeof(text) / sizeof(*text); i++) {
		good = slice_field(&fields, &field);
		if (!good)
			break;
		*text[i] = strndup(field.p, field.len);
		if (!*text[i])
			return bus_fail(err, BUS_E_NOMEM, "hg: out of memory");
	}
	if (!good || fields.len || !ret->first || !hg_id_valid(ret->first) || !ret->last ||
	    !hg_id_valid(ret->last))
		return bus_fail(err, BUS_E_DATA, "hg: not an input of this version");
	return ret->vcs.repository && ret->vcs.pusher
		       ? BUS_OK
		       : bus_fail(err, BUS_E_NOMEM, "hg: out of memory");
}

static enum bus_code do_without(struct conversion *cv, enum bus_code rc, const struct bus_err *err)
{
	if (rc != BUS_E_NO && rc != BUS_E_UNAVAILABLE && rc != BUS_E_DATA)
		return rc;
	if (!cv->has_complained)
		say(LOG_WARNING, "%s: %s; announced without what cannot be told",
		    cv->input.vcs.repository, err->text);
	cv->has_complained = true;
	return BUS_OK;
}

static struct change new_change(const struct conversion *cv)
{
	const struct change change = {
		.kind = CHANGE_REF_PUSH,
		.vcs = "hg",
		.repository = cv->subject,
		.new_id = cv->input.last,
		.pusher = cv->input.vcs.pusher,
	};

	return change;
}

static enum bus_code add(const struct conversion *cv, struct change *change, const char *prefix,
			 const char *name, size_t number, struct adapter_batch *batch,
			 struct bus_err *err)
{
	char *ref = NULL;
	enum bus_code rc;

	if (asprintf(&ref, "%s%s", prefix, name) < 0)
		return bus_fail(err, BUS_E_NOMEM, "hg: out of memory");
	change->ref = slice_of(ref);
	rc = change_add(cv->ctx, change, cv->input.vcs.time_us, number, cv->raw, batch, err);
	free(ref);
	return rc;
}

static enum bus_code convert_bookmark(struct conversion *cv, struct adapter_batch *batch,
				      struct bus_err *err)
{
	struct change change = new_change(cv);
	bool is_ancestor = true;
	enum bus_code rc = BUS_OK;

	change.old_id = cv->input.first;
	change.kind = CHANGE_BRANCH_PUSH;
	if (change_id_is_zero(change.old_id))
		change.kind = CHANGE_BRANCH_CREATE;
	else if (change_id_is_zero(change.new_id))
		change.kind = CHANGE_BRANCH_DELETE;
	else
		rc = hg_repo_is_ancestor(cv->input.vcs.repository, change.old_id, change.new_id,
					 &is_ancestor, err);
	rc = rc ? do_without(cv, rc, err) : BUS_OK;
	if (!is_ancestor)
		change.kind = CHANGE_BRANCH_FORCE;
	return rc ? rc : add(cv, &change, "bookmarks/", cv->input.bookmark, 1, batch, err);
}

static void write_more(struct bus_json *js, const void *more, const struct change_detail *detail)
{
	const struct hg_branch *branch = more;

	(void)detail;
	if (branch->is_closed)
		bus_json_bool(js, "closed", true);
}

static enum bus_code convert_branch(struct conversion *cv, const struct hg_branch *branch,
				    size_t number, struct adapter_batch *batch, struct bus_err *err)
{
	const char *path = cv->input.vcs.repository;
	struct change change = new_change(cv);
	char before[HG_ID_LEN + 1];
	enum bus_code rc;

	change.kind = CHANGE_BRANCH_PUSH;
	change.new_id = branch->newest[(branch->total - 1) % CHANGE_NEWEST];
	change.has_commits = true;
	change.total = branch->total;
	change.write_more = write_more;
	change.more = branch;
	rc = hg_repo_before(path, branch->name, cv->input.first, before, err);
	if (!rc && !before[0])
		change.kind = CHANGE_BRANCH_CREATE;
	if (!rc) {
		change.old_id = before[0] ? before : no_id;
		rc = hg_repo_commits(path, branch, change.commit, &change.count, err);
	}
	rc = rc ? do_without(cv, rc, err) : BUS_OK;
	if (!rc)
		rc = add(cv, &change, "branches/", branch->name, number, batch, err);
	change_finish(&change);
	return rc;
}

/* That something was pushed is known even if the repository cannot be asked. */
static enum bus_code convert_unknown(struct conversion *cv, struct adapter_batch *batch,
				     struct bus_err *err)
{
	struct change change = new_change(cv);

	return add(cv, &change, "changegroup", "", 1, batch, err);
}

static enum bus_code convert_changesets(struct conversion *cv, struct adapter_batch *batch,
					struct bus_err *err)
{
	struct hg_branches branches = { 0 };
	size_t i = (size_t)cv->input.vcs.done;
	enum bus_code rc;

	rc = hg_repo_branches(cv->input.vcs.repository, cv->input.first, cv->input.last, &branches,
			      err);
	if (rc) {
		rc = do_without(cv, rc, err);
		if (!rc && !i)
			rc = convert_unknown(cv, batch, err);
		goto out;
	}
	for (; i < branches.count && !rc && !batch_is_full(batch); i++)
		rc = convert_branch(cv, &branches.branch[i], i + 1, batch, err);
	if (!rc && i < branches.count) {
		cv->input.vcs.done = i;
		write_input(&batch->rest, &cv->input);
		rc = bus_buf_check(&batch->rest, "hg: the push", err);
	}
out:
	hg_branches_finish(&branches);
	return rc;
}

/*
 * Who sets both changegroup and incoming is told a push once: the transactions
 * of the last changegroups are kept with the events, and incoming, which
 * Mercurial runs after it, looks there.
 */
static enum bus_code note_seen(struct conversion *cv, struct adapter_batch *batch, bool *ret_seen,
			       struct bus_err *err)
{
	struct bus_buf list = BUS_BUF_INIT((SEEN_MAX + 1) * (TRANSACTION_MAX + 1));
	struct slice text = { "", 0 }, line;
	char name[40], *stored = NULL;
	size_t len = 0, count = 0;
	enum bus_code rc;

	*ret_seen = false;
	if (!*cv->input.transaction || strcmp(cv->input.kind, "pushkey") == 0)
		return BUS_OK;
	snprintf(name, sizeof(name), "seen-%u", (unsigned int)getuid());
	rc = batch_stored(batch, name, &stored, &len, err);
	if (stored)
		text = (struct slice){ stored, len };
	bus_buf_printf(&list, "%s\n", cv->input.transaction);
	while (slice_line(&text, &line)) {
		*ret_seen = *ret_seen || slice_is(line, cv->input.transaction);
		if (++count < SEEN_MAX) {
			bus_buf_add(&list, line.p, line.len);
			bus_buf_puts(&list, "\n");
		}
	}
	if (!rc && strcmp(cv->input.kind, "changegroup") == 0) {
		*ret_seen = false;
		rc = bus_buf_check(&list, "hg: transactions", err);
		if (!rc)
			rc = batch_cursor(batch, name, list.p, list.len, err);
	}
	bus_buf_finish(&list);
	free(stored);
	return rc;
}

enum bus_code hg_convert(const struct adapter_context *ctx, const char *input, size_t len,
			 struct adapter_batch *batch, struct bus_err *err)
{
	struct conversion cv = { .ctx = ctx, .raw = { input, len } };
	bool is_seen = false;
	enum bus_code rc;

	rc = read_input(&cv.input, input, len, err);
	if (!rc) {
		cv.subject = vcs_name(ctx, cv.input.vcs.repository, "");
		rc = cv.subject ? note_seen(&cv, batch, &is_seen, err)
				: bus_fail(err, BUS_E_NOMEM, "hg: out of memory");
	}
	if (!rc && !is_seen)
		rc = strcmp(cv.input.kind, "pushkey") == 0 ? convert_bookmark(&cv, batch, err)
							   : convert_changesets(&cv, batch, err);
	finish_input(&cv.input);
	free(cv.subject);
	return rc;
}
