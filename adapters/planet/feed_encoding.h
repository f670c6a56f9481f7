#ifndef BUS_PLANET_FEED_ENCODING_H
#define BUS_PLANET_FEED_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * In which encoding an XML document is, and its bytes as UTF-8.
 *
 *	feed_encoding_detect()
 *	feed_encoding_open()  feed_encoding_next() ...  feed_encoding_close()
 */
enum { FEED_ENCODING_NAME_MAX = 40, FEED_CHUNK = 65536 };

struct feed_encoding {
	char name[FEED_ENCODING_NAME_MAX + 1];	   /* for iconv(3) */
	char declared[FEED_ENCODING_NAME_MAX + 1]; /* empty: it says nothing that we can read yet */
	size_t mark;				   /* bytes of the byte order mark */
	unsigned int unit;			   /* bytes; 1 where ASCII is itself */
};

/* By the first bytes and, where they are ASCII, the declaration. */
void feed_encoding_detect(struct feed_encoding *ret, const char *bytes, size_t len);

/* May a document in this encoding declare itself to be in that one? */
bool feed_encoding_allows(const struct feed_encoding *encoding, const char *declared);

struct feed_decoder;

enum bus_code feed_encoding_open(struct feed_decoder **ret, const struct feed_encoding *encoding,
				 const char *bytes, size_t len, struct bus_err *err);
void feed_encoding_close(struct feed_decoder *decoder);

/* The next FEED_CHUNK bytes or fewer, until the next call; none: that was all. */
enum bus_code feed_encoding_next(struct feed_decoder *decoder, const char **ret, size_t *ret_len,
				 struct bus_err *err);

#endif
