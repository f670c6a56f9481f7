#ifndef BUS_WIKI_RCFEED_H
#define BUS_WIKI_RCFEED_H

#include "adapters/adapter.h"

/*
 * The input "rcfeed": what happens in a MediaWiki; see struct adapter_input.
 *
 *	rcfeed_socket	datagrams of $wgRCFeeds
 *	rc_hints	when to ask
 *	rc_api		ask api.php (libcore/http)
 *	recentchange	what it said
 *	rc_seen		what of it is new
 *	rc_event	what that means (address: and whom it would name)
 *
 * A datagram can be lost, cut off, come before its change is certain, and be
 * sent by anybody on this machine.  So with api-url nothing of it is believed:
 * it says that there is news, and the news are read from the API, all rows from
 * the last settled time on.  What was lost is found by that too, at the next
 * datagram or within a minute, and after we were away, as long as the wiki
 * keeps its recent changes ($wgRCMaxAge, 90 days).  Rows that appear late, up to
 * ten minutes, are found; a clock that is set back does no harm.
 *
 * Without api-url datagrams are all there is: they are believed, only a loopback
 * address is taken, and of what is lost only the number is said.
 *
 * Its cursor is "seen" (rc_seen_write()), stored with the events of each reply.
 */
enum bus_code rcfeed_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code rcfeed_read(void *input, struct adapter_batch *batch, struct bus_err *err);
void rcfeed_close(void *input);

#endif
