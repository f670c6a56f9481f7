#include "config.h"

#include "adapters/alioth/darcs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/alioth/darcs_patches.h"
#include "adapters/alioth/vcs.h"
#include "timestamp.h"

static const char format[] = "darcs 1";

/* One input on its way to events. */
struct conversion {
	const struct adapter_context *ctx;
	struct vcs_input input;
	struct slice raw;
	char *subject;
	bool is_known; /* darcs said which patches there are */
	struct darcs_patches patches;
};

enum bus_code darcs_capture(const struct adapter_context *ctx, char **operand,
			    struct adapter_capture *ret, struct bus_err *err)
{
	const char *xml = getenv("DARCS_PATCHES_XML"), *text = getenv("DARCS_PATCHES");
	struct vcs_input input = { .time_us = bus_time_now() };
	char pusher[VCS_PUSHER_MAX + 1];
	struct stat st;

	(void)ctx;
	if (*operand)
		return bus_fail(err, BUS_E_USAGE,
				"darcs: unexpected operand %s; a posthook of darcs has none",
				*operand);
	if (stat("_darcs", &st) != 0 || !S_ISDIR(st.st_mode))
		return bus_fail(err, BUS_E_USAGE,
				"darcs: there is no _darcs here, so this was not run by darcs; set "
				"it "
				"as 'apply posthook' in _darcs/prefs/defaults, or see --pending");
	input.repository = realpath(".", NULL);
	if (!input.repository)
		return bus_fail(err, BUS_E_TEMP, "darcs: the repository: %s", strerror(errno));
	vcs_pusher(pusher, NULL);
	input.pusher = pusher;
	vcs_input_write(&ret->input, format, &input);
	slice_field_puts(&ret->input, xml ? xml : "");
	slice_field_puts(&ret->input, text && !xml ? text : "");
	free(input.repository);
	return bus_buf_check(&ret->input, "darcs: the push", err);
}

static enum bus_code read_input(struct conversion *cv, struct slice fields, struct bus_err *err)
{
	struct slice xml, text;

	if (!vcs_input_read(&cv->input, format, &fields) || !slice_field(&fields, &xml) ||
	    !slice_field(&fields, &text) || fields.len)
		return bus_fail(err, BUS_E_DATA, "darcs: not an input of this version");
	if (!cv->input.repository || !cv->input.pusher)
		return bus_fail(err, BUS_E_NOMEM, "darcs: out of memory");
	cv->is_known = xml.len || text.len;
	if (xml.len)
		return darcs_patches_xml(&cv->patches, xml, err);
	return text.len ? darcs_patches_text(&cv->patches, text, err) : BUS_OK;
}

static struct change new_change(const struct conversion *cv)
{
	const struct change change = {
		.vcs = "darcs",
		.repository = cv->subject,
		.ref = slice_of("/"),
		.pusher = cv->input.pusher,
	};

	return change;
}

static enum bus_code convert_patches(struct conversion *cv, struct adapter_batch *batch,
				     struct bus_err *err)
{
	const struct darcs_patches *patches = &cv->patches;
	struct change change = new_change(cv);

	if (cv->is_known && !patches->total)
		return BUS_OK;
	change.kind = CHANGE_BRANCH_PUSH;
	change.has_commits = cv->is_known;
	change.total = patches->total;
	for (; change.count < CHANGE_NEWEST && change.count < patches->total; change.count++)
		change.commit[change.count] =
			patches->newest[(patches->total - 1 - change.count) % CHANGE_NEWEST];
	if (change.count)
		change.new_id = change.commit[0].id;
	return change_add(cv->ctx, &change, cv->input.time_us, 1, cv->raw, batch, err);
}

static enum bus_code convert_tag(struct conversion *cv, const struct darcs_tag *tag, size_t number,
				 struct adapter_batch *batch, struct bus_err *err)
{
	struct change change = new_change(cv);
	char *ref = NULL;
	enum bus_code rc;

	if (asprintf(&ref, "tags/%s", tag->name) < 0)
		return bus_fail(err, BUS_E_NOMEM, "darcs: out of memory");
	change.kind = CHANGE_TAG_CREATE;
	change.ref = slice_of(ref);
	change.new_id = tag->patch.id;
	change.has_tag = change.annotated = true;
	change.tag = tag->patch;
	rc = change_add(cv->ctx, &change, cv->input.time_us, number, cv->raw, batch, err);
	free(ref);
	return rc;
}

enum bus_code darcs_convert(const struct adapter_context *ctx, const char *input, size_t len,
			    struct adapter_batch *batch, struct bus_err *err)
{
	struct conversion cv = { .ctx = ctx, .raw = { input, len } };
	enum bus_code rc;
	size_t i;

	rc = read_input(&cv, cv.raw, err);
	if (!rc) {
		cv.subject = vcs_name(ctx, cv.input.repository, "");
		rc = cv.subject ? convert_patches(&cv, batch, err)
				: bus_fail(err, BUS_E_NOMEM, "darcs: out of memory");
	}
	for (i = 0; i < cv.patches.tag_count && !rc; i++)
		rc = convert_tag(&cv, &cv.patches.tag[i], i + 2, batch, err);
	vcs_input_finish(&cv.input);
	darcs_patches_finish(&cv.patches);
	free(cv.subject);
	return rc;
}
