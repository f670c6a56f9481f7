#ifndef FAULTS_ANSWERS_H
#define FAULTS_ANSWERS_H

#include "frames.h"

/*
 * The confirms of one channel on their way to the client.  Since messages may be
 * swallowed, the broker's numbers are not the client's; and they may be kept to
 * be told late, in another order, or many as one.
 */
struct answers {
	bool on; /* confirm.select was seen */
	uint16_t channel;
	uint64_t published;	/* by the client */
	struct bytes forwarded; /* client's number of each of the broker's (uint64_t) */
	uint64_t broker_done;	/* the broker answered 1..this, or more singly */
	struct bytes answered;	/* one octet for each of the client's: enum state */
	uint64_t settled;	/* the client was told of 1..settled */
	struct bytes waiting;	/* client's numbers to be told (uint64_t) */
	unsigned int patience;	/* looks at them until they are told */
};

void answers_published(struct answers *a, uint16_t channel, bool swallowed);
/* The client is told of this one by the caller. */
void answers_given(struct answers *a, uint64_t number);
/* An ack or nack of the broker; a nack is told at the next flush. */
void answers_take(struct answers *a, const struct frame *f);

enum answers_how { ANSWERS_PLAIN, ANSWERS_SHUFFLED, ANSWERS_MERGED };
bool answers_ripe(struct answers *a); /* have they waited long enough? */
/* True: the order was not the broker's, or several were told as one. */
bool answers_flush(struct answers *a, enum answers_how how, struct bytes *out);
void answers_finish(struct answers *a);

#endif
