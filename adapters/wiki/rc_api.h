#ifndef BUS_WIKI_RC_API_H
#define BUS_WIKI_RC_API_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/wiki/recentchange.h"

/*
 * Questions to MediaWiki's api.php about its recent changes, each answered
 * within BUS_HTTP_MS (bus_http.h).
 */
enum { RC_API_REPLY_MAX = 8 * 1024 * 1024 }; /* bytes, as $wgAPIMaxResultSize; most have 300 kB */

struct rc_api;

struct rc_api_question {
	int64_t from_s;		  /* rows of this time and later; 0: from the oldest */
	const char *continuation; /* of the reply before; NULL: the first one */
	bool only_newest;	  /* nothing but the newest row, for the wiki's clock */
	bool with_site;		  /* and server and article_path */
};

/* BUS_E_CONFIG where no such url can be asked. */
enum bus_code rc_api_open(struct rc_api **ret, const char *url, struct bus_err *err);
void rc_api_close(struct rc_api *api);

/*
 * There is nothing to ask for a while: gives back the connection and the
 * megabytes that certificates and long lists take.
 */
void rc_api_rest(struct rc_api *api);

/*
 * A page of up to 500 rows, oldest first.  BUS_E_UNAVAILABLE: no answer, or one
 * that is none; *ret_retry_s then is how long to wait at least, as the wiki says.
 * BUS_E_NO: it is time to end.
 */
enum bus_code rc_api_ask(struct rc_api *api, const struct rc_api_question *question,
			 struct recentchange_reply *ret, long *ret_retry_s, struct bus_err *err);

#endif
