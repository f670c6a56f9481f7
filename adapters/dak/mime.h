#ifndef BUS_ADAPTER_DAK_MIME_H
#define BUS_ADAPTER_DAK_MIME_H

#include "adapters/dak/names.h"
#include "err.h"

/*
 * One mail (RFC 5322, RFC 2045, RFC 2047, RFC 1847), read by GMime: its own
 * headers and its text.  Headers of parts, and whatever in the body looks like
 * a header, are never given.
 */
enum {
	MIME_BYTES_MAX = 8 * 1024 * 1024,
	MIME_HEADERS_MAX = 500, /* of the mail, and of its text */
	MIME_HEADER_BYTES_MAX = 256 * 1024
};

struct mime;

/*
 * BUS_E_DATA: not a mail, or its headers are too many or not complete.  bytes are not
 * needed afterwards.
 */
enum bus_code mime_open(struct mime **ret, struct dak_slice bytes, struct bus_err *err);
void mime_close(struct mime *mime);

/*
 * How often a header stands there; *ret is the first one's value, unfolded,
 * decoded and trimmed, empty where there is none, until mime_close().
 */
size_t mime_header(const struct mime *mime, const char *name, struct dak_slice *ret);

/*
 * The text: the body of a text/plain mail, or the first part of a
 * multipart/signed one; its transfer encoding is undone.  p NULL where there is
 * no such thing, or the headers of that part are too many.
 */
struct dak_slice mime_text(const struct mime *mime);

#endif
