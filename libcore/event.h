#ifndef BUS_EVENT_H
#define BUS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Events: CloudEvents 1.0 in the JSON format, structured mode, as PROTOCOL
 * section 1 narrows them.
 *
 * A draft is what an adapter knows: type, subject, time and data.  The outbox
 * gives it its place in the log and builds the bytes that are hashed, sent and
 * kept; nobody ever serialises them again.  bus_event_parse() is the one strict
 * reader, used for what comes from the broker and, before it is stored, for
 * what we are about to send.
 */
enum {
	BUS_BODY_MAX_DEFAULT = 64 * 1024,   /* bytes */
	BUS_BODY_MAX_CEILING = 1024 * 1024, /* what a configuration may raise it to */
	BUS_SUMMARY_MAX = 200		    /* characters */
};

struct bus_draft {
	const char *type;    /* whole, see topic.h */
	const char *subject; /* NULL: none */
	int64_t time_us;     /* microseconds since 1970, UTC: when it happened */
	const char *data;    /* one JSON object, with `summary` */
	size_t data_len;
};

/* A parsed event owns all it points to; bus_event_free() frees it. */
struct bus_event {
	char *source;
	uint64_t id;
	char *type;
	char *subject; /* NULL: none */
	char *time;    /* BUS_TIME_LEN characters */
	uint64_t typesequence;
	char *summary;
	char *url; /* NULL: none */
};

/*
 * Appends the event's bytes.  BUS_E_DATA, naming the reason, where the draft
 * is not one a consumer would accept or is larger than max.
 */
enum bus_code bus_event_build(struct bus_buf *out, const struct bus_draft *draft,
			      const char *source, uint64_t id, uint64_t typesequence,
			      struct bus_err *err);

/* BUS_E_MALFORMED_EVENT, or BUS_E_NOMEM, which is never taken for the former. */
enum bus_code bus_event_parse(struct bus_event **ret, const void *bytes, size_t len,
			      struct bus_err *err);
void bus_event_free(struct bus_event *ev);

#endif
