#ifndef BUS_ADAPTER_COMMIT_H
#define BUS_ADAPTER_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/alioth/closes.h"
#include "adapters/alioth/slice.h"
#include "err.h"

/*
 * A commit of any version control system: a revision, changeset or patch.
 * What is missing or cannot be read stays empty.
 */
enum { COMMIT_TEXT_MAX = 200 }; /* characters of person and subject */

struct commit {
	char *id;      /* as its system writes it; empty: it has none */
	char *person;  /* who wrote it, "Name <mail>" where it is known so; UTF-8 */
	char *subject; /* first line of the message; UTF-8, at most 200 characters */
	bool has_date;
	int64_t date_us; /* when it was written */
	struct closes closes;
};

/*
 * From text in UTF-8, or in what nobody knows: other bytes become U+FFFD.
 * Only memory can run out.  ret has no date yet.
 */
enum bus_code commit_new(struct commit *ret, struct slice id, struct slice person,
			 struct slice message, struct bus_err *err);
void commit_finish(struct commit *commit);

/* As one line of at most COMMIT_TEXT_MAX characters; the caller frees *ret. */
enum bus_code commit_line(char **ret, struct slice text, struct bus_err *err);
/* The first line of a message that is not blank. */
struct slice commit_subject(struct slice message);

#endif
