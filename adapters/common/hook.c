#include "config.h"

#include "adapters/common/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/deferred.h"
#include "adapters/common/say.h"
#include "timestamp.h"

enum {
	FRONT_WAIT_MS = 300, /* for the outbox, while the service waits for us */
	BACK_WAIT_MS = 60000,
	BACK_RETRY_MS = 2000
};

/* What may be there in a moment: room on the disk, a lock, memory. */
static bool can_pass(enum bus_code rc)
{
	return rc == BUS_E_TEMP || rc == BUS_E_NOMEM;
}

/* A lock is awaited; for the rest one can only look again. */
static enum bus_code store_patiently(const struct adapter_context *ctx,
				     const struct adapter_hook *hook,
				     const struct adapter_capture *capture, struct bus_err *err)
{
	const int64_t end_us = bus_time_now() + (int64_t)BACK_WAIT_MS * 1000;
	enum bus_code rc;

	while (can_pass(rc = deferred_store(ctx, hook, capture, BACK_WAIT_MS, err)) &&
	       bus_time_now() < end_us)
		poll(NULL, 0, BACK_RETRY_MS);
	return rc;
}

/* Nothing of the service stays with us: neither its terminal nor its pipes, nor its directory. */
static void leave_service(void)
{
	int fd = open("/dev/null", O_RDWR);

	setsid();
	if (chdir("/") != 0)
		say(LOG_NOTICE, "cannot leave the directory: %s; going on", strerror(errno));
	closelog();
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close_range(3, ~0U, 0);
}

static void background(const struct adapter_context *ctx, const struct adapter_hook *hook,
		       const struct adapter_capture *capture, bool stored)
{
	struct bus_err err;
	enum bus_code rc = BUS_OK;

	leave_service();
	if (!stored)
		rc = store_patiently(ctx, hook, capture, &err);
	if (rc)
		say(LOG_ERR, "%s; this call of the hook is NOT announced on the bus", err.text);
	else if (deferred_convert(ctx, hook, false, &err))
		say(LOG_ERR,
		    "%s; the input is kept, and the next hook or %s %s --pending goes on "
		    "with it",
		    err.text, ctx->program, hook->name);
}

/* The service goes on as soon as the parent has ended. */
static void start_background(const struct adapter_context *ctx, const struct adapter_hook *hook,
			     const struct adapter_capture *capture, bool stored)
{
	const pid_t pid = fork();

	if (pid == 0) {
		background(ctx, hook, capture, stored);
		_exit(0);
	}
	if (pid > 0)
		return;
	if (stored)
		say(LOG_WARNING,
		    "cannot start a process: %s; the input is kept, and the next hook "
		    "or %s %s --pending goes on with it",
		    strerror(errno), ctx->program, hook->name);
	else
		say(LOG_ERR,
		    "cannot start a process: %s; this call of the hook is NOT announced on "
		    "the bus",
		    strerror(errno));
}

static void answer(const struct adapter_context *ctx, const struct adapter_hook *hook,
		   const struct adapter_capture *capture)
{
	struct bus_err err;
	enum bus_code rc = deferred_store(ctx, hook, capture, FRONT_WAIT_MS, &err);

	if (can_pass(rc))
		say(LOG_WARNING, "%s; going on to try in the background for a minute", err.text);
	else if (rc)
		say(LOG_ERR, "%s; this is NOT announced on the bus", err.text);
	if (!rc || can_pass(rc))
		start_background(ctx, hook, capture, rc == BUS_OK);
}

enum bus_code hook_run(const struct adapter_context *ctx, const struct adapter_hook *hook,
		       char **operand, struct bus_err *err)
{
	struct adapter_capture capture = {
		.input = BUS_BUF_INIT(ADAPTER_INPUT_MAX),
		.rejected = BUS_BUF_INIT(ADAPTER_INPUT_MAX),
	};
	enum bus_code rc;

	rc = hook->capture(ctx, operand, &capture, err);
	if (!rc && (capture.input.len || capture.rejected.len))
		answer(ctx, hook, &capture);
	bus_buf_finish(&capture.input);
	bus_buf_finish(&capture.rejected);
	return rc;
}
