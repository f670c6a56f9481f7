#include "config.h"

#include "doctor_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sign.h"
#include "timestamp.h"
#include "trust.h"

enum { LOGS_MAX = 1000 };

/* -- the key that the relay signs with -- */

/* Signs really: a key that is there may have a passphrase, or an agent that does not work. */
void bus_doctor_signing(struct bus_doctor *d)
{
	static const char check[] = "signing-key", text[] = "debmsg doctor\n";
	const struct bus_conf *conf = d->conf;
	struct bus_buf signature = BUS_BUF_INIT(65536);
	struct bus_err err = { BUS_OK, "" };
	struct bus_keyring *ring = NULL;
	struct bus_signer signer;
	enum bus_code rc;

	if (!conf->signing_homedir)
		return;
	rc = bus_keyring_open(&ring, conf->signing_homedir, &err);
	if (!rc)
		rc = bus_keyring_sign(ring, conf->signing_key, text, sizeof(text) - 1, &signature,
				      &signer, &err);
	if (!rc)
		rc = bus_keyring_verify(ring, text, sizeof(text) - 1, signature.p, signature.len,
					&signer, &err);
	if (rc)
		bus_doctor_remedy(d,
				  "see `signing` in debmsg.conf(5); the key must be there, valid, "
				  "and have no passphrase");
	bus_doctor_find(d, rc ? BUS_LEVEL_ERROR : BUS_LEVEL_OK, check, conf->signing_key, "%s",
			rc ? err.text : "signs, and what it signed verifies");
	bus_buf_finish(&signature);
	bus_keyring_close(ring);
}

/* -- the keys that this host believes -- */

struct trusted {
	struct bus_doctor *d;
	struct bus_trust *trust;
	struct bus_keyring *ring;
	struct {
		const char *name; /* borrowed from trust */
		size_t keys, good;
	} log[LOGS_MAX];
	size_t log_count;
	bool good;    /* the key at hand */
	size_t named; /* by so many logs */
};

static void add_log(void *arg, const char *log)
{
	struct trusted *t = arg;

	if (t->log_count < LOGS_MAX)
		t->log[t->log_count++].name = log;
}

static void count_key(void *arg, const char *log)
{
	struct trusted *t = arg;
	size_t i;

	t->named++;
	for (i = 0; i < t->log_count; i++)
		if (strcmp(t->log[i].name, log) == 0) {
			t->log[i].keys++;
			t->log[i].good += t->good;
		}
}

static void check_key(void *arg, const struct bus_key_info *key)
{
	const int64_t left = key->expires - bus_time_now() / 1000000;
	struct trusted *t = arg;
	struct bus_doctor *d = t->d;
	char span[32];

	t->good = !key->revoked && !key->expired && (!key->expires || left > 0);
	t->named = 0;
	bus_trust_logs_of(t->trust, key->fingerprint, count_key, t);
	if (!t->named)
		return;
	if (key->revoked) {
		bus_doctor_remedy(d, "take it out of %s when its successor is there",
				  d->conf->trust_file);
		bus_doctor_find(d, BUS_LEVEL_WARNING, "key-revoked", key->fingerprint,
				"%s: revoked, so nothing that it signed is believed", key->user_id);
	} else if (!t->good) {
		bus_doctor_remedy(d, "ask its owner for a new copy, then debmsg keys import FILE");
		bus_doctor_find(d, BUS_LEVEL_WARNING, "key-expired", key->fingerprint,
				"%s: expired, so nothing that it signed is believed", key->user_id);
	} else if (key->expires && left < BUS_DOCTOR_EXPIRY_S) {
		bus_doctor_remedy(d, "ask its owner for a new copy, then debmsg keys import FILE");
		bus_doctor_find(d, BUS_LEVEL_WARNING, "key-expired", key->fingerprint,
				"%s: expires in %s", key->user_id, bus_doctor_span(span, left));
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "key", key->fingerprint, "%s: valid",
				key->user_id);
	}
}

/* A log may have its keys by certified-by, which names none. */
static void check_logs(struct trusted *t)
{
	size_t i;

	for (i = 0; i < t->log_count; i++) {
		if (t->log[i].keys && !t->log[i].good)
			bus_doctor_remedy(t->d,
					  "debmsg keys import FILE, with the key that signs for "
					  "it now; see debmsg-trust.conf(5)");
		bus_doctor_find(t->d,
				!t->log[i].keys	 ? BUS_LEVEL_NOTE
				: t->log[i].good ? BUS_LEVEL_OK
						 : BUS_LEVEL_ERROR,
				"trust-log", t->log[i].name,
				!t->log[i].keys	 ? "no key in the store is named for it"
				: t->log[i].good ? "good keys: %zu"
						 : "none of its keys is good: nothing of it is "
						   "believed",
				t->log[i].good);
	}
}

/* Would this host believe what it sends?  Asked only of logs that its trust file names. */
static void check_own(struct trusted *t, const struct bus_conf_service *service)
{
	struct bus_signer signer = { "", "" };
	struct bus_err err = { BUS_OK, "" };
	struct bus_doctor *d = t->d;
	char origin[400], type[200];
	enum bus_code rc;
	size_t i;

	for (i = 0; i < t->log_count && strcmp(t->log[i].name, service->origin) != 0; i++)
		;
	if (i == t->log_count || !d->conf->signing_key)
		return;
	snprintf(signer.primary, sizeof(signer.primary), "%s", d->conf->signing_key);
	snprintf(signer.subkey, sizeof(signer.subkey), "%s", d->conf->signing_key);
	snprintf(origin, sizeof(origin), "%s/20260101T000000Z", service->origin);
	snprintf(type, sizeof(type), "org.debian.%s.%s.bus.checkpoint", d->conf->environment,
		 service->name);
	rc = bus_trust_allows(t->trust, t->ring, origin, &signer, type, &err);
	if (rc)
		bus_doctor_remedy(d,
				  "name the key and the types of service %s in %s, and tell the "
				  "consumers",
				  service->name, d->conf->trust_file);
	bus_doctor_find(d, rc ? BUS_LEVEL_WARNING : BUS_LEVEL_OK, "signing-trust", service->name,
			"%s", rc ? err.text : "this host believes what it sends itself");
}

void bus_doctor_keys(struct bus_doctor *d)
{
	struct trusted t = { .d = d };
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;
	size_t i;

	if (!d->conf->trust_file) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "trust-file", "",
				"no trust-file in the configuration: this host receives nothing");
		return;
	}
	rc = bus_trust_load(&t.trust, d->conf->trust_file, &err);
	if (!rc)
		rc = bus_keyring_open(&t.ring, bus_trust_homedir(t.trust), &err);
	if (!rc) {
		bus_trust_logs(t.trust, add_log, &t);
		rc = bus_keyring_each(t.ring, NULL, check_key, &t, &err);
	}
	if (rc)
		bus_doctor_remedy(d, "see debmsg-trust.conf(5)");
	bus_doctor_find(d, rc ? BUS_LEVEL_ERROR : BUS_LEVEL_OK, "trust-file", d->conf->trust_file,
			"%s", rc ? err.text : "can be read, and so can its keys");
	if (!rc) {
		check_logs(&t);
		for (i = 0; i < d->conf->service_count; i++)
			check_own(&t, &d->conf->service[i]);
	}
	bus_keyring_close(t.ring);
	bus_trust_free(t.trust);
}
