#ifndef BUS_ADAPTER_TEXT_H
#define BUS_ADAPTER_TEXT_H

#include <stddef.h>

#include "buf.h"

/*
 * Text from a service, made fit for an event.
 */

/*
 * Appends bytes as one line of at most max characters: without blanks at
 * either end, control characters as blanks, what is not UTF-8 as U+FFFD, and
 * with an ellipsis as the last character where it was cut.
 */
void text_line(struct bus_buf *out, const char *bytes, size_t len, size_t max);

/* Appends bytes percent-encoded for a URL; letters, digits and any of -._~/ stay. */
void text_percent(struct bus_buf *out, const char *bytes, size_t len);

#endif
