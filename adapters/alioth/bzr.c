#include "config.h"

#include "adapters/alioth/bzr.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/alioth/change.h"
#include "adapters/alioth/vcs.h"
#include "timestamp.h"

static const char format[] = "bzr 1", plugin_format[] = "debmsg-bzr 1", no_id[] = "0";

enum { REVISION_ID_MAX = 1000 /* bytes */ };

static bool read_id(struct slice *fields, uint64_t *number, struct slice *id)
{
	struct slice digits;

	return slice_field(fields, &digits) && slice_number(digits, INT64_MAX, number) &&
	       slice_field(fields, id) && id->len && id->len <= REVISION_ID_MAX &&
	       !memchr(id->p, '\0', id->len);
}

bool bzr_tip_read(struct bzr_tip *ret, struct slice fields)
{
	struct slice name;

	if (!slice_field(&fields, &name) || !slice_is(name, plugin_format) ||
	    !slice_field(&fields, &ret->path) || !slice_begins(ret->path, "/") ||
	    memchr(ret->path.p, '\0', ret->path.len) ||
	    !read_id(&fields, &ret->old_number, &ret->old_id) ||
	    !read_id(&fields, &ret->new_number, &ret->new_id) ||
	    !slice_field(&fields, &ret->is_ancestor))
		return false;
	ret->revisions = fields;
	return true;
}

static enum bus_code write_input(struct bus_buf *out, char *path, const struct bus_buf *text,
				 struct bus_err *err)
{
	char pusher[VCS_PUSHER_MAX + 1];
	struct vcs_input input = {
		.time_us = bus_time_now(),
		.repository = path,
		.pusher = pusher,
	};

	vcs_pusher(pusher, NULL);
	vcs_input_write(out, format, &input);
	slice_field_add(out, text->p, text->len);
	return bus_buf_check(out, "bzr: the revisions", err);
}

enum bus_code bzr_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(VCS_STDIN_MAX);
	char real[PATH_MAX], *path = NULL;
	struct bzr_tip tip;
	size_t over = 0;
	enum bus_code rc;

	if (*operand)
		return bus_fail(err, BUS_E_USAGE,
				"bzr: unexpected operand %s; the plugin debmsg.py runs this",
				*operand);
	rc = vcs_stdin(&text, &over, err);
	if (rc)
		goto out;
	if (over || !bzr_tip_read(&tip, slice_of_buf(&text))) {
		rc = bus_fail(err, BUS_E_USAGE,
			      "bzr: stdin is not from the plugin debmsg.py of this version; see "
			      "--pending");
		goto out;
	}
	path = strndup(tip.path.p, tip.path.len);
	if (path && !realpath(path, real))
		snprintf(real, sizeof(real), "%s", path);
	if (!path)
		rc = bus_fail(err, BUS_E_NOMEM, "bzr: out of memory");
	else if (vcs_is_served(ctx, real))
		rc = write_input(&ret->input, real, &text, err);
out:
	bus_buf_finish(&text);
	free(path);
	return rc;
}

/* -- convert -- */

/* The first count of the revisions; one that is cut off ends them. */
static enum bus_code read_revisions(struct change *change, struct slice fields, struct bus_err *err)
{
	static const uint64_t max = 253402300799; /* the end of the year 9999 */
	struct slice id, person, date, message;
	enum bus_code rc = BUS_OK;
	struct commit *commit;
	uint64_t seconds;

	while (!rc && change->count < CHANGE_NEWEST && slice_field(&fields, &id) &&
	       slice_field(&fields, &person) && slice_field(&fields, &date) &&
	       slice_field(&fields, &message)) {
		commit = &change->commit[change->count];
		rc = commit_new(commit, id, person, message, err);
		if (rc)
			break;
		change->count++;
		commit->has_date = slice_number(date, max, &seconds);
		if (commit->has_date)
			commit->date_us = (int64_t)seconds * 1000000;
	}
	return rc;
}

static enum change_kind kind_of(const struct bzr_tip *tip)
{
	if (!tip->old_number)
		return CHANGE_BRANCH_CREATE;
	if (!tip->new_number)
		return CHANGE_BRANCH_DELETE;
	return slice_is(tip->is_ancestor, "0") ? CHANGE_BRANCH_FORCE : CHANGE_BRANCH_PUSH;
}

static void write_more(struct bus_json *js, const void *more, const struct change_detail *detail)
{
	const struct bzr_tip *tip = more;

	(void)detail;
	bus_json_uint(js, "revno", tip->new_number);
}

static enum bus_code convert_tip(const struct adapter_context *ctx, const struct vcs_input *input,
				 const struct bzr_tip *tip, struct slice raw,
				 struct adapter_batch *batch, struct bus_err *err)
{
	char *subject = vcs_name(ctx, input->repository, "");
	char *old_id = strndup(tip->old_id.p, tip->old_id.len);
	char *new_id = strndup(tip->new_id.p, tip->new_id.len);
	struct change change = {
		.kind = kind_of(tip),
		.vcs = "bzr",
		.repository = subject,
		.ref = slice_of("/"),
		.old_id = tip->old_number ? old_id : no_id,
		.new_id = tip->new_number ? new_id : no_id,
		.pusher = input->pusher,
		.write_more = write_more,
		.more = tip,
	};
	enum bus_code rc = BUS_OK;

	if (!subject || !old_id || !new_id)
		rc = bus_fail(err, BUS_E_NOMEM, "bzr: out of memory");
	if (!rc && change.kind != CHANGE_BRANCH_DELETE)
		rc = read_revisions(&change, tip->revisions, err);
	/* how many are new on a line that was rewritten, the numbers do not say */
	change.has_commits = change.kind == CHANGE_BRANCH_CREATE ||
			     (change.kind == CHANGE_BRANCH_PUSH &&
			      tip->new_number > tip->old_number);
	if (change.has_commits)
		change.total = tip->new_number - tip->old_number;
	if (!rc)
		rc = change_add(ctx, &change, input->time_us, 1, raw, batch, err);
	change_finish(&change);
	free(subject);
	free(old_id);
	free(new_id);
	return rc;
}

enum bus_code bzr_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err)
{
	struct slice fields = { input, len }, text;
	const struct slice raw = fields;
	struct vcs_input stored = { 0 };
	struct bzr_tip tip;
	enum bus_code rc;

	if (!vcs_input_read(&stored, format, &fields) || !slice_field(&fields, &text) ||
	    fields.len || !bzr_tip_read(&tip, text))
		rc = bus_fail(err, BUS_E_DATA, "bzr: not an input of this version");
	else if (!stored.repository || !stored.pusher)
		rc = bus_fail(err, BUS_E_NOMEM, "bzr: out of memory");
	else
		rc = convert_tip(ctx, &stored, &tip, raw, batch, err);
	vcs_input_finish(&stored);
	return rc;
}
