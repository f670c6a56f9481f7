#ifndef GNUPG_H
#define GNUPG_H

#include <stdbool.h>
#include <stddef.h>

#include "sign.h"

/*
 * Throw-away GnuPG homes for tests, below check_path().  gnupg_finish() stops
 * the agents of all of them; call it before the program ends.
 */
char *gnupg_home(const char *name); /* the caller frees it */
void gnupg_finish(void);

/* Runs gpg with these arguments (ended by NULL), quietly; its exit status. */
int gnupg(const char *home, ...) __attribute__((sentinel));

/* Makes a key without passphrase: algo and usage as --quick-generate-key has them. */
bool gnupg_key(const char *home, const char *user, const char *algo, const char *usage,
	       const char *expire, char fpr[BUS_FPR_MAX + 1]);

/* Copies the public part of a key, or of all (NULL), from one home to another. */
bool gnupg_copy_keys(const char *from, const char *to, const char *key);

/* The fingerprint of the n-th key or subkey (0: the primary) of a user's key. */
bool gnupg_fingerprint(const char *home, const char *user, int n, char fpr[BUS_FPR_MAX + 1]);

#endif
