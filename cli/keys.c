#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "findings.h"
#include "json.h"
#include "key_check.h"
#include "sign.h"
#include "trust.h"

static const char help[] =
	"usage: debmsg keys import FILE...\n"
	"       debmsg keys list|check [--json]\n"
	"\n"
	"The trust store: the public keys this host may believe.  A key in it has no rights\n"
	"until a log section of trust.conf names it.\n"
	"\n"
	"  import          add public keys (OpenPGP, armoured or not; - for standard input), or\n"
	"                  bring them up to date\n"
	"  list            fingerprint, expiry, the logs it may sign for, user id\n"
	"  check           what is wrong with the keys that are trusted, and with the key that\n"
	"                  signs here; exit status 1 if there is anything to be done\n"
	"  --json          for programs: one object a line\n"
	"  -c, --config FILE\n";

enum { KEY_FILE_MAX = 64 * 1024 * 1024 };

struct keys {
	struct bus_trust *trust;
	struct bus_keyring *ring;
	bool json;
	struct bus_buf line;
};

static void print_date(FILE *out, long seconds)
{
	char text[16] = "never";
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds && gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	fputs(text, out);
}

static void add_log_json(void *arg, const char *log)
{
	bus_json_text(arg, NULL, log);
}

static void add_log_text(void *arg, const char *log)
{
	struct bus_buf *out = arg;

	bus_buf_printf(out, "%s%s", out->len ? "," : "", log);
}

static const char *state_of(const struct bus_key_info *key)
{
	return key->revoked ? "revoked" : key->expired ? "expired" : "valid";
}

static void print_key_json(struct keys *k, const struct bus_key_info *key)
{
	struct bus_json js = { &k->line, false };

	bus_buf_clear(&k->line);
	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "fingerprint", key->fingerprint);
	bus_json_text(&js, "state", state_of(key));
	bus_json_uint(&js, "created", (uint64_t)key->created);
	if (key->expires)
		bus_json_uint(&js, "expires", (uint64_t)key->expires);
	bus_json_text(&js, "user_id", key->user_id);
	bus_json_open(&js, "logs", '[');
	bus_trust_logs_of(k->trust, key->fingerprint, add_log_json, &js);
	bus_json_close(&js, ']');
	bus_json_close(&js, '}');
	if (!k->line.failed)
		puts(k->line.p);
}

static void print_key(void *arg, const struct bus_key_info *key)
{
	struct keys *k = arg;

	if (k->json) {
		print_key_json(k, key);
		return;
	}
	bus_buf_clear(&k->line);
	bus_trust_logs_of(k->trust, key->fingerprint, add_log_text, &k->line);
	printf("%s  %-7s  expires ", key->fingerprint, state_of(key));
	print_date(stdout, key->expires);
	printf("  %s  ", k->line.len ? k->line.p : "(named by no log)");
	cli_print_text(stdout, key->user_id, strlen(key->user_id));
	putchar('\n');
}

static enum bus_code import_file(struct keys *k, const char *file, struct bus_err *err)
{
	const bool input = strcmp(file, "-") == 0;
	struct bus_buf bytes = BUS_BUF_INIT(KEY_FILE_MAX);
	FILE *f = input ? stdin : fopen(file, "re");
	enum bus_code rc = BUS_OK;
	char chunk[16384];
	int count = 0;
	size_t n;

	if (!f)
		return bus_fail(err, BUS_E_DATA, "%s: %s", file, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		bus_buf_add(&bytes, chunk, n);
	if (ferror(f))
		rc = bus_fail(err, BUS_E_DATA, "%s: cannot read", file);
	if (!input)
		fclose(f);
	if (!rc)
		rc = bus_buf_check(&bytes, file, err);
	if (!rc)
		rc = bus_keyring_import(k->ring, bytes.p, bytes.len, &count, err);
	if (rc && rc != BUS_E_NOMEM)
		bus_err_context(err, "%s", file);
	if (!rc)
		fprintf(stderr, "debmsg keys: %s: %d key%s imported\n", file, count,
			count == 1 ? "" : "s");
	bus_buf_finish(&bytes);
	return rc;
}

static enum bus_code import(struct keys *k, char **files, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	for (; !rc && *files; files++)
		rc = import_file(k, *files, err);
	return rc ? rc : bus_keyring_each(k->ring, NULL, print_key, k, err);
}

/* GnuPG makes its files anew, as whoever runs it: then their owner cannot read them. */
static bool is_ours(const char *directory)
{
	struct stat st;

	return stat(directory, &st) == 0 && st.st_uid == geteuid();
}

/*
 * The relay signs with keys of another store.  That one of them is revoked or lives longer
 * must be known there as well.
 */
static void update_signing(struct keys *k, const char *homedir)
{
	struct bus_err err = { BUS_OK, "" };
	struct bus_keyring *ring = NULL;
	enum bus_code rc;

	if (!homedir || !is_ours(homedir) || strcmp(homedir, bus_trust_homedir(k->trust)) == 0)
		return;
	rc = bus_keyring_open(&ring, homedir, &err);
	if (!rc)
		rc = bus_keyring_update(ring, k->ring, &err);
	if (rc)
		fprintf(stderr,
			"debmsg keys: the keys that sign here are not brought up to date: %s\n",
			err.text);
	bus_keyring_close(ring);
}

/*
 * GnuPG writes even to list, where its files are not there yet, and its agent leaves
 * sockets behind.
 */
static enum bus_code check_owner(const char *homedir, bool importing, struct bus_err *err)
{
	if (is_ours(homedir) || (!importing && access(homedir, W_OK) != 0))
		return BUS_OK; /* or GnuPG says what is wrong */
	return bus_fail(err, BUS_E_CONFIG,
			"the keys in %s belong to another user, who could not read what you write "
			"there; run this as that user: runuser -u debmsg -- debmsg keys ...",
			homedir);
}

static enum bus_code make_store(const char *homedir, struct bus_err *err)
{
	if (mkdir(homedir, 0700) != 0 && errno != EEXIST)
		return bus_fail(err, BUS_E_CONFIG, "cannot make the trust store %s: %s", homedir,
				strerror(errno));
	return BUS_OK;
}

static enum bus_code run_keys(struct keys *k, char **files, struct bus_err *err)
{
	struct bus_conf *conf = NULL;
	enum bus_code rc;

	rc = cli_conf(&conf, err);
	if (!rc)
		rc = bus_trust_load(&k->trust, conf->trust_file, err);
	if (!rc && files)
		rc = make_store(bus_trust_homedir(k->trust), err);
	if (!rc)
		rc = check_owner(bus_trust_homedir(k->trust), files, err);
	if (!rc)
		rc = bus_keyring_open(&k->ring, bus_trust_homedir(k->trust), err);
	if (!rc)
		rc = files ? import(k, files, err)
			   : bus_keyring_each(k->ring, NULL, print_key, k, err);
	if (!rc && files)
		update_signing(k, conf->signing_homedir);
	bus_keyring_close(k->ring);
	bus_trust_free(k->trust);
	bus_conf_free(conf);
	return rc;
}

/* -- check -- */

struct check {
	bool json, colours, trouble;
};

static void print_finding(void *arg, const struct bus_finding *f)
{
	struct check *check = arg;

	check->trouble |= f->level >= BUS_LEVEL_WARNING;
	if (check->json)
		cli_print_finding_json(f);
	else
		cli_print_finding(f, check->colours);
}

/* What is wrong with the files themselves is a finding. */
static enum bus_code check_owners(const struct bus_conf *conf, struct bus_err *err)
{
	struct bus_trust *trust = NULL;
	enum bus_code rc = BUS_OK;

	if (conf->signing_homedir)
		rc = check_owner(conf->signing_homedir, false, err);
	if (!rc && !bus_trust_load(&trust, conf->trust_file, NULL))
		rc = check_owner(bus_trust_homedir(trust), false, err);
	bus_trust_free(trust);
	return rc;
}

static int run_check(bool json)
{
	struct check check = { .json = json, .colours = cli_colours(STDOUT_FILENO) };
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	enum bus_code rc;

	rc = cli_conf(&conf, &err);
	if (!rc)
		rc = check_owners(conf, &err);
	if (!rc)
		rc = bus_key_check(conf, print_finding, &check, &err);
	bus_conf_free(conf);
	if (rc)
		return cli_finish(cli_fail(rc, &err));
	return cli_finish(check.trouble ? 1 : EX_OK);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct keys k = { .line = BUS_BUF_INIT(65536) };
	struct bus_err err = { BUS_OK, "" };
	const char *verb;
	bool importing, checking;
	enum bus_code rc;

	while (cli_option(argc, argv, ":c:h", options) != -1)
		k.json = true;
	verb = optind < argc ? argv[optind++] : "";
	importing = strcmp(verb, "import") == 0;
	checking = strcmp(verb, "check") == 0;
	if (!importing && !checking && strcmp(verb, "list") != 0)
		return cli_usage("import, list or check?");
	if (importing != (optind < argc))
		return cli_usage(importing ? "import which files?" : "%s takes no arguments", verb);
	if (checking)
		return run_check(k.json);
	rc = run_keys(&k, importing ? argv + optind : NULL, &err);
	bus_buf_finish(&k.line);
	return cli_finish(rc ? cli_fail(rc, &err) : EX_OK);
}

const struct cli_command cli_keys = { "keys", "look at the trust store and add to it", help, run };
