#include "config.h"

#include "sign.h"

#include <string.h>

#include <gpgme.h>

#include "sign_private.h"

/* A secret key that cannot sign: why not, and what to do. */
static enum bus_code unusable(const struct bus_keyring *ring, gpgme_key_t key,
			      const char *fingerprint, struct bus_err *err)
{
	if (key->revoked)
		return bus_fail(err, BUS_E_CONFIG,
				"sign: the signing key %s is revoked; nothing is signed with it. "
				"Make "
				"a new one, have it trusted, and set `key` in `signing`",
				fingerprint);
	if (key->expired)
		return bus_fail(
			err, BUS_E_CONFIG,
			"sign: the signing key %s has expired; extend it with gpg --homedir "
			"%s --quick-set-expire %s 2y and give its new public copy to all who "
			"trust it, or set another `key` in `signing`",
			fingerprint, ring->homedir, fingerprint);
	return bus_fail(err, BUS_E_CONFIG,
			"sign: key %s in %s has no part that may sign now (subkeys: expired, "
			"revoked "
			"or for other uses); see gpg --homedir %s --list-secret-keys",
			fingerprint, ring->homedir, ring->homedir);
}

static enum bus_code find_signing_key(struct bus_keyring *ring, const char *fingerprint,
				      gpgme_key_t *ret, struct bus_err *err)
{
	gpgme_error_t e = bus_keyring_find(ring, fingerprint, true, ret);

	if (e && gpgme_err_code(e) != GPG_ERR_EOF)
		return bus_keyring_fail(ring, "cannot look up the signing key", e, err);
	if (e)
		return bus_fail(err, BUS_E_CONFIG,
				"sign: no secret key %s in %s; make one with gpg --homedir %s "
				"--quick-generate-key and set `key` in `signing`",
				fingerprint, ring->homedir, ring->homedir);
	if (!(*ret)->can_sign || (*ret)->expired || (*ret)->revoked)
		return unusable(ring, *ret, fingerprint, err);
	return BUS_OK;
}

enum bus_code bus_keyring_has(struct bus_keyring *ring, const char *key, struct bus_err *err)
{
	gpgme_key_t secret = NULL;
	enum bus_code rc = find_signing_key(ring, key, &secret, err);

	if (secret)
		gpgme_key_unref(secret);
	return rc;
}

/* Makes it the signer of the context, which it stays until it cannot sign any more. */
static enum bus_code choose_signer(struct bus_keyring *ring, const char *key, struct bus_err *err)
{
	gpgme_key_t secret = NULL;
	enum bus_code rc;
	gpgme_error_t e;

	if (strcmp(ring->signer, key) == 0)
		return BUS_OK;
	gpgme_signers_clear(ring->ctx);
	ring->signer[0] = '\0';
	rc = find_signing_key(ring, key, &secret, err);
	if (!rc) {
		e = gpgme_signers_add(ring->ctx, secret);
		if (e)
			rc = bus_keyring_fail(ring, "cannot choose the signing key", e, err);
		else
			bus_keyring_copy_fpr(ring->signer, key);
	}
	if (secret)
		gpgme_key_unref(secret);
	return rc;
}

/* Of a key that was good when it was chosen: expired, revoked, gone, or is it GnuPG? */
static enum bus_code cannot_sign(struct bus_keyring *ring, const char *key, gpgme_error_t e,
				 struct bus_err *err)
{
	enum bus_code rc;

	ring->signer[0] = '\0';
	rc = bus_keyring_has(ring, key, err);
	return rc ? rc
		  : bus_keyring_fail(ring, "cannot sign (is gpg-agent installed and able to run?)",
				     e, err);
}

static void drop_signature(struct bus_keyring *ring)
{
	gpgme_data_release(ring->text);
	gpgme_data_release(ring->signature);
	ring->text = ring->signature = NULL;
}

void bus_keyring_sign_cancel(struct bus_keyring *ring)
{
	gpgme_error_t e;

	if (ring->text && !ring->is_signed) {
		gpgme_cancel(ring->ctx);
		gpgme_wait(ring->ctx, &e, 0); /* gpgme forgets it, too */
	}
	drop_signature(ring);
}

/* Does what can be done for it; at the end or at once. */
static void advance(struct bus_keyring *ring, bool to_end)
{
	gpgme_error_t e = 0;

	if (!ring->is_signed && gpgme_wait(ring->ctx, &e, to_end)) {
		ring->is_signed = true;
		ring->how_signed = e;
	}
}

enum bus_code bus_keyring_sign_start(struct bus_keyring *ring, const char *key, const void *bytes,
				     size_t len, struct bus_err *err)
{
	enum { STEPS = 3 }; /* the text, its end, and one to spare */
	enum bus_code rc;
	gpgme_error_t e;
	int i;

	rc = choose_signer(ring, key, err);
	if (rc)
		return rc;
	e = gpgme_data_new_from_mem(&ring->text, bytes, len, 0);
	if (!e)
		e = gpgme_data_new(&ring->signature);
	if (!e)
		e = gpgme_op_sign_start(ring->ctx, ring->text, ring->signature,
					GPGME_SIG_MODE_DETACH);
	if (e) {
		drop_signature(ring);
		return cannot_sign(ring, key, e, err);
	}
	ring->is_signed = false;
	/* with all of its input in the pipe, gpg can do the rest without us */
	for (i = 0; i < STEPS; i++)
		advance(ring, false);
	return BUS_OK;
}

enum bus_code bus_keyring_sign_finish(struct bus_keyring *ring, struct bus_buf *signature,
				      struct bus_signer *ret_signer, struct bus_err *err)
{
	char key[BUS_FPR_MAX + 1];
	gpgme_sign_result_t result;
	gpgme_key_t secret = NULL;
	char *raw = NULL;
	enum bus_code rc;
	size_t raw_len;

	bus_keyring_copy_fpr(key, ring->signer);
	advance(ring, true);
	if (ring->how_signed) {
		drop_signature(ring);
		return cannot_sign(ring, key, ring->how_signed, err);
	}
	result = gpgme_op_sign_result(ring->ctx);
	secret = gpgme_signers_enum(ring->ctx, 0);
	if (!result || !result->signatures || result->signatures->next ||
	    !bus_keyring_is_strong(result->signatures->hash_algo)) {
		rc = bus_fail(err, BUS_E_CONFIG,
			      "sign: key %s signs with a digest weaker than SHA-256; see "
			      "personal-digest-preferences in %s/gpg.conf",
			      key, ring->homedir);
		goto out;
	}
	bus_keyring_copy_fpr(ret_signer->primary, secret->subkeys->fpr);
	bus_keyring_copy_fpr(ret_signer->subkey, result->signatures->fpr);
	raw = gpgme_data_release_and_get_mem(ring->signature, &raw_len);
	ring->signature = NULL;
	bus_buf_add(signature, raw, raw_len);
	rc = bus_buf_check(signature, "sign", err);
out:
	gpgme_free(raw);
	gpgme_key_unref(secret);
	drop_signature(ring);
	return rc;
}

enum bus_code bus_keyring_sign(struct bus_keyring *ring, const char *key, const void *bytes,
			       size_t len, struct bus_buf *signature, struct bus_signer *ret_signer,
			       struct bus_err *err)
{
	enum bus_code rc = bus_keyring_sign_start(ring, key, bytes, len, err);

	return rc ? rc : bus_keyring_sign_finish(ring, signature, ret_signer, err);
}
