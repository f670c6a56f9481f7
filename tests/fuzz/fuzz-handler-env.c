#include "config.h"

#include <string.h>

#include "checkpoint_event.h"
#include "event.h"
#include "fuzz.h"
#include "handler_env.h"

static size_t types;

static enum bus_code count_type(void *arg, const char *type, uint64_t last, struct bus_err *err)
{
	(void)arg;
	(void)err;
	MUST(type && last <= INT64_MAX);
	types++;
	return BUS_OK;
}

static bool is_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", name[i]))
			return false;
	return len > 0;
}

/* A handler's environment has each DEBMSG_ variable once, and takes no more than exec(2) does. */
static void check_environment(char **env)
{
	size_t i, j, len, all = 0;
	const char *value;

	for (i = 0; env[i]; i++) {
		value = strchr(env[i], '=');
		MUST(value);
		len = (size_t)(value - env[i]);
		if (strncmp(env[i], "DEBMSG_", 7) != 0)
			continue;
		all += strlen(env[i]) + 1 + sizeof(char *);
		MUST(is_name(env[i], len) && strlen(value + 1) <= BUS_HANDLER_VALUE_MAX);
		for (j = 0; i < 100 && j < i; j++)
			MUST(strncmp(env[i], env[j], len + 1) != 0);
	}
	MUST(all <= BUS_HANDLER_ENV_MAX);
}

/* The input: an event that was believed, so of a body; the longest that may be. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char command[] = "true", *argv[] = { command, NULL }, **env = NULL, **again = NULL;
	struct bus_message m = { .body = (char *)(uintptr_t)bytes, .body_len = len };
	struct bus_event *ev = NULL;
	struct bus_err err;
	size_t i;

	if (bus_event_parse(&ev, bytes, len, NULL))
		return 0;
	MUST(bus_handler_env(&env, argv, ev, &m, len % 2, &err) == BUS_OK);
	check_environment(env);
	MUST(bus_handler_env(&again, argv, ev, &m, len % 2, &err) == BUS_OK);
	for (i = 0; env[i]; i++)
		MUST(again[i] && strcmp(env[i], again[i]) == 0);
	MUST(!again[i]);
	types = 0;
	MUST(bus_checkpoint_event_types((const char *)bytes, len, count_type, NULL, &err) ==
	     BUS_OK);
	MUST(types <= len);
	free(env);
	free(again);
	bus_event_free(ev);
	return 0;
}
