#ifndef BUS_PROOF_H
#define BUS_PROOF_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "merkle.h"

/*
 * The texts that carry a log's state: checkpoint, signed note, inclusion proof
 * (PROTOCOL section 3).
 *
 *   checkpoint   C2SP tlog-checkpoint: origin, tree size, base64 root; three
 *                lines, no extensions
 *   signed note  C2SP signed-note: the checkpoint, an empty line, one or more
 *                lines "U+2014 SP name SP base64(key id || signature)"
 *   proof        C2SP tlog-proof@v1: "index N", the path from the leaf's
 *                sibling up, an empty line, the signed note
 *
 * Parsing is strict: one meaning has one text.  Whether a signature is good is
 * for sign.c to say.
 */
enum {
	BUS_ORIGIN_MAX = 200,	   /* bytes of "<configured name>/<epoch>" */
	BUS_PROOF_MAX = 16 * 1024, /* bytes of a proof */
	BUS_SIGNATURE_MAX = 4096,  /* bytes of one OpenPGP signature */
	BUS_SIGNATURES_MAX = 4,	   /* signature lines of the origin that are looked at */
	BUS_EPOCH_LEN = 16,	   /* 20261122T101500Z */
	BUS_KEY_ID_LEN = 4
};

struct bus_checkpoint {
	char origin[BUS_ORIGIN_MAX + 1];
	uint64_t size; /* leaves */
	struct bus_hash root;
};

struct bus_signature {
	unsigned char key_id[BUS_KEY_ID_LEN]; /* a hint, nothing more */
	size_t len;
	unsigned char bytes[BUS_SIGNATURE_MAX];
};

struct bus_proof {
	uint64_t index;
	unsigned int path_len;
	struct bus_hash path[BUS_PATH_MAX];
	struct bus_checkpoint checkpoint;
	const char *signed_text; /* the checkpoint as signed: borrowed from the input */
	size_t signed_len;
	unsigned int signature_count; /* lines that carry the origin's name */
	struct bus_signature signature[BUS_SIGNATURES_MAX];
};

/* "<name>/<epoch>", both parts as PROTOCOL section 3 wants them. */
bool bus_origin_valid(const char *origin);
size_t bus_origin_name_len(const char *origin); /* without the epoch */
/* What a configuration may call a log: no blanks, no plus sign, no control bytes. */
bool bus_origin_name_valid(const char *name);

/* A decimal without sign or leading zeros, up to the largest int64. */
bool bus_decimal_parse(uint64_t *ret, const char *text, size_t len);

void bus_checkpoint_format(struct bus_buf *out, const struct bus_checkpoint *cp);

/*
 * The signed note for checkpoint text `text`.  fingerprint is that of the key
 * or subkey that signed, in hex as GnuPG prints it.
 */
void bus_note_format(struct bus_buf *out, const struct bus_buf *text, const char *origin,
		     const char *fingerprint, const void *signature, size_t len);

void bus_proof_format(struct bus_buf *out, uint64_t index, const struct bus_hash *path,
		      unsigned int path_len, const char *note);

/*
 * Fills *ret, which is large: keep one and use it again.  BUS_E_MALFORMED_PROOF
 * also where the path has the wrong length for index and size.
 */
enum bus_code bus_proof_parse(struct bus_proof *ret, const char *text, size_t len,
			      struct bus_err *err);

#endif
