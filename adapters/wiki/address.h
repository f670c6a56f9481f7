#ifndef BUS_WIKI_ADDRESS_H
#define BUS_WIKI_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * Internet addresses in text, because on a MediaWiki who edits without an
 * account has one for a name ("192.0.2.1", "2001:DB8:0:0:0:0:0:1"), and the
 * comments that the wiki itself writes repeat it ("Reverted edits by ...").
 * No address of an editor may leave the wiki, so whatever has the form of one
 * counts: a version of four numbers too.  Part of a longer word or number is
 * none: v1.2.3.4, 1.2.3.4.5, 12:30:45.
 */
bool address_in(const char *text, size_t len);

/*
 * The title of a page or subpage that is named after an address: all of what is
 * between a colon or slash and a slash or its end ("Benutzer:192.0.2.1/Draft").
 */
bool address_is_part(const char *title, size_t len);

/* Appends text with "(address)" for each of them. */
void address_mask(struct bus_buf *out, const char *text, size_t len);

#endif
