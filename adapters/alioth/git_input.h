#ifndef BUS_ADAPTER_GIT_INPUT_H
#define BUS_ADAPTER_GIT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/alioth/change.h"
#include "adapters/alioth/slice.h"

/*
 * What post-receive is told, and the form in which it is kept.
 */
enum {
	GIT_ID_MAX = 64,   /* hex digits of a SHA-256 */
	GIT_REF_MAX = 4096 /* bytes */
};

/* A line of stdin: <old> SP <new> SP <ref>. */
struct git_line {
	char old_id[GIT_ID_MAX + 1]; /* all zeros: the ref is new */
	char new_id[GIT_ID_MAX + 1]; /* all zeros: the ref was deleted */
	struct slice ref;
};

/* line is without its LF.  *why says what is wrong with it. */
bool git_line_parse(struct git_line *ret, struct slice line, const char **why);
bool git_id_valid(const char *id, size_t len); /* 40 or 64 lower-case hex digits */
bool git_id_is_zero(const char *id);

/* From the line alone: CHANGE_BRANCH_PUSH for what may turn out to be forced. */
enum change_kind git_kind_of(const struct git_line *line);

struct git_input {
	int64_t time_us;
	const char *repository; /* absolute path of the Git directory */
	const char *pusher;
	size_t done;	     /* lines that are converted already */
	bool has_others;     /* false: there were too many other refs */
	struct slice lines;  /* as they came, each with its LF */
	struct slice others; /* ids of the refs that were not pushed, each with LF */
};

void git_input_write(struct bus_buf *out, const struct git_input *input);
/* Points into bytes, where bytes[len] is NUL; false if they are none of ours. */
bool git_input_read(struct git_input *ret, const char *bytes, size_t len);

#endif
