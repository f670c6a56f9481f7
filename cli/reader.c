#include "config.h"

#include "reader.h"

#include <poll.h>
#include <unistd.h>

enum { LISTEN_MS = 250, PROGRESS_EVERY = 1000 };

static bool stop_asked(void)
{
	struct pollfd fd = { .fd = cli_stop_fd(), .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

/* A line that is overwritten, for people who wait. */
static void show_progress(const struct cli_reader *reader, unsigned long long count, bool done)
{
	if (reader->follow || !isatty(STDERR_FILENO) || (count % PROGRESS_EVERY && !done))
		return;
	if (done)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%llu messages read\033[K", count);
}

enum bus_code cli_read(const struct cli_reader *reader, const struct bus_conf *conf,
		       bool *ret_stopped, struct bus_err *err)
{
	enum bus_history_what what = BUS_HISTORY_NOTHING;
	unsigned long long count = 0;
	struct bus_history *h = NULL;
	struct bus_message *m;
	enum bus_code rc;

	*ret_stopped = false;
	cli_stop_fd();
	rc = bus_history_open(&h, conf, reader->start, reader->time_us, "debmsg: reading history",
			      err);
	while (!rc && (reader->follow || what != BUS_HISTORY_END)) {
		*ret_stopped = stop_asked();
		if (*ret_stopped)
			break;
		rc = bus_history_next(h, LISTEN_MS, &what, &m, err);
		if (!rc && what == BUS_HISTORY_MESSAGE) {
			rc = reader->message(reader->arg, m, err);
			bus_message_free(m);
			show_progress(reader, ++count, false);
		} else if (!rc && reader->caught_up) {
			reader->caught_up(reader->arg);
		}
	}
	show_progress(reader, count, true);
	bus_history_close(h);
	return rc == BUS_E_NO ? BUS_OK : rc;
}
