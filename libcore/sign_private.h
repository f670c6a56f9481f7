#ifndef BUS_SIGN_PRIVATE_H
#define BUS_SIGN_PRIVATE_H

/*
 * What these share; for no one else.
 *
 *   sign.c       opening a keyring, verifying signatures
 *   sign_make.c  making signatures
 *   sign_keys.c  the keys
 */
#include "sign.h"

enum { BUS_KEYRING_KNOWN = 8 };

/* A key that was looked up and may sign; gpg would have to be started to look again. */
struct bus_known_key {
	struct bus_signer signer;
	int64_t until_us; /* on bus_time_mono() */
};

struct bus_keyring {
	struct gpgme_context *ctx;
	char *homedir;
	char signer[BUS_FPR_MAX + 1]; /* what the signer of ctx was looked up by; "": none */
	/* What is being signed, and the signature; NULL: nothing is. */
	struct gpgme_data *text, *signature;
	bool is_signed;		 /* gpg has ended, ... */
	unsigned int how_signed; /* ... with this code of gpgme's */
	struct bus_known_key known[BUS_KEYRING_KNOWN];
	unsigned int next_known; /* the slot to be used next */
};

/*
 * The key with this fingerprint, or of which it is a subkey; gpgme's code if there is none
 * (GPG_ERR_EOF) or for any other reason.  As gpgme_get_key(), which would start a gpg more,
 * to ask for its version.
 */
unsigned int bus_keyring_find(struct bus_keyring *ring, const char *fingerprint, bool secret,
			      struct _gpgme_key **ret);

/* Copies a fingerprint; NULL is none. */
void bus_keyring_copy_fpr(char out[BUS_FPR_MAX + 1], const char *fpr);
/* SHA-256 or better; digest is a gpgme_hash_algo_t. */
bool bus_keyring_is_strong(unsigned int digest);

/* GnuPG itself in trouble: nothing is known about key or signature.  e is gpgme's. */
enum bus_code bus_keyring_fail(const struct bus_keyring *ring, const char *what, unsigned int e,
			       struct bus_err *err);

#endif
