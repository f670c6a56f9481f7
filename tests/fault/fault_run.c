#include "config.h"

#include "fault_run.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

#include "fault_crash.h"
#include "fault_files.h"
#include "faulty_disk.h"
#include "faulty_memory.h"

enum {
	BATCH = 100, /* runs that are made ready at once, because files must settle */
	SETTLE_MS = 2300,
	HANG_S = 300,
	COMPLAINTS = 20,
};

/* Of each kind for each scenario, if $DEBMSG_FAULTS says nothing: some 15 s of the processor. */
#ifdef FAULTY_MEMORY_SANITIZED
enum { FAULTS = 4 };
#else
enum { FAULTS = 12 };
#endif

enum kind { MEMORY_ONCE, MEMORY_EVER, DISK_ONCE, DISK_EVER, KINDS };
static const char *const kind_name[KINDS] = {
	"an allocation fails",
	"allocations fail for ever",
	"a write fails",
	"writes fail for ever",
};

/* What the child counted, in memory that is shared with it. */
static struct shared {
	long disk_calls;
	struct faulty_memory_places places;
	struct faulty_memory_where where;
	struct fault_crash crash;
} * shared;

/* One scenario's runs. */
struct runs {
	const struct fault_scenario *scenario;
	const char *directory;
	char *reference; /* what is stored if nothing fails */
	long made[KINDS];
	long deaths;
	int wrong;
	bool died; /* the first run, by the hand of a library */
};

/* -- one process -- */

struct end {
	int status; /* of waitpid() */
	char said[4000];
};

static void read_said(char *text, size_t size, const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static _Noreturn void child(const struct runs *runs, int (*run)(void), enum kind kind, long at,
			    bool note)
{
	char path[PATH_MAX];
	int fd, status;

	snprintf(path, sizeof(path), "%s/said", runs->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	snprintf(path, sizeof(path), "%s/run", runs->directory);
	if (fd < 0 || chdir(path) != 0 || dup2(fd, STDERR_FILENO) < 0 ||
	    dup2(fd, STDOUT_FILENO) < 0)
		_exit(99);
	close(fd);
	alarm(HANG_S);
	fault_crash_catch(&shared->crash);
	faulty_calls_of_all = &shared->disk_calls;
	faulty_disk_use();
	if (runs->scenario->begin)
		runs->scenario->begin();
	*(kind < DISK_ONCE ? &faulty_memory_at : &faulty_fail_at) = at;
	*(kind < DISK_ONCE ? &faulty_memory_for_ever : &faulty_for_ever) = kind % 2;
	faulty_memory_begin(note ? &shared->places : NULL, &shared->where);
	status = run();
	faulty_memory_end();
	/* where nothing failed, the sanitizer's long search for what is lost can be left out */
	if (!at && !note) {
		fflush(NULL);
		_exit(status);
	}
	exit(status);
}

/* What a hook leaves behind is waited for too; false: one of those did not end well. */
static bool await_all(void)
{
	bool ok = true;
	int status;

	for (;;) {
		if (waitpid(-1, &status, 0) > 0)
			ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
		else if (errno != EINTR)
			return ok;
	}
}

static struct end run_child(const struct runs *runs, int (*run)(void), enum kind kind, long at,
			    bool note)
{
	struct end end = { -1, "" };
	char path[PATH_MAX];
	pid_t pid;

	shared->where.calls = shared->disk_calls = 0;
	shared->crash.is_by_library = false;
	shared->crash.depth = 0;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(runs, run, kind, at, note);
	if (pid < 0) {
		perror("fork");
		exit(EX_OSERR);
	}
	while (waitpid(pid, &end.status, 0) < 0 && errno == EINTR)
		;
	if (runs->scenario->says_lost && !await_all())
		end.status = 99 << 8;
	snprintf(path, sizeof(path), "%s/said", runs->directory);
	read_said(end.said, sizeof(end.said), path);
	return end;
}

static const struct fault_scenario *dumped; /* for the child */

static int dump_to_stdout(void)
{
	struct bus_err err = { BUS_OK, "" };
	const enum bus_code rc = dumped->dump(stdout, &err);

	return rc ? fault_status(rc, &err) : 0;
}

/* What is stored now; NULL: it cannot be read.  The caller frees it. */
static char *dump(struct runs *runs)
{
	char path[PATH_MAX], *text;
	struct end end;
	struct stat st;

	dumped = runs->scenario;
	end = run_child(runs, dump_to_stdout, MEMORY_ONCE, 0, false);
	snprintf(path, sizeof(path), "%s/said", runs->directory);
	if (end.status != 0 || stat(path, &st) != 0)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	if (text)
		read_said(text, (size_t)st.st_size + 1, path);
	return text;
}

/* -- what is right -- */

/* For people: addr2line -fipe PROGRAM OFFSET... says which lines these are. */
static void print_frames(const char *what, void *const *frame, int depth)
{
	char **name = backtrace_symbols(frame, depth);
	int i;

	for (i = 0; name && i < depth; i++)
		printf("    %s %s\n", what, name[i]);
	free(name);
}

static void complain(struct runs *runs, enum kind kind, long at, const char *what, const char *said)
{
	const size_t len = strlen(said);

	if (runs->wrong++ >= COMPLAINTS)
		return;
	printf("  %s, number %ld: %s\n", kind_name[kind], at, what);
	if (len)
		printf("%s%s", said, said[len - 1] == '\n' ? "" : "\n");
	print_frames("refused:", shared->where.frame, shared->where.depth);
	print_frames("died:", shared->crash.frame, shared->crash.depth);
}

/* The lines of a that are not in b. */
static void print_missing(const char *a, const char *b, const char *what)
{
	size_t len;

	for (; *a; a += len) {
		char *line;

		len = strcspn(a, "\n");
		len += a[len] == '\n';
		line = strndup(a, len);
		if (line && !strstr(b, line))
			printf("    %s: %s", what, line);
		free(line);
	}
}

static bool says_any(const char *said, const char *const *list)
{
	for (; list && *list; list++)
		if (strstr(said, *list))
			return true;
	return false;
}

/* The run that met the fault. */
static void check_first(struct runs *runs, enum kind kind, long at, const struct end *end)
{
	char what[60];

	if (runs->died) {
		runs->deaths++;
		return;
	}
	if (!WIFEXITED(end->status))
		snprintf(what, sizeof(what), "it is ended by signal %d", WTERMSIG(end->status));
	else if (WEXITSTATUS(end->status) && WEXITSTATUS(end->status) != EX_TEMPFAIL)
		snprintf(what, sizeof(what), "it ends with %d", WEXITSTATUS(end->status));
	else if (strstr(end->said, "Sanitizer") || strstr(end->said, "runtime error"))
		snprintf(what, sizeof(what), "a sanitizer finds something");
	else if (WEXITSTATUS(end->status) && !end->said[0])
		snprintf(what, sizeof(what), "it fails without a word");
	else
		return;
	complain(runs, kind, at, what, end->said);
}

/* The run after it, and what is stored then. */
static void check_second(struct runs *runs, enum kind kind, long at, const struct end *first)
{
	const struct fault_scenario *s = runs->scenario;
	const struct end end = run_child(runs, s->again ? s->again : s->run, kind, 0, false);
	char *stored;

	if (end.status != 0)
		complain(runs, kind, at, "the next attempt fails", end.said);
	stored = dump(runs);
	if (!stored)
		complain(runs, kind, at, "what is stored cannot be read", "");
	else if (strcmp(stored, runs->reference) != 0 &&
		 (stored[0] || !s->says_lost ||
		  (!runs->died && !says_any(first->said, s->says_lost)))) {
		complain(runs, kind, at, "what is stored is not what it should be", first->said);
		if (runs->wrong <= COMPLAINTS) {
			print_missing(stored, runs->reference, "stored");
			print_missing(runs->reference, stored, "not stored");
		}
	}
	free(stored);
}

static void run_one(struct runs *runs, enum kind kind, long at)
{
	struct end end;

	shared->where.depth = 0;
	end = run_child(runs, runs->scenario->run, kind, at, false);
	if ((kind < DISK_ONCE ? shared->where.calls : shared->disk_calls) >= at)
		runs->made[kind]++;
	runs->died = shared->crash.is_by_library || strstr(end.said, "out of dynamic memory in");
	check_first(runs, kind, at, &end);
	check_second(runs, kind, at, &end);
}

/* -- all of them -- */

static void make_ready(const struct runs *runs, long i)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "%s/%s", runs->directory,
		 runs->scenario->input ? runs->scenario->input : "nothing");
	snprintf(to, sizeof(to), "%s/ready-%ld", runs->directory, i);
	if (!fault_copy(from, to)) {
		perror(to);
		exit(EX_OSERR);
	}
}

static void settle(const struct runs *runs)
{
	const struct timespec pause = { SETTLE_MS / 1000, SETTLE_MS % 1000 * 1000000L };

	if (runs->scenario->settles)
		nanosleep(&pause, NULL);
}

static void use(const struct runs *runs, long i)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "%s/ready-%ld", runs->directory, i);
	snprintf(to, sizeof(to), "%s/run", runs->directory);
	fault_remove(to);
	if (rename(from, to) != 0) {
		perror(to);
		exit(EX_OSERR);
	}
}

static void run_all(struct runs *runs, enum kind kind, const long *point, long count_of)
{
	long i, k;

	for (i = 0; i < count_of; i += BATCH) {
		for (k = i; k < count_of && k < i + BATCH; k++)
			make_ready(runs, k);
		settle(runs);
		for (k = i; k < count_of && k < i + BATCH; k++) {
			use(runs, k);
			run_one(runs, kind, point[k]);
		}
	}
}

/* 0: all. */
static long faults_wanted(const struct fault_scenario *scenario)
{
	const char *text = getenv("DEBMSG_FAULTS");
	const long n = !text ? FAULTS : strtol(text, NULL, 10);

	if (n <= 0)
		return 0;
	return n / (scenario->cost ? scenario->cost : 1) ? n / (scenario->cost ? scenario->cost : 1)
							 : 1;
}

/* Every n-th of what there is, beginning in the middle of the first n; places NULL: 1, 2, ... */
static long choose(long *point, const long *places, long of, long wanted, long *ret_step)
{
	const long step = !wanted || of <= wanted ? 1 : (of + wanted - 1) / wanted;
	long i, n = 0;

	for (i = step / 2; i < of; i += step)
		point[n++] = places ? places[i] : i + 1;
	*ret_step = step;
	return n;
}

static bool run_kind(struct runs *runs, enum kind kind, long calls)
{
	const long wanted = faults_wanted(runs->scenario), place_count = shared->places.count;
	const bool by_place = kind < DISK_ONCE && wanted;
	long *point = calloc((size_t)calls + 1, sizeof(*point)), step, n;

	if (!point)
		return false;
	n = choose(point, by_place ? shared->places.call : NULL, by_place ? place_count : calls,
		   wanted, &step);
	run_all(runs, kind, point, n);
	if (by_place)
		printf("  %s: %ld times, at every %ld. of %ld places with %ld allocations\n",
		       kind_name[kind], runs->made[kind], step, place_count, calls);
	else
		printf("  %s: %ld times, every %ld. of %ld\n", kind_name[kind], runs->made[kind],
		       step, calls);
	free(point);
	if (!runs->made[kind])
		printf("  none was made\n");
	return runs->made[kind] > 0;
}

/* Without a fault: what there is to fail, and what is to be stored. */
static bool run_reference(struct runs *runs, long *ret_memory, long *ret_disk)
{
	const struct fault_scenario *s = runs->scenario;
	struct end end;

	memset(&shared->places, 0, sizeof(shared->places));
	make_ready(runs, 0);
	settle(runs);
	use(runs, 0);
	end = run_child(runs, s->run, MEMORY_ONCE, 0, true);
	*ret_memory = shared->where.calls;
	*ret_disk = shared->disk_calls;
	if (end.status == 0 && s->again)
		end = run_child(runs, s->again, MEMORY_ONCE, 0, false);
	runs->reference = end.status == 0 ? dump(runs) : NULL;
	if (!runs->reference || !runs->reference[0] || *ret_memory < s->memory_min ||
	    *ret_disk < s->disk_min) {
		printf("%s: without a fault: %ld allocations, %ld writes, status %d\n%s%s", s->name,
		       *ret_memory, *ret_disk, end.status, end.said,
		       runs->reference ? runs->reference : "");
		return false;
	}
	return true;
}

int fault_run(const struct fault_scenario *scenario, const char *directory)
{
	struct runs runs = { .scenario = scenario, .directory = directory };
	const struct timespec none = { 0, 0 };
	struct timespec begin = none, end = none;
	long memory = 0, disk = 0;
	char needed[PATH_MAX];
	bool ok;

	snprintf(needed, sizeof(needed), "%s/%s", directory,
		 scenario->needs ? scenario->needs : "");
	if (access(needed, F_OK) != 0) {
		printf("%s: left out, its tools are not installed\n", scenario->name);
		return 0;
	}
	if (!shared) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared == MAP_FAILED) {
			perror("mmap");
			exit(EX_OSERR);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	ok = run_reference(&runs, &memory, &disk);
	if (ok)
		printf("%s\n", scenario->name);
	if (ok && scenario->memory_min)
		ok = run_kind(&runs, MEMORY_ONCE, memory) && run_kind(&runs, MEMORY_EVER, memory);
	if (ok && scenario->disk_min)
		ok = run_kind(&runs, DISK_ONCE, disk) && run_kind(&runs, DISK_EVER, disk);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (runs.deaths)
		printf("  %ld times a library ended the process\n", runs.deaths);
	if (runs.wrong)
		printf("  %d runs went wrong\n", runs.wrong);
	if (getenv("DEBMSG_FAULTS_TIMES"))
		printf("  %ld s\n", (long)(end.tv_sec - begin.tv_sec));
	free(runs.reference);
	return runs.wrong + !ok;
}
