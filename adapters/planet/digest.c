#include "config.h"

#include "adapters/planet/digest.h"

#include <stdio.h>
#include <string.h>

#include "merkle.h"

void digest_init(struct digest *digest)
{
	memset(digest->block, 0, BUS_HASH_LEN);
	digest->len = BUS_HASH_LEN;
	digest->count = 0;
	digest->has_blank = false;
}

static void fold(struct digest *digest)
{
	struct bus_hash hash;

	bus_sha256(&hash, digest->block, digest->len);
	memcpy(digest->block, hash.b, BUS_HASH_LEN);
	digest->len = BUS_HASH_LEN;
}

static void add(struct digest *digest, unsigned char c)
{
	digest->block[digest->len++] = c;
	if (digest->len == sizeof(digest->block))
		fold(digest);
}

void digest_bytes(struct digest *digest, const void *p, size_t len)
{
	const unsigned char *byte = p;

	for (; len; len--)
		add(digest, *byte++);
}

void digest_text(struct digest *digest, const char *p, size_t len)
{
	for (; len; p++, len--) {
		if (*p == ' ' || (*p >= '\t' && *p <= '\r')) {
			digest->has_blank = true;
			continue;
		}
		if (digest->has_blank && digest->count)
			add(digest, ' ');
		digest->has_blank = false;
		digest->count++;
		add(digest, (unsigned char)*p);
	}
}

void digest_string(struct digest *digest, const char *text)
{
	digest_bytes(digest, text, strlen(text) + 1);
}

void digest_finish(struct digest *digest, struct digest_key *ret)
{
	fold(digest);
	memcpy(ret->b, digest->block, DIGEST_LEN);
}

bool digest_is_set(const struct digest_key *key)
{
	static const struct digest_key none;

	return memcmp(key, &none, sizeof(none)) != 0;
}

void digest_hex(char hex[DIGEST_HEX + 1], const struct digest_key *key)
{
	size_t i;

	for (i = 0; i < DIGEST_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", key->b[i]);
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

bool digest_unhex(struct digest_key *ret, const char *hex)
{
	int high, low;
	size_t i;

	for (i = 0; i < DIGEST_LEN; i++) {
		high = digit(hex[2 * i]);
		low = high < 0 ? -1 : digit(hex[2 * i + 1]);
		if (low < 0)
			return false;
		ret->b[i] = (unsigned char)(high * 16 + low);
	}
	return true;
}
