#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "check.h"
#include "proof.h"

#define ORIGIN "ftp-master.example/dak/20261122T101500Z"
#define DASH "\xe2\x80\x94 "
#define FINGERPRINT "36B0BE6D3B6924D3BCE5539C34F217C32364C7FF"
#define HASH_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define HASH_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define HEAD "c2sp.org/tlog-proof@v1\n"
#define CHECKPOINT ORIGIN "\n3\n" HASH_B "\n"
#define SIGNATURE DASH ORIGIN " AAAAAQI=\n" /* key id 0, one byte of signature */
#define GOOD HEAD "index 1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE

static struct bus_proof proof; /* large */

static enum bus_code parse(const char *text, struct bus_err *err)
{
	/* exactly as long as the text, so that reading past it is seen */
	const size_t len = strlen(text);
	char *copy = malloc(len ? len : 1);
	enum bus_code rc;

	CHECK_NEED(copy != NULL);
	memcpy(copy, text, len);
	rc = bus_proof_parse(&proof, copy, len, err);
	proof.signed_text = NULL;
	free(copy);
	return rc;
}

static void takes_a_proof_apart(void)
{
	struct bus_err err;

	CHECK_CODE(bus_proof_parse(&proof, GOOD, strlen(GOOD), &err), BUS_OK, &err);
	CHECK(proof.index == 1);
	CHECK(proof.path_len == 2);
	CHECK(proof.path[0].b[0] == 0 && proof.path[1].b[31] == 1);
	CHECK_TEXT(proof.checkpoint.origin, ORIGIN);
	CHECK(proof.checkpoint.size == 3);
	CHECK(proof.checkpoint.root.b[7] == 1);
	CHECK(proof.signature_count == 1);
	CHECK(proof.signature[0].len == 1 && proof.signature[0].bytes[0] == 2);
	CHECK(proof.signed_len == strlen(CHECKPOINT));
	CHECK(memcmp(proof.signed_text, CHECKPOINT, proof.signed_len) == 0);
}

/* One row for each way in which a text can be almost a proof. */
static const struct {
	const char *why, *text;
} bad[] = {
	{ "nothing", "" },
	{ "version only", HEAD },
	{ "no version", "index 1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "version 2",
	  "c2sp.org/tlog-proof@v2\nindex 1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "blank before", " " GOOD },
	{ "CR LF", "c2sp.org/tlog-proof@v1\r\nindex 1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT
		   "\n" SIGNATURE },
	{ "an extra line",
	  HEAD "extra AAAA\nindex 1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "no index", HEAD HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "index empty", HEAD "index \n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "leading zero", HEAD "index 01\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "plus sign", HEAD "index +1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "negative", HEAD "index -1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "two blanks", HEAD "index  1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "blank after", HEAD "index 1 \n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "hexadecimal", HEAD "index 0x1\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "index is size", HEAD "index 3\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "index past size", HEAD "index 4\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "index past int64",
	  HEAD "index 9223372036854775808\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "index past uint64",
	  HEAD "index 18446744073709551617\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "path too short", HEAD "index 1\n" HASH_A "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "path too long",
	  HEAD "index 1\n" HASH_A "\n" HASH_B "\n" HASH_A "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "path of another index",
	  HEAD "index 2\n" HASH_A "\n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "hash unpadded", HEAD "index 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" HASH_B
				"\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "hash with low bits",
	  HEAD "index 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n" HASH_B "\n\n" CHECKPOINT
	       "\n" SIGNATURE },
	{ "hash of 31 bytes", HEAD "index 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n" HASH_B
				   "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "hash of 33 bytes", HEAD "index 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" HASH_B
				   "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "hash in URL alphabet",
	  HEAD "index 1\n_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" HASH_B "\n\n" CHECKPOINT
	       "\n" SIGNATURE },
	{ "blank after hash",
	  HEAD "index 1\n" HASH_A " \n" HASH_B "\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "no empty line", HEAD "index 1\n" HASH_A "\n" HASH_B "\n" CHECKPOINT "\n" SIGNATURE },
	{ "two empty lines",
	  HEAD "index 1\n" HASH_A "\n" HASH_B "\n\n\n" CHECKPOINT "\n" SIGNATURE },
	{ "no epoch", HEAD "index 0\n\nftp-master.example/dak\n1\n" HASH_B "\n\n" DASH
			   "ftp-master.example/dak AAAAAQI=\n" },
	{ "size zero", HEAD "index 0\n\n" ORIGIN "\n0\n" HASH_B "\n\n" SIGNATURE },
	{ "size with zero", HEAD "index 0\n\n" ORIGIN "\n01\n" HASH_B "\n\n" SIGNATURE },
	{ "no size", HEAD "index 0\n\n" ORIGIN "\n" HASH_B "\n\n" SIGNATURE },
	{ "size past int64",
	  HEAD "index 0\n\n" ORIGIN "\n9223372036854775808\n" HASH_B "\n\n" SIGNATURE },
	{ "root unpadded", HEAD "index 0\n\n" ORIGIN "\n1\nAAAA\n\n" SIGNATURE },
	{ "no root", HEAD "index 0\n\n" ORIGIN "\n1\n\n" SIGNATURE },
	{ "extension line", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\nextension\n\n" SIGNATURE },
	{ "no signature", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" },
	{ "ends after root", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n" },
	{ "last line open",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN " AAAAAQI=" },
	{ "empty line at end", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" SIGNATURE "\n" },
	{ "text at end", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" SIGNATURE "more\n" },
	{ "hyphen for dash",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n- " ORIGIN " AAAAAQI=\n" },
	{ "no blank after dash",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n\xe2\x80\x94" ORIGIN " AAAAAQI=\n" },
	{ "signature without name",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH " AAAAAQI=\n" },
	{ "name only", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN "\n" },
	{ "signature empty", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN " \n" },
	{ "key id only",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN " AAAAAA==\n" },
	{ "signature unpadded",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN " AAAAAQI\n" },
	{ "signature with low bits",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN " AAAAAQJ=\n" },
	{ "blank after signature",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN " AAAAAQI= \n" },
	{ "other names only",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH "witness.example AAAAAQI=\n" },
	{ "a shorter name", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH
				 "ftp-master.example/dak AAAAAQI=\n" },
	{ "a longer name",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN "x AAAAAQI=\n" },
	{ "five signatures", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B
				  "\n\n" SIGNATURE SIGNATURE SIGNATURE SIGNATURE SIGNATURE },
	{ "bad line of another name",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" SIGNATURE DASH "witness.example !!!!\n" },
	/* signed-note: a name has neither blanks nor plus signs nor control characters, and is
	   UTF-8 */
	{ "plus in another name", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" SIGNATURE DASH
				       "witness+example AAAAAQI=\n" },
	{ "tab in another name", HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" SIGNATURE DASH
				      "witness\texample AAAAAQI=\n" },
	{ "another name not in UTF-8",
	  HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" SIGNATURE DASH "witness\xff"
	       "example AAAAAQI=\n" },
};

static void refuses_what_is_almost_a_proof(void)
{
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		CHECK_ROW(parse(bad[i].text, &err) == BUS_E_MALFORMED_PROOF, "%s is taken",
			  bad[i].why);
		CHECK_ROW(strncmp(err.text, "proof: ", 7) == 0, "%s: '%s'", bad[i].why, err.text);
	}
}

static void refuses_every_truncation(void)
{
	char text[] = GOOD;
	size_t len;

	for (len = 0; len < strlen(GOOD); len++) {
		memcpy(text, GOOD, sizeof(text));
		text[len] = '\0';
		CHECK_ROW(parse(text, NULL) == BUS_E_MALFORMED_PROOF, "%zu bytes are taken", len);
	}
	CHECK(parse(GOOD, NULL) == BUS_OK);
}

static void refuses_nul_bytes(void)
{
	char text[] = GOOD;
	size_t i;

	for (i = 0; i < strlen(GOOD); i++) {
		memcpy(text, GOOD, sizeof(text));
		text[i] = '\0';
		CHECK_ROW(bus_proof_parse(&proof, text, sizeof(text) - 1, NULL) ==
				  BUS_E_MALFORMED_PROOF,
			  "NUL at %zu is taken", i);
	}
}

static void refuses_more_than_16_kib(void)
{
	struct bus_buf text = BUS_BUF_INIT(40000);

	bus_buf_puts(&text, GOOD);
	while (text.len + 27 <= BUS_PROOF_MAX)
		bus_buf_puts(&text, DASH "witness.example AAAAAQI=\n");
	CHECK(parse(text.p, NULL) == BUS_OK);
	while (text.len <= BUS_PROOF_MAX)
		bus_buf_puts(&text, DASH "witness.example AAAAAQI=\n");
	CHECK(parse(text.p, NULL) == BUS_E_MALFORMED_PROOF);
	bus_buf_finish(&text);
}

static void passes_over_lines_of_witnesses(void)
{
	static const char text[] = HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH
					"a.example/witness AAAAAQI=\n" SIGNATURE DASH
					"b AAAAAQIDBAUGBwg=\n";
	struct bus_err err;

	CHECK_CODE(parse(text, &err), BUS_OK, &err);
	CHECK(proof.signature_count == 1);
	CHECK(proof.signature[0].len == 1 && proof.signature[0].bytes[0] == 2);
}

static void keeps_up_to_four_signatures_in_order(void)
{
	static const char text[] = HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN
					" AAAAAQE=\n" SIGNATURE DASH ORIGIN
					" AAAAAQM=\n" DASH ORIGIN " AAAAAQQ=\n";
	struct bus_err err;
	unsigned int i;

	CHECK_CODE(parse(text, &err), BUS_OK, &err);
	CHECK_NEED(proof.signature_count == 4);
	for (i = 0; i < 4; i++)
		CHECK(proof.signature[i].bytes[0] == i + 1);
}

static void a_parse_leaves_nothing_of_the_last_one(void)
{
	CHECK(parse(GOOD, NULL) == BUS_OK);
	CHECK(parse(HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_A "\n\n" SIGNATURE, NULL) == BUS_OK);
	CHECK(proof.path_len == 0 && proof.index == 0 && proof.checkpoint.size == 1 &&
	      proof.signature_count == 1 && proof.checkpoint.root.b[0] == 0);
}

static void a_signature_has_4096_bytes_at_most(void)
{
	unsigned char raw[BUS_KEY_ID_LEN + BUS_SIGNATURE_MAX + 4] = { 0 };
	struct bus_buf text = BUS_BUF_INIT(20000);
	size_t n;

	for (n = sizeof(raw) - 8; n <= sizeof(raw); n++) {
		bus_buf_clear(&text);
		bus_buf_puts(&text,
			     HEAD "index 0\n\n" ORIGIN "\n1\n" HASH_B "\n\n" DASH ORIGIN " ");
		bus_base64_encode(&text, raw, n);
		bus_buf_puts(&text, "\n");
		CHECK_ROW((parse(text.p, NULL) == BUS_OK) ==
				  (n <= BUS_KEY_ID_LEN + BUS_SIGNATURE_MAX),
			  "%zu bytes", n);
	}
	bus_buf_finish(&text);
}

static void origins_are_name_and_epoch(void)
{
	static const char *const good[] = { ORIGIN, "a/00000000T000000Z",
					    "a/b/c/20261122T101500Z" };
	static const char *const wrong[] = {
		"",
		"/",
		"dak",
		"20261122T101500Z",
		"/20261122T101500Z",
		"a/20261122T101500",
		"a/20261122T101500ZZ",
		"a/20261122t101500Z",
		"a/20261122T10150 Z",
		"a b/20261122T101500Z",
		"a+b/20261122T101500Z",
		"a\n/20261122T101500Z",
		"\xc3\xbc/20261122T101500Z",
		"a/2026112T2101500Z",
		"a/20261122T101500Z/",
		"a\x7f/20261122T101500Z",
	};
	char lots[BUS_ORIGIN_MAX + 2];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK_ROW(bus_origin_valid(good[i]), "'%s' is refused", good[i]);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_ROW(!bus_origin_valid(wrong[i]), "'%s' is taken", wrong[i]);
	memset(lots, 'a', sizeof(lots));
	strcpy(lots + BUS_ORIGIN_MAX - 17, "/20261122T101500Z");
	CHECK(strlen(lots) == BUS_ORIGIN_MAX && bus_origin_valid(lots));
	memset(lots, 'a', sizeof(lots));
	strcpy(lots + BUS_ORIGIN_MAX - 16, "/20261122T101500Z");
	CHECK(!bus_origin_valid(lots));
	CHECK(bus_origin_name_len(ORIGIN) == strlen("ftp-master.example/dak"));
}

static void names_leave_room_for_the_epoch(void)
{
	char lots[BUS_ORIGIN_MAX];

	CHECK(bus_origin_name_valid("ftp-master.debian.org/dak"));
	CHECK(!bus_origin_name_valid("") && !bus_origin_name_valid("/a") &&
	      !bus_origin_name_valid("a/") && !bus_origin_name_valid("a b") &&
	      !bus_origin_name_valid("a+b") && !bus_origin_name_valid("a\t"));
	memset(lots, 'a', sizeof(lots));
	lots[BUS_ORIGIN_MAX - 17] = '\0';
	CHECK(bus_origin_name_valid(lots));
	lots[BUS_ORIGIN_MAX - 17] = 'a';
	lots[BUS_ORIGIN_MAX - 16] = '\0';
	CHECK(!bus_origin_name_valid(lots));
}

static void decimals_have_one_spelling(void)
{
	static const char *const wrong[] = { "",
					     "-1",
					     "+1",
					     " 1",
					     "1 ",
					     "00",
					     "01",
					     "1.",
					     "0x1",
					     "9223372036854775808",
					     "10000000000000000000",
					     "1e3" };
	uint64_t n = 7;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_ROW(!bus_decimal_parse(&n, wrong[i], strlen(wrong[i])), "'%s' is taken",
			  wrong[i]);
	CHECK(n == 7);
	CHECK(bus_decimal_parse(&n, "0", 1) && n == 0);
	CHECK(bus_decimal_parse(&n, "9223372036854775807", 19) && n == INT64_MAX);
	CHECK(bus_decimal_parse(&n, "12x", 2) && n == 12);
}

/* What the relay does: checkpoint, note, proof. */
static void make_proof(struct bus_buf *out, uint64_t index, uint64_t size, size_t signature_len)
{
	struct bus_buf text = BUS_BUF_INIT(1000), note = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_checkpoint cp = { .origin = ORIGIN, .size = size };
	unsigned char signature[BUS_SIGNATURE_MAX];
	struct bus_hash path[BUS_PATH_MAX];
	unsigned int i, n = bus_path_len(index, size);

	for (i = 0; i < n; i++)
		memset(path[i].b, (int)(i + index), BUS_HASH_LEN);
	memset(cp.root.b, (int)size, BUS_HASH_LEN);
	memset(signature, 0xa5, sizeof(signature));
	bus_checkpoint_format(&text, &cp);
	bus_note_format(&note, &text, ORIGIN, FINGERPRINT, signature, signature_len);
	bus_proof_format(out, index, path, n, note.p);
	bus_buf_finish(&text);
	bus_buf_finish(&note);
}

static void what_is_written_is_read_back(void)
{
	static const struct {
		uint64_t index, size;
	} row[] = { { 0, 1 },	       { 0, 2 },   { 1, 2 },	     { 4, 7 },
		    { 6, 7 },	       { 36, 37 }, { 0, INT64_MAX }, { INT64_MAX - 1, INT64_MAX },
		    { 12345, 1000000 } };
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct bus_buf text = BUS_BUF_INIT(2 * BUS_PROOF_MAX);
		struct bus_buf again = BUS_BUF_INIT(2 * BUS_PROOF_MAX);

		make_proof(&text, row[i].index, row[i].size, i ? 1 + i * 400 : BUS_SIGNATURE_MAX);
		CHECK_CODE(bus_proof_parse(&proof, text.p, text.len, &err), BUS_OK, &err);
		CHECK(proof.index == row[i].index && proof.checkpoint.size == row[i].size);
		bus_proof_format(&again, proof.index, proof.path, proof.path_len,
				 proof.signed_text);
		CHECK_TEXT(again.p, text.p);
		bus_checkpoint_format(&again, &proof.checkpoint);
		CHECK(!memcmp(again.p + text.len, proof.signed_text, proof.signed_len));
		bus_buf_finish(&text);
		bus_buf_finish(&again);
	}
}

/* Made with: printf 'ORIGIN\n\377openpgp' plus the fingerprint's bytes | sha256sum */
static void key_id_is_that_of_the_protocol(void)
{
	static const unsigned char expected[] = { 0xec, 0x54, 0x14, 0xa7 };
	struct bus_buf text = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_err err;

	make_proof(&text, 0, 1, 10);
	CHECK_CODE(bus_proof_parse(&proof, text.p, text.len, &err), BUS_OK, &err);
	CHECK(memcmp(proof.signature[0].key_id, expected, sizeof(expected)) == 0);
	bus_buf_finish(&text);
}

static void a_signature_too_large_is_not_written(void)
{
	static const unsigned char lots[BUS_SIGNATURE_MAX + 1];
	struct bus_buf text = BUS_BUF_INIT(100), note = BUS_BUF_INIT(BUS_PROOF_MAX);

	bus_buf_puts(&text, "x\n");
	bus_note_format(&note, &text, ORIGIN, FINGERPRINT, lots, sizeof(lots));
	CHECK(bus_buf_check(&note, "note", NULL) == BUS_E_DATA);
	bus_buf_finish(&text);
	bus_buf_finish(&note);
}

static const struct check_test tests[] = {
	{ "takes a proof apart", takes_a_proof_apart },
	{ "refuses what is almost a proof", refuses_what_is_almost_a_proof },
	{ "refuses every truncation", refuses_every_truncation },
	{ "refuses NUL bytes", refuses_nul_bytes },
	{ "refuses more than 16 KiB", refuses_more_than_16_kib },
	{ "passes over lines of witnesses", passes_over_lines_of_witnesses },
	{ "keeps up to four signatures, in order", keeps_up_to_four_signatures_in_order },
	{ "a parse leaves nothing of the last one", a_parse_leaves_nothing_of_the_last_one },
	{ "a signature has 4096 bytes at most", a_signature_has_4096_bytes_at_most },
	{ "origins are name and epoch", origins_are_name_and_epoch },
	{ "names leave room for the epoch", names_leave_room_for_the_epoch },
	{ "decimals have one spelling", decimals_have_one_spelling },
	{ "what is written is read back", what_is_written_is_read_back },
	{ "the key id is that of the protocol", key_id_is_that_of_the_protocol },
	{ "a signature too large is not written", a_signature_too_large_is_not_written },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("proof", tests);
}
