#include "config.h"

#include "notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proof.h"
#include "timestamp.h"

enum { STATUS_EVERY_MS = 1000 };

struct bus_notify {
	char *socket;
	bool is_ready, is_stopping;
	int64_t tick_every_us; /* 0: no watchdog */
	int64_t tick_us;       /* when the next one is due, on bus_time_mono() */
	int64_t status_us;     /* the same for the status, ... */
	bool is_status_wanted; /* ... of which somebody has asked whether it is due */
	char status[BUS_NOTIFY_STATUS_MAX + 1];
};

/* A number from the environment, which is taken out of it; 0: there is none. */
static uint64_t take_number(const char *name)
{
	const char *text = getenv(name);
	uint64_t value;

	if (!text || !bus_decimal_parse(&value, text, strlen(text)))
		value = 0;
	unsetenv(name);
	return value;
}

enum bus_code bus_notify_open(struct bus_notify **ret, struct bus_err *err)
{
	const char *socket = getenv("NOTIFY_SOCKET");
	struct bus_notify *n = NULL;
	enum bus_code rc = BUS_OK;
	const uint64_t pid = take_number("WATCHDOG_PID");
	uint64_t watchdog_us = take_number("WATCHDOG_USEC");

	*ret = NULL;
	if (pid && pid != (uint64_t)getpid()) /* meant for another process */
		watchdog_us = 0;
	if (!socket || !*socket)
		goto out;
	n = calloc(1, sizeof(*n));
	if (n)
		n->socket = strdup(socket);
	if (!n || !n->socket) {
		free(n);
		rc = bus_fail(err, BUS_E_NOMEM, "notify: out of memory");
		goto out;
	}
	n->tick_every_us = (int64_t)(watchdog_us / 2);
	*ret = n;
out:
	unsetenv("NOTIFY_SOCKET");
	return rc;
}

void bus_notify_close(struct bus_notify *n)
{
	if (!n)
		return;
	free(n->socket);
	free(n);
}

/* sd_notify(3): one datagram.  A name that begins with @ is in no directory. */
static void send_state(const struct bus_notify *n, const char *state)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const size_t len = strlen(n->socket);
	int fd;

	if (len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, n->socket, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

void bus_notify_ready(struct bus_notify *n)
{
	if (!n || n->is_ready)
		return;
	n->is_ready = true;
	send_state(n, "READY=1");
}

void bus_notify_stopping(struct bus_notify *n)
{
	if (!n || n->is_stopping)
		return;
	n->is_stopping = true;
	send_state(n, "STOPPING=1");
}

void bus_notify_tick(struct bus_notify *n)
{
	int64_t now_us;

	if (!n || !n->tick_every_us)
		return;
	now_us = bus_time_mono();
	if (now_us < n->tick_us)
		return;
	n->tick_us = now_us + n->tick_every_us;
	send_state(n, "WATCHDOG=1");
}

int64_t bus_notify_wait_us(const struct bus_notify *n)
{
	int64_t next_us = INT64_MAX, now_us;

	if (n && n->tick_every_us)
		next_us = n->tick_us;
	if (n && n->is_status_wanted && n->status_us < next_us)
		next_us = n->status_us;
	if (next_us == INT64_MAX)
		return INT64_MAX;
	now_us = bus_time_mono();
	return next_us > now_us ? next_us - now_us : 0;
}

bool bus_notify_status_due(struct bus_notify *n)
{
	if (!n)
		return false;
	n->is_status_wanted = true;
	return bus_time_mono() >= n->status_us;
}

void bus_notify_status(struct bus_notify *n, const char *text)
{
	char state[sizeof("STATUS=") + BUS_NOTIFY_STATUS_MAX];
	char *s;

	if (!n)
		return;
	n->is_status_wanted = false;
	n->status_us = bus_time_mono() + STATUS_EVERY_MS * 1000LL;
	snprintf(state, sizeof(state), "STATUS=%s", text);
	/* a line of its own would be a message of its own */
	for (s = state; *s; s++)
		if ((unsigned char)*s < ' ')
			*s = ' ';
	s = state + strlen("STATUS=");
	if (strcmp(n->status, s) == 0)
		return;
	memcpy(n->status, s, strlen(s) + 1);
	send_state(n, state);
}
