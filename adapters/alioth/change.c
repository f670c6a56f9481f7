#include "config.h"

#include "adapters/alioth/change.h"

#include <inttypes.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/common/text.h"
#include "event.h"
#include "timestamp.h"

const char *const change_type[CHANGE_KIND_COUNT] = {
	[CHANGE_BRANCH_CREATE] = "branch.create", [CHANGE_BRANCH_PUSH] = "branch.push",
	[CHANGE_BRANCH_FORCE] = "branch.force",	  [CHANGE_BRANCH_DELETE] = "branch.delete",
	[CHANGE_TAG_CREATE] = "tag.create",	  [CHANGE_TAG_MOVE] = "tag.move",
	[CHANGE_TAG_DELETE] = "tag.delete",	  [CHANGE_REF_PUSH] = "ref.push",
};

/* What each is called in a summary: "<repository>: <words> <ref>". */
static const char *const words_of[CHANGE_KIND_COUNT] = {
	[CHANGE_BRANCH_CREATE] = "new branch",
	[CHANGE_BRANCH_PUSH] = "advanced branch",
	[CHANGE_BRANCH_FORCE] = "rewritten branch",
	[CHANGE_BRANCH_DELETE] = "deleted branch",
	[CHANGE_TAG_CREATE] = "new tag",
	[CHANGE_TAG_MOVE] = "moved tag",
	[CHANGE_TAG_DELETE] = "deleted tag",
	[CHANGE_REF_PUSH] = "changed",
};

bool change_id_is_zero(const char *id)
{
	return id[strspn(id, "0")] == '\0';
}

void change_finish(struct change *change)
{
	size_t i;

	for (i = 0; i < change->count; i++)
		commit_finish(&change->commit[i]);
	commit_finish(&change->tag);
	change->count = 0;
}

/* The ref as people say it: without refs/heads/ and refs/tags/. */
static struct slice short_ref(struct slice ref)
{
	static const char *const prefix[] = { "refs/heads/", "refs/tags/" };
	size_t i;

	for (i = 0; i < 2; i++)
		if (slice_begins(ref, prefix[i]))
			return (struct slice){ ref.p + strlen(prefix[i]),
					       ref.len - strlen(prefix[i]) };
	return ref;
}

/* "demo/hello.git: 3 new commits on main by anna: Fix the build" */
static void write_summary(struct bus_json *js, const struct change *change)
{
	struct bus_buf text = BUS_BUF_INIT(64 * 1024), line = BUS_BUF_INIT(4 * 1024);
	const struct slice ref = short_ref(change->ref);
	const char *subject = change->tag.subject;

	if (!subject && change->count)
		subject = change->commit[0].subject;
	if (change->note)
		subject = change->note;
	bus_buf_printf(&text, "%s: ", change->repository);
	if (change->total)
		bus_buf_printf(&text, "%" PRIu64 " new commit%s on ", change->total,
			       change->total == 1 ? "" : "s");
	if (!change->total ||
	    (change->kind != CHANGE_BRANCH_PUSH && change->kind != CHANGE_REF_PUSH))
		bus_buf_printf(&text, "%s ", words_of[change->kind]);
	bus_buf_add(&text, ref.p, ref.len);
	bus_buf_printf(&text, " by %s", change->pusher);
	if (subject && *subject)
		bus_buf_printf(&text, ": %s", subject);
	if (text.p)
		text_line(&line, text.p, text.len, BUS_SUMMARY_MAX);
	bus_json_bytes(js, "summary", line.p ? line.p : "", line.len);
	bus_buf_inherit(js->out, &text);
	bus_buf_inherit(js->out, &line);
	bus_buf_finish(&text);
	bus_buf_finish(&line);
}

/* {repository}, {ref}, {old} and {new}; any other brace stays as it is. */
static void write_url(struct bus_json *js, const struct change *change, const char *pattern)
{
	const struct {
		const char *name;
		struct slice value;
	} field[] = {
		{ "{repository}", slice_of(change->repository) },
		{ "{ref}", change->ref },
		{ "{old}", slice_of(change->old_id ? change->old_id : "") },
		{ "{new}", slice_of(change->new_id ? change->new_id : "") },
	};
	struct bus_buf url = BUS_BUF_INIT(32 * 1024);
	size_t i;

	while (*pattern) {
		for (i = 0; i < 4; i++)
			if (strncmp(pattern, field[i].name, strlen(field[i].name)) == 0)
				break;
		if (i < 4) {
			text_percent(&url, field[i].value.p, field[i].value.len);
			pattern += strlen(field[i].name);
		} else {
			bus_buf_add(&url, pattern++, 1);
		}
	}
	if (!url.failed && url.len)
		bus_json_bytes(js, "url", url.p, url.len);
	bus_buf_inherit(js->out, &url);
	bus_buf_finish(&url);
}

static void write_closes(struct bus_json *js, const struct closes *closes)
{
	size_t i;

	bus_json_open(js, "closes", '[');
	for (i = 0; i < closes->count; i++)
		bus_json_uint(js, NULL, closes->bug[i]);
	bus_json_close(js, ']');
}

static void write_cut(struct bus_json *js, const char *name, const char *text, size_t max)
{
	struct bus_buf line = BUS_BUF_INIT(4 * 1024);

	text_line(&line, text, strlen(text), max);
	bus_json_bytes(js, name, line.p ? line.p : "", line.len);
	bus_buf_inherit(js->out, &line);
	bus_buf_finish(&line);
}

static void write_commit(struct bus_json *js, const struct commit *commit,
			 const struct change_detail *detail)
{
	char date[BUS_TIME_LEN + 1];

	bus_json_open(js, NULL, '{');
	if (*commit->id)
		bus_json_text(js, "id", commit->id);
	write_cut(js, "author", commit->person, detail->characters);
	if (commit->has_date) {
		bus_time_format(date, commit->date_us);
		bus_json_text(js, "date", date);
	}
	write_cut(js, "subject", commit->subject, detail->characters);
	if (detail->closes)
		write_closes(js, &commit->closes);
	bus_json_close(js, '}');
}

static void write_commits(struct bus_json *js, const struct change *change,
			  const struct change_detail *detail)
{
	size_t n = change->count < detail->commits ? change->count : detail->commits;
	struct closes all = { .count = 0 };
	size_t i, b;

	bus_json_uint(js, "commits_total", change->total);
	bus_json_open(js, "commits", '[');
	while (n)
		write_commit(js, &change->commit[--n], detail);
	bus_json_close(js, ']');
	for (i = change->count; i; i--)
		for (b = 0; b < change->commit[i - 1].closes.count; b++)
			closes_add(&all, change->commit[i - 1].closes.bug[b]);
	if (detail->closes)
		write_closes(js, &all);
}

static void write_tag(struct bus_json *js, const struct change *change,
		      const struct change_detail *detail)
{
	bus_json_bool(js, "annotated", change->annotated);
	if (!change->annotated)
		return;
	if (change->target)
		bus_json_text(js, "target", change->target);
	if (change->tag.person && *change->tag.person)
		write_cut(js, "tagger", change->tag.person, detail->characters);
	if (change->tag.subject)
		write_cut(js, "message", change->tag.subject, detail->characters);
}

/* A page for the new state of what was deleted, or of what has no name, does not exist. */
static bool has_page(const struct change *change, const char *url)
{
	if (strstr(url, "{old}") && !change->old_id)
		return false;
	return !strstr(url, "{new}") || (change->new_id && !change_id_is_zero(change->new_id));
}

void change_write(struct bus_buf *out, const struct change *change,
		  const struct change_detail *detail, const char *url)
{
	struct bus_json js = { out, false };

	bus_json_open(&js, NULL, '{');
	write_summary(&js, change);
	if (url && has_page(change, url))
		write_url(&js, change, url);
	bus_json_text(&js, "vcs", change->vcs);
	bus_json_text(&js, "repository", change->repository);
	bus_json_bytes(&js, "ref", change->ref.p, change->ref.len);
	if (change->old_id)
		bus_json_text(&js, "old", change->old_id);
	if (change->new_id)
		bus_json_text(&js, "new", change->new_id);
	bus_json_text(&js, "pusher", change->pusher);
	if (change->has_commits)
		write_commits(&js, change, detail);
	if (change->has_tag)
		write_tag(&js, change, detail);
	if (change->write_more)
		change->write_more(&js, change->more, detail);
	bus_json_close(&js, '}');
}

enum bus_code change_add(const struct adapter_context *ctx, const struct change *change,
			 int64_t time_us, size_t number, struct slice raw,
			 struct adapter_batch *batch, struct bus_err *err)
{
	static const struct change_detail detail[] = {
		{ CHANGE_NEWEST, COMMIT_TEXT_MAX, true },
		{ CHANGE_NEWEST, 60, true },
		{ 5, 60, true },
		{ 1, 60, true },
		{ 0, 60, false },
	};
	const size_t n = sizeof(detail) / sizeof(*detail);
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	const char *type = change_type[change->kind];
	enum bus_code rc = BUS_E_DATA;
	size_t i;

	for (i = 0; i < n && rc == BUS_E_DATA; i++) {
		bus_buf_clear(&data);
		change_write(&data, change, &detail[i], bus_conf_option(ctx->service, "url"));
		rc = bus_buf_check(&data, type, err);
		if (!rc)
			rc = batch_try(ctx, type, change->repository, &data, err);
	}
	if (!rc || rc == BUS_E_DATA)
		rc = batch_add(batch, ctx, type, change->repository, time_us, &data, number, raw.p,
			       raw.len, err);
	bus_buf_finish(&data);
	return rc;
}
