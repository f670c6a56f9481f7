#include "config.h"

#include "adapters/planet/config_ini.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapters/common/text.h"
#include "adapters/planet/ini.h"
#include "json.h"

enum { LIST_MAX = 64 * 1024 }; /* bytes of one template_files or filters */

static bool is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

/* A value that was cut may end within a character. */
static bool is_utf8_so_far(const char *text)
{
	const size_t len = strlen(text);
	size_t cut;

	for (cut = 0; cut <= 3 && cut <= len; cut++)
		if (bus_utf8_valid(text, len - cut))
			return cut == 0 || len == CONFIG_VALUE_MAX;
	return false;
}

/* As UTF-8, in one line, and one blank where there are several. */
static char *to_line(const char *text, size_t max)
{
	struct bus_buf utf8 = BUS_BUF_INIT(2 * CONFIG_VALUE_MAX);
	struct bus_buf line = BUS_BUF_INIT(4 * CONFIG_VALUE_MAX);
	const bool is_utf8 = is_utf8_so_far(text);
	size_t count = 0;

	/* two characters more, one of them no blank, tell that it was cut */
	for (; *text && count < max + 2; text++) {
		if (is_blank(*text)) {
			if (utf8.len && utf8.p[utf8.len - 1] != ' ') {
				bus_buf_add(&utf8, " ", 1);
				count++;
			}
			continue;
		}
		count += !is_utf8 || (*text & 0xc0) != 0x80;
		if (is_utf8 || !(*text & 0x80)) {
			bus_buf_add(&utf8, text, 1);
		} else {
			bus_buf_printf(&utf8, "%c%c", 0xc0 | (unsigned char)*text >> 6,
				       0x80 | (*text & 0x3f));
		}
	}
	if (utf8.len)
		text_line(&line, utf8.p, utf8.len, max);
	if (utf8.failed)
		line.failed = true;
	bus_buf_finish(&utf8);
	return line.len || line.failed ? bus_buf_detach(&line) : strdup("");
}

/* What is named as a template or filter. */
struct names {
	struct bus_buf text; /* each ended by NUL */
	const char **name;   /* sorted */
	size_t count;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_name(const struct names *names, const char *name)
{
	return names->count &&
	       bsearch(&name, names->name, names->count, sizeof(*names->name), compare_names);
}

/* The words of a value. */
static void add_words(struct names *names, const char *p)
{
	size_t len;

	for (; *p; p += len) {
		while (*p && is_blank(*p))
			p++;
		for (len = 0; p[len] && !is_blank(p[len]);)
			len++;
		if (!len)
			continue;
		bus_buf_add(&names->text, p, len);
		bus_buf_add(&names->text, "", 1);
		names->count++;
	}
}

static bool is_template(const char *title)
{
	static const char *const suffixes[] = { ".tmpl", ".xslt", ".genshi", ".dj", ".plugin" };
	const size_t len = strlen(title);
	size_t i, n;

	if (strstr(title, "://"))
		return false;
	for (i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		n = strlen(suffixes[i]);
		if (len > n && strcmp(title + len - n, suffixes[i]) == 0)
			return true;
	}
	return false;
}

static bool is_reading_list(const struct ini *ini, size_t section, bool *nomem)
{
	static const char *const types[] = { "opml", "foaf", "csv", "config", "." };
	struct bus_buf type = BUS_BUF_INIT(CONFIG_VALUE_MAX);
	bool found = false;
	size_t i;

	if (ini_get(ini, section, "content_type", &type) && type.p)
		for (i = 0; i < sizeof(types) / sizeof(*types); i++)
			found = found || strstr(type.p, types[i]);
	*nomem = *nomem || (type.failed && !type.over);
	bus_buf_finish(&type);
	return found;
}

static enum bus_code collect_names(const struct ini *ini, struct names *names, struct bus_err *err)
{
	static const char *const keys[] = { "template_files", "filters" };
	struct bus_buf value = BUS_BUF_INIT(LIST_MAX);
	size_t i, k, total = 0;
	const char *p;

	for (i = 0; i < ini_count(ini) && total <= CONFIG_LISTS_MAX; i++)
		for (k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
			if (!ini_has(ini, i, keys[k]))
				continue;
			bus_buf_clear(&value);
			ini_get(ini, i, keys[k], &value);
			add_words(names, value.p ? value.p : "");
			bus_buf_inherit(&names->text, &value);
			total += value.len;
		}
	bus_buf_finish(&value);
	if (total > CONFIG_LISTS_MAX)
		return bus_fail(err, BUS_E_DATA, "more than %d bytes of template_files and filters",
				CONFIG_LISTS_MAX);
	names->name = calloc(names->count + 1, sizeof(*names->name));
	if (!names->name || names->text.failed)
		return bus_fail(err, BUS_E_NOMEM, "configuration: out of memory");
	for (i = 0, p = names->text.p; i < names->count; i++, p += strlen(p) + 1)
		names->name[i] = p;
	qsort(names->name, names->count, sizeof(*names->name), compare_names);
	return BUS_OK;
}

static bool is_feed(const struct ini *ini, size_t section, const struct names *names, bool *nomem)
{
	const char *title = ini_title(ini, section);

	return strcmp(title, "Planet") != 0 && strcmp(title, "DEFAULT") != 0 &&
	       strlen(title) <= CONFIG_URL_MAX && !has_name(names, title) && !is_template(title) &&
	       !is_reading_list(ini, section, nomem);
}

static char *get_line(const struct ini *ini, size_t section, const char *key)
{
	struct bus_buf value = BUS_BUF_INIT(CONFIG_VALUE_MAX);
	char *line;

	ini_get(ini, section, key, &value);
	line = value.failed ? NULL : to_line(value.p ? value.p : "", CONFIG_NAME_MAX);
	bus_buf_finish(&value);
	return line;
}

static bool add_feed(struct config *config, const struct ini *ini, size_t section)
{
	struct config_feed *feed = &config->feed[config->count++];

	feed->url = to_line(ini_title(ini, section), CONFIG_URL_MAX);
	feed->name = get_line(ini, section, "name");
	feed->face = get_line(ini, section, "face");
	return feed->url && feed->name && feed->face;
}

static int compare(const void *a, const void *b)
{
	const struct config_feed *x = a, *y = b;

	return strcmp(x->url, y->url);
}

static void free_feed(struct config_feed *feed)
{
	free(feed->url);
	free(feed->name);
	free(feed->face);
}

/* Titles that differ only in blanks, or in how they are encoded, are one feed now. */
static void sort(struct config *config)
{
	size_t i, kept = 0;

	if (config->count)
		qsort(config->feed, config->count, sizeof(*config->feed), compare);
	for (i = 0; i < config->count; i++)
		if (!*config->feed[i].url ||
		    (kept && strcmp(config->feed[kept - 1].url, config->feed[i].url) == 0))
			free_feed(&config->feed[i]);
		else
			config->feed[kept++] = config->feed[i];
	config->count = kept;
}

static enum bus_code collect_feeds(struct config *config, const struct ini *ini,
				   struct bus_err *err)
{
	struct names names = { BUS_BUF_INIT(2 * (CONFIG_LISTS_MAX + 2 * LIST_MAX)), NULL, 0 };
	bool nomem = false;
	enum bus_code rc;
	size_t i;

	if (ini_find(ini, "Planet") == ini_count(ini))
		return bus_fail(err, BUS_E_DATA,
				"it has no section [Planet], so it is not a planet's "
				"configuration");
	config->feed = calloc(ini_count(ini), sizeof(*config->feed));
	if (!config->feed)
		return bus_fail(err, BUS_E_NOMEM, "configuration: out of memory");
	rc = collect_names(ini, &names, err);
	for (i = 0; i < ini_count(ini) && !rc; i++)
		if ((is_feed(ini, i, &names, &nomem) && !add_feed(config, ini, i)) || nomem)
			rc = bus_fail(err, BUS_E_NOMEM, "configuration: out of memory");
	bus_buf_finish(&names.text);
	free(names.name);
	if (!rc)
		sort(config);
	return rc;
}

enum bus_code config_parse(struct config **ret, const char *bytes, size_t len, struct bus_err *err)
{
	struct config *config = calloc(1, sizeof(*config));
	struct ini *ini = NULL;
	enum bus_code rc;

	if (!config)
		return bus_fail(err, BUS_E_NOMEM, "configuration: out of memory");
	rc = ini_parse(&ini, bytes, len, err);
	if (!rc)
		rc = collect_feeds(config, ini, err);
	ini_free(ini);
	if (rc) {
		config_free(config);
		return rc;
	}
	*ret = config;
	return BUS_OK;
}

void config_free(struct config *config)
{
	size_t i;

	if (!config)
		return;
	for (i = 0; i < config->count; i++)
		free_feed(&config->feed[i]);
	free(config->feed);
	free(config);
}
