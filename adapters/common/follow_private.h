#ifndef BUS_ADAPTER_FOLLOW_PRIVATE_H
#define BUS_ADAPTER_FOLLOW_PRIVATE_H

#include "adapters/common/follow.h"

/*
 * The parts of a followed file: follow.c reads lines, follow_locate.c knows
 * which file they are in.
 */
struct follow {
	char *path;
	bool skip_present; /* never read, and to begin after what is there */
	int fd;		   /* -1: no file yet */
	bool is_rotated;   /* fd is the rest of a file that has another name now */
	struct follow_position at;
	struct follow_position before; /* at the end of the file before this one */
	char *buffer; /* what is at `at` begins at `begin`, and `have` bytes are there */
	size_t begin, have;
	size_t scanned;	  /* of them: no LF is in these */
	uint64_t skipped; /* bytes of a line over the limit, behind what is in the buffer */
	size_t line_len;  /* of the line given last, its LF included: not yet passed */
	bool line_is_cut;
	bool line_is_half;
	size_t passed; /* bytes of the last line passed, its LF included; 0: not known */
	bool is_begun; /* it is known where to begin */
};

/* Finds our position again: in the file, or where it was renamed to.  BUS_E_NO: it is nowhere. */
enum bus_code follow_locate(struct follow *follow, struct bus_err *err);

/* Forgets what was read behind the last line: it is not in the file any more. */
void follow_drop_file(struct follow *follow);

/* What is in the place of the file we have read to its end? */
enum follow_place { FOLLOW_SAME, FOLLOW_TRUNCATED, FOLLOW_OTHER };
enum follow_place follow_look(const struct follow *follow);

/* The file at hand is read to its end, and another one is there. */
enum bus_code follow_next_file(struct follow *follow, struct bus_err *err);

#endif
