#include "config.h"

#include "adapters/common/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "topic.h"

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
	free(batch->event);
	bus_buf_finish(&batch->rest);
	batch_init(batch);
}

static struct adapter_event *next_event(struct adapter_batch *batch)
{
	size_t cap = batch->cap ? batch->cap * 2 : 16;
	struct adapter_event *event;

	if (batch->count == batch->cap) {
		event = realloc(batch->event, cap * sizeof(*event));
		if (!event)
			return NULL;
		batch->event = event;
		batch->cap = cap;
	}
	event = &batch->event[batch->count++];
	memset(event, 0, sizeof(*event));
	return event;
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
	struct adapter_event *event = next_event(batch);

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
	batch->bytes += event->data.len;
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
