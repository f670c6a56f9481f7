#ifndef BUS_SIGN_H
#define BUS_SIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

/*
 * OpenPGP by GnuPG: sign bytes, and verify bytes to one signer or a named
 * reason.
 *
 * A keyring is one GnuPG home directory.  The relay's holds its signing keys; a
 * reader's holds the public keys it may trust (which of them for what is for
 * trust.c to say, so GnuPG's own idea of trust plays no part).  No key is ever
 * looked up on the network.  One operation costs about 10 ms: a process.
 */
enum {
	BUS_FPR_MAX = 64,	 /* hex digits of a fingerprint, version 4 to 6 */
	BUS_RSA_BITS_MIN = 2048, /* also of DSA; less is not believed */
	BUS_SUBKEYS_MAX = 64	 /* that are looked at when keys are listed, the primary included */
};

struct bus_signer {
	char primary[BUS_FPR_MAX + 1]; /* fingerprint of the primary key */
	char subkey[BUS_FPR_MAX + 1];  /* of the key or subkey that signed */
};

struct bus_keyring;

/* homedir must exist and not be open to others. */
enum bus_code bus_keyring_open(struct bus_keyring **ret, const char *homedir, struct bus_err *err);
void bus_keyring_close(struct bus_keyring *ring);

/* The versions of GPGME, and of the GnuPG it runs; NULL: there is none. */
const char *bus_keyring_library(void);
const char *bus_keyring_engine(const struct bus_keyring *ring);

/* Is there a secret key with this fingerprint that can sign?  BUS_E_CONFIG if not. */
enum bus_code bus_keyring_has(struct bus_keyring *ring, const char *key, struct bus_err *err);

/*
 * Can this key or subkey sign without anybody's help?  Not if it has a passphrase, even
 * where gpg-agent knows it for the moment, or is on a card.
 */
enum bus_code bus_keyring_is_open(struct bus_keyring *ring, const char *subkey, bool *ret,
				  struct bus_err *err);

/*
 * Signs bytes[0..len) with `key` (a fingerprint) and appends the binary
 * detached signature.  *ret_signer says which key or subkey did it.
 * BUS_E_CONFIG: no such key, or it cannot sign.  BUS_E_TEMP: GnuPG is in
 * trouble; try again.
 */
enum bus_code bus_keyring_sign(struct bus_keyring *ring, const char *key, const void *bytes,
			       size_t len, struct bus_buf *signature, struct bus_signer *ret_signer,
			       struct bus_err *err);

/*
 * The same in two steps, so that something else can be done while gpg is at work; the
 * caller keeps bytes until then.  In between nothing else may be asked of this keyring.
 */
enum bus_code bus_keyring_sign_start(struct bus_keyring *ring, const char *key, const void *bytes,
				     size_t len, struct bus_err *err);
/* Waits for what was started. */
enum bus_code bus_keyring_sign_finish(struct bus_keyring *ring, struct bus_buf *signature,
				      struct bus_signer *ret_signer, struct bus_err *err);
/* Forgets what was started; fine if nothing was. */
void bus_keyring_sign_cancel(struct bus_keyring *ring);

/*
 * PROTOCOL section 5, step 4.  Good means: exactly one signature, by a key that
 * is in the ring, valid, neither expired nor revoked; digest SHA-256 or better;
 * RSA (and DSA) of at least 2048 bits.  Otherwise the failure's own code.
 */
enum bus_code bus_keyring_verify(struct bus_keyring *ring, const void *bytes, size_t len,
				 const void *signature, size_t signature_len,
				 struct bus_signer *ret_signer, struct bus_err *err);

/*
 * What was learnt of keys while verifying is forgotten, after a minute by itself: for whoever
 * sees that another program has changed the keyring.
 */
void bus_keyring_forget(struct bus_keyring *ring);

/* Adds public keys, armoured or not; *ret_count says how many keys it held. */
enum bus_code bus_keyring_import(struct bus_keyring *ring, const void *bytes, size_t len,
				 int *ret_count, struct bus_err *err);

/*
 * Brings the keys that are in ring up to date from those of another: expiry,
 * revocation, subkeys.  Adds no new key.
 */
enum bus_code bus_keyring_update(struct bus_keyring *ring, struct bus_keyring *from,
				 struct bus_err *err);

/* A key or subkey that is the part of one, as far as GnuPG knows. */
struct bus_subkey_info {
	const char *fingerprint;
	long expires; /* seconds since 1970; 0: never */
	bool expired, revoked, can_sign;
	const char *algorithm; /* "RSA", "EdDSA" */
	bool is_rsa, is_dsa;   /* where the length says how strong it is */
	unsigned int bits;
};

/* One key of the ring, for listing. */
struct bus_key_info {
	const char *fingerprint; /* of the primary key */
	const char *user_id;	 /* what the key claims; UTF-8, not verified */
	long created, expires;	 /* seconds since 1970; expires 0: never */
	bool expired, revoked;
	const struct bus_subkey_info *part; /* the primary key first */
	size_t part_count;
};

/* Calls each() for every key in the ring, or for those just named by `pattern`. */
enum bus_code bus_keyring_each(struct bus_keyring *ring, const char *pattern,
			       void (*each)(void *arg, const struct bus_key_info *key), void *arg,
			       struct bus_err *err);

/*
 * By how many of the given primary keys is `fingerprint` certified: valid,
 * unexpired, unrevoked third-party signatures on one of its user ids, made by
 * keys that are themselves in the ring, valid and unexpired.
 */
enum bus_code bus_keyring_certifications(struct bus_keyring *ring, const char *fingerprint,
					 const char *const *by, size_t by_count, unsigned int *ret,
					 struct bus_err *err);

#endif
