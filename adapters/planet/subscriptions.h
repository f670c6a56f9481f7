#ifndef BUS_PLANET_SUBSCRIPTIONS_H
#define BUS_PLANET_SUBSCRIPTIONS_H

#include "adapters/adapter.h"

/*
 * The input "subscriptions": the planet's config.ini (config_ini.h), compared
 * with the feeds that were there before:
 *
 *	planet.feed.add		a section is new
 *	planet.feed.remove	it is gone
 *	planet.feed.rename	its `name` is another one
 *
 * Nobody can see whether a file like this is whole, so it counts only when it
 * was left alone for a moment (rewritten.h).  One without [Planet], or that
 * Python could not read, changes nothing and is kept and said; a file that is
 * gone removes no feed.  Where more than half of the feeds, and at least
 * MANY_FEEDS, would be removed, a minute passes before that is believed.
 *
 * The cursor "feeds" has what was told: a line with the number of this format,
 * then for each feed URL, TAB, name.  When the file is read for the first time
 * either all feeds are told (--from-start) or all are remembered.
 */
enum { MANY_FEEDS = 10 };

enum bus_code subscriptions_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code subscriptions_read(void *input, struct adapter_batch *batch, struct bus_err *err);
void subscriptions_close(void *input);

/*
 * Appends `data` of an event; old_name NULL: none.  For tests and the fuzzer
 * beside subscriptions.c.
 */
struct config_feed;
void subscriptions_write(struct bus_buf *out, const char *what, const struct config_feed *feed,
			 const char *old_name);

#endif
