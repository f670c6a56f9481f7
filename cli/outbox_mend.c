#include "config.h"

#include "outbox_mend.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "timestamp.h"
#include "topic.h"

enum {
	WAIT_MS = 5000,
	PAUSE_MIN_MS = 5 /* for adapters, between two pieces of work */
};

enum bus_code cli_outbox_open(const struct cli_outbox *cmd, const struct bus_conf_service *service,
			      struct bus_outbox **ret, struct bus_err *err)
{
	struct bus_outbox_params params = {
		.name = service->origin,
		.environment = cmd->conf->environment,
		.service = service->name,
		.max_event_size = cmd->conf->max_event_size,
		.wait_ms = WAIT_MS,
	};
	char *directory = bus_conf_outbox_dir(cmd->conf, service->name);
	enum bus_code rc;

	if (!directory)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	params.directory = directory;
	rc = bus_outbox_open(ret, &params, err);
	free(directory);
	return rc;
}

enum bus_code cli_outbox_of_log(const struct cli_outbox *cmd, const struct bus_conf_service **ret,
				struct bus_err *err)
{
	size_t i;

	for (i = 0; i < cmd->conf->service_count; i++)
		if (cli_is_of_log(cmd->log, strlen(cmd->log), cmd->conf->service[i].origin)) {
			*ret = &cmd->conf->service[i];
			return cmd->service && strcmp(cmd->service, (*ret)->name) != 0
				       ? bus_fail(err, BUS_E_USAGE, "%s is not the log of %s",
						  cmd->log, cmd->service)
				       : BUS_OK;
		}
	return bus_fail(err, BUS_E_CONFIG, "%s: no service section has the origin of %s",
			cmd->conf->path, cmd->log);
}

/* -- resend -- */

/* 5..9 or 7 or 5.., and the comma that audit puts between two. */
static bool parse_range(uint64_t *ret_first, uint64_t *ret_last, const char *text, uint64_t sent)
{
	size_t len = strlen(text);
	const char *dots = strstr(text, "..");
	const char *last;

	len -= len && text[len - 1] == ',';
	if (!dots)
		return bus_decimal_parse(ret_first, text, len) &&
		       bus_decimal_parse(ret_last, text, len);
	last = dots + 2;
	if (!bus_decimal_parse(ret_first, text, (size_t)(dots - text)))
		return false;
	if (last != text + len)
		return bus_decimal_parse(ret_last, last, (size_t)(text + len - last));
	*ret_last = sent > *ret_first ? sent - 1 : *ret_first;
	return true;
}

static enum bus_code check_log(const struct cli_outbox *cmd, const struct bus_outbox_state *state,
			       struct bus_err *err)
{
	if (!cmd->log || cli_is_of_log(state->origin, strlen(state->origin), cmd->log))
		return BUS_OK;
	return bus_fail(err, BUS_E_DATA,
			"%s was ended; the log is %s now, and nothing is signed for an old one any "
			"more. debmsg import can publish its events from an export",
			cmd->log, state->origin);
}

static enum bus_code resend_all(const struct cli_outbox *cmd, struct bus_outbox *box,
				const char *service, struct bus_err *err)
{
	struct bus_outbox_state state;
	uint64_t first = 0, last = 0;
	char **range;
	enum bus_code rc;

	rc = bus_outbox_state(box, &state, err);
	if (!rc)
		rc = check_log(cmd, &state, err);
	for (range = cmd->ranges; !rc && *range; range++)
		if (!parse_range(&first, &last, *range, state.sent))
			rc = bus_fail(err, BUS_E_USAGE, "'%s' is not a range such as 5..9", *range);
	for (range = cmd->ranges; !rc && *range; range++) {
		parse_range(&first, &last, *range, state.sent);
		rc = bus_outbox_resend(box, first, last, err);
		if (!rc)
			printf("%s: the relay sends events %" PRIu64 "..%" PRIu64 " of %s again\n",
			       service, first, last, state.origin);
	}
	return rc;
}

enum bus_code cli_outbox_resend(struct cli_outbox *cmd, const struct bus_conf_service *service,
				struct bus_err *err)
{
	struct bus_outbox *box = NULL;
	enum bus_code rc;

	rc = cli_outbox_open(cmd, service, &box, err);
	if (!rc)
		rc = resend_all(cmd, box, service->name, err);
	bus_outbox_close(box);
	return rc;
}

/* -- prune -- */

/* As long as the work took: an adapter that waits gets its turn.  True: asked to stop. */
static bool pause_after(int64_t began_us)
{
	const int64_t took_ms = (bus_time_mono() - began_us) / 1000;
	struct pollfd stop = { .fd = cli_stop_fd(), .events = POLLIN };

	return poll(&stop, 1, took_ms > PAUSE_MIN_MS ? (int)took_ms : PAUSE_MIN_MS) > 0;
}

static enum bus_code prune_all(struct bus_outbox *box, int64_t before_us, uint64_t *ret_total,
			       struct bus_err *err)
{
	uint64_t count = 0;
	bool more = true, stop = false;
	int64_t began;
	enum bus_code rc;

	do {
		began = bus_time_mono();
		rc = bus_outbox_prune(box, before_us, &count, err);
		*ret_total += count;
		if (!rc && count && isatty(STDERR_FILENO))
			fprintf(stderr, "\r%" PRIu64 " events removed\033[K", *ret_total);
	} while (!rc && count && !(stop = pause_after(began)));
	while (!rc && more && !stop) {
		began = bus_time_mono();
		rc = bus_outbox_shrink(box, &more, err);
		stop = more && pause_after(began);
	}
	if (*ret_total && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return !rc && stop
		       ? bus_fail(err, BUS_E_TEMP, "interrupted; the rest stays for the next time")
		       : rc;
}

enum bus_code cli_outbox_prune(struct cli_outbox *cmd, const struct bus_conf_service *service,
			       struct bus_err *err)
{
	int64_t before_us = cmd->keep_from_us;
	struct bus_outbox_state state = { .size = 0 };
	struct bus_outbox *box = NULL;
	uint64_t total = 0;
	enum bus_code rc;

	if (!before_us && service->keep_us)
		before_us = bus_time_now() - service->keep_us;
	rc = cli_outbox_open(cmd, service, &box, err);
	if (rc == BUS_E_NO && !cmd->service)
		return BUS_OK;
	if (!rc && before_us)
		rc = prune_all(box, before_us, &total, err);
	if (!rc)
		rc = bus_outbox_state(box, &state, err);
	if (!rc)
		printf("%s: %" PRIu64 " events removed; %s has %" PRIu64
		       ", the oldest kept is %" PRIu64 "\n",
		       service->name, total, state.origin, state.size, state.first);
	cmd->any = true;
	bus_outbox_close(box);
	return rc;
}
