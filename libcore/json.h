#ifndef BUS_JSON_H
#define BUS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Writes JSON (RFC 8259) into a buffer: compact, UTF-8, one line.
 *
 *	struct bus_json js = { &buf, false };
 *	bus_json_open(&js, NULL, '{');
 *	bus_json_text(&js, "subject", subject);
 *	bus_json_close(&js, '}');
 *
 * `name` is the member's name inside an object and NULL inside an array or at
 * the top.  Text may be any bytes: what is not valid UTF-8, and NUL, becomes
 * U+FFFD, so the result is always an acceptable event.  Failures are the
 * buffer's (bus_buf_check()).  Reading JSON is event.c's and message.c's job.
 */
struct bus_json {
	struct bus_buf *out;
	bool comma; /* something stands before in this object or array */
};

void bus_json_open(struct bus_json *js, const char *name, char bracket); /* '{' or '[' */
void bus_json_close(struct bus_json *js, char bracket);			 /* '}' or ']' */
void bus_json_text(struct bus_json *js, const char *name, const char *text);
void bus_json_bytes(struct bus_json *js, const char *name, const void *bytes, size_t len);
void bus_json_uint(struct bus_json *js, const char *name, uint64_t value);
void bus_json_bool(struct bus_json *js, const char *name, bool value);
/* A value that is JSON already. */
void bus_json_raw(struct bus_json *js, const char *name, const char *json, size_t len);

/* Length of the valid UTF-8 character at p (1 to 4), 0 if there is none. */
size_t bus_utf8_char(const char *p, size_t len);
bool bus_utf8_valid(const char *p, size_t len);

#endif
