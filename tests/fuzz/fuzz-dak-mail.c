#include "config.h"

#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/dak/mail.h"
#include "adapters/dak/tell.h"
#include "event.h"
#include "fuzz.h"

/* Whatever is in a mail: the events are some that consumers accept. */
static void check_events(const struct adapter_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->count; i++) {
		const struct adapter_event *event = &batch->event[i];
		const struct bus_draft draft = { .type = event->type,
						 .subject = event->subject,
						 .data = event->data.p,
						 .data_len = event->data.len };
		struct bus_buf body = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
		struct bus_err err = { BUS_OK, "" };

		MUST(bus_event_build(&body, &draft, "a.example/b/20000101T000000Z", 0, 1, &err) ==
		     BUS_OK);
		bus_buf_finish(&body);
	}
}

/* The input: a mail. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char environment[] = "dev", name[] = "dak", origin[] = "a.example/b";
	char **option[64] = { NULL };
	const struct bus_conf conf = { .environment = environment, .max_event_size = 65536 };
	const struct bus_conf_service service = { .name = name,
						  .origin = origin,
						  .option = option };
	const struct adapter_context ctx = { "fuzz", &conf, &service };
	struct dak_memory memory = { NULL, 0, 0, false };
	const struct dak_teller teller = { &ctx, &memory, 1 };
	struct adapter_batch batch;
	struct dak_mail *mail;
	enum dak_act act;

	if (dak_mail_read(&mail, (struct dak_slice){ (const char *)bytes, len }, NULL))
		return 0;
	batch_init(&batch);
	if (dak_mail_act(mail, &act)) {
		MUST(dak_is_file(mail->changes));
		MUST(dak_tell(&teller, mail, 0, NULL, &batch, NULL) == BUS_OK);
		check_events(&batch);
	}
	batch_finish(&batch);
	dak_memory_finish(&memory);
	dak_mail_free(mail);
	return 0;
}
