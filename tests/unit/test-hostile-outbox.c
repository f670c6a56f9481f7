#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "check.h"
#include "gnupg.h"
#include "outbox.h"
#include "signed_batch.h"
#include "timestamp.h"

/*
 * An adapter's user may write what it likes into its outbox, while the relay has it open.
 * It has no key, and must not get the relay's to sign for another log; nor may the
 * relay, which serves others too, hang or fall.
 */

#define TYPE "org.debian.dev.wiki.page.edit"
#define NAME "wiki.example/wiki"

static char *home, *directory;
static char key[BUS_FPR_MAX + 1];

static struct bus_outbox *open_box(void)
{
	const struct bus_outbox_params params = {
		.directory = directory,
		.name = NAME,
		.environment = "dev",
		.service = "wiki",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
		.create = true,
		.wait_ms = 10000,
	};
	struct bus_outbox *box = NULL;
	struct bus_err err;

	CHECK_CODE(bus_outbox_open(&box, &params, &err), BUS_OK, &err);
	CHECK_NEED(box != NULL);
	return box;
}

/* A new outbox with a few events; the caller closes the box and frees directory. */
static struct bus_outbox *new_box(void)
{
	static const char data[] = "{\"summary\":\"s\"}";
	const struct bus_draft draft = { TYPE, "a", 1795342500000000, data, sizeof(data) - 1 };
	struct bus_outbox *box;
	struct bus_err err;
	static int n;
	uint64_t id;
	int i;

	directory = check_path("hostile%d/wiki", n++);
	box = open_box();
	CHECK_CODE(bus_outbox_begin(box, &err), BUS_OK, &err);
	for (i = 0; i < 3; i++)
		CHECK_CODE(bus_outbox_append(box, &draft, &id, &err), BUS_OK, &err);
	CHECK_CODE(bus_outbox_commit(box, &err), BUS_OK, &err);
	return box;
}

static void write_rubbish(const char *sql)
{
	char *path = malloc(strlen(directory) + 20), *said = NULL;
	sqlite3 *db = NULL;

	CHECK_NEED(path != NULL);
	sprintf(path, "%s/outbox.db", directory);
	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	CHECK_ROW(sqlite3_exec(db, sql, NULL, NULL, &said) == SQLITE_OK, "%s: %s", sql, said);
	sqlite3_free(said);
	sqlite3_close(db);
	free(path);
}

/* Whatever was signed is a checkpoint of our own log. */
static void check_note(const char *note)
{
	CHECK_ROW(strncmp(note, NAME "/", strlen(NAME "/")) == 0, "signed: %s", note);
}

static enum bus_code see_note(struct bus_outbox *box, struct bus_err *err)
{
	struct bus_outbox_checkpoint cp = { 0 };
	enum bus_code rc = bus_outbox_checkpoint_before(box, INT64_MAX, &cp, err);

	if (!rc && cp.note)
		check_note(cp.note);
	bus_outbox_checkpoint_finish(&cp);
	return rc;
}

/* What the relay does with an outbox; the first failure. */
static enum bus_code relay(struct bus_outbox *box, struct bus_signing *signing, struct bus_err *err)
{
	struct bus_buf proof = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_signed_batch *batch = NULL;
	struct bus_outbox_state state;
	uint64_t first, last;
	enum bus_code rc;

	rc = bus_outbox_state(box, &state, err);
	if (rc)
		return rc;
	bus_outbox_checkpoint_due(&state, bus_time_now());
	rc = bus_outbox_append_checkpoint(box, err);
	if (!rc)
		rc = bus_signed_batch_load(&batch, box, state.sent, signing, err);
	if (!rc && batch) {
		bus_signed_batch_proof(batch, state.sent, &proof);
		rc = bus_buf_check(&proof, "proof", err);
		bus_signed_batch_free(batch);
	}
	bus_buf_finish(&proof);
	if (!rc)
		rc = see_note(box, err);
	if (rc)
		return rc;
	rc = bus_outbox_resend_next(box, &first, &last, err);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

static struct bus_signing open_signing(void)
{
	struct bus_signing signing = { .key = key };
	struct bus_err err;

	CHECK_CODE(bus_keyring_open(&signing.ring, home, &err), BUS_OK, &err);
	CHECK_NEED(signing.ring != NULL);
	return signing;
}

static void signs_for_its_own_log_only(void)
{
	struct bus_signing signing = open_signing();
	struct bus_outbox *box = new_box();
	struct bus_outbox_state state;
	struct bus_err err;

	CHECK_CODE(bus_outbox_state(box, &state, &err), BUS_OK, &err);
	write_rubbish("UPDATE log SET origin = 'ftp-master.example/dak/20261122T101500Z'");
	CHECK_CODE(relay(box, &signing, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "ftp-master.example/dak/20261122T101500Z");
	CHECK(signing.made == 0);
	write_rubbish("UPDATE log SET origin = '" NAME "/20261122T101500Z'");
	CHECK_CODE(relay(box, &signing, &err), BUS_OK, &err);
	CHECK(signing.made == 1);
	bus_outbox_close(box);
	bus_keyring_close(signing.ring);
	free(directory);
}

/* Most leave something that is signed, and is of no use to anybody; none may do harm. */
static const struct {
	const char *sql;
	enum bus_code want;
} rubbish[] = {
	{ "UPDATE log SET origin = x'00ff'", BUS_E_CONFIG },
	{ "UPDATE log SET origin = ''", BUS_E_CONFIG },
	{ "UPDATE log SET origin = printf('%.*c', 1000, 'a')", BUS_E_CONFIG },
	{ "UPDATE log SET origin = '" NAME "/20261122T101500Z' || char(10) || '9'", BUS_E_CONFIG },
	{ "DELETE FROM log", BUS_E_NO },
	{ "UPDATE log SET size = -1", BUS_E_CONFIG },
	{ "UPDATE log SET sent = -1", BUS_E_CONFIG },
	{ "UPDATE log SET sent = 9", BUS_E_CONFIG },
	{ "UPDATE log SET size = 9223372036854775807", BUS_E_CONFIG },
	{ "UPDATE log SET size = 4611686018427387904, sent = 4611686018427387903", BUS_E_CONFIG },
	{ "UPDATE event SET id = id + 5", BUS_E_CONFIG },
	{ "UPDATE event SET body = x''", BUS_E_CONFIG },
	{ "UPDATE event SET body = 17", BUS_OK },
	{ "UPDATE event SET body = zeroblob(19000000) WHERE id = 1", BUS_OK },
	{ "UPDATE event SET body = zeroblob(30000000) WHERE id = 0", BUS_E_TEMP },
	{ "UPDATE event SET type = x'ff', routing_key = printf('%.*c', 70000, '#')", BUS_OK },
	{ "INSERT INTO checkpoint VALUES (2, x'', 'note')", BUS_E_CONFIG },
	{ "INSERT INTO checkpoint VALUES (-1, zeroblob(2048), 'note')", BUS_E_CONFIG },
	{ "INSERT INTO checkpoint VALUES (0, x'', 'note')", BUS_OK },
	{ "INSERT INTO checkpoint VALUES (2, zeroblob(32), 'note')", BUS_E_CONFIG },
	{ "INSERT INTO checkpoint VALUES (3, zeroblob(64), 'note')", BUS_E_CONFIG },
	{ "UPDATE type SET sequence = -9; INSERT INTO type VALUES (char(34, 10), 'x')",
	  BUS_E_DATA },
	{ "INSERT INTO type SELECT printf('%.*c', 90000, 'a'), 1", BUS_E_DATA },
	{ "INSERT INTO resend VALUES (-5, 9223372036854775807)", BUS_OK },
	{ "DROP TABLE event", BUS_E_TEMP },
	{ "ALTER TABLE event RENAME TO was; CREATE VIEW event AS WITH RECURSIVE n(id) AS"
	  " (SELECT 0 UNION ALL SELECT id + 1 FROM n)"
	  " SELECT id, 'a' AS type, 'a' AS routing_key, 1 AS time, 1 AS added, 'a' AS body FROM n"
	  " WHERE id < 0",
	  BUS_E_TEMP },
	{ "CREATE TRIGGER t AFTER INSERT ON event BEGIN INSERT INTO type SELECT 1, count(*) FROM"
	  " (WITH RECURSIVE n(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n)"
	  " SELECT id FROM n WHERE id < 0); END",
	  BUS_OK },
};

static void rubbish_does_no_harm(void)
{
	struct bus_signing signing = open_signing();
	struct bus_outbox *box;
	struct bus_err err;
	enum bus_code rc;
	size_t i;

	for (i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
		box = new_box();
		write_rubbish(rubbish[i].sql);
		rc = relay(box, &signing, &err);
		CHECK_ROW(rc == rubbish[i].want, "%s: %s, not %s: %s", rubbish[i].sql,
			  bus_code_info[rc].name, bus_code_info[rubbish[i].want].name,
			  rc ? err.text : "");
		bus_outbox_close(box);
		check_remove(directory);
		free(directory);
	}
	bus_keyring_close(signing.ring);
}

/* What is beyond the directory is not touched, though the relay could. */
static void a_link_is_not_followed(void)
{
	struct bus_outbox_params params = {
		.name = NAME,
		.environment = "dev",
		.service = "wiki",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
		.create = true,
	};
	struct bus_outbox *other = NULL;
	struct bus_outbox *box = new_box();
	char *link = malloc(strlen(directory) + 20), *target = check_path("target");
	struct bus_err err;
	struct stat st;

	CHECK_NEED(link != NULL);
	sprintf(link, "%s/relay.lock", directory);
	CHECK(symlink(target, link) == 0);
	CHECK_CODE(bus_outbox_claim(box, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, link);
	CHECK(stat(target, &st) != 0);
	bus_outbox_close(box);

	sprintf(link, "%s/outbox.db", directory);
	check_remove(link);
	check_write(target, 0600, "");
	CHECK(symlink(target, link) == 0);
	params.directory = directory;
	CHECK_CODE(bus_outbox_open(&other, &params, &err), BUS_E_CONFIG, &err);
	CHECK(!other && stat(target, &st) == 0 && st.st_size == 0);
	free(target);
	free(link);
	free(directory);
}

/* Nor does who only looks at the lock open what it points at. */
static void a_lock_that_is_a_link_is_not_opened(void)
{
	struct bus_outbox *box = new_box();
	char *link = malloc(strlen(directory) + 20), *target = check_path("device");
	struct bus_err err;
	long pid;

	CHECK_NEED(link != NULL);
	sprintf(link, "%s/relay.lock", directory);
	check_write(target, 0600, "");
	CHECK(symlink(target, link) == 0);
	CHECK_CODE(bus_outbox_relay(box, &pid, &err), BUS_E_CONFIG, &err);
	bus_outbox_close(box);
	free(target);
	free(link);
	free(directory);
}

static void put_u32(FILE *f, unsigned long value)
{
	int shift;

	for (shift = 24; shift >= 0; shift -= 8)
		fputc((int)(value >> shift & 0xff), f);
}

/* A journal to be rolled back, of a transaction that has its super-journal in `victim`. */
static void plant_journal(const char *victim)
{
	static const unsigned char magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
	char *path = malloc(strlen(directory) + 20);
	unsigned long sum = 0;
	const char *c;
	FILE *f;

	CHECK_NEED(path != NULL);
	sprintf(path, "%s/outbox.db-journal", directory);
	f = fopen(path, "we");
	CHECK_NEED(f != NULL);
	fwrite(magic, 1, sizeof(magic), f);
	put_u32(f, 0);	  /* records */
	put_u32(f, 4711); /* nonce */
	put_u32(f, 8);	  /* pages of the file, before */
	put_u32(f, 512);  /* sector */
	put_u32(f, 4096); /* page */
	fseek(f, 512, SEEK_SET);
	put_u32(f, 0x40000000 / 4096 + 1);
	for (c = victim; *c; c++)
		sum += (unsigned char)*c;
	fputs(victim, f);
	put_u32(f, strlen(victim));
	put_u32(f, sum);
	fwrite(magic, 1, sizeof(magic), f);
	CHECK(fclose(f) == 0);
	free(path);
}

/* SQLite would delete it. */
static void a_journal_names_no_other_file(void)
{
	struct bus_outbox_params params = {
		.name = NAME,
		.environment = "dev",
		.service = "wiki",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
	};
	char *victim = check_path("victim");
	struct bus_outbox *other = NULL;
	struct bus_err err;
	struct stat st;

	bus_outbox_close(new_box());
	check_write(victim, 0600, "a key");
	plant_journal(victim);
	params.directory = directory;
	CHECK_CODE(bus_outbox_open(&other, &params, &err), BUS_E_CONFIG, &err);
	CHECK(!other && stat(victim, &st) == 0 && st.st_size == 5);
	bus_outbox_close(other);
	free(victim);
	free(directory);
}

static void a_pipe_is_not_waited_for(void)
{
	struct bus_outbox_params params = {
		.name = NAME,
		.environment = "dev",
		.service = "wiki",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
	};
	char *path;
	struct bus_outbox *other = NULL;
	struct bus_err err;

	bus_outbox_close(new_box());
	path = malloc(strlen(directory) + 20);
	CHECK_NEED(path != NULL);
	sprintf(path, "%s/outbox.db-journal", directory);
	CHECK(mkfifo(path, 0600) == 0);
	params.directory = directory;
	CHECK_CODE(bus_outbox_open(&other, &params, &err), BUS_E_TEMP, &err);
	bus_outbox_close(other);
	free(path);
	free(directory);
}

/* Not even to look: the column would take longer than anybody waits. */
static void other_tables_are_not_read(void)
{
	struct bus_outbox_params params = {
		.name = NAME,
		.environment = "dev",
		.service = "wiki",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
	};
	struct bus_outbox *other = NULL;
	struct bus_err err;

	bus_outbox_close(new_box());
	write_rubbish("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql ="
		      " replace(sql, 'sent INTEGER NOT NULL', 'sent INTEGER AS (instr("
		      "hex(zeroblob(9000000)), hex(zeroblob(4000000)) || 1))')"
		      " WHERE name = 'log'");
	params.directory = directory;
	CHECK_CODE(bus_outbox_open(&other, &params, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "not ours");
	bus_outbox_close(other);
	free(directory);
}

static const struct check_test tests[] = {
	{ "a lock that is a link is not opened", a_lock_that_is_a_link_is_not_opened },
	{ "a journal names no other file", a_journal_names_no_other_file },
	{ "a pipe is not waited for", a_pipe_is_not_waited_for },
	{ "other tables are not read", other_tables_are_not_read },
	{ "signs for its own log only", signs_for_its_own_log_only },
	{ "rubbish does no harm", rubbish_does_no_harm },
	{ "a link is not followed", a_link_is_not_followed },
	{ NULL, NULL },
};

int main(void)
{
	int status;

	home = gnupg_home("keys");
	if (!gnupg_key(home, "relay", "ed25519", "sign", "never", key)) {
		fputs("gpg makes no key\n", stderr);
		return 99;
	}
	status = check_main("hostile-outbox", tests);
	gnupg_finish();
	free(home);
	return status;
}
