#include "config.h"

#include <string.h>

#include "adapters/alioth/change.h"
#include "adapters/alioth/git_commit.h"
#include "adapters/alioth/git_input.h"
#include "event.h"
#include "fuzz.h"

static const char id[] = "0123456789abcdef0123456789abcdef01234567";

static void check_input(const char *bytes, size_t len)
{
	struct bus_buf buf = BUS_BUF_INIT(1 << 22);
	struct git_input input, again;

	if (!git_input_read(&input, bytes, len))
		return;
	git_input_write(&buf, &input);
	MUST(!buf.failed && git_input_read(&again, buf.p, buf.len));
	MUST(again.time_us == input.time_us && again.done == input.done);
	MUST(again.lines.len == input.lines.len && again.others.len == input.others.len);
	MUST(strcmp(again.repository, input.repository) == 0);
	bus_buf_finish(&buf);
}

/* Whatever is in ref, names and commit: the event is one that consumers accept. */
static void check_event(struct change *change)
{
	const struct change_detail detail = { CHANGE_NEWEST, COMMIT_TEXT_MAX, true };
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_draft draft = { .type = "org.debian.dev.alioth.branch.push", .subject = "x" };
	struct bus_err err = { BUS_OK, "" };

	change_write(&data, change, &detail, "http://x/{repository}/{ref}?{old}");
	MUST(!data.failed);
	draft.data = data.p;
	draft.data_len = data.len;
	MUST(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, &err) == BUS_OK);
	bus_buf_finish(&data);
	bus_buf_finish(&body);
}

/* The input: a stored push, or a line of stdin, LF, and a raw commit. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1);
	struct change change = { .vcs = "git", .has_commits = true, .total = 1, .has_tag = true };
	struct git_line parsed;
	struct slice rest, line = { "", 0 };
	const char *why;

	MUST(text != NULL);
	memcpy(text, bytes, len);
	text[len] = '\0';
	check_input(text, len);
	rest = (struct slice){ text, len };
	slice_line(&rest, &line);
	change.ref = slice_of("refs/x");
	if (git_line_parse(&parsed, line, &why)) {
		change.kind = git_kind_of(&parsed);
		change.ref = parsed.ref;
		change.old_id = parsed.old_id;
		change.new_id = parsed.new_id;
	}
	change.repository = change.pusher = text; /* up to its first NUL */
	MUST(git_commit_read(&change.commit[0], id, rest, NULL) == BUS_OK);
	MUST(git_commit_read(&change.tag, id, rest, NULL) == BUS_OK);
	change.annotated = true;
	change.count = 1;
	if (len < 20000) /* six bytes of JSON for one of ours, several times */
		check_event(&change);
	change_finish(&change);
	free(text);
	return 0;
}
