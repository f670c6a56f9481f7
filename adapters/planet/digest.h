#ifndef BUS_PLANET_DIGEST_H
#define BUS_PLANET_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A fingerprint of text of any length, in a fixed amount of memory: two texts
 * have the same one if they differ at most in how much white space stands
 * where there is some.  SHA-256 over blocks, each hashed with the hash before.
 *
 *	digest_init()  digest_text() or digest_bytes() ...  digest_finish()
 */
enum { DIGEST_LEN = 16, DIGEST_HEX = 2 * DIGEST_LEN };

struct digest_key {
	unsigned char b[DIGEST_LEN]; /* all zeros: none */
};

struct digest {
	unsigned char block[32 + 4096]; /* the hash so far, then what is new */
	size_t len;
	size_t count; /* bytes of text that were not blank */
	bool has_blank;
};

void digest_init(struct digest *digest);
void digest_text(struct digest *digest, const char *p, size_t len);  /* blanks as one */
void digest_bytes(struct digest *digest, const void *p, size_t len); /* as they are */
void digest_finish(struct digest *digest, struct digest_key *ret);

/* Of one string with its NUL, so that strings one after the other stay apart. */
void digest_string(struct digest *digest, const char *text);

bool digest_is_set(const struct digest_key *key);
void digest_hex(char hex[DIGEST_HEX + 1], const struct digest_key *key);
bool digest_unhex(struct digest_key *ret, const char *hex);

#endif
