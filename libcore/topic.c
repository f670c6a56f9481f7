#include "config.h"

#include "topic.h"

#include <stdio.h>
#include <string.h>

#include "merkle.h"

enum { CUT_LEN = 17 }; /* '~' and 16 hex digits */

static const char prefix[] = "org.debian.";
static const char checkpoint_object[] = "bus", checkpoint_event[] = "checkpoint";

static size_t word_len(const char *s)
{
	return strcspn(s, ".");
}

static bool is_name(const char *s, size_t len)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t i;

	if (!len || !memchr(first, s[0], sizeof(first) - 1))
		return false;
	for (i = 1; i < len; i++)
		if (!memchr(first, s[i], sizeof(first) - 1) && s[i] != '_' && s[i] != '-')
			return false;
	return true;
}

static bool is_environment(const char *s, size_t len)
{
	static const char *const known[] = { "production", "stg", "dev" };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == len && memcmp(s, known[i], len) == 0)
			return true;
	return false;
}

bool bus_environment_valid(const char *environment)
{
	return is_environment(environment, strlen(environment));
}

bool bus_service_valid(const char *service)
{
	return is_name(service, strlen(service));
}

bool bus_type_parse(struct bus_type *ret, const char *type)
{
	const char *word[4];
	size_t len[4];
	int i;

	if (strncmp(type, prefix, sizeof(prefix) - 1) != 0 || strlen(type) > BUS_TYPE_MAX)
		return false;
	type += sizeof(prefix) - 1;
	for (i = 0; i < 4; i++) {
		word[i] = type;
		len[i] = word_len(type);
		if (!is_name(word[i], len[i]) || type[len[i]] != (i < 3 ? '.' : '\0'))
			return false;
		type += len[i] + 1;
	}
	*ret = (struct bus_type){
		word[0], word[1], word[2], word[3], len[0], len[1], len[2], len[3]
	};
	return is_environment(word[0], len[0]);
}

/* Writes one byte of a subject as it stands in a routing key; returns its length. */
static size_t put_escaped(char *out, unsigned char c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    (c && strchr("_~+-", c))) {
		*out = (char)c;
		return 1;
	}
	snprintf(out, 4, "%%%02X", c);
	return 3;
}

void bus_topic_key(char key[BUS_KEY_MAX + 1], const char *type, const char *subject)
{
	size_t len = strlen(type), cut, n;
	struct bus_hash hash;
	char escaped[4];
	const char *s;
	int i;

	memcpy(key, type, len + 1);
	if (!subject || !*subject)
		return;
	key[len++] = '.';
	cut = len; /* where the word ends if it turns out to be too long */
	for (s = subject; *s; s++) {
		n = put_escaped(escaped, (unsigned char)*s);
		if (len + n > BUS_KEY_MAX)
			break;
		memcpy(key + len, escaped, n);
		len += n;
		if (len + CUT_LEN <= BUS_KEY_MAX)
			cut = len;
	}
	key[len] = '\0';
	if (!*s)
		return;
	bus_sha256(&hash, subject, strlen(subject));
	key[cut++] = '~';
	for (i = 0; i < 8; i++, cut += 2)
		snprintf(key + cut, 3, "%02x", hash.b[i]);
}

static bool match(const char *pattern, const char *key, int hashes)
{
	size_t plen, klen;

	for (;;) {
		plen = word_len(pattern);
		if (plen == 1 && *pattern == '#') {
			if (!pattern[plen])
				return true;
			if (!hashes) /* validated patterns have a few at most */
				return false;
			for (pattern += plen + 1;; key += klen + 1) {
				if (match(pattern, key, hashes - 1))
					return true;
				klen = word_len(key);
				if (!key[klen])
					break;
			}
			/* nothing is left of the key: only more `#` can match that */
			return strspn(pattern, "#.") == strlen(pattern) && *pattern == '#';
		}
		klen = word_len(key);
		if (!(plen == 1 && *pattern == '*') &&
		    (plen != klen || memcmp(pattern, key, plen) != 0))
			return false;
		if (!pattern[plen] || !key[klen])
			break;
		pattern += plen + 1;
		key += klen + 1;
	}
	if (key[klen])
		return false;
	/* `a.#` matches `a` */
	pattern += plen;
	return !*pattern || strspn(pattern, ".#") == strlen(pattern);
}

bool bus_topic_match(const char *pattern, const char *key)
{
	return match(pattern, key, 4);
}

enum bus_code bus_topic_expand(char pattern[BUS_KEY_MAX + 1], const char *text, struct bus_err *err)
{
	const bool whole = strcmp(text, "#") == 0 || strncmp(text, "org.", 4) == 0;
	const size_t len = strlen(text);
	const bool open = len >= 1 && text[len - 1] == '#';
	const char *s = text;
	size_t n, hashes = 0;
	int written;

	for (;; s += n + 1) {
		n = word_len(s);
		hashes += n == 1 && *s == '#';
		if (!n || hashes > 4 || (n > 1 && strcspn(s, "*#") < n))
			return bus_fail(err, BUS_E_USAGE,
					"pattern '%s': words are divided by dots, each a name, * "
					"or # (at most four #); for example dak.upload.accept",
					text);
		if (!s[n])
			break;
	}
	written = snprintf(pattern, BUS_KEY_MAX + 1, "%s%s%s", whole ? "" : "org.debian.*.", text,
			   whole || open ? "" : ".#");
	if (written > BUS_KEY_MAX)
		return bus_fail(err, BUS_E_USAGE, "pattern '%s': longer than %d bytes", text,
				BUS_KEY_MAX);
	return BUS_OK;
}

void bus_topic_checkpoint(char checkpoint[BUS_KEY_MAX + 1], const char *pattern)
{
	size_t len = 0, n;
	bool open = false;
	int i;

	/* The first four words name environment and service; # could be any of them. */
	for (i = 0; i < 4; i++) {
		n = word_len(pattern);
		open = open || (n == 1 && *pattern == '#') || !n;
		if (i)
			checkpoint[len++] = '.';
		if (open || len + n + sizeof(".*.*.*.bus.checkpoint") > BUS_KEY_MAX) {
			checkpoint[len++] = '*'; /* or it would not fit */
			pattern += open ? 0 : n + (pattern[n] == '.');
			continue;
		}
		memcpy(checkpoint + len, pattern, n);
		len += n;
		pattern += n + (pattern[n] == '.');
	}
	snprintf(checkpoint + len, BUS_KEY_MAX + 1 - len, ".%s.%s", checkpoint_object,
		 checkpoint_event);
}

bool bus_topic_names_checkpoint(const char *pattern)
{
	const char *dot = strstr(pattern, ".bus.");

	return dot || (strlen(pattern) > 4 && !strcmp(pattern + strlen(pattern) - 4, ".bus"));
}

bool bus_type_is_checkpoint(const char *type)
{
	struct bus_type t;

	return bus_type_parse(&t, type) && t.object_len == 3 && t.event_len == 10 &&
	       !memcmp(t.object, checkpoint_object, 3) && !memcmp(t.event, checkpoint_event, 10);
}
