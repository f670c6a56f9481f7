#ifndef BUS_PLANET_URL_RESOLVE_H
#define BUS_PLANET_URL_RESOLVE_H

#include <stdbool.h>

#include "buf.h"

/*
 * Appends what reference means on a page whose address is base: RFC 3986
 * section 5.2.  Blanks around the reference are dropped; those within it,
 * control characters, and characters that nobody sees or that turn the
 * direction of what follows, are percent-encoded.  Where base has no scheme
 * the result is relative too.
 */
void url_resolve(struct bus_buf *out, const char *base, const char *reference);

/* Does it begin with a scheme? */
bool url_is_absolute(const char *url);

/* Is it one to follow: http, https, ftp, gemini or gopher, with a host? */
bool url_is_page(const char *url);

/* Is it one that makes a program do something, or reads files: javascript, data, file? */
bool url_is_harmful(const char *url);

/* Does it have a character that is percent-encoded above, but for a blank? */
bool url_has_hidden(const char *url);

#endif
