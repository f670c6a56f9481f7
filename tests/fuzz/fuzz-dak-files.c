#include "config.h"

#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/dak/clearsign.h"
#include "adapters/dak/dinstall.h"
#include "adapters/dak/memory.h"
#include "adapters/dak/release.h"
#include "adapters/dak/removal.h"
#include "event.h"
#include "fuzz.h"
#include "timestamp.h"

/* Whatever is in a stanza: the events are some that consumers accept. */
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

static void check_time(int64_t us)
{
	char text[BUS_TIME_LEN + 1];
	int64_t again;

	bus_time_format(text, us);
	MUST(bus_time_parse(&again, text) && again == us);
}

static void check_removal(struct dak_slice input)
{
	char environment[] = "dev", name[] = "dak", origin[] = "a.example/b";
	char **option[64] = { NULL };
	const struct bus_conf conf = { .environment = environment, .max_event_size = 65536 };
	const struct bus_conf_service service = { .name = name,
						  .origin = origin,
						  .option = option };
	const struct adapter_context ctx = { "fuzz", &conf, &service };
	struct bus_err err = { BUS_OK, "" };
	struct dak_removal removal;
	struct adapter_batch batch;
	enum bus_code rc = dak_removal_read(&removal, input, &err);

	MUST(rc == BUS_OK || (rc == BUS_E_DATA && err.text[0]));
	if (rc)
		return;
	check_time(removal.time_us);
	batch_init(&batch);
	rc = dak_removal_add(&batch, &ctx, &removal, input, &err);
	MUST(rc == BUS_OK || (rc == BUS_E_DATA && err.text[0]));
	check_events(&batch);
	batch_finish(&batch);
}

static void check_release(struct dak_slice input)
{
	struct bus_err err = { BUS_OK, "" };
	struct release release;
	enum bus_code rc = release_read(&release, input, &err);

	MUST(rc == BUS_OK || (rc == BUS_E_DATA && err.text[0]));
	if (rc)
		return;
	MUST(dak_is_section(release.suite));
	check_time(release.date_us);
	if (release.valid_until_us)
		check_time(release.valid_until_us);
}

static void check_inrelease(struct dak_slice input)
{
	struct clearsign text = CLEARSIGN_INIT(RELEASE_BYTES_MAX);

	if (clearsign_read(&text, input, NULL, NULL) == BUS_OK)
		check_release((struct dak_slice){ text.text.p ? text.text.p : "", text.text.len });
	clearsign_finish(&text);
}

static void check_dinstall(struct dak_slice input)
{
	struct dinstall_trace trace;
	enum bus_code rc = dinstall_trace_read(&trace, input);
	int64_t start_us;

	MUST(rc == BUS_OK || rc == BUS_E_NO);
	if (!rc) {
		MUST(trace.serial.len && trace.serial.p >= input.p);
		check_time(trace.date_us);
	}
	rc = dinstall_status_read(&start_us, input);
	MUST(rc == BUS_OK || rc == BUS_E_NO);
	if (!rc)
		check_time(start_us);
}

static void check_names(struct dak_slice input)
{
	struct dak_changes_name name;
	unsigned int bug;

	if (dak_changes_name_parse(&name, input)) {
		MUST(dak_is_file(input) && dak_is_package(name.source));
		MUST(name.source.len + name.version.len + name.suffix.len < input.len);
	}
	if (dak_bug_parse(&bug, input))
		MUST(bug > 0 && bug <= 999999999);
}

/* What is remembered is written as it was read. */
static void check_memory(const char *text, size_t len)
{
	struct bus_buf first = BUS_BUF_INIT((size_t)16 << 20),
		       second = BUS_BUF_INIT((size_t)16 << 20);
	struct dak_memory memory = { .note = NULL }, back = { .note = NULL };

	if (dak_memory_read(&memory, text, len, NULL) == BUS_OK) {
		MUST(memory.count <= DAK_NOTES_MAX);
		dak_memory_write(&first, &memory);
		MUST(dak_memory_read(&back, first.p, first.len, NULL) == BUS_OK);
		dak_memory_write(&second, &back);
		MUST(back.count == memory.count && first.len == second.len);
		MUST(!first.len || memcmp(first.p, second.p, first.len) == 0);
		dak_memory_finish(&back);
	}
	dak_memory_finish(&memory);
	bus_buf_finish(&first);
	bus_buf_finish(&second);
}

/* The input: a file that dak writes for others to read, any of them, or what was kept of the past.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1);
	struct dak_slice input = { text, len };

	MUST(text);
	memcpy(text, bytes, len);
	text[len] = '\0';
	check_removal(input);
	check_release(input);
	check_inrelease(input);
	check_dinstall(input);
	check_names(input);
	check_memory(text, len);
	free(text);
	return 0;
}
