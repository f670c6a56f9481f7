#include "config.h"

#include "adapters/planet/feed_encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct feed_decoder {
	iconv_t iconv; /* (iconv_t)-1: it is UTF-8 already */
	const char *name;
	const char *start, *p;
	size_t len;
	char out[FEED_CHUNK];
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The name in encoding="...", where this is a declaration with one. */
static void read_declared(char name[FEED_ENCODING_NAME_MAX + 1], const char *p, size_t len)
{
	static const char word[] = "encoding";
	const char *end = p + (len < 1024 ? len : 1024), *quote;
	size_t n;

	if (len < 6 || memcmp(p, "<?xml", 5) != 0 || !is_blank(p[5]))
		return;
	quote = memmem(p, (size_t)(end - p), "?>", 2);
	end = quote ? quote : end;
	p = memmem(p, (size_t)(end - p), word, sizeof(word) - 1);
	if (!p)
		return;
	for (p += sizeof(word) - 1; p < end && (is_blank(*p) || *p == '='); p++)
		;
	if (p == end || (*p != '"' && *p != '\''))
		return;
	quote = memchr(p + 1, *p, (size_t)(end - p - 1));
	n = quote ? (size_t)(quote - p - 1) : 0;
	if (n && n <= FEED_ENCODING_NAME_MAX) {
		memcpy(name, p + 1, n);
		name[n] = '\0';
	}
}

void feed_encoding_detect(struct feed_encoding *ret, const char *bytes, size_t len)
{
	/* XML 1.0, appendix F; the longer ones first */
	static const struct {
		const char *bytes;
		size_t len, mark;
		const char *name;
		unsigned int unit;
	} sign[] = {
		{ "\x00\x00\xfe\xff", 4, 4, "UTF-32BE", 4 },
		{ "\xff\xfe\x00\x00", 4, 4, "UTF-32LE", 4 },
		{ "\x00\x00\x00<", 4, 0, "UTF-32BE", 4 },
		{ "<\x00\x00\x00", 4, 0, "UTF-32LE", 4 },
		{ "\xef\xbb\xbf", 3, 3, "UTF-8", 1 },
		{ "\xfe\xff", 2, 2, "UTF-16BE", 2 },
		{ "\xff\xfe", 2, 2, "UTF-16LE", 2 },
		{ "\x00<", 2, 0, "UTF-16BE", 2 },
		{ "<\x00", 2, 0, "UTF-16LE", 2 },
	};
	size_t i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < sizeof(sign) / sizeof(*sign); i++)
		if (len >= sign[i].len && memcmp(bytes, sign[i].bytes, sign[i].len) == 0)
			break;
	if (i < sizeof(sign) / sizeof(*sign)) {
		memcpy(ret->name, sign[i].name, strlen(sign[i].name));
		ret->mark = sign[i].mark;
		ret->unit = sign[i].unit;
		return;
	}
	ret->unit = 1;
	read_declared(ret->declared, bytes, len);
	memcpy(ret->name, *ret->declared ? ret->declared : "UTF-8",
	       *ret->declared ? sizeof(ret->declared) : sizeof("UTF-8"));
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcasecmp(name, *names) == 0)
			return true;
	return false;
}

static bool is_utf8(const char *name)
{
	static const char *const names[] = { "UTF-8", "UTF8", "UTF_8", NULL };

	return is_one_of(name, names);
}

static bool is_utf16(const char *name)
{
	static const char *const names[] = { "UTF-16",	 "UTF16",    "UTF_16",
					     "UTF-16BE", "UTF-16LE", "ISO-10646-UCS-2",
					     "UCS-2",	 "UNICODE",  NULL };

	return is_one_of(name, names);
}

static bool is_utf32(const char *name)
{
	static const char *const names[] = { "UTF-32",		"UTF32", "UTF-32BE", "UTF-32LE",
					     "ISO-10646-UCS-4", "UCS-4", NULL };

	return is_one_of(name, names);
}

bool feed_encoding_allows(const struct feed_encoding *encoding, const char *declared)
{
	if (encoding->unit == 4)
		return is_utf32(declared);
	if (encoding->unit == 2)
		return is_utf16(declared);
	if (encoding->mark)
		return is_utf8(declared);
	return !is_utf16(declared) && !is_utf32(declared);
}

/* EncName of XML 1.0; with more in it, iconv_open() may take it for more than a name. */
static bool is_name(const char *name)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789._-";

	return strspn(name, set) == strlen(name) && strspn(name, set + 52) == 0;
}

enum bus_code feed_encoding_open(struct feed_decoder **ret, const struct feed_encoding *encoding,
				 const char *bytes, size_t len, struct bus_err *err)
{
	struct feed_decoder *decoder;

	if (!is_name(encoding->name))
		return bus_fail(err, BUS_E_DATA, "declares an encoding whose name is none");
	if (*encoding->declared && !feed_encoding_allows(encoding, encoding->declared))
		return bus_fail(err, BUS_E_DATA, "declares the encoding %s, but is not in it",
				encoding->declared);
	decoder = malloc(sizeof(*decoder));
	if (!decoder)
		return bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
	decoder->name = encoding->name;
	decoder->start = decoder->p = bytes;
	decoder->p += encoding->mark;
	decoder->len = len - encoding->mark;
	decoder->iconv = (iconv_t)-1;
	if (!is_utf8(encoding->name)) {
		decoder->iconv = iconv_open("UTF-8", encoding->name);
		if (decoder->iconv == (iconv_t)-1) {
			const int why = errno;

			feed_encoding_close(decoder);
			return why == EINVAL
				       ? bus_fail(err, BUS_E_DATA,
						  "declares the encoding %s, which iconv does not "
						  "know",
						  encoding->name)
				       : bus_fail(err, BUS_E_TEMP, "encoding %s: %s",
						  encoding->name, strerror(why));
		}
	}
	*ret = decoder;
	return BUS_OK;
}

void feed_encoding_close(struct feed_decoder *decoder)
{
	if (decoder && decoder->iconv != (iconv_t)-1)
		iconv_close(decoder->iconv);
	free(decoder);
}

enum bus_code feed_encoding_next(struct feed_decoder *decoder, const char **ret, size_t *ret_len,
				 struct bus_err *err)
{
	char *in = (char *)decoder->p, *out = decoder->out;
	size_t room = sizeof(decoder->out);

	if (decoder->iconv == (iconv_t)-1) {
		*ret = decoder->p;
		*ret_len = decoder->len < FEED_CHUNK ? decoder->len : FEED_CHUNK;
		decoder->p += *ret_len;
		decoder->len -= *ret_len;
		return BUS_OK;
	}
	if (iconv(decoder->iconv, &in, &decoder->len, &out, &room) == (size_t)-1 && errno != E2BIG)
		return bus_fail(err, BUS_E_DATA, "byte %zu is not valid in the encoding %s",
				(size_t)(in - decoder->start) + 1, decoder->name);
	decoder->p = in;
	/* what stateful encodings hold back comes last */
	if (!decoder->len && out == decoder->out)
		iconv(decoder->iconv, NULL, NULL, &out, &room);
	*ret = decoder->out;
	*ret_len = (size_t)(out - decoder->out);
	return BUS_OK;
}
