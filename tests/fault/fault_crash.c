#include "config.h"

#include "fault_crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "faulty_memory.h"

/*
 * GLib aborts by design (g_malloc(3)), and with it GMime.  Libgcrypt ends the
 * process where its first call finds no memory, libconfuse goes on with the null
 * pointer, or calls exit(); gpgme_new() frees what it has not made yet.
 */
static const char *const deadly[] = { "libglib-",    "libgobject-", "libgmime-", "libgcrypt.",
				      "libconfuse.", "libgpgme.",   NULL };

/* Behind which the one who died stands: malloc() and abort() are in the first. */
static const char *const between[] = { "libc.", "ld-linux", "libgcc_s", NULL };

static struct fault_crash *result;

static bool is_one_of(const char *path, const char *const *names)
{
	for (; *names; names++)
		if (strstr(path, *names))
			return true;
	return false;
}

/* With a sanitizer, much of the C library is a part of the program. */
#ifdef FAULTY_MEMORY_SANITIZED
enum { IN_PROGRAM_MAX = 6 };
#else
enum { IN_PROGRAM_MAX = 0 };
#endif

static bool is_by_library(const struct fault_crash *crash)
{
	Dl_info info, self;
	int i, in_program = 0;

	if (!dladdr((void *)(uintptr_t)is_by_library, &self))
		return false;
	for (i = 1; i < crash->depth; i++) { /* the first frame is the handler's */
		if (!dladdr(crash->frame[i], &info) || !info.dli_fname ||
		    is_one_of(info.dli_fname, between) || faulty_memory_is_here(crash->frame[i]))
			continue;
		if (info.dli_fbase != self.dli_fbase || ++in_program > IN_PROGRAM_MAX)
			return is_one_of(info.dli_fname, deadly);
	}
	return false;
}

static void catch (int signal_number)
{
	result->depth = backtrace(result->frame, 24);
	result->is_by_library = is_by_library(result);
	raise(signal_number);
}

void fault_crash_catch(struct fault_crash *crash)
{
	static char memory[65536];
	const stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };
	const struct sigaction action = { .sa_handler = catch,
					  .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND) };

	result = crash;
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGABRT, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}
