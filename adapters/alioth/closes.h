#ifndef BUS_ADAPTER_CLOSES_H
#define BUS_ADAPTER_CLOSES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bugs a message closes, as Debian writes them ("Closes: #123, bug 456") and
 * dpkg reads them:
 *
 *	/closes:\s*(?:bug)?\#?\s?\d+(?:,\s*(?:bug)?\#?\s?\d+)*	/i
 */
enum { CLOSES_MAX = 100 }; /* of one message; more are not listed */

struct closes {
	uint32_t bug[CLOSES_MAX]; /* each once, in the order they are named */
	size_t count;
};

/* Adds what text closes. */
void closes_find(struct closes *closes, const char *text, size_t len);
void closes_add(struct closes *closes, uint32_t bug);

#endif
