#ifndef BUS_PLANET_FEED_POST_H
#define BUS_PLANET_FEED_POST_H

#include "adapters/planet/feed_parse.h"
#include "buf.h"

/*
 * One post while it is read (feed_parse.c), and what becomes of it.
 *
 *	feed_draft_init()		once
 *	feed_draft_begin()		for each post
 *	feed_draft_set() ...  digest_text(&draft->content) ...
 *	feed_draft_end()		a post, or none where it has nothing
 *	feed_draft_finish()
 */
enum feed_value {
	FEED_ID,
	FEED_LINK,
	FEED_TITLE,
	FEED_AUTHOR,
	FEED_SOURCE_URL,
	FEED_SOURCE_NAME,
	FEED_SOURCE_AUTHOR,
	FEED_VALUE_COUNT
};

struct feed_draft {
	struct bus_buf value[FEED_VALUE_COUNT];
	int rank[FEED_VALUE_COUNT]; /* of what is there; 0: nothing */
	int64_t published_us, updated_us;
	struct digest content;
};

void feed_draft_init(struct feed_draft *draft);
void feed_draft_begin(struct feed_draft *draft);
void feed_draft_finish(struct feed_draft *draft);

/* Keeps the value of the highest rank, of equal ones the first; an empty one is none. */
void feed_draft_set(struct feed_draft *draft, enum feed_value which, int rank, const char *p,
		    size_t len);

/* *ret NULL: left out.  The caller frees it, by free(). */
enum bus_code feed_draft_end(struct feed_draft *draft, struct feed_post **ret, struct bus_err *err);

#endif
