#include "config.h"

#include "adapters/alioth/tool.h"

static const char *const clean_env[] = {
	"PATH=/usr/bin:/bin",
	"LC_ALL=C.UTF-8",
	/* without it some look their user's up */
	"HOME=/nonexistent",
};

enum { CLEAN_COUNT = sizeof(clean_env) / sizeof(*clean_env), MORE_MAX = 12 };

enum bus_code tool_start(struct child **ret, const char *const *argv, const char *const *more,
			 struct bus_err *err)
{
	const char *env[CLEAN_COUNT + MORE_MAX + 1] = { NULL };
	struct child *child = NULL;
	enum bus_code rc;
	size_t i;

	for (i = 0; i < CLEAN_COUNT; i++)
		env[i] = clean_env[i];
	for (; *more && i < CLEAN_COUNT + MORE_MAX; i++)
		env[i] = *more++;
	rc = child_start(&child, argv, env, TOOL_MS, err);
	if (rc)
		return rc;
	child_end_input(child);
	*ret = child;
	return BUS_OK;
}

enum bus_code tool_finish(struct child *child, struct bus_err *err)
{
	int status = 0;
	enum bus_code rc = child_finish(child, &status, err);

	if (rc || !status)
		return rc;
	if (err)
		err->code = BUS_E_NO;
	return BUS_E_NO;
}

enum bus_code tool_ask(struct bus_buf *out, const char *const *argv, const char *const *more,
		       struct bus_err *err)
{
	struct child *child = NULL;
	enum bus_code rc;

	bus_buf_clear(out);
	rc = tool_start(&child, argv, more, err);
	if (rc)
		return rc;
	rc = child_read_all(child, out, err);
	if (rc) {
		child_kill(child);
		return rc;
	}
	return tool_finish(child, err);
}
