#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "topic.h"

/* AMQP 0-9-1 section 3.1.3.3, slowly: the reference that the product must agree with. */
static const char *rest(const char *s)
{
	s += strcspn(s, ".");
	return *s ? s + 1 : NULL;
}

static bool slow_match(const char *pattern, const char *key, int *steps)
{
	const size_t plen = pattern ? strcspn(pattern, ".") : 0;
	const size_t klen = key ? strcspn(key, ".") : 0;

	if (--*steps < 0)
		return false;
	if (!pattern)
		return !key;
	if (plen == 1 && *pattern == '#')
		return slow_match(rest(pattern), key, steps) ||
		       (key && slow_match(pattern, rest(key), steps));
	if (!key ||
	    (!(plen == 1 && *pattern == '*') && (plen != klen || memcmp(pattern, key, plen) != 0)))
		return false;
	return slow_match(rest(pattern), rest(key), steps);
}

static void check_match(const char *text, const char *key)
{
	char pattern[BUS_KEY_MAX + 1], checkpoint[BUS_KEY_MAX + 1];
	struct bus_err err = { BUS_OK, "" };
	int steps = 100000;
	enum bus_code rc;
	bool slow;

	rc = bus_topic_expand(pattern, text, &err);
	MUST(rc == BUS_OK || (rc == BUS_E_USAGE && err.text[0]));
	if (rc)
		return;
	MUST(strlen(pattern) <= BUS_KEY_MAX);
	bus_topic_checkpoint(checkpoint, pattern);
	MUST(strlen(checkpoint) <= BUS_KEY_MAX);
	slow = slow_match(pattern, key, &steps);
	if (steps >= 0 && *key)
		MUST(bus_topic_match(pattern, key) == slow);
}

static void check_key(const char *type, const char *subject)
{
	char key[BUS_KEY_MAX + 1];
	struct bus_type t;

	if (!bus_type_parse(&t, type))
		return;
	memset(key, 'x', sizeof(key));
	bus_topic_key(key, type, subject);
	MUST(memchr(key, '\0', sizeof(key)) && strncmp(key, type, strlen(type)) == 0);
	/* one word more, or none, and none of AMQP's wild cards in it */
	MUST(*subject ? key[strlen(type)] == '.' : !key[strlen(type)]);
	MUST(!*subject || !strpbrk(key + strlen(type) + 1, ".*#/ "));
}

/* The input: pattern, key (or type) and subject, divided by newlines. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1), *key, *subject;

	MUST(text != NULL);
	memcpy(text, bytes, len);
	text[len] = '\0';
	key = text + strcspn(text, "\n");
	if (*key)
		*key++ = '\0';
	subject = key + strcspn(key, "\n");
	if (*subject)
		*subject++ = '\0';
	check_match(text, key);
	check_key(key, subject);
	free(text);
	return 0;
}
