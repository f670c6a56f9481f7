#ifndef BUS_JSON_SCAN_H
#define BUS_JSON_SCAN_H

#include <stddef.h>

#include "err.h"

/*
 * Reads JSON (RFC 8259) as strictly as bus_json_read(), and takes out of it only what is
 * asked for.  Nothing is built: of an event of 1 KiB that is a fifth of the work, and each
 * event is read when it is published and again by each of its consumers.  Whatever needs
 * more than a few members uses json_read.h.
 */
enum bus_json_kind {
	BUS_JSON_ABSENT,
	BUS_JSON_STRING,
	BUS_JSON_OBJECT,
	BUS_JSON_OTHER, /* a number, an array, true, false, null */
};

/* A member that is wanted.  What is in another one is found only if that is wanted, too. */
struct bus_json_want {
	const char *parent; /* the member of the outermost object that it is in; NULL: none */
	const char *name;
	/* set by bus_json_scan() */
	enum bus_json_kind kind;
	const char *text; /* of a string: what it says, UTF-8 without NUL; not terminated */
	size_t len;
};

/*
 * As bus_json_read().  What want[].text points to is in `bytes`, or, where there were
 * escapes, in *ret_unescaped, which the caller frees, also after a failure.
 */
enum bus_code bus_json_scan(struct bus_json_want *want, size_t count, const char *bytes, size_t len,
			    char **ret_unescaped, enum bus_code code, struct bus_err *err);

#endif
