#include "config.h"

#include "sign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <gpgme.h>

#include "sign_private.h"
#include "timestamp.h"

enum {
	VERIFY_ATTEMPTS = 4,
	KNOWN_S = 60 /* seconds that what is known of a key holds */
};

enum bus_code bus_keyring_fail(const struct bus_keyring *ring, const char *what, unsigned int e,
			       struct bus_err *err)
{
	char why[128];

	gpgme_strerror_r(e, why, sizeof(why));
	if (gpgme_err_code(e) == GPG_ERR_ENOMEM)
		return bus_fail(err, BUS_E_NOMEM, "sign: out of memory");
	return bus_fail(err, BUS_E_TEMP, "sign: %s with the keys in %s: %s", what, ring->homedir,
			why);
}

static enum bus_code check_homedir(const char *homedir, struct bus_err *err)
{
	struct stat st;

	if (stat(homedir, &st) != 0)
		return bus_fail(err, BUS_E_CONFIG, "sign: key directory %s: %s", homedir,
				strerror(errno));
	if (!S_ISDIR(st.st_mode) || (st.st_mode & 022))
		return bus_fail(err, BUS_E_CONFIG,
				"sign: key directory %s: others could put keys into it; "
				"chmod 700 it",
				homedir);
	return BUS_OK;
}

enum bus_code bus_keyring_open(struct bus_keyring **ret, const char *homedir, struct bus_err *err)
{
	struct bus_keyring *ring = NULL;
	gpgme_error_t e;
	enum bus_code rc;

	rc = check_homedir(homedir, err);
	if (rc)
		return rc;
	gpgme_check_version(NULL);
	ring = calloc(1, sizeof(*ring));
	if (ring)
		ring->homedir = strdup(homedir);
	if (!ring || !ring->homedir) {
		rc = bus_fail(err, BUS_E_NOMEM, "sign: out of memory");
		goto out;
	}
	e = gpgme_new(&ring->ctx);
	if (!e)
		e = gpgme_ctx_set_engine_info(ring->ctx, GPGME_PROTOCOL_OpenPGP, NULL, homedir);
	/* Which key is trusted for what, trust.conf says; no trustdb is kept up to date. */
	if (!e)
		e = gpgme_set_ctx_flag(ring->ctx, "trust-model", "always");
	if (e) {
		rc = bus_keyring_fail(ring, "cannot start gpg", e, err);
		goto out;
	}
	gpgme_set_armor(ring->ctx, 0);
	gpgme_set_offline(ring->ctx, 1);
	/* A machine signs: there is nobody to type a passphrase. */
	gpgme_set_pinentry_mode(ring->ctx, GPGME_PINENTRY_MODE_ERROR);
	*ret = ring;
	return BUS_OK;
out:
	bus_keyring_close(ring);
	return rc;
}

void bus_keyring_close(struct bus_keyring *ring)
{
	if (!ring)
		return;
	bus_keyring_sign_cancel(ring);
	if (ring->ctx)
		gpgme_release(ring->ctx);
	free(ring->homedir);
	free(ring);
}

unsigned int bus_keyring_find(struct bus_keyring *ring, const char *fingerprint, bool secret,
			      struct _gpgme_key **ret)
{
	gpgme_key_t key = NULL, other = NULL;
	gpgme_error_t e;

	e = gpgme_op_keylist_start(ring->ctx, fingerprint, secret);
	if (!e)
		e = gpgme_op_keylist_next(ring->ctx, &key);
	/* to the end of the list: gpg must not be left in the middle of it */
	while (!e && !gpgme_op_keylist_next(ring->ctx, &other))
		gpgme_key_unref(other);
	gpgme_op_keylist_end(ring->ctx);
	if (!e)
		*ret = key;
	return e;
}

const char *bus_keyring_library(void)
{
	return gpgme_check_version(NULL);
}

const char *bus_keyring_engine(const struct bus_keyring *ring)
{
	gpgme_engine_info_t info = gpgme_ctx_get_engine_info(ring->ctx);

	while (info && info->protocol != GPGME_PROTOCOL_OpenPGP)
		info = info->next;
	return info ? info->version : NULL;
}

void bus_keyring_copy_fpr(char out[BUS_FPR_MAX + 1], const char *fpr)
{
	size_t len = fpr ? strnlen(fpr, BUS_FPR_MAX) : 0;

	memcpy(out, fpr ? fpr : "", len);
	out[len] = '\0';
}

bool bus_keyring_is_strong(unsigned int digest)
{
	return digest == GPGME_MD_SHA256 || digest == GPGME_MD_SHA384 || digest == GPGME_MD_SHA512;
}

static enum bus_code signature_status(const struct _gpgme_signature *sig, struct bus_err *err)
{
	const char *fpr = sig->fpr ? sig->fpr : "unknown";

	switch (gpgme_err_code(sig->status)) {
	case GPG_ERR_NO_ERROR:
		break;
	case GPG_ERR_NO_PUBKEY:
		return bus_fail(err, BUS_E_UNKNOWN_KEY, "sign: key %s is not in the trust store",
				fpr);
	case GPG_ERR_KEY_EXPIRED:
	case GPG_ERR_SIG_EXPIRED:
		return bus_fail(err, BUS_E_EXPIRED_KEY, "sign: key %s has expired", fpr);
	case GPG_ERR_CERT_REVOKED:
		return bus_fail(err, BUS_E_REVOKED_KEY, "sign: key %s is revoked", fpr);
	case GPG_ERR_DIGEST_ALGO:
		return bus_fail(err, BUS_E_WEAK_SIGNATURE, "sign: the digest is too weak");
	default:
		return bus_fail(err, BUS_E_BAD_SIGNATURE, "sign: the signature by key %s is bad",
				fpr);
	}
	if (sig->summary & GPGME_SIGSUM_KEY_REVOKED)
		return bus_fail(err, BUS_E_REVOKED_KEY, "sign: key %s is revoked", fpr);
	if (sig->summary & (GPGME_SIGSUM_KEY_EXPIRED | GPGME_SIGSUM_SIG_EXPIRED))
		return bus_fail(err, BUS_E_EXPIRED_KEY, "sign: key %s has expired", fpr);
	if ((sig->summary & (GPGME_SIGSUM_RED | GPGME_SIGSUM_SYS_ERROR)) || sig->wrong_key_usage)
		return bus_fail(err, BUS_E_BAD_SIGNATURE, "sign: key %s may not make signatures",
				fpr);
	if (!bus_keyring_is_strong(sig->hash_algo))
		return bus_fail(err, BUS_E_WEAK_SIGNATURE, "sign: digest %s is too weak",
				gpgme_hash_algo_name(sig->hash_algo));
	return BUS_OK;
}

static gpgme_subkey_t find_subkey(gpgme_key_t key, const char *fpr)
{
	gpgme_subkey_t sub;

	for (sub = key->subkeys; sub; sub = sub->next)
		if (sub->fpr && strcmp(sub->fpr, fpr) == 0)
			return sub;
	return NULL;
}

static bool is_weak(gpgme_subkey_t key)
{
	const bool by_length = key->pubkey_algo == GPGME_PK_RSA ||
			       key->pubkey_algo == GPGME_PK_RSA_S ||
			       key->pubkey_algo == GPGME_PK_DSA;

	return by_length && key->length < BUS_RSA_BITS_MIN;
}

/*
 * Of a key that gpg has just called good.  What gpg does not say of a signature, that its
 * key is disabled or weak, may be so old; whoever sees the keyring change forgets it.
 */
static bool is_known(const struct bus_keyring *ring, const char *fpr, struct bus_signer *ret)
{
	const int64_t now_us = bus_time_mono();
	size_t i;

	for (i = 0; i < BUS_KEYRING_KNOWN; i++) {
		if (ring->known[i].until_us > now_us &&
		    strcmp(ring->known[i].signer.subkey, fpr) == 0) {
			*ret = ring->known[i].signer;
			return true;
		}
	}
	return false;
}

static void make_known(struct bus_keyring *ring, const struct bus_signer *signer)
{
	ring->known[ring->next_known++ % BUS_KEYRING_KNOWN] = (struct bus_known_key){
		*signer, bus_time_mono() + KNOWN_S * 1000000LL
	};
}

void bus_keyring_forget(struct bus_keyring *ring)
{
	memset(ring->known, 0, sizeof(ring->known));
}

/* Looks at the key behind a good signature: is it strong, and whose is it? */
static enum bus_code check_key(struct bus_keyring *ring, const char *fpr, struct bus_signer *signer,
			       struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	gpgme_key_t key = NULL;
	gpgme_subkey_t sub;
	gpgme_error_t e;

	if (is_known(ring, fpr, signer))
		return BUS_OK;
	e = bus_keyring_find(ring, fpr, false, &key);
	if (e)
		return bus_keyring_fail(ring, "cannot look up the signer's key", e, err);
	sub = find_subkey(key, fpr);
	if (!sub || !key->subkeys->fpr)
		rc = bus_fail(err, BUS_E_UNKNOWN_KEY, "sign: key %s is not in the trust store",
			      fpr);
	else if (key->revoked || sub->revoked || key->disabled)
		rc = bus_fail(err, BUS_E_REVOKED_KEY, "sign: key %s is revoked", fpr);
	else if (key->expired || sub->expired)
		rc = bus_fail(err, BUS_E_EXPIRED_KEY, "sign: key %s has expired", fpr);
	else if (is_weak(sub) || is_weak(key->subkeys))
		rc = bus_fail(err, BUS_E_WEAK_SIGNATURE,
			      "sign: key %s or its primary key has less than %d bits", fpr,
			      BUS_RSA_BITS_MIN);
	else {
		bus_keyring_copy_fpr(signer->primary, key->subkeys->fpr);
		bus_keyring_copy_fpr(signer->subkey, fpr);
		make_known(ring, signer);
	}
	gpgme_key_unref(key);
	return rc;
}

/*
 * Exactly one OpenPGP signature packet (RFC 4880 sections 4.2 and 5.2), over a
 * binary document, and not a byte more.  gpg would take much else: armour,
 * compressed data, keys; some of that makes it fail in ways that cannot be told
 * from trouble of its own, and all of it lets anybody dress one signature up as
 * many.
 */
static bool is_one_signature(const unsigned char *p, size_t len)
{
	enum { SIGNATURE = 2, VERSION_4 = 4, BINARY = 0 };
	size_t head, body;
	int tag;

	if (len < 8 || !(p[0] & 0x80))
		return false;
	if (p[0] & 0x40) { /* the new format of packet headers */
		tag = p[0] & 0x3f;
		head = p[1] < 192 ? 2 : p[1] < 224 ? 3 : 6;
		if (head == 2)
			body = p[1];
		else if (head == 3)
			body = ((p[1] - 192U) << 8) + p[2] + 192;
		else
			body = (size_t)p[2] << 24 | (size_t)p[3] << 16 | (size_t)p[4] << 8 | p[5];
		if (head == 6 && p[1] != 255) /* partial lengths */
			return false;
	} else {
		tag = p[0] >> 2 & 15;
		head = 2 + (p[0] & 3);
		body = head == 2 ? p[1] : (size_t)p[1] << 8 | p[2];
		if (head > 3)
			return false;
	}
	return tag == SIGNATURE && body >= 2 && head + body == len && p[head] >= VERSION_4 &&
	       p[head + 1] == BINARY;
}

/* *ret_undecided: gpg has ended without an opinion. */
static enum bus_code verify_once(struct bus_keyring *ring, const void *bytes, size_t len,
				 const void *signature, size_t signature_len,
				 struct bus_signer *ret_signer, bool *ret_undecided,
				 struct bus_err *err)
{
	gpgme_data_t text = NULL, sig = NULL;
	gpgme_verify_result_t result;
	char fpr[BUS_FPR_MAX + 1];
	enum bus_code rc;
	gpgme_error_t e;

	*ret_undecided = false;
	e = gpgme_data_new_from_mem(&text, bytes, len, 0);
	if (!e)
		e = gpgme_data_new_from_mem(&sig, signature, signature_len, 0);
	if (!e)
		e = gpgme_op_verify(ring->ctx, sig, text, NULL);
	if (gpgme_err_code(e) == GPG_ERR_NO_DATA || gpgme_err_code(e) == GPG_ERR_BAD_DATA) {
		rc = bus_fail(err, BUS_E_BAD_SIGNATURE, "sign: not an OpenPGP signature");
		goto out;
	}
	if (e) {
		rc = bus_keyring_fail(ring, "cannot verify", e, err);
		goto out;
	}
	result = gpgme_op_verify_result(ring->ctx);
	if (!result || !result->signatures || result->signatures->next) {
		*ret_undecided = !result || !result->signatures;
		rc = bus_fail(err, BUS_E_BAD_SIGNATURE, "sign: not exactly one signature");
		goto out;
	}
	rc = signature_status(result->signatures, err);
	*ret_undecided = gpgme_err_code(result->signatures->status) == GPG_ERR_GENERAL;
	if (rc)
		goto out;
	bus_keyring_copy_fpr(fpr, result->signatures->fpr); /* before the next call into gpgme */
	rc = check_key(ring, fpr, ret_signer, err);
out:
	gpgme_data_release(text);
	gpgme_data_release(sig);
	return rc;
}

/*
 * While another gpg imports a key, the keyring is not there for a moment, and one that
 * looks for a key in just that moment aborts (an assertion in g10/mainproc.c of 2.2.40):
 * so no opinion is asked for again.  A signature on which gpg never has one is bad.
 */
enum bus_code bus_keyring_verify(struct bus_keyring *ring, const void *bytes, size_t len,
				 const void *signature, size_t signature_len,
				 struct bus_signer *ret_signer, struct bus_err *err)
{
	bool undecided = true;
	enum bus_code rc;
	int i;

	if (!is_one_signature(signature, signature_len))
		return bus_fail(err, BUS_E_BAD_SIGNATURE,
				"sign: not one binary OpenPGP signature of version 4 or later");
	for (i = 0; undecided && i < VERIFY_ATTEMPTS; i++)
		rc = verify_once(ring, bytes, len, signature, signature_len, ret_signer, &undecided,
				 err);
	return rc;
}
