#include "config.h"

#include "adapters/common/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "topic.h"

enum { REJECT_MAX = 64 * 1024 };

void batch_init(struct adapter_batch *batch)
{
	memset(batch, 0, sizeof(*batch));
	batch->rest.max = ADAPTER_INPUT_MAX;
}

void batch_finish(struct adapter_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->count; i++) {
		free(batch->event[i].type);
		free(batch->event[i].subject);
		free(batch->event[i].raw);
		bus_buf_finish(&batch->event[i].data);
	}
	for (i = 0; i < batch->cursor_count; i++) {
		free(batch->cursor[i].name);
		bus_buf_finish(&batch->cursor[i].value);
	}
	for (i = 0; i < batch->reject_count; i++) {
		free(batch->reject[i].reason);
		bus_buf_finish(&batch->reject[i].raw);
	}
	free(batch->event);
	free(batch->cursor);
	free(batch->reject);
	bus_buf_finish(&batch->rest);
	batch_init(batch);
}

/* One more item of an array, all zeros; NULL: out of memory. */
static void *next_item(void **array, size_t *count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *grown;

	if (*count == *cap) {
		grown = reallocarray(*array, more, size);
		if (!grown)
			return NULL;
		*array = grown;
		*cap = more;
	}
	return memset((char *)*array + (*count)++ * size, 0, size);
}

bool batch_is_full(const struct adapter_batch *batch)
{
	return batch->bytes >= ADAPTER_BATCH_ENOUGH ||
	       batch->count + batch->cursor_count + batch->reject_count >= ADAPTER_BATCH_ITEMS;
}

enum bus_code batch_cursor(struct adapter_batch *batch, const char *name, const void *value,
			   size_t len, struct bus_err *err)
{
	struct adapter_cursor *cursor = NULL;
	size_t i;

	for (i = batch->cursor_count; i-- > 0 && !cursor;)
		if (strcmp(batch->cursor[i].name, name) == 0)
			cursor = &batch->cursor[i];
	if (!cursor) {
		cursor = next_item((void **)&batch->cursor, &batch->cursor_count,
				   &batch->cursor_cap, sizeof(*cursor));
		if (!cursor)
			return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", name);
		cursor->value.max = ADAPTER_INPUT_MAX;
		cursor->name = strdup(name);
		if (!cursor->name) {
			batch->cursor_count--;
			return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", name);
		}
	}
	bus_buf_clear(&cursor->value);
	if (len)
		bus_buf_add(&cursor->value, value, len);
	batch->bytes += len;
	return bus_buf_check(&cursor->value, name, err);
}

enum bus_code batch_reject(struct adapter_batch *batch, const void *raw, size_t len,
			   const struct bus_err *why, struct bus_err *err)
{
	struct adapter_reject *reject = next_item((void **)&batch->reject, &batch->reject_count,
						  &batch->reject_cap, sizeof(*reject));

	if (!reject)
		return bus_fail(err, BUS_E_NOMEM, "rejected input: out of memory");
	reject->raw.max = REJECT_MAX;
	reject->reason = strdup(why->text);
	len = len < REJECT_MAX ? len : REJECT_MAX;
	bus_buf_add(&reject->raw, raw, len);
	batch->bytes += len;
	return reject->reason ? bus_buf_check(&reject->raw, "rejected input", err)
			      : bus_fail(err, BUS_E_NOMEM, "rejected input: out of memory");
}

static char *whole_type(const struct adapter_context *ctx, const char *object_event)
{
	char *type;

	return asprintf(&type, "org.debian.%s.%s.%s", ctx->conf->environment, ctx->service->name,
			object_event) < 0
		       ? NULL
		       : type;
}

enum bus_code batch_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			const char *object_event, const char *subject, int64_t time_us,
			struct bus_buf *data, size_t number, const char *raw, size_t len,
			struct bus_err *err)
{
	struct adapter_event *event = next_item((void **)&batch->event, &batch->count, &batch->cap,
						sizeof(*event));

	if (!event)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", ctx->program);
	event->type = whole_type(ctx, object_event);
	event->subject = strdup(subject);
	event->raw = strndup(raw, len);
	event->time_us = time_us;
	event->number = number;
	event->data = *data;
	data->p = NULL;
	bus_buf_finish(data);
	batch->bytes += event->data.len + len;
	if (!event->type || !event->subject || !event->raw)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", ctx->program);
	return BUS_OK;
}

/* Built with the longest numbers there are: the place in the log is not known yet. */
enum bus_code batch_try(const struct adapter_context *ctx, const char *object_event,
			const char *subject, const struct bus_buf *data, struct bus_err *err)
{
	struct bus_buf body = BUS_BUF_INIT(ctx->conf->max_event_size);
	struct bus_draft draft = { .subject = subject, .data = data->p, .data_len = data->len };
	char *type = whole_type(ctx, object_event), *source = NULL;
	enum bus_code rc;

	draft.type = type;
	if (asprintf(&source, "%s/20000101T000000Z", ctx->service->origin) < 0)
		source = NULL;
	if (!type || !source)
		rc = bus_fail(err, BUS_E_NOMEM, "%s: out of memory", ctx->program);
	else
		rc = bus_event_build(&body, &draft, source, INT64_MAX, INT64_MAX, err);
	bus_buf_finish(&body);
	free(type);
	free(source);
	return rc;
}
