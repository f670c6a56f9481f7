#include "config.h"

#include "backoff.h"

#include <sys/random.h>

enum { FIRST_MS = 500, MAX_MS = 30000, EVENT_MAX_S = 300 };

static unsigned int random_number(void)
{
	unsigned int r = 0;

	/* jitter needs no quality: 0 will do if the kernel has none yet */
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = 0;
	return r;
}

int bus_backoff_ms(unsigned int attempt)
{
	int ms = attempt < 6 ? FIRST_MS << attempt : MAX_MS;

	return ms / 2 + (int)(random_number() % (unsigned int)(ms / 2 + 1));
}

int64_t bus_backoff_event_us(unsigned int attempt)
{
	const int64_t s = attempt < 9 ? (int64_t)1 << attempt : EVENT_MAX_S;

	return (s < EVENT_MAX_S ? s : EVENT_MAX_S) * 1000000;
}
