#include "config.h"

#include "adapters/planet/feed_xml.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <expat.h>

#include "adapters/planet/feed_encoding.h"
#include "adapters/planet/html_text.h"

enum {
	DEPTH_MAX = 256,
	ATTRIBUTES_MAX = 256,	     /* of one element */
	BINDINGS_MAX = 256,	     /* namespaces declared at one place in the document */
	PREFIX_MAX = 31,	     /* bytes; a longer prefix is none we look for */
	TOKEN_MAX = 2 * 1024 * 1024, /* bytes of one tag or comment */
	URI_MAX = 255,
	MEMORY_MAX = 16 * 1024 * 1024 /* bytes that expat may have */
};

struct binding {
	char prefix[PREFIX_MAX + 1]; /* empty: the default namespace */
	enum feed_ns ns;
	unsigned int depth;
};

struct reader {
	XML_Parser expat;
	const struct feed_xml_handler *handler;
	const struct feed_encoding *encoding;
	struct binding binding[BINDINGS_MAX];
	size_t binding_count;
	unsigned int depth;
	bool has_dtd; /* elsewhere: expat drops what may be declared there */
	char root_uri[URI_MAX + 1];
	enum bus_code rc; /* of the handler, or of a limit */
	struct bus_err *err;
};

static void stop(struct reader *r, enum bus_code rc)
{
	if (!r->rc)
		r->rc = rc;
	XML_StopParser(r->expat, XML_FALSE);
}

static void refuse(struct reader *r, const char *what)
{
	if (!r->rc)
		stop(r, bus_fail(r->err, BUS_E_DATA, "line %lu: %s",
				 (unsigned long)XML_GetCurrentLineNumber(r->expat), what));
}

/* -- memory -- */

/* expat keeps each name it has seen, and tells its allocator not who asks. */
static _Thread_local size_t memory_used;
static _Thread_local bool memory_is_over;

static bool has_room(size_t had, size_t size)
{
	if (size <= MEMORY_MAX && memory_used - had <= MEMORY_MAX - size)
		return true;
	memory_is_over = true;
	return false;
}

static void *resize(void *p, size_t size)
{
	const size_t had = p ? malloc_usable_size(p) : 0;
	void *grown = has_room(had, size) ? realloc(p, size) : NULL;

	if (grown)
		memory_used = memory_used - had + malloc_usable_size(grown);
	return grown;
}

static void *allocate(size_t size)
{
	return resize(NULL, size);
}

static void release(void *p)
{
	memory_used -= p ? malloc_usable_size(p) : 0;
	free(p);
}

static XML_Parser create_parser(void)
{
	static const XML_Memory_Handling_Suite suite = { allocate, resize, release };

	memory_used = 0;
	memory_is_over = false;
	return XML_ParserCreate_MM("UTF-8", &suite, NULL);
}

/* -- namespaces -- */

static enum feed_ns known_ns(const char *uri)
{
	/* no slash or hash at the end, no scheme: they are written in many ways */
	static const struct {
		const char *name;
		enum feed_ns ns;
	} known[] = {
		{ "www.w3.org/2005/atom", FEED_NS_CORE },
		{ "purl.org/atom/ns", FEED_NS_CORE },
		{ "purl.org/rss/1.0", FEED_NS_CORE },
		{ "my.netscape.com/rdf/simple/0.9", FEED_NS_CORE },
		{ "channel.netscape.com/rdf/simple/0.9", FEED_NS_CORE },
		{ "my.netscape.com/publish/formats/rss-0.91.dtd", FEED_NS_CORE },
		{ "backend.userland.com/rss", FEED_NS_CORE },
		{ "backend.userland.com/rss2", FEED_NS_CORE },
		{ "backend.userland.com/rss191", FEED_NS_CORE },
		{ "blogs.law.harvard.edu/tech/rss", FEED_NS_CORE },
		{ "purl.org/net/rss1.1", FEED_NS_CORE },
		{ "purl.org/net/rss1.0", FEED_NS_CORE },
		{ "purl.org/dc/elements/1.0", FEED_NS_DC },
		{ "purl.org/dc/elements/1.1", FEED_NS_DC },
		{ "purl.org/dc/terms", FEED_NS_DC },
		{ "purl.org/rss/1.0/modules/content", FEED_NS_CONTENT },
		{ "planet.intertwingly.net", FEED_NS_PLANET },
	};
	const char *name = strstr(uri, "://");
	size_t len, i;

	if (!*uri)
		return FEED_NS_CORE;
	name = name ? name + 3 : uri;
	len = strlen(name);
	while (len && (name[len - 1] == '/' || name[len - 1] == '#'))
		len--;
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strlen(known[i].name) == len && strncasecmp(name, known[i].name, len) == 0)
			return known[i].ns;
	return FEED_NS_OTHER;
}

static void bind(struct reader *r, const char *prefix, const char *uri)
{
	struct binding *binding = &r->binding[r->binding_count];

	if (strlen(prefix) > PREFIX_MAX)
		return;
	if (r->binding_count == BINDINGS_MAX) {
		refuse(r, "more namespaces than any feed needs");
		return;
	}
	memcpy(binding->prefix, prefix, strlen(prefix) + 1);
	binding->depth = r->depth;
	binding->ns = known_ns(uri);
	if (binding->ns == FEED_NS_OTHER && *r->root_uri && strcmp(uri, r->root_uri) == 0)
		binding->ns = FEED_NS_CORE;
	r->binding_count++;
}

static void bind_all(struct reader *r, const char **att)
{
	for (; *att; att += 2)
		if (strcmp(att[0], "xmlns") == 0)
			bind(r, "", att[1]);
		else if (strncmp(att[0], "xmlns:", 6) == 0)
			bind(r, att[0] + 6, att[1]);
}

static enum feed_ns look_up(const struct reader *r, const char *prefix, size_t len)
{
	size_t i;

	for (i = r->binding_count; i-- > 0;)
		if (strncmp(r->binding[i].prefix, prefix, len) == 0 && !r->binding[i].prefix[len])
			return r->binding[i].ns;
	return len ? FEED_NS_OTHER : FEED_NS_CORE;
}

/* Whatever the root's namespace is called, it is that of the feed. */
static void take_root_uri(struct reader *r, const char *name, const char **att)
{
	const char *colon = strchr(name, ':');
	const size_t len = colon ? (size_t)(colon - name) : 0;

	for (; *att; att += 2)
		if (len ? strncmp(att[0], "xmlns:", 6) == 0 &&
				    strncmp(att[0] + 6, name, len) == 0 && !att[0][6 + len]
			: strcmp(att[0], "xmlns") == 0)
			if (strlen(att[1]) <= URI_MAX)
				memcpy(r->root_uri, att[1], strlen(att[1]) + 1);
}

/* -- what expat calls -- */

/* Is there a reference in this tag to what XML itself does not declare? */
static bool has_unknown_entity(const struct reader *r)
{
	static const char *const known[] = { "#", "amp;", "lt;", "gt;", "quot;", "apos;" };
	int offset = 0, size = 0, len = XML_GetCurrentByteCount(r->expat);
	const char *p = XML_GetInputContext(r->expat, &offset, &size), *end;
	size_t i, n;

	if (!p || len > size - offset)
		return false;
	end = p + offset + len;
	for (p += offset; (p = memchr(p, '&', (size_t)(end - p)));) {
		p++;
		for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
			n = strlen(known[i]);
			if ((size_t)(end - p) >= n && memcmp(p, known[i], n) == 0)
				break;
		}
		if (i == sizeof(known) / sizeof(*known))
			return true;
	}
	return false;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **att)
{
	struct reader *r = arg;
	const char *colon = strchr(name, ':');
	enum feed_ns ns;
	enum bus_code rc;

	if (r->rc)
		return;
	if (++r->depth > DEPTH_MAX) {
		refuse(r, "elements within elements, deeper than any feed needs");
		return;
	}
	if (XML_GetSpecifiedAttributeCount(r->expat) > 2 * ATTRIBUTES_MAX) {
		refuse(r, "more attributes than any feed needs");
		return;
	}
	if (r->has_dtd && has_unknown_entity(r)) {
		refuse(r, "an attribute with an entity that is declared elsewhere, or nowhere");
		return;
	}
	if (r->depth == 1)
		take_root_uri(r, name, att);
	bind_all(r, att);
	if (r->rc)
		return;
	ns = look_up(r, name, colon ? (size_t)(colon - name) : 0);
	rc = r->handler->start(r->handler->arg, ns, colon ? colon + 1 : name, att, r->err);
	if (rc)
		stop(r, rc);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;
	enum bus_code rc;

	(void)name;
	if (r->rc)
		return;
	rc = r->handler->end(r->handler->arg, r->err);
	if (rc)
		stop(r, rc);
	while (r->binding_count && r->binding[r->binding_count - 1].depth == r->depth)
		r->binding_count--;
	r->depth--;
}

static void XMLCALL on_text(void *arg, const XML_Char *p, int len)
{
	struct reader *r = arg;

	if (!r->rc)
		r->handler->text(r->handler->arg, p, (size_t)len);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
			       const XML_Char *public_id, int has_internal_subset)
{
	struct reader *r = arg;

	(void)name;
	(void)public_id;
	r->has_dtd = system_id != NULL;
	if (has_internal_subset)
		refuse(r, "a DOCTYPE with declarations in it, such as of entities, is not read");
}

/* Declared nowhere that we look: in the DTD of RSS 0.91 they are those of HTML. */
static void XMLCALL on_skipped(void *arg, const XML_Char *name, int is_parameter)
{
	const unsigned int code = is_parameter ? 0 : html_entity(name);
	struct reader *r = arg;
	struct bus_buf text = BUS_BUF_INIT(8);

	if (!code || r->rc)
		return;
	html_character(&text, code);
	if (text.failed)
		stop(r, bus_fail(r->err, BUS_E_NOMEM, "a feed: out of memory"));
	else
		r->handler->text(r->handler->arg, text.p, text.len);
	bus_buf_finish(&text);
}

static void XMLCALL on_declaration(void *arg, const XML_Char *version, const XML_Char *encoding,
				   int standalone)
{
	struct reader *r = arg;

	(void)version;
	(void)standalone;
	if (encoding && !feed_encoding_allows(r->encoding, encoding))
		refuse(r, "the encoding that is declared is not the one it is in");
}

/* -- the driver -- */

static enum bus_code explain(struct reader *r)
{
	const enum XML_Error code = XML_GetErrorCode(r->expat);

	if (r->rc)
		return r->rc;
	if (code == XML_ERROR_NO_MEMORY && memory_is_over)
		return bus_fail(r->err, BUS_E_DATA,
				"line %lu: more names of elements and attributes than any feed "
				"needs",
				(unsigned long)XML_GetCurrentLineNumber(r->expat));
	if (code == XML_ERROR_NO_MEMORY)
		return bus_fail(r->err, BUS_E_NOMEM, "a feed: out of memory");
	return bus_fail(r->err, BUS_E_DATA, "line %lu, column %lu: not well-formed XML: %s",
			(unsigned long)XML_GetCurrentLineNumber(r->expat),
			(unsigned long)XML_GetCurrentColumnNumber(r->expat), XML_ErrorString(code));
}

/*
 * expat keeps a tag until it is complete, and begins anew with it at each
 * chunk; so its length is limited here.
 */
static bool is_token_too_long(const struct reader *r, size_t fed)
{
	const XML_Index at = XML_GetCurrentByteIndex(r->expat);

	return at >= 0 && fed > (size_t)at + TOKEN_MAX;
}

static enum bus_code feed_all(struct reader *r, struct feed_decoder *decoder)
{
	const char *chunk;
	size_t len, fed = 0;
	enum bus_code rc;

	do {
		rc = feed_encoding_next(decoder, &chunk, &len, r->err);
		if (rc)
			return rc;
		fed += len;
		if (XML_Parse(r->expat, chunk, (int)len, len == 0) != XML_STATUS_OK || r->rc)
			return explain(r);
		if (len && is_token_too_long(r, fed))
			return bus_fail(r->err, BUS_E_DATA,
					"line %lu: a tag or comment of more than %d bytes",
					(unsigned long)XML_GetCurrentLineNumber(r->expat),
					TOKEN_MAX);
	} while (len);
	return BUS_OK;
}

static void set_handlers(struct reader *r)
{
	XML_SetUserData(r->expat, r);
	XML_SetElementHandler(r->expat, on_start, on_end);
	XML_SetCharacterDataHandler(r->expat, on_text);
	XML_SetStartDoctypeDeclHandler(r->expat, on_doctype);
	XML_SetSkippedEntityHandler(r->expat, on_skipped);
	XML_SetXmlDeclHandler(r->expat, on_declaration);
}

enum bus_code feed_xml_parse(const char *bytes, size_t len, const struct feed_xml_handler *handler,
			     struct bus_err *err)
{
	struct feed_decoder *decoder = NULL;
	struct feed_encoding encoding;
	struct reader *r = NULL;
	enum bus_code rc;

	if (!len)
		return bus_fail(err, BUS_E_DATA, "it is empty");
	feed_encoding_detect(&encoding, bytes, len);
	rc = feed_encoding_open(&decoder, &encoding, bytes, len, err);
	if (rc)
		return rc;
	r = calloc(1, sizeof(*r));
	if (r)
		r->expat = create_parser();
	if (!r || !r->expat) {
		rc = bus_fail(err, BUS_E_NOMEM, "a feed: out of memory");
		goto out;
	}
	r->handler = handler;
	r->encoding = &encoding;
	r->err = err;
	set_handlers(r);
	rc = feed_all(r, decoder);
out:
	if (r && r->expat)
		XML_ParserFree(r->expat);
	free(r);
	feed_encoding_close(decoder);
	return rc;
}

const char *feed_xml_attribute(const char **att, const char *name)
{
	const char *colon;

	for (; *att; att += 2) {
		if (strcmp(att[0], name) == 0)
			return att[1];
		colon = strchr(att[0], ':');
		if (strcasecmp(colon ? colon + 1 : att[0], name) == 0 &&
		    strncmp(att[0], "xmlns", 5) != 0)
			return att[1];
	}
	return NULL;
}
