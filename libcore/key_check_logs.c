#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "key_check_private.h"

struct logs {
	struct bus_key_check *c;
	struct bus_buf store;	  /* the fingerprints of all keys of the store, each with its NUL */
	struct bus_buf certified; /* those that some log takes for their certifications */
	enum bus_code rc;
	struct bus_err *err;
};

static const char *next_name(const struct bus_buf *names, const char *name)
{
	name = name ? name + strlen(name) + 1 : names->p;
	return name && name < names->p + names->len ? name : NULL;
}

/* -- one log: its keys -- */

static enum bus_code states_of(struct bus_key_state **ret, struct bus_keyring *ring,
			       const char *const *name, size_t count, bool certifies,
			       unsigned int *ret_usable, struct bus_err *err)
{
	struct bus_key_state *state = calloc(count + 1, sizeof(*state));
	enum bus_code rc = BUS_OK;
	size_t i;

	if (!state)
		return bus_fail(err, BUS_E_NOMEM, "keys: out of memory");
	*ret_usable = 0;
	for (i = 0; !rc && i < count; i++) {
		rc = bus_key_state(&state[i], ring, name[i], certifies, err);
		*ret_usable += !rc && bus_key_usable(&state[i]);
	}
	*ret = state;
	return rc;
}

/* How many keys of the store carry enough certifications for this log and can sign? */
static enum bus_code count_certified(struct logs *l, const struct bus_trust_log *log,
				     const char *where, unsigned int *ret)
{
	struct bus_key_state state;
	const char *name = NULL;
	enum bus_code rc;
	unsigned int n;

	*ret = 0;
	while ((name = next_name(&l->store, name))) {
		rc = bus_keyring_certifications(l->c->ring, name, log->certified_by,
						log->certifier_count, &n, l->err);
		if (!rc && n < log->min_certifications)
			continue;
		if (!rc)
			rc = bus_key_state(&state, l->c->ring, name, false, l->err);
		if (rc)
			return rc;
		bus_buf_add(&l->certified, name, strlen(name) + 1);
		bus_key_check_one(l->c, &state, BUS_LEVEL_WARNING, where, "key");
		*ret += bus_key_usable(&state);
	}
	return bus_buf_check(&l->certified, "keys", l->err);
}

static enum bus_code check_certifiers(struct logs *l, const struct bus_trust_log *log, bool has_key,
				      const char *where)
{
	struct bus_key_state *state = NULL;
	unsigned int usable = 0, certified = 0;
	enum bus_level level;
	enum bus_code rc;
	size_t i;

	rc = states_of(&state, l->c->ring, log->certified_by, log->certifier_count, true, &usable,
		       l->err);
	level = has_key || usable >= log->min_certifications ? BUS_LEVEL_WARNING : BUS_LEVEL_ERROR;
	for (i = 0; !rc && i < log->certifier_count; i++)
		bus_key_check_one(l->c, &state[i], level, where, "key");
	if (!rc && usable < log->min_certifications)
		bus_key_check_tell(l->c, level, "key-certifications", log->name,
				   "import the certifiers' public keys, or name others in "
				   "certified-by",
				   "%s%u certifications are asked for, but only %u of %zu keys in "
				   "certified-by can give one",
				   where, log->min_certifications, usable, log->certifier_count);
	else if (!rc)
		rc = count_certified(l, log, where, &certified);
	if (!rc && usable >= log->min_certifications && !certified)
		bus_key_check_tell(l->c, has_key ? BUS_LEVEL_NOTE : BUS_LEVEL_ERROR,
				   "key-certifications", log->name,
				   "have the service's key certified, and import it again with its "
				   "certifications: debmsg keys import FILE",
				   "%sno usable key of the store carries %u certifications by "
				   "certified-by",
				   where, log->min_certifications);
	free(state);
	return rc;
}

static enum bus_code check_log(struct logs *l, const struct bus_trust_log *log)
{
	struct bus_key_state *state = NULL;
	unsigned int usable = 0;
	enum bus_level level;
	char where[300];
	enum bus_code rc;
	size_t i;

	snprintf(where, sizeof(where), "log %s: ", log->name);
	if (!log->key_count && !log->certifier_count) {
		bus_key_check_tell(l->c, BUS_LEVEL_WARNING, "key-missing", log->name,
				   "name its keys in trust.conf",
				   "%sno keys and no certified-by: nothing of it is believed",
				   where);
		return BUS_OK;
	}
	rc = states_of(&state, l->c->ring, log->keys, log->key_count, false, &usable, l->err);
	/* with certified-by, check_certifiers() says whether anybody is left */
	level = usable || log->certifier_count ? BUS_LEVEL_WARNING : BUS_LEVEL_ERROR;
	for (i = 0; !rc && i < log->key_count; i++)
		bus_key_check_one(l->c, &state[i], level, where, "key");
	if (!rc && log->certifier_count)
		rc = check_certifiers(l, log, usable > 0, where);
	free(state);
	return rc;
}

static void each_log(void *arg, const struct bus_trust_log *log)
{
	struct logs *l = arg;

	if (!l->rc)
		l->rc = check_log(l, log);
}

/* -- the store: keys that nobody asked for -- */

struct search {
	const struct bus_key_info *key;
	bool found;
};

static bool is_part(const struct bus_key_info *key, const char *name)
{
	size_t i;

	for (i = 0; i < key->part_count; i++)
		if (strncmp(key->part[i].fingerprint, name, strcspn(name, "!")) == 0)
			return true;
	return false;
}

static void look_in_log(void *arg, const struct bus_trust_log *log)
{
	struct search *s = arg;
	size_t i;

	for (i = 0; i < log->key_count; i++)
		s->found |= is_part(s->key, log->keys[i]);
	for (i = 0; i < log->certifier_count; i++)
		s->found |= is_part(s->key, log->certified_by[i]);
}

static void tell_unnamed(void *arg, const struct bus_key_info *key)
{
	struct search search = { key, false };
	const char *name = NULL;
	struct logs *l = arg;

	bus_trust_each(l->c->trust, look_in_log, &search);
	while (!search.found && (name = next_name(&l->certified, name)))
		search.found = strcmp(name, key->fingerprint) == 0;
	if (!search.found)
		bus_key_check_tell(l->c, BUS_LEVEL_NOTE, "key-unnamed", key->fingerprint,
				   "if it is to sign, name it in a log section of trust.conf",
				   "no log knows this key, so it has no rights: %s", key->user_id);
}

static void add_to_store(void *arg, const struct bus_key_info *key)
{
	bus_buf_add(arg, key->fingerprint, strlen(key->fingerprint) + 1);
}

enum bus_code bus_key_check_logs(struct bus_key_check *c, struct bus_err *err)
{
	struct logs l = { c, BUS_BUF_INIT(1 << 20), BUS_BUF_INIT(1 << 20), BUS_OK, err };

	l.rc = bus_keyring_each(c->ring, NULL, add_to_store, &l.store, err);
	if (!l.rc)
		l.rc = bus_buf_check(&l.store, "keys", err);
	if (!l.rc)
		bus_trust_each(c->trust, each_log, &l);
	if (!l.rc)
		l.rc = bus_keyring_each(c->ring, NULL, tell_unnamed, &l, err);
	bus_buf_finish(&l.store);
	bus_buf_finish(&l.certified);
	return l.rc;
}
