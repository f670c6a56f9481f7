/*
 * Says when a command began and ended, and what memory it had at most.
 *
 *   stopwatch FILE COMMAND [ARG]...    appends "BEGAN ENDED KIB" to FILE
 *   stopwatch FILE                     appends the time now
 *
 * Times are seconds on the clock that all processes of a machine share
 * (CLOCK_MONOTONIC).  KIB is the largest resident set of the command or of any process
 * that it waited for.  A process that is about to become COMMAND counts with what it
 * had before, so this program is small.  COMMAND ends when the stopwatch does; the exit
 * status is COMMAND's, or 70.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(EX_SOFTWARE);
}

/* One write, so that the lines of several stopwatches do not mix. */
static void note(const char *path, const char *line, int len)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, line, (size_t)len) != len || close(fd))
		die(path);
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	const double began = now();
	struct rusage usage;
	char line[100];
	int status;
	pid_t pid;

	if (argc < 2) {
		fputs("usage: stopwatch FILE [COMMAND [ARG]...]\n", stderr);
		return EX_USAGE;
	}
	if (argc == 2) {
		note(argv[1], line, snprintf(line, sizeof(line), "%.6f\n", began));
		return EX_OK;
	}
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(EX_SOFTWARE);
	}
	if (wait4(pid, &status, 0, &usage) != pid)
		die("wait");
	note(argv[1], line,
	     snprintf(line, sizeof(line), "%.6f %.6f %ld\n", began, now(), usage.ru_maxrss));
	return status_of(status);
}
