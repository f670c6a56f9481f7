#include "config.h"

#include "adapters/wiki/rc_hints.h"

enum {
	FIRST_PAUSE_US = 50000,
	ATTEMPTS = 8, /* the pauses add up to 13 seconds */
	NAMELESS_ATTEMPTS = 4,
	SECOND_US = 1000000,
	BURST_US = 20 * SECOND_US /* so many seconds' questions may be asked at once */
};

void rc_hints_add(struct rc_hints *hints, uint64_t id, int64_t now_us)
{
	size_t i;

	for (i = 0; id && i < hints->count; i++)
		if (hints->id[i] == id)
			return;
	if (id && hints->count < RC_HINTS_MAX)
		hints->id[hints->count++] = id;
	else
		hints->is_nameless = true;
	hints->attempt = 0;
	hints->due_us = now_us ? now_us : 1;
}

static int64_t allowed_us(const struct rc_hints *hints)
{
	const int64_t from_us = hints->free_us - BURST_US;

	return hints->due_us > from_us ? hints->due_us : from_us;
}

bool rc_hints_is_due(const struct rc_hints *hints, int64_t now_us)
{
	return hints->due_us && allowed_us(hints) <= now_us;
}

bool rc_hints_is_doubtful(const struct rc_hints *hints)
{
	return hints->attempt > 2;
}

void rc_hints_asked(struct rc_hints *hints, const struct rc_seen *seen, int64_t now_us)
{
	size_t i, left = 0;

	hints->free_us = (hints->free_us > now_us ? hints->free_us : now_us) + SECOND_US;
	for (i = 0; i < hints->count; i++)
		if (!rc_seen_has_id(seen, hints->id[i]))
			hints->id[left++] = hints->id[i];
	hints->count = left;
	hints->attempt++;
	if (hints->attempt >= NAMELESS_ATTEMPTS)
		hints->is_nameless = false;
	if (hints->attempt > ATTEMPTS)
		hints->count = 0;
	hints->due_us = hints->count || hints->is_nameless
				? now_us + ((int64_t)FIRST_PAUSE_US << (hints->attempt - 1))
				: 0;
}

int64_t rc_hints_wait_ms(const struct rc_hints *hints, int64_t now_us)
{
	int64_t wait_us;

	if (!hints->due_us)
		return -1;
	wait_us = allowed_us(hints) - now_us;
	return wait_us > 0 ? wait_us / 1000 + 1 : 0;
}
