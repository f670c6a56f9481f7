#ifndef BUS_PLANET_HTML_TEXT_H
#define BUS_PLANET_HTML_TEXT_H

#include "buf.h"

/*
 * What a browser shows of a piece of HTML, without its layout: for titles.
 * Tags, comments, scripts and styles are left out, character references are
 * replaced, once: "&amp;lt;b>" shows as "&lt;b>".  A "<" or "&" that begins
 * nothing stands for itself, so plain text goes through as it is.
 */
void html_text(struct bus_buf *out, const char *html, size_t len);

/* The character of a name such as "eacute"; 0: there is none. */
unsigned int html_entity(const char *name);

/* Appends a character as UTF-8; what is none as U+FFFD. */
void html_character(struct bus_buf *out, unsigned int code);

#endif
