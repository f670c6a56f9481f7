#include "config.h"

#include "relay_status.h"

#include <inttypes.h>

#include "buf.h"
#include "timestamp.h"

static void add_trouble(struct bus_buf *text, const struct bus_relay_stats *s)
{
	char since[BUS_TIME_LEN + 1];

	if (s->aside) {
		bus_buf_printf(text, "; %s: set aside, see the journal", s->service);
	} else if (s->blocked) {
		bus_buf_printf(text, "; %s: the broker takes no events", s->service);
	} else if (!s->connected && s->away_us) {
		bus_time_format(since, s->away_us);
		bus_buf_printf(text, "; %s: no connection since %.19sZ", s->service, since);
	}
}

void bus_relay_status(struct bus_notify *notify, const struct bus_relay_stats *stats, size_t count)
{
	struct bus_buf text = BUS_BUF_INIT(1 << 20);
	uint64_t waiting = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (stats[i].known)
			waiting += stats[i].status.size - stats[i].status.sent;
	if (waiting)
		bus_buf_printf(&text, "%" PRIu64 " events wait", waiting);
	else
		bus_buf_puts(&text, "nothing waits");
	for (i = 0; i < count; i++)
		add_trouble(&text, &stats[i]);
	if (!text.failed)
		bus_notify_status(notify, text.p);
	bus_buf_finish(&text);
}
