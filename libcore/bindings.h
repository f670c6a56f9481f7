#ifndef BUS_BINDINGS_H
#define BUS_BINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * Patterns, each once: what a queue is bound to, or what its user asked for.
 * Start from zeroed memory.
 */
enum { BUS_BINDINGS_MAX = 200 };

struct bus_bindings {
	char **pattern;
	size_t count;
};

enum bus_code bus_bindings_add(struct bus_bindings *list, const char *pattern, struct bus_err *err);
bool bus_bindings_has(const struct bus_bindings *list, const char *pattern); /* word for word */
void bus_bindings_finish(struct bus_bindings *list);

bool bus_bindings_match(const struct bus_bindings *list, const char *key);

/*
 * Does one of the patterns ask for this event?  For bus.checkpoint events that
 * takes one that names them: they are for the program, not for its user.
 */
bool bus_bindings_want(const struct bus_bindings *list, const char *key, const char *type);

/*
 * Do the patterns take every event of this type, whatever its subject?  Only
 * then does its typesequence show that nothing is missing.
 */
bool bus_bindings_cover(const struct bus_bindings *list, const char *type);

#endif
