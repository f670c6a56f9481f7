#include "config.h"

#include "trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "confuse_file.h"
#include "proof.h"
#include "timestamp.h"
#include "topic.h"

struct texts {
	char **v;
	size_t n;
};

/* As with signatures (PROTOCOL section 5, step 4): so that revocation and expiry bite. */
enum { CERTIFIED_MAX = 4, CERTIFIED_S = 600 };

/* A key that carries enough certifications: GnuPG is a process for each of these. */
struct certified {
	char primary[BUS_FPR_MAX + 1];
	int64_t until; /* on bus_time_mono(); 0: free */
};

struct log {
	char *name;	   /* origin without epoch */
	struct texts keys; /* fingerprints; a trailing ! means exactly this key */
	struct texts certified_by;
	unsigned int min_certifications;
	struct texts types;
	struct certified certified[CERTIFIED_MAX];
	unsigned int next; /* the slot to be used next */
};

struct bus_trust {
	char *path, *homedir;
	struct log *log;
	size_t log_count;
};

static cfg_opt_t log_opts[] = { CFG_STR_LIST("keys", NULL, CFGF_NONE),
				CFG_STR_LIST("certified-by", NULL, CFGF_NONE),
				CFG_INT("min-certifications", 1, CFGF_NONE),
				CFG_STR_LIST("types", NULL, CFGF_NONE), CFG_END() };

static cfg_opt_t top_opts[] = {
	CFG_STR("homedir", NULL, CFGF_NONE),
	CFG_SEC("log", log_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), CFG_END()
};

static void free_texts(struct texts *texts)
{
	while (texts->n)
		free(texts->v[--texts->n]);
	free(texts->v);
}

void bus_trust_free(struct bus_trust *trust)
{
	size_t i;

	if (!trust)
		return;
	for (i = 0; i < trust->log_count; i++) {
		free(trust->log[i].name);
		free_texts(&trust->log[i].keys);
		free_texts(&trust->log[i].certified_by);
		free_texts(&trust->log[i].types);
	}
	free(trust->log);
	free(trust->path);
	free(trust->homedir);
	free(trust);
}

/* Each checks one value and writes what is kept of it; false: not acceptable. */
static bool clean_fingerprint(char out[BUS_KEY_MAX + 1], const char *text)
{
	return bus_fingerprint_clean(out, BUS_KEY_MAX + 1, text);
}

static bool clean_key(char out[BUS_KEY_MAX + 1], const char *text)
{
	char plain[BUS_KEY_MAX + 1];
	size_t len = strlen(text);
	const bool exact = len && text[len - 1] == '!';

	if (len >= sizeof(plain))
		return false;
	memcpy(plain, text, len + 1);
	if (exact)
		plain[len - 1] = '\0';
	if (!clean_fingerprint(out, plain))
		return false;
	if (exact)
		memcpy(out + strlen(out), "!", 2);
	return true;
}

static bool clean_pattern(char out[BUS_KEY_MAX + 1], const char *text)
{
	return bus_topic_expand(out, text, NULL) == BUS_OK;
}

static bool holds(const struct texts *texts, const char *value)
{
	size_t i;

	for (i = 0; i < texts->n; i++)
		if (strcmp(texts->v[i], value) == 0)
			return true;
	return false;
}

static enum bus_code load_texts(struct texts *ret, cfg_t *cfg, const char *name, const char *path,
				bool (*clean)(char out[BUS_KEY_MAX + 1], const char *text),
				const char *expected, struct bus_err *err)
{
	unsigned int n = cfg_size(cfg, name), i;
	char value[BUS_KEY_MAX + 1];

	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (!ret->v)
		return bus_fail(err, BUS_E_NOMEM, "trust: out of memory");
	for (i = 0; i < n; i++) {
		if (!clean(value, cfg_getnstr(cfg, name, i)))
			return bus_confuse_fail(cfg, path, err, "log \"%s\": %s: '%s' is not %s",
						cfg_title(cfg), name, cfg_getnstr(cfg, name, i),
						expected);
		if (holds(ret, value)) /* it must not count twice */
			continue;
		ret->v[ret->n] = strdup(value);
		if (!ret->v[ret->n++])
			return bus_fail(err, BUS_E_NOMEM, "trust: out of memory");
	}
	return BUS_OK;
}

static enum bus_code load_log(struct bus_trust *trust, cfg_t *cfg, struct bus_err *err)
{
	struct log *log = &trust->log[trust->log_count++];
	long min = cfg_getint(cfg, "min-certifications");
	enum bus_code rc;

	log->name = strdup(cfg_title(cfg));
	if (!log->name)
		return bus_fail(err, BUS_E_NOMEM, "trust: out of memory");
	if (!bus_origin_name_valid(log->name))
		return bus_confuse_fail(cfg, trust->path, err,
					"log \"%s\" is not an origin such as "
					"\"ftp-master.debian.org/dak\"",
					log->name);
	rc = load_texts(&log->keys, cfg, "keys", trust->path, clean_key,
			"a full fingerprint (a trailing ! means exactly this key)", err);
	if (!rc)
		rc = load_texts(&log->certified_by, cfg, "certified-by", trust->path,
				clean_fingerprint, "a full fingerprint (without !)", err);
	if (!rc)
		rc = load_texts(&log->types, cfg, "types", trust->path, clean_pattern,
				"a pattern such as org.debian.*.dak.#", err);
	if (rc)
		return rc;
	if (min < 1 || (log->certified_by.n && (size_t)min > log->certified_by.n))
		return bus_confuse_fail(cfg, trust->path, err,
					"log \"%s\": min-certifications must be 1 to the number of "
					"keys in certified-by",
					log->name);
	log->min_certifications = (unsigned int)min;
	return BUS_OK;
}

enum bus_code bus_trust_load(struct bus_trust **ret, const char *path, struct bus_err *err)
{
	struct bus_trust *trust = NULL;
	bool nomem = false;
	cfg_t *cfg = NULL;
	enum bus_code rc;
	unsigned int n, i;

	if (!path)
		return bus_fail(err, BUS_E_CONFIG,
				"trust: no trust-file in debmsg.conf; nobody can be believed");
	rc = bus_confuse_parse(&cfg, top_opts, path, err);
	if (rc)
		return rc;
	n = cfg_size(cfg, "log");
	trust = calloc(1, sizeof(*trust));
	if (trust) {
		trust->path = strdup(path);
		trust->homedir = bus_confuse_text(cfg, "homedir", &nomem);
		trust->log = calloc(n + 1, sizeof(*trust->log));
	}
	if (!trust || !trust->path || !trust->log || nomem) {
		rc = bus_fail(err, BUS_E_NOMEM, "trust: out of memory");
		goto out;
	}
	if (!trust->homedir || trust->homedir[0] != '/') {
		rc = bus_confuse_fail(NULL, path, err,
				      "homedir must be the absolute path of the GnuPG home with "
				      "the keys; debmsg keys import makes it");
		goto out;
	}
	for (i = 0; i < n && !rc; i++)
		rc = load_log(trust, cfg_getnsec(cfg, "log", i), err);
	if (rc)
		goto out;
	*ret = trust;
	trust = NULL;
out:
	bus_trust_free(trust);
	cfg_free(cfg);
	return rc;
}

const char *bus_trust_homedir(const struct bus_trust *trust)
{
	return trust->homedir;
}

static bool key_matches(const char *key, const struct bus_signer *signer)
{
	size_t len = strlen(key);

	if (key[len - 1] != '!')
		return strcmp(key, signer->primary) == 0;
	return strlen(signer->subkey) == len - 1 && memcmp(key, signer->subkey, len - 1) == 0;
}

static enum bus_code is_certified(struct log *log, struct bus_keyring *ring, const char *primary,
				  bool *ret, struct bus_err *err)
{
	unsigned int n = 0;
	enum bus_code rc;
	size_t i;

	for (i = 0; i < CERTIFIED_MAX; i++)
		if (log->certified[i].until > bus_time_mono() &&
		    strcmp(log->certified[i].primary, primary) == 0) {
			*ret = true;
			return BUS_OK;
		}
	rc = bus_keyring_certifications(ring, primary, (const char *const *)log->certified_by.v,
					log->certified_by.n, &n, err);
	*ret = !rc && n >= log->min_certifications;
	if (*ret) {
		i = log->next++ % CERTIFIED_MAX;
		snprintf(log->certified[i].primary, sizeof(log->certified[i].primary), "%s",
			 primary);
		log->certified[i].until = bus_time_mono() + CERTIFIED_S * 1000000LL;
	}
	return rc;
}

static enum bus_code signer_allowed(struct log *log, struct bus_keyring *ring,
				    const struct bus_signer *signer, struct bus_err *err)
{
	bool enough = false;
	enum bus_code rc;
	size_t i;

	for (i = 0; i < log->keys.n; i++)
		if (key_matches(log->keys.v[i], signer))
			return BUS_OK;
	if (log->certified_by.n) {
		rc = is_certified(log, ring, signer->primary, &enough, err);
		if (rc || enough)
			return rc;
	}
	return bus_fail(err, BUS_E_UNTRUSTED_SIGNER, "trust: key %s may not sign for log %s",
			signer->primary, log->name);
}

void bus_trust_forget(struct bus_trust *trust)
{
	size_t i;

	for (i = 0; i < trust->log_count; i++)
		memset(trust->log[i].certified, 0, sizeof(trust->log[i].certified));
}

enum bus_code bus_trust_allows(struct bus_trust *trust, struct bus_keyring *ring,
			       const char *origin, const struct bus_signer *signer,
			       const char *type, struct bus_err *err)
{
	const size_t name_len = bus_origin_name_len(origin);
	struct log *log = NULL;
	enum bus_code rc;
	size_t i;

	for (i = 0; i < trust->log_count && !log; i++)
		if (strlen(trust->log[i].name) == name_len &&
		    memcmp(trust->log[i].name, origin, name_len) == 0)
			log = &trust->log[i];
	if (!log)
		return bus_fail(err, BUS_E_UNTRUSTED_SIGNER, "trust: no section log \"%.*s\" in %s",
				(int)name_len, origin, trust->path);
	rc = signer_allowed(log, ring, signer, err);
	if (rc)
		return rc;
	for (i = 0; i < log->types.n; i++)
		if (bus_topic_match(log->types.v[i], type))
			return BUS_OK;
	return bus_fail(err, BUS_E_UNTRUSTED_SIGNER, "trust: log %s may not carry type %s",
			log->name, type);
}

void bus_trust_each(const struct bus_trust *trust,
		    void (*each)(void *arg, const struct bus_trust_log *log), void *arg)
{
	size_t i;

	for (i = 0; i < trust->log_count; i++) {
		const struct log *log = &trust->log[i];

		each(arg, &(struct bus_trust_log){
				  .name = log->name,
				  .keys = (const char *const *)log->keys.v,
				  .key_count = log->keys.n,
				  .certified_by = (const char *const *)log->certified_by.v,
				  .certifier_count = log->certified_by.n,
				  .min_certifications = log->min_certifications,
			  });
	}
}

void bus_trust_logs(const struct bus_trust *trust, void (*each)(void *arg, const char *log),
		    void *arg)
{
	size_t i;

	for (i = 0; i < trust->log_count; i++)
		each(arg, trust->log[i].name);
}

void bus_trust_logs_of(const struct bus_trust *trust, const char *fingerprint,
		       void (*each)(void *arg, const char *log), void *arg)
{
	const size_t len = strlen(fingerprint);
	size_t i, k;

	for (i = 0; i < trust->log_count; i++)
		for (k = 0; k < trust->log[i].keys.n; k++)
			if (strncmp(trust->log[i].keys.v[k], fingerprint, len) == 0)
				each(arg, trust->log[i].name);
}
