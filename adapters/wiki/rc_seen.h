#ifndef BUS_WIKI_RC_SEEN_H
#define BUS_WIKI_RC_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/wiki/recentchange.h"
#include "buf.h"

/*
 * Which recent changes were dealt with: the one cursor of the input rcfeed.
 *
 * Rows of recentchanges have numbers in the order in which they were made, and
 * times, in the order of which the API gives them; they can be seen when their
 * transaction ends, in any order.  So no number and no time alone says what is
 * new.  Here is kept a time before which all is settled, and every row from then
 * on.  A row is new if it is not among them and not from before that time; or,
 * where the wiki's clock was set back, if its number is higher than any before.
 *
 * rebuildrecentchanges.php gives all rows new numbers; so a row is also known
 * by its revision or log entry.  All three are given again when the wiki's database
 * was restored from a copy: a row of another time is another row.
 */
struct rc_seen_row {
	uint64_t id;
	uint64_t revision, log_id; /* at most one of them is not 0 */
	int64_t time_s;
};

struct rc_seen {
	int64_t settled_s; /* since 1970; 0: nothing is */
	uint64_t high;	   /* the highest id of all */
	struct rc_seen_row *row;
	size_t count, cap;
};

/*
 * Made all of zeros.  BUS_E_DATA: not what rc_seen_write() made; all that
 * recentchange.h lets in can be read back.
 */
enum bus_code rc_seen_parse(struct rc_seen *seen, const char *text, size_t len,
			    struct bus_err *err);
void rc_seen_write(struct bus_buf *out, const struct rc_seen *seen);
void rc_seen_finish(struct rc_seen *seen);

bool rc_seen_is_new(const struct rc_seen *seen, const struct recentchange *change);
bool rc_seen_has(const struct rc_seen *seen, const struct recentchange *change);
bool rc_seen_has_id(const struct rc_seen *seen, uint64_t id);
/* Nothing if it is there already. */
enum bus_code rc_seen_add(struct rc_seen *seen, const struct recentchange *change,
			  struct bus_err *err);

/* All before this time is settled. */
void rc_seen_settle(struct rc_seen *seen, int64_t time_s);
/* Settles the older half if there are more than max, however new they are. */
void rc_seen_limit(struct rc_seen *seen, size_t max);
/* Forgets the older half if there are more than max, and settles nothing. */
void rc_seen_forget(struct rc_seen *seen, size_t max);

#endif
