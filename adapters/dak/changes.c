#include "config.h"

#include "adapters/dak/changes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/dak/deb822.h"

enum field {
	FIELD_SOURCE,
	FIELD_VERSION,
	FIELD_ARCHITECTURE,
	FIELD_DISTRIBUTION,
	FIELD_MAINTAINER,
	FIELD_FILES,
	FIELD_REQUIRED, /* those above */
	FIELD_CHANGED_BY = FIELD_REQUIRED,
	FIELD_BINARY,
	FIELD_URGENCY,
	FIELD_CLOSES,
	FIELD_SHA256,
	FIELD_COUNT
};

static const char *const field_name[FIELD_COUNT] = {
	[FIELD_SOURCE] = "Source",
	[FIELD_VERSION] = "Version",
	[FIELD_ARCHITECTURE] = "Architecture",
	[FIELD_DISTRIBUTION] = "Distribution",
	[FIELD_MAINTAINER] = "Maintainer",
	[FIELD_FILES] = "Files",
	[FIELD_CHANGED_BY] = "Changed-By",
	[FIELD_BINARY] = "Binary",
	[FIELD_URGENCY] = "Urgency",
	[FIELD_CLOSES] = "Closes",
	[FIELD_SHA256] = "Checksums-Sha256",
};

static enum bus_code bad_field(struct bus_err *err, enum field field, const char *why)
{
	return bus_fail(err, BUS_E_DATA, ".changes: field %s %s", field_name[field], why);
}

static enum bus_code read_fields(struct dak_slice value[FIELD_COUNT], struct dak_slice text,
				 struct bus_err *err)
{
	struct deb822 in = { text, 0 };
	struct deb822_field field;
	enum bus_code rc;
	int i;

	memset(value, 0, FIELD_COUNT * sizeof(*value));
	deb822_begin(&in);
	while ((rc = deb822_next(&in, &field, err)) == BUS_OK) {
		for (i = 0; i < FIELD_COUNT; i++)
			if (deb822_is(&field, field_name[i]))
				break;
		if (i == FIELD_COUNT)
			continue;
		if (value[i].p)
			return bad_field(err, (enum field)i, "stands twice");
		value[i] = field.value;
	}
	if (rc != BUS_E_NO) {
		bus_err_context(err, ".changes");
		return rc;
	}
	if (deb822_begin(&in))
		return bus_fail(err, BUS_E_DATA, ".changes: line %zu begins a second stanza",
				in.line + 1);
	for (i = 0; i < FIELD_REQUIRED; i++)
		if (!value[i].len)
			return bad_field(err, (enum field)i, "is missing");
	return BUS_OK;
}

/* "hello" or "hello (1.0-1)" */
static bool read_source(struct changes *ret, struct dak_slice value)
{
	struct dak_slice rest = value;

	dak_next_word(&rest, "(", &ret->source);
	rest = dak_trim(rest);
	if (!rest.len)
		return dak_is_package(ret->source);
	if (rest.p[0] != '(' || rest.p[rest.len - 1] != ')')
		return false;
	ret->source_version = dak_trim((struct dak_slice){ rest.p + 1, rest.len - 2 });
	return dak_is_package(ret->source) && dak_is_version(ret->source_version);
}

static bool are_all(struct dak_slice words, bool (*is)(struct dak_slice), size_t max)
{
	struct dak_slice word;
	size_t count = 0;

	while (dak_next_word(&words, "", &word))
		if (!is(word) || ++count > max)
			return false;
	return true;
}

static bool has_word(struct dak_slice words, const char *wanted)
{
	struct dak_slice word;

	while (dak_next_word(&words, "", &word))
		if (dak_is(word, wanted))
			return true;
	return false;
}

/* What is no number is left out, as dak does (changes.py, closed_bugs). */
static void read_closes(struct changes *ret, struct dak_slice value)
{
	struct dak_slice word;
	unsigned int bug;
	size_t i;

	while (dak_next_word(&value, ",", &word)) {
		if (!dak_bug_parse(&bug, word))
			continue;
		for (i = 0; i < ret->bug_count && ret->bug[i] != bug; i++)
			;
		if (i == ret->bug_count && i < CHANGES_BUGS_MAX)
			ret->bug[ret->bug_count++] = bug;
	}
}

static bool read_size(unsigned long long *ret, struct dak_slice word)
{
	size_t i;

	*ret = 0;
	if (!word.len || word.len > 15)
		return false;
	for (i = 0; i < word.len; i++) {
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
		*ret = *ret * 10 + (unsigned long long)(word.p[i] - '0');
	}
	return true;
}

static struct changes_file *find_file(const struct changes *changes, struct dak_slice name)
{
	size_t i;

	for (i = 0; i < changes->file_count; i++)
		if (name.len && changes->file[i].name.len == name.len &&
		    memcmp(changes->file[i].name.p, name.p, name.len) == 0)
			return &changes->file[i];
	return NULL;
}

/* "md5 size section priority name" */
static enum bus_code read_files(struct changes *ret, struct dak_slice value, struct bus_err *err)
{
	struct dak_slice line, md5, size, priority;
	struct changes_file *file;
	size_t count = 1, i;

	for (i = 0; i < value.len; i++)
		count += value.p[i] == '\n';
	if (count > CHANGES_FILES_MAX)
		return bad_field(err, FIELD_FILES, "has too many lines");
	ret->file = calloc(count, sizeof(*ret->file));
	if (!ret->file)
		return bus_fail(err, BUS_E_NOMEM, ".changes: out of memory");
	while (dak_next_line(&value, &line)) {
		file = &ret->file[ret->file_count];
		if (!dak_next_word(&line, "", &md5) || !dak_is_hex(md5, 32) ||
		    !dak_next_word(&line, "", &size) || !read_size(&file->size, size) ||
		    !dak_next_word(&line, "", &file->section) || !dak_is_section(file->section) ||
		    !dak_next_word(&line, "", &priority) ||
		    !dak_next_word(&line, "", &file->name) || !dak_is_file(file->name) ||
		    dak_trim(line).len || find_file(ret, file->name))
			return bad_field(err, FIELD_FILES, "is not a list of files");
		ret->file_count++;
	}
	return BUS_OK;
}

/* "sha256 size name", for the same files */
static enum bus_code read_sums(struct changes *ret, struct dak_slice value, struct bus_err *err)
{
	struct dak_slice line, sum, size_text, name;
	struct changes_file *file;
	unsigned long long size;

	while (dak_next_line(&value, &line)) {
		line = dak_trim(line);
		if (!line.len)
			continue;
		if (!dak_next_word(&line, "", &sum) || !dak_is_hex(sum, 64) ||
		    !dak_next_word(&line, "", &size_text) || !read_size(&size, size_text) ||
		    !dak_next_word(&line, "", &name) || dak_trim(line).len)
			return bad_field(err, FIELD_SHA256, "is not a list of files");
		file = find_file(ret, name);
		if (!file || file->size != size || file->sha256.len)
			return bad_field(err, FIELD_SHA256, "does not fit to field Files");
		file->sha256 = sum;
	}
	return BUS_OK;
}

static enum bus_code check_values(struct changes *ret, struct dak_slice value[FIELD_COUNT],
				  struct bus_err *err)
{
	struct dak_slice urgency = value[FIELD_URGENCY];

	if (!read_source(ret, value[FIELD_SOURCE]))
		return bad_field(err, FIELD_SOURCE, "is not the name of a package");
	if (!dak_is_version(ret->version))
		return bad_field(err, FIELD_VERSION, "is not a version");
	if (!are_all(ret->architectures, dak_is_suite, 100))
		return bad_field(err, FIELD_ARCHITECTURE, "is not a list of architectures");
	if (!are_all(ret->distributions, dak_is_section, 100))
		return bad_field(err, FIELD_DISTRIBUTION, "is not a list of suites");
	if (!are_all(ret->binaries, dak_is_package, CHANGES_BINARIES_MAX))
		return bad_field(err, FIELD_BINARY, "is not a list of packages");
	if (dak_next_word(&urgency, ";,", &ret->urgency) && !dak_is_suite(ret->urgency))
		return bad_field(err, FIELD_URGENCY, "is not an urgency");
	return BUS_OK;
}

enum bus_code changes_read(struct changes *ret, struct dak_slice text, struct bus_err *err)
{
	struct dak_slice value[FIELD_COUNT];
	enum bus_code rc;

	memset(ret, 0, sizeof(*ret));
	if (text.len > CHANGES_TEXT_MAX)
		return bus_fail(err, BUS_E_DATA, ".changes: %zu bytes are too many", text.len);
	rc = read_fields(value, text, err);
	if (rc)
		return rc;
	ret->version = value[FIELD_VERSION];
	ret->architectures = value[FIELD_ARCHITECTURE];
	ret->distributions = value[FIELD_DISTRIBUTION];
	ret->binaries = value[FIELD_BINARY];
	ret->maintainer = value[FIELD_MAINTAINER];
	ret->changed_by = value[FIELD_CHANGED_BY];
	ret->sourceful = has_word(ret->architectures, "source");
	rc = check_values(ret, value, err);
	if (!rc)
		rc = read_files(ret, value[FIELD_FILES], err);
	if (!rc)
		rc = read_sums(ret, value[FIELD_SHA256], err);
	if (rc)
		changes_finish(ret);
	else
		read_closes(ret, value[FIELD_CLOSES]);
	return rc;
}

void changes_finish(struct changes *changes)
{
	free(changes->file);
	changes->file = NULL;
	changes->file_count = 0;
}
