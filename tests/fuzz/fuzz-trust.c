#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "place.h"
#include "proof.h"
#include "trust.h"

static bool is_fingerprint(const char *text, bool exact_too)
{
	const size_t len = strspn(text, "0123456789ABCDEF");

	return (len == 40 || len == 64) &&
	       (!text[len] || (exact_too && strcmp(text + len, "!") == 0));
}

/* Whom the section trusts is trusted for it, and for no log whose name only begins the same. */
static void check_key(struct bus_trust *trust, const struct bus_trust_log *log, const char *key)
{
	struct bus_signer signer = { "", "" };
	char origin[BUS_ORIGIN_MAX + 100];
	size_t len = strspn(key, "0123456789ABCDEF");

	memcpy(signer.primary, key, len);
	memcpy(signer.subkey, key, len);
	snprintf(origin, sizeof(origin), "%s.evil/20261122T101500Z", log->name);
	MUST(bus_trust_allows(trust, NULL, origin, &signer, "org.debian.dev.dak.upload.accept",
			      NULL) != BUS_OK ||
	     strstr(log->name, ".evil"));
}

struct walk {
	struct bus_trust *trust;
	size_t logs;
	bool certified; /* a section asks for certifications, and there is no keyring here */
};

static void look_for_certifiers(void *arg, const struct bus_trust_log *log)
{
	struct walk *walk = arg;

	walk->certified = walk->certified || log->certifier_count;
}

static void check_log(void *arg, const struct bus_trust_log *log)
{
	struct walk *walk = arg;
	size_t i;

	walk->logs++;
	MUST(bus_origin_name_valid(log->name));
	MUST(log->min_certifications >= 1);
	MUST(!log->certifier_count || log->min_certifications <= log->certifier_count);
	for (i = 0; i < log->key_count; i++) {
		MUST(is_fingerprint(log->keys[i], true));
		if (walk->logs < 3 && i < 3 && !walk->certified)
			check_key(walk->trust, log, log->keys[i]);
	}
	for (i = 0; i < log->certifier_count; i++)
		MUST(is_fingerprint(log->certified_by[i], false));
}

/* The input: a file that should be trust.conf. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_err err = { BUS_OK, "" }, again_err = { BUS_OK, "" };
	struct bus_trust *trust = NULL, *again = NULL;
	const char *path = fuzz_bytes(bytes, len);
	enum bus_code rc = bus_trust_load(&trust, path, &err);
	struct walk walk = { NULL, 0, false };

	MUST(rc == BUS_OK || (rc == BUS_E_CONFIG && !trust));
	MUST(!rc || strncmp(err.text, path, strlen(path)) == 0);
	MUST(bus_trust_load(&again, path, &again_err) == rc);
	MUST(!rc || strcmp(err.text, again_err.text) == 0);
	if (trust) {
		MUST(bus_trust_homedir(trust)[0] == '/');
		walk.trust = trust;
		bus_trust_each(trust, look_for_certifiers, &walk);
		bus_trust_each(trust, check_log, &walk);
	}
	bus_trust_free(trust);
	bus_trust_free(again);
	return 0;
}
