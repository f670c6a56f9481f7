#ifndef BUS_LEDGER_H
#define BUS_LEDGER_H

#include <stdint.h>

#include "err.h"
#include "merkle.h"

/*
 * The ledger: what a consumer has had from its queue.  One SQLite file for each
 * queue, <state-directory>/ledger/<queue>.db.
 *
 *	bus_ledger_look()	before the action: is it new?
 *	... the action ...
 *	bus_ledger_note()	it is done
 *	bus_ledger_commit()	on the disk when it returns; only then acknowledge
 *
 * So a crash can repeat an action that was not noted, and never skips one.  It
 * also remembers what the queue is bound to, which AMQP has no way to ask.
 */
struct bus_ledger;

enum bus_code bus_ledger_open(struct bus_ledger **ret, const char *state_directory,
			      const char *queue, struct bus_err *err);
void bus_ledger_close(struct bus_ledger *ledger); /* what is not committed is forgotten */

enum bus_seen {
	BUS_SEEN_NEW,
	BUS_SEEN_REPEAT, /* had it: acknowledge, no action */
	BUS_SEEN_OTHER	 /* had another body under this source and id: equivocation */
};

enum bus_code bus_ledger_look(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, enum bus_seen *ret, struct bus_err *err);
enum bus_code bus_ledger_note(struct bus_ledger *ledger, const char *source, uint64_t id,
			      const struct bus_hash *leaf, struct bus_err *err);
enum bus_code bus_ledger_commit(struct bus_ledger *ledger, struct bus_err *err);

/* Remembers a pattern: at once, or, where notes wait for a commit, with that. */
enum bus_code bus_ledger_bind(struct bus_ledger *ledger, const char *pattern, struct bus_err *err);
enum bus_code bus_ledger_bindings(struct bus_ledger *ledger,
				  enum bus_code (*each)(void *arg, const char *pattern,
							struct bus_err *err),
				  void *arg, struct bus_err *err);

#endif
