#include "config.h"

#include "jobs.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backoff.h"
#include "keeper.h"
#include "timestamp.h"

enum {
	FOREIGN_MS = 200, /* how often an earlier run's keepers are looked at */
	TAKEN_MS = 50,	  /* before something is tried again that another process had */
	PAUSE_MAX_S = 60, /* while no handler can be started */
	LEAVE_MS = 1000	  /* for an idle keeper to go */
};

struct worker {
	pid_t pid;
	int fd;		/* -1: there is none */
	int64_t number; /* of the item it has; 0: none */
};

struct bus_jobs {
	struct bus_ledger *ledger;
	struct bus_jobs_options options;
	struct worker *workers; /* options.jobs of them */
	int64_t *taken;		/* room for as many numbers */
	int epoll, locks;
	bool look;		/* an item may be running that is none of our keepers' */
	unsigned int foreign;	/* that are, and are worked at */
	unsigned int troubles;	/* in a row */
	int64_t pause_until_ms; /* monotonic */
	struct bus_jobs_state state;
};

static int64_t now_ms(void)
{
	return bus_time_mono() / 1000;
}

/* -- life -- */

enum bus_code bus_jobs_open(struct bus_jobs **ret, struct bus_ledger *ledger,
			    const struct bus_jobs_options *options, struct bus_err *err)
{
	struct bus_jobs *jobs = calloc(1, sizeof(*jobs));
	enum bus_code rc = BUS_OK;
	unsigned int i;

	if (!jobs)
		return bus_fail(err, BUS_E_NOMEM, "jobs: out of memory");
	jobs->ledger = ledger;
	jobs->options = *options;
	jobs->epoll = jobs->locks = -1;
	jobs->look = true;
	jobs->workers = calloc(options->jobs, sizeof(*jobs->workers));
	jobs->taken = calloc(options->jobs, sizeof(*jobs->taken));
	for (i = 0; jobs->workers && i < options->jobs; i++)
		jobs->workers[i].fd = -1;
	if (!jobs->workers || !jobs->taken)
		rc = bus_fail(err, BUS_E_NOMEM, "jobs: out of memory");
	if (!rc)
		rc = bus_keeper_open_locks(&jobs->locks, bus_ledger_path(ledger), err);
	if (!rc) {
		jobs->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (jobs->epoll < 0)
			rc = bus_fail(err, BUS_E_TEMP, "jobs: epoll: %s", strerror(errno));
	}
	if (rc)
		bus_jobs_close(jobs);
	else
		*ret = jobs;
	return rc;
}

/* Its end of the socket is closed, so it has ended. */
static int bury(struct worker *w)
{
	int status = 0;

	close(w->fd);
	w->fd = -1;
	w->number = 0;
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* One that has nothing to do goes when it is told that nothing will come. */
static void dismiss(struct worker *w)
{
	struct pollfd p = { w->fd, POLLIN, 0 };

	if (w->fd < 0)
		return;
	shutdown(w->fd, SHUT_WR);
	if (!w->number && poll(&p, 1, LEAVE_MS) > 0)
		bury(w);
	else
		close(w->fd);
}

void bus_jobs_close(struct bus_jobs *jobs)
{
	unsigned int i;

	if (!jobs)
		return;
	for (i = 0; jobs->workers && i < jobs->options.jobs; i++)
		dismiss(&jobs->workers[i]);
	if (jobs->epoll >= 0)
		close(jobs->epoll);
	if (jobs->locks >= 0)
		close(jobs->locks);
	free(jobs->workers);
	free(jobs->taken);
	free(jobs);
}

int bus_jobs_fd(const struct bus_jobs *jobs)
{
	return jobs->epoll;
}

/* -- what has ended -- */

static void pause_starts(struct bus_jobs *jobs, int ms)
{
	const int64_t until = now_ms() + ms;

	if (until > jobs->pause_until_ms)
		jobs->pause_until_ms = until;
}

/* Nothing can be started, and the next one would fare no better. */
static void have_trouble(struct bus_jobs *jobs, const char *text)
{
	int s = jobs->troubles < 6 ? 1 << jobs->troubles : PAUSE_MAX_S;

	jobs->troubles++;
	if (now_ms() >= jobs->pause_until_ms) /* several keepers have the same one */
		bus_say(&jobs->options.say, "%s; trying again in %d s", text, s);
	pause_starts(jobs, s * 1000);
}

static void take_reply(struct bus_jobs *jobs, struct worker *w, struct bus_keeper_reply *reply)
{
	w->number = 0;
	if (reply->end <= BUS_KEEPER_GAVE_UP)
		jobs->troubles = 0;
	switch (reply->end) {
	case BUS_KEEPER_DONE:
		jobs->state.done++;
		break;
	case BUS_KEEPER_AGAIN:
		jobs->state.again++;
		break;
	case BUS_KEEPER_GAVE_UP:
		jobs->state.gave_up++;
		break;
	case BUS_KEEPER_TAKEN:
		jobs->look = true;
		pause_starts(jobs, TAKEN_MS);
		break;
	case BUS_KEEPER_TROUBLE:
		reply->text[sizeof(reply->text) - 1] = '\0';
		have_trouble(jobs, reply->text);
		break;
	}
}

static void lose(struct bus_jobs *jobs, struct worker *w)
{
	const bool had_item = w->number != 0;
	const int status = bury(w);

	if (!had_item)
		return;
	jobs->look = true;
	have_trouble(jobs, WIFSIGNALED(status) ? "a keeper was killed" : "a keeper ended");
}

static void collect(struct bus_jobs *jobs)
{
	struct bus_keeper_reply reply;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < jobs->options.jobs; i++) {
		struct worker *w = &jobs->workers[i];

		while (w->fd >= 0) {
			n = recv(w->fd, &reply, sizeof(reply), MSG_DONTWAIT);
			if (n == sizeof(reply))
				take_reply(jobs, w, &reply);
			else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
				lose(jobs, w);
			else
				break;
		}
	}
}

/* -- items of keepers that are not ours, or were -- */

static bool is_ours(const struct bus_jobs *jobs, int64_t number)
{
	unsigned int i;

	for (i = 0; i < jobs->options.jobs; i++)
		if (jobs->workers[i].number == number)
			return true;
	return false;
}

/* Nobody knows how this one ended.  We have its lock. */
static enum bus_code resolve(struct bus_jobs *jobs, int64_t number, struct bus_err *err)
{
	struct bus_inbox_end end = { .outcome = BUS_INBOX_GAVE_UP,
				     .reason = "its keeper was killed each time" };
	const int64_t now = bus_time_now();
	struct bus_inbox_item *item = NULL;
	enum bus_code rc;

	rc = bus_inbox_get(jobs->ledger, number, &item, err);
	if (!rc && item->state != BUS_INBOX_RUNNING)
		rc = BUS_E_NO; /* its keeper has just ended it */
	if (!rc && item->tries >= jobs->options.tries) {
		rc = bus_inbox_end(jobs->ledger, number, &end, err);
		jobs->state.gave_up += rc == BUS_OK;
	} else if (!rc) {
		/* at once for the first time, as after the machine's end */
		rc = bus_inbox_unsure(jobs->ledger, number,
				      item->tries ? now + bus_backoff_event_us(item->tries - 1)
						  : now,
				      err);
		if (!rc)
			bus_say(&jobs->options.say,
				"nobody knows how the handler of %s ended, which "
				"runs again, with DEBMSG_RETRY=1",
				item->message->message_id ? item->message->message_id : "an event");
	}
	bus_inbox_item_free(item);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

static enum bus_code look_at_running(struct bus_jobs *jobs, struct bus_err *err)
{
	struct bus_inbox_item *item = NULL;
	unsigned int foreign = 0;
	int64_t number = 0;
	enum bus_code rc;

	while (!(rc = bus_inbox_find(jobs->ledger, BUS_INBOX_RUNNING, number, &item, err))) {
		number = item->number;
		bus_inbox_item_free(item);
		if (is_ours(jobs, number))
			continue;
		if (!bus_keeper_lock(jobs->locks, number)) {
			foreign++;
			continue;
		}
		rc = resolve(jobs, number, err);
		bus_keeper_unlock(jobs->locks, number);
		if (rc)
			break;
	}
	if (rc != BUS_E_NO)
		return rc;
	jobs->foreign = foreign;
	jobs->look = foreign > 0;
	return BUS_OK;
}

/* -- what may be started -- */

/* A worker that has nothing to do; NULL: none. */
static struct worker *idle_worker(struct bus_jobs *jobs, size_t *ret_busy)
{
	struct worker *idle = NULL;
	unsigned int i;

	*ret_busy = 0;
	for (i = 0; i < jobs->options.jobs; i++) {
		struct worker *w = &jobs->workers[i];

		if (w->number)
			jobs->taken[(*ret_busy)++] = w->number;
		else if (!idle || (idle->fd < 0 && w->fd >= 0))
			idle = w;
	}
	return idle;
}

static enum bus_code hire(struct bus_jobs *jobs, struct worker *w, struct bus_err *err)
{
	struct epoll_event event = { .events = EPOLLIN };
	enum bus_code rc;

	rc = bus_keeper_start(&w->pid, &w->fd, bus_ledger_path(jobs->ledger), &jobs->options, err);
	if (!rc && epoll_ctl(jobs->epoll, EPOLL_CTL_ADD, w->fd, &event) != 0) {
		rc = bus_fail(err, BUS_E_TEMP, "jobs: epoll: %s", strerror(errno));
		shutdown(w->fd, SHUT_WR);
		bury(w);
	}
	return rc;
}

static void give(struct bus_jobs *jobs, struct worker *w, int64_t number)
{
	struct bus_err err = { BUS_OK, "" };

	if (w->fd < 0 && hire(jobs, w, &err)) {
		have_trouble(jobs, err.text);
		return;
	}
	w->number = number;
	if (send(w->fd, &number, sizeof(number), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(number))
		lose(jobs, w);
}

static enum bus_code start_some(struct bus_jobs *jobs, struct bus_err *err)
{
	struct bus_inbox_taken taken = { jobs->taken, 0 };
	int64_t number = 0, wait_us = -1;
	struct worker *w;
	enum bus_code rc;

	while ((w = idle_worker(jobs, &taken.count)) &&
	       taken.count + jobs->foreign < jobs->options.jobs &&
	       now_ms() >= jobs->pause_until_ms) {
		rc = bus_inbox_next(jobs->ledger, bus_time_now(), &taken, &number, &wait_us, err);
		if (rc == BUS_E_NO) {
			if (wait_us >= 0)
				jobs->state.wait_ms = wait_us < 60000000 ? (int)(wait_us / 1000) + 1
									 : 60000;
			return BUS_OK;
		}
		if (rc)
			return rc;
		give(jobs, w, number);
	}
	return BUS_OK;
}

static void wait_at_most(struct bus_jobs_state *state, int64_t ms)
{
	if (state->wait_ms < 0 || ms < state->wait_ms)
		state->wait_ms = (int)ms;
}

enum bus_code bus_jobs_step(struct bus_jobs *jobs, bool start, struct bus_jobs_state *ret,
			    struct bus_err *err)
{
	struct bus_jobs_state *state = &jobs->state;
	uint64_t counts[BUS_INBOX_FAILED + 1], open;
	size_t busy = 0;
	enum bus_code rc;
	int64_t left;

	state->wait_ms = -1;
	rc = bus_ledger_commit(jobs->ledger, err);
	collect(jobs);
	if (!rc && jobs->look)
		rc = look_at_running(jobs, err);
	if (!rc && start)
		rc = start_some(jobs, err);
	if (!rc)
		rc = bus_inbox_count(jobs->ledger, counts, err);
	if (rc)
		return rc;
	idle_worker(jobs, &busy);
	state->running = (unsigned int)busy + jobs->foreign;
	open = counts[BUS_INBOX_WAITING] + counts[BUS_INBOX_RUNNING];
	state->waiting = open > state->running ? open - state->running : 0;
	state->failed = counts[BUS_INBOX_FAILED];
	if (jobs->look)
		wait_at_most(state, FOREIGN_MS);
	left = jobs->pause_until_ms - now_ms();
	if (start && state->waiting && left > 0)
		wait_at_most(state, left);
	*ret = *state;
	return BUS_OK;
}
