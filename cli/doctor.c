#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli.h"

static const char name[] = "debmsg-doctor";

/*
 * The doctor is a program of its own beside this one (doctor_main.c): it needs
 * libcurl, which every other subcommand would pay for at its start.
 */
static int run(int argc, char **argv)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(name));
	char *slash;

	(void)argc;
	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		memcpy(slash + 1, name, sizeof(name));
		execv(path, argv);
	}
	fprintf(stderr, "debmsg doctor: cannot start %s: %s\n", *path ? path : name,
		strerror(errno));
	return EX_OSERR;
}

const struct cli_command cli_doctor = { "doctor", "check host, broker, keys and retention", "",
					run };
