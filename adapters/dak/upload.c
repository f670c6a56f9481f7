#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "adapters/common/batch.h"
#include "adapters/dak/decide.h"
#include "adapters/dak/upload_private.h"
#include "timestamp.h"

enum {
	LINES_AT_ONCE = 20000,
	WAITING_ENOUGH = DAK_NOTES_MAX / 2 /* lines; then their mails first */
};

enum bus_code upload_no_memory(struct bus_err *err)
{
	return bus_fail(err, BUS_E_NOMEM, "upload: out of memory");
}

struct dak_teller upload_teller(struct upload *upload)
{
	return (struct dak_teller){ upload->ctx, &upload->memory, upload->now_us };
}

void upload_wake_at(struct upload *upload, int64_t us)
{
	if (upload->soonest_us && upload->soonest_us <= us)
		return;
	upload->soonest_us = us;
	watch_timer(upload->watch, (us - upload->now_us) / 1000 + 1);
}

/* -- the log -- */

static bool may_be_private(const struct upload *upload, struct dak_slice raw)
{
	struct dak_slice part;

	if (dak_has_private(upload->ctx, &upload->memory))
		return true;
	while (dak_next_part(&raw, '|', &part))
		if (dak_is_private(upload->ctx, dak_trim(part)))
			return true;
	return false;
}

static enum bus_code take_line(struct upload *upload, const struct follow_line *line,
			       const char *month, struct adapter_batch *batch, struct bus_err *err)
{
	const struct dak_decider decider = { upload->ctx, &upload->memory, upload->now_us };
	const struct dak_slice raw = { line->p, line->len };
	struct bus_err why = { BUS_OK, "" };
	struct dak_line parsed;
	enum bus_code rc;

	rc = dak_line_read(&parsed, raw, &why);
	if (!rc && line->is_cut)
		rc = bus_fail(&why, BUS_E_DATA, "a line of more than %d bytes", FOLLOW_LINE_MAX);
	if (!rc)
		rc = dak_decide(&decider, &parsed, month, raw, batch, &why);
	if (rc == BUS_E_DATA) {
		bus_err_context(&why, "%s: byte %" PRIu64, month, line->offset);
		/* it may name what nobody is to see, in whatever form */
		if (may_be_private(upload, raw))
			return batch_reject(batch, "", 0, &why, err);
		return batch_reject(batch, raw.p, raw.len, &why, err);
	}
	/* what goes on with the line before is text for people */
	return rc && rc != BUS_E_NO ? bus_fail(err, rc, "%s", why.text) : BUS_OK;
}

static enum bus_code read_log(struct upload *upload, struct adapter_batch *batch,
			      struct bus_err *err)
{
	struct follow_line line;
	const char *month = "";
	enum bus_code rc;
	size_t count;

	rc = months_look(upload->months, err);
	for (count = 0; !rc; count++) {
		if (count == LINES_AT_ONCE || batch_is_full(batch) ||
		    dak_memory_count(&upload->memory, DAK_NOTE_WAIT) > WAITING_ENOUGH) {
			/* where all that wait are young, the timer wakes us */
			batch->more = count > 0;
			return BUS_OK;
		}
		rc = months_next(upload->months, &line, &month, err);
		if (!rc)
			rc = take_line(upload, &line, month, batch, err);
		else if (rc == BUS_E_NO) {
			upload->log_is_read = true;
			return BUS_OK;
		}
	}
	return rc;
}

static enum bus_code save(struct upload *upload, struct adapter_batch *batch, struct bus_err *err)
{
	const int64_t day_before = upload->now_us - UPLOAD_DAY_S * (int64_t)1000000;
	struct bus_buf text = BUS_BUF_INIT(ADAPTER_INPUT_MAX);
	enum bus_code rc = BUS_OK;

	dak_memory_forget(&upload->memory, DAK_NOTE_TOLD, day_before);
	dak_memory_forget(&upload->memory, DAK_NOTE_VOID, day_before);
	dak_memory_forget(&upload->memory, DAK_NOTE_REMOVAL, day_before);
	if (upload->memory.is_changed) {
		dak_memory_write(&text, &upload->memory);
		rc = bus_buf_check(&text, "memory", err);
		if (!rc)
			rc = batch_cursor(batch, "memory", text.p, text.len, err);
		upload->memory.is_changed = false;
	}
	if (!rc && upload->began_is_changed) {
		bus_buf_clear(&text);
		bus_buf_printf(&text, "%" PRId64, upload->began_us);
		rc = bus_buf_check(&text, "began", err);
		if (!rc)
			rc = batch_cursor(batch, "began", text.p, text.len, err);
		upload->began_is_changed = false;
	}
	if (!rc && upload->months)
		rc = months_save(upload->months, batch, err);
	if (!rc)
		rc = upload_drop_cursors(upload, batch, err);
	bus_buf_finish(&text);
	return rc;
}

/* -- the input -- */

enum bus_code dak_upload_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct upload *upload = input;
	enum bus_code rc = BUS_OK;

	upload->now_us = bus_time_now();
	upload->soonest_us = 0;
	upload->log_is_read = false;
	if (upload->has_log)
		rc = read_log(upload, batch, err);
	/* behind the log, so that a mail written before its line is there now */
	if (!rc && upload->has_mail)
		rc = upload_read_mails(upload, batch, err);
	if (!rc)
		rc = upload_join(upload, batch, err);
	upload_wake_for_stuck(upload);
	return rc ? rc : save(upload, batch, err);
}

enum bus_code dak_upload_stored(void *input, struct bus_err *err)
{
	return upload_remove_done(input, err);
}

void dak_upload_close(void *input)
{
	struct upload *upload = input;

	if (!upload)
		return;
	upload_finish_mails(upload);
	months_close(upload->months);
	dak_memory_finish(&upload->memory);
	free(upload);
}

/* Since when is the log read? */
static enum bus_code load_began(struct upload *upload, struct bus_err *err)
{
	char *text = NULL;
	enum bus_code rc;
	size_t len = 0;

	rc = watch_cursor(upload->watch, "began", &text, &len, err);
	if (!rc && text) {
		upload->began_us = strtoll(text, NULL, 10);
	} else if (!rc) {
		upload->began_us = watch_from_start(upload->watch) ? 0 : bus_time_now();
		upload->began_is_changed = true;
	}
	free(text);
	return rc;
}

static enum bus_code load_memory(struct upload *upload, struct bus_err *err)
{
	char *text = NULL;
	enum bus_code rc;
	size_t len = 0;

	rc = watch_cursor(upload->watch, "memory", &text, &len, err);
	if (!rc)
		rc = dak_memory_read(&upload->memory, text ? text : "", len, err);
	free(text);
	return rc;
}

static enum bus_code open_sides(struct upload *upload, const char *mail, const char *log,
				struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	if (mail) {
		rc = maildir_open(&upload->dir, mail, err);
		if (!rc)
			rc = watch_directory(upload->watch, mail, err);
		if (!rc)
			rc = upload_load_done(upload, err);
	}
	if (!rc && log)
		rc = months_open(&upload->months, upload->watch, log, err);
	if (!rc && log)
		rc = load_began(upload, err);
	return rc ? rc : load_memory(upload, err);
}

enum bus_code dak_upload_open(void **ret, struct watch *watch, struct bus_err *err)
{
	const struct adapter_context *ctx = watch_context(watch);
	const char *mail = bus_conf_option(ctx->service, "mail-directory");
	const char *log = bus_conf_option(ctx->service, "log-directory");
	struct upload *upload;
	enum bus_code rc;

	if (!mail && !log)
		return BUS_E_NO;
	upload = calloc(1, sizeof(*upload));
	if (!upload)
		return upload_no_memory(err);
	upload->watch = watch;
	upload->ctx = ctx;
	upload->has_mail = mail != NULL;
	upload->has_log = log != NULL;
	upload->removals_elsewhere = bus_conf_option(ctx->service, "removals-file") != NULL;
	rc = open_sides(upload, mail, log, err);
	if (rc)
		dak_upload_close(upload);
	else
		*ret = upload;
	return rc;
}
