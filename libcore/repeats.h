#ifndef BUS_REPEATS_H
#define BUS_REPEATS_H

#include "ledger.h"

/*
 * Which events were had, for a reader that keeps no ledger: in memory, and only
 * as long as it runs.  A relay may send an event twice, and the history has it
 * twice then.
 *
 * Eight bytes for each event, in pages of 1024 neighbours.
 */
struct bus_repeats;

struct bus_repeats *bus_repeats_new(void); /* NULL: out of memory */
void bus_repeats_free(struct bus_repeats *repeats);

/*
 * Looks, and remembers what is new.  BUS_SEEN_OTHER: another body had this
 * source and id (which is told by 64 bits of its hash).
 */
enum bus_code bus_repeats_look(struct bus_repeats *repeats, const char *source, uint64_t id,
			       const struct bus_hash *leaf, enum bus_seen *ret,
			       struct bus_err *err);

#endif
