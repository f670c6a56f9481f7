#include "config.h"

#include "adapters/common/follow_input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"

enum { POSITION_MAX = 400 };

static const char cursor_name[] = "position";

struct follow_input {
	struct watch *watch;
	const struct adapter_input *input;
	const char *path;
	struct follow *follow;
	char *stored; /* position */
};

void follow_input_close(void *state)
{
	struct follow_input *in = state;

	if (!in)
		return;
	follow_close(in->follow);
	free(in->stored);
	free(in);
}

enum bus_code follow_input_open(void **ret, struct watch *watch, const struct adapter_input *input,
				struct bus_err *err)
{
	struct follow_input *in = calloc(1, sizeof(*in));
	enum bus_code rc;
	size_t len = 0;

	if (!in)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", input->name);
	in->watch = watch;
	in->input = input;
	in->path = bus_conf_option(watch_context(watch)->service, input->option);
	rc = watch_directory_of(watch, in->path, err);
	if (!rc)
		rc = watch_cursor(watch, cursor_name, &in->stored, &len, err);
	if (!rc)
		rc = follow_open(&in->follow, in->path, in->stored, len, watch_from_start(watch),
				 err);
	if (rc) {
		follow_input_close(in);
		return rc;
	}
	*ret = in;
	return BUS_OK;
}

static enum bus_code convert(const struct follow_input *in, const struct follow_line *line,
			     struct adapter_batch *batch, struct bus_err *err)
{
	enum bus_code rc = in->input->line(watch_context(in->watch), line, batch, err);

	if (rc != BUS_E_DATA)
		return rc;
	bus_err_context(err, "%s, byte %" PRIu64, in->path, line->offset);
	return batch_reject(batch, line->p, line->len, err, err);
}

/* The position, where it has changed. */
static enum bus_code add_position(struct follow_input *in, struct adapter_batch *batch,
				  struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(POSITION_MAX);
	struct follow_position position;
	enum bus_code rc;

	if (!follow_is_begun(in->follow))
		return BUS_OK;
	follow_tell(in->follow, &position);
	follow_position_write(&text, &position);
	rc = bus_buf_check(&text, cursor_name, err);
	if (rc || (in->stored && strcmp(in->stored, text.p) == 0)) {
		bus_buf_finish(&text);
		return rc;
	}
	free(in->stored);
	in->stored = bus_buf_detach(&text);
	return batch_cursor(batch, cursor_name, in->stored, strlen(in->stored), err);
}

enum bus_code follow_input_read(void *state, struct adapter_batch *batch, struct bus_err *err)
{
	struct follow_input *in = state;
	struct follow_line line;
	enum bus_code rc = BUS_OK;
	size_t lines = 0;

	/* lines that give nothing count as well: a position is stored from time to time */
	while (!rc && !batch_is_full(batch) && lines++ < ADAPTER_BATCH_ITEMS) {
		rc = follow_next(in->follow, &line, err);
		if (!rc)
			rc = convert(in, &line, batch, err);
	}
	if (rc && rc != BUS_E_NO)
		return rc;
	batch->more = rc == BUS_OK;
	return add_position(in, batch, err);
}
