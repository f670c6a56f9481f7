#include "config.h"

#include "adapters/dak/heidi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/common/snapshot.h"
#include "adapters/common/watch.h"
#include "adapters/dak/announce.h"
#include "timestamp.h"

enum { FILE_MAX = 8 * 1024 * 1024, SETTLE_MS = 2000 };

static const char first_line[] = "#HeidiDelta\n";

/* Cursor "delta": the file as it was announced. */
struct heidi {
	struct watch *watch;
	const struct adapter_context *ctx;
	const char *path;
	struct snapshot snapshot;
	bool is_first; /* what is there now is not announced */
};

enum bus_code heidi_line_read(struct heidi_line *ret, struct dak_slice line, struct bus_err *err)
{
	struct dak_slice rest = line;

	ret->is_removal = dak_starts(rest, "-");
	rest.p += ret->is_removal;
	rest.len -= ret->is_removal;
	dak_next_word(&rest, "", &ret->package);
	dak_next_word(&rest, "", &ret->version);
	dak_next_word(&rest, "", &ret->architecture);
	if (!dak_is_package(ret->package) || !dak_is_version(ret->version) ||
	    (ret->architecture.len && !dak_is_suite(ret->architecture)) || dak_trim(rest).len)
		return bus_fail(err, BUS_E_DATA, "not '[-]package version [architecture]'");
	return BUS_OK;
}

static enum bus_code add_line(const struct heidi *heidi, struct dak_slice raw,
			      struct adapter_batch *batch, struct bus_err *err)
{
	const int64_t time_us = heidi->snapshot.mtime_ns / 1000;
	const struct dak_slice none = { "", 0 };
	struct heidi_line line;
	enum bus_code rc = heidi_line_read(&line, raw, err);
	char run[BUS_TIME_LEN + 1], summary[1000];

	if (rc)
		return rc;
	bus_time_format(run, time_us);
	snprintf(summary, sizeof(summary), "%.*s %.*s%s%.*s %s testing", (int)line.package.len,
		 line.package.p, (int)line.version.len, line.version.p,
		 line.architecture.len ? " on " : "", (int)line.architecture.len,
		 line.architecture.p, line.is_removal ? "removed from" : "migrated to");
	{
		const struct dak_member member[] = {
			{ line.architecture.len ? "package" : "source", DAK_TEXT, line.package },
			{ "version", DAK_TEXT, line.version },
			{ "architecture", DAK_TEXT, line.architecture },
			{ "run", DAK_TEXT, dak_slice(run) },
			{ NULL, DAK_TEXT, none },
		};

		return dak_event_add(batch, heidi->ctx,
				     line.is_removal ? "testing.remove" : "testing.migrate",
				     line.package, time_us, summary, member, raw, err);
	}
}

static int by_text(const void *a, const void *b)
{
	const struct dak_slice *x = a, *y = b;
	const size_t n = x->len < y->len ? x->len : y->len;
	const int c = n ? memcmp(x->p, y->p, n) : 0;

	return c ? c : (x->len > y->len) - (x->len < y->len);
}

/* The lines of a text, sorted; the caller's. */
static enum bus_code sort_lines(struct dak_slice **ret, size_t *ret_count, struct dak_slice text,
				struct bus_err *err)
{
	size_t n = 1, i;

	for (i = 0; i < text.len; i++)
		n += text.p[i] == '\n';
	*ret = calloc(n, sizeof(**ret));
	if (!*ret)
		return bus_fail(err, BUS_E_NOMEM, "heidi: out of memory");
	for (n = 0; dak_next_line(&text, &(*ret)[n]);)
		n++;
	qsort(*ret, n, sizeof(**ret), by_text);
	*ret_count = n;
	return BUS_OK;
}

/* Lines of `text` that are not in `before`. */
static enum bus_code add_new_lines(const struct heidi *heidi, struct dak_slice text,
				   struct dak_slice before, struct adapter_batch *batch,
				   struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct dak_slice *known = NULL, line;
	size_t count = 0, number = 0;
	enum bus_code rc = sort_lines(&known, &count, before, err);

	while (!rc && dak_next_line(&text, &line)) {
		number++;
		if (!line.len || line.p[0] == '#' ||
		    bsearch(&line, known, count, sizeof(*known), by_text))
			continue;
		rc = add_line(heidi, line, batch, &why);
		if (rc == BUS_E_DATA) {
			bus_err_context(&why, "%s: line %zu", heidi->path, number);
			rc = batch_reject(batch, line.p, line.len, &why, err);
		} else if (rc) {
			bus_fail(err, rc, "%s", why.text);
		}
	}
	free(known);
	return rc;
}

/* It is written in pieces, and has no mark at its end. */
static bool is_whole(struct heidi *heidi, struct dak_slice text)
{
	const int64_t age_us = bus_time_now() - heidi->snapshot.mtime_ns / 1000;

	if (age_us >= 0 && age_us < SETTLE_MS * 1000) {
		watch_timer(heidi->watch, SETTLE_MS - age_us / 1000);
		return false;
	}
	return dak_starts(text, first_line) && dak_ends(text, "\n");
}

enum bus_code dak_heidi_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf bytes = BUS_BUF_INIT(FILE_MAX);
	struct heidi *heidi = input;
	char *before = NULL;
	size_t before_len = 0;
	struct dak_slice text;
	enum bus_code rc;

	rc = snapshot_read(&heidi->snapshot, heidi->path, &bytes, err);
	text = (struct dak_slice){ bytes.p ? bytes.p : "", bytes.len };
	if (!rc && !is_whole(heidi, text)) {
		snapshot_forget(&heidi->snapshot);
		rc = BUS_E_NO;
	}
	if (!rc)
		rc = watch_cursor(heidi->watch, "delta", &before, &before_len, err);
	if (!rc && !heidi->is_first)
		rc = add_new_lines(heidi, text,
				   (struct dak_slice){ before ? before : "", before_len }, batch,
				   err);
	if (!rc)
		rc = batch_cursor(batch, "delta", text.p, text.len, err);
	if (!rc)
		heidi->is_first = false;
	free(before);
	bus_buf_finish(&bytes);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

enum bus_code dak_heidi_open(void **ret, struct watch *watch, struct bus_err *err)
{
	struct heidi *heidi = calloc(1, sizeof(*heidi));
	char *cursor = NULL;
	enum bus_code rc;
	size_t len;

	if (!heidi)
		return bus_fail(err, BUS_E_NOMEM, "heidi: out of memory");
	heidi->watch = watch;
	heidi->ctx = watch_context(watch);
	heidi->path = bus_conf_option(heidi->ctx->service, "heidi-file");
	snapshot_forget(&heidi->snapshot);
	rc = watch_directory_of(watch, heidi->path, err);
	if (!rc)
		rc = watch_cursor(watch, "delta", &cursor, &len, err);
	heidi->is_first = !cursor && !watch_from_start(watch);
	free(cursor);
	if (rc)
		free(heidi);
	else
		*ret = heidi;
	return rc;
}
