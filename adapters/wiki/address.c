#include "config.h"

#include "adapters/wiki/address.h"

#include <arpa/inet.h>
#include <string.h>

enum { IPV6_MAX = 45 }; /* characters, an IPv4 address at its end included */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* An underscore is MediaWiki's blank. */
static bool is_word(char c)
{
	return is_digit(c) || is_letter(c);
}

/* Four numbers of one to three digits; leading zeros are for some programs no hindrance. */
static size_t ipv4_at(const char *p, size_t len)
{
	size_t i = 0, digits, part;

	for (part = 0; part < 4; part++) {
		if (part && (i == len || p[i++] != '.'))
			return 0;
		for (digits = 0; i < len && is_digit(p[i]); i++)
			digits++;
		if (digits < 1 || digits > 3)
			return 0;
	}
	if (i < len && (is_word(p[i]) || (p[i] == '.' && i + 1 < len && is_digit(p[i + 1]))))
		return 0;
	return i;
}

/* The longest one; what follows it is no letter and no number. */
static size_t ipv6_at(const char *p, size_t len)
{
	char text[IPV6_MAX + 1];
	struct in6_addr address;
	size_t n = 0;

	while (n < len && n < IPV6_MAX && (is_hex(p[n]) || p[n] == ':' || p[n] == '.'))
		n++;
	if (!memchr(p, ':', n))
		return 0;
	for (memcpy(text, p, n); n > 2; n--) {
		text[n] = '\0';
		if ((n == len || !is_word(p[n])) && inet_pton(AF_INET6, text, &address) == 1)
			return n;
	}
	return 0;
}

/* Length of the address that begins at text[i], 0 if none does. */
static size_t address_at(const char *text, size_t len, size_t i)
{
	size_t n;

	if (i && (is_word(text[i - 1]) || (text[i - 1] == '.' && i > 1 && is_digit(text[i - 2]))))
		return 0;
	n = ipv4_at(text + i, len - i);
	return n ? n : ipv6_at(text + i, len - i);
}

bool address_in(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (address_at(text, len, i))
			return true;
	return false;
}

bool address_is_part(const char *title, size_t len)
{
	size_t i, n;

	for (i = 1; i < len; i++) {
		if (title[i - 1] != ':' && title[i - 1] != '/')
			continue;
		n = address_at(title, len, i);
		if (n && (i + n == len || title[i + n] == '/'))
			return true;
	}
	return false;
}

void address_mask(struct bus_buf *out, const char *text, size_t len)
{
	size_t i = 0, n;

	while (i < len) {
		n = address_at(text, len, i);
		if (n)
			bus_buf_puts(out, "(address)");
		else
			bus_buf_add(out, text + i, n = 1);
		i += n;
	}
}
