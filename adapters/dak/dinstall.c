#include "config.h"

#include "adapters/dak/dinstall.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/common/snapshot.h"
#include "adapters/common/watch.h"
#include "adapters/dak/announce.h"
#include "adapters/dak/date.h"
#include "timestamp.h"

enum { FILE_MAX = 64 * 1024, SERIAL_MAX = 20 };

static bool is_number(struct dak_slice text)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	return text.len > 0 && text.len <= SERIAL_MAX;
}

/* "name: value" */
static bool take_value(struct dak_slice line, const char *name, struct dak_slice *ret)
{
	if (!dak_starts(line, name))
		return false;
	line.p += strlen(name);
	line.len -= strlen(name);
	*ret = dak_trim(line);
	return true;
}

enum bus_code dinstall_trace_read(struct dinstall_trace *ret, struct dak_slice text)
{
	struct dak_slice line, date = { NULL, 0 };
	const bool is_complete = dak_ends(text, "\n");
	bool has_last = false;

	memset(ret, 0, sizeof(*ret));
	ret->serial = ret->creator = ret->architectures = (struct dak_slice){ "", 0 };
	while (dak_next_line(&text, &line))
		if (!take_value(line, "Archive serial:", &ret->serial) &&
		    !take_value(line, "Creator:", &ret->creator) &&
		    !take_value(line, "Date:", &date))
			has_last = take_value(line, "Architectures:", &ret->architectures) ||
				   has_last;
	if (!is_complete || !has_last || !is_number(ret->serial) ||
	    !dak_date_parse(&ret->date_us, date))
		return BUS_E_NO;
	return BUS_OK;
}

enum bus_code dinstall_status_read(int64_t *ret_start_us, struct dak_slice text)
{
	struct dak_slice line, value, seconds;

	if (!dak_next_line(&text, &line) || !take_value(line, "Dinstall start:", &value) ||
	    !text.len)
		return BUS_E_NO;
	seconds.p = memchr(value.p, '(', value.len);
	if (!seconds.p || !dak_ends(value, ")"))
		return BUS_E_NO;
	seconds.p++;
	seconds.len = (size_t)(value.p + value.len - 1 - seconds.p);
	if (!is_number(seconds) || seconds.len > 11)
		return BUS_E_NO;
	*ret_start_us = strtoll(seconds.p, NULL, 10) * 1000000;
	return BUS_OK;
}

/* Cursor "last": the serial, or the seconds, of what was announced. */
struct dinstall {
	struct watch *watch;
	const struct adapter_context *ctx;
	const char *path;
	struct snapshot snapshot;
};

static enum bus_code open_file(void **ret, struct watch *watch, const char *option,
			       struct bus_err *err)
{
	struct dinstall *dinstall = calloc(1, sizeof(*dinstall));
	enum bus_code rc;

	if (!dinstall)
		return bus_fail(err, BUS_E_NOMEM, "dinstall: out of memory");
	dinstall->watch = watch;
	dinstall->ctx = watch_context(watch);
	dinstall->path = bus_conf_option(dinstall->ctx->service, option);
	snapshot_forget(&dinstall->snapshot);
	rc = watch_directory_of(watch, dinstall->path, err);
	if (rc)
		free(dinstall);
	else
		*ret = dinstall;
	return rc;
}

enum bus_code dak_trace_open(void **ret, struct watch *watch, struct bus_err *err)
{
	return open_file(ret, watch, "trace-file", err);
}

enum bus_code dak_status_open(void **ret, struct watch *watch, struct bus_err *err)
{
	return open_file(ret, watch, "dinstall-status-file", err);
}

static enum bus_code add_finish(const struct dinstall *dinstall, const struct dinstall_trace *trace,
				struct adapter_batch *batch, struct bus_err *err)
{
	char date[BUS_TIME_LEN + 1], summary[200];
	const struct dak_member member[] = {
		{ "archive_serial", DAK_TEXT, trace->serial },
		{ "date", DAK_TEXT, { date, BUS_TIME_LEN } },
		{ "creator", DAK_TEXT, trace->creator },
		{ "architectures", DAK_WORDS, trace->architectures },
		{ NULL, DAK_TEXT, { "", 0 } },
	};

	bus_time_format(date, trace->date_us);
	snprintf(summary, sizeof(summary), "dinstall %.*s is published", (int)trace->serial.len,
		 trace->serial.p);
	return dak_event_add(batch, dinstall->ctx, "dinstall.finish", trace->serial, trace->date_us,
			     summary, member, trace->serial, err);
}

static enum bus_code add_start(const struct dinstall *dinstall, int64_t start_us,
			       struct adapter_batch *batch, struct bus_err *err)
{
	char date[BUS_TIME_LEN + 1], summary[200];
	const struct dak_member member[] = {
		{ "date", DAK_TEXT, { date, BUS_TIME_LEN } },
		{ NULL, DAK_TEXT, { "", 0 } },
	};
	const struct dak_slice subject = { date, BUS_TIME_LEN };

	bus_time_format(date, start_us);
	snprintf(summary, sizeof(summary), "dinstall began at %s", date);
	return dak_event_add(batch, dinstall->ctx, "dinstall.start", subject, start_us, summary,
			     member, subject, err);
}

/* BUS_E_NO where the file has nothing new. */
static enum bus_code read_new(struct dinstall *dinstall, struct bus_buf *bytes, struct bus_err *err)
{
	enum bus_code rc = snapshot_read(&dinstall->snapshot, dinstall->path, bytes, err);

	return !rc && !bytes->p ? BUS_E_NO : rc;
}

/* Remembers what it is now; *ret_tell: it is another than before, or the first and wanted. */
static enum bus_code remember(struct dinstall *dinstall, struct dak_slice now, bool *ret_tell,
			      struct adapter_batch *batch, struct bus_err *err)
{
	char *last = NULL;
	enum bus_code rc;
	size_t len = 0;

	rc = watch_cursor(dinstall->watch, "last", &last, &len, err);
	*ret_tell = last ? len != now.len || memcmp(last, now.p, len) != 0
			 : watch_from_start(dinstall->watch);
	if (!rc && (!last || *ret_tell))
		rc = batch_cursor(batch, "last", now.p, now.len, err);
	free(last);
	return rc;
}

enum bus_code dak_trace_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf bytes = BUS_BUF_INIT(FILE_MAX);
	struct dinstall *dinstall = input;
	struct dinstall_trace trace = { .date_us = 0 };
	enum bus_code rc = read_new(dinstall, &bytes, err);
	bool tell = false;

	if (!rc)
		rc = dinstall_trace_read(&trace, (struct dak_slice){ bytes.p, bytes.len });
	if (!rc)
		rc = remember(dinstall, trace.serial, &tell, batch, err);
	if (!rc && tell)
		rc = add_finish(dinstall, &trace, batch, err);
	bus_buf_finish(&bytes);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

enum bus_code dak_status_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf bytes = BUS_BUF_INIT(FILE_MAX);
	struct dinstall *dinstall = input;
	enum bus_code rc = read_new(dinstall, &bytes, err);
	int64_t start_us = 0;
	bool tell = false;
	char text[30];

	if (!rc)
		rc = dinstall_status_read(&start_us, (struct dak_slice){ bytes.p, bytes.len });
	snprintf(text, sizeof(text), "%" PRId64, start_us / 1000000);
	if (!rc)
		rc = remember(dinstall, dak_slice(text), &tell, batch, err);
	if (!rc && tell)
		rc = add_start(dinstall, start_us, batch, err);
	bus_buf_finish(&bytes);
	return rc == BUS_E_NO ? BUS_OK : rc;
}
