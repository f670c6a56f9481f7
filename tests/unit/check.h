#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <CUnit/CUnit.h>

#include "err.h"

/*
 * What the unit tests share.  A program has one table of tests, ended by
 * { NULL, NULL }, whose names are sentences, and
 *
 *	int main(void)
 *	{
 *		return check_main("topic", tests);
 *	}
 *
 * A failed check is noted and the test goes on; CHECK_NEED ends the test, for
 * what the rest of it cannot do without.
 */
struct check_test {
	const char *name;
	void (*run)(void);
};

/* Exit status: 0 if nothing failed (CUnit itself does not tell). */
int check_main(const char *program, const struct check_test *tests);

#define CHECK(cond) check_that(!!(cond), __FILE__, __LINE__, "%s", #cond)
#define CHECK_NEED(cond) CU_ASSERT_FATAL(cond)
/* For loops over a table: says which row. */
#define CHECK_ROW(cond, ...) check_that(!!(cond), __FILE__, __LINE__, __VA_ARGS__)
/* Compares a code by name and shows the error's text. */
#define CHECK_CODE(got, want, err) check_code((got), (want), (err), __FILE__, __LINE__)
#define CHECK_TEXT(got, want) check_text((got), (want), __FILE__, __LINE__)
/* The error's text holds this. */
#define CHECK_SAYS(err, part) check_says((err), (part), __FILE__, __LINE__)

bool check_that(bool ok, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool check_code(enum bus_code got, enum bus_code want, const struct bus_err *err, const char *file,
		int line);
bool check_text(const char *got, const char *want, const char *file, int line);
bool check_says(const struct bus_err *err, const char *part, const char *file, int line);

/* A path in a short-named directory of this run's own, removed at its end; the caller frees it. */
char *check_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A path below the source tree; the caller frees it. */
char *check_source(const char *path);

void check_write(const char *path, mode_t mode, const char *text);
/* The whole file and a NUL; the caller frees it. */
char *check_read(const char *path, size_t *ret_len);
void check_remove(const char *path); /* file or tree; fine if there is none */

#endif
