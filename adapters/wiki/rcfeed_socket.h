#ifndef BUS_WIKI_RCFEED_SOCKET_H
#define BUS_WIKI_RCFEED_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * The socket that UDPRCFeedEngine sends to.  address: "127.0.0.1:1336",
 * "[::1]:1336", "localhost:1336".
 */
enum { RCFEED_DATAGRAM_MAX = 65535 }; /* bytes; MediaWiki cuts at 65507 */

/*
 * only_here: an address that other machines reach is BUS_E_CONFIG.  BUS_E_TEMP:
 * it cannot be had at the moment.
 */
enum bus_code rcfeed_socket_open(int *ret_fd, const char *address, bool only_here,
				 struct bus_err *err);

/* BUS_OK and the bytes of one datagram; BUS_E_NO: there is none now. */
enum bus_code rcfeed_socket_take(int fd, char bytes[RCFEED_DATAGRAM_MAX], size_t *ret_len,
				 struct bus_err *err);

#endif
