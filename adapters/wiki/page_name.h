#ifndef BUS_ADAPTER_PAGE_NAME_H
#define BUS_ADAPTER_PAGE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * MoinMoin's name of a page as a file name (wikiutil.py, quoteWikinameFS): of
 * the name's UTF-8, runs of bytes outside [A-Za-z0-9_] stand as "(", lower-case
 * hex, ")".  "Über uns" is "(c39c)ber(20)uns".
 */
enum { PAGE_NAME_MAX = 255 }; /* bytes of a file name; the page's own name is shorter */

/*
 * Appends the page's name.  false, and *why, for what moin did not write: other
 * bytes, an empty or odd run, a name that is no UTF-8 or has a NUL in it.  What
 * is accepted is a file name that stays in its directory.
 */
bool page_name_read(struct bus_buf *out, const char *quoted, size_t len, const char **why);

#endif
