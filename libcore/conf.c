#include "config.h"

#include "conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "confuse_file.h"
#include "event.h"
#include "proof.h"
#include "sign.h"
#include "timestamp.h"
#include "topic.h"

static cfg_opt_t broker_opts[] = {
	CFG_STR_LIST("url", NULL, CFGF_NONE), CFG_STR("password-file", NULL, CFGF_NONE),
	CFG_STR("ca-file", NULL, CFGF_NONE),  CFG_STR("cert-file", NULL, CFGF_NONE),
	CFG_STR("key-file", NULL, CFGF_NONE), CFG_END()
};

static cfg_opt_t management_opts[] = { CFG_STR("url", NULL, CFGF_NONE),
				       CFG_STR("user", NULL, CFGF_NONE),
				       CFG_STR("password-file", NULL, CFGF_NONE),
				       CFG_STR("ca-file", NULL, CFGF_NONE), CFG_END() };

static cfg_opt_t signing_opts[] = { CFG_STR("homedir", NULL, CFGF_NONE),
				    CFG_STR("key", NULL, CFGF_NONE), CFG_END() };

/* What adapters are told, and in whose section; service NULL: any. */
enum option_kind { OPTION_TEXT, OPTION_PATH, OPTION_LIST };
static const struct {
	const char *name, *service;
	enum option_kind kind;
} adapter_option[] = {
	{ "url", NULL, OPTION_TEXT },
	{ "input", NULL, OPTION_PATH },
	{ "repository-root", "alioth", OPTION_PATH },
	{ "mail-directory", "dak", OPTION_PATH },
	{ "log-directory", "dak", OPTION_PATH },
	{ "removals-file", "dak", OPTION_PATH },
	{ "heidi-file", "dak", OPTION_PATH },
	{ "dists-directory", "dak", OPTION_PATH },
	{ "trace-file", "dak", OPTION_PATH },
	{ "dinstall-status-file", "dak", OPTION_PATH },
	{ "private-queues", "dak", OPTION_LIST },
	{ "moin-data-directory", "wiki", OPTION_PATH },
	{ "rcfeed-address", "wiki", OPTION_TEXT },
	{ "api-url", "wiki", OPTION_TEXT },
	{ "feed-file", "planet", OPTION_PATH },
	{ "config-file", "planet", OPTION_PATH },
};
enum { OPTION_COUNT = sizeof(adapter_option) / sizeof(*adapter_option) };

/* The last ones are the table's (add_adapter_options()). */
enum { SERVICE_OPTION_COUNT = 6 };
static cfg_opt_t service_opts[SERVICE_OPTION_COUNT + OPTION_COUNT + 1] = {
	CFG_STR("origin", NULL, CFGF_NONE),	   CFG_STR("user", NULL, CFGF_NONE),
	CFG_STR("password-file", NULL, CFGF_NONE), CFG_STR("cert-file", NULL, CFGF_NONE),
	CFG_STR("key-file", NULL, CFGF_NONE),	   CFG_STR("keep", "365d", CFGF_NONE),
};

static cfg_opt_t top_opts[] = { CFG_STR("environment", NULL, CFGF_NONE),
				CFG_STR("state-directory", NULL, CFGF_NONE),
				CFG_STR("trust-file", NULL, CFGF_NONE),
				CFG_INT("max-event-size", BUS_BODY_MAX_DEFAULT, CFGF_NONE),
				CFG_SEC("broker", broker_opts, CFGF_NODEFAULT),
				CFG_SEC("management", management_opts, CFGF_NODEFAULT),
				CFG_SEC("signing", signing_opts, CFGF_NODEFAULT),
				CFG_SEC("service", service_opts,
					CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
				CFG_END() };

static void add_adapter_options(void)
{
	static const cfg_opt_t end = CFG_END();
	size_t i;

	for (i = 0; i < OPTION_COUNT; i++) {
		const cfg_opt_t opt = CFG_STR_LIST(adapter_option[i].name, NULL, CFGF_NONE);

		service_opts[SERVICE_OPTION_COUNT + i] = opt;
	}
	service_opts[SERVICE_OPTION_COUNT + i] = end;
}

static void free_list(char **list)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void bus_conf_free(struct bus_conf *conf)
{
	size_t i, j;

	if (!conf)
		return;
	for (i = 0; i < conf->broker.url_count; i++)
		free(conf->broker.url[i]);
	free(conf->broker.url);
	free(conf->broker.password_file);
	free(conf->broker.ca_file);
	free(conf->broker.cert_file);
	free(conf->broker.key_file);
	free(conf->management.url);
	free(conf->management.user);
	free(conf->management.password_file);
	free(conf->management.ca_file);
	for (i = 0; i < conf->service_count; i++) {
		free(conf->service[i].name);
		free(conf->service[i].origin);
		free(conf->service[i].user);
		free(conf->service[i].password_file);
		free(conf->service[i].cert_file);
		free(conf->service[i].key_file);
		for (j = 0; conf->service[i].option && j < OPTION_COUNT; j++)
			free_list(conf->service[i].option[j]);
		free(conf->service[i].option);
	}
	free(conf->service);
	free(conf->path);
	free(conf->environment);
	free(conf->state_directory);
	free(conf->trust_file);
	free(conf->signing_homedir);
	free(conf->signing_key);
	free(conf);
}

/* A url says where and who, never the secret: that would show up in logs and in ps. */
static enum bus_code check_url(cfg_t *cfg, const char *path, const char *url, struct bus_err *err)
{
	const char *at = strrchr(url, '@'), *scheme_end = strstr(url, "://");
	const char *host = scheme_end ? scheme_end + 3 : url;

	/* First, and without showing it: whatever else is wrong, this must not be printed. */
	if (at && at > host && memchr(host, ':', (size_t)(at - host)))
		return bus_confuse_fail(cfg, path, err,
					"a url holds a password; put it into a file of mode 0600 "
					"and name that as password-file");
	if (strncmp(url, "amqp://", 7) != 0 && strncmp(url, "amqps://", 8) != 0)
		return bus_confuse_fail(cfg, path, err,
					"url '%s' is not amqps://user@host/debmsg (or amqp://)",
					url);
	if (!at || at <= host)
		return bus_confuse_fail(cfg, path, err, "url '%s' names no user (user@host)", url);
	return BUS_OK;
}

static enum bus_code load_broker(struct bus_conf *conf, cfg_t *cfg, struct bus_err *err)
{
	struct bus_conf_broker *broker = &conf->broker;
	unsigned int n = cfg_size(cfg, "url"), i;
	bool nomem = false;
	enum bus_code rc;

	if (!n)
		return bus_confuse_fail(cfg, conf->path, err, "broker has no url");
	broker->url = calloc(n, sizeof(*broker->url));
	for (i = 0; broker->url && i < n; i++) {
		rc = check_url(cfg, conf->path, cfg_getnstr(cfg, "url", i), err);
		if (rc)
			return rc;
		broker->url[i] = strdup(cfg_getnstr(cfg, "url", i));
		nomem = nomem || !broker->url[i];
		broker->url_count++;
	}
	broker->password_file = bus_confuse_text(cfg, "password-file", &nomem);
	broker->ca_file = bus_confuse_text(cfg, "ca-file", &nomem);
	broker->cert_file = bus_confuse_text(cfg, "cert-file", &nomem);
	broker->key_file = bus_confuse_text(cfg, "key-file", &nomem);
	if (nomem || !broker->url)
		return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	if (!broker->cert_file != !broker->key_file)
		return bus_confuse_fail(cfg, conf->path, err,
					"broker has only one of cert-file and key-file");
	return BUS_OK;
}

/*
 * The url is checked where it is used (http.h), apart from what must not stand in
 * this file.
 */
static enum bus_code load_management(struct bus_conf *conf, cfg_t *cfg, struct bus_err *err)
{
	struct bus_conf_management *m = &conf->management;
	bool nomem = false;

	m->url = bus_confuse_text(cfg, "url", &nomem);
	m->user = bus_confuse_text(cfg, "user", &nomem);
	m->password_file = bus_confuse_text(cfg, "password-file", &nomem);
	m->ca_file = bus_confuse_text(cfg, "ca-file", &nomem);
	if (nomem)
		return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	if (!m->url || !m->user || !m->password_file)
		return bus_confuse_fail(cfg, conf->path, err,
					"management needs url, user and password-file");
	if (strchr(m->url, '@'))
		return bus_confuse_fail(cfg, conf->path, err,
					"management: the url holds a user or a password; name them "
					"as "
					"user and password-file");
	if (strncmp(m->url, "https://", 8) != 0 && strncmp(m->url, "http://", 7) != 0)
		return bus_confuse_fail(cfg, conf->path, err,
					"management: url '%s' is not https://host:15671 (or "
					"http://127.0.0.1:15672)",
					m->url);
	return BUS_OK;
}

static enum bus_code load_signing(struct bus_conf *conf, cfg_t *cfg, struct bus_err *err)
{
	char key[BUS_FPR_MAX + 1];
	bool nomem = false;

	conf->signing_homedir = bus_confuse_text(cfg, "homedir", &nomem);
	if (nomem)
		return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	if (!conf->signing_homedir || !cfg_getstr(cfg, "key"))
		return bus_confuse_fail(cfg, conf->path, err, "signing needs homedir and key");
	if (!bus_fingerprint_clean(key, sizeof(key), cfg_getstr(cfg, "key")))
		return bus_confuse_fail(cfg, conf->path, err,
					"signing: key '%s' is not a full fingerprint; see gpg "
					"--homedir %s --list-secret-keys --with-colons",
					cfg_getstr(cfg, "key"), conf->signing_homedir);
	conf->signing_key = strdup(key);
	return conf->signing_key ? BUS_OK : bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
}

/* Option i of the table, as it stands in the file. */
static enum bus_code check_option(const struct bus_conf *conf, cfg_t *cfg, size_t i,
				  struct bus_err *err)
{
	const char *name = adapter_option[i].name, *owner = adapter_option[i].service;
	const char *service = cfg_title(cfg);

	if (owner && strcmp(owner, service) != 0)
		return bus_confuse_fail(cfg, conf->path, err,
					"service \"%s\": %s is an option of service \"%s\"",
					service, name, owner);
	if (adapter_option[i].kind != OPTION_LIST && cfg_size(cfg, name) > 1)
		return bus_confuse_fail(cfg, conf->path, err,
					"service \"%s\": %s has one value, not a list", service,
					name);
	if (adapter_option[i].kind == OPTION_PATH && cfg_getnstr(cfg, name, 0)[0] != '/')
		return bus_confuse_fail(cfg, conf->path, err,
					"service \"%s\": %s is not an absolute path", service,
					name);
	return BUS_OK;
}

static enum bus_code load_options(const struct bus_conf *conf, struct bus_conf_service *s,
				  cfg_t *cfg, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	unsigned int n, j;
	size_t i;

	s->option = calloc(OPTION_COUNT, sizeof(*s->option));
	for (i = 0; s->option && i < OPTION_COUNT && !rc; i++) {
		n = cfg_size(cfg, adapter_option[i].name);
		if (!n)
			continue;
		rc = check_option(conf, cfg, i, err);
		s->option[i] = calloc(n + 1, sizeof(**s->option));
		for (j = 0; s->option[i] && j < n; j++) {
			s->option[i][j] = strdup(cfg_getnstr(cfg, adapter_option[i].name, j));
			if (!s->option[i][j])
				return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
		}
		if (!s->option[i])
			return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	}
	return s->option ? rc : bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
}

/* How long confirmed events stay in the outbox; "forever" is 0. */
static enum bus_code load_keep(const struct bus_conf *conf, struct bus_conf_service *s, cfg_t *cfg,
			       struct bus_err *err)
{
	const char *keep = cfg_getstr(cfg, "keep");

	if (!keep) /* as in load_top() */
		return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	if (strcmp(keep, "forever") == 0)
		return BUS_OK;
	if (bus_age_parse(&s->keep_us, keep) && s->keep_us >= 86400 * 1000000LL)
		return BUS_OK;
	return bus_confuse_fail(cfg, conf->path, err,
				"service \"%s\": keep is \"forever\" or a time such as \"365d\", "
				"at least a day",
				s->name);
}

static enum bus_code load_service(struct bus_conf *conf, cfg_t *cfg, struct bus_err *err)
{
	struct bus_conf_service *s = &conf->service[conf->service_count++];
	bool nomem = false;
	enum bus_code rc;

	s->name = strdup(cfg_title(cfg));
	s->origin = bus_confuse_text(cfg, "origin", &nomem);
	s->user = bus_confuse_text(cfg, "user", &nomem);
	s->password_file = bus_confuse_text(cfg, "password-file", &nomem);
	s->cert_file = bus_confuse_text(cfg, "cert-file", &nomem);
	s->key_file = bus_confuse_text(cfg, "key-file", &nomem);
	if (nomem || !s->name)
		return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	if (!bus_service_valid(s->name))
		return bus_confuse_fail(cfg, conf->path, err,
					"service \"%s\": a name is one word of a-z, 0-9, - and _",
					s->name);
	if (!s->cert_file != !s->key_file)
		return bus_confuse_fail(cfg, conf->path, err,
					"service \"%s\" has only one of cert-file and key-file",
					s->name);
	if (!s->origin || !bus_origin_name_valid(s->origin))
		return bus_confuse_fail(cfg, conf->path, err,
					"service \"%s\" needs an origin such as "
					"\"ftp-master.debian.org/dak\"",
					s->name);
	rc = load_keep(conf, s, cfg, err);
	return rc ? rc : load_options(conf, s, cfg, err);
}

static enum bus_code load_services(struct bus_conf *conf, cfg_t *cfg, struct bus_err *err)
{
	unsigned int n = cfg_size(cfg, "service"), i;
	enum bus_code rc = BUS_OK;
	size_t a, b;

	conf->service = calloc(n + 1, sizeof(*conf->service));
	if (!conf->service)
		return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	for (i = 0; i < n && !rc; i++)
		rc = load_service(conf, cfg_getnsec(cfg, "service", i), err);
	for (a = 0; !rc && a < n; a++)
		for (b = a + 1; !rc && b < n; b++)
			if (strcmp(conf->service[a].origin, conf->service[b].origin) == 0)
				rc = bus_confuse_fail(cfg_getnsec(cfg, "service", (unsigned int)b),
						      conf->path, err,
						      "origin \"%s\" is used twice; every log "
						      "needs its own",
						      conf->service[b].origin);
	return rc;
}

static enum bus_code load_top(struct bus_conf *conf, cfg_t *cfg, struct bus_err *err)
{
	long size = cfg_getint(cfg, "max-event-size");
	bool nomem = false;

	conf->environment = bus_confuse_text(cfg, "environment", &nomem);
	conf->state_directory = bus_confuse_text(cfg, "state-directory", &nomem);
	conf->trust_file = bus_confuse_text(cfg, "trust-file", &nomem);
	/* what has a default is there, or libconfuse found no memory for that */
	if (nomem || !cfg_size(cfg, "max-event-size"))
		return bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
	if (!conf->environment || !bus_environment_valid(conf->environment))
		return bus_confuse_fail(NULL, conf->path, err,
					"environment must be production, stg or dev");
	if (!conf->state_directory || conf->state_directory[0] != '/')
		return bus_confuse_fail(NULL, conf->path, err,
					"state-directory must be an absolute path, such as "
					"/var/lib/debmsg");
	if (size < 1024 || size > BUS_BODY_MAX_CEILING)
		return bus_confuse_fail(NULL, conf->path, err,
					"max-event-size must be 1024 to %d bytes",
					BUS_BODY_MAX_CEILING);
	conf->max_event_size = (size_t)size;
	return BUS_OK;
}

enum bus_code bus_conf_load(struct bus_conf **ret, const char *path, struct bus_err *err)
{
	struct bus_conf *conf = NULL;
	cfg_t *cfg = NULL;
	enum bus_code rc;

	if (!path)
		path = getenv("DEBMSG_CONF");
	if (!path || !*path)
		path = SYSCONFDIR "/debmsg/debmsg.conf";
	add_adapter_options();
	rc = bus_confuse_parse(&cfg, top_opts, path, err);
	if (rc)
		return rc;
	conf = calloc(1, sizeof(*conf));
	if (conf)
		conf->path = strdup(path);
	if (!conf || !conf->path) {
		rc = bus_fail(err, BUS_E_NOMEM, "conf: out of memory");
		goto out;
	}
	rc = load_top(conf, cfg, err);
	/* cfg_getsec() would need memory, and say that there is no such section */
	if (!rc && cfg_size(cfg, "broker"))
		rc = load_broker(conf, cfg_getnsec(cfg, "broker", 0), err);
	if (!rc && cfg_size(cfg, "management"))
		rc = load_management(conf, cfg_getnsec(cfg, "management", 0), err);
	if (!rc && cfg_size(cfg, "signing"))
		rc = load_signing(conf, cfg_getnsec(cfg, "signing", 0), err);
	if (!rc)
		rc = load_services(conf, cfg, err);
	if (rc)
		goto out;
	*ret = conf;
	conf = NULL;
out:
	bus_conf_free(conf);
	cfg_free(cfg);
	return rc;
}

enum bus_code bus_conf_service(const struct bus_conf *conf, const char *name,
			       const struct bus_conf_service **ret, struct bus_err *err)
{
	size_t i;

	for (i = 0; i < conf->service_count; i++)
		if (strcmp(conf->service[i].name, name) == 0) {
			*ret = &conf->service[i];
			return BUS_OK;
		}
	return bus_fail(err, BUS_E_CONFIG,
			"%s: no section service \"%s\"; add one, see "
			"debmsg.conf(5)",
			conf->path, name);
}

char *const *bus_conf_option_list(const struct bus_conf_service *service, const char *name)
{
	size_t i;

	for (i = 0; i < OPTION_COUNT; i++)
		if (strcmp(adapter_option[i].name, name) == 0)
			return service->option[i];
	return NULL;
}

const char *bus_conf_option(const struct bus_conf_service *service, const char *name)
{
	char *const *list = bus_conf_option_list(service, name);

	return list ? list[0] : NULL;
}

char *bus_conf_outbox_dir(const struct bus_conf *conf, const char *service)
{
	char *path;

	return asprintf(&path, "%s/outbox/%s", conf->state_directory, service) < 0 ? NULL : path;
}
