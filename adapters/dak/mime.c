#include "config.h"

#include "adapters/dak/mime.h"

#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

struct mime {
	GMimeMessage *message;
	GByteArray *text; /* NULL: none */
};

/* The headers end where the first empty line stands. */
static bool has_all_headers(struct dak_slice bytes)
{
	return memmem(bytes.p, bytes.len, "\n\n", 2) || memmem(bytes.p, bytes.len, "\n\r\n", 3);
}

static GMimeObject *find_text(GMimeMessage *message)
{
	GMimeObject *part = g_mime_message_get_mime_part(message);
	GMimeContentType *type;

	if (part && GMIME_IS_MULTIPART_SIGNED(part) &&
	    g_mime_multipart_get_count(GMIME_MULTIPART(part)) > 0)
		part = g_mime_multipart_get_part(GMIME_MULTIPART(part), 0);
	type = part ? g_mime_object_get_content_type(part) : NULL;
	return type && GMIME_IS_PART(part) && g_mime_content_type_is_type(type, "text", "plain")
		       ? part
		       : NULL;
}

static GByteArray *decode_text(GMimeMessage *message)
{
	GMimeObject *part = find_text(message);
	GMimeDataWrapper *content = part ? g_mime_part_get_content(GMIME_PART(part)) : NULL;
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

enum bus_code mime_open(struct mime **ret, struct dak_slice bytes, struct bus_err *err)
{
	static bool is_ready; /* GMime's own state is global too */
	struct mime *mime;
	GMimeParser *parser;
	GMimeStream *stream;

	if (bytes.len > MIME_BYTES_MAX)
		return bus_fail(err, BUS_E_DATA, "a mail of %zu bytes is too large", bytes.len);
	if (!has_all_headers(bytes))
		return bus_fail(err, BUS_E_DATA, "not a mail: no empty line ends its headers");
	mime = calloc(1, sizeof(*mime));
	if (!mime)
		return bus_fail(err, BUS_E_NOMEM, "mail: out of memory");
	if (!is_ready)
		g_mime_init();
	is_ready = true;
	stream = g_mime_stream_mem_new_with_buffer(bytes.p, bytes.len);
	parser = g_mime_parser_new_with_stream(stream);
	mime->message = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	if (!mime->message) {
		mime_close(mime);
		return bus_fail(err, BUS_E_DATA, "not a mail");
	}
	mime->text = decode_text(mime->message);
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
