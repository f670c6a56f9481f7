#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "bindings.h"
#include "check.h"
#include "gnupg.h"
#include "intake.h"
#include "merkle.h"

/*
 * The golden vectors: messages made once, by other code, with the names of what
 * is wrong with them.  tests/vectors/policy.json says who may do what.
 */
static struct bus_intake *intake;
static struct bus_conf conf = { .max_event_size = BUS_BODY_MAX_DEFAULT };

static json_t *load_json(const char *name)
{
	char *path = check_source(name);
	json_t *root = json_load_file(path, 0, NULL);

	free(path);
	return root;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static bool import_key(struct bus_keyring *ring, const char *file)
{
	char name[200], *path, *bytes;
	struct bus_err err;
	size_t len;
	int n = 0;

	snprintf(name, sizeof(name), "tests/vectors/%s", file);
	path = check_source(name);
	bytes = check_read(path, &len);
	CHECK_CODE(bus_keyring_import(ring, bytes, len, &n, &err), BUS_OK, &err);
	free(bytes);
	free(path);
	return n == 1;
}

/* One section of trust.conf for each entry of the policy; imports its key. */
static void write_policy(struct bus_buf *out, struct bus_keyring *ring, const json_t *policy)
{
	const json_t *entry, *type;
	size_t i, k;

	json_array_foreach(json_object_get(policy, "trust"), i, entry)
	{
		CHECK(import_key(ring, text_of(entry, "key_file")));
		bus_buf_printf(out, "log \"%s\" {\n\tkeys = { \"%s\" }\n\ttypes = {",
			       text_of(entry, "origin"), text_of(entry, "key"));
		json_array_foreach(json_object_get(entry, "types"), k, type)
			bus_buf_printf(out, "%s \"%s\"", k ? "," : "", json_string_value(type));
		bus_buf_puts(out, " }\n}\n");
	}
}

static void open_intake(void)
{
	char *home, *gpg_conf;
	struct bus_buf text = BUS_BUF_INIT(10000);
	struct bus_keyring *ring = NULL;
	json_t *policy;
	struct bus_err err;

	if (intake)
		return;
	home = gnupg_home("trusted");
	/* the vectors have a date; the clock of the machine that tests may be behind it */
	gpg_conf = check_path("trusted/gpg.conf");
	check_write(gpg_conf, 0600, "ignore-time-conflict\nignore-valid-from\n");
	policy = load_json("tests/vectors/policy.json");
	CHECK_NEED(json_array_size(json_object_get(policy, "trust")) > 0);
	CHECK_NEED(bus_keyring_open(&ring, home, &err) == BUS_OK);
	bus_buf_printf(&text, "homedir = \"%s\"\n", home);
	write_policy(&text, ring, policy);
	bus_keyring_close(ring);
	conf.trust_file = check_path("trust.conf");
	check_write(conf.trust_file, 0600, text.p);
	CHECK_CODE(bus_intake_open(&intake, &conf, &err), BUS_OK, &err);
	CHECK_NEED(intake != NULL);
	bus_buf_finish(&text);
	json_decref(policy);
	free(gpg_conf);
	free(home);
}

static struct bus_message *load_message(const char *name)
{
	struct bus_message_reader *reader = NULL;
	struct bus_message *m = NULL;
	char file[300], *path;
	struct bus_err err;
	FILE *stream;

	snprintf(file, sizeof(file), "tests/vectors/messages/%s", name);
	path = check_source(file);
	stream = fopen(path, "r");
	CHECK_NEED(stream != NULL);
	CHECK(bus_message_reader_new(&reader, stream, &err) == BUS_OK);
	CHECK_CODE(bus_message_read(reader, &m, &err), BUS_OK, &err);
	bus_message_reader_free(reader);
	fclose(stream);
	free(path);
	CHECK_NEED(m != NULL);
	return m;
}

static enum bus_code check(const struct bus_message *m, const struct bus_bindings *bindings,
			   struct bus_err *err)
{
	struct bus_belief belief = { .event = NULL };
	enum bus_code rc;

	err->text[0] = '\0';
	rc = bus_intake_check(intake, m, bindings, &belief, err);
	CHECK((rc == BUS_OK) == (belief.event != NULL));
	CHECK(rc == BUS_OK || rc == err->code);
	bus_event_free(belief.event);
	return rc;
}

/* Is `name` one of the words of `list`, which `|` divides? */
static bool is_among(const char *name, const char *list)
{
	const size_t len = strlen(name);

	for (; list; list = strchr(list, '|'), list = list ? list + 1 : NULL)
		if (strncmp(list, name, len) == 0 && (list[len] == '|' || !list[len]))
			return true;
	return false;
}

static void check_vector(const char *name)
{
	char file[300];
	struct bus_message *m;
	json_t *vector;
	const char *got;
	struct bus_err err;

	snprintf(file, sizeof(file), "tests/vectors/messages/%s", name);
	vector = load_json(file);
	m = load_message(name);
	got = bus_code_info[check(m, NULL, &err)].name;
	CHECK_ROW(is_among(got, text_of(vector, "expect")), "%s: %s, expected %s: %s", name, got,
		  text_of(vector, "expect"), err.text);
	bus_message_free(m);
	json_decref(vector);
}

static void every_golden_vector_gives_its_name(void)
{
	char *path = check_source("tests/vectors/messages");
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	open_intake();
	CHECK_NEED(dir != NULL);
	while ((entry = readdir(dir)))
		if (strstr(entry->d_name, ".json")) {
			check_vector(entry->d_name);
			n++;
		}
	CHECK_ROW(n >= 26, "only %d vectors", n);
	closedir(dir);
	free(path);
}

static void a_belief_says_who_and_what(void)
{
	struct bus_message *m = load_message("valid-5-of-37.json");
	struct bus_belief belief;
	struct bus_hash leaf;
	struct bus_err err;

	open_intake();
	CHECK_CODE(bus_intake_check(intake, m, NULL, &belief, &err), BUS_OK, &err);
	CHECK_TEXT(belief.event->source, "ftp-master.example/dak/20261122T101500Z");
	CHECK(belief.event->id == 5 && belief.proof->index == 5 &&
	      belief.proof->checkpoint.size == 37);
	CHECK_TEXT(belief.event->subject, "gtk+3.0");
	CHECK_TEXT(belief.signer.primary, "36B0BE6D3B6924D3BCE5539C34F217C32364C7FF");
	bus_merkle_leaf(&leaf, m->body, m->body_len);
	CHECK(bus_hash_equal(&leaf, &belief.leaf));
	bus_event_free(belief.event);
	bus_message_free(m);
}

/* The same message twice is no other answer: whether it is a repeat is the ledger's business. */
static void a_known_signature_is_as_good_as_a_new_one(void)
{
	struct bus_message *m = load_message("valid-0-of-37.json");
	struct bus_message *other = load_message("valid-36-of-37.json");
	struct bus_err err;
	int i;

	open_intake();
	for (i = 0; i < 3; i++) {
		CHECK_CODE(check(m, NULL, &err), BUS_OK, &err);
		CHECK_CODE(check(other, NULL, &err), BUS_OK, &err);
	}
	/* the checkpoint that is known to be good makes no other body good */
	m->body[m->body_len - 3] ^= 1;
	CHECK_CODE(check(m, NULL, &err), BUS_E_NOT_INCLUDED, &err);
	bus_message_free(m);
	bus_message_free(other);
}

/* Change any one byte of anything: it is never believed, and the answer is about the message. */
static void no_byte_can_be_changed(void)
{
	struct bus_message *m = load_message("valid-5-of-37.json");
	const char *const signature = strstr(m->proof, "\xe2\x80\x94 ");
	struct bus_err err;
	enum bus_code rc;
	size_t i;

	open_intake();
	CHECK_NEED(signature != NULL);
	for (i = 0; i < m->body_len; i++) {
		m->body[i] ^= 0x04;
		CHECK_CODE(check(m, NULL, &err), BUS_E_NOT_INCLUDED, &err);
		m->body[i] ^= 0x04;
	}
	for (i = 0; i < (size_t)(signature - m->proof); i++) {
		m->proof[i] ^= 0x01;
		rc = check(m, NULL, &err);
		CHECK_ROW(rc == BUS_E_MALFORMED_PROOF || rc == BUS_E_NOT_INCLUDED ||
				  rc == BUS_E_BAD_SIGNATURE,
			  "proof[%zu]: %s: %s", i, bus_code_info[rc].name, err.text);
		m->proof[i] ^= 0x01;
	}
	for (i = 0; i < strlen(m->routing_key); i++) {
		m->routing_key[i] ^= 0x01;
		CHECK_CODE(check(m, NULL, &err), BUS_E_MISROUTED, &err);
		m->routing_key[i] ^= 0x01;
	}
	CHECK_CODE(check(m, NULL, &err), BUS_OK, &err);
	bus_message_free(m);
}

static void sizes_are_checked_first(void)
{
	struct bus_message *m = load_message("valid-single.json");
	const size_t body_len = m->body_len, proof_len = m->proof_len;
	char *const proof = m->proof;
	struct bus_err err;

	open_intake();
	m->body_len = 0;
	CHECK_CODE(check(m, NULL, &err), BUS_E_UNSIGNED, &err);
	m->body_len = body_len;
	m->proof_len = 0;
	CHECK_CODE(check(m, NULL, &err), BUS_E_UNSIGNED, &err);
	m->proof = NULL;
	CHECK_CODE(check(m, NULL, &err), BUS_E_UNSIGNED, &err);
	m->oversize = true;
	CHECK_CODE(check(m, NULL, &err), BUS_E_OVERSIZE, &err);
	m->proof = proof;
	m->proof_len = proof_len;
	CHECK_CODE(check(m, NULL, &err), BUS_E_OVERSIZE, &err);
	m->oversize = false;
	CHECK_CODE(check(m, NULL, &err), BUS_OK, &err);
	bus_message_free(m);
}

static void the_size_limit_is_the_configured_one(void)
{
	struct bus_message *m = load_message("valid-single.json");
	struct bus_conf small = conf;
	struct bus_intake *strict = NULL, *kept = intake;
	struct bus_err err;

	open_intake();
	kept = intake;
	small.trust_file = conf.trust_file;
	small.max_event_size = m->body_len - 1;
	CHECK_NEED(bus_intake_open(&strict, &small, &err) == BUS_OK);
	intake = strict;
	CHECK_CODE(check(m, NULL, &err), BUS_E_OVERSIZE, &err);
	bus_intake_close(strict);
	small.max_event_size = m->body_len;
	CHECK_NEED(bus_intake_open(&strict, &small, &err) == BUS_OK);
	intake = strict;
	CHECK_CODE(check(m, NULL, &err), BUS_OK, &err);
	bus_intake_close(strict);
	intake = kept;
	bus_message_free(m);
}

static void a_queue_gets_only_what_it_is_bound_to(void)
{
	static const struct {
		const char *pattern;
		bool good;
	} row[] = {
		{ "#", true },
		{ "org.debian.*.dak.#", true },
		{ "org.debian.dev.dak.upload.accept.hello", true },
		{ "org.debian.dev.dak.upload.accept", false },
		{ "org.debian.*.wiki.#", false },
		{ "org.debian.production.#", false },
	};
	struct bus_message *m = load_message("valid-single.json");
	struct bus_bindings bindings = { NULL, 0 };
	struct bus_err err;
	size_t i;

	open_intake();
	CHECK_CODE(check(m, &bindings, &err), BUS_E_MISROUTED, &err);
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		CHECK(bus_bindings_add(&bindings, "org.debian.dev.dak.bus.checkpoint", &err) ==
		      BUS_OK);
		CHECK(bus_bindings_add(&bindings, row[i].pattern, &err) == BUS_OK);
		CHECK_ROW(check(m, &bindings, &err) == (row[i].good ? BUS_OK : BUS_E_MISROUTED),
			  "bound to %s", row[i].pattern);
		bus_bindings_finish(&bindings);
		memset(&bindings, 0, sizeof(bindings));
	}
	bus_message_free(m);
}

/* Puts the signature lines of `from` before or behind those of m. */
static void add_signature(struct bus_message *m, const struct bus_message *from, bool before)
{
	char *lines = strstr(m->proof, "\xe2\x80\x94 "),
	     *other = strstr(from->proof, "\xe2\x80\x94 ");
	const size_t head = (size_t)(lines - m->proof);
	struct bus_buf text = BUS_BUF_INIT(BUS_PROOF_MAX);

	bus_buf_add(&text, m->proof, head);
	bus_buf_puts(&text, before ? other : lines);
	bus_buf_puts(&text, before ? lines : other);
	free(m->proof);
	m->proof_len = text.len;
	m->proof = bus_buf_detach(&text);
}

static void one_good_signature_of_the_origin_is_enough(void)
{
	static const char *const other[] = { "unknown-key.json", "valid-0-of-37.json" };
	struct bus_message *m, *from;
	struct bus_err err;
	size_t i;

	open_intake();
	for (i = 0; i < 2 * sizeof(other) / sizeof(other[0]); i++) {
		m = load_message("valid-single.json");
		from = load_message(other[i / 2]);
		add_signature(m, from, i % 2);
		CHECK_CODE(check(m, NULL, &err), BUS_OK, &err);
		bus_message_free(m);
		bus_message_free(from);
	}
}

/* A second signature, of whatever kind, must not turn a bad one good. */
static void two_bad_signatures_stay_bad(void)
{
	struct bus_message *m = load_message("unknown-key.json");
	struct bus_message *from = load_message("valid-0-of-37.json");
	struct bus_err err;
	enum bus_code rc;

	open_intake();
	add_signature(m, from, false);
	rc = check(m, NULL, &err);
	CHECK_ROW(rc == BUS_E_UNKNOWN_KEY, "%s", bus_code_info[rc].name);
	bus_message_free(m);
	m = load_message("unknown-key.json");
	add_signature(m, from, true);
	rc = check(m, NULL, &err);
	CHECK_ROW(rc == BUS_E_BAD_SIGNATURE, "%s", bus_code_info[rc].name);
	bus_message_free(m);
	bus_message_free(from);
}

static void opens_only_with_a_policy(void)
{
	struct bus_conf bare = { .max_event_size = 1024 };
	struct bus_intake *none = NULL;
	struct bus_err err;

	CHECK_CODE(bus_intake_open(&none, &bare, &err), BUS_E_CONFIG, &err);
	bare.trust_file = check_path("other.conf");
	check_write(bare.trust_file, 0600, "homedir = \"/nonexistent\"\n");
	CHECK_CODE(bus_intake_open(&none, &bare, &err), BUS_E_CONFIG, &err);
	CHECK(!none);
	bus_intake_close(NULL);
	free(bare.trust_file);
}

/*
 * Imports a key, takes it out and imports it again until the file `stop` is there, as
 * `debmsg keys import` and administrators do while messages come.
 */
static pid_t start_imports(const char *stop)
{
	char *home = check_path("trusted"), *key = check_source("tests/vectors/key-stranger.asc");
	pid_t pid = fork();

	if (pid == 0) {
		while (access(stop, F_OK) != 0) {
			gnupg(home, "--import", key, NULL);
			gnupg(home, "--delete-keys", "stranger@vectors.example", NULL);
		}
	}
	free(home);
	free(key);
	if (pid == 0)
		_exit(0);
	return pid;
}

/*
 * For gpg replaces its keyring by renaming: whoever looks for a key in that moment
 * finds none, or aborts (sign.c, VERIFY_ATTEMPTS; intake.c, LOOKS).  To requeue a
 * message then is right, to park it is not.  Of these tries one in thirty meets such
 * a moment; DEBMSG_VERIFICATIONS asks for more of them.
 */
static void nobody_is_parked_while_keys_are_imported(void)
{
	const char *more = getenv("DEBMSG_VERIFICATIONS");
	const long tries = more ? strtol(more, NULL, 10) : 150;
	struct bus_message *m = load_message("valid-5-of-37.json");
	char *stop = check_path("stop");
	long i, believed = 0;
	struct bus_err err;
	enum bus_code rc;
	pid_t pid;

	open_intake();
	pid = start_imports(stop);
	CHECK_NEED(pid > 0);
	for (i = 0; i < tries; i++) {
		bus_intake_close(intake); /* and what it remembers of the signature */
		intake = NULL;
		CHECK_NEED(bus_intake_open(&intake, &conf, &err) == BUS_OK);
		rc = check(m, NULL, &err);
		believed += rc == BUS_OK;
		CHECK_ROW(bus_code_info[rc].fate != BUS_FATE_PARK, "try %ld: %s: %s", i,
			  bus_code_info[rc].name, err.text);
	}
	CHECK_ROW(believed >= tries / 2, "only %ld of %ld were believed", believed, tries);
	check_write(stop, 0600, "");
	CHECK(waitpid(pid, NULL, 0) == pid);
	bus_message_free(m);
	free(stop);
}

/* As it is between the two renames, for as long as gpg has to wait for a processor there. */
static void a_keyring_that_is_being_replaced_parks_nobody(void)
{
	struct bus_message *m = load_message("valid-5-of-37.json");
	char *ring = check_path("trusted/pubring.kbx"), *old = check_path("trusted/pubring.kbx~");
	char *new = check_path("trusted/pubring.kbx.tmp");
	struct bus_err err;

	open_intake();
	bus_intake_close(intake); /* and what it remembers of the signature */
	intake = NULL;
	CHECK_NEED(bus_intake_open(&intake, &conf, &err) == BUS_OK);
	CHECK(!rename(ring, old) && !link(old, new));
	CHECK_CODE(check(m, NULL, &err), BUS_E_TEMP, &err);
	CHECK(!rename(new, ring));
	CHECK_CODE(check(m, NULL, &err), BUS_OK, &err);
	bus_message_free(m);
	free(ring);
	free(old);
	free(new);
}

static const struct check_test tests[] = {
	{ "every golden vector gives its name", every_golden_vector_gives_its_name },
	{ "a belief says who and what", a_belief_says_who_and_what },
	{ "a known signature is as good as a new one", a_known_signature_is_as_good_as_a_new_one },
	{ "no byte can be changed", no_byte_can_be_changed },
	{ "sizes are checked first", sizes_are_checked_first },
	{ "the size limit is the configured one", the_size_limit_is_the_configured_one },
	{ "a queue gets only what it is bound to", a_queue_gets_only_what_it_is_bound_to },
	{ "one good signature of the origin is enough",
	  one_good_signature_of_the_origin_is_enough },
	{ "two bad signatures stay bad", two_bad_signatures_stay_bad },
	{ "opens only with a policy", opens_only_with_a_policy },
	{ "a keyring that is being replaced parks nobody",
	  a_keyring_that_is_being_replaced_parks_nobody },
	{ "nobody is parked while keys are imported", nobody_is_parked_while_keys_are_imported },
	{ NULL, NULL },
};

int main(void)
{
	int status = check_main("intake", tests);

	bus_intake_close(intake);
	gnupg_finish();
	free(conf.trust_file);
	return status;
}
