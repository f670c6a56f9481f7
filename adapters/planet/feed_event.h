#ifndef BUS_PLANET_FEED_EVENT_H
#define BUS_PLANET_FEED_EVENT_H

#include "adapters/common/batch.h"
#include "adapters/planet/feed_memory.h"

/*
 * A post as an event: planet.post.add or planet.post.edit, of the time when the
 * planet wrote it into its feed.  A new post whose own date is more than
 * BACKDATED_DAYS before that is marked: a feed that was subscribed to, or gave
 * its old posts new addresses, brings many of these at once.
 */
enum { BACKDATED_DAYS = 7 };

enum bus_code feed_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			     const struct feed_post *post, enum feed_news news, int64_t time_us,
			     struct bus_err *err);

/* Appends `data`; title_max in characters; is_short: only what says which post it is. */
void feed_event_write(struct bus_buf *out, const struct feed_post *post, enum feed_news news,
		      int64_t time_us, size_t title_max, bool is_short);

#endif
