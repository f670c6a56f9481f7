#ifndef BUS_ADAPTER_GIT_COMMIT_H
#define BUS_ADAPTER_GIT_COMMIT_H

#include "adapters/alioth/commit.h"

/*
 * Raw commits and annotated tags, as git cat-file gives them: headers (with
 * continuation lines), an empty line, the message.  Every byte string is one:
 * what is missing or cannot be read stays empty.  id may be any string.  Only
 * memory can run out.
 */
enum bus_code git_commit_read(struct commit *ret, const char *id, struct slice raw,
			      struct bus_err *err);

#endif
