#include "config.h"

#include "handler_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json_read.h"

/* One that was made: name and value in the text, by position, since that moves as it grows. */
struct variable {
	size_t at, len; /* "NAME=value", without the NUL */
	size_t name_len;
	const char *text; /* set when the text moves no more */
	bool left_out;
};

struct list {
	struct bus_buf text; /* strings, each with its NUL */
	struct variable *items;
	size_t count, cap;
	bool failed;
};

static void add(struct list *list, const char *prefix, const char *name, const char *value,
		size_t len)
{
	struct variable v = { .at = list->text.len };
	struct variable *items;
	const char *p;
	char c;

	if (len > BUS_HANDLER_VALUE_MAX || memchr(value, '\0', len))
		return;
	if (list->count == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 32;
		items = realloc(list->items, list->cap * sizeof(*items));
		if (!items) {
			list->failed = true;
			list->cap = list->count;
			return;
		}
		list->items = items;
	}
	bus_buf_puts(&list->text, prefix);
	for (p = name; *p; p++) {
		c = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
		bus_buf_add(&list->text, &c, 1);
	}
	v.name_len = list->text.len - v.at;
	bus_buf_add(&list->text, "=", 1);
	bus_buf_add(&list->text, value, len);
	v.len = list->text.len - v.at;
	bus_buf_add(&list->text, "", 1);
	list->items[list->count++] = v;
}

static void add_text(struct list *list, const char *name, const char *value)
{
	if (value)
		add(list, "DEBMSG_", name, value, strlen(value));
}

static bool is_name(const char *name)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *name && strchr(first, *name) && !name[strspn(name, all)] &&
	       strlen(name) <= BUS_HANDLER_VALUE_MAX / 10;
}

/* The shortest decimal that is this number again. */
static void add_real(struct list *list, const char *name, const json_t *value)
{
	char text[64];
	size_t len = 0;
	int digits;

	for (digits = 15; digits <= 17; digits++) {
		len = json_dumpb(value, text, sizeof(text) - 1,
				 JSON_ENCODE_ANY | JSON_REAL_PRECISION((size_t)digits));
		if (!len || len >= sizeof(text))
			return;
		text[len] = '\0';
		if (strtod(text, NULL) == json_real_value(value))
			break;
	}
	add(list, "DEBMSG_DATA_", name, text, len);
}

static void add_member(struct list *list, const char *name, const json_t *value)
{
	char text[32];
	int len;

	switch (json_typeof(value)) {
	case JSON_STRING:
		add(list, "DEBMSG_DATA_", name, json_string_value(value),
		    json_string_length(value));
		break;
	case JSON_INTEGER:
		len = snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
			       json_integer_value(value));
		add(list, "DEBMSG_DATA_", name, text, (size_t)len);
		break;
	case JSON_REAL:
		add_real(list, name, value);
		break;
	case JSON_TRUE:
		add(list, "DEBMSG_DATA_", name, "true", 4);
		break;
	case JSON_FALSE:
		add(list, "DEBMSG_DATA_", name, "false", 5);
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
	case JSON_NULL:
		break;
	}
}

static enum bus_code add_data(struct list *list, const struct bus_message *m, struct bus_err *err)
{
	json_t *root = NULL, *value;
	const char *name;
	enum bus_code rc;

	rc = bus_json_read(&root, m->body, m->body_len, 0, BUS_E_MALFORMED_EVENT, err);
	if (rc)
		return rc;
	json_object_foreach(json_object_get(root, "data"), name, value) if (is_name(name))
		add_member(list, name, value);
	json_decref(root);
	return BUS_OK;
}

static int by_name(const void *one, const void *two)
{
	const struct variable *a = one, *b = two;
	const size_t len = a->name_len < b->name_len ? a->name_len : b->name_len;
	int d = memcmp(a->text, b->text, len);

	if (!d && a->name_len != b->name_len)
		d = a->name_len < b->name_len ? -1 : 1;
	if (!d)
		d = a->at < b->at ? -1 : a->at > b->at;
	return d;
}

static int by_size(const void *one, const void *two)
{
	const struct variable *a = one, *b = two;

	return a->len > b->len ? -1 : a->len < b->len;
}

/* What exec(2) counts for one string: the bytes, the NUL, and the pointer to it. */
static size_t cost(size_t len)
{
	return len + 1 + sizeof(char *);
}

static bool inherited(const char *variable)
{
	return strncmp(variable, "DEBMSG_", 7) != 0 || strncmp(variable, "DEBMSG_CONF=", 12) == 0;
}

/* How much of the event's text there is room for. */
static size_t room_for(char *const *argv, size_t *ret_inherited)
{
	const long max = sysconf(_SC_ARG_MAX);
	size_t used = 8192; /* for what the kernel adds, and a script's interpreter */
	size_t room = max > 0 ? (size_t)max : 128 * 1024;
	char *const *p;

	for (p = argv; *p; p++)
		used += cost(strlen(*p));
	for (p = environ; *p; p++)
		if (inherited(*p)) {
			used += cost(strlen(*p));
			++*ret_inherited;
		}
	room = room > used ? room - used : 0;
	return room < BUS_HANDLER_ENV_MAX ? room : BUS_HANDLER_ENV_MAX;
}

static void leave_out(struct list *list, size_t room)
{
	size_t i, total = 0;

	for (i = 0; i < list->count; i++)
		list->items[i].text = list->text.p + list->items[i].at;
	qsort(list->items, list->count, sizeof(*list->items), by_name);
	for (i = 0; i < list->count; i++) {
		struct variable *v = &list->items[i];

		if (i && v[-1].name_len == v->name_len &&
		    memcmp(v[-1].text, v->text, v->name_len) == 0)
			v->left_out = true;
		else
			total += cost(v->len);
	}
	if (total <= room)
		return;
	qsort(list->items, list->count, sizeof(*list->items), by_size);
	for (i = 0; i < list->count && total > room; i++)
		if (!list->items[i].left_out) {
			list->items[i].left_out = true;
			total -= cost(list->items[i].len);
		}
}

static enum bus_code collect(struct list *list, const struct bus_event *ev,
			     const struct bus_message *m, bool unsure, struct bus_err *err)
{
	char id[24];

	snprintf(id, sizeof(id), "%llu", (unsigned long long)ev->id);
	add_text(list, "TYPE", ev->type);
	add_text(list, "SUBJECT", ev->subject);
	add_text(list, "SOURCE", ev->source);
	add_text(list, "ID", id);
	add_text(list, "TIME", ev->time);
	add_text(list, "SUMMARY", ev->summary);
	add_text(list, "URL", ev->url);
	add_text(list, "RETRY", unsure ? "1" : NULL);
	return add_data(list, m, err);
}

enum bus_code bus_handler_env(char ***ret, char *const *argv, const struct bus_event *ev,
			      const struct bus_message *m, bool unsure, struct bus_err *err)
{
	/* names grow by the prefix only, so this cannot be hit by any body */
	struct list list = { .text = BUS_BUF_INIT(32 * BUS_BODY_MAX_CEILING) };
	size_t count = 0, i, room;
	char **env = NULL, *const * p;
	enum bus_code rc;

	rc = collect(&list, ev, m, unsure, err);
	if (rc)
		goto out;
	room = room_for(argv, &count);
	if (!list.failed && !list.text.failed) {
		leave_out(&list, room);
		env = malloc((count + list.count + 1) * sizeof(*env) + list.text.len);
	}
	if (!env) {
		rc = bus_fail(err, BUS_E_NOMEM, "handler: out of memory");
		goto out;
	}
	*ret = env;
	memcpy(env + count + list.count + 1, list.text.p, list.text.len);
	for (p = environ; *p; p++)
		if (inherited(*p))
			*env++ = *p;
	for (i = 0; i < list.count; i++)
		if (!list.items[i].left_out)
			*env++ = (char *)(*ret + count + list.count + 1) + list.items[i].at;
	*env = NULL;
out:
	free(list.items);
	bus_buf_finish(&list.text);
	return rc;
}
