#ifndef BUS_HTTP_H
#define BUS_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

/*
 * GET over http or https, one request at a time, all done in BUS_HTTP_MS.
 *
 *	bus_http_open()
 *	bus_http_login()	where the server wants to know who asks
 *	bus_http_get() ...
 *	bus_http_close()
 *
 * Certificates and host names are checked as libcurl does; redirects are not
 * followed, proxies and passwords of the environment not used, and the reply
 * has no more bytes than the buffer takes.  The connection stays open for the
 * next request as long as the server likes.  A SIGTERM or SIGINT that waits
 * because it is blocked ends the request within a second.
 */
enum { BUS_HTTP_MS = 10 * 1000 };

struct bus_http;

enum bus_code bus_http_open(struct bus_http **ret, struct bus_err *err);
void bus_http_close(struct bus_http *http);

/* Who asks (basic authentication), and who must have signed the server's certificate. */
struct bus_http_login {
	const char *user, *password; /* NULL: nobody in particular */
	const char *ca_file;	     /* NULL: those that the system believes */
};
/* Copies what it is given; BUS_E_NOMEM is all that can go wrong. */
enum bus_code bus_http_login(struct bus_http *http, const struct bus_http_login *login,
			     struct bus_err *err);

/*
 * Replaces what is in *out.  BUS_E_UNAVAILABLE: no answer, or no 200; then, and
 * on BUS_OK, *ret_retry_s is what Retry-After says, at most an hour, 0 if nothing.
 * BUS_E_NO: ended by a signal.
 */
enum bus_code bus_http_get(struct bus_http *http, const char *url, struct bus_buf *out,
			   long *ret_retry_s, struct bus_err *err);
/* Of the last answer: its status, 0 if there was none. */
long bus_http_status(const struct bus_http *http);
/* Of the last answer: seconds since 1970 by the server's clock (Date, RFC 9110); 0: not said. */
int64_t bus_http_date(const struct bus_http *http);

/*
 * When the certificate ends that the server at https://host:port shows, in seconds
 * since 1970.  Nothing is sent after the handshake, so that any TLS server will
 * do.  BUS_E_UNAVAILABLE: no handshake, and why: it may have ended already.
 */
enum bus_code bus_http_certificate_end(struct bus_http *http, const char *url, int64_t *ret,
				       struct bus_err *err);

/* BUS_E_CONFIG, with what is wrong: https, or http to this machine, and no secret in it. */
enum bus_code bus_http_check_url(const char *option, const char *url, struct bus_err *err);

#endif
