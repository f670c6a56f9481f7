#ifndef BUS_BASE64_H
#define BUS_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * Base64 of RFC 4648 section 4, with padding.  Decoding is strict: one input
 * has one encoding (section 3.5), so no blanks, no missing padding, no stray
 * low bits.
 */
void bus_base64_encode(struct bus_buf *out, const void *bytes, size_t len);

/* Decodes text[0..len) into out, which holds at least len / 4 * 3 bytes. */
bool bus_base64_decode(unsigned char *out, size_t *ret_len, const char *text, size_t len);

#endif
