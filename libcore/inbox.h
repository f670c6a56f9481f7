#ifndef BUS_INBOX_H
#define BUS_INBOX_H

#include "intake.h"
#include "ledger.h"

/*
 * The inbox: believed events whose action is still to come, in the ledger's
 * file.  An event that is in the inbox may be acknowledged to the broker; from
 * then on it is ours, and no timeout of the broker concerns it.
 *
 * An item's life:
 *
 *	bus_inbox_put()			waiting		(consume; with bus_ledger_commit())
 *	bus_inbox_begin()		running		(the keeper, before the handler starts)
 *	bus_inbox_end(DONE)		gone		(the keeper, when it has ended)
 *	bus_inbox_end(AGAIN)		waiting, not before a time
 *	bus_inbox_end(GAVE_UP)		failed: to be put into debmsg.parked by consume, then
 *	bus_inbox_drop()		gone
 *
 * An item that is running and has no keeper (jobs.h) is one of which nobody
 * knows how it ended: bus_inbox_unsure() makes it wait again, marked.
 *
 * But for put(), which waits for bus_ledger_commit(), each function that changes
 * something is one transaction, on the disk when it returns.  What was waiting
 * for bus_ledger_commit() goes with it.
 */
enum { BUS_INBOX_OUTPUT_MAX = 4096 }; /* bytes kept of a handler's last output */

enum bus_inbox_state { BUS_INBOX_WAITING, BUS_INBOX_RUNNING, BUS_INBOX_FAILED };

struct bus_inbox_item {
	int64_t number; /* in order of arrival */
	enum bus_inbox_state state;
	struct bus_message *message; /* owned; as it was received */
	unsigned int tries;	     /* that ended with "again", or nobody knows how */
	bool unsure;		     /* an earlier try may have succeeded */
	char reason[256];	     /* failed: why */
	char output[BUS_INBOX_OUTPUT_MAX + 1];
	size_t output_len;
};
void bus_inbox_item_free(struct bus_inbox_item *item);

/* Nothing is done where it is in the inbox already. */
enum bus_code bus_inbox_put(struct bus_ledger *ledger, const struct bus_belief *belief,
			    const struct bus_message *m, struct bus_err *err);

/* How many there are in each state. */
enum bus_code bus_inbox_count(struct bus_ledger *ledger, uint64_t ret[BUS_INBOX_FAILED + 1],
			      struct bus_err *err);

/*
 * The first item that may be started: waiting, its time has come, no earlier one
 * of its log and subject is waiting or running, and it is not one of `taken`, which are
 * about to be begun.  For BUS_E_NO *ret_wait_us is set: in how many microseconds there
 * will be one only because of time; -1: none.
 */
struct bus_inbox_taken {
	const int64_t *numbers;
	size_t count;
};
enum bus_code bus_inbox_next(struct bus_ledger *ledger, int64_t now_us,
			     const struct bus_inbox_taken *taken, int64_t *ret_number,
			     int64_t *ret_wait_us, struct bus_err *err);
/* BUS_E_NO: it is gone. */
enum bus_code bus_inbox_get(struct bus_ledger *ledger, int64_t number, struct bus_inbox_item **ret,
			    struct bus_err *err);
/* The first one in this state whose number is above `after`; BUS_E_NO: none. */
enum bus_code bus_inbox_find(struct bus_ledger *ledger, enum bus_inbox_state state, int64_t after,
			     struct bus_inbox_item **ret, struct bus_err *err);

/* BUS_E_NO: it is not waiting, or gone. */
enum bus_code bus_inbox_begin(struct bus_ledger *ledger, int64_t number,
			      struct bus_inbox_item **ret, struct bus_err *err);

enum bus_inbox_outcome { BUS_INBOX_DONE, BUS_INBOX_AGAIN, BUS_INBOX_GAVE_UP };
struct bus_inbox_end {
	enum bus_inbox_outcome outcome;
	int64_t not_before_us; /* AGAIN */
	bool uncounted;	       /* AGAIN: it was not even tried */
	const char *reason;    /* AGAIN, GAVE_UP */
	const char *output;
	size_t output_len;
};
/* BUS_E_NO: it is not running (DONE: gone), so that it may be said again where nobody knows
 * whether it was heard. */
enum bus_code bus_inbox_end(struct bus_ledger *ledger, int64_t number,
			    const struct bus_inbox_end *end, struct bus_err *err);
/* Counts as a try.  BUS_E_NO: it is not running. */
enum bus_code bus_inbox_unsure(struct bus_ledger *ledger, int64_t number, int64_t not_before_us,
			       struct bus_err *err);
enum bus_code bus_inbox_drop(struct bus_ledger *ledger, int64_t number, struct bus_err *err);

#endif
