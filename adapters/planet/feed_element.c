#include "config.h"

#include "adapters/planet/feed_private.h"

#include <string.h>
#include <strings.h>

static bool is(const char *name, const char *other)
{
	return strcasecmp(name, other) == 0;
}

static void take(struct feed_reader *p, enum feed_field field, int rank)
{
	p->field = field;
	p->field_depth = p->depth;
	p->rank = rank;
	p->in_name = false;
	p->is_html = false;
	bus_buf_clear(&p->text);
}

/* Atom says what is in it; elsewhere it is HTML, as browsers and Venus take it. */
static void take_markup(struct feed_reader *p, enum feed_field field, int rank, const char **att)
{
	const char *type = feed_xml_attribute(att, "type"), *mode = feed_xml_attribute(att, "mode");
	const bool is_atom = is(p->feed->root, "feed") || is(p->feed->root, "entry");

	take(p, field, rank);
	if (type && (strstr(type, "html") || is(type, "text")) && !mode)
		p->is_html = strstr(type, "xhtml") == NULL && !is(type, "text");
	else if (mode)
		p->is_html = is(mode, "escaped") && type && strstr(type, "html");
	else
		p->is_html = !is_atom;
}

static void take_content(struct feed_reader *p, const char *name)
{
	take(p, FEED_F_CONTENT, 0);
	digest_string(&p->draft.content, name);
}

static void atom_link(struct feed_reader *p, const char **att, const char *href)
{
	const char *rel = feed_xml_attribute(att, "rel"), *type = feed_xml_attribute(att, "type");
	const bool is_page = !type || strstr(type, "html");

	if (p->source) {
		if (rel && is(rel, "self"))
			feed_set_url(p, FEED_SOURCE_URL, 3, href, strlen(href));
	} else if (p->post) {
		if (!rel || is(rel, "alternate"))
			feed_set_url(p, FEED_LINK, is_page ? 3 : 2, href, strlen(href));
	} else if (!rel || is(rel, "alternate") || is(rel, "self")) {
		feed_set_home(p, href);
	}
}

void feed_source_element(struct feed_reader *p, enum feed_ns ns, const char *name, const char **att)
{
	const char *href = feed_xml_attribute(att, "href");

	if (ns == FEED_NS_PLANET && is(name, "name"))
		take(p, FEED_F_SOURCE_NAME, 3);
	else if (ns != FEED_NS_CORE)
		return;
	else if (is(name, "title"))
		take_markup(p, FEED_F_SOURCE_NAME, 2, att);
	else if (is(name, "link") && href)
		atom_link(p, att, href);
	else if (is(name, "id"))
		take(p, FEED_F_ID, 1);
	else if (is(name, "author"))
		take(p, FEED_F_AUTHOR, 1);
}

/* Elements whose text is taken as it is. */
static bool plain_element(struct feed_reader *p, enum feed_ns ns, const char *name)
{
	static const struct {
		const char *name;
		enum feed_ns ns;
		enum feed_field field;
		int rank;
	} plain[] = {
		{ "id", FEED_NS_CORE, FEED_F_ID, 3 },
		{ "author", FEED_NS_CORE, FEED_F_AUTHOR, 3 },
		{ "creator", FEED_NS_DC, FEED_F_AUTHOR, 2 },
		{ "published", FEED_NS_CORE, FEED_F_PUBLISHED, 0 },
		{ "issued", FEED_NS_CORE, FEED_F_PUBLISHED, 0 },
		{ "created", FEED_NS_CORE, FEED_F_PUBLISHED, 0 },
		{ "pubDate", FEED_NS_CORE, FEED_F_PUBLISHED, 0 },
		{ "date", FEED_NS_DC, FEED_F_PUBLISHED, 0 },
		{ "issued", FEED_NS_DC, FEED_F_PUBLISHED, 0 },
		{ "updated", FEED_NS_CORE, FEED_F_UPDATED, 0 },
		{ "modified", FEED_NS_CORE, FEED_F_UPDATED, 0 },
		{ "modified", FEED_NS_DC, FEED_F_UPDATED, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (plain[i].ns == ns && is(plain[i].name, name)) {
			take(p, plain[i].field, plain[i].rank);
			return true;
		}
	return false;
}

static bool is_content(enum feed_ns ns, const char *name)
{
	if (ns == FEED_NS_CONTENT)
		return is(name, "encoded");
	if (ns == FEED_NS_OTHER)
		return is(name, "body"); /* of XHTML */
	return ns == FEED_NS_CORE && (is(name, "content") || is(name, "summary") ||
				      is(name, "description") || is(name, "abstract"));
}

void feed_post_element(struct feed_reader *p, enum feed_ns ns, const char *name, const char **att)
{
	const char *href = feed_xml_attribute(att, "href");
	const char *permalink = feed_xml_attribute(att, "isPermaLink");
	const char *url = feed_xml_attribute(att, "url");

	if (plain_element(p, ns, name))
		return;
	if (is_content(ns, name)) {
		take_content(p, name);
	} else if (ns == FEED_NS_DC && is(name, "title")) {
		take_markup(p, FEED_F_TITLE, 1, att);
	} else if (ns != FEED_NS_CORE) {
		return;
	} else if (is(name, "title")) {
		take_markup(p, FEED_F_TITLE, 2, att);
	} else if (is(name, "guid")) {
		take(p, permalink && is(permalink, "false") ? FEED_F_ID : FEED_F_GUID, 3);
	} else if (is(name, "link") && href) {
		atom_link(p, att, href);
	} else if (is(name, "link")) {
		take(p, FEED_F_LINK, 3);
	} else if (is(name, "source")) {
		p->source = p->depth;
		if (url) { /* RSS 2.0 */
			feed_set_url(p, FEED_SOURCE_URL, 3, url, strlen(url));
			take_markup(p, FEED_F_SOURCE_NAME, 2, att);
		}
	}
}

void feed_begin_post(struct feed_reader *p, const char **att)
{
	const char *about = feed_xml_attribute(att, "about"), *href;

	p->post = p->depth;
	feed_draft_begin(&p->draft);
	href = feed_xml_attribute(att, "href"); /* CDF */
	if (about)
		feed_draft_set(&p->draft, FEED_ID, 2, about, strlen(about));
	if (href)
		feed_set_url(p, FEED_LINK, 1, href, strlen(href));
}

/* Markup within content counts too; how its namespaces are called does not. */
static void digest_element(struct feed_reader *p, const char *name, const char **att)
{
	digest_string(&p->draft.content, name);
	for (; *att; att += 2)
		if (strncmp(att[0], "xml", 3) != 0) {
			digest_string(&p->draft.content, att[0]);
			digest_string(&p->draft.content, att[1]);
		}
}

void feed_inner_element(struct feed_reader *p, const char *name, const char **att)
{
	if (p->field == FEED_F_CONTENT)
		digest_element(p, name, att);
	if (p->field == FEED_F_AUTHOR && is(name, "name") && p->depth == p->field_depth + 1) {
		bus_buf_clear(&p->text);
		p->in_name = true;
	}
}

void feed_outer_element(struct feed_reader *p, const char *name, const char **att)
{
	const char *href = feed_xml_attribute(att, "href");

	if (is(name, "item") || is(name, "entry"))
		feed_begin_post(p, att);
	else if (is(name, "link") && href)
		atom_link(p, att, href);
	else if (is(name, "link"))
		take(p, FEED_F_HOME, 0);
}
