#include "config.h"

#include "adapters/dak/release.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/common/snapshot.h"
#include "adapters/common/watch.h"
#include "adapters/dak/announce.h"
#include "adapters/dak/clearsign.h"
#include "adapters/dak/date.h"
#include "adapters/dak/deb822.h"
#include "adapters/dak/decide.h"
#include "merkle.h"
#include "timestamp.h"

enum { SUITES_MAX = 500, PATIENCE_S = 60, CURSOR_MAX = 300, HASH_DIGITS = 64 };

enum bus_code release_read(struct release *ret, struct dak_slice text, struct bus_err *err)
{
	struct deb822 in = { text, 0 };
	struct dak_slice date = { NULL, 0 }, valid_until = { NULL, 0 };
	const struct {
		const char *name;
		struct dak_slice *value;
	} known[] = {
		{ "Suite", &ret->suite },	    { "Codename", &ret->codename },
		{ "Origin", &ret->origin },	    { "Label", &ret->label },
		{ "Version", &ret->version },	    { "Architectures", &ret->architectures },
		{ "Components", &ret->components }, { "Date", &date },
		{ "Valid-Until", &valid_until },
	};
	struct deb822_field field;
	enum bus_code rc;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < 7; i++)
		*known[i].value = (struct dak_slice){ "", 0 };
	deb822_begin(&in);
	while ((rc = deb822_next(&in, &field, err)) == BUS_OK)
		for (i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (deb822_is(&field, known[i].name))
				*known[i].value = field.value;
	if (rc != BUS_E_NO)
		return rc;
	if (!ret->suite.len)
		ret->suite = ret->codename;
	if (!dak_is_section(ret->suite))
		return bus_fail(err, BUS_E_DATA, "it names no suite");
	if (!dak_date_parse(&ret->date_us, date))
		return bus_fail(err, BUS_E_DATA, "it has no Date that can be read");
	if (!dak_date_parse(&ret->valid_until_us, valid_until))
		ret->valid_until_us = 0;
	return BUS_OK;
}

/* Cursors: began, and suite/<path of its directory>: SHA-256 of its InRelease. */
struct suite {
	char *directory; /* real path */
	char cursor[CURSOR_MAX + 8];
	struct snapshot snapshot;
};

struct dists {
	struct watch *watch;
	const struct adapter_context *ctx;
	const char *path;
	struct suite *suite;
	size_t count;
	bool is_first; /* what is there at the first look is not announced */
};

void dak_dists_close(void *input)
{
	struct dists *dists = input;

	while (dists && dists->count)
		free(dists->suite[--dists->count].directory);
	if (dists)
		free(dists->suite);
	free(dists);
}

enum bus_code dak_dists_open(void **ret, struct watch *watch, struct bus_err *err)
{
	struct dists *dists = calloc(1, sizeof(*dists));
	char *began = NULL;
	enum bus_code rc;
	size_t len;

	if (!dists)
		return bus_fail(err, BUS_E_NOMEM, "dists: out of memory");
	dists->watch = watch;
	dists->ctx = watch_context(watch);
	dists->path = bus_conf_option(dists->ctx->service, "dists-directory");
	rc = watch_directory(watch, dists->path, err);
	if (!rc)
		rc = watch_cursor(watch, "began", &began, &len, err);
	dists->is_first = !began;
	free(began);
	if (rc)
		dak_dists_close(dists);
	else
		*ret = dists;
	return rc;
}

/* directory is taken over. */
static enum bus_code add_suite(struct dists *dists, char *directory, struct bus_err *err)
{
	const size_t len = strlen(directory);
	struct suite *grown, *suite;
	size_t i;

	for (i = 0; i < dists->count; i++)
		if (strcmp(dists->suite[i].directory, directory) == 0)
			break;
	if (i < dists->count || dists->count == SUITES_MAX) {
		free(directory);
		return BUS_OK;
	}
	grown = reallocarray(dists->suite, dists->count + 1, sizeof(*grown));
	if (!grown) {
		free(directory);
		return bus_fail(err, BUS_E_NOMEM, "dists: out of memory");
	}
	dists->suite = grown;
	suite = &grown[dists->count++];
	suite->directory = directory;
	snapshot_forget(&suite->snapshot);
	snprintf(suite->cursor, sizeof(suite->cursor), "suite/%s",
		 directory + (len > CURSOR_MAX ? len - CURSOR_MAX : 0));
	return watch_directory(dists->watch, directory, err);
}

static enum bus_code find_suites(struct dists *dists, struct bus_err *err)
{
	DIR *dir = opendir(dists->path);
	const struct dirent *entry;
	enum bus_code rc = BUS_OK;
	char *path, *real;

	if (!dir)
		return bus_fail(err, BUS_E_TEMP, "%s: %s", dists->path, strerror(errno));
	while (!rc && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || entry->d_type == DT_REG ||
		    dak_is_private(dists->ctx, dak_slice(entry->d_name)))
			continue;
		if (asprintf(&path, "%s/%s/.", dists->path, entry->d_name) < 0) {
			rc = bus_fail(err, BUS_E_NOMEM, "dists: out of memory");
			break;
		}
		real = realpath(path, NULL); /* NULL: a file, or a link to nothing */
		free(path);
		if (real)
			rc = add_suite(dists, real, err);
	}
	closedir(dir);
	return rc;
}

static enum bus_code add_event(const struct dists *dists, const struct release *release,
			       const char *hash, struct adapter_batch *batch, struct bus_err *err)
{
	char date[BUS_TIME_LEN + 1], valid_until[BUS_TIME_LEN + 1] = "", summary[1000];
	const struct dak_member member[] = {
		{ "suite", DAK_TEXT, release->suite },
		{ "codename", DAK_TEXT, release->codename },
		{ "origin", DAK_TEXT, release->origin },
		{ "label", DAK_TEXT, release->label },
		{ "release", DAK_TEXT, release->version },
		{ "date", DAK_TEXT, { date, BUS_TIME_LEN } },
		{ "valid_until",
		  DAK_TEXT,
		  { valid_until, release->valid_until_us ? BUS_TIME_LEN : 0 } },
		{ "architectures", DAK_WORDS, release->architectures },
		{ "components", DAK_WORDS, release->components },
		{ "inrelease_sha256", DAK_TEXT, { hash, HASH_DIGITS } },
		{ NULL, DAK_TEXT, { "", 0 } },
	};

	if (dak_is_private(dists->ctx, release->suite) ||
	    dak_is_private(dists->ctx, release->codename))
		return BUS_OK;
	bus_time_format(date, release->date_us);
	if (release->valid_until_us)
		bus_time_format(valid_until, release->valid_until_us);
	snprintf(summary, sizeof(summary), "%.*s published", (int)release->suite.len,
		 release->suite.p);
	return dak_event_add(batch, dists->ctx, "archive.publish", release->suite, release->date_us,
			     summary, member, release->suite, err);
}

static void hash_text(char text[HASH_DIGITS + 1], const struct bus_buf *bytes)
{
	struct bus_hash hash;
	size_t i;

	bus_sha256(&hash, bytes->p ? bytes->p : "", bytes->len);
	for (i = 0; i < sizeof(hash.b); i++)
		snprintf(text + 2 * i, 3, "%02x", hash.b[i]);
}

/* Not whole: it is being written, unless it stays so. */
static enum bus_code complain(struct dists *dists, struct suite *suite, const struct bus_buf *bytes,
			      struct bus_err *why, struct adapter_batch *batch, bool *ret_done,
			      struct bus_err *err)
{
	const int64_t age_s = (bus_time_now() - suite->snapshot.mtime_ns / 1000) / 1000000;

	*ret_done = age_s < 0 || age_s >= PATIENCE_S;
	if (!*ret_done) {
		snapshot_forget(&suite->snapshot);
		watch_timer(dists->watch, (PATIENCE_S - age_s) * 1000);
		return BUS_OK;
	}
	bus_err_context(why, "%s/InRelease", suite->directory);
	return batch_reject(batch, bytes->p ? bytes->p : "", bytes->len, why, err);
}

static enum bus_code take_file(struct dists *dists, struct suite *suite,
			       const struct bus_buf *bytes, struct adapter_batch *batch,
			       bool *ret_done, struct bus_err *err)
{
	struct clearsign text = CLEARSIGN_INIT(RELEASE_BYTES_MAX);
	struct bus_err why = { BUS_OK, "" };
	char hash[HASH_DIGITS + 1];
	struct release release;
	enum bus_code rc;

	hash_text(hash, bytes);
	rc = clearsign_read(&text, (struct dak_slice){ bytes->p ? bytes->p : "", bytes->len }, NULL,
			    &why);
	if (!rc)
		rc = release_read(&release,
				  (struct dak_slice){ text.text.p ? text.text.p : "",
						      text.text.len },
				  &why);
	*ret_done = true;
	if (rc == BUS_E_DATA)
		rc = complain(dists, suite, bytes, &why, batch, ret_done, err);
	else if (rc)
		bus_fail(err, rc, "%s", why.text);
	else if (!dists->is_first || watch_from_start(dists->watch))
		rc = add_event(dists, &release, hash, batch, err);
	clearsign_finish(&text);
	return rc;
}

static enum bus_code read_suite(struct dists *dists, struct suite *suite,
				struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf bytes = BUS_BUF_INIT(RELEASE_BYTES_MAX);
	char hash[HASH_DIGITS + 1], *path, *before = NULL;
	enum bus_code rc;
	bool done = false;
	size_t len = 0;

	if (asprintf(&path, "%s/InRelease", suite->directory) < 0)
		return bus_fail(err, BUS_E_NOMEM, "dists: out of memory");
	rc = snapshot_read(&suite->snapshot, path, &bytes, err);
	if (!rc)
		rc = watch_cursor(dists->watch, suite->cursor, &before, &len, err);
	if (!rc) {
		hash_text(hash, &bytes);
		if (!before || len != HASH_DIGITS || memcmp(before, hash, len) != 0)
			rc = take_file(dists, suite, &bytes, batch, &done, err);
	}
	if (!rc && done)
		rc = batch_cursor(batch, suite->cursor, hash, HASH_DIGITS, err);
	free(before);
	free(path);
	bus_buf_finish(&bytes);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

enum bus_code dak_dists_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct dists *dists = input;
	enum bus_code rc = find_suites(dists, err);
	size_t i;

	for (i = 0; i < dists->count && !rc; i++)
		rc = read_suite(dists, &dists->suite[i], batch, err);
	if (!rc && dists->is_first)
		rc = batch_cursor(batch, "began", "1", 1, err);
	dists->is_first = false;
	return rc;
}
