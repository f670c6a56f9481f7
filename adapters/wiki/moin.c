#include "config.h"

#include "adapters/wiki/moin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/common/follow.h"
#include "adapters/common/watch.h"
#include "adapters/wiki/moin_line.h"
#include "adapters/wiki/moin_page.h"
#include "adapters/wiki/page_name.h"
#include "adapters/wiki/wiki_event.h"

static const char cursor_name[] = "position";

struct moin {
	const struct adapter_context *ctx;
	const char *data; /* the wiki's data directory */
	char *log;
	struct follow *follow;
	struct bus_buf position; /* as it was stored last */
	struct bus_buf memory, page, file, masked;
};

static enum bus_code open_log(struct moin *moin, struct watch *watch, struct bus_err *err)
{
	char *position = NULL;
	enum bus_code rc;
	size_t len = 0;

	rc = watch_cursor(watch, cursor_name, &position, &len, err);
	if (!rc)
		rc = follow_open(&moin->follow, moin->log, position, len, watch_from_start(watch),
				 err);
	if (!rc && position)
		bus_buf_add(&moin->position, position, len);
	free(position);
	return rc ? rc : bus_buf_check(&moin->position, "position", err);
}

enum bus_code moin_open(void **ret, struct watch *watch, struct bus_err *err)
{
	struct moin *moin = calloc(1, sizeof(*moin));
	enum bus_code rc;

	if (!moin)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	moin->ctx = watch_context(watch);
	moin->data = bus_conf_option(moin->ctx->service, "moin-data-directory");
	moin->position.max = 1024;
	moin->memory.max = FOLLOW_LINE_MAX;
	moin->page.max = PAGE_NAME_MAX;
	moin->file.max = FOLLOW_LINE_MAX;
	moin->masked.max = FOLLOW_LINE_MAX;
	if (asprintf(&moin->log, "%s/edit-log", moin->data) < 0) {
		moin->log = NULL;
		rc = bus_fail(err, BUS_E_NOMEM, "out of memory");
	} else {
		rc = watch_directory_of(watch, moin->log, err);
	}
	if (!rc)
		rc = open_log(moin, watch, err);
	if (rc)
		moin_close(moin);
	else
		*ret = moin;
	return rc;
}

void moin_close(void *input)
{
	struct moin *moin = input;

	if (!moin)
		return;
	follow_close(moin->follow);
	bus_buf_finish(&moin->position);
	bus_buf_finish(&moin->memory);
	bus_buf_finish(&moin->page);
	bus_buf_finish(&moin->file);
	bus_buf_finish(&moin->masked);
	free(moin->log);
	free(moin);
}

static enum bus_code mask(struct moin *moin, const char *text, size_t len, struct bus_err *err)
{
	bus_buf_clear(&moin->masked);
	moin_line_mask(&moin->masked, text, len);
	return bus_buf_check(&moin->masked, moin->log, err);
}

static enum bus_code reject(struct moin *moin, struct adapter_batch *batch, uint64_t offset,
			    const char *text, size_t len, const char *why, struct bus_err *err)
{
	struct bus_err reason;
	enum bus_code rc = mask(moin, text, len, err);

	bus_fail(&reason, BUS_E_DATA,
		 "%s: the line at byte %" PRIu64 ": %s; look there if it matters, only a part of "
		 "it is kept",
		 moin->log, offset, why);
	return rc ? rc : batch_reject(batch, moin->masked.p, moin->masked.len, &reason, err);
}

/* -- a line as a change -- */

static struct wiki_text text_of(struct moin_field field)
{
	return (struct wiki_text){ field.p, field.len };
}

static const char *describe_rename(struct wiki_change *change, const struct moin_line *line)
{
	if (!line->extra.len || line->extra.len > PAGE_NAME_MAX)
		return "the page's old name is missing, or is none";
	change->kind = WIKI_PAGE_RENAME;
	change->old_page = text_of(line->extra);
	return NULL;
}

static const char *describe_attachment(struct moin *moin, struct wiki_change *change,
				       const struct moin_line *line)
{
	bus_buf_clear(&moin->file);
	if (!moin_line_file(&moin->file, line))
		return "the attached file's name is missing, or is none";
	change->kind = line->action == MOIN_ATTNEW   ? WIKI_ATTACHMENT_ADD
		       : line->action == MOIN_ATTDEL ? WIKI_ATTACHMENT_REMOVE
						     : WIKI_ATTACHMENT_DRAW;
	change->file = (struct wiki_text){ moin->file.p, moin->file.len };
	change->revision = 0;
	return NULL;
}

/* BUS_E_DATA, and why, where it says nothing that could be announced. */
static enum bus_code describe(struct moin *moin, struct wiki_change *change,
			      const struct moin_line *line, const char **why, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	bool was_deleted = false;

	*why = NULL;
	switch (line->action) {
	case MOIN_SAVE_RENAME:
		*why = describe_rename(change, line);
		break;
	case MOIN_SAVE_REVERT:
		change->kind = WIKI_PAGE_REVERT;
		if (!moin_number(&change->reverted_to, line->extra))
			change->reverted_to = 0;
		break;
	case MOIN_ATTNEW:
	case MOIN_ATTDEL:
	case MOIN_ATTDRW:
		*why = describe_attachment(moin, change, line);
		break;
	default:
		rc = moin_page_was_deleted(&was_deleted, moin->data, line, err);
		change->kind = was_deleted		      ? WIKI_PAGE_DELETE
			       : line->action == MOIN_SAVENEW ? WIKI_PAGE_CREATE
							      : WIKI_PAGE_EDIT;
		/* the package installer's is one field further to the left */
		if (!line->comment.len)
			change->comment = text_of(line->extra);
	}
	return rc ? rc : *why ? BUS_E_DATA : BUS_OK;
}

static enum bus_code add_change(struct moin *moin, struct adapter_batch *batch,
				const struct moin_line *line, const char **why, struct bus_err *err)
{
	struct wiki_change change = {
		.engine = "moinmoin",
		.time_us = line->time_us,
		.revision = line->revision,
		.user_id = text_of(line->user_id),
		.comment = text_of(line->comment),
	};
	enum bus_code rc;

	bus_buf_clear(&moin->page);
	if (!page_name_read(&moin->page, line->page.p, line->page.len, why))
		return BUS_E_DATA;
	rc = bus_buf_check(&moin->page, moin->log, err);
	change.page = moin->page.p;
	if (!rc)
		rc = describe(moin, &change, line, why, err);
	if (!rc)
		rc = bus_buf_check(&moin->file, moin->log, err);
	return rc ? rc
		  : wiki_event_add(batch, moin->ctx, &change, batch->count + 1, moin->masked.p,
				   moin->masked.len, err);
}

/* Moin writes all fields, if only empty ones; lines that end early are other hosts'. */
static bool is_half_written(const struct follow_line *raw)
{
	size_t i, tabs = 0;

	for (i = 0; i < raw->len; i++)
		tabs += raw->p[i] == '\t';
	return raw->is_half && tabs < 8;
}

static enum bus_code take_line(struct moin *moin, struct adapter_batch *batch,
			       const struct follow_line *raw, struct bus_err *err)
{
	const char *why = raw->is_cut ? "it is longer than any record" : "it was never completed";
	enum bus_code rc = BUS_E_DATA;
	struct moin_line line;

	if (!raw->is_cut && !is_half_written(raw) &&
	    moin_line_read(&line, &moin->memory, raw->p, raw->len, &why)) {
		rc = line.torn ? reject(moin, batch, raw->offset, raw->p, line.torn,
					"NUL bytes follow on a part of a record", err)
			       : BUS_OK;
		if (!rc)
			rc = mask(moin, raw->p, raw->len, err);
		if (!rc)
			rc = add_change(moin, batch, &line, &why, err);
	} else if (moin->memory.failed) {
		return bus_buf_check(&moin->memory, moin->log, err);
	}
	return rc == BUS_E_DATA ? reject(moin, batch, raw->offset, raw->p, raw->len, why, err) : rc;
}

/* Where it goes on next time, also when nothing was read yet: --from-now holds for the first time.
 */
static enum bus_code keep_position(struct moin *moin, struct adapter_batch *batch,
				   struct bus_err *err)
{
	struct bus_buf now = BUS_BUF_INIT(1024);
	struct follow_position position;
	enum bus_code rc;

	if (!follow_is_begun(moin->follow))
		return BUS_OK;
	follow_tell(moin->follow, &position);
	follow_position_write(&now, &position);
	rc = bus_buf_check(&now, "position", err);
	if (!rc &&
	    (now.len != moin->position.len || memcmp(now.p, moin->position.p, now.len) != 0)) {
		rc = batch_cursor(batch, cursor_name, now.p, now.len, err);
		bus_buf_finish(&moin->position);
		moin->position = now;
		return rc;
	}
	bus_buf_finish(&now);
	return rc;
}

enum bus_code moin_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct moin *moin = input;
	struct follow_line line;
	enum bus_code rc = BUS_OK;

	while (!rc && !batch_is_full(batch)) {
		rc = follow_next(moin->follow, &line, err);
		if (!rc)
			rc = take_line(moin, batch, &line, err);
	}
	batch->more = rc == BUS_OK;
	return rc && rc != BUS_E_NO ? rc : keep_position(moin, batch, err);
}
