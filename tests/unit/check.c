#include "config.h"

#include "check.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/Basic.h>

static char directory[64]; /* "": not made yet */
static pid_t owner;	   /* children that are forked must not remove it */

/* Without these a test can do nothing, so there is nothing to report. */
static void give_up(const char *what)
{
	perror(what);
	exit(99);
}

bool check_that(bool ok, const char *file, int line, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	CU_assertImplementation(ok, (unsigned int)line, text, file, "", CU_FALSE);
	return ok;
}

bool check_code(enum bus_code got, enum bus_code want, const struct bus_err *err, const char *file,
		int line)
{
	return check_that(got == want, file, line, "%s, expected %s: %s", bus_code_info[got].name,
			  bus_code_info[want].name, got && got != want && err ? err->text : "");
}

bool check_text(const char *got, const char *want, const char *file, int line)
{
	const bool same = got && want ? strcmp(got, want) == 0 : got == want;

	return check_that(same, file, line, "'%.300s', expected '%.300s'", got ? got : "(null)",
			  want ? want : "(null)");
}

bool check_says(const struct bus_err *err, const char *part, const char *file, int line)
{
	return check_that(strstr(err->text, part), file, line, "'%s' says nothing of '%s'",
			  err->text, part);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	remove(path);
	return 0;
}

void check_remove(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void remove_directory(void)
{
	if (*directory && getpid() == owner)
		check_remove(directory);
}

/* Short, because GnuPG's sockets are in it, and a socket's path has 108 bytes at most. */
static void make_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || strlen(tmp) > 30)
		tmp = "/tmp";
	snprintf(directory, sizeof(directory), "%s/dm.XXXXXX", tmp);
	if (!mkdtemp(directory))
		give_up(directory);
	owner = getpid();
	atexit(remove_directory);
}

char *check_path(const char *fmt, ...)
{
	char name[200], *path;
	va_list ap;

	if (!*directory)
		make_directory();
	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		give_up(name);
	return path;
}

char *check_source(const char *path)
{
	const char *top = getenv("DEBMSG_SRCDIR");
	char *whole;

	if (asprintf(&whole, "%s/%s", top ? top : ".", path) < 0)
		give_up(path);
	return whole;
}

void check_write(const char *path, mode_t mode, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fchmod(fileno(f), mode) != 0 || fclose(f) != 0)
		give_up(path);
}

char *check_read(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "r");
	struct stat st;
	char *bytes;
	size_t len;

	if (!f || fstat(fileno(f), &st) != 0)
		give_up(path);
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		give_up(path);
	len = fread(bytes, 1, (size_t)st.st_size, f);
	bytes[len] = '\0';
	fclose(f);
	if (ret_len)
		*ret_len = len;
	return bytes;
}

int check_main(const char *program, const struct check_test *tests)
{
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 99;
	suite = CU_add_suite(program, NULL, NULL);
	if (!suite)
		return 99;
	for (; tests->name; tests++)
		if (!CU_add_test(suite, tests->name, tests->run))
			return 99;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
