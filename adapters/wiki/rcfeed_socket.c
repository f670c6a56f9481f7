#include "config.h"

#include "adapters/wiki/rcfeed_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes that wait while we are at something else; the kernel gives what it may. */
enum { RECEIVE_BUFFER = 4 * 1024 * 1024 };

struct place {
	struct sockaddr_storage address;
	socklen_t len;
};

static bool is_loopback(const struct place *place)
{
	const struct sockaddr_in *in = (const void *)&place->address;
	const struct sockaddr_in6 *in6 = (const void *)&place->address;

	if (place->address.ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return place->address.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* Of a name's addresses the one MediaWiki takes (gethostbyname() in UDPTransport.php). */
static enum bus_code look_up(struct place *ret, const char *name, const char *port,
			     struct bus_err *err)
{
	const struct addrinfo want = {
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *all = NULL;
	const struct addrinfo *one;
	const int failed = getaddrinfo(name, port, &want, &all);

	if (failed)
		return bus_fail(err, failed == EAI_AGAIN ? BUS_E_TEMP : BUS_E_CONFIG,
				"rcfeed-address: %s, port %s: %s", name, port,
				gai_strerror(failed));
	for (one = all; one; one = one->ai_next)
		if (!ret->len || (one->ai_family == AF_INET && ret->address.ss_family != AF_INET)) {
			memcpy(&ret->address, one->ai_addr, one->ai_addrlen);
			ret->len = one->ai_addrlen;
		}
	freeaddrinfo(all);
	return BUS_OK;
}

/* Where the host ends, and what it is without brackets. */
static enum bus_code find_place(struct place *ret, const char *address, struct bus_err *err)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	const bool has_brackets = len > 2 && address[0] == '[' && address[len - 1] == ']';
	enum bus_code rc;
	char *name;

	if (!len || !colon[1] || (!has_brackets && strcspn(address, ":[]") != len))
		return bus_fail(err, BUS_E_CONFIG,
				"rcfeed-address: '%s' is not like 127.0.0.1:1336 or [::1]:1336",
				address);
	name = has_brackets ? strndup(address + 1, len - 2) : strndup(address, len);
	rc = name ? look_up(ret, name, colon + 1, err)
		  : bus_fail(err, BUS_E_NOMEM, "rcfeed: out of memory");
	free(name);
	return rc;
}

enum bus_code rcfeed_socket_open(int *ret_fd, const char *address, bool only_here,
				 struct bus_err *err)
{
	const int buffer = RECEIVE_BUFFER;
	enum bus_code rc;
	struct place place = { .len = 0 };
	int fd;

	rc = find_place(&place, address, err);
	if (rc)
		return rc;
	if (only_here && !is_loopback(&place))
		return bus_fail(err, BUS_E_CONFIG,
				"rcfeed-address: anybody can send datagrams to %s; "
				"set api-url, so that only what the wiki confirms is announced",
				address);
	fd = socket(place.address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&place.address, place.len) != 0) {
		rc = bus_fail(err, BUS_E_TEMP, "rcfeed-address: %s: %s", address, strerror(errno));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	*ret_fd = fd;
	return BUS_OK;
}

enum bus_code rcfeed_socket_take(int fd, char bytes[RCFEED_DATAGRAM_MAX], size_t *ret_len,
				 struct bus_err *err)
{
	ssize_t n;

	do
		n = recv(fd, bytes, RCFEED_DATAGRAM_MAX, 0);
	while (n < 0 && (errno == EINTR || errno == ECONNREFUSED));
	if (n >= 0) {
		*ret_len = (size_t)n;
		return BUS_OK;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return BUS_E_NO;
	return bus_fail(err, BUS_E_TEMP, "rcfeed: recv: %s", strerror(errno));
}
