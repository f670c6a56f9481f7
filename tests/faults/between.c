/*
 * between: a program between debmsg and its broker, that does to their
 * connections what networks and brokers do at their worst.
 *
 * One line on stdin is one command, answered by one line on stdout:
 *
 *	port			where it listens, on 127.0.0.1
 *	RULE USER COUNT SKIP ARGUMENT
 *				a rule of link.h, by its name; USER * means all
 *	cut USER abort|end	all links of USER, now
 *	dead USER		they are half open from now on
 *	bury			who is half open is closed, as a router does after a long while
 *	clear			no rules
 *	links			USER=N of all links there are, dead ones as USER!=N
 *	made			RULE=N: how often each has struck
 *	swallowed		SOURCE/ID/TYPE/TYPESEQUENCE of events that never reached the broker
 *
 * It ends with its stdin.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

enum { LINKS_MAX = 256, TICK_MS = 10, QUIET_TICK_MS = 200 };

static struct link *links[LINKS_MAX];
static int link_count;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* -- links -- */

static void meet(int listener, int broker_port)
{
	const struct sockaddr_in address = loopback(broker_port);
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), broker, on = 1;
	struct link *l;

	if (client < 0)
		return;
	broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (broker < 0 || link_count == LINKS_MAX ||
	    connect(broker, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		close(client);
		if (broker >= 0)
			close(broker);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	l = link_new(client, broker);
	if (l)
		links[link_count++] = l;
}

static void drop_ended(const bool *ended)
{
	int i, kept = 0;

	for (i = 0; i < link_count; i++)
		if (ended[i])
			link_free(links[i]);
		else
			links[kept++] = links[i];
	link_count = kept;
}

/* -- commands -- */

static void say_links(void)
{
	int i, k, n;

	for (i = 0; i < link_count; i++) {
		const char *user = link_user(links[i]);

		for (k = n = 0; k < link_count; k++) {
			const bool same = !strcmp(link_user(links[k]), user) &&
					  link_is_dead(links[k]) == link_is_dead(links[i]);

			if (same && k < i)
				break;
			n += same;
		}
		if (k == link_count && *user)
			printf("%s%s=%d ", user, link_is_dead(links[i]) ? "!" : "", n);
	}
	puts("");
}

static void say_made(void)
{
	int i;

	for (i = 0; i < RULE_COUNT; i++)
		printf("%s=%lu ", rule_name[i], rule_made[i]);
	puts("");
}

static void end_links(const char *user, const char *how)
{
	bool ended[LINKS_MAX] = { false };
	int i, n = 0;

	for (i = 0; i < link_count; i++) {
		if (!link_is_of(links[i], user) || link_is_dead(links[i]))
			continue;
		n++;
		if (!strcmp(how, "dead")) {
			link_kill(links[i]);
		} else {
			link_cut(links[i], !strcmp(how, "abort"));
			ended[i] = true;
		}
	}
	drop_ended(ended);
	printf("%d\n", n);
}

static void bury(void)
{
	bool ended[LINKS_MAX] = { false };
	int i;

	for (i = 0; i < link_count; i++)
		ended[i] = link_is_dead(links[i]);
	drop_ended(ended);
	puts("ok");
}

static bool add_rule(const char *name, const char *line)
{
	struct rule r = { .what = RULE_HANDSHAKE };

	while (strcmp(rule_name[r.what], name) != 0)
		if (++r.what == RULE_COUNT)
			return false;
	if (rule_count == RULES_MAX ||
	    sscanf(line, "%*s %31s %ld %ld %ld", r.user, &r.count, &r.skip, &r.argument) != 4)
		return false;
	rules[rule_count++] = r;
	puts("ok");
	return true;
}

static void obey(const char *line, int port)
{
	char command[32] = "", user[32] = "", how[32] = "";

	if (sscanf(line, "%31s %31s %31s", command, user, how) < 1)
		return;
	if (!strcmp(command, "port")) {
		printf("%d\n", port);
	} else if (!strcmp(command, "links")) {
		say_links();
	} else if (!strcmp(command, "made")) {
		say_made();
	} else if (!strcmp(command, "swallowed")) {
		printf("- %.*s\n", (int)swallowed.len, (const char *)swallowed.p);
	} else if (!strcmp(command, "clear")) {
		rule_count = 0;
		puts("ok");
	} else if (!strcmp(command, "cut")) {
		end_links(user, how);
	} else if (!strcmp(command, "bury")) {
		bury();
	} else if (!strcmp(command, "dead")) {
		end_links(user, "dead");
	} else if (!add_rule(command, line)) {
		printf("not understood: %s\n", line);
	}
}

/* False: nobody commands us any more. */
static bool listen_to_commands(int port)
{
	static char text[4096];
	static size_t len;
	char *end;
	ssize_t n = read(STDIN_FILENO, text + len, sizeof(text) - 1 - len);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	len += (size_t)n;
	text[len] = '\0';
	while ((end = strchr(text, '\n')) != NULL) {
		*end = '\0';
		obey(text, port);
		len -= (size_t)(end + 1 - text);
		memmove(text, end + 1, len + 1);
	}
	fflush(stdout);
	return len < sizeof(text) - 1;
}

/* -- the loop -- */

static void turn(int listener, int port, int broker_port)
{
	struct pollfd fd[2 + 2 * LINKS_MAX];
	int i;

	for (;;) {
		bool ended[LINKS_MAX] = { false };

		fd[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
		fd[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (i = 0; i < link_count; i++)
			link_poll(links[i], fd + 2 + (ptrdiff_t)2 * i);
		/* what is slow, late or out of order needs a clock */
		if (poll(fd, (nfds_t)(2 + 2 * link_count), rule_count ? TICK_MS : QUIET_TICK_MS) <
		    0)
			continue;
		for (i = 0; i < link_count; i++)
			ended[i] = !link_step(links[i], fd + 2 + (ptrdiff_t)2 * i, now_ms());
		drop_ended(ended);
		if (fd[1].revents)
			meet(listener, broker_port);
		if (fd[0].revents && !listen_to_commands(port))
			return;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 3) {
		fputs("usage: between BROKER-PORT SEED\n", stderr);
		return 64;
	}
	srandom((unsigned int)strtoul(argv[2], NULL, 10));
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
	    listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
		perror("between");
		return 69;
	}
	turn(listener, ntohs(address.sin_port), (int)strtol(argv[1], NULL, 10));
	while (link_count)
		link_free(links[--link_count]);
	free(swallowed.p);
	return 0;
}
