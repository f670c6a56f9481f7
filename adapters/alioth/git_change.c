#include "config.h"

#include "adapters/alioth/git_change.h"

#include <inttypes.h>
#include <string.h>

#include "adapters/common/text.h"
#include "event.h"
#include "json.h"
#include "timestamp.h"

const char *const git_kind_type[GIT_KIND_COUNT] = {
	[GIT_BRANCH_CREATE] = "branch.create", [GIT_BRANCH_PUSH] = "branch.push",
	[GIT_BRANCH_FORCE] = "branch.force",   [GIT_BRANCH_DELETE] = "branch.delete",
	[GIT_TAG_CREATE] = "tag.create",       [GIT_TAG_MOVE] = "tag.move",
	[GIT_TAG_DELETE] = "tag.delete",       [GIT_REF_PUSH] = "ref.push",
};

/* What each is called in a summary: "<repository>: <words> <ref>". */
static const char *const words_of[GIT_KIND_COUNT] = {
	[GIT_BRANCH_CREATE] = "new branch",
	[GIT_BRANCH_PUSH] = "advanced branch",
	[GIT_BRANCH_FORCE] = "rewritten branch",
	[GIT_BRANCH_DELETE] = "deleted branch",
	[GIT_TAG_CREATE] = "new tag",
	[GIT_TAG_MOVE] = "moved tag",
	[GIT_TAG_DELETE] = "deleted tag",
	[GIT_REF_PUSH] = "changed",
};

static const char heads[] = "refs/heads/", tags[] = "refs/tags/";

static bool is_below(struct git_slice ref, const char *prefix)
{
	return ref.len > strlen(prefix) && memcmp(ref.p, prefix, strlen(prefix)) == 0;
}

enum git_kind git_kind_of(const struct git_line *line)
{
	const bool created = git_id_is_zero(line->old_id), deleted = git_id_is_zero(line->new_id);

	if (is_below(line->ref, heads))
		return created ? GIT_BRANCH_CREATE : deleted ? GIT_BRANCH_DELETE : GIT_BRANCH_PUSH;
	if (is_below(line->ref, tags))
		return created ? GIT_TAG_CREATE : deleted ? GIT_TAG_DELETE : GIT_TAG_MOVE;
	return GIT_REF_PUSH;
}

void git_change_finish(struct git_change *change)
{
	size_t i;

	for (i = 0; i < change->count; i++)
		git_commit_finish(&change->commit[i]);
	git_commit_finish(&change->tag);
	change->count = 0;
}

/* The ref as people say it: without refs/heads/ and refs/tags/. */
static struct git_slice short_ref(struct git_slice ref)
{
	const char *prefix = is_below(ref, heads) ? heads : is_below(ref, tags) ? tags : "";

	ref.p += strlen(prefix);
	ref.len -= strlen(prefix);
	return ref;
}

/* "demo/hello.git: 3 new commits on main by anna: Fix the build" */
static void write_summary(struct bus_json *js, const struct git_change *change)
{
	struct bus_buf text = BUS_BUF_INIT(64 * 1024), line = BUS_BUF_INIT(4 * 1024);
	const struct git_slice ref = short_ref(change->line.ref);
	const char *subject = change->tag.subject;

	if (!subject && change->count)
		subject = change->commit[0].subject;
	bus_buf_printf(&text, "%s: ", change->repository);
	if (change->total)
		bus_buf_printf(&text, "%" PRIu64 " new commit%s on ", change->total,
			       change->total == 1 ? "" : "s");
	if (!change->total || (change->kind != GIT_BRANCH_PUSH && change->kind != GIT_REF_PUSH))
		bus_buf_printf(&text, "%s ", words_of[change->kind]);
	bus_buf_add(&text, ref.p, ref.len);
	bus_buf_printf(&text, " by %s", change->pusher);
	if (subject && *subject)
		bus_buf_printf(&text, ": %s", subject);
	if (text.p)
		text_line(&line, text.p, text.len, BUS_SUMMARY_MAX);
	bus_json_bytes(js, "summary", line.p ? line.p : "", line.len);
	bus_buf_finish(&text);
	bus_buf_finish(&line);
}

/* {repository}, {ref}, {old} and {new}; any other brace stays as it is. */
static void write_url(struct bus_json *js, const struct git_change *change, const char *pattern)
{
	const struct {
		const char *name;
		struct git_slice value;
	} field[] = {
		{ "{repository}", { change->repository, strlen(change->repository) } },
		{ "{ref}", change->line.ref },
		{ "{old}", { change->line.old_id, strlen(change->line.old_id) } },
		{ "{new}", { change->line.new_id, strlen(change->line.new_id) } },
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
	bus_buf_finish(&line);
}

static void write_commit(struct bus_json *js, const struct git_commit *commit,
			 const struct git_detail *detail)
{
	char date[BUS_TIME_LEN + 1];

	bus_json_open(js, NULL, '{');
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

static void write_commits(struct bus_json *js, const struct git_change *change,
			  const struct git_detail *detail)
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

static void write_tag(struct bus_json *js, const struct git_change *change,
		      const struct git_detail *detail)
{
	bus_json_bool(js, "annotated", change->annotated);
	if (!change->annotated)
		return;
	if (change->target[0])
		bus_json_text(js, "target", change->target);
	if (change->tag.person && *change->tag.person)
		write_cut(js, "tagger", change->tag.person, detail->characters);
	if (change->tag.subject)
		write_cut(js, "message", change->tag.subject, detail->characters);
}

void git_change_write(struct bus_buf *out, const struct git_change *change,
		      const struct git_detail *detail, const char *url)
{
	struct bus_json js = { out, false };

	bus_json_open(&js, NULL, '{');
	write_summary(&js, change);
	/* a page for the new state of what was deleted does not exist */
	if (url && !(git_id_is_zero(change->line.new_id) && strstr(url, "{new}")))
		write_url(&js, change, url);
	bus_json_text(&js, "vcs", "git");
	bus_json_text(&js, "repository", change->repository);
	bus_json_bytes(&js, "ref", change->line.ref.p, change->line.ref.len);
	bus_json_text(&js, "old", change->line.old_id);
	bus_json_text(&js, "new", change->line.new_id);
	bus_json_text(&js, "pusher", change->pusher);
	if (change->has_commits)
		write_commits(&js, change, detail);
	if (change->has_tag)
		write_tag(&js, change, detail);
	bus_json_close(&js, '}');
}
