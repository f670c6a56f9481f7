#include "config.h"

#include "backoff.h"

#include <sys/random.h>

enum { FIRST_MS = 500, MAX_MS = 30000 };

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
