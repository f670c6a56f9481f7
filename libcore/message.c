#include "config.h"

#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "json.h"
#include "json_read.h"

/* JSON may need six bytes for one of the body; more than this is no message. */
enum { TEXT_MAX = 8 * 1024 * 1024 };

void bus_message_free(struct bus_message *m)
{
	if (!m)
		return;
	free(m->routing_key);
	free(m->body);
	free(m->proof);
	free(m->message_id);
	if (m->parking) {
		free(m->parking->reason);
		free(m->parking->text);
		free(m->parking->queue);
		free(m->parking->output);
		free(m->parking);
	}
	free(m);
}

void bus_message_export(struct bus_buf *out, const struct bus_message *m)
{
	struct bus_json js = { out, false };
	struct bus_buf encoded = BUS_BUF_INIT(TEXT_MAX);

	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "routing_key", m->routing_key);
	bus_json_bytes(&js, "proof", m->proof ? m->proof : "", m->proof_len);
	if (!m->body_len ||
	    (bus_utf8_valid(m->body, m->body_len) && !memchr(m->body, '\0', m->body_len))) {
		bus_json_bytes(&js, "body", m->body_len ? m->body : "", m->body_len);
	} else {
		bus_base64_encode(&encoded, m->body, m->body_len);
		bus_json_bytes(&js, "body_base64", encoded.p, encoded.len);
		out->failed = out->failed || encoded.failed;
	}
	bus_json_close(&js, '}');
	bus_buf_add(out, "\n", 1);
	bus_buf_finish(&encoded);
}

struct bus_message_reader {
	FILE *stream;
	unsigned long line;  /* where the reader stands */
	struct bus_buf text; /* one object */
};

enum bus_code bus_message_reader_new(struct bus_message_reader **ret, FILE *stream,
				     struct bus_err *err)
{
	struct bus_message_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return bus_fail(err, BUS_E_NOMEM, "message: out of memory");
	reader->stream = stream;
	reader->line = 1;
	reader->text.max = TEXT_MAX;
	*ret = reader;
	return BUS_OK;
}

void bus_message_reader_free(struct bus_message_reader *reader)
{
	if (!reader)
		return;
	bus_buf_finish(&reader->text);
	free(reader);
}

/*
 * Collects the bytes of the next object: to the brace that closes the first
 * one, not counting those inside strings.  Whether it is good JSON is for the
 * parser to say.
 */
static enum bus_code collect(struct bus_message_reader *reader, struct bus_err *err)
{
	bool in_text = false, escaped = false;
	enum bus_code rc;
	long depth = 0;
	char c;
	int ch;

	bus_buf_clear(&reader->text);
	while ((ch = getc_unlocked(reader->stream)) != EOF) {
		c = (char)ch;
		reader->line += c == '\n';
		if (!depth && !in_text && memchr(" \t\r\n", c, 4))
			continue;
		bus_buf_add(&reader->text, &c, 1);
		if (!depth && c != '{')
			return bus_fail(err, BUS_E_DATA, "line %lu: not a JSON object",
					reader->line);
		if (escaped)
			escaped = false;
		else if (in_text)
			escaped = c == '\\', in_text = c != '"';
		else
			in_text = c == '"', depth += (c == '{') - (c == '}');
		if (!depth || reader->text.failed)
			break;
	}
	if (ferror(reader->stream))
		return bus_fail(err, BUS_E_TEMP, "line %lu: cannot read", reader->line);
	if (depth && !reader->text.failed)
		return bus_fail(err, BUS_E_DATA, "line %lu: the object does not end", reader->line);
	if (!reader->text.failed)
		return BUS_OK;
	rc = bus_buf_check(&reader->text, "message", err);
	bus_err_context(err, "line %lu", reader->line);
	return rc;
}

static char *copy_text(const json_t *value, size_t *len, bool *nomem)
{
	char *copy;

	if (!json_is_string(value))
		return NULL;
	*len = json_string_length(value);
	copy = malloc(*len + 1);
	*nomem = *nomem || !copy;
	if (copy)
		memcpy(copy, json_string_value(value), *len + 1);
	return copy;
}

static bool decode_body(struct bus_message *m, const json_t *value, bool *nomem)
{
	size_t len = json_string_length(value);

	if (!json_is_string(value))
		return false;
	m->body = malloc(len / 4 * 3 + 1);
	*nomem = *nomem || !m->body;
	return m->body && bus_base64_decode((unsigned char *)m->body, &m->body_len,
					    json_string_value(value), len);
}

static enum bus_code from_object(struct bus_message *m, const json_t *root, unsigned long line,
				 struct bus_err *err)
{
	bool nomem = false, ok;
	size_t len = 0;

	m->routing_key = copy_text(json_object_get(root, "routing_key"), &len, &nomem);
	ok = m->routing_key && strlen(m->routing_key) == len;
	m->proof = copy_text(json_object_get(root, "proof"), &m->proof_len, &nomem);
	ok = ok && m->proof;
	m->body = copy_text(json_object_get(root, "body"), &m->body_len, &nomem);
	if (!m->body)
		ok = decode_body(m, json_object_get(root, "body_base64"), &nomem) && ok;
	if (nomem)
		return bus_fail(err, BUS_E_NOMEM, "message: out of memory");
	if (!ok)
		return bus_fail(err, BUS_E_DATA,
				"line %lu: no message in export form: it has the strings "
				"routing_key, proof and body (or body_base64)",
				line);
	if (!m->proof_len) { /* the export form of a message without the header */
		free(m->proof);
		m->proof = NULL;
	}
	return BUS_OK;
}

enum bus_code bus_message_read(struct bus_message_reader *reader, struct bus_message **ret,
			       struct bus_err *err)
{
	struct bus_message *m = NULL;
	json_t *root = NULL;
	enum bus_code rc;

	rc = collect(reader, err);
	if (rc)
		return rc;
	if (!reader->text.len) {
		*ret = NULL;
		return BUS_OK;
	}
	rc = bus_json_read(&root, reader->text.p, reader->text.len, JSON_ALLOW_NUL, BUS_E_DATA,
			   err);
	if (rc) {
		bus_err_context(err, "line %lu", reader->line);
		return rc;
	}
	m = calloc(1, sizeof(*m));
	rc = m ? from_object(m, root, reader->line, err)
	       : bus_fail(err, BUS_E_NOMEM, "message: out of memory");
	json_decref(root);
	if (rc)
		bus_message_free(m);
	else
		*ret = m;
	return rc;
}
