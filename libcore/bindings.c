#include "config.h"

#include "bindings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topic.h"

bool bus_bindings_has(const struct bus_bindings *list, const char *pattern)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->pattern[i], pattern) == 0)
			return true;
	return false;
}

enum bus_code bus_bindings_add(struct bus_bindings *list, const char *pattern, struct bus_err *err)
{
	if (bus_bindings_has(list, pattern))
		return BUS_OK;
	if (list->count == BUS_BINDINGS_MAX)
		return bus_fail(err, BUS_E_USAGE, "more than %d patterns", BUS_BINDINGS_MAX);
	if (!list->pattern)
		list->pattern = calloc(BUS_BINDINGS_MAX, sizeof(*list->pattern));
	if (list->pattern)
		list->pattern[list->count] = strdup(pattern);
	if (!list->pattern || !list->pattern[list->count])
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	list->count++;
	return BUS_OK;
}

void bus_bindings_finish(struct bus_bindings *list)
{
	while (list->count)
		free(list->pattern[--list->count]);
	free(list->pattern);
	list->pattern = NULL;
}

bool bus_bindings_match(const struct bus_bindings *list, const char *key)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (bus_topic_match(list->pattern[i], key))
			return true;
	return false;
}

bool bus_bindings_want(const struct bus_bindings *list, const char *key, const char *type)
{
	size_t i;

	if (!bus_type_is_checkpoint(type))
		return bus_bindings_match(list, key);
	for (i = 0; i < list->count; i++)
		if (bus_topic_names_checkpoint(list->pattern[i]) &&
		    bus_topic_match(list->pattern[i], key))
			return true;
	return false;
}

bool bus_bindings_cover(const struct bus_bindings *list, const char *type)
{
	/* "%" stands for any subject: no routing key has it as a word (PROTOCOL section 2) */
	char key[BUS_TYPE_MAX + sizeof(".%")];

	if (snprintf(key, sizeof(key), "%s.%%", type) >= (int)sizeof(key))
		return false;
	return bus_bindings_want(list, key, type);
}
