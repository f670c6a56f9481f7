#ifndef BUS_WIKI_RECENTCHANGE_H
#define BUS_WIKI_RECENTCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/*
 * One row of MediaWiki's table recentchanges, in the two forms in which the
 * wiki tells of it:
 *
 *	a datagram	JSONRCFeedFormatter, includes/rcfeed/
 *			MachineReadableRCFeedFormatter.php (getLine); numbers may
 *			be strings, the id null or 0, and one of more than 65507
 *			bytes ends in the middle (includes/libs/UDPTransport.php)
 *	an API reply	action=query&list=recentchanges, format=json, formatversion=2,
 *			includes/api/ApiQueryRecentChanges.php (extractRowInfo),
 *			with meta=siteinfo, ApiQuerySiteinfo.php (appendGeneralInfo)
 *
 * What is not there, not of its type, or out of these limits is 0 or NULL: a
 * number is at least 1, a time too, in seconds since 1970.  What the wiki has hidden
 * (actionhidden, userhidden, commenthidden, suppressed) is as if it was not there.
 */
#define RECENTCHANGE_NUMBER_MAX UINT64_C(999999999999999999)
#define RECENTCHANGE_TIME_MAX_S INT64_C(253402300799) /* the last second of the year 9999 */

enum recentchange_type {
	RECENTCHANGE_OTHER, /* categorize, external, and what is not known yet */
	RECENTCHANGE_EDIT,
	RECENTCHANGE_NEW,
	RECENTCHANGE_LOG
};

struct recentchange {
	uint64_t id; /* rcid; 0: none */
	enum recentchange_type type;
	int64_t time_us;
	int64_t namespace;
	uint64_t revision, old_revision;
	uint64_t log_id;
	uint64_t user_id;
	char *title; /* with its namespace, and blanks for underscores */
	char *user;
	char *comment;
	char *log_type;	  /* "move" */
	char *log_action; /* "move_redir" */
	char *target;	  /* of a move */
	bool is_anonymous;
	bool is_hidden; /* which page it was, or more of it, is not for everybody */
	bool is_minor;
	bool is_bot;
	bool is_revert; /* undone, rolled back, or set back by hand; only the API tells */
};

/* The rows in the order of the reply. */
struct recentchange_reply {
	struct recentchange *row;
	size_t count;
	size_t without_id;  /* rows that have no rcid or no time, left out */
	char *continuation; /* rccontinue for the next request; NULL: there is no more */
	int64_t now_us;	    /* the wiki's clock; 0: it did not say */
	char *server;	    /* "https://wiki.example.org"; NULL: not asked */
	char *article_path; /* "/wiki/$1" */
	char *error_code;   /* "maxlag"; then there are no rows */
	char *error_info;
};

/*
 * BUS_E_DATA: not a datagram of this feed.  Text before the first '{', which
 * udp://host:port/prefix puts there, is skipped.
 */
enum bus_code recentchange_packet(struct recentchange *ret, const char *bytes, size_t len,
				  struct bus_err *err);
/* BUS_E_DATA: not a reply of the API, or one of more rows, or values, than are asked for. */
enum bus_code recentchange_reply(struct recentchange_reply *ret, const char *bytes, size_t len,
				 struct bus_err *err);

void recentchange_finish(struct recentchange *row);
void recentchange_reply_finish(struct recentchange_reply *reply);

#endif
