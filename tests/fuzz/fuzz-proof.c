#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "merkle.h"
#include "proof.h"

static struct bus_proof proof; /* large */

/* One meaning has one text: what is parsed and written again is the same bytes. */
static void check_text(const char *bytes, size_t len)
{
	struct bus_buf again = BUS_BUF_INIT(BUS_PROOF_MAX + 1000),
		       note = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_buf text = BUS_BUF_INIT(BUS_PROOF_MAX);
	const char *end = bytes + len;

	bus_checkpoint_format(&text, &proof.checkpoint);
	MUST(text.len == proof.signed_len && !memcmp(text.p, proof.signed_text, text.len));
	MUST(proof.signed_text > bytes && proof.signed_text + proof.signed_len < end);
	bus_buf_add(&note, proof.signed_text, (size_t)(end - proof.signed_text));
	bus_proof_format(&again, proof.index, proof.path, proof.path_len, note.p);
	MUST(again.len == len && !memcmp(again.p, bytes, len));
	bus_buf_finish(&text);
	bus_buf_finish(&note);
	bus_buf_finish(&again);
}

static void check_meaning(void)
{
	struct bus_hash leaf = { { 0 } }, root;
	struct bus_range range;
	unsigned int i;

	MUST(proof.index < proof.checkpoint.size);
	MUST(proof.path_len <= BUS_PATH_MAX);
	MUST(proof.path_len == bus_path_len(proof.index, proof.checkpoint.size));
	MUST(bus_origin_valid(proof.checkpoint.origin));
	MUST(proof.signature_count >= 1 && proof.signature_count <= BUS_SIGNATURES_MAX);
	for (i = 0; i < proof.signature_count; i++)
		MUST(proof.signature[i].len >= 1 && proof.signature[i].len <= BUS_SIGNATURE_MAX);
	/* no index and size that a parser lets through may lead these astray */
	bus_path_root(&root, &leaf, proof.index, proof.checkpoint.size, proof.path);
	bus_path_range(&range, proof.index, proof.checkpoint.size, proof.path);
	MUST(range.count == (unsigned int)__builtin_popcountll(proof.index));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;

	rc = bus_proof_parse(&proof, (const char *)bytes, len, &err);
	MUST(rc == BUS_OK || (rc == BUS_E_MALFORMED_PROOF && err.code == rc && err.text[0]));
	if (!rc) {
		check_text((const char *)bytes, len);
		check_meaning();
	}
	return 0;
}
