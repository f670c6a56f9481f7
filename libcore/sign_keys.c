#include "config.h"

#include "sign.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <gpgme.h>

#include "sign_private.h"

enum bus_code bus_keyring_import(struct bus_keyring *ring, const void *bytes, size_t len,
				 int *ret_count, struct bus_err *err)
{
	gpgme_import_result_t result;
	gpgme_data_t in = NULL;
	enum bus_code rc = BUS_OK;
	gpgme_error_t e;

	bus_keyring_forget(ring);
	e = gpgme_data_new_from_mem(&in, bytes, len, 0);
	if (!e)
		e = gpgme_op_import(ring->ctx, in);
	if (gpgme_err_code(e) == GPG_ERR_NO_DATA) {
		rc = bus_fail(err, BUS_E_DATA, "sign: no OpenPGP key in it");
		goto out;
	}
	if (e) {
		rc = bus_keyring_fail(ring, "cannot import", e, err);
		goto out;
	}
	result = gpgme_op_import_result(ring->ctx);
	if (!result || !result->considered)
		rc = bus_fail(err, BUS_E_DATA, "sign: no OpenPGP key in it");
	else
		*ret_count = result->considered;
out:
	gpgme_data_release(in);
	return rc;
}

static const char *algorithm_of(gpgme_subkey_t sub)
{
	const char *name = gpgme_pubkey_algo_name(sub->pubkey_algo);

	return name ? name : "unknown algorithm";
}

static void hand_out(gpgme_key_t key, void (*each)(void *arg, const struct bus_key_info *key),
		     void *arg)
{
	struct bus_subkey_info part[BUS_SUBKEYS_MAX];
	gpgme_subkey_t sub;
	size_t n = 0;

	for (sub = key->subkeys; sub && n < BUS_SUBKEYS_MAX; sub = sub->next)
		part[n++] = (struct bus_subkey_info){
			.fingerprint = sub->fpr ? sub->fpr : "",
			.expires = sub->expires,
			.expired = sub->expired,
			.revoked = sub->revoked,
			.can_sign = sub->can_sign && !sub->disabled && !sub->invalid,
			.algorithm = algorithm_of(sub),
			.is_dsa = sub->pubkey_algo == GPGME_PK_DSA,
			.is_rsa = sub->pubkey_algo == GPGME_PK_RSA ||
				  sub->pubkey_algo == GPGME_PK_RSA_S,
			.bits = sub->length,
		};
	each(arg, &(struct bus_key_info){
			  .fingerprint = key->fpr ? key->fpr : "",
			  .user_id = key->uids && key->uids->uid ? key->uids->uid : "",
			  .created = key->subkeys ? key->subkeys->timestamp : 0,
			  .expires = key->subkeys ? key->subkeys->expires : 0,
			  .expired = key->expired,
			  .revoked = key->revoked || key->disabled,
			  .part = part,
			  .part_count = n,
		  });
}

enum bus_code bus_keyring_each(struct bus_keyring *ring, const char *pattern,
			       void (*each)(void *arg, const struct bus_key_info *key), void *arg,
			       struct bus_err *err)
{
	gpgme_key_t key = NULL;
	gpgme_error_t e;

	e = gpgme_op_keylist_start(ring->ctx, pattern, 0);
	while (!e && !(e = gpgme_op_keylist_next(ring->ctx, &key))) {
		hand_out(key, each, arg);
		gpgme_key_unref(key);
	}
	gpgme_op_keylist_end(ring->ctx);
	return gpgme_err_code(e) == GPG_ERR_EOF ? BUS_OK
						: bus_keyring_fail(ring, "cannot list", e, err);
}

/* gpg-agent's file of a secret key; *ret_open: no passphrase is on it. */
static void look_at_secret(const char *homedir, const char *keygrip, bool *ret_open)
{
	char path[PATH_MAX], text[8192];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/private-keys-v1.d/%s.key", homedir, keygrip);
	f = fopen(path, "re");
	if (!f)
		return;
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	*ret_open = !memmem(text, len, "protected-private-key", 21) &&
		    !memmem(text, len, "shadowed-private-key", 20) &&
		    memmem(text, len, "private-key", 11);
	explicit_bzero(text, sizeof(text));
}

enum bus_code bus_keyring_is_open(struct bus_keyring *ring, const char *subkey, bool *ret,
				  struct bus_err *err)
{
	const gpgme_keylist_mode_t mode = gpgme_get_keylist_mode(ring->ctx);
	gpgme_key_t key = NULL;
	gpgme_subkey_t sub;
	gpgme_error_t e;

	gpgme_set_keylist_mode(ring->ctx, mode | GPGME_KEYLIST_MODE_WITH_KEYGRIP);
	e = bus_keyring_find(ring, subkey, true, &key);
	gpgme_set_keylist_mode(ring->ctx, mode);
	if (e)
		return bus_keyring_fail(ring, "cannot look up a secret key", e, err);
	*ret = false;
	for (sub = key->subkeys; sub; sub = sub->next)
		if (sub->fpr && strcmp(sub->fpr, subkey) == 0 && sub->keygrip)
			look_at_secret(ring->homedir, sub->keygrip, ret);
	gpgme_key_unref(key);
	return BUS_OK;
}

static void add_fingerprint(void *arg, const struct bus_key_info *key)
{
	bus_buf_add(arg, key->fingerprint, strlen(key->fingerprint) + 1);
}

static enum bus_code copy_key(struct bus_keyring *into, struct bus_keyring *from,
			      const char *fingerprint, struct bus_err *err)
{
	gpgme_data_t bytes = NULL;
	enum bus_code rc = BUS_OK;
	gpgme_error_t e;

	bus_keyring_forget(into);
	e = gpgme_data_new(&bytes);
	if (!e)
		e = gpgme_op_export(from->ctx, fingerprint, 0, bytes);
	if (e)
		rc = bus_keyring_fail(from, "cannot export", e, err);
	else if (gpgme_data_seek(bytes, 0, SEEK_END) > 0) { /* else it is not there */
		gpgme_data_seek(bytes, 0, SEEK_SET);
		e = gpgme_op_import(into->ctx, bytes);
		if (e)
			rc = bus_keyring_fail(into, "cannot import", e, err);
	}
	gpgme_data_release(bytes);
	return rc;
}

enum bus_code bus_keyring_update(struct bus_keyring *ring, struct bus_keyring *from,
				 struct bus_err *err)
{
	struct bus_buf names = BUS_BUF_INIT(1 << 20);
	const char *name;
	enum bus_code rc;

	rc = bus_keyring_each(ring, NULL, add_fingerprint, &names, err);
	if (!rc)
		rc = bus_buf_check(&names, "sign", err);
	for (name = names.p; !rc && name && name < names.p + names.len; name += strlen(name) + 1)
		rc = copy_key(ring, from, name, err);
	bus_buf_finish(&names);
	return rc;
}

/* A certification or its revocation, by this key, and genuine. */
static bool made_by(const struct _gpgme_key_sig *sig, const char *fpr)
{
	const size_t len = strlen(fpr), n = sig->keyid ? strlen(sig->keyid) : 0;

	return n && n <= len && strcmp(sig->keyid, fpr + len - n) == 0 && !sig->invalid &&
	       gpgme_err_code(sig->status) == GPG_ERR_NO_ERROR;
}

/* The newest word counts: a revocation comes after what it revokes, and both are listed. */
static bool uid_certified_by(gpgme_user_id_t uid, const char *by)
{
	const struct _gpgme_key_sig *newest = NULL, *sig;

	for (sig = uid->signatures; sig; sig = sig->next)
		if (made_by(sig, by) && (!newest || sig->timestamp > newest->timestamp ||
					 (sig->timestamp == newest->timestamp && sig->revoked)))
			newest = sig;
	/* gpgme 1.18 does not set `expired` of a signature */
	return newest && !newest->revoked &&
	       (!newest->expires || newest->expires >= (long)time(NULL));
}

/* Is there a good certification by the key with this fingerprint? */
static bool certified_by(gpgme_key_t key, const char *by)
{
	gpgme_user_id_t uid;

	for (uid = key->uids; uid; uid = uid->next)
		if (!uid->revoked && !uid->invalid && uid_certified_by(uid, by))
			return true;
	return false;
}

/*
 * A certification names its maker by the 64-bit key id only, so the maker must
 * be found in the ring under the full fingerprint, and be in good health.
 */
static bool certifier_is_usable(struct bus_keyring *ring, const char *fpr)
{
	gpgme_key_t key = NULL;
	bool usable;

	if (bus_keyring_find(ring, fpr, false, &key) != 0)
		return false;
	usable = !key->revoked && !key->expired && !key->disabled && !key->invalid && key->fpr &&
		 strcmp(key->fpr, fpr) == 0;
	gpgme_key_unref(key);
	return usable;
}

static bool named_before(const char *const *by, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (strcmp(by[k], by[i]) == 0)
			return true;
	return false;
}

enum bus_code bus_keyring_certifications(struct bus_keyring *ring, const char *fingerprint,
					 const char *const *by, size_t by_count, unsigned int *ret,
					 struct bus_err *err)
{
	const gpgme_keylist_mode_t mode = gpgme_get_keylist_mode(ring->ctx);
	gpgme_key_t key = NULL;
	gpgme_error_t e;
	unsigned int n = 0;
	size_t i;

	gpgme_set_keylist_mode(ring->ctx, mode | GPGME_KEYLIST_MODE_SIGS);
	e = bus_keyring_find(ring, fingerprint, false, &key);
	gpgme_set_keylist_mode(ring->ctx, mode);
	if (e)
		return bus_keyring_fail(ring, "cannot list certifications", e, err);
	for (i = 0; i < by_count; i++)
		n += strcmp(by[i], fingerprint) != 0 && !named_before(by, i) &&
		     certified_by(key, by[i]) && certifier_is_usable(ring, by[i]);
	gpgme_key_unref(key);
	*ret = n;
	return BUS_OK;
}
