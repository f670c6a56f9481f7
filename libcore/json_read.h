#ifndef BUS_JSON_READ_H
#define BUS_JSON_READ_H

#include <stddef.h>

#include <jansson.h>

#include "err.h"

/*
 * The one way JSON from outside becomes jansson values: one object and nothing
 * after it, no duplicate names at any level, valid UTF-8, no NUL, nesting of at
 * most BUS_DEPTH_MAX.  Anything else is `code`; running out of memory is
 * BUS_E_NOMEM and nothing else.  flags: JSON_ALLOW_NUL or 0.  The caller owns
 * *ret (json_decref).  Only the modules that read JSON include this header.
 */
enum { BUS_DEPTH_MAX = 32 }; /* objects and arrays, the outermost included */

enum bus_code bus_json_read(json_t **ret, const char *bytes, size_t len, unsigned int flags,
			    enum bus_code code, struct bus_err *err);

/* Is what has the form of a number not too large for jansson? */
enum bus_code bus_json_check_number(const char *bytes, size_t len, enum bus_code code,
				    struct bus_err *err);

#endif
