#include "config.h"

#include "adapters/planet/ini.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	DEPTH_MAX = 10,	 /* MAX_INTERPOLATION_DEPTH */
	STEPS_MAX = 100, /* values put into one */
	KEY_LEN = 200	 /* of a key in %(key)s */
};

/* Everything points into ini->text, where a NUL ends it. */
struct entry {
	size_t section, order;
	const char *key, *value; /* LF between the lines of a value */
};

struct title {
	const char *text;
	size_t order;
};

struct ini {
	char *text;
	struct title *title; /* while it is read, as they come; then sorted, each once */
	size_t title_count, title_cap;
	struct entry *entry; /* at the end sorted by section, key, order */
	size_t entry_count, entry_cap;
};

/* Where the reading is. */
struct reader {
	struct ini *ini;
	size_t line;
	char *value_end; /* of the value that a next line may go on with; NULL: none */
	struct bus_err *err;
};

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char *strip(char *p, char **end)
{
	while (p < *end && is_blank(*p))
		p++;
	while (*end > p && is_blank((*end)[-1]))
		(*end)--;
	return p;
}

static void *add_item(void **array, size_t *count, size_t *cap, size_t size)
{
	const size_t more = *cap ? 2 * *cap : 64;
	void *grown;

	if (*count == *cap) {
		grown = reallocarray(*array, more, size);
		if (!grown)
			return NULL;
		*array = grown;
		*cap = more;
	}
	return (char *)*array + (*count)++ * size;
}

static enum bus_code read_title(struct reader *r, char *p, char *end)
{
	struct ini *ini = r->ini;
	struct title *title;

	if (ini->title_count == INI_SECTIONS_MAX)
		return bus_fail(r->err, BUS_E_DATA, "line %zu: more than %d sections", r->line,
				INI_SECTIONS_MAX);
	title = add_item((void **)&ini->title, &ini->title_count, &ini->title_cap, sizeof(*title));
	if (!title)
		return bus_fail(r->err, BUS_E_NOMEM, "configuration: out of memory");
	*end = '\0';
	title->text = p;
	title->order = ini->title_count - 1;
	r->value_end = NULL;
	return BUS_OK;
}

static char *find_delimiter(char *p, const char *end)
{
	while (p < end && *p != ':' && *p != '=')
		p++;
	return p;
}

static enum bus_code read_entry(struct reader *r, char *p, char *end)
{
	char *delimiter = find_delimiter(p, end), *key_end = delimiter, *value, *comment;
	struct ini *ini = r->ini;
	struct entry *entry;

	if (delimiter == end || delimiter == p)
		return bus_fail(r->err, BUS_E_DATA,
				"line %zu: neither [section] nor key = value, so the planet "
				"cannot read it either; mend it",
				r->line);
	if (!ini->title_count)
		return bus_fail(r->err, BUS_E_DATA,
				"line %zu: a value before the first [section]; mend it", r->line);
	if (ini->entry_count == INI_ENTRIES_MAX)
		return bus_fail(r->err, BUS_E_DATA, "line %zu: more than %d values", r->line,
				INI_ENTRIES_MAX);
	entry = add_item((void **)&ini->entry, &ini->entry_count, &ini->entry_cap, sizeof(*entry));
	if (!entry)
		return bus_fail(r->err, BUS_E_NOMEM, "configuration: out of memory");
	p = strip(p, &key_end);
	value = strip(delimiter + 1, &end);
	comment = memchr(value, ';', (size_t)(end - value));
	if (comment && comment > value && is_blank(comment[-1])) {
		end = comment;
		value = strip(value, &end);
	}
	if (end - value == 2 && memcmp(value, "\"\"", 2) == 0)
		end = value;
	*key_end = '\0';
	*end = '\0';
	entry->section = ini->title_count - 1;
	entry->order = ini->entry_count - 1;
	entry->key = p;
	entry->value = value;
	for (; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	r->value_end = end;
	return BUS_OK;
}

/* The line moves to the end of its value, which is before it in the text. */
static void go_on(struct reader *r, const char *p, const char *end)
{
	const size_t len = (size_t)(end - p);

	*r->value_end++ = '\n';
	memmove(r->value_end, p, len);
	r->value_end += len;
	*r->value_end = '\0';
}

static bool is_remark(const char *p, const char *end)
{
	return end - p >= 3 && strncasecmp(p, "rem", 3) == 0 && (end - p == 3 || is_blank(p[3]));
}

static enum bus_code read_line(struct reader *r, char *line, char *end)
{
	char *p, *close;

	p = strip(line, &end);
	if (p == end || *p == '#' || *p == ';' || (p == line && is_remark(p, end)))
		return BUS_OK;
	if (p > line && r->value_end) {
		go_on(r, p, end);
		return BUS_OK;
	}
	close = *p == '[' ? memchr(p, ']', (size_t)(end - p)) : NULL;
	return close && close > p + 1 ? read_title(r, p + 1, close) : read_entry(r, p, end);
}

static int compare_titles(const void *a, const void *b)
{
	const struct title *x = a, *y = b;
	const int order = strcmp(x->text, y->text);

	return order ? order : x->order < y->order ? -1 : 1;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	order = strcmp(x->key, y->key);
	return order ? order : x->order < y->order ? -1 : 1;
}

/* Each title once, and the entries of all its sections together. */
static enum bus_code sort(struct ini *ini, struct bus_err *err)
{
	size_t *place = calloc(ini->title_count + 1, sizeof(*place));
	size_t i, kept = 0;

	if (!place)
		return bus_fail(err, BUS_E_NOMEM, "configuration: out of memory");
	if (ini->title_count)
		qsort(ini->title, ini->title_count, sizeof(*ini->title), compare_titles);
	for (i = 0; i < ini->title_count; i++) {
		if (!kept || strcmp(ini->title[kept - 1].text, ini->title[i].text) != 0)
			ini->title[kept++] = ini->title[i];
		place[ini->title[i].order] = kept - 1;
	}
	ini->title_count = kept;
	for (i = 0; i < ini->entry_count; i++)
		ini->entry[i].section = place[ini->entry[i].section];
	free(place);
	if (ini->entry_count)
		qsort(ini->entry, ini->entry_count, sizeof(*ini->entry), compare_entries);
	return BUS_OK;
}

static enum bus_code read_lines(struct ini *ini, char *p, char *end, struct bus_err *err)
{
	struct reader r = { .ini = ini, .err = err };
	enum bus_code rc = BUS_OK;
	char *next;

	if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	for (; p < end && !rc; p = next + 1) {
		next = memchr(p, '\n', (size_t)(end - p));
		next = next ? next : end;
		r.line++;
		if (memchr(p, '\0', (size_t)(next - p)))
			rc = bus_fail(err, BUS_E_DATA, "line %zu: a NUL byte; mend it", r.line);
		else
			rc = read_line(&r, p, next);
	}
	return rc;
}

enum bus_code ini_parse(struct ini **ret, const char *bytes, size_t len, struct bus_err *err)
{
	struct ini *ini = calloc(1, sizeof(*ini));
	enum bus_code rc;

	if (ini)
		ini->text = malloc(len + 1);
	if (!ini || !ini->text) {
		ini_free(ini);
		return bus_fail(err, BUS_E_NOMEM, "configuration: out of memory");
	}
	if (len)
		memcpy(ini->text, bytes, len);
	ini->text[len] = '\0';
	rc = read_lines(ini, ini->text, ini->text + len, err);
	if (!rc)
		rc = sort(ini, err);
	if (rc) {
		ini_free(ini);
		return rc;
	}
	*ret = ini;
	return BUS_OK;
}

void ini_free(struct ini *ini)
{
	if (!ini)
		return;
	free(ini->text);
	free(ini->title);
	free(ini->entry);
	free(ini);
}

/* -- looking things up -- */

static const char defaults[] = "DEFAULT";

static size_t find_title(const struct ini *ini, const char *title)
{
	size_t low = 0, high = ini->title_count, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = strcmp(ini->title[middle].text, title);
		if (!order)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return ini->title_count;
}

size_t ini_count(const struct ini *ini)
{
	return ini->title_count;
}

const char *ini_title(const struct ini *ini, size_t section)
{
	return ini->title[section].text;
}

size_t ini_find(const struct ini *ini, const char *title)
{
	return find_title(ini, title);
}

static int order_of(const struct entry *entry, size_t section, const char *key)
{
	if (entry->section != section)
		return entry->section < section ? -1 : 1;
	return strcmp(entry->key, key);
}

/* The last one of its key; NULL: there is none in this very section. */
static const char *find_value(const struct ini *ini, size_t section, const char *key)
{
	size_t low = 0, high = ini->entry_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (order_of(&ini->entry[middle], section, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && order_of(&ini->entry[low - 1], section, key) == 0 ? ini->entry[low - 1].value
									: NULL;
}

bool ini_has(const struct ini *ini, size_t section, const char *key)
{
	return find_value(ini, section, key) != NULL;
}

static const char *raw_value(const struct ini *ini, size_t section, const char *key)
{
	const char *value = find_value(ini, section, key);

	if (!value)
		value = find_value(ini, find_title(ini, defaults), key);
	return value ? value : strcmp(key, "__name__") == 0 ? ini->title[section].text : NULL;
}

struct expansion {
	const struct ini *ini;
	size_t section;
	struct bus_buf *out;
	unsigned int steps;
};

/* %(key)s at p: the value of that key; NULL: it is no such thing. */
static const char *take_reference(const struct expansion *x, const char **p)
{
	const char *end = strchr(*p, ')');
	char key[KEY_LEN + 1];
	size_t i, n = end ? (size_t)(end - *p) - 2 : 0;

	if (!n || n > KEY_LEN || end[1] != 's')
		return NULL;
	for (i = 0; i < n; i++) {
		key[i] = (*p)[2 + i];
		if (key[i] >= 'A' && key[i] <= 'Z')
			key[i] += 'a' - 'A';
	}
	key[n] = '\0';
	*p = end + 2;
	return raw_value(x->ini, x->section, key);
}

static bool expand(struct expansion *x, const char *value, unsigned int depth)
{
	const char *inner;

	if (depth > DEPTH_MAX || x->steps++ > STEPS_MAX)
		return false;
	for (; *value && !x->out->failed;) {
		if (value[0] == '%' && value[1] == '(') {
			inner = take_reference(x, &value);
			if (!inner || !expand(x, inner, depth + 1))
				return false;
			continue;
		}
		bus_buf_add(x->out, value, 1);
		value += value[0] == '%' && value[1] == '%' ? 2 : 1;
	}
	return !x->out->failed;
}

bool ini_get(const struct ini *ini, size_t section, const char *key, struct bus_buf *out)
{
	const char *value = raw_value(ini, section, key);
	struct bus_buf text = BUS_BUF_INIT(out->max - out->len);
	struct expansion x = { ini, section, &text, 0 };

	if (!value)
		return false;
	if (expand(&x, value, 0))
		bus_buf_add(out, text.p ? text.p : "", text.len);
	else
		bus_buf_add(out, value, strnlen(value, text.max));
	bus_buf_inherit(out, &text);
	bus_buf_finish(&text);
	return true;
}
