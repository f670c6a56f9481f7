#include "config.h"

#include "adapters/wiki/page_name.h"

#include <ctype.h>
#include <string.h>

#include "json.h"

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* The bytes between two parentheses; returns how many digits, 0: it is not as it should be. */
static size_t read_run(char *to, size_t *ret_len, const char *from, size_t len)
{
	size_t n;

	for (n = 0; n + 1 < len && hex_digit(from[n]) >= 0 && hex_digit(from[n + 1]) >= 0; n += 2)
		to[(*ret_len)++] = (char)(hex_digit(from[n]) * 16 + hex_digit(from[n + 1]));
	return n < len && from[n] == ')' ? n : 0;
}

static const char *decode(char *to, size_t *ret_len, const char *quoted, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i++) {
		if (memchr(plain, quoted[i], sizeof(plain) - 1)) {
			to[(*ret_len)++] = quoted[i];
			continue;
		}
		if (quoted[i] != '(')
			return "the page's name is not quoted";
		n = read_run(to, ret_len, quoted + i + 1, len - i - 1);
		if (!n)
			return "the page's name is badly quoted";
		i += n + 1;
	}
	return NULL;
}

/* moin makes no other names; a subject goes to terminals and into lists of lines. */
static bool is_visible(const char *name, size_t len)
{
	bool any = false;
	size_t i;

	for (i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && i + 1 < len && (unsigned char)name[i + 1] < 0xa0))
			return false;
		any = any || c != ' ';
	}
	return any;
}

bool page_name_read(struct bus_buf *out, const char *quoted, size_t len, const char **why)
{
	char name[PAGE_NAME_MAX];
	size_t n = 0;

	*why = !len		     ? "there is no page name"
	       : len > PAGE_NAME_MAX ? "the page's name is longer than a file name"
				     : decode(name, &n, quoted, len);
	if (!*why && memchr(name, '\0', n))
		*why = "the page's name has a NUL byte";
	if (!*why && !bus_utf8_valid(name, n))
		*why = "the page's name is not UTF-8";
	if (!*why && !is_visible(name, n))
		*why = "the page's name has a control character, or nothing but blanks";
	if (!*why)
		bus_buf_add(out, name, n);
	return !*why;
}
