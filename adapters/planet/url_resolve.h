#ifndef BUS_PLANET_URL_RESOLVE_H
#define BUS_PLANET_URL_RESOLVE_H

#include <stdbool.h>

#include "buf.h"

/*
 * Appends what reference means on a page whose address is base: RFC 3986
 * section 5.2.  Blanks around the reference are dropped, those within it, and
 * control characters, are percent-encoded.  Where base has no scheme the
 * result is relative too.
 */
void url_resolve(struct bus_buf *out, const char *base, const char *reference);

/* Does it begin with a scheme? */
bool url_is_absolute(const char *url);

#endif
