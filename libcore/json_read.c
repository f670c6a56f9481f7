#include "config.h"

#include "json_read.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * jansson reports most failed allocations as a syntax error (all 2.x so far).
 * A message must not be called malformed because this machine was short of
 * memory, so the allocator remembers that it refused.
 */
static bool refused;

static void *remember_malloc(size_t len)
{
	void *p = malloc(len);

	refused = refused || !p;
	return p;
}

/* jansson's own limit is 2048; ours is the protocol's. */
static bool too_deep(const char *s, size_t len)
{
	bool text = false;
	size_t depth = 0, i;

	for (i = 0; i < len; i++) {
		if (text) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				text = false;
		} else if (s[i] == '"') {
			text = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > BUS_DEPTH_MAX)
				return true;
		} else if ((s[i] == '}' || s[i] == ']') && depth) {
			depth--;
		}
	}
	return false;
}

enum bus_code bus_json_check_number(const char *bytes, size_t len, enum bus_code code,
				    struct bus_err *err)
{
	json_error_t why;
	json_t *number;

	json_set_alloc_funcs(remember_malloc, free);
	refused = false;
	number = json_loadb(bytes, len, JSON_DECODE_ANY, &why);
	json_decref(number);
	if (refused)
		return bus_fail(err, BUS_E_NOMEM, "json: out of memory");
	return number ? BUS_OK : bus_fail(err, code, "json: %s", why.text);
}

enum bus_code bus_json_read(json_t **ret, const char *bytes, size_t len, unsigned int flags,
			    enum bus_code code, struct bus_err *err)
{
	json_error_t why;
	json_t *root;

	/* jansson 2.14 overlooks one behind a number or a word */
	if (memchr(bytes, '\0', len))
		return bus_fail(err, code, "json: a NUL");
	if (too_deep(bytes, len))
		return bus_fail(err, code, "json: nested deeper than %d", BUS_DEPTH_MAX);
	json_set_alloc_funcs(remember_malloc, free);
	refused = false;
	root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | flags, &why);
	if (refused) { /* even where it says it was well: a string may lack bytes then */
		json_decref(root);
		return bus_fail(err, BUS_E_NOMEM, "json: out of memory");
	}
	if (!root)
		return bus_fail(err, code, "json: byte %d: %s", why.position, why.text);
	if (!json_is_object(root)) {
		json_decref(root);
		return bus_fail(err, code, "json: not a JSON object");
	}
	*ret = root;
	return BUS_OK;
}
