#ifndef BUS_PLANET_FEED_PRIVATE_H
#define BUS_PLANET_FEED_PRIVATE_H

#include "adapters/planet/feed_parse.h"
#include "adapters/planet/feed_post.h"
#include "adapters/planet/feed_xml.h"

/*
 * The parts of feed_parse(): feed_parse.c goes through the document,
 * feed_element.c knows what elements mean, feed_value.c what becomes of their
 * text.
 */
enum {
	FEED_TEXT_MAX = 64 * 1024, /* bytes of one value; what is behind that is not looked at */
	FEED_BASES_MAX = 32,
	FEED_RESOLVED_MAX = 128 * 1024 * 1024 /* bytes of bases gone through, for all links */
};

/* What the text of an element is for. */
enum feed_field {
	FEED_NO_FIELD,
	FEED_F_ID,
	FEED_F_GUID, /* an id, and a link where nothing says that it is none */
	FEED_F_LINK,
	FEED_F_TITLE,
	FEED_F_AUTHOR,
	FEED_F_PUBLISHED,
	FEED_F_UPDATED,
	FEED_F_CONTENT,
	FEED_F_SOURCE_NAME, /* with a title's markup */
	FEED_F_HOME
};

struct feed_base {
	unsigned int depth;
	char *url;
};

struct feed_reader {
	struct feed *feed;
	struct feed_draft draft;
	unsigned int depth;
	unsigned int post, source; /* at which depth they began; 0: outside */
	enum feed_field field;
	unsigned int field_depth;
	int rank;
	bool is_html, in_name;
	struct bus_buf text;
	struct feed_base base[FEED_BASES_MAX];
	size_t base_count;
	size_t resolved;     /* bytes of bases gone through */
	bool failed;	     /* out of memory, where no buffer says so */
	struct bus_buf home; /* the feed's own address, for links where no xml:base helps */
};

/* -- feed_element.c -- */

void feed_begin_post(struct feed_reader *p, const char **att);
/* Within a post's source, within a post, within neither, and within text. */
void feed_source_element(struct feed_reader *p, enum feed_ns ns, const char *name,
			 const char **att);
void feed_post_element(struct feed_reader *p, enum feed_ns ns, const char *name, const char **att);
void feed_outer_element(struct feed_reader *p, const char *name, const char **att);
void feed_inner_element(struct feed_reader *p, const char *name, const char **att);

/* -- feed_value.c -- */

/* One that is longer than FEED_URL_MAX is passed over: the one around it holds. */
enum bus_code feed_push_base(struct feed_reader *p, const char *url, struct bus_err *err);
void feed_pop_base(struct feed_reader *p);
/* An address as it stands in the feed, made whole; left out if that is none to follow. */
void feed_set_url(struct feed_reader *p, enum feed_value which, int rank, const char *url,
		  size_t len);
void feed_set_home(struct feed_reader *p, const char *url);
/* The element whose text was taken has ended, or a person's name within one. */
void feed_end_field(struct feed_reader *p);
void feed_end_name(struct feed_reader *p);

#endif
