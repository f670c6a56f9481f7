#include "config.h"

#include "gnupg.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { HOMES_MAX = 32, ARGS_MAX = 40 };

extern char **environ;

static char *home_of[HOMES_MAX];
static int homes;

/* Output goes to the file, or nowhere; what gpg says to people, to the test's log if asked. */
static int run(const char *const argv[], const char *output)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, output ? output : "/dev/null",
					 O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!getenv("GNUPG_TEST_VERBOSE"))
		posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) ==
	    0)
		while (waitpid(pid, &status, 0) != pid)
			;
	posix_spawn_file_actions_destroy(&actions);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

char *gnupg_home(const char *name)
{
	char *home = check_path("%s", name);

	if (homes == HOMES_MAX || mkdir(home, 0700) != 0) {
		perror(home);
		exit(99);
	}
	home_of[homes++] = strdup(home);
	return home;
}

void gnupg_finish(void)
{
	while (homes--) {
		const char *argv[] = {
			"gpgconf", "--homedir", home_of[homes], "--kill", "all", NULL
		};

		run(argv, NULL);
		free(home_of[homes]);
	}
	homes = 0;
}

int gnupg(const char *home, ...)
{
	const char *argv[ARGS_MAX] = { "gpg",
				       "--homedir",
				       home,
				       "--batch",
				       "--utf8-strings",
				       "--yes",
				       "--no-tty",
				       "--pinentry-mode",
				       "loopback",
				       "--passphrase",
				       "" };
	int n = 11;
	va_list ap;

	va_start(ap, home);
	while (n < ARGS_MAX - 1 && (argv[n] = va_arg(ap, const char *)))
		n++;
	va_end(ap);
	argv[n] = NULL;
	return run(argv, NULL);
}

bool gnupg_fingerprint(const char *home, const char *user, int n, char fpr[BUS_FPR_MAX + 1])
{
	char *list = check_path("list.%d", (int)getpid()), *text, *line, *save = NULL;
	const char *argv[] = { "gpg",
			       "--homedir",
			       home,
			       "--batch",
			       "--utf8-strings",
			       "--with-colons",
			       "--with-subkey-fingerprint",
			       "--list-keys",
			       user,
			       NULL };
	bool found = false;

	if (run(argv, list) == 0) {
		text = check_read(list, NULL);
		for (line = strtok_r(text, "\n", &save); line && !found;
		     line = strtok_r(NULL, "\n", &save))
			found = sscanf(line, "fpr:::::::::%64[0-9A-F]", fpr) == 1 && n-- == 0;
		free(text);
	}
	check_remove(list);
	free(list);
	return found;
}

bool gnupg_key(const char *home, const char *user, const char *algo, const char *usage,
	       const char *expire, char fpr[BUS_FPR_MAX + 1])
{
	return gnupg(home, "--quick-generate-key", user, algo, usage, expire, NULL) == 0 &&
	       gnupg_fingerprint(home, user, 0, fpr);
}

bool gnupg_copy_keys(const char *from, const char *to, const char *key)
{
	char *file = check_path("keys.%d", (int)getpid());
	bool ok;

	ok = gnupg(from, "--output", file, "--export", key, NULL) == 0 &&
	     gnupg(to, "--import", file, NULL) == 0;
	check_remove(file);
	free(file);
	return ok;
}
