#include "config.h"

#include "reader.h"

#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "backoff.h"
#include "timestamp.h"

enum { LISTEN_MS = 250, PATIENCE_S = 60 };

const int64_t cli_read_margin_us = 3600 * 1000000LL;

static const char purpose[] = "debmsg: reading history";

/* -- progress: a line that is overwritten, for people who wait -- */

static bool progress_shown;

struct progress {
	bool wanted;
	unsigned long long count;
	int64_t began_us, shown_us;
};

static void begin_progress(struct progress *p, const struct cli_reader *reader)
{
	*p = (struct progress){ .began_us = bus_time_mono() };
	p->wanted = !reader->follow && isatty(STDERR_FILENO) &&
		    (reader->prints_at_end || !isatty(STDOUT_FILENO));
	p->shown_us = p->began_us;
}

static void show_progress(struct progress *p, const struct bus_history *h)
{
	const int64_t now = p->wanted && ++p->count % 64 == 0 ? bus_time_mono() : 0;

	if (now - p->shown_us < 250000)
		return;
	p->shown_us = now;
	fprintf(stderr, "\r%llu messages read, %d %%, %" PRIu64 "/s\033[K", p->count,
		bus_history_percent(h),
		(uint64_t)p->count * 1000000 / (uint64_t)(now - p->began_us));
	progress_shown = true;
}

void cli_read_clear(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

static void say(const char *text)
{
	cli_read_clear();
	cli_say(NULL, text);
}

/* -- reading -- */

struct reading {
	const struct cli_reader *reader;
	const struct bus_conf *conf;
	struct cli_read_result *result;
	struct bus_history *history;
	struct bus_history_place place; /* for a reader that connects again: how far it is */
	struct progress progress;
	int64_t last_us; /* when the last message came, on bus_time_mono() */
};

static bool stop_asked(int wait_ms)
{
	struct pollfd fd = { .fd = cli_stop_fd(), .events = POLLIN };

	return poll(&fd, 1, wait_ms) > 0;
}

static enum bus_code open_history(struct reading *r, enum bus_stream_start start,
				  struct bus_err *err)
{
	enum bus_code rc;

	bus_history_close(r->history);
	r->history = NULL;
	rc = bus_history_open(&r->history, r->conf, start, r->reader->time_us, purpose, err);
	if (rc)
		return rc;
	bus_history_end(r->history, &r->place);
	r->result->empty = bus_history_empty(r->history);
	r->last_us = bus_time_mono();
	if (r->result->empty && start != BUS_STREAM_NEXT)
		say("the history is empty: the stream debmsg.log holds no message");
	return BUS_OK;
}

static void say_cut(struct reading *r)
{
	if (r->result->cut || !bus_history_cut(r->history))
		return;
	r->result->cut = true;
	say("the beginning is gone: this is read from the oldest message that the history still "
	    "keeps");
}

static enum bus_code take(struct reading *r, struct bus_message *m, struct bus_err *err)
{
	enum bus_code rc;

	say_cut(r);
	r->last_us = bus_time_mono();
	if (r->reader->follow || r->reader->reconnect)
		bus_history_place_of(&r->place, bus_history_offset(r->history), m);
	rc = r->reader->message(r->reader->arg, m, err);
	bus_message_free(m);
	show_progress(&r->progress, r->history);
	return rc;
}

/* Reads to the end, or for ever; BUS_OK: at the end or stopped. */
static enum bus_code read_on(struct reading *r, struct bus_err *err)
{
	enum bus_history_what what = BUS_HISTORY_NOTHING;
	struct bus_message *m;
	enum bus_code rc = BUS_OK;

	while (!rc && (r->reader->follow || what != BUS_HISTORY_END)) {
		r->result->stopped = stop_asked(0);
		if (r->result->stopped)
			break;
		rc = bus_history_next(r->history, LISTEN_MS, &what, &m, err);
		if (!rc && what == BUS_HISTORY_MESSAGE)
			rc = take(r, m, err);
		else if (!rc && r->reader->caught_up)
			r->reader->caught_up(r->reader->arg);
		if (!rc && what == BUS_HISTORY_NOTHING && !r->reader->follow &&
		    bus_time_mono() - r->last_us > PATIENCE_S * 1000000LL)
			rc = bus_fail(err, BUS_E_UNAVAILABLE,
				      "the stream %s sends nothing for %d s, although it holds "
				      "messages",
				      bus_stream, PATIENCE_S);
	}
	return rc;
}

/* Connects again and goes on after the last message */
static enum bus_code reconnect(struct reading *r, struct bus_err *err)
{
	unsigned int attempt = 0;
	enum bus_code rc;
	char text[sizeof(err->text) + 60];
	int ms;

	do {
		ms = bus_backoff_ms(attempt++);
		snprintf(text, sizeof(text), "%s; trying again in %d.%d s", err->text, ms / 1000,
			 ms % 1000 / 100);
		say(text);
		bus_history_close(r->history);
		r->history = NULL;
		r->result->stopped = stop_asked(ms);
		if (r->result->stopped)
			return BUS_OK;
		rc = bus_history_resume(&r->history, r->conf, &r->place, purpose, err);
	} while (rc == BUS_E_UNAVAILABLE);
	if (rc)
		return rc;
	say(bus_history_elsewhere(r->history)
		    ? "connected again, but the history was made anew or keeps only younger "
		      "messages: some may be missed; it is read from its beginning"
		    : "connected again; what came meanwhile is read from the history");
	return BUS_OK;
}

static enum bus_code read_all(struct reading *r, struct bus_err *err)
{
	enum bus_code rc = read_on(r, err);

	if (!r->reader->follow && !r->reader->reconnect)
		return rc;

	/* A stream that is gone does not come back as the one that it was. */
	while (rc == BUS_E_UNAVAILABLE && !bus_history_gone(r->history)) {
		rc = reconnect(r, err);
		if (!rc && !r->result->stopped)
			rc = read_on(r, err);
	}
	return rc;
}

enum bus_code cli_read(const struct cli_reader *reader, const struct bus_conf *conf,
		       struct cli_read_result *ret, struct bus_err *err)
{
	struct reading r = { .reader = reader, .conf = conf, .result = ret };
	enum bus_code rc;

	*ret = (struct cli_read_result){ 0 };
	cli_stop_fd();
	begin_progress(&r.progress, reader);
	rc = open_history(&r, reader->start, err);
	if (!rc)
		rc = read_all(&r, err);
	/* Nothing that new, it seems; a slow broker looks the same, so ask for all there is. */
	if (!rc && !reader->follow && !ret->stopped && reader->start == BUS_STREAM_TIME &&
	    bus_history_silent(r.history)) {
		rc = open_history(&r, BUS_STREAM_FIRST, err);
		if (!rc)
			rc = read_all(&r, err);
	}
	cli_read_clear();
	bus_history_close(r.history);
	return rc == BUS_E_NO ? BUS_OK : rc;
}
