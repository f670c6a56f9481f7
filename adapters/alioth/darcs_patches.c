#include "config.h"

#include "adapters/alioth/darcs_patches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "timestamp.h"

enum { DATE_LEN = 14, HASH_LEN = 40, DEPTH_MAX = 8 };

/* A patch that is being read. */
struct reading {
	struct darcs_patches *patches;
	struct bus_buf author, date, hash, name, comment;
	struct bus_buf *here; /* where text goes, or NULL */
	bool is_tag;
	int depth;
	XML_Parser parser;
	enum bus_code rc;
	struct bus_err *err;
};

static void init_reading(struct reading *reading, struct darcs_patches *patches,
			 struct bus_err *err)
{
	static const struct bus_buf empty = BUS_BUF_INIT(DARCS_TEXT_MAX);

	memset(reading, 0, sizeof(*reading));
	reading->patches = patches;
	reading->author = reading->date = reading->hash = reading->name = reading->comment = empty;
	reading->err = err;
}

static void clear_reading(struct reading *reading)
{
	bus_buf_clear(&reading->author);
	bus_buf_clear(&reading->date);
	bus_buf_clear(&reading->hash);
	bus_buf_clear(&reading->name);
	bus_buf_clear(&reading->comment);
	reading->here = NULL;
	reading->is_tag = false;
}

static void finish_reading(struct reading *reading)
{
	bus_buf_finish(&reading->author);
	bus_buf_finish(&reading->date);
	bus_buf_finish(&reading->hash);
	bus_buf_finish(&reading->name);
	bus_buf_finish(&reading->comment);
}

/* "20261122094917", UTC; older darcs knew other forms, of which nothing is told. */
static bool parse_date(struct slice text, int64_t *ret)
{
	char date[BUS_TIME_LEN + 1];

	if (text.len != DATE_LEN || strspn(text.p, "0123456789") < DATE_LEN)
		return false;
	snprintf(date, sizeof(date), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", text.p, text.p + 4,
		 text.p + 6, text.p + 8, text.p + 10, text.p + 12);
	return bus_time_parse(ret, date);
}

/* A random line that darcs puts before the comment, so that no two patches are alike. */
static struct slice without_salt(struct slice comment)
{
	struct slice line, rest = comment;

	return slice_line(&rest, &line) && slice_begins(line, "Ignore-this: ") ? rest : comment;
}

/* name and patch are taken over. */
static enum bus_code add_tag(struct darcs_patches *patches, char *name, struct commit *patch,
			     struct bus_err *err)
{
	struct darcs_tag *grown;

	grown = reallocarray(patches->tag, patches->tag_count + 1, sizeof(*grown));
	if (!name || !grown) {
		patches->tag = grown ? grown : patches->tag;
		free(name);
		commit_finish(patch);
		return bus_fail(err, BUS_E_NOMEM, "darcs: out of memory");
	}
	patches->tag = grown;
	grown[patches->tag_count++] = (struct darcs_tag){ name, *patch };
	return BUS_OK;
}

static enum bus_code add_patch(struct reading *reading)
{
	static const char tag[] = "TAG ";
	struct slice name = slice_of_buf(&reading->name), hash = slice_of_buf(&reading->hash);
	struct darcs_patches *patches = reading->patches;
	struct commit patch = { 0 }, *place;
	struct bus_buf message = BUS_BUF_INIT(2 * DARCS_TEXT_MAX + 1);
	struct slice comment = without_salt(slice_of_buf(&reading->comment));
	enum bus_code rc;

	if (hash.len != HASH_LEN || strspn(hash.p, "0123456789abcdef") < HASH_LEN)
		return bus_fail(reading->err, BUS_E_DATA, "darcs: a patch without its hash");
	if (slice_begins(name, tag)) {
		reading->is_tag = true;
		name.p += sizeof(tag) - 1;
		name.len -= sizeof(tag) - 1;
	}
	bus_buf_add(&message, name.p, name.len);
	bus_buf_puts(&message, "\n");
	if (comment.len)
		bus_buf_add(&message, comment.p, comment.len);
	rc = bus_buf_check(&message, "darcs: a patch", reading->err);
	if (!rc)
		rc = commit_new(&patch, hash, slice_of_buf(&reading->author),
				slice_of_buf(&message), reading->err);
	bus_buf_finish(&message);
	if (rc)
		return rc;
	patch.has_date = parse_date(slice_of_buf(&reading->date), &patch.date_us);
	if (reading->is_tag && patches->tag_count < DARCS_TAGS_MAX)
		return add_tag(patches, strndup(name.p, name.len), &patch, reading->err);
	place = &patches->newest[patches->total++ % CHANGE_NEWEST];
	commit_finish(place);
	*place = patch;
	return BUS_OK;
}

/* -- XML -- */

static void stop(struct reading *reading, enum bus_code rc)
{
	if (rc && !reading->rc) {
		reading->rc = rc;
		XML_StopParser(reading->parser, XML_FALSE);
	}
}

static void XMLCALL on_start(void *data, const char *name, const char **attribute)
{
	struct reading *reading = data;
	struct bus_buf *here;

	if (++reading->depth > DEPTH_MAX)
		stop(reading, bus_fail(reading->err, BUS_E_DATA, "darcs: elements in elements"));
	reading->here = NULL;
	if (strcmp(name, "name") == 0)
		reading->here = &reading->name;
	else if (strcmp(name, "comment") == 0)
		reading->here = &reading->comment;
	if (strcmp(name, "patch") != 0)
		return;
	clear_reading(reading);
	for (; *attribute; attribute += 2) {
		here = strcmp(attribute[0], "author") == 0 ? &reading->author
		       : strcmp(attribute[0], "date") == 0 ? &reading->date
		       : strcmp(attribute[0], "hash") == 0 ? &reading->hash
							   : NULL;
		if (here)
			bus_buf_puts(here, attribute[1]);
	}
}

static void XMLCALL on_end(void *data, const char *name)
{
	struct reading *reading = data;

	reading->depth--;
	reading->here = NULL;
	if (strcmp(name, "patch") == 0 && !reading->rc)
		stop(reading, add_patch(reading));
}

static void XMLCALL on_text(void *data, const char *text, int len)
{
	struct reading *reading = data;

	if (reading->here && len > 0)
		bus_buf_add(reading->here, text, (size_t)len);
}

/* darcs writes none, so nobody has any business with what one can do. */
static void XMLCALL on_doctype(void *data, const char *name, const char *system_id,
			       const char *public_id, int has_internal)
{
	struct reading *reading = data;

	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal;
	stop(reading, bus_fail(reading->err, BUS_E_DATA, "darcs: XML with a DOCTYPE"));
}

/* Names may have any bytes; XML may not. */
static void add_clean(struct bus_buf *out, struct slice text)
{
	size_t n;

	for (; text.len; text.p += n, text.len -= n) {
		n = bus_utf8_char(text.p, text.len);
		if (n && ((unsigned char)*text.p >= ' ' || strchr("\t\n", *text.p)) &&
		    (n != 3 || (memcmp(text.p, "\xef\xbf\xbe", 3) != 0 &&
				memcmp(text.p, "\xef\xbf\xbf", 3) != 0)))
			bus_buf_add(out, text.p, n);
		else
			bus_buf_puts(out, "\xef\xbf\xbd");
		n = n ? n : 1;
	}
}

static enum bus_code parse(XML_Parser parser, struct reading *reading, const struct bus_buf *text,
			   struct bus_err *err)
{
	enum XML_Status status;

	reading->parser = parser;
	XML_SetUserData(parser, reading);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	status = XML_Parse(parser, text->p, (int)text->len, 1);
	if (reading->rc)
		return reading->rc;
	if (status == XML_STATUS_OK)
		return BUS_OK;
	if (XML_GetErrorCode(parser) == XML_ERROR_NO_MEMORY)
		return bus_fail(err, BUS_E_NOMEM, "darcs: out of memory");
	return bus_fail(err, BUS_E_DATA, "darcs: DARCS_PATCHES_XML, line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber(parser),
			XML_ErrorString(XML_GetErrorCode(parser)));
}

enum bus_code darcs_patches_xml(struct darcs_patches *ret, struct slice text, struct bus_err *err)
{
	struct bus_buf clean = BUS_BUF_INIT(3 * DARCS_TEXT_MAX);
	struct darcs_patches patches = { 0 };
	XML_Parser parser = XML_ParserCreate("UTF-8");
	struct reading reading;
	enum bus_code rc;

	init_reading(&reading, &patches, err);
	bus_buf_add(&clean, "", 0);
	add_clean(&clean, text);
	rc = bus_buf_check(&clean, "darcs: DARCS_PATCHES_XML", err);
	if (!rc && !parser)
		rc = bus_fail(err, BUS_E_NOMEM, "darcs: out of memory");
	if (!rc)
		rc = parse(parser, &reading, &clean, err);
	if (parser)
		XML_ParserFree(parser);
	finish_reading(&reading);
	bus_buf_finish(&clean);
	if (rc)
		darcs_patches_finish(&patches);
	else
		*ret = patches;
	return rc;
}

/* -- text -- */

static void add_text_line(struct reading *reading, struct slice line)
{
	static const char patch[] = "patch ", author[] = "Author: ", star[] = "  * ";
	static const char tagged[] = "  tagged ";

	if (slice_begins(line, patch))
		bus_buf_add(&reading->hash, line.p + sizeof(patch) - 1,
			    line.len - (sizeof(patch) - 1));
	else if (slice_begins(line, author) && !reading->author.len)
		bus_buf_add(&reading->author, line.p + sizeof(author) - 1,
			    line.len - (sizeof(author) - 1));
	else if (slice_begins(line, star) && !reading->name.len)
		bus_buf_add(&reading->name, line.p + sizeof(star) - 1,
			    line.len - (sizeof(star) - 1));
	else if (slice_begins(line, tagged) && !reading->name.len) {
		bus_buf_add(&reading->name, line.p + sizeof(tagged) - 1,
			    line.len - (sizeof(tagged) - 1));
		reading->is_tag = true;
	} else if (slice_begins(line, "  ") && !slice_begins(line, "    ")) {
		bus_buf_add(&reading->comment, line.p + 2, line.len - 2);
		bus_buf_puts(&reading->comment, "\n");
	}
}

/* Everything of a patch but its first three lines is indented. */
enum bus_code darcs_patches_text(struct darcs_patches *ret, struct slice text, struct bus_err *err)
{
	struct darcs_patches patches = { 0 };
	struct reading reading;
	enum bus_code rc = BUS_OK;
	struct slice line;

	init_reading(&reading, &patches, err);
	while (!rc && slice_line(&text, &line)) {
		if (slice_begins(line, "patch ") && reading.hash.len) {
			rc = add_patch(&reading);
			clear_reading(&reading);
		}
		add_text_line(&reading, line);
	}
	if (!rc)
		rc = add_patch(&reading);
	finish_reading(&reading);
	if (rc)
		darcs_patches_finish(&patches);
	else
		*ret = patches;
	return rc;
}

void darcs_patches_finish(struct darcs_patches *patches)
{
	size_t i;

	for (i = 0; i < CHANGE_NEWEST; i++)
		commit_finish(&patches->newest[i]);
	for (i = 0; i < patches->tag_count; i++) {
		free(patches->tag[i].name);
		commit_finish(&patches->tag[i].patch);
	}
	free(patches->tag);
	memset(patches, 0, sizeof(*patches));
}
