#ifndef BUS_SIGN_PRIVATE_H
#define BUS_SIGN_PRIVATE_H

/* What sign.c (signatures) and sign_keys.c (keys) share; for no one else. */
#include "sign.h"

struct bus_keyring {
	struct gpgme_context *ctx;
	char *homedir;
};

/* GnuPG itself in trouble: nothing is known about key or signature.  e is gpgme's. */
enum bus_code bus_keyring_fail(const struct bus_keyring *ring, const char *what, unsigned int e,
			       struct bus_err *err);

#endif
