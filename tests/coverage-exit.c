/*
 * In the build of make coverage _exit() and execvpe() are these: what was counted is
 * written first, which gcov does at exit() and before the other exec functions only.
 * The doctor's checks, for one, run in a process that ends so.
 */
#include <stdlib.h>

/* The C library's, here, whatever the command line says of the name. */
int execvpe_of_libc(const char *file, char *const argv[], char *const env[]) __asm__("execvpe");
void __gcov_dump(void);
void __gcov_reset(void);
_Noreturn void coverage_exit(int status);
int coverage_execvpe(const char *file, char *const argv[], char *const env[]);

_Noreturn void coverage_exit(int status)
{
	__gcov_dump();
	_Exit(status);
}

int coverage_execvpe(const char *file, char *const argv[], char *const env[])
{
	__gcov_dump();
	__gcov_reset();
	return execvpe_of_libc(file, argv, env);
}
