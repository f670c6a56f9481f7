#include "config.h"

#include "adapters/dak/lognews.h"

#include <stdio.h>

#include "adapters/dak/announce.h"
#include "adapters/dak/decide.h"

enum { PARTS_MAX = 8, SUMMARY_SIZE = 1200 };

static const struct dak_slice none = { "", 0 };

enum bus_code lognews_new(const struct adapter_context *ctx, const struct dak_line *line,
			  struct adapter_batch *batch, struct bus_err *err)
{
	struct dak_upload upload = {
		.object_event = dak_is(line->action, "NEW ACCEPT") ? "new.accept" : "new.reject",
		.changes = line->details,
		.by = line->user,
		.time_us = line->time_us,
	};
	struct dak_changes_name name;

	if (dak_changes_name_parse(&name, line->details))
		upload.source = name.source;
	return dak_upload_add(batch, ctx, &upload, err);
}

enum bus_code lognews_dm(const struct adapter_context *ctx, const struct dak_note *note,
			 struct adapter_batch *batch, struct bus_err *err)
{
	const bool migrate = dak_is(dak_slice(note->more), "migrate");
	const struct dak_member member[] = {
		{ "source", DAK_TEXT, dak_slice(note->name) },
		{ migrate ? "from" : "fingerprint", DAK_TEXT, dak_slice(note->detail) },
		{ "to", DAK_TEXT, dak_slice(note->to) },
		{ "by", DAK_TEXT, dak_slice(note->by) },
		{ NULL, DAK_TEXT, none },
	};
	char summary[SUMMARY_SIZE], type[DAK_FIELD_MAX + 4];

	snprintf(type, sizeof(type), "dm.%s", note->more);
	if (migrate)
		snprintf(summary, sizeof(summary), "%s: permission of %s moved to %s", note->name,
			 note->detail, note->to);
	else
		snprintf(summary, sizeof(summary), "%s: %s %s to upload", note->name, note->detail,
			 dak_is(dak_slice(note->more), "allow") ? "allowed" : "no longer allowed");
	return dak_event_add(batch, ctx, type, dak_slice(note->name), note->time_us, summary,
			     member, dak_slice(note->name), err);
}

/* The details of a line. */
struct parts {
	struct dak_slice part[PARTS_MAX];
	size_t count;
};

static void split(struct parts *ret, struct dak_slice rest)
{
	size_t i;

	for (i = 0; i < PARTS_MAX; i++)
		ret->part[i] = none;
	ret->count = 0;
	while (ret->count + 1 < PARTS_MAX && dak_next_part(&rest, '|', &ret->part[ret->count]))
		ret->count++;
	if (rest.len)
		ret->part[ret->count++] = rest;
}

static enum bus_code bad_details(const struct dak_line *line, struct bus_err *err)
{
	return bus_fail(err, BUS_E_DATA, "%.*s|...|%.*s: details are not those of this action",
			(int)(line->program.len < 60 ? line->program.len : 60), line->program.p,
			(int)(line->action.len < 60 ? line->action.len : 60), line->action.p);
}

static enum bus_code add_override(const struct adapter_context *ctx, const struct dak_line *line,
				  const struct dak_member *member, struct dak_slice package,
				  const char *what, struct dak_slice raw,
				  struct adapter_batch *batch, struct bus_err *err)
{
	char summary[SUMMARY_SIZE];

	snprintf(summary, sizeof(summary), "%.*s: %s by %.*s", (int)package.len, package.p, what,
		 (int)(line->user.len < 60 ? line->user.len : 60), line->user.p);
	return dak_event_add(batch, ctx, "override.change", package, line->time_us, summary, member,
			     raw, err);
}

/* PKG|OLD|NEW */
static enum bus_code change_override(const struct adapter_context *ctx, const struct dak_line *line,
				     const char *field, struct dak_slice raw,
				     struct adapter_batch *batch, struct bus_err *err)
{
	const bool is_person = field[0] == 'm';
	char what[600];
	struct parts d;

	split(&d, line->details);
	if (d.count != 3 || !dak_is_package(d.part[0]) ||
	    (!is_person && (!dak_is_section(d.part[1]) || !dak_is_section(d.part[2]))))
		return bad_details(line, err);
	snprintf(what, sizeof(what), "%s changed from %.*s to %.*s", field,
		 (int)(d.part[1].len < 200 ? d.part[1].len : 200), d.part[1].p,
		 (int)(d.part[2].len < 200 ? d.part[2].len : 200), d.part[2].p);
	{
		const struct dak_member member[] = {
			{ "package", DAK_TEXT, d.part[0] }, { "field", DAK_TEXT, dak_slice(field) },
			{ "old", DAK_TEXT, d.part[1] },	    { "new", DAK_TEXT, d.part[2] },
			{ "by", DAK_TEXT, line->user },	    { NULL, DAK_TEXT, none },
		};

		return add_override(ctx, line, member, d.part[0], what, raw, batch, err);
	}
}

/* SUITE|COMP|TYPE|PKG, and where it is new |PRIO|SECT|MAINT */
static enum bus_code set_override(const struct adapter_context *ctx, const struct dak_line *line,
				  bool is_new, struct dak_slice raw, struct adapter_batch *batch,
				  struct bus_err *err)
{
	char what[600];
	struct parts d;

	split(&d, line->details);
	if (d.count < (is_new ? 6 : 4) || d.count > (is_new ? 7 : 4) ||
	    !dak_is_section(d.part[0]) || !dak_is_section(d.part[1]) || !dak_is_suite(d.part[2]) ||
	    !dak_is_package(d.part[3]) ||
	    (is_new && (!dak_is_suite(d.part[4]) || !dak_is_section(d.part[5]))))
		return bad_details(line, err);
	if (dak_is_private(ctx, d.part[0]))
		return BUS_OK;
	snprintf(what, sizeof(what), "override %s %.*s", is_new ? "added to" : "removed from",
		 (int)d.part[0].len, d.part[0].p);
	{
		const struct dak_member member[] = {
			{ "package", DAK_TEXT, d.part[3] },
			{ "field", DAK_TEXT, dak_slice(is_new ? "added" : "removed") },
			{ "suite", DAK_TEXT, d.part[0] },
			{ "component", DAK_TEXT, d.part[1] },
			{ "override_type", DAK_TEXT, d.part[2] },
			{ "priority", DAK_TEXT, d.part[4] },
			{ "section", DAK_TEXT, d.part[5] },
			{ "by", DAK_TEXT, line->user },
			{ NULL, DAK_TEXT, none },
		};

		return add_override(ctx, line, member, d.part[3], what, raw, batch, err);
	}
}

/*
 * Two forms with the same words (dak/control_suite.py): SUITE|PKG VER ARCH, for
 * "removed" with |ID, in set mode; PKG|VER|ARCH|SUITE|ID where items are added or
 * removed one by one.
 */
static enum bus_code change_suite(const struct adapter_context *ctx, const struct dak_line *line,
				  bool is_add, struct dak_slice raw, struct adapter_batch *batch,
				  struct bus_err *err)
{
	const bool propup = dak_is(line->action, "propup");
	struct dak_slice suite, package, version, arch, rest;
	char summary[SUMMARY_SIZE];
	struct parts d;

	split(&d, line->details);
	if (d.count == 5 && !propup) {
		package = d.part[0];
		version = d.part[1];
		arch = d.part[2];
		suite = d.part[3];
	} else if (d.count == (is_add ? 2 : 3)) {
		suite = d.part[0];
		rest = d.part[1];
		dak_next_word(&rest, "", &package);
		dak_next_word(&rest, "", &version);
		dak_next_word(&rest, "", &arch);
		if (dak_trim(rest).len)
			return bad_details(line, err);
	} else {
		return bad_details(line, err);
	}
	if (!dak_is_section(suite) || !dak_is_package(package) || !dak_is_version(version) ||
	    !dak_is_suite(arch))
		return bad_details(line, err);
	if (dak_is_private(ctx, suite))
		return BUS_OK;
	snprintf(summary, sizeof(summary), "%.*s %.*s (%.*s) %s %.*s", (int)package.len, package.p,
		 (int)version.len, version.p, (int)arch.len, arch.p,
		 is_add ? "added to" : "removed from", (int)suite.len, suite.p);
	{
		const struct dak_member member[] = {
			{ "suite", DAK_TEXT, suite },	  { "package", DAK_TEXT, package },
			{ "version", DAK_TEXT, version }, { "architecture", DAK_TEXT, arch },
			{ "by", DAK_TEXT, line->user },	  { NULL, DAK_TEXT, none },
		};

		return dak_event_add(batch, ctx, is_add ? "suite.add" : "suite.remove", package,
				     line->time_us, summary, member, raw, err);
	}
}

enum bus_code lognews_add(const struct adapter_context *ctx, const struct dak_line *line,
			  struct dak_slice raw, struct adapter_batch *batch, struct bus_err *err)
{
	const struct dak_slice action = line->action;

	if (dak_is(line->program, "control-suite")) {
		if (dak_is(action, "added") || dak_is(action, "propup"))
			return change_suite(ctx, line, true, raw, batch, err);
		if (dak_is(action, "removed"))
			return change_suite(ctx, line, false, raw, batch, err);
		return BUS_OK;
	}
	if (dak_is(action, "changed priority"))
		return change_override(ctx, line, "priority", raw, batch, err);
	if (dak_is(action, "changed section"))
		return change_override(ctx, line, "section", raw, batch, err);
	if (dak_is(action, "changed maintainer override"))
		return change_override(ctx, line, "maintainer", raw, batch, err);
	if (dak_is(action, "new override"))
		return set_override(ctx, line, true, raw, batch, err);
	if (dak_is(action, "removed override"))
		return set_override(ctx, line, false, raw, batch, err);
	return BUS_OK;
}
