#include "config.h"

#include "signed_batch.h"

#include <stdlib.h>
#include <string.h>

#include "merkle.h"
#include "timestamp.h"

struct bus_signed_batch {
	struct bus_outbox_checkpoint before; /* where the batch begins */
	uint64_t limit;			     /* where its checkpoint ends it; 0: not signed yet */
	size_t count, bytes;
	struct bus_outbox_event event[BUS_SIGNED_BATCH_MAX];
	struct bus_hash leaf[BUS_SIGNED_BATCH_MAX];
	struct bus_batch *tree;
	char *note; /* the checkpoint and its signature; NULL: not signed yet */

	/* While gpg signs: what it signs, and with which keyring; NULL: it does not. */
	struct bus_signing *signing;
	struct bus_range after;
	char origin[BUS_ORIGIN_MAX + 1];
	struct bus_buf text;
};

void bus_signed_batch_free(struct bus_signed_batch *batch)
{
	size_t i;

	if (!batch)
		return;
	if (batch->signing)
		bus_keyring_sign_cancel(batch->signing->ring);
	bus_buf_finish(&batch->text);
	for (i = 0; i < batch->count; i++)
		free((void *)(uintptr_t)batch->event[i].type);
	bus_outbox_checkpoint_finish(&batch->before);
	bus_batch_free(batch->tree);
	free(batch->note);
	free(batch);
}

/* Copies an event: type, routing key and body in one piece of memory. */
static enum bus_code keep(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	struct bus_signed_batch *batch = arg;
	const size_t type_len = strlen(ev->type) + 1, key_len = strlen(ev->routing_key) + 1;
	struct bus_outbox_event *copy = &batch->event[batch->count];
	char *p;

	/* A signed batch is as it was; a new one ends where it gets large. */
	if (batch->count == BUS_SIGNED_BATCH_MAX ||
	    (!batch->limit && batch->count &&
	     batch->bytes + ev->body_len > BUS_SIGNED_BATCH_BYTES_MAX))
		return BUS_E_NO;
	if (ev->id != batch->before.range.size + batch->count)
		return bus_fail(err, BUS_E_CONFIG,
				"outbox: event %llu is missing; begin a new log with debmsg "
				"outbox new-epoch",
				(unsigned long long)(batch->before.range.size + batch->count));
	p = malloc(type_len + key_len + ev->body_len);
	if (!p)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	memcpy(p, ev->type, type_len);
	memcpy(p + type_len, ev->routing_key, key_len);
	memcpy(p + type_len + key_len, ev->body, ev->body_len);
	*copy = *ev;
	copy->type = p;
	copy->routing_key = p + type_len;
	copy->body = p + type_len + key_len;
	bus_merkle_leaf(&batch->leaf[batch->count++], ev->body, ev->body_len);
	batch->bytes += ev->body_len;
	return BUS_OK;
}

/* Has gpg begin to sign a checkpoint at the batch's end. */
static enum bus_code begin_signing(struct bus_signed_batch *batch, struct bus_outbox *box,
				   struct bus_signing *signing, struct bus_err *err)
{
	const int64_t began = bus_time_mono();
	struct bus_outbox_state state;
	struct bus_checkpoint cp;
	enum bus_code rc;
	size_t i;

	rc = bus_outbox_state(box, &state, err);
	if (rc)
		return rc;
	batch->after = batch->before.range;
	for (i = 0; i < batch->count; i++)
		bus_range_append(&batch->after, &batch->leaf[i]);
	memcpy(batch->origin, state.origin, sizeof(batch->origin));
	memcpy(cp.origin, state.origin, sizeof(cp.origin));
	cp.size = batch->after.size;
	bus_range_root(&batch->after, &cp.root);
	bus_buf_clear(&batch->text);
	bus_checkpoint_format(&batch->text, &cp);
	rc = bus_buf_check(&batch->text, "relay", err);
	if (rc)
		return rc;
	rc = bus_keyring_sign_start(signing->ring, signing->key, batch->text.p, batch->text.len,
				    err);
	signing->us += bus_time_mono() - began;
	if (rc)
		signing->failed++;
	else
		batch->signing = signing;
	return rc;
}

/* Waits for the signature. */
static enum bus_code take_signature(struct bus_signed_batch *batch, struct bus_buf *signature,
				    struct bus_signer *ret_signer, struct bus_err *err)
{
	const int64_t began = bus_time_mono();
	struct bus_signing *signing = batch->signing;
	enum bus_code rc;

	rc = bus_keyring_sign_finish(signing->ring, signature, ret_signer, err);
	batch->signing = NULL;
	signing->us += bus_time_mono() - began;
	if (rc)
		signing->failed++;
	else
		signing->made++;
	return rc;
}

/*
 * Stores the checkpoint before anybody can see it.  One that is there gets another
 * signature.
 */
static enum bus_code end_signing(struct bus_signed_batch *batch, struct bus_outbox *box,
				 struct bus_err *err)
{
	struct bus_buf note = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_buf signature = BUS_BUF_INIT(BUS_SIGNATURE_MAX);
	struct bus_signer signer;
	enum bus_code rc;

	rc = take_signature(batch, &signature, &signer, err);
	if (!rc) {
		bus_note_format(&note, &batch->text, batch->origin, signer.subkey, signature.p,
				signature.len);
		rc = bus_buf_check(&note, "relay", err);
	}
	if (!rc)
		rc = batch->note ? bus_outbox_checkpoint_renew(box, batch->after.size, note.p, err)
				 : bus_outbox_checkpoint_save(box, &batch->after, note.p, err);
	if (!rc) {
		free(batch->note);
		batch->note = bus_buf_detach(&note);
	}
	bus_buf_finish(&note);
	bus_buf_finish(&signature);
	return rc;
}

static enum bus_code sign_batch(struct bus_signed_batch *batch, struct bus_outbox *box,
				struct bus_signing *signing, struct bus_err *err)
{
	enum bus_code rc = begin_signing(batch, box, signing, err);

	return rc ? rc : end_signing(batch, box, err);
}

static enum bus_code is_out_of_date(const struct bus_proof *proof, struct bus_keyring *ring,
				    bool *ret, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	struct bus_signer signer;
	unsigned int i;

	*ret = false;
	for (i = 0; i < proof->signature_count; i++) {
		rc = bus_keyring_verify(ring, proof->signed_text, proof->signed_len,
					proof->signature[i].bytes, proof->signature[i].len, &signer,
					err);
		if (!rc)
			break;
		if (bus_code_info[rc].fate != BUS_FATE_PARK)
			return rc;
		*ret |= rc == BUS_E_EXPIRED_KEY || rc == BUS_E_REVOKED_KEY;
	}
	*ret &= rc != BUS_OK;
	return BUS_OK;
}

/*
 * The batch was signed by a relay before this one.  If its key has expired or was revoked
 * since, nobody would believe what we send, so the checkpoint is signed again.  Of a key
 * that is no longer here nothing is known, and its signature stays.
 */
static enum bus_code renew(struct bus_signed_batch *batch, struct bus_outbox *box,
			   struct bus_signing *signing, struct bus_err *err)
{
	struct bus_proof *proof = malloc(sizeof(*proof));
	struct bus_buf text = BUS_BUF_INIT(BUS_PROOF_MAX);
	bool out_of_date = false;
	enum bus_code rc;

	if (!proof)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	bus_signed_batch_proof(batch, batch->before.range.size, &text);
	rc = bus_buf_check(&text, "relay", err);
	if (!rc && bus_proof_parse(proof, text.p, text.len, err) == BUS_OK)
		rc = is_out_of_date(proof, signing->ring, &out_of_date, err);
	if (!rc && out_of_date)
		rc = sign_batch(batch, box, signing, err);
	bus_buf_finish(&text);
	free(proof);
	return rc;
}

/* Do the events on the disk still give the tree whose root was signed? */
static bool is_as_signed(const struct bus_signed_batch *batch, const struct bus_range *after)
{
	struct bus_range range = batch->before.range;
	size_t i;

	for (i = 0; i < batch->count; i++)
		bus_range_append(&range, &batch->leaf[i]);
	return range.size == after->size &&
	       !memcmp(range.node, after->node, range.count * sizeof(range.node[0]));
}

static enum bus_code load(struct bus_signed_batch *batch, struct bus_outbox *box, uint64_t id,
			  struct bus_err *err)
{
	struct bus_outbox_checkpoint after = { 0 };
	enum bus_code rc;

	rc = bus_outbox_checkpoint_before(box, id, &batch->before, err);
	if (!rc)
		rc = bus_outbox_checkpoint_after(box, id, &after, err);
	if (rc)
		return rc;
	batch->limit = after.range.size;
	batch->note = after.note;
	rc = bus_outbox_each(box, batch->before.range.size, batch->limit ? batch->limit : INT64_MAX,
			     keep, batch, err);
	if (!rc && batch->limit && !is_as_signed(batch, &after.range))
		rc = bus_fail(err, BUS_E_CONFIG,
			      "outbox: events before %llu are missing or damaged: they are not "
			      "what "
			      "was signed; begin a new log with debmsg outbox new-epoch",
			      (unsigned long long)batch->limit);
	return rc;
}

/* A batch with its tree; *ret is NULL if event `id` is not there yet. */
static enum bus_code new_batch(struct bus_signed_batch **ret, struct bus_outbox *box, uint64_t id,
			       struct bus_err *err)
{
	struct bus_signed_batch *batch = calloc(1, sizeof(*batch));
	enum bus_code rc;

	*ret = NULL;
	if (!batch)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	batch->text.max = BUS_PROOF_MAX;
	rc = load(batch, box, id, err);
	if (rc || batch->before.range.size + batch->count <= id) {
		bus_signed_batch_free(batch);
		return rc;
	}
	batch->tree = bus_batch_new(&batch->before.range, batch->leaf, batch->count);
	if (!batch->tree) {
		bus_signed_batch_free(batch);
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	}
	*ret = batch;
	return BUS_OK;
}

enum bus_code bus_signed_batch_load(struct bus_signed_batch **ret, struct bus_outbox *box,
				    uint64_t id, struct bus_signing *signing, struct bus_err *err)
{
	enum bus_code rc = new_batch(ret, box, id, err);

	if (rc || !*ret)
		return rc;
	rc = (*ret)->note ? renew(*ret, box, signing, err) : sign_batch(*ret, box, signing, err);
	if (rc) {
		bus_signed_batch_free(*ret);
		*ret = NULL;
	}
	return rc;
}

enum bus_code bus_signed_batch_start(struct bus_signed_batch **ret, struct bus_outbox *box,
				     uint64_t id, struct bus_signing *signing, struct bus_err *err)
{
	enum bus_code rc = new_batch(ret, box, id, err);

	if (rc || !*ret)
		return rc;
	if (!(*ret)->note)
		rc = begin_signing(*ret, box, signing, err);
	if (rc || (*ret)->note) {
		bus_signed_batch_free(*ret);
		*ret = NULL;
	}
	return rc;
}

enum bus_code bus_signed_batch_finish(struct bus_signed_batch *batch, struct bus_outbox *box,
				      struct bus_err *err)
{
	return end_signing(batch, box, err);
}

uint64_t bus_signed_batch_end(const struct bus_signed_batch *batch)
{
	return batch->before.range.size + batch->count;
}

const struct bus_outbox_event *bus_signed_batch_event(const struct bus_signed_batch *batch,
						      uint64_t id)
{
	return &batch->event[id - batch->before.range.size];
}

void bus_signed_batch_proof(const struct bus_signed_batch *batch, uint64_t id, struct bus_buf *out)
{
	struct bus_hash path[BUS_PATH_MAX];
	unsigned int n = bus_batch_path(batch->tree, (size_t)(id - batch->before.range.size), path);

	bus_proof_format(out, id, path, n, batch->note);
}
