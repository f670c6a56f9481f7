#ifndef BUS_PLANET_CONFIG_INI_H
#define BUS_PLANET_CONFIG_INI_H

#include <stddef.h>

#include "err.h"

/*
 * A planet's config.ini: which feeds it reads, as Venus finds them
 * (planet/config.py: subscriptions(), reading_lists(), filters()), and Planet
 * 2.0 before it.  ini.h has the syntax.
 *
 * Each section is a feed, and its title the feed's URL, but for
 *
 *	[Planet] and [DEFAULT];
 *	those that are named in `template_files` or `filters`, wherever that
 *	stands, and those called like a template ("index.html.xslt"), because a
 *	theme names its own elsewhere;
 *	reading lists, whose `content_type` has opml, foaf, csv, config or a dot
 *	(a program) in it: the feeds are in another file.
 *
 * A file without [Planet] is not one of a planet.  Text that is not UTF-8 is
 * taken as ISO-8859-1.  What [DEFAULT] says is said again in each section, so of
 * a name not more than CONFIG_VALUE_MAX bytes are looked at.
 */
enum {
	CONFIG_BYTES_MAX = 8 * 1024 * 1024,
	CONFIG_LISTS_MAX = 4 * 1024 * 1024, /* bytes of all template_files and filters */
	CONFIG_VALUE_MAX = 2048,
	CONFIG_URL_MAX = 2000, /* bytes; a feed with a longer title is left out */
	CONFIG_NAME_MAX = 200  /* characters */
};

struct config_feed {
	char *url;
	char *name; /* one line; empty: none, the planet shows the feed's own title */
	char *face; /* a picture, as it is written; empty: none */
};

struct config {
	struct config_feed *feed; /* in byte order of their URLs, each once */
	size_t count;
};

/* BUS_E_DATA, saying where and why, where the planet could not read it either, or past a limit. */
enum bus_code config_parse(struct config **ret, const char *bytes, size_t len, struct bus_err *err);
void config_free(struct config *config);

#endif
