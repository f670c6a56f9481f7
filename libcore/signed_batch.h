#ifndef BUS_SIGNED_BATCH_H
#define BUS_SIGNED_BATCH_H

#include "outbox.h"
#include "sign.h"

/*
 * The events that one checkpoint covers and the one before it does not, with
 * their proofs: what the relay sends as one.
 *
 * A batch whose checkpoint is in the outbox already, because a relay died, is
 * loaded with that checkpoint; only events that none covers are signed anew.
 */
enum {
	BUS_SIGNED_BATCH_MAX = 1024,		     /* events */
	BUS_SIGNED_BATCH_BYTES_MAX = 4 * 1024 * 1024 /* of bodies */
};

struct bus_signed_batch;

/* What a batch is signed with, and what that has cost so far. */
struct bus_signing {
	struct bus_keyring *ring;
	const char *key; /* a fingerprint */
	uint64_t made, failed;
	int64_t us;
};

/*
 * The batch that holds event `id`; *ret is NULL if there is no such event yet.
 * The checkpoint is on the disk when this returns.
 */
enum bus_code bus_signed_batch_load(struct bus_signed_batch **ret, struct bus_outbox *box,
				    uint64_t id, struct bus_signing *signing, struct bus_err *err);
/*
 * The same in two steps, for a batch that nobody needs yet: gpg signs it while another
 * one is sent.  In between nothing else may be asked of the keyring.  *ret is NULL where
 * there is nothing to be signed.  Only after bus_signed_batch_finish() its proofs may be sent.
 */
enum bus_code bus_signed_batch_start(struct bus_signed_batch **ret, struct bus_outbox *box,
				     uint64_t id, struct bus_signing *signing, struct bus_err *err);
enum bus_code bus_signed_batch_finish(struct bus_signed_batch *batch, struct bus_outbox *box,
				      struct bus_err *err);
/* signing must still be there, if it was started and not finished. */
void bus_signed_batch_free(struct bus_signed_batch *batch);

uint64_t bus_signed_batch_end(const struct bus_signed_batch *batch); /* one past its last id */

/* id must be in the batch; the event's pointers live as long as the batch. */
const struct bus_outbox_event *bus_signed_batch_event(const struct bus_signed_batch *batch,
						      uint64_t id);
void bus_signed_batch_proof(const struct bus_signed_batch *batch, uint64_t id, struct bus_buf *out);

#endif
