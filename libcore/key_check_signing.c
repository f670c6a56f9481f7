#include "config.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "key_check_private.h"
#include "proof.h"
#include "topic.h"

/* What is signed to see whether it works; nobody takes it for a checkpoint. */
static const char trial[] = "debmsg keys check\n";

struct signing {
	struct bus_key_check *c;
	struct bus_keyring *ring;
	struct bus_buf signature;
	struct bus_signer signer;
};

static bool relays(const struct bus_conf *conf)
{
	size_t i;

	for (i = 0; i < conf->service_count; i++)
		if (conf->service[i].user)
			return true;
	return false;
}

static void tell_cannot_sign(struct signing *s, enum bus_code rc, const struct bus_err *err)
{
	const struct bus_conf *conf = s->c->conf;

	bus_key_check_tell(s->c, BUS_LEVEL_ERROR, "signing-key", conf->signing_key,
			   rc == BUS_E_CONFIG
				   ? "the relay signs nothing until then; events wait in the "
				     "outboxes"
				   : "run this as the user of the relay; a passphrase is taken off "
				     "with gpg --change-passphrase",
			   "%s", err->text);
}

static enum bus_code try_to_sign(struct signing *s, bool *ret_signed, struct bus_err *err)
{
	const struct bus_conf *conf = s->c->conf;
	struct bus_key_state state;
	bool open = false;
	enum bus_code rc;

	*ret_signed = false;
	rc = bus_keyring_sign(s->ring, conf->signing_key, trial, strlen(trial), &s->signature,
			      &s->signer, err);
	if (rc == BUS_E_NOMEM)
		return rc;
	if (rc) {
		tell_cannot_sign(s, rc, err);
		return BUS_OK;
	}
	*ret_signed = true;
	rc = bus_keyring_is_open(s->ring, s->signer.subkey, &open, err);
	if (!rc)
		rc = bus_key_state(&state, s->ring, conf->signing_key, false, err);
	if (rc)
		return rc;
	if (!open)
		bus_key_check_tell(
			s->c, BUS_LEVEL_ERROR, "signing-key", s->signer.subkey,
			"take the passphrase off with gpg --change-passphrase, as the user "
			"of the relay",
			"the signing key needs a passphrase or a card, and nobody is there "
			"when the relay starts");
	bus_key_check_one(s->c, &state, BUS_LEVEL_ERROR, "signing: ", "signing-key");
	return BUS_OK;
}

/* What does a consumer with this host's trust.conf say? */
static enum bus_code check_service(struct signing *s, const struct bus_conf_service *service,
				   struct bus_err *err)
{
	char origin[BUS_ORIGIN_MAX + 1], type[BUS_KEY_MAX + 1], subject[80];
	struct bus_signer signer;
	enum bus_code rc;

	snprintf(subject, sizeof(subject), "service %s", service->name);
	/* any epoch does: trust.conf names logs without it */
	snprintf(origin, sizeof(origin), "%s/20000101T000000Z", service->origin);
	snprintf(type, sizeof(type), "org.debian.%s.%s.bus.checkpoint", s->c->conf->environment,
		 service->name);
	rc = bus_keyring_verify(s->c->ring, trial, strlen(trial), s->signature.p, s->signature.len,
				&signer, err);
	if (!rc)
		rc = bus_trust_allows(s->c->trust, s->c->ring, origin, &signer, type, err);
	if (rc && bus_code_info[rc].fate != BUS_FATE_PARK)
		return rc;
	if (!rc)
		bus_key_check_tell(s->c, BUS_LEVEL_OK, "signing-trust", subject, "",
				   "what is signed here is believed by the trust.conf of this "
				   "host");
	else
		bus_key_check_tell(
			s->c,
			rc == BUS_E_UNTRUSTED_SIGNER || rc == BUS_E_UNKNOWN_KEY ? BUS_LEVEL_WARNING
										: BUS_LEVEL_ERROR,
			"signing-trust", subject,
			"bring trust store and trust.conf up to date, here and where the "
			"events are read: debmsg keys import FILE",
			"by the trust.conf of this host nobody believes what is signed here: "
			"%s: %s",
			bus_code_info[rc].name, err->text);
	return BUS_OK;
}

enum bus_code bus_key_check_signing(struct bus_key_check *c, struct bus_err *err)
{
	const struct bus_conf *conf = c->conf;
	struct signing s = { .c = c, .signature = BUS_BUF_INIT(BUS_SIGNATURE_MAX) };
	bool signs = false;
	enum bus_code rc;
	size_t i;

	if (!conf->signing_homedir) {
		if (relays(conf))
			bus_key_check_tell(c, BUS_LEVEL_ERROR, "signing-key", conf->path,
					   "see signing in debmsg.conf(5)",
					   "there are services to relay, but no signing section");
		return BUS_OK;
	}
	rc = bus_keyring_open(&s.ring, conf->signing_homedir, err);
	if (rc == BUS_E_CONFIG) {
		bus_key_check_tell(c, BUS_LEVEL_ERROR, "signing-key", conf->signing_homedir,
				   "make the directory and a key in it as the user of the relay, "
				   "or "
				   "take signing out of debmsg.conf where nothing is relayed",
				   "%s", err->text);
		return BUS_OK;
	}
	if (!rc)
		rc = try_to_sign(&s, &signs, err);
	for (i = 0; !rc && signs && c->ring && i < conf->service_count; i++)
		if (conf->service[i].user)
			rc = check_service(&s, &conf->service[i], err);
	bus_buf_finish(&s.signature);
	bus_keyring_close(s.ring);
	return rc;
}
