#ifndef BUS_TOPIC_H
#define BUS_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * Event types, routing keys and the patterns that match them.
 *
 * A type is org.debian.<environment>.<service>.<object>.<event>; a routing key
 * is the type and, if there is a subject, one more word made from it (PROTOCOL
 * section 2).  A pattern is an AMQP topic pattern: words divided by dots, `*`
 * for one word, `#` for any number (AMQP 0-9-1, section 3.1.3.3).
 */
enum {
	BUS_KEY_MAX = 255, /* bytes of a routing key: a short string of AMQP */
	BUS_TYPE_MAX = 160 /* bytes of a type: room for a cut subject remains */
};

/* A type in its parts: slices of the text that was parsed. */
struct bus_type {
	const char *environment, *service, *object, *event;
	size_t environment_len, service_len, object_len, event_len;
};

bool bus_type_parse(struct bus_type *ret, const char *type);
bool bus_environment_valid(const char *environment);
bool bus_service_valid(const char *service); /* one word: [a-z0-9][a-z0-9_-]* */

/* `type` must be one that bus_type_parse() accepts; subject may be NULL or "". */
void bus_topic_key(char key[BUS_KEY_MAX + 1], const char *type, const char *subject);

bool bus_topic_match(const char *pattern, const char *key);

/*
 * A pattern as people type it, made whole: `dak.upload.accept` is short for
 * `org.debian.*.dak.upload.accept.#`; `#` and what begins with `org.` stay.
 */
enum bus_code bus_topic_expand(char pattern[BUS_KEY_MAX + 1], const char *text,
			       struct bus_err *err);

/* The pattern of the bus.checkpoint events of all logs that `pattern` can reach. */
void bus_topic_checkpoint(char checkpoint[BUS_KEY_MAX + 1], const char *pattern);

/* Does the pattern ask for bus.checkpoint events by name? */
bool bus_topic_names_checkpoint(const char *pattern);
bool bus_type_is_checkpoint(const char *type);

#endif
