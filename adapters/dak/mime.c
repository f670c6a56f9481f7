#include "config.h"

#include "adapters/dak/mime.h"

#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

struct mime {
	GMimeMessage *message;
	GByteArray *text; /* NULL: none */
};

/*
 * The headers with the empty line that ends them.  BUS_E_DATA: it is missing, or
 * they are more than any mail has: each costs GMime hundreds of bytes.
 */
static enum bus_code find_headers(struct dak_slice *ret, struct dak_slice bytes,
				  struct bus_err *err)
{
	struct dak_slice rest = bytes, line = { NULL, 0 };
	size_t count = 0;

	*ret = rest;
	while (dak_next_part(&rest, '\n', &line)) {
		if (!rest.len && line.p + line.len == bytes.p + bytes.len)
			break; /* no line end */
		*ret = (struct dak_slice){ bytes.p, bytes.len - rest.len };
		if (!line.len || dak_is(line, "\r"))
			return BUS_OK;
		count += line.p[0] != ' ' && line.p[0] != '\t';
		if (count > MIME_HEADERS_MAX || ret->len > MIME_HEADER_BYTES_MAX)
			return bus_fail(err, BUS_E_DATA,
					"more than %d headers, or %d bytes of them",
					MIME_HEADERS_MAX, MIME_HEADER_BYTES_MAX);
	}
	return bus_fail(err, BUS_E_DATA, "not a mail: no empty line ends its headers");
}

static GMimeMessage *parse(struct dak_slice bytes)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(bytes.p, bytes.len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);

	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

static GMimeContentType *type_of(GMimeMessage *message)
{
	GMimeObject *part = g_mime_message_get_mime_part(message);

	return part ? g_mime_object_get_content_type(part) : NULL;
}

/* The first of the parts between lines of "--<boundary>"; p NULL: there is none. */
static struct dak_slice first_part(struct dak_slice bytes, const char *boundary)
{
	struct dak_slice line = { NULL, 0 }, part = line, end;
	const size_t len = strlen(boundary);

	while (dak_next_part(&bytes, '\n', &line)) {
		if (!dak_starts(line, "--") || line.len < len + 2 ||
		    memcmp(line.p + 2, boundary, len) != 0)
			continue;
		end = dak_trim((struct dak_slice){ line.p + 2 + len, line.len - 2 - len });
		if (end.len && !dak_is(end, "--"))
			continue;
		if (part.p) {
			/* the line end before a boundary is the boundary's */
			part.len = (size_t)(line.p - part.p);
			part.len -= part.len > 0;
			return part;
		}
		part.p = bytes.p;
	}
	return (struct dak_slice){ NULL, 0 };
}

static GByteArray *decode_text(GMimeMessage *message)
{
	GMimeObject *part = g_mime_message_get_mime_part(message);
	GMimeDataWrapper *content = part && GMIME_IS_PART(part)
					    ? g_mime_part_get_content(GMIME_PART(part))
					    : NULL;
	GMimeStream *stream;
	GByteArray *bytes;

	if (!content)
		return NULL;
	bytes = g_byte_array_new();
	stream = g_mime_stream_mem_new();
	g_mime_stream_mem_set_byte_array(GMIME_STREAM_MEM(stream), bytes);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	if (g_mime_data_wrapper_write_to_stream(content, stream) < 0) {
		g_byte_array_unref(bytes);
		bytes = NULL;
	}
	g_object_unref(stream);
	return bytes;
}

/*
 * GMime is given only what has no structure: the headers, and a text.  So what a
 * mail is made of, nested or counted in millions, costs nothing.
 */
static void read_text(struct mime *mime, struct dak_slice bytes)
{
	GMimeContentType *type = type_of(mime->message);
	struct bus_err err = { BUS_OK, "" };
	struct dak_slice headers;
	GMimeMessage *message;
	const char *boundary;

	if (type && g_mime_content_type_is_type(type, "multipart", "signed")) {
		boundary = g_mime_content_type_get_parameter(type, "boundary");
		bytes = first_part(bytes, boundary ? boundary : "");
		if (!boundary || !bytes.p || find_headers(&headers, bytes, &err))
			return;
		message = parse(headers);
		type = message ? type_of(message) : NULL;
		if (!type || !g_mime_content_type_is_type(type, "text", "plain"))
			bytes.p = NULL;
		if (message)
			g_object_unref(message);
	} else if (!type || !g_mime_content_type_is_type(type, "text", "plain")) {
		return;
	}
	message = bytes.p ? parse(bytes) : NULL;
	if (message) {
		mime->text = decode_text(message);
		g_object_unref(message);
	}
}

enum bus_code mime_open(struct mime **ret, struct dak_slice bytes, struct bus_err *err)
{
	static bool is_ready; /* GMime's own state is global too */
	struct dak_slice headers;
	struct mime *mime;
	enum bus_code rc;

	if (bytes.len > MIME_BYTES_MAX)
		return bus_fail(err, BUS_E_DATA, "a mail of %zu bytes is too large", bytes.len);
	rc = find_headers(&headers, bytes, err);
	if (rc)
		return rc;
	mime = calloc(1, sizeof(*mime));
	if (!mime)
		return bus_fail(err, BUS_E_NOMEM, "mail: out of memory");
	if (!is_ready)
		g_mime_init();
	is_ready = true;
	mime->message = parse(headers);
	if (!mime->message) {
		mime_close(mime);
		return bus_fail(err, BUS_E_DATA, "not a mail");
	}
	read_text(mime, bytes);
	*ret = mime;
	return BUS_OK;
}

void mime_close(struct mime *mime)
{
	if (!mime)
		return;
	if (mime->message)
		g_object_unref(mime->message);
	if (mime->text)
		g_byte_array_unref(mime->text);
	free(mime);
}

size_t mime_header(const struct mime *mime, const char *name, struct dak_slice *ret)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(GMIME_OBJECT(mime->message));
	int i, count = g_mime_header_list_get_count(list);
	const char *value;
	size_t found = 0;

	*ret = (struct dak_slice){ "", 0 };
	for (i = 0; i < count; i++) {
		GMimeHeader *header = g_mime_header_list_get_header_at(list, i);

		if (g_ascii_strcasecmp(g_mime_header_get_name(header), name) != 0)
			continue;
		value = g_mime_header_get_value(header);
		if (!found++ && value)
			*ret = dak_trim(dak_slice(value));
	}
	return found;
}

struct dak_slice mime_text(const struct mime *mime)
{
	if (!mime->text)
		return (struct dak_slice){ NULL, 0 };
	return (struct dak_slice){ mime->text->len ? (const char *)mime->text->data : "",
				   mime->text->len };
}
