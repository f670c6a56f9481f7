#ifndef BUS_ADAPTER_GIT_COMMIT_H
#define BUS_ADAPTER_GIT_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/alioth/closes.h"
#include "adapters/alioth/git_input.h"

/*
 * Raw commits and annotated tags, as git cat-file gives them: headers (with
 * continuation lines), an empty line, the message.  Every byte string is one:
 * what is missing or cannot be read stays empty.
 */
struct git_commit {
	char id[GIT_ID_MAX + 1];
	char *person;  /* "Name <mail>": author of a commit, tagger of a tag; UTF-8 */
	char *subject; /* first line of the message; UTF-8, at most 200 characters */
	bool has_date;
	int64_t date_us; /* when it was written or tagged */
	struct closes closes;
};

enum { GIT_TEXT_MAX = 200 }; /* characters of person and subject */

/* id may be any string that fits.  Only memory can run out. */
enum bus_code git_commit_read(struct git_commit *ret, const char *id, struct git_slice raw,
			      struct bus_err *err);
void git_commit_finish(struct git_commit *commit);

#endif
