#include "config.h"

#include "key_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "key_check_private.h"
#include "sign.h"
#include "trust.h"

enum { SOON_S = 30 * 86400, RSA_BITS_GOOD = 3072, RSA_BITS_DEBIAN = 4096 };

void bus_key_check_tell(struct bus_key_check *c, enum bus_level level, const char *check,
			const char *subject, const char *remedy, const char *fmt, ...)
{
	char text[800];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->each(c->arg, &(struct bus_finding){ level, check, subject, text, remedy });
}

static const char *date_of(char out[16], long seconds)
{
	const time_t t = (time_t)seconds;
	struct tm tm;

	if (!seconds || !gmtime_r(&t, &tm) || !strftime(out, 16, "%Y-%m-%d", &tm))
		memcpy(out, "never", 6);
	return out;
}

/* -- what can be said of one key -- */

static void note_strength(struct bus_key_state *s, const struct bus_subkey_info *part)
{
	if (!part->is_rsa && !part->is_dsa)
		return;
	s->is_dsa |= part->is_dsa;
	if (!s->bits || part->bits < s->bits)
		s->bits = part->bits;
}

/* Of the parts that may sign, the one that does so longest says until when. */
static void add_part(struct bus_key_state *s, const struct bus_subkey_info *part)
{
	if (!part->can_sign || part->expired || part->revoked)
		return;
	note_strength(s, part);
	if (!s->signs || !part->expires || (s->part_until && part->expires > s->part_until))
		s->part_until = part->expires;
	s->signs = true;
}

static void fill_state(void *arg, const struct bus_key_info *key)
{
	struct bus_key_state *s = arg;
	const size_t len = strlen(s->name);
	size_t i;

	if (s->found || !key->part_count)
		return;
	s->found = true;
	s->revoked = key->revoked;
	s->expired = key->expired;
	snprintf(s->user_id, sizeof(s->user_id), "%s", key->user_id);
	note_strength(s, &key->part[0]);
	if (s->certifies) {
		s->signs = true;
		s->part_until = key->expires;
	}
	for (i = 0; i < key->part_count && !s->certifies; i++)
		if (!s->exact || strncmp(key->part[i].fingerprint, s->name, len) == 0) {
			add_part(s, &key->part[i]);
			s->revoked |= s->exact && key->part[i].revoked;
			s->expired |= s->exact && key->part[i].expired;
		}
	s->until = s->part_until;
	if (key->expires && (!s->until || key->expires < s->until))
		s->until = key->expires;
}

enum bus_code bus_key_state(struct bus_key_state *s, struct bus_keyring *ring, const char *name,
			    bool certifies, struct bus_err *err)
{
	size_t len = strlen(name);

	memset(s, 0, sizeof(*s));
	s->exact = len && name[len - 1] == '!';
	s->certifies = certifies;
	snprintf(s->name, sizeof(s->name), "%.*s", (int)(len - s->exact), name);
	return bus_keyring_each(ring, s->name, fill_state, s, err);
}

bool bus_key_usable(const struct bus_key_state *s)
{
	return s->found && !s->revoked && !s->expired && s->signs &&
	       (!s->bits || s->bits >= BUS_RSA_BITS_MIN);
}

/* Why it cannot be used.  where: "log x: ". */
static void tell_useless(struct bus_key_check *c, const struct bus_key_state *s,
			 enum bus_level level, const char *where)
{
	if (!s->found)
		bus_key_check_tell(c, level, "key-missing", s->name,
				   "get its public key from its owner, compare the fingerprint, "
				   "and "
				   "add it: debmsg keys import FILE",
				   "%sthe key is not in the trust store", where);
	else if (s->revoked)
		bus_key_check_tell(c, level, "key-revoked", s->name,
				   "take it out of trust.conf; debmsg parked list shows what it "
				   "signed "
				   "and nobody believes",
				   "%sthe key is revoked", where);
	else if (s->expired)
		bus_key_check_tell(c, level, "key-expired", s->name,
				   "import its extended public key with debmsg keys import FILE, "
				   "or "
				   "take it out of trust.conf",
				   "%sthe key has expired", where);
	else if (!s->signs)
		bus_key_check_tell(c, level, "key-signing", s->name,
				   "import a newer copy of it with debmsg keys import FILE",
				   "%sno part of the key may sign now: expired, revoked or for "
				   "other "
				   "uses",
				   where);
	else
		bus_key_check_tell(c, level, "key-weak", s->name,
				   "have it replaced: gpg --quick-generate-key NAME ed25519 sign "
				   "2y",
				   "%sthe key has %u bits, and signatures by less than %d are not "
				   "believed",
				   where, s->bits, BUS_RSA_BITS_MIN);
}

/* It can be used: for how long, and how good is it? */
static void tell_usable(struct bus_key_check *c, const struct bus_key_state *s, const char *where,
			const char *good)
{
	const bool soon = s->until && s->until < (long)time(NULL) + SOON_S;
	char date[16];

	if (soon)
		bus_key_check_tell(c, BUS_LEVEL_WARNING, "key-expired", s->name,
				   "have it extended with gpg --quick-set-expire, and the new "
				   "public "
				   "key imported by all with debmsg keys import FILE",
				   "%sthe key expires on %s, within 30 days", where,
				   date_of(date, s->until));
	if (s->bits && (s->is_dsa || s->bits < RSA_BITS_GOOD))
		bus_key_check_tell(c, BUS_LEVEL_WARNING, "key-weak", s->name,
				   "have it replaced: gpg --quick-generate-key NAME ed25519 sign "
				   "2y",
				   "%sthe key is %s of %u bits", where, s->is_dsa ? "DSA" : "RSA",
				   s->bits);
	else if (s->bits && s->bits < RSA_BITS_DEBIAN)
		bus_key_check_tell(c, BUS_LEVEL_NOTE, "key-weak", s->name,
				   "the next one should be ed25519",
				   "%sthe key is RSA of %u bits; Debian asks for %d", where,
				   s->bits, RSA_BITS_DEBIAN);
	else if (!soon)
		bus_key_check_tell(c, BUS_LEVEL_OK, good, s->name, "", "%susable, expires %s: %s",
				   where, date_of(date, s->until), s->user_id);
}

void bus_key_check_one(struct bus_key_check *c, const struct bus_key_state *s,
		       enum bus_level level_if_useless, const char *where, const char *good)
{
	if (bus_key_usable(s))
		tell_usable(c, s, where, good);
	else
		tell_useless(c, s, level_if_useless, where);
}

/* -- the trust file and its store -- */

enum bus_code bus_key_check(const struct bus_conf *conf, bus_finding_fn *each, void *arg,
			    struct bus_err *err)
{
	struct bus_key_check c = { .conf = conf, .each = each, .arg = arg };
	enum bus_code rc;

	rc = bus_trust_load(&c.trust, conf->trust_file, err);
	if (rc == BUS_E_NOMEM)
		goto out;
	if (rc)
		bus_key_check_tell(&c, BUS_LEVEL_ERROR, "trust-file",
				   conf->trust_file ? conf->trust_file : "",
				   "see debmsg-trust.conf(5); programs that run keep the old one",
				   "%s", err->text);
	else
		bus_key_check_tell(&c, BUS_LEVEL_OK, "trust-file", conf->trust_file, "",
				   "can be read");
	if (c.trust) {
		rc = bus_keyring_open(&c.ring, bus_trust_homedir(c.trust), err);
		if (rc == BUS_E_NOMEM)
			goto out;
		if (rc)
			bus_key_check_tell(&c, BUS_LEVEL_ERROR, "trust-store",
					   bus_trust_homedir(c.trust),
					   "debmsg keys import FILE makes it, as the user who "
					   "reads it",
					   "%s", err->text);
	}
	rc = c.ring ? bus_key_check_logs(&c, err) : BUS_OK;
	if (!rc)
		rc = bus_key_check_signing(&c, err);
out:
	bus_keyring_close(c.ring);
	bus_trust_free(c.trust);
	return rc;
}
