#include "config.h"

#include "adapters/common/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "adapters/common/batch.h"
#include "adapters/common/say.h"

enum { NAME_MAX_LEN = 400 };

enum bus_code store_open(struct bus_outbox **ret, const struct adapter_context *ctx, bool create,
			 int wait_ms, struct bus_err *err)
{
	char *directory = bus_conf_outbox_dir(ctx->conf, ctx->service->name);
	const struct bus_outbox_params params = {
		.directory = directory,
		.name = ctx->service->origin,
		.environment = ctx->conf->environment,
		.service = ctx->service->name,
		.max_event_size = ctx->conf->max_event_size,
		.create = create,
		.wait_ms = wait_ms,
	};
	enum bus_code rc;

	if (!directory)
		return bus_fail(err, BUS_E_NOMEM, "outbox: out of memory");
	rc = bus_outbox_open(ret, &params, err);
	free(directory);
	return rc;
}

enum bus_code store_reject(struct bus_outbox *box, const char *input, const char *id, size_t number,
			   const void *raw, size_t len, struct bus_err *err)
{
	struct bus_buf value = BUS_BUF_INIT(ADAPTER_INPUT_MAX);
	char name[NAME_MAX_LEN];
	enum bus_code rc;

	snprintf(name, sizeof(name), "%s-rejected/%s-%zu", input, id, number);
	say(LOG_ERR, "%s: this cannot become an event and is kept as %s in the outbox: %s", input,
	    name, err->text);
	bus_buf_printf(&value, "%s\n", err->text);
	bus_buf_add(&value, raw, len);
	rc = bus_buf_check(&value, name, err);
	if (!rc)
		rc = bus_outbox_cursor_set(box, name, value.p, value.len, err);
	bus_buf_finish(&value);
	return rc;
}

static enum bus_code append_events(struct bus_outbox *box, const char *input, const char *id,
				   const struct adapter_batch *batch, size_t *refused,
				   struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	uint64_t ignored;
	size_t i;

	for (i = 0; i < batch->count && !rc; i++) {
		const struct adapter_event *event = &batch->event[i];
		const struct bus_draft draft = {
			.type = event->type,
			.subject = event->subject,
			.time_us = event->time_us,
			.data = event->data.p,
			.data_len = event->data.len,
		};

		rc = bus_outbox_append(box, &draft, &ignored, err);
		if (rc != BUS_E_DATA)
			continue;
		++*refused;
		rc = store_reject(box, input, id, event->number, event->raw, strlen(event->raw),
				  err);
	}
	return rc;
}

static enum bus_code keep_rejects(struct bus_outbox *box, const char *input, const char *id,
				  const struct adapter_batch *batch, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	char reject_id[NAME_MAX_LEN];
	size_t i;

	/* apart from the events' numbers, which name lines of the same input */
	snprintf(reject_id, sizeof(reject_id), "%s-input", id);
	for (i = 0; i < batch->reject_count && !rc; i++) {
		const struct adapter_reject *reject = &batch->reject[i];

		bus_fail(err, BUS_E_DATA, "%s", reject->reason);
		rc = store_reject(box, input, reject_id, i + 1, reject->raw.p, reject->raw.len,
				  err);
	}
	return rc;
}

enum bus_code store_batch(struct bus_outbox *box, const char *input, const char *id,
			  const struct adapter_batch *batch, size_t *ret_refused,
			  struct bus_err *err)
{
	char name[NAME_MAX_LEN];
	enum bus_code rc;
	size_t i;

	*ret_refused = 0;
	rc = append_events(box, input, id, batch, ret_refused, err);
	if (!rc)
		rc = keep_rejects(box, input, id, batch, err);
	for (i = 0; i < batch->cursor_count && !rc; i++) {
		const struct adapter_cursor *cursor = &batch->cursor[i];

		if ((size_t)snprintf(name, sizeof(name), "%s/%s", input, cursor->name) >=
		    sizeof(name))
			return bus_fail(err, BUS_E_BUG, "%s: the cursor's name %s is too long",
					input, cursor->name);
		rc = bus_outbox_cursor_set(box, name, cursor->value.p, cursor->value.len, err);
	}
	return rc;
}

enum bus_code batch_stored(const struct adapter_batch *batch, const char *name, char **ret,
			   size_t *ret_len, struct bus_err *err)
{
	char whole[NAME_MAX_LEN];

	*ret = NULL;
	if (!batch->box)
		return BUS_OK;
	snprintf(whole, sizeof(whole), "%s/%s", batch->input, name);
	return bus_outbox_cursor_get(batch->box, whole, ret, ret_len, err);
}
