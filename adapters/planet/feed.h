#ifndef BUS_PLANET_FEED_H
#define BUS_PLANET_FEED_H

#include "adapters/adapter.h"

/*
 * The input "feed": the planet's own atom.xml, rss20.xml or rss10.xml, which it
 * writes anew at each run.  feed_parse.h has the formats, feed_memory.h what
 * counts as a new or changed post, feed_event.h the events.
 *
 * Nothing is told before the file is read to its end.  One that cannot be read
 * is left alone until it is settled (rewritten.h), and then kept and said; the
 * posts that were known stay known.  What is not in the file any more is not
 * removed: it only fell off the page.
 *
 * When it is read for the first time, either all posts are told (--from-start)
 * or all are remembered and none is told; the cursor "begun" says how far that
 * is: "remembering" until the first whole file is remembered, then "yes".  Where
 * there is no file yet, whatever will be in it is new.
 */
enum bus_code feed_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code feed_read(void *input, struct adapter_batch *batch, struct bus_err *err);
enum bus_code feed_stored(void *input, struct bus_err *err);
void feed_close(void *input);

#endif
