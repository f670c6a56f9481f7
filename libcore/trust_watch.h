#ifndef BUS_TRUST_WATCH_H
#define BUS_TRUST_WATCH_H

#include <stdbool.h>

#include "sign.h"
#include "trust.h"

/*
 * trust.conf and the trust store of a program that runs for months: both may
 * change meanwhile, and that must be heeded.
 *
 *	bus_trust_watch_open()
 *	bus_trust_watch_look()	before they are used; asks the disk every two seconds
 *	    bus_trust_watch_trust(), bus_trust_watch_ring()
 *	bus_trust_watch_close()
 *
 * A trust.conf that has become unusable changes nothing: what it said before
 * holds, and this is said at once and again every ten minutes until it is mended.
 */
struct bus_trust_watch;
struct bus_say;

/* path as for bus_trust_load(). */
enum bus_code bus_trust_watch_open(struct bus_trust_watch **ret, const char *path,
				   struct bus_err *err);
void bus_trust_watch_close(struct bus_trust_watch *w);

/*
 * True: the file or a key is not what it was; forget what was concluded from them.
 * What the next two returned before is gone then.  at_once: even if it was asked less than
 * two seconds ago.  say may be NULL.
 */
bool bus_trust_watch_look(struct bus_trust_watch *w, bool at_once, const struct bus_say *say);

/*
 * Is the keyring not there because gpg 2.2 is about to replace it?  It renames the old one to
 * pubring.kbx~ first (rename_tmp_file() in kbx/keybox-update.c).  What is not known just now
 * may be known in a moment.
 */
bool bus_trust_watch_is_replaced(const struct bus_trust_watch *w);

struct bus_trust *bus_trust_watch_trust(const struct bus_trust_watch *w);
struct bus_keyring *bus_trust_watch_ring(const struct bus_trust_watch *w);
/* Is trust.conf not what holds, because it cannot be used? */
bool bus_trust_watch_stale(const struct bus_trust_watch *w);

#endif
