#include "config.h"

#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "backoff.h"
#include "metrics_relay.h"
#include "relay_status.h"
#include "timestamp.h"

enum {
	WAIT_MAX_MS = 5000, /* heartbeats are answered when we pump */
	STALL_MS = 60000    /* an answer that takes longer will not come */
};

/* One log and how it fares. */
struct line {
	const struct bus_conf_service *service;
	struct bus_publisher *publisher; /* NULL: not opened yet */
	bool aside;			 /* needs its operator, or is done with */
	unsigned int attempts;		 /* failures in a row */
	int64_t retry_us;		 /* when to try again, on bus_time_mono() */
	int64_t away_us; /* when the first of these was, on bus_time_now(); 0: none */
	struct bus_publisher_status status;
	bool drained;		 /* nothing is unsent, as far as the last look went */
	unsigned long long told; /* `sent` at the last line about it */
	uint64_t failures[BUS_CODE_COUNT];
};

struct bus_relay {
	const struct bus_conf *conf;
	const struct bus_relay_options *options;
	struct line *line;
	size_t count;
	int inotify;
	enum bus_code worst;	       /* the first failure of a log set aside */
	struct bus_metrics *metrics;   /* NULL: not wanted */
	struct bus_relay_stats *stats; /* as in the file; one for each line */
	struct bus_relay_stats *now;   /* for the status; the same */
};

/* Which failures go away by themselves? */
static bool will_pass(enum bus_code rc)
{
	return rc == BUS_E_UNAVAILABLE || rc == BUS_E_TEMP || rc == BUS_E_NOMEM;
}

static void failed(struct bus_relay *r, struct line *line, enum bus_code rc,
		   const struct bus_err *err)
{
	int ms;

	line->failures[rc]++;
	if (!line->away_us)
		line->away_us = bus_time_now();
	if (line->publisher)
		bus_publisher_disconnect(line->publisher);
	if (r->options->once || !will_pass(rc)) {
		bus_say(&r->options->say, "%s: %s", line->service->name, err->text);
		line->aside = true;
		r->worst = r->worst ? r->worst : rc;
		return;
	}
	ms = bus_backoff_ms(line->attempts++);
	line->retry_us = bus_time_mono() + (int64_t)ms * 1000;
	bus_say(&r->options->say, "%s: %s; trying again in %d.%d s", line->service->name, err->text,
		ms / 1000, ms % 1000 / 100);
}

static void tell_drained(struct bus_relay *r, struct line *line)
{
	const struct bus_publisher_status *s = &line->status;

	line->drained = s->sent == s->size && !s->resend;
	if (r->options->progress && (line->told != s->sent || line->drained))
		r->options->progress(r->options->progress_arg, bus_publisher_name(line->publisher),
				     s->sent, s->size);
	/* A connection that gets nothing through must not look like a new start. */
	if (line->drained || line->told != s->sent)
		line->attempts = 0;
	if (!line->drained || line->told == s->sent)
		return;
	bus_say(&r->options->say, "%s: all %llu events of the log are confirmed",
		bus_publisher_name(line->publisher), (unsigned long long)s->sent);
	line->told = s->sent;
}

static enum bus_code open_line(struct bus_relay *r, struct line *line, struct bus_err *err)
{
	const char *directory;
	enum bus_code rc;

	rc = bus_publisher_open(&line->publisher, r->conf, line->service, &r->options->say,
				r->options->stop_fd, r->options->notify, err);
	if (rc)
		return rc;
	directory = bus_publisher_directory(line->publisher);
	if (inotify_add_watch(r->inotify, directory, IN_MODIFY | IN_CREATE | IN_ATTRIB) >= 0)
		return BUS_OK;
	rc = bus_fail(err, BUS_E_TEMP, "cannot watch %s: %s", directory, strerror(errno));
	bus_publisher_close(line->publisher);
	line->publisher = NULL;
	return rc;
}

/* Opens and connects what is not; *ret_ready: there is a connection to pump. */
static enum bus_code get_ready(struct bus_relay *r, struct line *line, bool *ret_ready,
			       struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	*ret_ready = true;
	if (!line->publisher)
		rc = open_line(r, line, err);
	if (rc || bus_publisher_connected(line->publisher))
		return rc;
	rc = bus_publisher_look(line->publisher, &line->status, err);
	if (rc)
		return rc;
	line->told = line->status.sent;
	line->drained = line->status.sent == line->status.size && !line->status.resend &&
			line->status.due_in_us;
	if (line->drained && r->options->once)
		*ret_ready = false; /* no need to bother the broker */
	else
		rc = bus_publisher_connect(line->publisher, err);
	return rc;
}

static void step(struct bus_relay *r, struct line *line)
{
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;
	bool ready;

	if (line->aside || bus_time_mono() < line->retry_us)
		return;
	rc = get_ready(r, line, &ready, &err);
	if (!rc && !ready)
		return;
	if (!rc)
		rc = bus_publisher_pump(line->publisher, &line->status, &err);
	if (!rc && line->status.stalled_us > STALL_MS * 1000LL &&
	    (r->options->once || !line->status.blocked))
		rc = bus_fail(&err, BUS_E_UNAVAILABLE, "%s for 60 s; nothing is lost",
			      line->status.blocked ? "the broker took no events"
						   : "no confirm from the broker");
	if (rc) {
		failed(r, line, rc, &err);
		return;
	}
	line->away_us = 0;
	tell_drained(r, line);
}

static bool is_connected(const struct line *line)
{
	return !line->aside && line->publisher && bus_publisher_connected(line->publisher);
}

/* How long may we wait for something to happen? */
static int wait_ms(const struct bus_relay *r)
{
	int64_t now = bus_time_mono(), wait = WAIT_MAX_MS * 1000LL, due;
	size_t i;

	due = bus_metrics_wait_us(r->metrics);
	wait = due < wait ? due : wait;
	due = bus_notify_wait_us(r->options->notify);
	wait = due < wait ? due : wait;
	for (i = 0; i < r->count; i++) {
		const struct line *line = &r->line[i];

		if (line->aside || (r->options->once && line->drained))
			continue;
		if (!is_connected(line))
			due = line->retry_us - now;
		else
			due = line->status.busy ? 0 : line->status.due_in_us;
		wait = due < wait ? due : wait;
	}
	return wait <= 0 ? 0 : (int)((wait + 999) / 1000);
}

static void drain_inotify(int fd)
{
	char buf[4096];

	/* what changed does not matter: every log is looked at */
	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

/* False: somebody wants us to stop. */
static bool wait_for_something(const struct bus_relay *r, struct pollfd *fds)
{
	nfds_t n = 0;
	size_t i;

	fds[n++] = (struct pollfd){ .fd = r->options->stop_fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = r->inotify, .events = POLLIN };
	for (i = 0; i < r->count; i++)
		if (is_connected(&r->line[i]))
			fds[n++] = (struct pollfd){
				.fd = bus_publisher_fd(r->line[i].publisher),
				.events = r->line[i].status.full ? POLLIN | POLLOUT : POLLIN,
			};
	if (poll(fds, n, wait_ms(r)) < 0)
		return true; /* EINTR: look again */
	if (fds[1].revents & POLLIN)
		drain_inotify(r->inotify);
	return !fds[0].revents;
}

static bool anything_left(const struct bus_relay *r)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		if (!r->line[i].aside && !(r->options->once && r->line[i].drained))
			return true;
	return false;
}

/* The outbox is looked at anew: adapters fill it while there is no broker. */
static void take_stock(struct bus_relay_stats *stats, const struct line *line)
{
	*stats = (struct bus_relay_stats){
		.service = line->service->name,
		.connected = is_connected(line),
		.away_us = line->away_us,
		.aside = line->aside,
		.blocked = is_connected(line) && line->status.blocked,
	};
	memcpy(stats->failures, line->failures, sizeof(stats->failures));
	if (!line->publisher)
		return;
	stats->counts = bus_publisher_counts(line->publisher);
	stats->known = !bus_publisher_look(line->publisher, &stats->status, NULL);
}

static void write_metrics(struct bus_relay *r)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		take_stock(&r->stats[i], &r->line[i]);
	bus_metrics_relay(r->metrics, r->stats, r->count);
}

/* Is it otherwise than the file says? */
static bool has_changed(const struct bus_relay_stats *stats, const struct line *line)
{
	return stats->connected != is_connected(line) || stats->aside != line->aside ||
	       stats->blocked != (is_connected(line) && line->status.blocked);
}

static void keep_metrics(struct bus_relay *r)
{
	size_t i;

	if (!r->metrics)
		return;
	for (i = 0; i < r->count; i++)
		if (has_changed(&r->stats[i], &r->line[i]))
			bus_metrics_hurry(r->metrics);
	if (bus_metrics_due(r->metrics))
		write_metrics(r);
}

static void tell_status(struct bus_relay *r)
{
	size_t i;

	if (!bus_notify_status_due(r->options->notify))
		return;
	for (i = 0; i < r->count; i++)
		take_stock(&r->now[i], &r->line[i]);
	bus_relay_status(r->options->notify, r->now, r->count);
}

/* All that is ours on this host; what fails is tried again, or set aside. */
static void open_lines(struct bus_relay *r)
{
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;
	size_t i;

	for (i = 0; i < r->count; i++) {
		rc = open_line(r, &r->line[i], &err);
		if (rc)
			failed(r, &r->line[i], rc, &err);
	}
}

static enum bus_code loop(struct bus_relay *r, struct bus_err *err)
{
	struct pollfd *fds = calloc(r->count + 2, sizeof(*fds));
	size_t i;

	if (!fds)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	open_lines(r);
	if (anything_left(r))
		bus_notify_ready(r->options->notify);
	while (anything_left(r)) {
		for (i = 0; i < r->count; i++) {
			bus_notify_tick(r->options->notify);
			step(r, &r->line[i]);
		}
		keep_metrics(r);
		tell_status(r);
		if (!anything_left(r) || !wait_for_something(r, fds))
			break;
	}
	free(fds);
	return BUS_OK;
}

static enum bus_code set_up(struct bus_relay *r, struct bus_err *err)
{
	size_t i;

	r->line = calloc(r->conf->service_count + 1, sizeof(*r->line));
	r->stats = calloc(r->conf->service_count + 1, sizeof(*r->stats));
	r->now = calloc(r->conf->service_count + 1, sizeof(*r->now));
	if (!r->line || !r->stats || !r->now)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	r->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->inotify < 0)
		return bus_fail(err, BUS_E_TEMP,
				"relay: inotify: %s; see "
				"/proc/sys/fs/inotify/max_user_instances",
				strerror(errno));
	for (i = 0; i < r->conf->service_count; i++)
		if (r->conf->service[i].user)
			r->line[r->count++].service = &r->conf->service[i];
	if (!r->count)
		return bus_fail(err, BUS_E_CONFIG,
				"%s: no service section with a user: there is nothing to relay",
				r->conf->path);
	if (!r->options->metrics_file)
		return BUS_OK;
	return bus_metrics_open(&r->metrics, r->options->metrics_file, &r->options->say, err);
}

enum bus_code bus_relay_run(const struct bus_conf *conf, const struct bus_relay_options *options)
{
	struct bus_relay r = { .conf = conf, .options = options, .inotify = -1 };
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;
	size_t i;

	rc = set_up(&r, &err);
	if (!rc)
		rc = loop(&r, &err);
	bus_notify_stopping(options->notify);
	for (i = 0; i < r.count; i++)
		if (r.line[i].publisher)
			bus_publisher_disconnect(r.line[i].publisher);
	if (r.metrics && !rc)
		write_metrics(&r);
	for (i = 0; i < r.count; i++)
		bus_publisher_close(r.line[i].publisher);
	bus_metrics_close(r.metrics);
	free(r.line);
	free(r.stats);
	free(r.now);
	if (r.inotify >= 0)
		close(r.inotify);
	if (rc)
		bus_say(&options->say, "%s", err.text);
	return rc ? rc : r.worst;
}
