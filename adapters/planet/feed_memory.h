#ifndef BUS_PLANET_FEED_MEMORY_H
#define BUS_PLANET_FEED_MEMORY_H

#include "adapters/common/batch.h"
#include "adapters/common/watch.h"
#include "adapters/planet/feed_parse.h"

/*
 * Which posts were seen, and what is new about one.
 *
 * A post is known by its id, and by what it is:
 *
 *	id known, the same title, link and content	nothing
 *	id known, but not them				it was changed
 *	id new, title, link and content known		nothing: the feed's ids changed
 *	id new, link and title known			the same post, changed
 *	id new, title and content known, and the date	the same post, moved
 *	else						a new post
 *
 * So neither ids that change, nor ids that change back, nor old posts that
 * return make events.  An edit that is taken back is an edit.  The date, in the
 * fifth rule, tells what moved from what is said again each week: it may be
 * half a day off, and one that is missing agrees with any.
 *
 * A post with neither a link nor some text is known by its id only, and one
 * without a title not by its text: these say too little (feed_parse.h).
 *
 * Cursors, in which <key> is 32 hex digits of a digest:
 *
 *	post/<id>		whole, place and text of the post ("-": none), the
 *				day it was last seen, its date in seconds ("-")
 *	whole/ place/ text/	the id of the post that had this last
 *
 * The day is written anew when it is MEMORY_REFRESH_DAYS old, so a post is
 * forgotten when that is MEMORY_DAYS and those ago: it was not seen for at least
 * MEMORY_DAYS.
 */
enum { MEMORY_DAYS = 400, MEMORY_REFRESH_DAYS = 30 };

enum feed_news { FEED_NOTHING, FEED_ADD, FEED_EDIT };

struct feed_memory;

enum bus_code feed_memory_open(struct feed_memory **ret, struct watch *watch, struct bus_err *err);
void feed_memory_close(struct feed_memory *memory);

/* What is new about post; remembers it in batch, as seen on this day since 1970. */
enum bus_code feed_memory_see(struct feed_memory *memory, const struct feed_post *post, int64_t day,
			      struct adapter_batch *batch, enum feed_news *ret,
			      struct bus_err *err);

/* Forgets what is old, a part at each call; BUS_E_NO: all was looked at. */
enum bus_code feed_memory_prune(struct feed_memory *memory, int64_t day,
				struct adapter_batch *batch, struct bus_err *err);

/* The batches so far are on the disk. */
void feed_memory_stored(struct feed_memory *memory);

#endif
