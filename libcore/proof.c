#include "config.h"

#include "proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "json.h"

static const char version_line[] = "c2sp.org/tlog-proof@v1\n";
static const char dash[] = "\xe2\x80\x94 "; /* U+2014 and a blank */

/* What is left to parse. */
struct cursor {
	const char *p;
	size_t len;
};

static enum bus_code malformed(struct bus_err *err, const char *what)
{
	return bus_fail(err, BUS_E_MALFORMED_PROOF, "proof: %s", what);
}

/* Takes one line without its newline; false if there is no whole line. */
static bool take_line(struct cursor *in, struct cursor *line)
{
	const char *end = in->len ? memchr(in->p, '\n', in->len) : NULL;

	if (!end)
		return false;
	line->p = in->p;
	line->len = (size_t)(end - in->p);
	in->p = end + 1;
	in->len -= line->len + 1;
	return true;
}

static bool take_prefix(struct cursor *in, const char *prefix, size_t len)
{
	if (in->len < len || memcmp(in->p, prefix, len) != 0)
		return false;
	in->p += len;
	in->len -= len;
	return true;
}

bool bus_decimal_parse(uint64_t *ret, const char *text, size_t len)
{
	uint64_t value = 0;
	size_t i;

	if (!len || len > 19 || (text[0] == '0' && len > 1))
		return false;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value > INT64_MAX)
		return false;
	*ret = value;
	return true;
}

static bool name_bytes_ok(const char *s, size_t len)
{
	size_t i;

	/* signed-note: no blanks and no plus; and nothing that could break a line */
	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] <= 0x20 || (unsigned char)s[i] >= 0x7f || s[i] == '+')
			return false;
	return len > 0;
}

bool bus_origin_name_valid(const char *name)
{
	size_t len = strlen(name);

	return name_bytes_ok(name, len) && len + 1 + BUS_EPOCH_LEN <= BUS_ORIGIN_MAX &&
	       name[0] != '/' && name[len - 1] != '/';
}

size_t bus_origin_name_len(const char *origin)
{
	const char *slash = strrchr(origin, '/');

	return slash ? (size_t)(slash - origin) : strlen(origin);
}

bool bus_origin_valid(const char *origin)
{
	size_t name_len = bus_origin_name_len(origin), len = strlen(origin), i;
	const char *epoch = origin + name_len + 1;

	if (!name_len || len > BUS_ORIGIN_MAX || len != name_len + 1 + BUS_EPOCH_LEN ||
	    !name_bytes_ok(origin, len))
		return false;
	for (i = 0; i < BUS_EPOCH_LEN; i++)
		if (i == 8    ? epoch[i] != 'T'
		    : i == 15 ? epoch[i] != 'Z'
			      : epoch[i] < '0' || epoch[i] > '9')
			return false;
	return true;
}

void bus_checkpoint_format(struct bus_buf *out, const struct bus_checkpoint *cp)
{
	bus_buf_printf(out, "%s\n%" PRIu64 "\n", cp->origin, cp->size);
	bus_base64_encode(out, cp->root.b, BUS_HASH_LEN);
	bus_buf_puts(out, "\n");
}

/* Takes two hex digits as GnuPG prints them. */
static bool take_byte(const char **p, unsigned char *ret)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned int value = 0;
	const char *at;
	int i;

	for (i = 0; i < 2; i++, (*p)++) {
		at = **p ? strchr(digits, **p) : NULL;
		if (!at)
			return false;
		value = value << 4 | (unsigned int)(at - digits);
	}
	*ret = (unsigned char)value;
	return true;
}

/* An `out` that fails with it: without memory there is no key id. */
static void key_id(struct bus_buf *out, unsigned char id[BUS_KEY_ID_LEN], const char *origin,
		   const char *fingerprint)
{
	struct bus_buf text = BUS_BUF_INIT(BUS_ORIGIN_MAX + 100);
	struct bus_hash hash;
	unsigned char byte;

	bus_buf_printf(&text,
		       "%s\n\xff"
		       "openpgp",
		       origin);
	while (take_byte(&fingerprint, &byte))
		bus_buf_add(&text, &byte, 1);
	bus_buf_inherit(out, &text);
	bus_sha256(&hash, text.p ? text.p : "", text.len);
	memcpy(id, hash.b, BUS_KEY_ID_LEN);
	bus_buf_finish(&text);
}

void bus_note_format(struct bus_buf *out, const struct bus_buf *text, const char *origin,
		     const char *fingerprint, const void *signature, size_t len)
{
	unsigned char raw[BUS_KEY_ID_LEN + BUS_SIGNATURE_MAX];

	if (len > BUS_SIGNATURE_MAX) {
		out->failed = out->over = true;
		return;
	}
	key_id(out, raw, origin, fingerprint);
	memcpy(raw + BUS_KEY_ID_LEN, signature, len);
	bus_buf_add(out, text->p, text->len);
	bus_buf_printf(out, "\n%s%s ", dash, origin);
	bus_base64_encode(out, raw, BUS_KEY_ID_LEN + len);
	bus_buf_puts(out, "\n");
}

void bus_proof_format(struct bus_buf *out, uint64_t index, const struct bus_hash *path,
		      unsigned int path_len, const char *note)
{
	unsigned int i;

	bus_buf_printf(out, "%sindex %" PRIu64 "\n", version_line, index);
	for (i = 0; i < path_len; i++) {
		bus_base64_encode(out, path[i].b, BUS_HASH_LEN);
		bus_buf_puts(out, "\n");
	}
	bus_buf_puts(out, "\n");
	bus_buf_puts(out, note);
}

static bool parse_hash(struct bus_hash *ret, const struct cursor *line)
{
	unsigned char bytes[BUS_HASH_LEN + 1];
	size_t n;

	if (line->len != 44 || !bus_base64_decode(bytes, &n, line->p, line->len) ||
	    n != BUS_HASH_LEN)
		return false;
	memcpy(ret->b, bytes, BUS_HASH_LEN);
	return true;
}

static enum bus_code parse_checkpoint(struct bus_proof *ret, struct cursor *in, struct bus_err *err)
{
	struct bus_checkpoint *cp = &ret->checkpoint;
	struct cursor line;

	ret->signed_text = in->p;
	if (!take_line(in, &line) || line.len > BUS_ORIGIN_MAX)
		return malformed(err, "the checkpoint has no origin line");
	memcpy(cp->origin, line.p, line.len);
	cp->origin[line.len] = '\0';
	if (strlen(cp->origin) != line.len || !bus_origin_valid(cp->origin))
		return malformed(err, "the origin is not <name>/<epoch>");
	if (!take_line(in, &line) || !bus_decimal_parse(&cp->size, line.p, line.len) || !cp->size)
		return malformed(err, "the tree size is not a positive decimal number");
	if (!take_line(in, &line) || !parse_hash(&cp->root, &line))
		return malformed(err, "the root is not base64 of 32 bytes");
	ret->signed_len = (size_t)(in->p - ret->signed_text);
	if (!take_line(in, &line) || line.len)
		return malformed(err, "no empty line after the checkpoint's three lines");
	return BUS_OK;
}

/* signed-note: not empty, UTF-8, neither blanks nor plus; ours are ASCII besides. */
static bool is_note_name(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f || s[i] == '+')
			return false;
	return len && bus_utf8_valid(s, len);
}

/* One line "name base64"; lines of other names (witnesses) are passed over. */
static enum bus_code parse_signature(struct bus_proof *ret, struct cursor line, struct bus_err *err)
{
	const size_t origin_len = strlen(ret->checkpoint.origin);
	unsigned char raw[(BUS_KEY_ID_LEN + BUS_SIGNATURE_MAX + 2) / 3 * 3 + 3];
	struct bus_signature *sig;
	const char *blank;
	size_t name_len, n;

	blank = take_prefix(&line, dash, sizeof(dash) - 1) ? memchr(line.p, ' ', line.len) : NULL;
	if (!blank || blank == line.p)
		return malformed(err, "a signature line is not '\xe2\x80\x94 name base64'");
	name_len = (size_t)(blank - line.p);
	if (!is_note_name(line.p, name_len))
		return malformed(err, "a signature line's name has blanks, a plus or bad UTF-8");
	line.len -= name_len + 1;
	if (line.len > sizeof(raw) / 3 * 4 || !bus_base64_decode(raw, &n, blank + 1, line.len) ||
	    n <= BUS_KEY_ID_LEN || n > BUS_KEY_ID_LEN + BUS_SIGNATURE_MAX)
		return malformed(err, "a signature is not base64 of a reasonable size");
	if (name_len != origin_len || memcmp(line.p, ret->checkpoint.origin, name_len) != 0)
		return BUS_OK;
	if (ret->signature_count == BUS_SIGNATURES_MAX)
		return malformed(err, "too many signatures by the origin");
	sig = &ret->signature[ret->signature_count++];
	memcpy(sig->key_id, raw, BUS_KEY_ID_LEN);
	sig->len = n - BUS_KEY_ID_LEN;
	memcpy(sig->bytes, raw + BUS_KEY_ID_LEN, sig->len);
	return BUS_OK;
}

static enum bus_code parse_note(struct bus_proof *ret, struct cursor *in, struct bus_err *err)
{
	struct cursor line;
	enum bus_code rc;

	rc = parse_checkpoint(ret, in, err);
	ret->signature_count = 0;
	while (!rc && in->len) {
		if (!take_line(in, &line))
			return malformed(err, "the last line does not end");
		rc = parse_signature(ret, line, err);
	}
	if (!rc && !ret->signature_count)
		return malformed(err, "no signature by the origin");
	return rc;
}

enum bus_code bus_proof_parse(struct bus_proof *ret, const char *text, size_t len,
			      struct bus_err *err)
{
	struct cursor in = { text, len }, line;
	enum bus_code rc;

	if (len > BUS_PROOF_MAX)
		return malformed(err, "longer than 16 KiB");
	if (!take_prefix(&in, version_line, sizeof(version_line) - 1))
		return malformed(err, "the first line is not c2sp.org/tlog-proof@v1");
	if (!take_prefix(&in, "index ", 6) || !take_line(&in, &line) ||
	    !bus_decimal_parse(&ret->index, line.p, line.len))
		return malformed(err, "the second line is not 'index N'");
	for (ret->path_len = 0;; ret->path_len++) {
		if (!take_line(&in, &line))
			return malformed(err, "no empty line after the path");
		if (!line.len)
			break;
		if (ret->path_len == BUS_PATH_MAX || !parse_hash(&ret->path[ret->path_len], &line))
			return malformed(err, "the path is not up to 63 lines of base64 hashes");
	}
	rc = parse_note(ret, &in, err);
	if (rc)
		return rc;
	if (ret->index >= ret->checkpoint.size)
		return malformed(err, "the index is not below the tree size");
	if (ret->path_len != bus_path_len(ret->index, ret->checkpoint.size))
		return malformed(err, "the path has the wrong length for index and tree size");
	return BUS_OK;
}
