#ifndef BUS_ADAPTER_DAK_NAMES_H
#define BUS_ADAPTER_DAK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Names as dak has them, by the expressions of its daklib/regexes.py, with a
 * bound on their length.  Whatever names something in an event has passed one of
 * these, wherever it came from.
 */
enum {
	DAK_NAME_MAX = 255,  /* bytes of a file's name */
	DAK_FIELD_MAX = 200, /* bytes of a package, version, suite or queue */
	DAK_PERSON_MAX = 300 /* characters of "Name <mail>" */
};

/* Bytes of somebody else, not ended by NUL. */
struct dak_slice {
	const char *p;
	size_t len;
};

struct dak_slice dak_slice(const char *text);
bool dak_is(struct dak_slice slice, const char *text);
bool dak_starts(struct dak_slice slice, const char *text);
bool dak_ends(struct dak_slice slice, const char *text);
struct dak_slice dak_trim(struct dak_slice slice);

/* The next word of a list whose words stand between blanks, line ends or `separators`. */
bool dak_next_word(struct dak_slice *rest, const char *separators, struct dak_slice *ret);
/* The next line, without its LF and the blanks at its end. */
bool dak_next_line(struct dak_slice *rest, struct dak_slice *ret);
/* The part up to a byte, which is skipped; false where nothing is left. */
bool dak_next_part(struct dak_slice *rest, char end, struct dak_slice *ret);

bool dak_is_package(struct dak_slice name);    /* re_field_package */
bool dak_is_version(struct dak_slice version); /* re_field_version */
bool dak_is_file(struct dak_slice name);       /* re_file_safe */
bool dak_is_suite(struct dak_slice name);      /* a suite, queue, architecture, priority */
bool dak_is_section(struct dak_slice name);    /* the same with slashes */
bool dak_is_hex(struct dak_slice text, size_t digits);
bool dak_is_fingerprint(struct dak_slice text); /* 40 or 64 hex digits, upper case */

/* <source>_<version without epoch>_<suffix>.changes (re_file_changes) */
struct dak_changes_name {
	struct dak_slice source, version, suffix;
};
bool dak_changes_name_parse(struct dak_changes_name *ret, struct dak_slice name);

/* A number of at most nine digits that is not 0: a bug. */
bool dak_bug_parse(unsigned int *ret, struct dak_slice text);

#endif
