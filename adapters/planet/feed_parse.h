#ifndef BUS_PLANET_FEED_PARSE_H
#define BUS_PLANET_FEED_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/planet/digest.h"
#include "err.h"

/*
 * A feed, from its bytes to its posts: Atom 1.0 (RFC 4287) and 0.3, RSS 2.0 and
 * the 0.9x before it, RSS 1.0, 0.90 and 1.1, and CDF; by feed_xml.h's rules.
 * It is made for a planet's own output: what Venus writes as atom.xml,
 * rss20.xml or rss10.xml (its themes/common), where each post says in its
 * `source` which feed it came from.
 *
 * Posts are in the order in which they should be told: a feed has the newest
 * first, here it is last.  Of posts with the same id only the one that was
 * updated last is here, as in Venus (planet/spider.py).
 *
 * The id is the post's own; else its link; else it is made of the hash of the
 * title, or of the content (Venus: planet/reconstitute.py, id()).  One that is
 * too long, has characters that nobody sees, or is a javascript:, data: or file:
 * address is replaced by its hash.  A post that has nothing of these is left
 * out.
 *
 * All text is UTF-8, one line without blanks at the ends; titles are as a
 * browser shows them, whether they came as text, HTML or XHTML.  Links are
 * resolved by xml:base and the feed's own address, and left out where they do
 * not lead to a host by http, https, ftp, gemini or gopher.
 */
enum {
	/* all of these together, with what reads them, fit into 64 MiB */
	FEED_BYTES_MAX = 16 * 1024 * 1024,
	FEED_POSTS_MAX = 100000,
	FEED_MEMORY_MAX = 24 * 1024 * 1024, /* bytes of all posts, as they are kept */
	FEED_URL_MAX = 2000,  /* bytes of an id or link; a longer one is replaced or left out */
	FEED_TITLE_MAX = 1000 /* characters */
};

struct feed_post {
	const char *id;
	const char *link; /* this and all below: empty where there is none */
	const char *title;
	const char *author;
	const char *feed_url, *feed_name; /* of the feed it came from */
	int64_t published_us, updated_us; /* INT64_MIN: none */
	struct digest_key key;		  /* of the id */
	/*
	 * What the post is, apart from its id: title, link and content; link
	 * and title; title and content.  Of links, https and http are the same.
	 * The last two are not set where they would say too little.  The first
	 * one always says whether the post was changed, but which one it is
	 * only if it tells.
	 */
	struct digest_key whole, place, text;
	bool whole_tells;
	size_t position; /* in the file, from 0 */
};

struct feed {
	const char *root; /* its first element: "feed", "rss", "RDF", "entry" or "channel" */
	struct feed_post **post;
	size_t count, cap;
	size_t memory;	 /* bytes of all posts */
	size_t left_out; /* posts that have nothing to know them by */
	size_t repeated; /* posts whose id is there twice */
};

/* BUS_E_DATA, saying where and why, where it is no feed. */
enum bus_code feed_parse(struct feed **ret, const char *bytes, size_t len, struct bus_err *err);
void feed_free(struct feed *feed);

#endif
