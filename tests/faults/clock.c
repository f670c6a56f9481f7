/*
 * A clock that is wrong, for LD_PRELOAD: the time of day is so many seconds later as
 * stand in the file $FAULTS_CLOCK (earlier, if negative), at any moment.  The
 * monotonic clock is left alone.  libfaketime could do it, but leaves its
 * semaphores behind where processes are killed, and trips over them.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static time_t offset(void)
{
	const char *name = getenv("FAULTS_CLOCK");
	char text[32];
	ssize_t n;
	int fd, error = errno;

	/* its waits are until a time of day, which is the kernel's */
	if (!name || !strcmp(program_invocation_short_name, "gpg-agent"))
		return 0;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	errno = error;
	return (time_t)strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	const int status = NEXT(clock_gettime)(clock, now);

	if (!status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += offset();
	return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	const int status = NEXT(gettimeofday)(now, zone);

	now->tv_sec += offset();
	return status;
}

time_t time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
