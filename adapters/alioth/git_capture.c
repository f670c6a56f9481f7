#include "config.h"

#include "adapters/alioth/git.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "adapters/alioth/git_input.h"
#include "adapters/alioth/git_repo.h"
#include "adapters/alioth/vcs.h"
#include "adapters/common/say.h"
#include "timestamp.h"

enum {
	OTHERS_MAX = 50000, /* refs; 65 bytes each at most */
	OTHERS_MS = 2000    /* for git to list them, while the pusher waits */
};

struct sorted {
	struct bus_buf good, bad; /* lines */
	size_t good_count, bad_count;
	char why[200]; /* of the first bad one */
};

static void sort_lines(struct sorted *sorted, struct slice text)
{
	struct git_line parsed;
	struct slice line;
	const char *why;
	bool whole;

	while (slice_line(&text, &line)) {
		whole = line.p[line.len] == '\n';
		if (whole && git_line_parse(&parsed, line, &why)) {
			bus_buf_add(&sorted->good, line.p, line.len + 1);
			sorted->good_count++;
			continue;
		}
		if (!sorted->bad_count++)
			snprintf(sorted->why, sizeof(sorted->why), "'%.*s%s': %s",
				 (int)(line.len < 80 ? line.len : 80), line.p,
				 line.len > 80 ? "..." : "", whole ? why : "it is cut off");
		bus_buf_add(&sorted->bad, line.p, line.len);
		bus_buf_add(&sorted->bad, "\n", 1);
	}
}

static void report_rejected(struct bus_buf *rejected, const struct sorted *sorted, size_t over)
{
	char text[400];

	if (!sorted->bad_count && !over)
		return;
	snprintf(text, sizeof(text), "%zu of %zu lines are not what git writes, the first %s%s",
		 sorted->bad_count, sorted->bad_count + sorted->good_count, sorted->why,
		 over ? "; there were more than 12 MiB, the rest is lost" : "");
	say(LOG_ERR,
	    "%s; they are kept under git-rejected/ in the outbox, the others are announced", text);
	bus_buf_printf(rejected, "%s\n", text);
	bus_buf_add(rejected, sorted->bad.p, sorted->bad.len);
}

/* The refs that were not pushed, as they are now; none of it is reason to fail. */
static void find_others(struct bus_buf *others, struct git_input *input)
{
	struct git_repo *repo = NULL;
	struct bus_err err;
	enum bus_code rc;

	rc = git_repo_open(&repo, input->repository, OTHERS_MS, &err);
	if (!rc)
		rc = git_repo_others(repo, others, input->lines, OTHERS_MAX, &err);
	git_repo_close(repo);
	if (rc)
		bus_buf_clear(others);
	input->has_others = rc == BUS_OK;
	input->others.p = others->p;
	input->others.len = others->len;
}

static enum bus_code write_input(struct adapter_capture *ret, const struct sorted *sorted,
				 const char *repository, struct bus_err *err)
{
	struct bus_buf others = BUS_BUF_INIT((size_t)OTHERS_MAX * (GIT_ID_MAX + 1));
	char pusher[VCS_PUSHER_MAX + 1];
	struct git_input input = {
		.time_us = bus_time_now(),
		.repository = repository,
		.pusher = pusher,
		.lines = { sorted->good.p, sorted->good.len },
	};

	vcs_pusher(pusher, NULL);
	find_others(&others, &input);
	git_input_write(&ret->input, &input);
	bus_buf_finish(&others);
	return bus_buf_check(&ret->input, "git: the push", err);
}

static enum bus_code check_call(char **operand, const char *git_dir, struct bus_err *err)
{
	if (*operand)
		return bus_fail(err, BUS_E_USAGE,
				"git: unexpected operand %s; git's post-receive "
				"has none, it writes to stdin",
				*operand);
	if (!git_dir)
		return bus_fail(err, BUS_E_USAGE,
				"git: GIT_DIR is not set, so this was not run by "
				"git; link it as hooks/post-receive of a repository, or see "
				"--pending");
	return BUS_OK;
}

enum bus_code git_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err)
{
	const char *git_dir = getenv("GIT_DIR");
	struct bus_buf text = BUS_BUF_INIT(VCS_STDIN_MAX);
	struct sorted sorted = { BUS_BUF_INIT(VCS_STDIN_MAX), BUS_BUF_INIT(VCS_STDIN_MAX + 1), 0, 0,
				 "" };
	char *repository = NULL;
	size_t over = 0;
	enum bus_code rc;

	(void)ctx;
	rc = check_call(operand, git_dir, err);
	if (!rc)
		rc = vcs_stdin(&text, &over, err);
	if (rc)
		goto out;
	if (getenv("GIT_QUARANTINE_PATH")) {
		rc = bus_fail(err, BUS_E_CONFIG,
			      "git: run as pre-receive, before anything is "
			      "accepted; link it as post-receive");
		goto out;
	}
	repository = realpath(git_dir, NULL);
	if (!repository) {
		rc = bus_fail(err, BUS_E_TEMP, "git: %s: %s", git_dir, strerror(errno));
		goto out;
	}
	sort_lines(&sorted, (struct slice){ text.p, text.len });
	report_rejected(&ret->rejected, &sorted, over);
	rc = bus_buf_check(&sorted.good, "git: the push", err);
	if (!rc)
		rc = bus_buf_check(&sorted.bad, "git: the push", err);
	if (!rc && sorted.good.len)
		rc = write_input(ret, &sorted, repository, err);
out:
	free(repository);
	bus_buf_finish(&text);
	bus_buf_finish(&sorted.good);
	bus_buf_finish(&sorted.bad);
	return rc;
}
