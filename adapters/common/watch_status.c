#include "config.h"

#include "adapters/common/watch_private.h"

#include <inttypes.h>

#include "timestamp.h"

void watch_tell_status(struct watcher *watcher)
{
	struct bus_buf text = BUS_BUF_INIT(1 << 20);
	uint64_t events = 0, rejects = 0;
	char since[BUS_TIME_LEN + 1];
	size_t i;

	if (!bus_notify_status_due(watcher->notify))
		return;
	for (i = 0; i < watcher->count; i++) {
		events += watcher->watch[i].events;
		rejects += watcher->watch[i].rejects;
	}
	bus_buf_printf(&text, "%" PRIu64 " events since the start", events);
	if (rejects)
		bus_buf_printf(&text, ", %" PRIu64 " rejected", rejects);
	for (i = 0; i < watcher->count; i++) {
		const struct watch *watch = &watcher->watch[i];

		if (!watch->attempt || watch->is_off)
			continue;
		bus_time_format(since, watch->failing_us);
		bus_buf_printf(&text, "; %s: in trouble since %.19sZ", watch->input->name, since);
	}
	if (!text.failed)
		bus_notify_status(watcher->notify, text.p);
	bus_buf_finish(&text);
}
