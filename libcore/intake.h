#ifndef BUS_INTAKE_H
#define BUS_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindings.h"
#include "conf.h"
#include "event.h"
#include "message.h"
#include "proof.h"
#include "sign.h"

/*
 * The one place that decides whether a message is believed: PROTOCOL section 5,
 * steps 1 to 7, in that order, in one function that can be checked by eye
 * (check() in intake.c).  Bytes are verified as received, before they are parsed
 * as an event.
 */
struct bus_intake;
struct bus_say;

enum bus_code bus_intake_open(struct bus_intake **ret, const struct bus_conf *conf,
			      struct bus_err *err);
void bus_intake_close(struct bus_intake *in);

/*
 * trust.conf and the keys are read again when they change, within seconds
 * (trust_watch.h).  What there is to say about it goes to *say, which must outlive
 * the intake; NULL, as after bus_intake_open(), is nobody.
 */
void bus_intake_tell(struct bus_intake *in, const struct bus_say *say);
/*
 * bus_intake_check() does this itself; a program to which nothing comes does it
 * now and then.  False: trust.conf cannot be used, and an older one holds.
 */
bool bus_intake_look(struct bus_intake *in);

/* What has been learned about a message that is believed. */
struct bus_belief {
	struct bus_event *event; /* the receiver frees it */
	struct bus_hash leaf;
	struct bus_signer signer;
	const struct bus_proof *proof; /* valid until the next check */
};

/*
 * BUS_OK, or the failure's own code; BUS_E_NOMEM and BUS_E_TEMP say nothing
 * about the message.  bindings: what the
 * consumer's own queue is bound to (step 6); NULL where there is no such queue.
 */
enum bus_code bus_intake_check(struct bus_intake *in, const struct bus_message *m,
			       const struct bus_bindings *bindings, struct bus_belief *ret,
			       struct bus_err *err);

/* What the signatures have cost since bus_intake_open(). */
struct bus_intake_verified {
	uint64_t asked;	     /* GnuPG, good or bad */
	uint64_t remembered; /* known to be good from an earlier message */
	int64_t us;	     /* spent in GnuPG */
};
struct bus_intake_verified bus_intake_verified(const struct bus_intake *in);

#endif
