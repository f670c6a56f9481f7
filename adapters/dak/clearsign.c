#include "config.h"

#include "adapters/dak/clearsign.h"

#include <string.h>

#include "base64.h"

static const char begin_text[] = "-----BEGIN PGP SIGNED MESSAGE-----";
static const char begin_signature[] = "-----BEGIN PGP SIGNATURE-----";
static const char end_signature[] = "-----END PGP SIGNATURE-----";

/* An armour line may be followed by blanks and tabs, and nothing else. */
static bool is_armour(struct dak_slice line, const char *text)
{
	const size_t len = strlen(text);
	size_t i;

	if (!dak_starts(line, text))
		return false;
	for (i = len; i < line.len; i++)
		if (!memchr(" \t\r", line.p[i], 3))
			return false;
	return true;
}

static enum bus_code refuse(struct bus_err *err, const char *why)
{
	return bus_fail(err, BUS_E_DATA, "clear-signed text: %s", why);
}

/* Wherever they stand, two begin lines leave open which of them counts. */
static size_t count_begins(struct dak_slice bytes)
{
	struct dak_slice line;
	size_t count = 0;

	while (dak_next_part(&bytes, '\n', &line))
		count += dak_starts(line, begin_text);
	return count;
}

static enum bus_code skip_before(struct dak_slice *rest, const char *before, struct bus_err *err)
{
	struct dak_slice line = { NULL, 0 };
	bool found = !before;

	while (!found && dak_next_line(rest, &line))
		found = dak_is(line, before);
	while (found && dak_next_part(rest, '\n', &line)) {
		if (is_armour(line, begin_text))
			return BUS_OK;
		if (dak_trim(line).len)
			return refuse(err, "something stands before its begin line");
	}
	return refuse(err, "it has no begin line where one is expected");
}

/* "Hash: SHA256" lines and the empty line behind them. */
static enum bus_code skip_headers(struct dak_slice *rest, struct bus_err *err)
{
	struct dak_slice line;

	while (dak_next_line(rest, &line)) {
		if (!line.len)
			return BUS_OK;
		if (!dak_starts(line, "Hash: "))
			return refuse(err, "a header that is not Hash");
	}
	return refuse(err, "it ends in its headers");
}

static enum bus_code read_text(struct clearsign *ret, struct dak_slice *rest, struct bus_err *err)
{
	struct dak_slice line;

	while (dak_next_part(rest, '\n', &line)) {
		if (is_armour(line, begin_signature))
			return bus_buf_check(&ret->text, "clear-signed text", err);
		if (line.len && line.p[0] == '-') {
			if (line.len < 2 || line.p[1] != ' ')
				return refuse(err, "a dash at the begin of a line is not escaped");
			line.p += 2;
			line.len -= 2;
		}
		while (line.len && memchr(" \t\r", line.p[line.len - 1], 3))
			line.len--;
		bus_buf_add(&ret->text, line.p, line.len);
		bus_buf_add(&ret->text, "\n", 1);
	}
	return refuse(err, "it has no signature");
}

/* Base64 up to the end line; the checksum, which protects nothing, is left out. */
static enum bus_code read_signature(struct clearsign *ret, struct dak_slice *rest,
				    struct bus_err *err)
{
	struct bus_buf base64 = BUS_BUF_INIT(20000);
	bool in_headers = true, has_checksum = false, has_end = false;
	struct dak_slice line;
	enum bus_code rc;
	size_t len = 0;

	while (!has_end && dak_next_part(rest, '\n', &line)) {
		if (is_armour(line, end_signature)) {
			has_end = true;
			continue;
		}
		while (line.len && memchr(" \t\r", line.p[line.len - 1], 3))
			line.len--;
		if (in_headers && line.len && !memchr(line.p, ':', line.len))
			break;
		if (in_headers)
			in_headers = line.len > 0;
		else if (has_checksum || !line.len)
			break;
		else if (line.len == 5 && line.p[0] == '=')
			has_checksum = true;
		else
			bus_buf_add(&base64, line.p, line.len);
	}
	if (!has_end) {
		bus_buf_finish(&base64);
		return refuse(err, "its signature is not one");
	}
	rc = bus_buf_check(&base64, "signature", err);
	if (!rc) {
		bus_buf_add(&ret->packet, base64.p ? base64.p : "", base64.len);
		rc = bus_buf_check(&ret->packet, "signature", err);
	}
	if (!rc && (!base64.len ||
		    !bus_base64_decode((unsigned char *)ret->packet.p, &len, base64.p, base64.len)))
		rc = refuse(err, "its signature is not base64");
	ret->packet.len = len;
	bus_buf_finish(&base64);
	return rc;
}

enum bus_code clearsign_read(struct clearsign *ret, struct dak_slice bytes, const char *before,
			     struct bus_err *err)
{
	struct dak_slice rest = bytes, line;
	enum bus_code rc;

	bus_buf_clear(&ret->text);
	bus_buf_clear(&ret->packet);
	if (memchr(bytes.p, '\0', bytes.len))
		return refuse(err, "it holds a NUL");
	if (count_begins(bytes) > 1)
		return refuse(err, "it has more than one begin line");
	rc = skip_before(&rest, before, err);
	if (!rc)
		rc = skip_headers(&rest, err);
	if (!rc)
		rc = read_text(ret, &rest, err);
	if (!rc)
		rc = read_signature(ret, &rest, err);
	while (!rc && dak_next_line(&rest, &line))
		if (line.len)
			rc = refuse(err, "something stands behind its signature");
	return rc;
}

void clearsign_finish(struct clearsign *clearsign)
{
	bus_buf_finish(&clearsign->text);
	bus_buf_finish(&clearsign->packet);
}

/* A packet's or subpacket's length (RFC 9580 section 4.2.1); 0: none, or one in parts. */
static size_t read_length(const unsigned char **p, const unsigned char *end)
{
	const unsigned char *q = *p;
	size_t len;

	if (end - q < 1 || (*q >= 192 && end - q < 2) || (*q == 255 && end - q < 5))
		return 0;
	if (*q < 192) {
		len = *q;
		*p += 1;
	} else if (*q < 255) {
		len = ((*q - 192U) << 8) + q[1] + 192;
		*p += 2;
	} else {
		len = (size_t)q[1] << 24 | (size_t)q[2] << 16 | (size_t)q[3] << 8 | q[4];
		*p += 5;
	}
	return len <= (size_t)(end - *p) ? len : 0;
}

/* The body of the one signature packet that is all there is; NULL: something else. */
static const unsigned char *find_body(const unsigned char *p, size_t size, size_t *ret_len)
{
	enum { SIGNATURE = 2 };
	const unsigned char *end = p + size;
	size_t len, width;
	int tag;

	if (size < 3 || !(*p & 0x80))
		return NULL;
	if (*p & 0x40) {
		tag = *p++ & 0x3f;
		if (*p >= 224 && *p < 255)
			return NULL;
		len = read_length(&p, end);
	} else {
		tag = *p >> 2 & 15;
		width = (size_t)1 << (*p++ & 3);
		if (width > 4 || (size_t)(end - p) < width)
			return NULL;
		for (len = 0; width; width--)
			len = len << 8 | *p++;
	}
	*ret_len = len;
	return tag == SIGNATURE && len && len == (size_t)(end - p) ? p : NULL;
}

enum bus_code clearsign_fingerprint(const struct clearsign *clearsign, struct bus_buf *ret)
{
	enum { V4 = 4, HEAD = 6, ISSUER_FINGERPRINT = 33 };
	const unsigned char *p, *end, *found = NULL;
	size_t len, found_len = 0, i;

	p = find_body((const unsigned char *)clearsign->packet.p, clearsign->packet.len, &len);
	if (!p || len < HEAD || p[0] != V4 || p[1] > 1)
		return BUS_E_NO;
	end = p + HEAD + ((size_t)p[4] << 8 | p[5]);
	if ((size_t)(end - p) > len)
		return BUS_E_NO;
	for (p += HEAD; p < end; p += len) {
		len = read_length(&p, end);
		if (!len)
			return BUS_E_NO;
		if ((p[0] & 0x7f) != ISSUER_FINGERPRINT)
			continue;
		if (found)
			return BUS_E_NO;
		found = p + 2; /* behind its type and the key's version */
		found_len = len - 1;
	}
	if (!found || found_len < 1 || (found_len - 1 != 20 && found_len - 1 != 32))
		return BUS_E_NO;
	for (i = 0; i < found_len - 1; i++)
		bus_buf_printf(ret, "%02X", found[i]);
	return BUS_OK;
}
