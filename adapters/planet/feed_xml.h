#ifndef BUS_PLANET_FEED_XML_H
#define BUS_PLANET_FEED_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * XML 1.0, safely and by its rules, for feeds: what expat reads, told as start
 * tags, end tags and text.
 *
 * Nothing is loaded from anywhere, no entity is expanded: a DOCTYPE with an
 * internal subset, where entities would be declared, is refused before it is
 * read, and a plain one is passed over.  References to the characters that
 * HTML names are understood where a DOCTYPE refers to a DTD elsewhere, in text;
 * in an attribute they are an error, because expat drops them there.  Depth,
 * attributes, namespaces, the length of one tag, and the memory that all names
 * of elements and attributes take, are limited.
 *
 * Encodings (XML 1.0, 4.3.3 and appendix F): by byte order mark, by the first
 * bytes, or as declared, in any that iconv(3) knows; bytes that are not valid
 * in it are an error, and so is a declaration that the bytes contradict.
 *
 * Namespaces are told apart as far as feeds need it.  A prefix that is not
 * declared is FEED_NS_OTHER: XML 1.0 allows it.
 */
enum feed_ns {
	FEED_NS_CORE, /* of Atom and the kinds of RSS, none, or the same as the root's */
	FEED_NS_DC,
	FEED_NS_CONTENT,
	FEED_NS_PLANET,
	FEED_NS_OTHER
};

struct feed_xml_handler {
	void *arg;
	/* name: without prefix; att: names and values in turn, ended by NULL */
	enum bus_code (*start)(void *arg, enum feed_ns ns, const char *name, const char **att,
			       struct bus_err *err);
	enum bus_code (*end)(void *arg, struct bus_err *err);
	void (*text)(void *arg, const char *p, size_t len);
};

/* BUS_E_DATA, with line, column and reason, where it is not XML or past a limit. */
enum bus_code feed_xml_parse(const char *bytes, size_t len, const struct feed_xml_handler *handler,
			     struct bus_err *err);

/* An attribute by its name without prefix, or all of it; NULL: there is none. */
const char *feed_xml_attribute(const char **att, const char *name);

#endif
