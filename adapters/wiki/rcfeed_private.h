#ifndef BUS_WIKI_RCFEED_PRIVATE_H
#define BUS_WIKI_RCFEED_PRIVATE_H

#include "adapters/common/watch.h"
#include "adapters/wiki/rc_api.h"
#include "adapters/wiki/rc_hints.h"
#include "adapters/wiki/rc_seen.h"
#include "adapters/wiki/rcfeed.h"
#include "adapters/wiki/rcfeed_socket.h"

/*
 * The parts of the input "rcfeed": rcfeed.c takes datagrams and makes events,
 * rcfeed_ask.c is what is done with an API, rcfeed_believe.c without.
 */

/* One pass over the API's list, a page for each read(). */
struct scan {
	bool is_on;
	bool is_full; /* from the settled time on: after it, more is settled */
	int64_t from_s;
	int64_t begin_s; /* the wiki's clock at its first page */
	int64_t last_us; /* the row with which the page before ended */
	uint64_t last_id;
	char *continuation;
};

struct rcfeed {
	struct watch *watch;
	const struct adapter_context *ctx;
	int fd;
	struct rc_api *api; /* NULL: datagrams are all we have */
	struct rc_seen seen;
	bool is_begun;	  /* there is a cursor */
	bool is_baseline; /* what is found now was there before us */
	struct rc_hints hints;
	struct scan scan;
	int64_t newest_s, wiki_now_s; /* of the rows; its clock; 0: not known */
	int64_t minute_us;	      /* when the last minute began */
	int64_t rescan_us;	      /* when the wiki's clock was found set back; 0: never */
	char *server, *article_path;
	uint64_t bad, lost, kept; /* datagrams of this minute */
	bool has_said_private, has_said_without_id;
	char datagram[RCFEED_DATAGRAM_MAX];
};

/* The row's event, if it means one.  raw, len: what to keep of it, without any address. */
enum bus_code rcfeed_announce(struct rcfeed *feed, const struct recentchange *row, const void *raw,
			      size_t len, struct adapter_batch *batch, struct bus_err *err);
enum bus_code rcfeed_store_cursor(struct rcfeed *feed, struct adapter_batch *batch,
				  struct bus_err *err);

/* The first question is a full one, and then there is one a minute and when hints are due. */
void rcfeed_begin_scan(struct rcfeed *feed, bool full);
/* Asks for a page, if it is time to; sets the timer for the next. */
enum bus_code rcfeed_ask(struct rcfeed *feed, bool is_new_minute, struct adapter_batch *batch,
			 struct bus_err *err);

/*
 * A datagram of len bytes: understood, and not.  Of one that gives no event are
 * kept its id and type, as far as known, and its length, and none of its bytes:
 * they have addresses, behind escapes too ("\\u00ab192.0.2.1").
 */
enum bus_code rcfeed_believe(struct rcfeed *feed, const struct recentchange *row, size_t len,
			     struct adapter_batch *batch, struct bus_err *err);
enum bus_code rcfeed_keep_bad(struct rcfeed *feed, size_t len, const struct bus_err *why,
			      struct adapter_batch *batch, struct bus_err *err);

#endif
