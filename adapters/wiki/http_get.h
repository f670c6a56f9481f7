#ifndef BUS_WIKI_HTTP_GET_H
#define BUS_WIKI_HTTP_GET_H

#include "buf.h"

/*
 * GET over http or https, one request at a time, all done in HTTP_MS.
 *
 *	http_open()
 *	http_get() ...
 *	http_close()
 *
 * Certificates and host names are checked as libcurl does; redirects are not
 * followed, proxies and passwords of the environment not used, and the reply
 * has no more bytes than the buffer takes.  The connection stays open for the
 * next request as long as the server likes.  A SIGTERM or SIGINT that waits
 * because it is blocked ends the request within a second.
 */
enum { HTTP_MS = 10 * 1000 };

struct http;

enum bus_code http_open(struct http **ret, struct bus_err *err);
void http_close(struct http *http);

/*
 * Replaces what is in *out.  BUS_E_UNAVAILABLE: no answer, or no 200; then, and
 * on BUS_OK, *ret_retry_s is what Retry-After says, at most an hour, 0 if nothing.
 * BUS_E_NO: ended by a signal.
 */
enum bus_code http_get(struct http *http, const char *url, struct bus_buf *out, long *ret_retry_s,
		       struct bus_err *err);

/* BUS_E_CONFIG, with what is wrong: https, or http to this machine, and no secret in it. */
enum bus_code http_check_url(const char *option, const char *url, struct bus_err *err);

#endif
