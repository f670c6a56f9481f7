/*
 * In the build of make coverage _exit() is this: what was counted is written first, which
 * gcov does at exit() only.  The doctor's checks, for one, run in a process that ends so.
 */
#include <stdlib.h>

void __gcov_dump(void);
_Noreturn void coverage_exit(int status);

_Noreturn void coverage_exit(int status)
{
	__gcov_dump();
	_Exit(status);
}
