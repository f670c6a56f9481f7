#include "config.h"

#include <string.h>

#include "adapters/alioth/bzr.h"
#include "adapters/alioth/cvs.h"
#include "adapters/alioth/darcs.h"
#include "adapters/alioth/vcs.h"
#include "adapters/common/batch.h"
#include "event.h"
#include "fuzz.h"

static const struct {
	const char *format;
	enum bus_code (*convert)(const struct adapter_context *ctx, const char *input, size_t len,
				 struct adapter_batch *batch, struct bus_err *err);
} hook[] = { { "bzr 1", bzr_convert }, { "cvs 1", cvs_convert }, { "darcs 1", darcs_convert } };

/* Whatever a hook was told: the events are some that consumers accept. */
static void check_events(const struct adapter_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->count; i++) {
		const struct adapter_event *event = &batch->event[i];
		const struct bus_draft draft = { .type = event->type,
						 .subject = event->subject,
						 .time_us = event->time_us,
						 .data = event->data.p,
						 .data_len = event->data.len };
		struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);

		MUST(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, NULL) ==
		     BUS_OK);
		bus_buf_finish(&body);
	}
}

static void convert(unsigned int which, const struct bus_buf *input)
{
	char environment[] = "dev", name[] = "alioth", origin[] = "a.example/b";
	char **option[64] = { NULL };
	const struct bus_conf conf = { .environment = environment, .max_event_size = 65536 };
	const struct bus_conf_service service = { .name = name,
						  .origin = origin,
						  .option = option };
	const struct adapter_context ctx = { "fuzz", &conf, &service };
	struct bus_err err = { BUS_OK, "" };
	struct adapter_batch batch;
	enum bus_code rc;

	batch_init(&batch);
	rc = hook[which].convert(&ctx, input->p, input->len, &batch, &err);
	MUST(rc == BUS_OK || (rc == BUS_E_DATA && err.text[0]));
	check_events(&batch);
	batch_finish(&batch);
}

/*
 * The input: a letter that says which of them; then fields, each ended by FF.  They
 * are put into the form in which an input is kept, whose lengths no fuzzer finds;
 * those of bzr twice, for the plugin has that form too.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char repository[] = "/nonexistent/repository", pusher[] = "someone";
	const struct vcs_input stored = { .time_us = 1669111200000000,
					  .repository = repository,
					  .pusher = pusher };
	struct bus_buf input = BUS_BUF_INIT(1 << 20), fields = BUS_BUF_INIT(1 << 20);
	struct slice rest = { (const char *)bytes + 1, len - 1 }, field;
	unsigned int which;

	if (!len)
		return 0;
	which = bytes[0] % 3;
	vcs_input_write(&input, hook[which].format, &stored);
	while (slice_until(&rest, '\f', &field))
		slice_field_add(which ? &input : &fields, field.p, field.len);
	if (!which)
		slice_field_add(&input, fields.p ? fields.p : "", fields.len);
	MUST(!input.failed && !fields.failed);
	convert(which, &input);
	bus_buf_finish(&input);
	bus_buf_finish(&fields);
	return 0;
}
