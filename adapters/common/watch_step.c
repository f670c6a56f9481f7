#include "config.h"

#include "adapters/common/watch_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/batch.h"
#include "adapters/common/follow_input.h"
#include "adapters/common/say.h"
#include "adapters/common/store.h"
#include "backoff.h"
#include "timestamp.h"

void watch_close(struct watch *watch)
{
	if (watch->is_open && watch->input->line)
		follow_input_close(watch->state);
	else if (watch->is_open)
		watch->input->close(watch->state);
	watch->is_open = false;
	watch->state = NULL;
	batch_finish(&watch->batch);
	watch->has_batch = false;
	watch_clear(watch);
}

static enum bus_code is_first(const struct watch *watch, bool *ret, struct bus_err *err)
{
	struct bus_outbox *box = watch->watcher->box;
	char prefix[100], *name = NULL;
	enum bus_code rc;

	snprintf(prefix, sizeof(prefix), "%s/", watch->input->name);
	rc = bus_outbox_cursor_next(box, prefix, NULL, &name, err);
	*ret = !name;
	free(name);
	return rc;
}

static enum bus_code open_input(struct watch *watch, struct bus_err *err)
{
	bool first = false;
	enum bus_code rc;

	rc = is_first(watch, &first, err);
	if (rc)
		return rc;
	if (first && !watch->is_first)
		say(LOG_NOTICE, "%s: read for the first time; what is there already is %s",
		    watch->input->name,
		    watch->watcher->from_start ? "announced"
					       : "not announced (--from-start does that)");
	watch->is_first = first;
	rc = watch->input->line ? follow_input_open(&watch->state, watch, watch->input, err)
				: watch->input->open(&watch->state, watch, err);
	watch->is_open = rc == BUS_OK;
	watch->is_awake = true;
	return rc;
}

static bool has_anything(const struct adapter_batch *batch)
{
	return batch->count || batch->cursor_count || batch->reject_count;
}

static enum bus_code store(struct watch *watch, struct bus_err *err)
{
	struct bus_outbox *box = watch->watcher->box;
	const struct adapter_batch *batch = &watch->batch;
	size_t refused = 0;
	enum bus_code rc;
	char id[40];

	snprintf(id, sizeof(id), "%020" PRId64, bus_time_now());
	rc = bus_outbox_begin(box, err);
	if (!rc)
		rc = store_batch(box, watch->input->name, id, batch, &refused, err);
	if (!rc)
		rc = bus_outbox_commit(box, err);
	bus_outbox_rollback(box);
	if (rc)
		return rc;
	watch->has_batch = false;
	watch->events += batch->count - refused;
	watch->rejects += batch->reject_count + refused;
	return watch->input->stored ? watch->input->stored(watch->state, err) : BUS_OK;
}

static void show_progress(struct watch *watch, bool more)
{
	if (isatty(STDERR_FILENO) && (more || watch->shows_progress))
		fprintf(stderr, "\r%s: %" PRIu64 " events%s", watch->input->name, watch->events,
			more ? "" : "\n");
	watch->shows_progress = more;
}

static enum bus_code read_input(struct watch *watch, struct bus_err *err)
{
	enum bus_code rc;

	batch_init(&watch->batch);
	rc = watch->input->line ? follow_input_read(watch->state, &watch->batch, err)
				: watch->input->read(watch->state, &watch->batch, err);
	if (rc == BUS_E_NO)
		rc = BUS_OK;
	watch->has_batch = !rc && has_anything(&watch->batch);
	return rc;
}

/* What could not be stored is stored first; what woke us meanwhile is still to be read. */
static enum bus_code read_and_store(struct watch *watch, struct bus_err *err)
{
	const bool is_late = watch->has_batch;
	enum bus_code rc = BUS_OK;

	watch->is_awake = false;
	watch->hold_ms = 0;
	if (!watch->has_batch)
		rc = read_input(watch, err);
	if (!rc && watch->has_batch)
		rc = store(watch, err);
	if (rc)
		return rc;
	watch->is_awake = watch->batch.more || is_late;
	show_progress(watch, watch->batch.more);
	batch_finish(&watch->batch);
	return BUS_OK;
}

static void put_off(struct watch *watch, const struct bus_err *err)
{
	int64_t pause_ms = bus_backoff_ms(watch->attempt);

	pause_ms = pause_ms > watch->hold_ms ? pause_ms : watch->hold_ms;
	if (!watch->has_batch)
		watch_close(watch);
	watch->retry_us = bus_time_mono() + pause_ms * 1000;
	if (!watch->attempt)
		watch->failing_us = bus_time_now();
	if (!watch->attempt++)
		say(LOG_ERR, "%s: %s; trying again until it works", watch->input->name, err->text);
}

enum bus_code watch_step(struct watch *watch, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	watch->has_failed = false;
	watch->retry_us = 0;
	if (!watch->is_open)
		rc = open_input(watch, err);
	if (!rc)
		rc = read_and_store(watch, err);
	if (rc == BUS_E_NO || rc == BUS_E_CONFIG || rc == BUS_E_BUG)
		return rc;
	if (rc) {
		watch->has_failed = true;
		put_off(watch, err);
		return BUS_OK;
	}
	if (watch->attempt)
		say(LOG_NOTICE, "%s: works again", watch->input->name);
	watch->attempt = 0;
	return BUS_OK;
}
