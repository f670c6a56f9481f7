#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "event.h"
#include "fuzz.h"
#include "intake.h"
#include "place.h"
#include "topic.h"

/*
 * What a consumer does with bytes from the broker, whole.  No fuzzer finds a hash
 * or a signature, so both are made to fit here: the proof is built around whatever
 * the body is, and every signature is by the one key that trust.conf names.
 */
static const char primary[] = "0123456789ABCDEF0123456789ABCDEF01234567";
static const char stranger[] = "FEDCBA9876543210FEDCBA9876543210FEDCBA98";
static const char origin[] = "a.example/dak/20261122T101500Z";
/* What the first byte of a signature says of it, all else being bad. */
enum { GOOD = 'g', STRANGERS = 's', BAD = 'b' };
static unsigned int asked;

enum bus_code __wrap_bus_keyring_verify(struct bus_keyring *ring, const void *bytes, size_t len,
					const void *signature, size_t signature_len,
					struct bus_signer *ret, struct bus_err *err);

enum bus_code __wrap_bus_keyring_verify(struct bus_keyring *ring, const void *bytes, size_t len,
					const void *signature, size_t signature_len,
					struct bus_signer *ret, struct bus_err *err)
{
	const char first = ((const char *)signature)[0];

	(void)ring;
	MUST(len && ((const char *)bytes)[len - 1] == '\n');
	MUST(signature && signature_len >= 1 && signature_len <= BUS_SIGNATURE_MAX);
	asked++;
	if (first != GOOD && first != STRANGERS)
		return bus_fail(err, BUS_E_BAD_SIGNATURE, "sign: not that key's");
	snprintf(ret->primary, sizeof(ret->primary), "%s", first == GOOD ? primary : stranger);
	snprintf(ret->subkey, sizeof(ret->subkey), "%s", first == GOOD ? primary : stranger);
	return BUS_OK;
}

static struct bus_intake *open_intake(void)
{
	struct bus_conf conf = { .max_event_size = 5000 };
	struct bus_intake *in = NULL;
	struct bus_err err = { BUS_OK, "" };
	char text[600];

	MUST(chmod(fuzz_place(), 0700) == 0);
	snprintf(text, sizeof(text),
		 "homedir = \"%s\"\nlog \"a.example/dak\" {\n\tkeys = { \"%s\" }\n"
		 "\ttypes = { \"org.debian.dev.dak.#\" }\n}\n",
		 fuzz_place(), primary);
	conf.trust_file = (char *)fuzz_file("trust.conf", text);
	MUST(bus_intake_open(&in, &conf, &err) == BUS_OK);
	return in;
}

/* Leaf 0 of a log of one, or leaf 2 of one of three, whose other leaves are all zeros. */
static void make_proof(struct bus_buf *out, const char *body, size_t len, char signature,
		       bool third)
{
	struct bus_buf text = BUS_BUF_INIT(BUS_PROOF_MAX), note = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_checkpoint checkpoint = { .size = third ? 3 : 1 };
	struct bus_hash leaf, path[1] = { { { 0 } } };

	snprintf(checkpoint.origin, sizeof(checkpoint.origin), "%s", origin);
	bus_merkle_leaf(&leaf, body, len);
	bus_path_root(&checkpoint.root, &leaf, checkpoint.size - 1, checkpoint.size, path);
	bus_checkpoint_format(&text, &checkpoint);
	bus_note_format(&note, &text, origin, primary, &signature, 1);
	bus_proof_format(out, checkpoint.size - 1, path, third, note.p);
	MUST(!out->failed);
	bus_buf_finish(&text);
	bus_buf_finish(&note);
}

/* PROTOCOL section 5, once more: what is believed is what it says it is. */
static void check_belief(const struct bus_belief *belief, const struct bus_message *m)
{
	const struct bus_event *ev = belief->event;
	char key[BUS_KEY_MAX + 1];

	MUST(belief->proof->signature[0].bytes[0] == GOOD || belief->proof->signature_count > 1);
	MUST(m->body_len <= 5000);
	MUST(strcmp(ev->source, origin) == 0 && ev->id == belief->proof->index);
	MUST(strncmp(ev->type, "org.debian.dev.dak.", 19) == 0 ||
	     !strcmp(ev->type, "org.debian.dev.dak"));
	bus_topic_key(key, ev->type, ev->subject);
	MUST(!m->routing_key || strcmp(key, m->routing_key) == 0);
	MUST(strcmp(belief->signer.primary, primary) == 0);
}

/*
 * Anything that is not believed has a name that PROTOCOL section 5 knows, and is
 * parked: never kept for ever, and never an end of the program.
 */
static void check_message(struct bus_intake *in, const struct bus_message *m)
{
	struct bus_err err = { BUS_OK, "" };
	struct bus_belief belief;
	unsigned int before = asked;
	enum bus_code rc, again;

	rc = bus_intake_check(in, m, NULL, &belief, &err);
	MUST(rc == BUS_OK || (bus_code_info[rc].fate == BUS_FATE_PARK && err.text[0]));
	MUST(rc != BUS_E_MALFORMED_PROOF || asked == before);
	if (!rc) {
		check_belief(&belief, m);
		bus_event_free(belief.event);
	}
	again = bus_intake_check(in, m, NULL, &belief, &err);
	MUST(again == rc);
	if (!again)
		bus_event_free(belief.event);
}

/* The input: a letter; the routing key, LF; the body, or with some letters the proof, FF, the body.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct bus_intake *in;
	struct bus_buf proof = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_message m = { .routing_key = NULL };
	const char *text, *end, *rest;
	char how;

	if (!in)
		in = open_intake();
	if (!len)
		return 0;
	how = (char)bytes[0];
	text = (const char *)bytes + 1;
	end = text + len - 1;
	rest = memchr(text, '\n', len - 1);
	rest = rest ? rest : text;
	m.routing_key = how & 4 ? NULL : strndup(text, (size_t)(rest - text));
	text = rest < end ? rest + 1 : end;
	rest = how & 8 ? memchr(text, '\f', (size_t)(end - text)) : NULL;
	m.body = rest ? (char *)rest + 1 : (char *)text;
	m.body_len = (size_t)(end - m.body);
	if (rest) /* a proof of the fuzzer's own; a hash of its body it will hardly find */
		bus_buf_add(&proof, text, (size_t)(rest - text));
	else if (m.body_len)
		make_proof(&proof, m.body, m.body_len,
			   how & 1   ? BAD
			   : how & 2 ? STRANGERS
				     : GOOD,
			   how & 16);
	m.proof = proof.p;
	m.proof_len = proof.len;
	check_message(in, &m);
	free(m.routing_key);
	bus_buf_finish(&proof);
	return 0;
}
