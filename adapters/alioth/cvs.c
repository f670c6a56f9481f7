#include "config.h"

#include "adapters/alioth/cvs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/alioth/change.h"
#include "adapters/alioth/cvs_loginfo.h"
#include "adapters/alioth/vcs.h"
#include "adapters/common/batch.h"
#include "timestamp.h"

static const char format[] = "cvs 1";

enum {
	OPERANDS_MAX = 100000,
	RCS_MAX = 1024 * 1024,	/* bytes of an RCS file in which a commit's id is looked for */
	ID_TRIES = 5,		/* files in which it is looked for */
	FILES_FOR_A_COMMIT = 10 /* files are told for each commit that would be */
};

/* One input on its way to events. */
struct conversion {
	const struct adapter_context *ctx;
	struct vcs_input input;
	struct slice raw;
	struct cvs_loginfo info;
	struct slice *operand;
	size_t count;
	char *subject;
	char id[80]; /* the commit's, or empty */
	struct commit commit;
};

/* -- capture -- */

/* The repository, of which stdin names the directory that the first argument begins with. */
static bool find_root(struct slice *ret, const char *operand, struct slice text)
{
	struct slice update = cvs_loginfo_update(text);
	const char *variable = getenv("CVSROOT");
	const size_t n = strlen(operand);

	if (variable && variable[0] == '/' && update.len > strlen(variable) &&
	    !memcmp(update.p, variable, strlen(variable)) && update.p[strlen(variable)] == '/')
		update.len = strlen(variable);
	else if (n && update.len > n + 1 && !memcmp(update.p + update.len - n, operand, n) &&
		 update.p[update.len - n - 1] == '/')
		update.len -= n + 1;
	while (update.len > 1 && update.p[update.len - 1] == '/')
		update.len--;
	*ret = update;
	return update.len && update.p[0] == '/';
}

static enum bus_code write_input(struct bus_buf *out, char **operand, size_t count,
				 const struct bus_buf *text, struct bus_err *err)
{
	struct vcs_input input = { .time_us = bus_time_now() };
	char pusher[VCS_PUSHER_MAX + 1];
	struct slice root;
	size_t i;

	if (!find_root(&root, operand[0], slice_of_buf(text)))
		return bus_fail(err, BUS_E_USAGE,
				"cvs: stdin does not begin with 'Update of' and "
				"a directory, so this was not run by CVS; see "
				"--pending");
	input.repository = strndup(root.p, root.len);
	if (!input.repository)
		return bus_fail(err, BUS_E_NOMEM, "cvs: out of memory");
	vcs_pusher(pusher, NULL);
	input.pusher = pusher;
	vcs_input_write(out, format, &input);
	slice_field_add(out, text->p, text->len);
	for (i = 0; i < count; i++)
		slice_field_puts(out, operand[i]);
	free(input.repository);
	return bus_buf_check(out, "cvs: the commit", err);
}

enum bus_code cvs_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(VCS_STDIN_MAX);
	size_t count = 0, over = 0;
	enum bus_code rc;

	(void)ctx;
	while (operand[count])
		count++;
	if (!count || count > OPERANDS_MAX)
		return bus_fail(err, BUS_E_USAGE,
				"cvs: %zu arguments are not those of loginfo; in CVSROOT/loginfo "
				"give it %%p %%{sVv} $USER, or see --pending",
				count);
	/* what is over the limit is the end of a message of which nobody is told that much */
	rc = vcs_stdin(&text, &over, err);
	if (!rc)
		rc = write_input(&ret->input, operand, count, &text, err);
	bus_buf_finish(&text);
	return rc;
}

/* -- convert -- */

static enum bus_code read_input(struct conversion *cv, struct slice fields, struct bus_err *err)
{
	struct slice text, operand;

	if (!vcs_input_read(&cv->input, format, &fields) || !slice_field(&fields, &text))
		return bus_fail(err, BUS_E_DATA, "cvs: not an input of this version");
	if (!cv->operand || !cv->input.repository || !cv->input.pusher)
		return bus_fail(err, BUS_E_NOMEM, "cvs: out of memory");
	while (cv->count < OPERANDS_MAX && slice_field(&fields, &operand))
		cv->operand[cv->count++] = operand;
	if (fields.len)
		return bus_fail(err, BUS_E_DATA, "cvs: not an input of this version");
	return cvs_loginfo_parse(&cv->info, cv->operand, cv->count, text,
				 slice_of(cv->input.repository), err);
}

/* Replaces what is in out by the beginning of an RCS file; empty where it cannot be read. */
static void read_rcs(struct bus_buf *out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char chunk[16384];
	ssize_t n = -1;

	bus_buf_clear(out);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		do {
			n = read(fd, chunk, sizeof(chunk));
			if (n > 0)
				bus_buf_add(out, chunk, (size_t)n);
		} while (n > 0 && out->len + sizeof(chunk) <= RCS_MAX);
	if (fd >= 0)
		close(fd);
}

/* Names from outside do not lead out of the repository. */
static bool is_inside(struct slice directory, struct slice name)
{
	struct slice part;

	while (slice_until(&directory, '/', &part))
		if (slice_is(part, ".."))
			return false;
	return name.len && !memchr(name.p, '/', name.len);
}

/* The id that all calls of one commit share, from the file that changed. */
static enum bus_code find_id(struct conversion *cv, const struct cvs_file *file,
			     struct bus_err *err)
{
	static const char *const place[] = { "", "Attic/" };
	const struct slice directory = cv->info.directory;
	struct bus_buf rcs = BUS_BUF_INIT(RCS_MAX);
	enum bus_code rc = BUS_OK;
	struct slice id;
	size_t i;

	for (i = 0; i < 2 && !cv->id[0] && !rc && is_inside(directory, file->name); i++) {
		char *path;

		if (asprintf(&path, "%s/%.*s/%s%.*s,v", cv->input.repository, (int)directory.len,
			     directory.p, place[i], (int)file->name.len, file->name.p) < 0) {
			rc = bus_fail(err, BUS_E_NOMEM, "cvs: out of memory");
			break;
		}
		read_rcs(&rcs, path);
		free(path);
		rc = bus_buf_check(&rcs, "cvs: a file of the repository", err);
		id = cvs_commit_id(slice_of_buf(&rcs), file->new_revision);
		snprintf(cv->id, sizeof(cv->id), "%.*s", (int)id.len, id.p);
	}
	bus_buf_finish(&rcs);
	return rc;
}

struct more {
	const struct conversion *cv;
	size_t ref;
};

static void write_file(struct bus_json *js, const struct slice directory,
		       const struct cvs_file *file)
{
	struct bus_buf name = BUS_BUF_INIT(64 * 1024);

	bus_buf_printf(&name, "%.*s/", (int)directory.len, directory.p);
	bus_buf_add(&name, file->name.p, file->name.len);
	bus_json_open(js, NULL, '{');
	bus_json_bytes(js, "name", name.failed ? "" : name.p, name.failed ? 0 : name.len);
	bus_buf_inherit(js->out, &name);
	if (file->old_revision.len)
		bus_json_bytes(js, "old", file->old_revision.p, file->old_revision.len);
	if (file->new_revision.len)
		bus_json_bytes(js, "new", file->new_revision.p, file->new_revision.len);
	bus_json_close(js, '}');
	bus_buf_finish(&name);
}

static void write_more(struct bus_json *js, const void *arg, const struct change_detail *detail)
{
	const struct more *more = arg;
	const struct cvs_loginfo *info = &more->cv->info;
	size_t total = 0, i;

	bus_json_bytes(js, "directory", info->directory.p, info->directory.len);
	bus_json_open(js, "files", '[');
	for (i = 0; i < info->file_count; i++)
		if (info->file[i].ref == more->ref &&
		    total++ < detail->commits * FILES_FOR_A_COMMIT)
			write_file(js, info->directory, &info->file[i]);
	bus_json_close(js, ']');
	bus_json_uint(js, "files_total", total);
}

static enum bus_code convert_ref(struct conversion *cv, size_t number, struct adapter_batch *batch,
				 struct bus_err *err)
{
	const struct more more = { cv, number };
	struct change change = {
		.kind = CHANGE_BRANCH_PUSH,
		.vcs = "cvs",
		.repository = cv->subject,
		.ref = cv->info.ref[number],
		.new_id = cv->id[0] ? cv->id : NULL,
		.pusher = cv->input.pusher,
		.has_commits = true,
		.write_more = write_more,
		.more = &more,
	};
	struct slice directory = cv->info.directory;
	char pusher[VCS_PUSHER_MAX + 1], note[200];

	if (cv->info.user.len) {
		snprintf(pusher, sizeof(pusher), "%.*s",
			 (int)(cv->info.user.len < VCS_PUSHER_MAX ? cv->info.user.len
								  : VCS_PUSHER_MAX),
			 cv->info.user.p);
		change.pusher = pusher;
	}
	if (cv->info.kind == CVS_DIRECTORY) {
		snprintf(note, sizeof(note), "new directory %.*s",
			 (int)(directory.len < 150 ? directory.len : 150), directory.p);
		change.note = note;
	} else {
		change.commit[0] = cv->commit;
		change.total = change.count = 1;
	}
	return change_add(cv->ctx, &change, cv->input.time_us, number + 1, cv->raw, batch, err);
}

static enum bus_code convert_refs(struct conversion *cv, struct adapter_batch *batch,
				  struct bus_err *err)
{
	const struct slice author = cv->info.user.len ? cv->info.user : slice_of(cv->input.pusher);
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; i < cv->info.file_count && i < ID_TRIES && !cv->id[0] && !rc; i++)
		rc = find_id(cv, &cv->info.file[i], err);
	if (!rc)
		rc = commit_new(&cv->commit, slice_of(cv->id), author, cv->info.message, err);
	for (i = 0; i < cv->info.ref_count && !rc; i++)
		rc = convert_ref(cv, i, batch, err);
	return rc;
}

enum bus_code cvs_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err)
{
	struct conversion cv = {
		.ctx = ctx,
		.raw = { input, len },
		.operand = calloc(OPERANDS_MAX, sizeof(struct slice)),
	};
	enum bus_code rc;

	rc = read_input(&cv, cv.raw, err);
	if (!rc) {
		cv.subject = vcs_name(ctx, cv.input.repository, "");
		rc = cv.subject ? convert_refs(&cv, batch, err)
				: bus_fail(err, BUS_E_NOMEM, "cvs: out of memory");
	}
	vcs_input_finish(&cv.input);
	cvs_loginfo_finish(&cv.info);
	commit_finish(&cv.commit);
	free(cv.operand);
	free(cv.subject);
	return rc;
}
