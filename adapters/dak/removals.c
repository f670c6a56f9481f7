#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "adapters/common/batch.h"
#include "adapters/common/follow.h"
#include "adapters/common/watch.h"
#include "adapters/dak/removal.h"

/* Cursor "position": of the begin of a stanza. */
struct removals {
	const struct adapter_context *ctx;
	const char *path;
	struct follow *follow;
	struct bus_buf stanza;	      /* so far */
	struct follow_position begin; /* behind the last stanza that is done */
	struct follow_position here;  /* behind the last line */
	uint64_t offset;	      /* of the stanza, for messages */
	bool is_changed;
};

void dak_removals_close(void *input)
{
	struct removals *removals = input;

	if (!removals)
		return;
	follow_close(removals->follow);
	bus_buf_finish(&removals->stanza);
	free(removals);
}

enum bus_code dak_removals_open(void **ret, struct watch *watch, struct bus_err *err)
{
	struct removals *removals = calloc(1, sizeof(*removals));
	char *position = NULL;
	enum bus_code rc;
	size_t len = 0;

	if (!removals)
		return bus_fail(err, BUS_E_NOMEM, "removals: out of memory");
	removals->ctx = watch_context(watch);
	removals->path = bus_conf_option(removals->ctx->service, "removals-file");
	removals->stanza.max = REMOVAL_STANZA_MAX;
	rc = watch_directory_of(watch, removals->path, err);
	if (!rc)
		rc = watch_cursor(watch, "position", &position, &len, err);
	if (!rc)
		rc = follow_open(&removals->follow, removals->path, position, len,
				 watch_from_start(watch), err);
	removals->is_changed = !rc && !position;
	if (!rc)
		follow_tell(removals->follow, &removals->here);
	removals->begin = removals->here;
	free(position);
	if (rc)
		dak_removals_close(removals);
	else
		*ret = removals;
	return rc;
}

/* The stanza is complete. */
static enum bus_code take_stanza(struct removals *removals, struct adapter_batch *batch,
				 struct bus_err *err)
{
	const struct dak_slice raw = { removals->stanza.p ? removals->stanza.p : "",
				       removals->stanza.len };
	struct bus_err why = { BUS_OK, "" };
	struct dak_removal removal;
	enum bus_code rc = bus_buf_check(&removals->stanza, "a removal", &why);

	if (!rc && !raw.len)
		return BUS_OK;
	if (!rc)
		rc = dak_removal_read(&removal, raw, &why);
	if (!rc)
		rc = dak_removal_add(batch, removals->ctx, &removal, raw, &why);
	if (rc == BUS_E_DATA) {
		bus_err_context(&why, "%s: stanza at byte %" PRIu64, removals->path,
				removals->offset);
		rc = batch_reject(batch, raw.p, raw.len, &why, err);
	} else if (rc) {
		bus_fail(err, rc, "%s", why.text);
	}
	bus_buf_clear(&removals->stanza);
	return rc;
}

/* A stanza ends with an empty line, or where dak died in it and a new one begins. */
static enum bus_code take_line(struct removals *removals, const struct follow_line *line,
			       struct adapter_batch *batch, struct bus_err *err)
{
	const struct dak_slice text = { line->p, line->len };
	const bool is_empty = !dak_trim(text).len;
	enum bus_code rc = BUS_OK;

	if (removals->stanza.len && (is_empty || dak_starts(text, "Date:"))) {
		rc = take_stanza(removals, batch, err);
		/* behind lines of its own: what stands before an empty one can be found again */
		removals->begin = removals->here;
		removals->is_changed = true;
	}
	follow_tell(removals->follow, &removals->here);
	if (is_empty)
		return rc;
	if (!removals->stanza.len)
		removals->offset = line->offset;
	bus_buf_add(&removals->stanza, text.p, text.len);
	bus_buf_add(&removals->stanza, "\n", 1);
	return rc;
}

enum bus_code dak_removals_read(void *input, struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(1024);
	struct removals *removals = input;
	struct follow_line line;
	enum bus_code rc = BUS_OK;

	while (!rc && !batch_is_full(batch)) {
		rc = follow_next(removals->follow, &line, err);
		if (!rc)
			rc = take_line(removals, &line, batch, err);
	}
	batch->more = !rc;
	if (rc && rc != BUS_E_NO)
		return rc;
	rc = BUS_OK;
	if (removals->is_changed) {
		follow_position_write(&text, &removals->begin);
		rc = bus_buf_check(&text, "removals", err);
		if (!rc)
			rc = batch_cursor(batch, "position", text.p, text.len, err);
		removals->is_changed = false;
	}
	bus_buf_finish(&text);
	return rc;
}
