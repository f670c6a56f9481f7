#include "config.h"

#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/dak/decide.h"
#include "adapters/dak/heidi.h"
#include "fuzz.h"

/* What is remembered comes back the same. */
static void check_memory(const struct dak_memory *memory)
{
	struct bus_buf text = BUS_BUF_INIT((size_t)16 * 1024 * 1024);
	struct bus_buf again = BUS_BUF_INIT((size_t)16 * 1024 * 1024);
	struct dak_memory back;

	dak_memory_write(&text, memory);
	MUST(dak_memory_read(&back, text.p, text.len, NULL) == BUS_OK);
	dak_memory_write(&again, &back);
	MUST(text.len == again.len && memcmp(text.p, again.p, text.len) == 0);
	dak_memory_finish(&back);
	bus_buf_finish(&text);
	bus_buf_finish(&again);
}

/* The input: lines of the log. */
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
	const struct dak_decider decider = { &ctx, &memory, (int64_t)1 << 50 };
	struct dak_slice rest = { (const char *)bytes, len }, text;
	struct adapter_batch batch;
	struct heidi_line heidi;
	struct dak_line line;
	enum bus_code rc;

	batch_init(&batch);
	while (dak_next_part(&rest, '\n', &text)) {
		if (heidi_line_read(&heidi, text, NULL) == BUS_OK)
			MUST(dak_is_package(heidi.package) && dak_is_version(heidi.version));
		if (dak_line_read(&line, text, NULL))
			continue;
		rc = dak_decide(&decider, &line, "2023-03", text, &batch, NULL);
		MUST(rc == BUS_OK || rc == BUS_E_DATA);
	}
	check_memory(&memory);
	batch_finish(&batch);
	dak_memory_finish(&memory);
	return 0;
}
