#include "config.h"

#include "adapters/alioth/svn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/alioth/change.h"
#include "adapters/alioth/svn_look.h"
#include "adapters/alioth/vcs.h"
#include "adapters/common/batch.h"
#include "adapters/common/say.h"
#include "timestamp.h"

static const char format[] = "svn 1";

enum { PROPERTY_MAX = 1000 /* bytes of a property's name; the rest is cut */ };

/* What is kept after struct vcs_input. */
struct svn_input {
	struct vcs_input vcs;
	uint64_t revision;
	char *property; /* whose property this is; empty: a commit */
	char action;	/* A, M, D: what happened to it */
};

/* One input on its way to events. */
struct conversion {
	const struct adapter_context *ctx;
	struct svn_input input;
	struct slice raw;
	struct svn_look look;
	char *subject, *uuid;
	bool has_complained;
};

/* -- capture -- */

/* The old value of a property: nobody's business, but Subversion waits until it is read. */
static void skip_stdin(void)
{
	char chunk[16384];
	ssize_t n;

	do
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
	while (n > 0 || (n < 0 && errno == EINTR));
}

static enum bus_code check_call(char **operand, size_t *ret_count, uint64_t *ret_revision,
				struct bus_err *err)
{
	size_t n = 0;

	while (operand[n])
		n++;
	if (n != 2 && n != 3 && n != 5)
		return bus_fail(err, BUS_E_USAGE,
				"svn: %zu arguments, so this was not run by Subversion; link it as "
				"hooks/post-commit and hooks/post-revprop-change, or see --pending",
				n);
	if (!slice_number(slice_of(operand[1]), INT32_MAX, ret_revision) ||
	    (n != 5 && !*ret_revision))
		return bus_fail(err, BUS_E_USAGE, "svn: '%s' is no revision", operand[1]);
	if (n == 5 && (strlen(operand[4]) != 1 || !strchr("AMD", operand[4][0]) || !*operand[3]))
		return bus_fail(err, BUS_E_USAGE,
				"svn: '%s' of '%.100s' is nothing that post-revprop-change is told",
				operand[4], operand[3]);
	*ret_count = n;
	return BUS_OK;
}

enum bus_code svn_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err)
{
	char property[PROPERTY_MAX + 1];
	struct vcs_input input = { .time_us = bus_time_now() };
	char pusher[VCS_PUSHER_MAX + 1];
	uint64_t revision = 0;
	size_t n = 0;
	enum bus_code rc;

	(void)ctx;
	rc = check_call(operand, &n, &revision, err);
	if (rc)
		return rc;
	if (n == 5)
		skip_stdin();
	/* svnsync's own bookkeeping on its mirror, several times for each revision */
	if (n == 5 && !revision && strncmp(operand[3], "svn:sync-", 9) == 0)
		return BUS_OK;
	input.repository = realpath(operand[0], NULL);
	if (!input.repository)
		return bus_fail(err, BUS_E_TEMP, "svn: %s: %s", operand[0], strerror(errno));
	vcs_pusher(pusher, n == 5 ? operand[2] : NULL);
	input.pusher = pusher;
	vcs_input_write(&ret->input, format, &input);
	slice_field_number(&ret->input, (int64_t)revision);
	snprintf(property, sizeof(property), "%s", n == 5 ? operand[3] : "");
	slice_field_puts(&ret->input, property);
	slice_field_puts(&ret->input, n == 5 ? operand[4] : "");
	free(input.repository);
	return bus_buf_check(&ret->input, "svn: the revision", err);
}

/* -- convert -- */

static bool read_input(struct svn_input *ret, const char *bytes, size_t len)
{
	struct slice fields = { bytes, len }, revision, property, action;

	if (!vcs_input_read(&ret->vcs, format, &fields) || !slice_field(&fields, &revision) ||
	    !slice_number(revision, INT32_MAX, &ret->revision) ||
	    !slice_field(&fields, &property) || !slice_field(&fields, &action) || fields.len)
		return false;
	ret->property = strndup(property.p, property.len);
	ret->action = action.len ? action.p[0] : '\0';
	return true;
}

static enum bus_code do_without(struct conversion *cv, enum bus_code rc, const struct bus_err *err)
{
	if (rc != BUS_E_NO && rc != BUS_E_UNAVAILABLE && rc != BUS_E_DATA)
		return rc;
	if (!cv->has_complained)
		say(LOG_WARNING, "%s: %s; announced without what is in revision %s",
		    cv->input.vcs.repository, err->text, cv->look.revision);
	cv->has_complained = true;
	return BUS_OK;
}

struct more {
	const struct conversion *cv;
	const struct svn_ref *ref; /* of a commit, or NULL */
};

static void write_more(struct bus_json *js, const void *arg, const struct change_detail *detail)
{
	const struct more *more = arg;
	const struct svn_input *input = &more->cv->input;

	(void)detail;
	if (more->cv->uuid)
		bus_json_text(js, "uuid", more->cv->uuid);
	bus_json_uint(js, "revision", input->revision);
	if (more->ref && more->ref->copied_from)
		bus_json_text(js, "copied_from", more->ref->copied_from);
	if (*input->property) {
		bus_json_text(js, "property", input->property);
		bus_json_text(js, "action",
			      input->action == 'A'   ? "add"
			      : input->action == 'D' ? "delete"
						     : "modify");
	}
}

static enum bus_code convert_property(struct conversion *cv, struct adapter_batch *batch,
				      struct bus_err *err)
{
	const struct more more = { cv, NULL };
	struct change change = {
		.kind = CHANGE_REF_PUSH,
		.vcs = "svn",
		.repository = cv->subject,
		.old_id = cv->look.revision,
		.new_id = cv->look.revision,
		.pusher = cv->input.vcs.pusher,
		.write_more = write_more,
		.more = &more,
	};
	char *ref = NULL;
	enum bus_code rc;

	if (asprintf(&ref, "revprops/%s/%s", cv->look.revision, cv->input.property) < 0)
		return bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
	change.ref = slice_of(ref);
	rc = change_add(cv->ctx, &change, cv->input.vcs.time_us, 1, cv->raw, batch, err);
	free(ref);
	return rc;
}

static enum bus_code find_kind(struct conversion *cv, const struct svn_ref *ref,
			       enum change_kind *ret, struct bus_err *err)
{
	bool existed = false;
	enum bus_code rc = BUS_OK;

	*ret = ref->is_tag ? CHANGE_TAG_MOVE : CHANGE_BRANCH_PUSH;
	if (ref->state == 'D')
		*ret = ref->is_tag ? CHANGE_TAG_DELETE : CHANGE_BRANCH_DELETE;
	if (cv->input.revision == 1)
		*ret = ref->is_tag ? CHANGE_TAG_CREATE : CHANGE_BRANCH_CREATE;
	if (ref->state != 'A' || cv->input.revision == 1)
		return BUS_OK;
	/* one that is deleted and added again in one revision looks like a new one */
	rc = svn_look_existed(&cv->look, ref->path, &existed, err);
	if (!rc && existed)
		*ret = ref->is_tag ? CHANGE_TAG_MOVE : CHANGE_BRANCH_FORCE;
	else
		*ret = ref->is_tag ? CHANGE_TAG_CREATE : CHANGE_BRANCH_CREATE;
	return rc ? do_without(cv, rc, err) : BUS_OK;
}

/* commit: NULL where nobody could say */
static enum bus_code convert_ref(struct conversion *cv, const struct svn_ref *ref, size_t number,
				 const struct commit *commit, struct adapter_batch *batch,
				 struct bus_err *err)
{
	const struct more more = { cv, ref };
	char before[24];
	struct change change = {
		.vcs = "svn",
		.repository = cv->subject,
		.ref = slice_of(ref->path),
		.old_id = before,
		.new_id = cv->look.revision,
		.pusher = cv->input.vcs.pusher,
		.write_more = write_more,
		.more = &more,
	};
	enum bus_code rc;

	snprintf(before, sizeof(before), "%u",
		 (unsigned int)(cv->input.revision ? cv->input.revision - 1 : 0));
	rc = find_kind(cv, ref, &change.kind, err);
	if (rc)
		return rc;
	if (change.kind == CHANGE_BRANCH_CREATE || change.kind == CHANGE_TAG_CREATE)
		change.old_id = "0";
	if (commit && *commit->person)
		change.pusher = commit->person;
	if (change.kind == CHANGE_BRANCH_DELETE || change.kind == CHANGE_TAG_DELETE) {
		change.new_id = "0";
	} else if (commit) {
		change.has_commits = true;
		change.commit[0] = *commit;
		change.total = change.count = 1;
	}
	return change_add(cv->ctx, &change, cv->input.vcs.time_us, number, cv->raw, batch, err);
}

static enum bus_code convert_refs(struct conversion *cv, const struct svn_refs *refs,
				  const struct commit *commit, struct adapter_batch *batch,
				  struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = (size_t)cv->input.vcs.done; i < refs->count && !rc && !batch_is_full(batch); i++)
		rc = convert_ref(cv, &refs->ref[i], i + 1, commit, batch, err);
	if (!rc && i < refs->count) {
		cv->input.vcs.done = i;
		vcs_input_write(&batch->rest, format, &cv->input.vcs);
		slice_field_number(&batch->rest, (int64_t)cv->input.revision);
		slice_field_puts(&batch->rest, "");
		slice_field_puts(&batch->rest, "");
		rc = bus_buf_check(&batch->rest, "svn: the revision", err);
	}
	return rc;
}

static enum bus_code convert_commit(struct conversion *cv, struct adapter_batch *batch,
				    struct bus_err *err)
{
	struct commit commit = { 0 };
	struct svn_refs refs;
	bool has_commit;
	enum bus_code rc;

	svn_refs_init(&refs);
	rc = cv->uuid ? svn_look_changed(&cv->look, &refs, err) : BUS_OK;
	if (!rc && cv->uuid)
		rc = svn_look_commit(&cv->look, &commit, err);
	has_commit = !rc && cv->uuid;
	rc = rc ? do_without(cv, rc, err) : BUS_OK;
	if (!rc && !has_commit) { /* that something was committed is known still */
		svn_refs_finish(&refs);
		rc = svn_refs_end(&refs, err);
	}
	if (!rc)
		rc = convert_refs(cv, &refs, has_commit ? &commit : NULL, batch, err);
	svn_refs_finish(&refs);
	commit_finish(&commit);
	return rc;
}

enum bus_code svn_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err)
{
	struct conversion cv = { .ctx = ctx, .raw = { input, len } };
	enum bus_code rc = BUS_OK;

	if (!read_input(&cv.input, input, len)) {
		vcs_input_finish(&cv.input.vcs);
		return bus_fail(err, BUS_E_DATA, "svn: not an input of this version");
	}
	if (cv.input.vcs.repository)
		cv.subject = vcs_name(ctx, cv.input.vcs.repository, "");
	if (!cv.subject || !cv.input.vcs.pusher || !cv.input.property)
		rc = bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
	cv.look.repository = cv.input.vcs.repository;
	snprintf(cv.look.revision, sizeof(cv.look.revision), "%u", (unsigned int)cv.input.revision);
	if (!rc)
		rc = svn_look_uuid(&cv.look, &cv.uuid, err);
	if (rc && rc != BUS_E_NOMEM)
		rc = do_without(&cv, rc, err);
	if (!rc)
		rc = *cv.input.property ? convert_property(&cv, batch, err)
					: convert_commit(&cv, batch, err);
	vcs_input_finish(&cv.input.vcs);
	free(cv.input.property);
	free(cv.subject);
	free(cv.uuid);
	return rc;
}
