#include "config.h"

#include "adapters/alioth/cvs_loginfo.h"

#include <stdlib.h>
#include <string.h>

static const struct slice nothing = { "", 0 };

static struct slice after(struct slice text, size_t n)
{
	return (struct slice){ text.p + n, text.len - n };
}

struct slice cvs_loginfo_update(struct slice text)
{
	static const char update[] = "Update of ";
	struct slice line = nothing;

	slice_line(&text, &line);
	return slice_begins(line, update) ? after(line, sizeof(update) - 1) : nothing;
}

/* "1.2.2.1" or NONE, which becomes empty */
static bool read_revision(struct slice text, struct slice *ret)
{
	struct slice rest = text, number;
	uint64_t ignored;

	*ret = slice_is(text, "NONE") ? nothing : text;
	while (ret->len && slice_until(&rest, '.', &number))
		if (!slice_number(number, UINT32_MAX, &ignored))
			return false;
	return text.len && text.p[text.len - 1] != '.';
}

static enum bus_code add_file(struct cvs_loginfo *info, size_t *cap, const struct cvs_file *file,
			      struct bus_err *err)
{
	struct cvs_file *grown;

	if (!info->file || info->file_count == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		grown = reallocarray(info->file, *cap, sizeof(*grown));
		if (!grown)
			return bus_fail(err, BUS_E_NOMEM, "cvs: out of memory");
		info->file = grown;
	}
	info->file[info->file_count++] = *file;
	return BUS_OK;
}

static enum cvs_kind kind_of(struct slice name)
{
	if (slice_begins(name, "- New directory"))
		return CVS_DIRECTORY;
	return slice_begins(name, "- Imported sources") ? CVS_IMPORT : CVS_COMMIT;
}

/* The directory that stdin speaks of, below root. */
static struct slice directory_of(struct slice text, struct slice root)
{
	struct slice directory = cvs_loginfo_update(text);

	if (directory.len > root.len + 1 && !memcmp(directory.p, root.p, root.len))
		directory = after(directory, root.len + 1);
	return directory;
}

/* Perhaps the directory, then file, old and new revision, and perhaps the user. */
static enum bus_code parse_new(struct cvs_loginfo *info, const struct slice *operand, size_t count,
			       struct slice directory, struct bus_err *err)
{
	struct slice ignored;
	const bool is_named = operand[0].len == directory.len &&
			      !memcmp(operand[0].p, directory.p, directory.len);
	/*
	 * Files may be called like revisions, or like their directory.  Two more than
	 * files make are directory and user; one more is the user, if no revision.
	 */
	const bool has_directory = !read_revision(operand[1], &ignored) ||
				   !read_revision(operand[2], &ignored) || count % 3 == 2 ||
				   (count % 3 == 1 && is_named &&
				    read_revision(operand[count - 1], &ignored));
	enum bus_code rc = BUS_OK;
	size_t cap = 0, i;

	info->directory = has_directory ? operand[0] : directory;
	operand += has_directory;
	count -= has_directory;
	info->kind = kind_of(operand[0]);
	if (count % 3 == 1)
		info->user = operand[count - 1];
	for (i = 0; i + 2 < count && !rc; i += 3) {
		struct cvs_file file = { .name = operand[i] };

		if (!read_revision(operand[i + 1], &file.old_revision) ||
		    !read_revision(operand[i + 2], &file.new_revision))
			return bus_fail(err, BUS_E_DATA,
					"cvs: the arguments after the directory are not file, old "
					"and new revision; in CVSROOT/loginfo give it %%p %%{sVv} "
					"$USER");
		if (info->kind == CVS_COMMIT)
			rc = add_file(info, &cap, &file, err);
	}
	if (!rc && count % 3 == 2)
		rc = bus_fail(err, BUS_E_DATA,
			      "cvs: an argument too much; in CVSROOT/loginfo give it %%p %%{sVv} "
			      "$USER");
	return rc;
}

/* ",<revision>" at *p, followed by end or by the end of all. */
static bool take_revision(struct slice *rest, char end, struct slice *ret)
{
	struct slice text = *rest, revision;

	if (!text.len || text.p[0] != ',')
		return false;
	text = after(text, 1);
	revision = text;
	while (text.len && text.p[0] != ' ' && text.p[0] != ',')
		text = after(text, 1);
	revision.len -= text.len;
	if (!read_revision(revision, ret) || (text.len ? text.p[0] != end : end == ','))
		return false;
	*rest = text;
	return true;
}

/*
 * Names may have blanks and commas, so a file ends at the first place where two
 * revisions stand; a name that has such in itself cannot be told from two files.
 */
static enum bus_code parse_old_files(struct cvs_loginfo *info, struct slice text,
				     struct bus_err *err)
{
	struct slice rest = text;
	enum bus_code rc = BUS_OK;
	size_t cap = 0;

	while (rest.len && !rc) {
		struct cvs_file file = { .name = text };
		struct slice next = rest;

		if (!take_revision(&next, ',', &file.old_revision) ||
		    !take_revision(&next, ' ', &file.new_revision)) {
			rest = after(rest, 1);
			continue;
		}
		file.name.len -= rest.len;
		rest = next.len ? after(next, 1) : next;
		text = rest;
		if (info->kind == CVS_COMMIT)
			rc = add_file(info, &cap, &file, err);
	}
	return rc;
}

static enum bus_code parse_old(struct cvs_loginfo *info, const struct slice *operand, size_t count,
			       struct slice text, struct slice root, struct bus_err *err)
{
	struct slice directory = directory_of(text, root), rest = operand[0];

	if (count == 2)
		info->user = operand[1];
	/* the name of the directory may have blanks as well, but stdin has it alone */
	if (rest.len > directory.len && !memcmp(rest.p, directory.p, directory.len) &&
	    rest.p[directory.len] == ' ') {
		info->directory = directory;
		rest = after(rest, directory.len + 1);
	} else {
		slice_until(&rest, ' ', &info->directory);
	}
	info->kind = kind_of(rest);
	return parse_old_files(info, rest, err);
}

/* The ref's place in the list, where it is put if it is new. */
static size_t note_ref(struct cvs_loginfo *info, struct slice ref)
{
	size_t i;

	for (i = 0; i < info->ref_count; i++)
		if (info->ref[i].len == ref.len && !memcmp(info->ref[i].p, ref.p, ref.len))
			return i;
	if (info->ref_count == CVS_REFS_MAX)
		return CVS_REFS_MAX - 1;
	info->ref[info->ref_count] = ref;
	return info->ref_count++;
}

/* "\tf1 f 2 \n": is name among them?  Names with blanks are found, if not only they. */
static bool lists(struct slice line, struct slice name)
{
	size_t i;

	for (i = 1; i + name.len <= line.len; i++)
		if (!memcmp(line.p + i, name.p, name.len) &&
		    (line.p[i - 1] == '\t' || line.p[i - 1] == ' ') &&
		    (i + name.len == line.len || line.p[i + name.len] == ' '))
			return true;
	return false;
}

static void note_names(struct cvs_loginfo *info, struct slice line, size_t ref)
{
	size_t i;

	if (ref) /* they have the first one from the start */
		for (i = 0; i < info->file_count; i++)
			if (!info->file[i].ref && lists(line, info->file[i].name))
				info->file[i].ref = ref;
}

/* Which branches, and which files on which, from what stands before the message. */
static enum bus_code parse_text(struct cvs_loginfo *info, struct slice text, struct bus_err *err)
{
	static const char tag[] = "      Tag: ", message[] = "Log Message:";
	struct slice line = nothing, ref = nothing;

	if (!cvs_loginfo_update(text).len)
		return bus_fail(err, BUS_E_DATA,
				"cvs: stdin does not begin with 'Update of', so "
				"this was not run by CVS's loginfo");
	while (slice_line(&text, &line) && !slice_is(line, message)) {
		if (line.len && line.p[0] == '\t')
			note_names(info, line, note_ref(info, ref));
		else if (slice_begins(line, tag) && line.len > sizeof(tag) - 1)
			ref = after(line, sizeof(tag) - 1);
		else /* the next kind of files, or "      No tag" */
			ref = slice_of(CVS_TRUNK);
	}
	if (!slice_is(line, message))
		return bus_fail(err, BUS_E_DATA, "cvs: stdin has no 'Log Message:'");
	info->message = text;
	return BUS_OK;
}

/* The value after the last line that begins so. */
static struct slice last_value(struct slice text, const char *begin)
{
	struct slice line, found = nothing;

	while (slice_line(&text, &line))
		if (slice_begins(line, begin))
			found = after(line, strlen(begin));
	return found;
}

/* The message of an import is followed by what CVS did. */
static void cut_status(struct slice *message)
{
	static const char status[] = "\nStatus:\n";
	const size_t n = sizeof(status) - 1;
	size_t i;

	for (i = message->len; i-- > 0;)
		if (message->len - i >= n && !memcmp(message->p + i, status, n)) {
			message->len = i;
			return;
		}
}

static void find_ref(struct cvs_loginfo *info)
{
	struct slice ref = nothing;

	if (info->kind == CVS_IMPORT) {
		ref = last_value(info->message, "Vendor Tag:\t");
		cut_status(&info->message);
	} else if (info->kind == CVS_DIRECTORY) {
		ref = last_value(info->message, "--> Using per-directory sticky tag `");
		ref.len -= ref.len && ref.p[ref.len - 1] == '\'';
	}
	if (!info->ref_count || info->kind != CVS_COMMIT) {
		info->ref_count = 0;
		note_ref(info, ref.len ? ref : slice_of(CVS_TRUNK));
	}
}

enum bus_code cvs_loginfo_parse(struct cvs_loginfo *ret, const struct slice *operand, size_t count,
				struct slice text, struct slice root, struct bus_err *err)
{
	struct cvs_loginfo info = { .kind = CVS_COMMIT };
	enum bus_code rc;

	info.directory = info.user = info.message = nothing;
	if (count < 1)
		rc = bus_fail(err, BUS_E_DATA,
			      "cvs: %zu arguments are not those of loginfo; in CVSROOT/loginfo "
			      "give it %%p %%{sVv} $USER",
			      count);
	else if (count > 2)
		rc = parse_new(&info, operand, count, directory_of(text, root), err);
	else
		rc = parse_old(&info, operand, count, text, root, err);
	if (!rc)
		rc = parse_text(&info, text, err);
	if (rc) {
		cvs_loginfo_finish(&info);
		return rc;
	}
	find_ref(&info);
	*ret = info;
	return BUS_OK;
}

void cvs_loginfo_finish(struct cvs_loginfo *info)
{
	free(info->file);
	info->file = NULL;
	info->file_count = 0;
}

/*
 * "<LF>1.2<LF>date<TAB>...;<LF>...commitid<TAB>ID;<LF><LF>", as rcsfile(5) has
 * it, with CVS's own phrase.
 */
struct slice cvs_commit_id(struct slice rcs, struct slice revision)
{
	static const char commitid[] = "commitid\t";
	struct slice line, id;
	bool is_ours = false;

	while (revision.len && slice_line(&rcs, &line) && !slice_is(line, "desc")) {
		if (is_ours && !line.len)
			break;
		if (line.len == revision.len && !memcmp(line.p, revision.p, line.len))
			is_ours = slice_begins(rcs, "date\t");
		if (!is_ours || !slice_begins(line, commitid))
			continue;
		line = after(line, sizeof(commitid) - 1);
		if (!slice_until(&line, ';', &id) || !id.len || id.len > 64 ||
		    strspn(id.p, "0123456789abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < id.len)
			break;
		return id;
	}
	return nothing;
}
