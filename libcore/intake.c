#include "config.h"

#include "intake.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "merkle.h"
#include "timestamp.h"
#include "topic.h"
#include "trust_watch.h"

enum {
	CACHE_SIZE = 64, /* checkpoints whose signature is known to be good */
	CACHE_S = 600,	 /* PROTOCOL section 5: so that revocation and expiry bite */
	LOOKS = 4	 /* at keys that change while one message is checked */
};

struct cached {
	struct bus_hash digest; /* of checkpoint and signature; size 0: free */
	struct bus_signer signer;
	int64_t until; /* on bus_time_mono(); 0: free */
};

struct bus_intake {
	struct bus_trust_watch *watch;
	const struct bus_say *say;
	size_t max_event_size;
	struct bus_proof proof;	   /* kept: it is large */
	struct bus_path_memo memo; /* of the message before */
	struct cached cache[CACHE_SIZE];
	unsigned int next; /* the slot to be used next */
	struct bus_intake_verified verified;
};

enum bus_code bus_intake_open(struct bus_intake **ret, const struct bus_conf *conf,
			      struct bus_err *err)
{
	struct bus_intake *in = calloc(1, sizeof(*in));
	enum bus_code rc;

	if (!in)
		return bus_fail(err, BUS_E_NOMEM, "intake: out of memory");
	in->max_event_size = conf->max_event_size;
	rc = bus_trust_watch_open(&in->watch, conf->trust_file, err);
	if (rc)
		bus_intake_close(in);
	else
		*ret = in;
	return rc;
}

void bus_intake_close(struct bus_intake *in)
{
	if (!in)
		return;
	bus_trust_watch_close(in->watch);
	free(in);
}

void bus_intake_tell(struct bus_intake *in, const struct bus_say *say)
{
	in->say = say;
}

static bool look(struct bus_intake *in, bool at_once)
{
	const bool news = bus_trust_watch_look(in->watch, at_once, in->say);

	if (news)
		memset(in->cache, 0, sizeof(in->cache));
	return news;
}

bool bus_intake_look(struct bus_intake *in)
{
	look(in, false);
	return !bus_trust_watch_stale(in->watch);
}

struct bus_intake_verified bus_intake_verified(const struct bus_intake *in)
{
	return in->verified;
}

/* What the cache goes by: exactly the bytes that OpenPGP is asked about. */
static enum bus_code digest_of(struct bus_hash *ret, const struct bus_proof *proof,
			       const struct bus_signature *sig, struct bus_err *err)
{
	struct bus_buf both = BUS_BUF_INIT(BUS_PROOF_MAX + sizeof(size_t));
	enum bus_code rc;

	bus_buf_add(&both, &proof->signed_len, sizeof(proof->signed_len));
	bus_buf_add(&both, proof->signed_text, proof->signed_len);
	bus_buf_add(&both, sig->bytes, sig->len);
	rc = bus_buf_check(&both, "intake", err);
	if (!rc)
		bus_sha256(ret, both.p, both.len);
	bus_buf_finish(&both);
	return rc;
}

static enum bus_code verify_one(struct bus_intake *in, const struct bus_signature *sig,
				struct bus_signer *ret, struct bus_err *err)
{
	const int64_t now = bus_time_mono();
	struct cached *slot;
	struct bus_hash digest;
	enum bus_code rc;
	size_t i;

	rc = digest_of(&digest, &in->proof, sig, err);
	if (rc)
		return rc;
	for (i = 0; i < CACHE_SIZE; i++) {
		slot = &in->cache[i];
		if (slot->until > now && bus_hash_equal(&slot->digest, &digest)) {
			*ret = slot->signer;
			in->verified.remembered++;
			return BUS_OK;
		}
	}
	in->verified.asked++;
	in->verified.us -= bus_time_mono();
	rc = bus_keyring_verify(bus_trust_watch_ring(in->watch), in->proof.signed_text,
				in->proof.signed_len, sig->bytes, sig->len, ret, err);
	in->verified.us += bus_time_mono();
	if (rc)
		return rc;
	slot = &in->cache[in->next++ % CACHE_SIZE];
	*slot = (struct cached){ digest, *ret, bus_time_mono() + CACHE_S * 1000000LL };
	return BUS_OK;
}

/* One good signature of the origin is enough; otherwise the first one's failure counts. */
static enum bus_code verify_checkpoint(struct bus_intake *in, struct bus_signer *ret,
				       struct bus_err *err)
{
	enum bus_code first = BUS_OK, rc;
	struct bus_err other;
	unsigned int i;

	for (i = 0; i < in->proof.signature_count; i++) {
		rc = verify_one(in, &in->proof.signature[i], ret, i ? &other : err);
		if (rc && bus_code_info[rc].fate != BUS_FATE_PARK && i)
			bus_fail(err, rc, "%s", other.text);
		if (!rc || bus_code_info[rc].fate != BUS_FATE_PARK)
			return rc;
		first = i ? first : rc;
	}
	return first;
}

static enum bus_code check_size(const struct bus_intake *in, const struct bus_message *m,
				struct bus_err *err)
{
	if (m->oversize || m->body_len > in->max_event_size)
		return bus_fail(err, BUS_E_OVERSIZE, "intake: the body is larger than %zu bytes",
				in->max_event_size);
	if (!m->proof || !m->proof_len || !m->body_len)
		return bus_fail(err, BUS_E_UNSIGNED, "intake: no %s",
				m->body_len ? "tlog-proof header" : "body");
	return BUS_OK;
}

static enum bus_code check_included(struct bus_intake *in, const struct bus_message *m,
				    struct bus_hash *leaf, struct bus_err *err)
{
	const struct bus_proof *proof = &in->proof;
	struct bus_hash root;

	bus_merkle_leaf(leaf, m->body, m->body_len);
	bus_path_root_memo(&in->memo, &root, leaf, proof->index, proof->checkpoint.size,
			   proof->path);
	if (!bus_hash_equal(&root, &proof->checkpoint.root))
		return bus_fail(err, BUS_E_NOT_INCLUDED,
				"intake: the body is not leaf %" PRIu64 " of %s", proof->index,
				proof->checkpoint.origin);
	return BUS_OK;
}

static enum bus_code check_identity(const struct bus_intake *in, const struct bus_event *ev,
				    struct bus_err *err)
{
	if (strcmp(ev->source, in->proof.checkpoint.origin) != 0 || ev->id != in->proof.index)
		return bus_fail(err, BUS_E_IDENTITY_MISMATCH,
				"intake: the event calls itself %s/%" PRIu64 " but is leaf %" PRIu64
				" of %s",
				ev->source, ev->id, in->proof.index, in->proof.checkpoint.origin);
	return BUS_OK;
}

static enum bus_code check_route(const struct bus_message *m, const struct bus_event *ev,
				 const struct bus_bindings *bindings, struct bus_err *err)
{
	char key[BUS_KEY_MAX + 1];

	if (!m->routing_key)
		return BUS_OK;
	bus_topic_key(key, ev->type, ev->subject);
	if (strcmp(key, m->routing_key) != 0)
		return bus_fail(err, BUS_E_MISROUTED, "intake: sent as %s, but it is %s",
				m->routing_key, key);
	if (!bindings || bus_bindings_match(bindings, key))
		return BUS_OK;
	return bus_fail(err, BUS_E_MISROUTED, "intake: %s matches no binding of this queue", key);
}

static enum bus_code check(struct bus_intake *in, const struct bus_message *m,
			   const struct bus_bindings *bindings, struct bus_belief *ret,
			   struct bus_err *err)
{
	struct bus_event *ev = NULL;
	struct bus_signer signer;
	struct bus_hash leaf;
	enum bus_code rc;

	rc = check_size(in, m, err); /* 1 */
	if (rc)
		goto out;
	rc = bus_proof_parse(&in->proof, m->proof, m->proof_len, err); /* 2 */
	if (rc)
		goto out;
	rc = check_included(in, m, &leaf, err); /* 3 */
	if (rc)
		goto out;
	rc = verify_checkpoint(in, &signer, err); /* 4 */
	if (rc)
		goto out;
	rc = bus_event_parse(&ev, m->body, m->body_len, err); /* 5 */
	if (rc)
		goto out;
	rc = check_identity(in, ev, err); /* 5 */
	if (rc)
		goto out;
	rc = check_route(m, ev, bindings, err); /* 6 */
	if (rc)
		goto out;
	rc = bus_trust_allows(bus_trust_watch_trust(in->watch), bus_trust_watch_ring(in->watch),
			      ev->source, &signer, ev->type, err); /* 7 */
	if (rc)
		goto out;
	*ret = (struct bus_belief){ ev, leaf, signer, &in->proof };
	ev = NULL;
out:
	bus_event_free(ev);
	return rc;
}

/* Would another trust.conf, or other keys, make a difference? */
static bool is_about_keys(enum bus_code rc)
{
	return rc == BUS_E_UNKNOWN_KEY || rc == BUS_E_EXPIRED_KEY || rc == BUS_E_REVOKED_KEY ||
	       rc == BUS_E_UNTRUSTED_SIGNER;
}

enum bus_code bus_intake_check(struct bus_intake *in, const struct bus_message *m,
			       const struct bus_bindings *bindings, struct bus_belief *ret,
			       struct bus_err *err)
{
	enum bus_code rc;
	int i;

	look(in, false);
	rc = check(in, m, bindings, ret, err);
	/*
	 * A new key may have been trusted a moment ago: what it signed must not be
	 * rejected.  Its import may still be at work.
	 */
	for (i = 0; is_about_keys(rc) && look(in, true); i++) {
		if (i == LOOKS)
			return bus_fail(err, BUS_E_TEMP, "intake: the keys change all the time");
		rc = check(in, m, bindings, ret, err);
	}
	if (is_about_keys(rc) && bus_trust_watch_is_replaced(in->watch))
		return bus_fail(err, BUS_E_TEMP, "intake: the keys are being changed");
	return rc;
}
