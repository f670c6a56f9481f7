#include "config.h"

#include "adapters/dak/decide.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "adapters/common/say.h"
#include "adapters/dak/announce.h"
#include "adapters/dak/lognews.h"

/* What dak itself has on the host of the security team (config/debian-security). */
static const char *const default_private[] = { "embargoed", "unembargoed", NULL };

bool dak_is_private(const struct adapter_context *ctx, struct dak_slice name)
{
	char *const *list = bus_conf_option_list(ctx->service, "private-queues");
	size_t i;

	for (i = 0; !list && default_private[i]; i++)
		if (dak_is(name, default_private[i]))
			return true;
	for (i = 0; list && list[i]; i++)
		if (dak_is(name, list[i]))
			return true;
	return false;
}

bool dak_has_private(const struct adapter_context *ctx, const struct dak_memory *memory)
{
	char *const *list = bus_conf_option_list(ctx->service, "private-queues");

	if (list)
		return list[0] && list[0][0];
	return dak_memory_find(memory, 0, DAK_NOTE_HOST, NULL, NULL) < memory->count;
}

enum bus_code dak_note_private(struct dak_memory *memory, struct dak_slice changes, int64_t now_us,
			       struct bus_err *err)
{
	struct dak_note note = { .kind = DAK_NOTE_PRIVATE, .time_us = now_us, .since_us = now_us };
	enum bus_code rc = BUS_OK;

	DAK_NOTE_SET(note.name, changes);
	if (dak_memory_find(memory, 0, DAK_NOTE_PRIVATE, NULL, note.name) == memory->count)
		rc = dak_memory_add(memory, &note, err);
	if (rc || dak_memory_find(memory, 0, DAK_NOTE_HOST, NULL, NULL) < memory->count)
		return rc;
	note.kind = DAK_NOTE_HOST;
	note.name[0] = '\0';
	return dak_memory_add(memory, &note, err);
}

/* The log's times are whole seconds, and a file system's clock may be another one. */
enum { SLACK_US = 2000000 };

/* A line on its way through. */
struct line {
	const struct dak_decider *d;
	const struct dak_line *p;
	char log[DAK_LOG_MAX];
	struct dak_slice raw;
	struct adapter_batch *batch;
};

static enum bus_code bad_line(const struct line *line, struct bus_err *err, const char *what)
{
	return bus_fail(err, BUS_E_DATA, "%.*s: %s",
			(int)(line->p->action.len < 60 ? line->p->action.len : 60),
			line->p->action.p, what);
}

/* -- what is open and what is final -- */

static void forget_name(struct dak_memory *memory, enum dak_note_kind kind, const char *log,
			const char *name)
{
	size_t i;

	while ((i = dak_memory_find(memory, 0, kind, log, name)) < memory->count)
		dak_memory_remove(memory, i);
}

/* Old lines count from when they were written: what they wait for came with them, or never. */
static int64_t waits_since(const struct line *line, int64_t time_us)
{
	const int64_t two_hours = 2 * 3600 * (int64_t)1000000;

	return time_us < line->d->now_us - two_hours ? time_us : line->d->now_us;
}

/* All that this program has open is final; but for the file that it still works on. */
static void settle(const struct line *line, const char *but)
{
	struct dak_memory *memory = line->d->memory;
	size_t i = 0;

	while ((i = dak_memory_find(memory, i, DAK_NOTE_OPEN, line->log, NULL)) < memory->count) {
		struct dak_note *note = &memory->note[i++];

		if (but && strcmp(note->name, but) == 0)
			continue;
		note->kind = DAK_NOTE_WAIT;
		note->since_us = waits_since(line, note->time_us);
		memory->is_changed = true;
	}
}

/* The mail of what is undone may be there already; none that is written after `until_us`. */
static enum bus_code undo(const struct line *line, size_t index, int64_t until_us,
			  struct bus_err *err)
{
	struct dak_memory *memory = line->d->memory;
	struct dak_note note = memory->note[index];

	dak_memory_remove(memory, index);
	note.kind = DAK_NOTE_VOID;
	note.time_us = until_us;
	note.since_us = waits_since(line, note.time_us);
	return dak_memory_add(memory, &note, err);
}

/*
 * Is this a note of an earlier or of the same run?  They differ in nothing but
 * the month, behind which stand program and user.
 */
static bool is_earlier(const struct line *line, const struct dak_note *note)
{
	const char *mine = strchr(line->log, '|'), *its = strchr(note->log, '|');

	return mine && its && strcmp(mine, its) == 0 && strcmp(note->log, line->log) <= 0;
}

static enum bus_code undo_all(const struct line *line, struct bus_err *err)
{
	struct dak_memory *memory = line->d->memory;
	enum bus_code rc = BUS_OK;
	struct dak_note *note;
	size_t i = 0;

	while (!rc && i < memory->count) {
		note = &memory->note[i];
		if (is_earlier(line, note) && note->kind == DAK_NOTE_OPEN) {
			say(LOG_NOTICE, "log: an upload was not finished by %s; not announced",
			    note->log);
			rc = undo(line, i, line->p->time_us - 1, err);
		} else if (is_earlier(line, note) &&
			   (note->kind == DAK_NOTE_DM || note->kind == DAK_NOTE_COMMAND)) {
			dak_memory_remove(memory, i);
		} else {
			i++;
		}
	}
	return rc;
}

static enum bus_code open_decision(const struct line *line, enum dak_act act,
				   struct dak_slice changes, struct dak_slice queue,
				   struct bus_err *err)
{
	struct dak_memory *memory = line->d->memory;
	struct dak_note note = { .kind = DAK_NOTE_OPEN, .act = act, .time_us = line->p->time_us };
	enum bus_code rc = BUS_OK;
	size_t i;

	if (!dak_is_file(changes) || !dak_ends(changes, ".changes"))
		return bad_line(line, err, "no name of a .changes file");
	DAK_NOTE_SET(note.log, dak_slice(line->log));
	DAK_NOTE_SET(note.name, changes);
	DAK_NOTE_SET(note.detail, queue);
	DAK_NOTE_SET(note.by, line->p->user);
	note.since_us = line->d->now_us;
	i = dak_memory_find(memory, 0, DAK_NOTE_OPEN, line->log, note.name);
	if (i < memory->count && memory->note[i].act == act)
		dak_memory_remove(memory, i); /* a rejection that failed is tried again */
	else if (i < memory->count)
		rc = undo(line, i, line->p->time_us + SLACK_US, err);
	return rc ? rc : dak_memory_add(memory, &note, err);
}

/* -- the programs -- */

static enum bus_code process_upload(const struct line *line, struct bus_err *err)
{
	static const struct {
		const char *action;
		enum dak_act act;
	} decision[] = { { "ACCEPT", DAK_ACCEPT },
			 { "ACCEPT-TO-NEW", DAK_NEW },
			 { "REJECT", DAK_REJECT } };
	const struct dak_slice none = { "", 0 };
	size_t i;

	for (i = 0; i < sizeof(decision) / sizeof(*decision); i++)
		if (dak_is(line->p->action, decision[i].action))
			return open_decision(line, decision[i].act, line->p->details, none, err);
	if (dak_is(line->p->action, "Processing changes file") ||
	    dak_is(line->p->action, "total") || dak_is(line->p->action, "rejected") ||
	    dak_is(line->p->action, "program end"))
		settle(line, NULL);
	return BUS_OK;
}

static enum bus_code process_policy(const struct line *line, struct bus_err *err)
{
	const bool accept = dak_is(line->p->action, "Policy Queue ACCEPT");
	struct dak_slice rest = line->p->details, queue, name;
	char changes[DAK_NAME_MAX + 1];
	enum bus_code rc = BUS_OK;

	if (dak_starts(line->p->action, "removed ") || dak_is(line->p->action, "program end"))
		settle(line, NULL);
	if (!accept && !dak_is(line->p->action, "Policy Queue REJECT"))
		return BUS_OK;
	if (!dak_next_part(&rest, '|', &queue) || !dak_is_suite(queue) ||
	    !dak_next_part(&rest, '|', &name) || rest.len)
		return bad_line(line, err, "no queue and .changes file");
	DAK_NOTE_SET(changes, name);
	settle(line, changes);
	rc = open_decision(line, accept ? DAK_POLICY_ACCEPT : DAK_POLICY_REJECT, name, queue, err);
	if (!rc && dak_is_private(line->d->ctx, queue))
		rc = dak_note_private(line->d->memory, name, line->d->now_us, err);
	return rc;
}

static enum bus_code process_new(const struct line *line, struct bus_err *err)
{
	const struct dak_slice none = { "", 0 };
	enum bus_code rc;

	if (!dak_starts(line->p->action, "NEW "))
		return BUS_OK;
	if (dak_is(line->p->action, "NEW PROD")) {
		rc = open_decision(line, DAK_PROD, line->p->details, none, err);
		settle(line, NULL);
		return rc;
	}
	if (!dak_is(line->p->action, "NEW ACCEPT") && !dak_is(line->p->action, "NEW REJECT"))
		return BUS_OK;
	if (!dak_is_file(line->p->details) || !dak_ends(line->p->details, ".changes"))
		return bad_line(line, err, "no name of a .changes file");
	if (dak_has_private(line->d->ctx, line->d->memory))
		return BUS_OK;
	return lognews_new(line->d->ctx, line->p, line->batch, err);
}

/* Permissions of the section that is done. */
static enum bus_code settle_permissions(const struct line *line, struct bus_err *err)
{
	struct dak_memory *memory = line->d->memory;
	enum bus_code rc = BUS_OK;
	size_t i;

	while (!rc &&
	       (i = dak_memory_find(memory, 0, DAK_NOTE_DM, line->log, NULL)) < memory->count) {
		rc = lognews_dm(line->d->ctx, &memory->note[i], line->batch, err);
		if (!rc)
			dak_memory_remove(memory, i);
	}
	return rc;
}

static enum bus_code open_permission(const struct line *line, const char *what,
				     struct dak_slice fingerprint, struct dak_slice to,
				     struct dak_slice source, struct bus_err *err)
{
	struct dak_memory *memory = line->d->memory;
	size_t i = dak_memory_find(memory, 0, DAK_NOTE_COMMAND, line->log, NULL);
	struct dak_note note = { .kind = DAK_NOTE_DM, .time_us = line->p->time_us };

	if (!dak_is_fingerprint(fingerprint) || (to.len && !dak_is_fingerprint(to)) ||
	    !dak_is_package(source))
		return bad_line(line, err, "no fingerprint and package");
	DAK_NOTE_SET(note.log, dak_slice(line->log));
	DAK_NOTE_SET(note.name, source);
	DAK_NOTE_SET(note.detail, fingerprint);
	DAK_NOTE_SET(note.to, to);
	DAK_NOTE_SET(note.more, dak_slice(what));
	if (i < memory->count)
		DAK_NOTE_SET(note.by, dak_slice(memory->note[i].by));
	note.since_us = line->d->now_us;
	return dak_memory_add(memory, &note, err);
}

/* The rest of a part behind "source=" and the like; empty where it does not begin so. */
static struct dak_slice behind(struct dak_slice part, const char *prefix)
{
	const size_t len = strlen(prefix);

	if (!dak_starts(part, prefix))
		return (struct dak_slice){ "", 0 };
	return (struct dak_slice){ part.p + len, part.len - len };
}

static enum bus_code end_command(const struct line *line, struct bus_err *err)
{
	enum bus_code rc = settle_permissions(line, err);

	forget_name(line->d->memory, DAK_NOTE_COMMAND, line->log, NULL);
	return rc;
}

static enum bus_code begin_command(const struct line *line, struct dak_slice file,
				   struct dak_slice signed_by, struct bus_err *err)
{
	struct dak_note note = { .kind = DAK_NOTE_COMMAND, .time_us = line->p->time_us };
	enum bus_code rc = end_command(line, err);

	DAK_NOTE_SET(note.log, dak_slice(line->log));
	DAK_NOTE_SET(note.name, file);
	if (dak_is_fingerprint(behind(signed_by, "signed-by=")))
		DAK_NOTE_SET(note.by, behind(signed_by, "signed-by="));
	note.since_us = line->d->now_us;
	return rc ? rc : dak_memory_add(line->d->memory, &note, err);
}

static enum bus_code command(const struct line *line, struct bus_err *err)
{
	const struct dak_slice action = line->p->action, none = { "", 0 };
	struct dak_slice rest = line->p->details, part[3] = { none, none, none };
	size_t i;

	for (i = 0; i < 3 && dak_next_part(&rest, '|', &part[i]); i++)
		;
	if (dak_is(action, "processing"))
		return begin_command(line, part[0], part[1], err);
	if (dak_is(action, "dm") && (dak_is(part[0], "allow") || dak_is(part[0], "deny")))
		return open_permission(line, dak_is(part[0], "allow") ? "allow" : "deny", part[1],
				       none, part[2], err);
	if (dak_is(action, "dm-remove") && part[1].len)
		return open_permission(line, "remove", part[0], none, behind(part[1], "source="),
				       err);
	if (dak_is(action, "dm-migrate") && part[2].len)
		return open_permission(line, "migrate", behind(part[0], "from="),
				       behind(part[1], "to="), behind(part[2], "source="), err);
	if (dak_is(action, "ERROR") || dak_is(action, "reject") ||
	    dak_starts(action, "Exception while processing")) {
		forget_name(line->d->memory, DAK_NOTE_DM, line->log, NULL);
		return BUS_OK;
	}
	/* the next section begins, or the file is done */
	if ((dak_is(action, "dm") && dak_is(part[0], "fingerprint")) ||
	    dak_is(action, "dm-remove") || dak_is(action, "dm-migrate"))
		return settle_permissions(line, err);
	return dak_is(action, "done") || dak_is(action, "program end") ? end_command(line, err)
								       : BUS_OK;
}

static enum bus_code news(const struct line *line, struct bus_err *err)
{
	return lognews_add(line->d->ctx, line->p, line->raw, line->batch, err);
}

enum bus_code dak_decide(const struct dak_decider *decider, const struct dak_line *dak_line,
			 const char *month, struct dak_slice raw, struct adapter_batch *batch,
			 struct bus_err *err)
{
	static const struct {
		const char *program;
		enum bus_code (*take)(const struct line *line, struct bus_err *err);
	} program[] = {
		{ "process-upload", process_upload },
		{ "process-policy", process_policy },
		{ "process-new", process_new },
		{ "command", command },
		{ "override", news },
		{ "control-overrides", news },
		{ "control-suite", news },
	};
	struct line line = { .d = decider, .p = dak_line, .raw = raw, .batch = batch };
	char key[DAK_LOG_MAX];
	enum bus_code rc = BUS_OK;
	size_t i;

	snprintf(key, sizeof(key), "%s|%.*s|%.*s", month,
		 (int)(dak_line->program.len < 60 ? dak_line->program.len : 60),
		 dak_line->program.p, (int)(dak_line->user.len < 60 ? dak_line->user.len : 60),
		 dak_line->user.p);
	DAK_NOTE_SET(line.log, dak_slice(key));
	for (i = 0; i < sizeof(program) / sizeof(*program); i++) {
		if (!dak_is(dak_line->program, program[i].program))
			continue;
		if (dak_is(dak_line->action, "program start"))
			rc = undo_all(&line, err);
		return rc ? rc : program[i].take(&line, err);
	}
	return BUS_OK;
}
