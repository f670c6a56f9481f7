#ifndef BUS_PARKED_RETRY_H
#define BUS_PARKED_RETRY_H

#include "intake.h"
#include "parked.h"

/*
 * Verifies parked messages again, as they would be now, and puts those that are
 * believed into the inbox (inbox.h) of the ledger of their queue on this host.
 *
 *	bus_retry_open()
 *	bus_retry_message() ...	commits now and then, before there is a wait for the broker
 *	bus_retry_commit()	in the inbox for sure; only then removed from debmsg.parked
 *	bus_retry_close()	what is not committed is forgotten, and stays parked
 *
 * The ledger says which events were had, and of which the handler gave up, and
 * is changed in the same transaction.  So a crash before the message is removed
 * does no harm: who retries it again finds that nothing is left to be done.
 */
struct bus_retry;

enum bus_retry_what {
	BUS_RETRY_PUT,	/* into the inbox */
	BUS_RETRY_HAD,	/* nothing is left to be done for it: removed only */
	BUS_RETRY_STAYS /* not believed, or no ledger here: `why` says which */
};

enum bus_code bus_retry_open(struct bus_retry **ret, const struct bus_conf *conf,
			     struct bus_parked *parked, struct bus_err *err);
void bus_retry_close(struct bus_retry *r);

/*
 * Verifies one message with the bindings of its queue, if this host has its
 * ledger.  *ret_result is BUS_OK or the failure of PROTOCOL section 5, with its
 * text in `why`; the belief's event is the caller's to free if BUS_OK.
 */
enum bus_code bus_retry_verify(struct bus_retry *r, const struct bus_parked_message *m,
			       struct bus_belief *ret, enum bus_code *ret_result,
			       struct bus_err *why, struct bus_err *err);

/* tags: of all copies of this message. */
enum bus_code bus_retry_message(struct bus_retry *r, const struct bus_parked_message *m,
				const uint64_t *tags, size_t count, enum bus_retry_what *ret,
				struct bus_err *why, struct bus_err *err);
enum bus_code bus_retry_commit(struct bus_retry *r, struct bus_err *err);

#endif
