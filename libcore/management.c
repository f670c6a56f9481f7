#include "config.h"

#include "management.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "json_read.h"
#include "secret.h"

/* 10,000 queues have 20 million bytes. */
enum { ANSWER_MAX = 64 << 20, URL_MAX = 4096 };

struct bus_management {
	struct bus_http *http;
	const char *url;  /* the configuration's */
	const char *user; /* the same */
	struct bus_buf answer;
};

enum bus_code bus_management_open(struct bus_management **ret, const struct bus_conf *conf,
				  struct bus_err *err)
{
	const struct bus_conf_management *how = &conf->management;
	struct bus_http_login login = { .user = how->user, .ca_file = how->ca_file };
	struct bus_management *m = NULL;
	char *password = NULL;
	enum bus_code rc;

	if (!how->url)
		return bus_fail(err, BUS_E_NO, "management: no management section in %s",
				conf->path);
	rc = bus_http_check_url("management: url", how->url, err);
	if (!rc)
		rc = bus_secret_read(&password, how->password_file, err);
	if (rc)
		return rc;
	m = calloc(1, sizeof(*m));
	if (!m) {
		rc = bus_fail(err, BUS_E_NOMEM, "management: out of memory");
		goto out;
	}
	m->answer.max = ANSWER_MAX;
	m->url = how->url;
	m->user = how->user;
	login.password = password;
	rc = bus_http_open(&m->http, err);
	if (!rc)
		rc = bus_http_login(m->http, &login, err);
out:
	bus_secret_free(password);
	if (rc)
		bus_management_close(m);
	else
		*ret = m;
	return rc;
}

void bus_management_close(struct bus_management *m)
{
	if (!m)
		return;
	bus_http_close(m->http);
	bus_buf_finish(&m->answer);
	free(m);
}

/* RFC 3986 section 2.3: these stand for themselves. */
static void add_escaped(struct bus_buf *out, const char *segment)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *segment; segment++)
		if (strchr(plain, *segment))
			bus_buf_add(out, segment, 1);
		else
			bus_buf_printf(out, "%%%02X", (unsigned char)*segment);
}

static enum bus_code make_url(struct bus_buf *url, const struct bus_management *m,
			      const char *const *path, const char *query, struct bus_err *err)
{
	size_t len = strlen(m->url);

	while (len && m->url[len - 1] == '/')
		len--;
	bus_buf_add(url, m->url, len);
	bus_buf_puts(url, "/api");
	for (; *path; path++) {
		bus_buf_puts(url, "/");
		add_escaped(url, *path);
	}
	if (query)
		bus_buf_printf(url, "?%s", query);
	return bus_buf_check(url, "management: the url", err);
}

/* An array or whatever it is becomes the one member of an object, which bus_json_read() takes. */
static enum bus_code parse(struct bus_management *m, json_t **ret, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(ANSWER_MAX + 16);
	json_t *root = NULL;
	enum bus_code rc;

	bus_buf_puts(&text, "{\"\":");
	bus_buf_add(&text, m->answer.p ? m->answer.p : "", m->answer.len);
	bus_buf_puts(&text, "}");
	rc = bus_buf_check(&text, "management: an answer", err);
	if (!rc)
		rc = bus_json_read(&root, text.p, text.len, 0, BUS_E_UNAVAILABLE, err);
	/* one member: `{}, "x": {}` as an answer would make two */
	if (!rc && (json_object_size(root) != 1 || !json_object_get(root, "")))
		rc = bus_fail(err, BUS_E_UNAVAILABLE, "json: not one value");
	if (!rc)
		*ret = json_incref(json_object_get(root, ""));
	json_decref(root);
	bus_buf_finish(&text);
	return rc;
}

enum bus_code bus_management_get(struct bus_management *m, json_t **ret, const char *const *path,
				 const char *query, struct bus_err *err)
{
	struct bus_buf url = BUS_BUF_INIT(URL_MAX);
	struct bus_err why = { BUS_OK, "" };
	enum bus_code rc;
	long retry, status;

	rc = make_url(&url, m, path, query, err);
	if (rc)
		goto out;
	rc = bus_http_get(m->http, url.p, &m->answer, &retry, &why);
	status = bus_http_status(m->http);
	if (!rc)
		rc = parse(m, ret, &why);
	if (rc == BUS_E_UNAVAILABLE && status == 404)
		rc = BUS_E_NO;
	else if (rc == BUS_E_UNAVAILABLE && (status == 401 || status == 403))
		rc = BUS_E_CONFIG;
	if (rc == BUS_E_CONFIG)
		bus_fail(err, rc, "management: %s: not for user %s (%ld)", url.p, m->user, status);
	else if (rc)
		bus_fail(err, rc, "management: %s: %s", url.p, why.text);
out:
	bus_buf_finish(&url);
	return rc;
}

int64_t bus_management_date(const struct bus_management *m)
{
	return bus_http_date(m->http);
}

const json_t *bus_member(const json_t *object, const char *name)
{
	char part[64];
	size_t len;

	for (;;) {
		len = strcspn(name, ".");
		if (len >= sizeof(part))
			return NULL;
		memcpy(part, name, len);
		part[len] = '\0';
		object = json_object_get(object, part);
		if (!object || !name[len])
			return object;
		name += len + 1;
	}
}

const char *bus_member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(bus_member(object, name));

	return text ? text : "";
}

int64_t bus_member_int(const json_t *object, const char *name)
{
	const json_t *value = bus_member(object, name);

	if (json_is_real(value) && json_real_value(value) > -1e18 && json_real_value(value) < 1e18)
		return (int64_t)json_real_value(value);
	return json_integer_value(value);
}

bool bus_member_true(const json_t *object, const char *name)
{
	return json_is_true(bus_member(object, name));
}

const json_t *bus_member_find(const json_t *array, const char *member, const char *text)
{
	size_t i;

	for (i = 0; i < json_array_size(array); i++)
		if (strcmp(bus_member_text(json_array_get(array, i), member), text) == 0)
			return json_array_get(array, i);
	return NULL;
}
