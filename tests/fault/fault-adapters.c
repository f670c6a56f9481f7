#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/adapter.h"
#include "adapters/common/hook_main.h"
#include "adapters/common/say.h"
#include "adapters/common/watch_main.h"
#include "fault_rcfeed.h"
#include "fault_run.h"
#include "timestamp.h"

/*
 * Each adapter, from what its service wrote to what is in the outbox, while
 * allocations and SQLite's writes fail in turn: see fault_run.h.  No input is
 * lost or rejected, and no event is stored twice.  tests/fault/inputs makes what
 * they read.
 */
extern char **environ;

static void use_conf(void)
{
	char here[4000], path[4100];

	if (!getcwd(here, sizeof(here)))
		_exit(99);
	snprintf(path, sizeof(path), "%s/debmsg.conf", here);
	setenv("DEBMSG_CONF", path, 1);
}

/* -- watchers -- */

static int watch(const struct adapter *adapter)
{
	char once[] = "--once", start[] = "--from-start";
	char *argv[] = { (char *)(uintptr_t)adapter->program, once, start, NULL };

	say_open(adapter->program);
	return watch_main(adapter, 3, argv);
}

static int run_dak(void)
{
	return watch(&adapter_dak);
}

static int run_wiki(void)
{
	return watch(&adapter_wiki);
}

static int run_planet(void)
{
	return watch(&adapter_planet);
}

/* -- hooks -- */

/*
 * In the background a hook tries for a minute: here that minute passes at once.
 * The linker sends the adapters' calls to these (--wrap).
 */
static int64_t slept_us;

int __real_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);
int64_t __real_bus_time_now(void);
int64_t __wrap_bus_time_now(void);

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	if (n)
		return __real_poll(fds, n, ms);
	slept_us += (int64_t)ms * 1000;
	return 0;
}

int64_t __wrap_bus_time_now(void)
{
	return __real_bus_time_now() + slept_us;
}

/* As the version control system runs it, or with --pending. */
static int hook(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	say_open(argv[0]);
	return hook_main(&adapter_alioth, argc, argv);
}

static char program[] = "debmsg-alioth", pending[] = "--pending";

#define HOOK(name, ...)                                                                            \
	static int run_##name(void)                                                                \
	{                                                                                          \
		char *argv[] = { program, (char[]){ #name }, ##__VA_ARGS__, NULL };                \
                                                                                                   \
		return hook(argv);                                                                 \
	}                                                                                          \
                                                                                                   \
	static int run_##name##_again(void)                                                        \
	{                                                                                          \
		char *argv[] = { program, (char[]){ #name }, pending, NULL };                      \
                                                                                                   \
		return hook(argv);                                                                 \
	}

HOOK(git)
HOOK(svn, (char[]){ "." }, (char[]){ "1" })
HOOK(hg)
HOOK(cvs, (char[]){ "mod/d" }, (char[]){ "f1" }, (char[]){ "1.1" }, (char[]){ "1.2" },
     (char[]){ "anna" })
HOOK(bzr)
HOOK(darcs)

static void begin_hook(const char *directory)
{
	const int fd = open("stdin", O_RDONLY);

	use_conf();
	setenv("REMOTE_USER", "anna", 1);
	if (fd >= 0 && dup2(fd, STDIN_FILENO) < 0)
		_exit(99);
	if (fd >= 0)
		close(fd);
	if (chdir(directory) != 0)
		_exit(99);
}

static void begin_git(void)
{
	begin_hook("srv/hello.git");
	setenv("GIT_DIR", ".", 1);
}

static void begin_srv(void)
{
	begin_hook("srv");
}

static void begin_hello(void)
{
	begin_hook("srv/hello");
}

/* The whole of a small file in the environment. */
static void export_file(const char *name, const char *path)
{
	char text[4000] = "";
	FILE *file = fopen(path, "r");

	if (!file || !fread(text, 1, sizeof(text) - 1, file))
		_exit(99);
	fclose(file);
	setenv(name, text, 1);
}

static void begin_darcs(void)
{
	export_file("DARCS_PATCHES_XML", "xml");
	begin_hello();
}

static void begin_hg(void)
{
	export_file("HG_NODE", "node");
	export_file("HG_NODE_LAST", "node");
	setenv("HG_HOOKTYPE", "changegroup", 1);
	begin_hello();
}

/* -- all of them -- */

static enum bus_code dump_dak(FILE *out, struct bus_err *err)
{
	return fault_dump_outbox(out, "dak", err);
}

static enum bus_code dump_wiki(FILE *out, struct bus_err *err)
{
	return fault_dump_outbox(out, "wiki", err);
}

static enum bus_code dump_planet(FILE *out, struct bus_err *err)
{
	return fault_dump_outbox(out, "planet", err);
}

static enum bus_code dump_alioth(FILE *out, struct bus_err *err)
{
	return fault_dump_outbox(out, "alioth", err);
}

/* A hook that cannot put its input on the disk says so to the one who pushes. */
static const char *const lost[] = { "NOT announced", "in the background for a minute", NULL };

static const struct fault_scenario scenarios[] = {
	{
		.name = "dak: mails and log",
		.input = "dak",
		.settles = true,
		.memory_min = 1000,
		.disk_min = 20,
		.begin = use_conf,
		.run = run_dak,
		.dump = dump_dak,
	},
	{
		.name = "dak: removals, migrations, suites, dinstall",
		.input = "dak-files",
		.settles = true,
		.memory_min = 500,
		.disk_min = 20,
		.begin = use_conf,
		.run = run_dak,
		.dump = dump_dak,
	},
	{
		.name = "wiki: edit-log",
		.input = "moin",
		.memory_min = 500,
		.disk_min = 20,
		.begin = use_conf,
		.run = run_wiki,
		.dump = dump_wiki,
	},
	{
		.name = "wiki: recent changes",
		.input = "rcfeed",
		.memory_min = 300,
		.disk_min = 20,
		.begin = use_conf,
		.run = fault_rcfeed_run,
		.dump = dump_wiki,
	},
	{
		.name = "planet: atom.xml and config.ini",
		.input = "planet",
		.settles = true,
		.memory_min = 500,
		.disk_min = 20,
		.begin = use_conf,
		.run = run_planet,
		.dump = dump_planet,
	},
	{
		.name = "alioth: git",
		.input = "git",
		.needs = "git/srv/hello.git",
		.memory_min = 300,
		.disk_min = 20,
		.begin = begin_git,
		.run = run_git,
		.again = run_git_again,
		.says_lost = lost,
		.dump = dump_alioth,
	},
	{
		.name = "alioth: cvs",
		.input = "cvs",
		.memory_min = 300,
		.disk_min = 20,
		.begin = begin_srv,
		.run = run_cvs,
		.again = run_cvs_again,
		.says_lost = lost,
		.dump = dump_alioth,
	},
	{
		.name = "alioth: bzr",
		.input = "bzr",
		.memory_min = 300,
		.disk_min = 20,
		.begin = begin_hello,
		.run = run_bzr,
		.again = run_bzr_again,
		.says_lost = lost,
		.dump = dump_alioth,
	},
	{
		.name = "alioth: darcs",
		.input = "darcs",
		.memory_min = 300,
		.disk_min = 20,
		.begin = begin_darcs,
		.run = run_darcs,
		.again = run_darcs_again,
		.says_lost = lost,
		.dump = dump_alioth,
	},
	{
		.name = "alioth: svn",
		.input = "svn",
		.memory_min = 300,
		.disk_min = 20,
		.needs = "svn/srv/hello",
		.cost = 2,
		.begin = begin_hello,
		.run = run_svn,
		.again = run_svn_again,
		.says_lost = lost,
		.dump = dump_alioth,
	},
	{
		.name = "alioth: hg",
		.input = "hg",
		.memory_min = 300,
		.disk_min = 20,
		.needs = "hg/srv/hello",
		.cost = 10,
		.begin = begin_hg,
		.run = run_hg,
		.again = run_hg_again,
		.says_lost = lost,
		.dump = dump_alioth,
	},
};

enum { SCENARIOS = sizeof(scenarios) / sizeof(*scenarios) };

static bool make_inputs(char *directory)
{
	const char *srcdir = getenv("DEBMSG_SRCDIR");
	char script[4000];
	char *argv[] = { script, directory, NULL };
	int status = -1;
	pid_t pid;

	snprintf(script, sizeof(script), "%s/tests/fault/inputs", srcdir ? srcdir : ".");
	if (posix_spawn(&pid, script, NULL, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	return status == 0;
}

int main(int argc, char **argv)
{
	char directory[200];
	int wrong = 0, i;

	if (!fault_begin(directory, "fault-adapters"))
		return 99;
	if (!make_inputs(directory)) {
		printf("tests/fault/inputs failed\n");
		return 99;
	}
	for (i = 0; i < SCENARIOS; i++)
		if (fault_is_wanted(scenarios[i].name, argc, argv))
			wrong += fault_run(&scenarios[i], directory);
	fault_end(directory);
	return wrong != 0;
}
