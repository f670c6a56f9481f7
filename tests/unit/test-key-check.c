#include "config.h"

#include "key_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "gnupg.h"

#define ORIGIN "ftp-master.example/dak"

static char *store, *trust_file;
static char good[BUS_FPR_MAX + 1];
static char found[8000]; /* "level check subject;" of all findings */

static void note(void *arg, const struct bus_finding *f)
{
	static const char *const level[] = { "ok", "note", "warning", "error" };

	(void)arg;
	CHECK(f->level >= BUS_LEVEL_WARNING ? *f->remedy != '\0' : true);
	CHECK(*f->text && !strchr(f->text, '\n'));
	snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s %s %s;", level[f->level],
		 f->check, f->subject);
}

/* What is found with this text in trust.conf below homedir; FPR is `key`. */
static void look(const struct bus_conf *signing, const char *sections)
{
	struct bus_conf conf = { .environment = (char *)"dev" };
	struct bus_buf text = BUS_BUF_INIT(4000);
	struct bus_err err = { BUS_OK, "" };

	if (signing)
		conf = *signing;
	conf.trust_file = trust_file;
	bus_buf_printf(&text, "homedir = \"%s\"\n%s", store, sections);
	check_write(trust_file, 0600, text.p);
	found[0] = '\0';
	CHECK_CODE(bus_key_check(&conf, note, NULL, &err), BUS_OK, &err);
	bus_buf_finish(&text);
}

static void look_at_keys(const char *keys)
{
	char text[600];

	snprintf(text, sizeof(text), "log \"" ORIGIN "\" { keys = { %s }\n types = { \"#\" } }\n",
		 keys);
	look(NULL, text);
}

static bool finds(const char *level, const char *check, const char *subject)
{
	char text[300];

	snprintf(text, sizeof(text), "%s %s %s;", level, check, subject);
	return strstr(found, text) != NULL;
}

static void set_up(void)
{
	if (store)
		return;
	store = gnupg_home("store");
	trust_file = check_path("trust.conf");
	CHECK_NEED(gnupg_key(store, "good@example", "ed25519", "sign,cert", "never", good));
}

static void a_good_key_is_good(void)
{
	char text[100];

	set_up();
	snprintf(text, sizeof(text), "\"%s\"", good);
	look_at_keys(text);
	CHECK_ROW(finds("ok", "key", good), "%s", found);
	CHECK_ROW(!strstr(found, "warning") && !strstr(found, "error"), "%s", found);
}

/* With another key beside it, it is a warning; alone, an error. */
static void names_what_is_wrong_with(const char *key, const char *check)
{
	char text[300];

	snprintf(text, sizeof(text), "\"%s\", \"%s\"", good, key);
	look_at_keys(text);
	CHECK_ROW(finds("warning", check, key), "%s", found);
	snprintf(text, sizeof(text), "\"%s\"", key);
	look_at_keys(text);
	CHECK_ROW(finds("error", check, key), "%s", found);
	CHECK_ROW(finds("note", "key-unnamed", good), "%s", found);
}

static void names_what_is_wrong(void)
{
	char key[BUS_FPR_MAX + 1];

	set_up();
	names_what_is_wrong_with("1111111111111111111111111111111111111111", "key-missing");
	CHECK_NEED(gnupg(store, "--faked-system-time", "20200101T000000", "--quick-generate-key",
			 "old@example", "ed25519", "sign", "1y", NULL) == 0 &&
		   gnupg_fingerprint(store, "old@example", 0, key));
	names_what_is_wrong_with(key, "key-expired");
	CHECK_NEED(gnupg_key(store, "cert@example", "ed25519", "cert", "never", key));
	names_what_is_wrong_with(key, "key-signing");
	CHECK_NEED(gnupg_key(store, "short@example", "rsa1024", "sign", "never", key));
	names_what_is_wrong_with(key, "key-weak");
}

static void warns_before(void)
{
	char key[BUS_FPR_MAX + 1], text[100];

	set_up();
	CHECK_NEED(gnupg_key(store, "soon@example", "ed25519", "sign", "10d", key));
	snprintf(text, sizeof(text), "\"%s\"", key);
	look_at_keys(text);
	CHECK_ROW(finds("warning", "key-expired", key), "%s", found);
	CHECK_NEED(gnupg_key(store, "middling@example", "rsa2048", "sign", "never", key));
	snprintf(text, sizeof(text), "\"%s\"", key);
	look_at_keys(text);
	CHECK_ROW(finds("warning", "key-weak", key), "%s", found);
	CHECK_NEED(gnupg_key(store, "fair@example", "rsa3072", "sign", "never", key));
	snprintf(text, sizeof(text), "\"%s\"", key);
	look_at_keys(text);
	CHECK_ROW(finds("note", "key-weak", key), "%s", found);
}

static void counts_certifiers(void)
{
	char key[BUS_FPR_MAX + 1], text[600];

	set_up();
	CHECK_NEED(gnupg_key(store, "service@example", "ed25519", "sign", "never", key));
	snprintf(text, sizeof(text),
		 "log \"" ORIGIN "\" { certified-by = { \"%s\", "
		 "\"1111111111111111111111111111111111111111\" }\n min-certifications = 2\n"
		 " types = { \"#\" } }\n",
		 good);
	look(NULL, text);
	CHECK_ROW(finds("error", "key-certifications", ORIGIN), "%s", found);
	snprintf(text, sizeof(text),
		 "log \"" ORIGIN "\" { certified-by = { \"%s\" }\n types = { \"#\" } }\n", good);
	look(NULL, text);
	CHECK_ROW(finds("error", "key-certifications", ORIGIN), "%s", found);
	CHECK_ROW(finds("note", "key-unnamed", key), "%s", found);
	CHECK_NEED(gnupg(store, "--local-user", good, "--quick-sign-key", key, NULL) == 0);
	look(NULL, text);
	CHECK_ROW(finds("ok", "key", key), "%s", found);
	CHECK_ROW(!finds("note", "key-unnamed", key), "%s", found);
	CHECK_ROW(!strstr(found, "error"), "%s", found);
}

static void looks_at_the_key_that_signs(void)
{
	struct bus_conf_service dak = { .name = (char *)"dak",
					.origin = (char *)ORIGIN,
					.user = (char *)"dak" };
	struct bus_conf conf = { .environment = (char *)"dev",
				 .path = (char *)"debmsg.conf",
				 .service = &dak,
				 .service_count = 1 };
	char text[300];

	set_up();
	snprintf(text, sizeof(text), "log \"" ORIGIN "\" { keys = { \"%s\" } types = { \"#\" } }\n",
		 good);
	look(&conf, text);
	CHECK_ROW(finds("error", "signing-key", "debmsg.conf"), "%s", found);
	conf.signing_homedir = store;
	conf.signing_key = good;
	look(&conf, text);
	CHECK_ROW(finds("ok", "signing-key", good), "%s", found);
	CHECK_ROW(finds("ok", "signing-trust", "service dak"), "%s", found);
	look(&conf, "");
	CHECK_ROW(finds("warning", "signing-trust", "service dak"), "%s", found);
	conf.signing_key = (char *)"1111111111111111111111111111111111111111";
	look(&conf, text);
	CHECK_ROW(finds("error", "signing-key", conf.signing_key), "%s", found);
}

/* Last: gpg-agent knows this passphrase now, and the key is of no use all the same. */
static void a_passphrase_is_found_although_the_agent_knows_it(void)
{
	struct bus_conf conf = { .environment = (char *)"dev", .path = (char *)"debmsg.conf" };
	char key[BUS_FPR_MAX + 1];

	set_up();
	CHECK_NEED(gnupg(store, "--pinentry-mode", "loopback", "--passphrase", "secret",
			 "--quick-generate-key", "locked@example", "ed25519", "sign", "never",
			 NULL) == 0 &&
		   gnupg_fingerprint(store, "locked@example", 0, key));
	conf.signing_homedir = store;
	conf.signing_key = key;
	look(&conf, "");
	CHECK_ROW(finds("error", "signing-key", key), "%s", found);
}

static void a_trust_file_that_is_not_there_is_a_finding(void)
{
	struct bus_conf conf = { .trust_file = (char *)"/nonexistent/trust.conf" };
	struct bus_err err;

	found[0] = '\0';
	CHECK_CODE(bus_key_check(&conf, note, NULL, &err), BUS_OK, &err);
	CHECK_ROW(finds("error", "trust-file", conf.trust_file), "%s", found);
}

static const struct check_test tests[] = {
	{ "a good key is good", a_good_key_is_good },
	{ "names what is wrong", names_what_is_wrong },
	{ "warns before", warns_before },
	{ "counts certifiers", counts_certifiers },
	{ "looks at the key that signs", looks_at_the_key_that_signs },
	{ "a passphrase is found although the agent knows it",
	  a_passphrase_is_found_although_the_agent_knows_it },
	{ "a trust file that is not there is a finding",
	  a_trust_file_that_is_not_there_is_a_finding },
	{ NULL, NULL },
};

int main(void)
{
	int status = check_main("key-check", tests);

	gnupg_finish();
	free(store);
	free(trust_file);
	return status;
}
