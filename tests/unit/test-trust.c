#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "gnupg.h"
#include "trust.h"

#define DAK "36B0BE6D3B6924D3BCE5539C34F217C32364C7FF"
#define WIKI "194D9F7C6F24B5BF75AB78E42B205F513E0E250B"
#define SUB "087306398230A4C163F9EEED2D81CB76D6B9AEAE"
#define HOME "homedir = \"/var/lib/debmsg/trusted\"\n"
#define ORIGIN "ftp-master.example/dak/20261122T101500Z"
#define TYPE "org.debian.dev.dak.upload.accept"

static char *path;

static enum bus_code load(struct bus_trust **ret, const char *text, struct bus_err *err)
{
	if (!path)
		path = check_path("trust.conf");
	*ret = NULL;
	err->text[0] = '\0';
	check_write(path, 0644, text);
	return bus_trust_load(ret, path, err);
}

static const char policy[] = HOME
	"log \"ftp-master.example/dak\" {\n"
	"  keys  = { \"" DAK "\" }\n"
	"  types = { \"org.debian.*.dak.#\" }\n"
	"}\n"
	"log \"wiki.example/wiki\" {\n"
	"  keys  = { \"" WIKI "!\", \"" SUB "!\" }\n"
	"  types = { \"org.debian.dev.wiki.page.*\", \"org.debian.dev.wiki.bus.#\" }\n"
	"}\n"
	"log \"nobody.example/x\" {\n"
	"  types = { \"#\" }\n"
	"}\n"
	"log \"nothing.example/x\" {\n"
	"  keys = { \"" DAK "\" }\n"
	"}\n";

static void allows_what_the_file_says_and_nothing_else(void)
{
	static const struct {
		const char *origin, *primary, *subkey, *type;
		bool allowed;
	} row[] = {
		{ ORIGIN, DAK, DAK, TYPE, true },
		{ ORIGIN, DAK, SUB, TYPE, true }, /* any subkey of that key */
		{ "ftp-master.example/dak/20300101T000000Z", DAK, DAK, TYPE, true },
		{ ORIGIN, DAK, DAK, "org.debian.production.dak.a.b", true },
		{ ORIGIN, WIKI, WIKI, TYPE, false },
		{ ORIGIN, SUB, DAK, TYPE, false }, /* the primary key counts */
		{ ORIGIN, DAK, DAK, "org.debian.dev.wiki.page.edit", false },
		{ ORIGIN, "", "", TYPE, false },
		{ "ftp-master.example/20261122T101500Z", DAK, DAK, TYPE, false },
		{ "ftp-master.example/dak/x/20261122T101500Z", DAK, DAK, TYPE, false },
		{ "ftp-master.example/dakx/20261122T101500Z", DAK, DAK, TYPE, false },
		{ "xftp-master.example/dak/20261122T101500Z", DAK, DAK, TYPE, false },
		{ "FTP-master.example/dak/20261122T101500Z", DAK, DAK, TYPE, false },
		{ "wiki.example/wiki/20261122T101500Z", WIKI, WIKI, "org.debian.dev.wiki.page.edit",
		  true },
		{ "wiki.example/wiki/20261122T101500Z", DAK, SUB, "org.debian.dev.wiki.page.edit",
		  true }, /* exactly this subkey */
		{ "wiki.example/wiki/20261122T101500Z", WIKI, SUB,
		  "org.debian.dev.wiki.bus.checkpoint", true },
		{ "wiki.example/wiki/20261122T101500Z", WIKI, DAK, "org.debian.dev.wiki.page.edit",
		  false }, /* another subkey of it */
		{ "wiki.example/wiki/20261122T101500Z", WIKI, WIKI,
		  "org.debian.dev.wiki.attachment.add", false },
		{ "wiki.example/wiki/20261122T101500Z", WIKI, WIKI,
		  "org.debian.production.wiki.page.edit", false },
		{ "nobody.example/x/20261122T101500Z", DAK, DAK, TYPE, false },
		{ "nothing.example/x/20261122T101500Z", DAK, DAK, TYPE, false },
	};
	struct bus_trust *trust;
	struct bus_signer signer;
	struct bus_err err;
	enum bus_code rc;
	size_t i;

	CHECK_CODE(load(&trust, policy, &err), BUS_OK, &err);
	CHECK_NEED(trust != NULL);
	CHECK_TEXT(bus_trust_homedir(trust), "/var/lib/debmsg/trusted");
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		snprintf(signer.primary, sizeof(signer.primary), "%s", row[i].primary);
		snprintf(signer.subkey, sizeof(signer.subkey), "%s", row[i].subkey);
		rc = bus_trust_allows(trust, NULL, row[i].origin, &signer, row[i].type, &err);
		CHECK_ROW(rc == (row[i].allowed ? BUS_OK : BUS_E_UNTRUSTED_SIGNER),
			  "row %zu: %s: %s", i, bus_code_info[rc].name, rc ? err.text : "");
	}
	bus_trust_free(trust);
	bus_trust_free(NULL);
}

static void an_empty_file_allows_nobody(void)
{
	struct bus_signer signer = { DAK, DAK };
	struct bus_trust *trust;
	struct bus_err err;

	CHECK_CODE(load(&trust, HOME, &err), BUS_OK, &err);
	CHECK_NEED(trust != NULL);
	CHECK_CODE(bus_trust_allows(trust, NULL, ORIGIN, &signer, TYPE, &err),
		   BUS_E_UNTRUSTED_SIGNER, &err);
	CHECK_SAYS(&err, path);
	bus_trust_free(trust);
}

static const struct {
	const char *text, *says;
	int line;
} wrong[] = {
	{ "", "homedir", 0 },
	{ "homedir = \"trusted\"\n", "absolute", 0 },
	{ HOME "homdir = \"/x\"\n", "homdir", 2 },
	{ HOME "log \"a/b\" {\n  key = { \"" DAK "\" }\n}\n", "key", 3 },
	{ HOME "log { }\n", "", 2 },
	{ HOME "log \"a b\" { }\n", "origin", 2 },
	{ HOME "log \"\" { }\n", "origin", 2 },
	{ HOME "log \"/a\" { }\n", "origin", 2 },
	{ HOME "log \"a\" { keys = { \"34F217C32364C7FF\" } }\n", "full fingerprint", 2 },
	{ HOME "log \"a\" { keys = { \"!\" } }\n", "full fingerprint", 2 },
	{ HOME "log \"a\" { keys = { \"\" } }\n", "full fingerprint", 2 },
	{ HOME "log \"a\" { keys = { \"" DAK "!!\" } }\n", "full fingerprint", 2 },
	{ HOME "log \"a\" { keys = { \"" DAK "0\" } }\n", "full fingerprint", 2 },
	{ HOME "log \"a\" { certified-by = { \"dak@example\" } }\n", "full fingerprint", 2 },
	/* a certification is by a primary key, so "exactly this subkey" can never be true */
	{ HOME "log \"a\" { certified-by = { \"" DAK "!\" } }\n", "full fingerprint", 2 },
	{ HOME "log \"a\" { types = { \"org.debian..x\" } }\n", "pattern", 2 },
	{ HOME "log \"a\" { types = { \"\" } }\n", "pattern", 2 },
	{ HOME "log \"a\" { certified-by = { \"" DAK "\" } min-certifications = 0 }\n",
	  "min-certifications", 2 },
	{ HOME "log \"a\" { certified-by = { \"" DAK "\" } min-certifications = 2 }\n",
	  "min-certifications", 2 },
	{ HOME "log \"a\" { certified-by = { \"" DAK "\" } min-certifications = -1 }\n",
	  "min-certifications", 2 },
	{ HOME "log \"a\" { }\nlog \"a\" { }\n", "", 3 },
};

static void every_error_names_file_and_line(void)
{
	struct bus_trust *trust;
	struct bus_err err;
	char place[300];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK_ROW(load(&trust, wrong[i].text, &err) == BUS_E_CONFIG && !trust,
			  "row %zu is taken", i);
		if (wrong[i].line)
			snprintf(place, sizeof(place), "%s:%d: ", path, wrong[i].line);
		else
			snprintf(place, sizeof(place), "%s: ", path);
		CHECK_ROW(strncmp(err.text, place, strlen(place)) == 0,
			  "row %zu: '%s' is not at line %d", i, err.text, wrong[i].line);
		CHECK_ROW(strstr(err.text, wrong[i].says) != NULL, "'%s' says nothing of '%s'",
			  err.text, wrong[i].says);
		bus_trust_free(trust);
	}
}

static void without_a_file_nobody_is_believed(void)
{
	struct bus_trust *trust = NULL;
	struct bus_err err;

	CHECK_CODE(bus_trust_load(&trust, NULL, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "trust-file");
	CHECK_CODE(bus_trust_load(&trust, "/nonexistent/trust.conf", &err), BUS_E_CONFIG, &err);
	CHECK(!trust);
}

static void a_file_anybody_may_write_is_refused(void)
{
	struct bus_trust *trust = NULL;
	char *file = check_path("open.conf");
	struct bus_err err;

	check_write(file, 0666, policy);
	CHECK_CODE(bus_trust_load(&trust, file, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, file);
	bus_trust_free(trust);
	free(file);
}

static void fingerprints_may_be_written_as_people_do(void)
{
	struct bus_signer signer = { DAK, DAK };
	struct bus_trust *trust;
	struct bus_err err;

	CHECK_CODE(load(&trust,
			HOME "log \"ftp-master.example/dak\" {\n keys = { "
			     "\"36b0 be6d 3b69 24d3 bce5  539c 34f2 17c3 2364 c7ff!\" }\n"
			     " types = { \"#\" } }\n",
			&err),
		   BUS_OK, &err);
	CHECK_NEED(trust != NULL);
	CHECK_CODE(bus_trust_allows(trust, NULL, ORIGIN, &signer, TYPE, &err), BUS_OK, &err);
	bus_trust_free(trust);
}

/* Short patterns are refused or mean what they mean elsewhere; they are never silently dead. */
static void a_short_pattern_works_or_is_refused(void)
{
	struct bus_signer signer = { DAK, DAK };
	struct bus_trust *trust;
	struct bus_err err;

	if (load(&trust,
		 HOME "log \"ftp-master.example/dak\" { keys = { \"" DAK "\" } "
		      "types = { \"dak.#\" } }\n",
		 &err) == BUS_E_CONFIG)
		return;
	CHECK_NEED(trust != NULL);
	CHECK_CODE(bus_trust_allows(trust, NULL, ORIGIN, &signer, TYPE, &err), BUS_OK, &err);
	bus_trust_free(trust);
}

static void count_log(void *arg, const char *log)
{
	char *names = arg;

	strcat(strcat(names, log), ";");
}

static void knows_the_logs_of_a_key(void)
{
	char names[300] = "";
	struct bus_trust *trust;
	struct bus_err err;

	CHECK_CODE(load(&trust, policy, &err), BUS_OK, &err);
	CHECK_NEED(trust != NULL);
	bus_trust_logs_of(trust, DAK, count_log, names);
	CHECK_TEXT(names, "ftp-master.example/dak;nothing.example/x;");
	names[0] = '\0';
	bus_trust_logs_of(trust, WIKI, count_log, names);
	CHECK_TEXT(names, "wiki.example/wiki;");
	names[0] = '\0';
	bus_trust_logs_of(trust, "0000000000000000000000000000000000000000", count_log, names);
	CHECK_TEXT(names, "");
	bus_trust_free(trust);
}

/* The web of trust, with real keys: two masters, and who needs both. */
static void certifications_open_a_log_to_a_key(void)
{
	char signer_fpr[BUS_FPR_MAX + 1], master[2][BUS_FPR_MAX + 1], text[900], *home;
	struct bus_keyring *ring = NULL;
	struct bus_trust *trust;
	struct bus_signer signer;
	struct bus_err err;
	int i;

	home = gnupg_home("t");
	CHECK_NEED(gnupg_key(home, "signer@example", "ed25519", "sign", "never", signer_fpr) &&
		   gnupg_key(home, "m0@example", "ed25519", "sign,cert", "never", master[0]) &&
		   gnupg_key(home, "m1@example", "ed25519", "sign,cert", "never", master[1]));
	snprintf(text, sizeof(text),
		 "homedir = \"%s\"\nlog \"ftp-master.example/dak\" {\n"
		 "certified-by = { \"%s\", \"%s\" }\nmin-certifications = 2\n"
		 "types = { \"org.debian.dev.dak.#\" }\n}\n",
		 home, master[0], master[1]);
	CHECK_CODE(load(&trust, text, &err), BUS_OK, &err);
	CHECK_NEED(trust != NULL);
	CHECK(bus_keyring_open(&ring, home, &err) == BUS_OK);
	memcpy(signer.primary, signer_fpr, sizeof(signer_fpr));
	memcpy(signer.subkey, signer_fpr, sizeof(signer_fpr));
	for (i = 0; i < 2; i++) {
		CHECK_CODE(bus_trust_allows(trust, ring, ORIGIN, &signer, TYPE, &err),
			   BUS_E_UNTRUSTED_SIGNER, &err);
		CHECK(gnupg(home, "--local-user", master[i], "--quick-sign-key", signer_fpr,
			    NULL) == 0);
	}
	CHECK_CODE(bus_trust_allows(trust, ring, ORIGIN, &signer, TYPE, &err), BUS_OK, &err);
	CHECK_CODE(bus_trust_allows(trust, ring, ORIGIN, &signer, "org.debian.dev.wiki.a.b", &err),
		   BUS_E_UNTRUSTED_SIGNER, &err);
	bus_keyring_close(ring);
	bus_trust_free(trust);
	free(home);
}

static const struct check_test tests[] = {
	{ "allows what the file says and nothing else",
	  allows_what_the_file_says_and_nothing_else },
	{ "an empty file allows nobody", an_empty_file_allows_nobody },
	{ "every error names file and line", every_error_names_file_and_line },
	{ "without a file nobody is believed", without_a_file_nobody_is_believed },
	{ "a file anybody may write is refused", a_file_anybody_may_write_is_refused },
	{ "fingerprints may be written as people do", fingerprints_may_be_written_as_people_do },
	{ "a short pattern works or is refused", a_short_pattern_works_or_is_refused },
	{ "knows the logs of a key", knows_the_logs_of_a_key },
	{ "certifications open a log to a key", certifications_open_a_log_to_a_key },
	{ NULL, NULL },
};

int main(void)
{
	int status = check_main("trust", tests);

	gnupg_finish();
	free(path);
	return status;
}
