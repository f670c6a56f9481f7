#include "config.h"

#include "base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void bus_base64_encode(struct bus_buf *out, const void *bytes, size_t len)
{
	const unsigned char *s = bytes;
	char four[4];
	uint32_t v;

	for (; len >= 3; s += 3, len -= 3) {
		v = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
		four[0] = alphabet[v >> 18];
		four[1] = alphabet[v >> 12 & 63];
		four[2] = alphabet[v >> 6 & 63];
		four[3] = alphabet[v & 63];
		bus_buf_add(out, four, 4);
	}
	if (!len)
		return;
	v = (uint32_t)s[0] << 16 | (len == 2 ? (uint32_t)s[1] << 8 : 0);
	four[0] = alphabet[v >> 18];
	four[1] = alphabet[v >> 12 & 63];
	four[2] = len == 2 ? alphabet[v >> 6 & 63] : '=';
	four[3] = '=';
	bus_buf_add(out, four, 4);
}

/* By ASCII code: what a character of the alphabet is worth, and 1 more; 0: it is none. */
static const unsigned char worth[256] = {
	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,
	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  0,	0,  63,
	0,  0,	0,  64, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 0,  0,	0,  0,	0,  0,	0,  1,
	2,  3,	4,  5,	6,  7,	8,  9,	10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
	24, 25, 26, 0,	0,  0,	0,  0,	0,  27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
	40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 0,	0,  0,	0,  0,
};

bool bus_base64_decode(unsigned char *out, size_t *ret_len, const char *text, size_t len)
{
	size_t n = 0, pad = 0, i, j;
	unsigned int d, v;

	if (len % 4)
		return false;
	if (len && text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	for (i = 0; i < len; i += 4) {
		for (v = 0, j = 0; j < 4; j++) {
			d = i + j >= len - pad ? 1 : worth[(unsigned char)text[i + j]];
			if (!d)
				return false;
			v = v << 6 | (d - 1);
		}
		out[n++] = (unsigned char)(v >> 16);
		if (i + 4 < len || pad < 2)
			out[n++] = (unsigned char)(v >> 8);
		else if (v & 0xffff)
			return false;
		if (i + 4 < len || pad < 1)
			out[n++] = (unsigned char)v;
		else if (v & 0xff)
			return false;
	}
	*ret_len = n;
	return true;
}
