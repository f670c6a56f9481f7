#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "gnupg.h"
#include "sign.h"

static const char text[] = "ftp-master.example/dak/20261122T101500Z\n3\nAAAA\n";

/*
 * `maker` holds the secret keys, `reader` the public ones, as relay and
 * consumer do.  Made once, since keys take their time.
 */
static char *maker, *reader;
static char fpr[BUS_FPR_MAX + 1]; /* of the good key */

static void make_homes(void)
{
	if (maker)
		return;
	maker = gnupg_home("m");
	reader = gnupg_home("r");
	CHECK_NEED(gnupg_key(maker, "good@example", "ed25519", "sign", "never", fpr));
	CHECK_NEED(gnupg_copy_keys(maker, reader, fpr));
}

/* Signs `text` with gpg itself and options of its own; the caller frees the signature. */
static char *signature_by(const char *home, const char *key, const char *option, const char *value,
			  size_t *len)
{
	char *in = check_path("in"), *out = check_path("out"), *bytes = NULL;

	check_write(in, 0600, text);
	check_remove(out);
	if (gnupg(home, "--local-user", key, "--output", out, option, value, "--detach-sign", in,
		  NULL) == 0)
		bytes = check_read(out, len);
	free(in);
	free(out);
	return bytes;
}

static enum bus_code verify_in(const char *home, const char *signature, size_t len,
			       struct bus_signer *signer, struct bus_err *err)
{
	struct bus_keyring *ring = NULL;
	enum bus_code rc;

	CHECK_NEED(bus_keyring_open(&ring, home, err) == BUS_OK);
	rc = bus_keyring_verify(ring, text, strlen(text), signature, len, signer, err);
	bus_keyring_close(ring);
	return rc;
}

/* The common case: one signature, looked at with the reader's keys. */
static void check_signature(const char *key, const char *option, const char *value,
			    enum bus_code expected)
{
	struct bus_signer signer;
	struct bus_err err;
	char *signature;
	size_t len = 0;

	signature = signature_by(maker, key, option, value, &len);
	CHECK_NEED(signature != NULL);
	CHECK_CODE(verify_in(reader, signature, len, &signer, &err), expected, &err);
	free(signature);
}

static void what_is_signed_is_verified(void)
{
	struct bus_buf signature = BUS_BUF_INIT(4096);
	struct bus_signer by = { "", "" }, seen = { "", "" };
	struct bus_keyring *ring = NULL;
	struct bus_err err;

	make_homes();
	CHECK_CODE(bus_keyring_open(&ring, maker, &err), BUS_OK, &err);
	CHECK_CODE(bus_keyring_sign(ring, fpr, text, strlen(text), &signature, &by, &err), BUS_OK,
		   &err);
	bus_keyring_close(ring);
	CHECK_TEXT(by.primary, fpr);
	CHECK_TEXT(by.subkey, fpr);
	CHECK_NEED(signature.len > 0);
	CHECK(signature.p[0] & 0x80); /* a packet, not armour */
	CHECK_CODE(verify_in(reader, signature.p, signature.len, &seen, &err), BUS_OK, &err);
	CHECK_TEXT(seen.primary, fpr);
	CHECK_TEXT(seen.subkey, fpr);
	bus_buf_finish(&signature);
}

static void other_bytes_are_not_what_was_signed(void)
{
	struct bus_keyring *ring = NULL;
	struct bus_signer signer;
	struct bus_err err;
	char *signature;
	size_t len;

	make_homes();
	signature = signature_by(maker, fpr, "--digest-algo", "SHA512", &len);
	CHECK_NEED(signature != NULL);
	CHECK(bus_keyring_open(&ring, reader, &err) == BUS_OK);
	CHECK_CODE(bus_keyring_verify(ring, text, strlen(text), signature, len, &signer, &err),
		   BUS_OK, &err);
	CHECK_CODE(bus_keyring_verify(ring, text, strlen(text) - 1, signature, len, &signer, &err),
		   BUS_E_BAD_SIGNATURE, &err);
	CHECK_CODE(bus_keyring_verify(ring, "", 0, signature, len, &signer, &err),
		   BUS_E_BAD_SIGNATURE, &err);
	bus_keyring_close(ring);
	free(signature);
}

static void a_stranger_is_unknown(void)
{
	char stranger[BUS_FPR_MAX + 1];

	make_homes();
	CHECK_NEED(gnupg_key(maker, "stranger@example", "ed25519", "sign", "never", stranger));
	check_signature(stranger, "--digest-algo", "SHA256", BUS_E_UNKNOWN_KEY);
}

static void an_expired_key_is_expired(void)
{
	char old[BUS_FPR_MAX + 1];

	make_homes();
	CHECK_NEED(gnupg(maker, "--faked-system-time", "20200101T000000", "--quick-generate-key",
			 "old@example", "ed25519", "sign", "1m", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(maker, "old@example", 0, old));
	CHECK_NEED(gnupg_copy_keys(maker, reader, old));
	/* made while the key was good: it is no use today */
	check_signature(old, "--faked-system-time", "20200102T000000", BUS_E_EXPIRED_KEY);
}

static void an_expired_signature_is_expired(void)
{
	char key[BUS_FPR_MAX + 1], *signature, *in = check_path("in"), *out = check_path("out");
	struct bus_signer signer;
	struct bus_err err;
	size_t len;

	make_homes();
	CHECK_NEED(gnupg(maker, "--faked-system-time", "20200101T000000", "--quick-generate-key",
			 "ageing@example", "ed25519", "sign", "never", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(maker, "ageing@example", 0, key));
	CHECK_NEED(gnupg_copy_keys(maker, reader, key));
	check_write(in, 0600, text);
	CHECK_NEED(gnupg(maker, "--faked-system-time", "20200102T000000", "--default-sig-expire",
			 "1d", "--local-user", key, "--output", out, "--detach-sign", in,
			 NULL) == 0);
	signature = check_read(out, &len);
	CHECK_CODE(verify_in(reader, signature, len, &signer, &err), BUS_E_EXPIRED_KEY, &err);
	free(signature);
	/* the same key without such a limit is fine */
	check_signature(key, "--faked-system-time", "20200102T000000", BUS_OK);
	free(in);
	free(out);
}

static void a_revoked_key_is_revoked(void)
{
	char key[BUS_FPR_MAX + 1], *path, *certificate, *begin;

	make_homes();
	CHECK_NEED(gnupg_key(maker, "revoked@example", "ed25519", "sign", "never", key));
	CHECK_NEED(gnupg_copy_keys(maker, reader, key));
	check_signature(key, "--digest-algo", "SHA256", BUS_OK);
	/* GnuPG puts a colon before the armour, lest it be used by mistake */
	path = check_path("m/openpgp-revocs.d/%s.rev", key);
	certificate = check_read(path, NULL);
	begin = strstr(certificate, ":-----BEGIN");
	CHECK_NEED(begin != NULL);
	check_write(path, 0600, begin + 1);
	CHECK_NEED(gnupg(reader, "--import", path, NULL) == 0);
	check_signature(key, "--digest-algo", "SHA256", BUS_E_REVOKED_KEY);
	free(certificate);
	free(path);
}

static void a_disabled_key_is_as_revoked(void)
{
	char key[BUS_FPR_MAX + 1];

	make_homes();
	CHECK_NEED(gnupg_key(maker, "disabled@example", "ed25519", "sign", "never", key));
	CHECK_NEED(gnupg_copy_keys(maker, reader, key));
	check_signature(key, "--digest-algo", "SHA256", BUS_OK);
	CHECK_NEED(gnupg(reader, "--edit-key", key, "disable", "save", NULL) == 0);
	check_signature(key, "--digest-algo", "SHA256", BUS_E_REVOKED_KEY);
}

static void a_revoked_subkey_is_revoked(void)
{
	char key[BUS_FPR_MAX + 1], sub[BUS_FPR_MAX + 1], *script, command[900];
	struct bus_signer signer;
	struct bus_err err;
	char *signature;
	size_t len;

	make_homes();
	CHECK_NEED(gnupg_key(maker, "subrevoked@example", "ed25519", "cert", "never", key));
	CHECK_NEED(gnupg(maker, "--quick-add-key", key, "ed25519", "sign", "never", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(maker, "subrevoked@example", 1, sub));
	signature = signature_by(maker, sub, "--digest-algo", "SHA256", &len);
	CHECK_NEED(signature != NULL);
	script = check_path("edit");
	check_write(script, 0600, "key 1\nrevkey\ny\n0\n\ny\nsave\n");
	snprintf(command, sizeof(command),
		 "gpg --homedir '%s' --no-tty --pinentry-mode loopback "
		 "--passphrase '' --command-fd 0 --edit-key %s <'%s' >/dev/null 2>&1",
		 maker, key, script);
	CHECK_NEED(system(command) == 0);
	CHECK_NEED(gnupg_copy_keys(maker, reader, key));
	CHECK_CODE(verify_in(reader, signature, len, &signer, &err), BUS_E_REVOKED_KEY, &err);
	free(signature);
	free(script);
}

static void a_weak_digest_is_weak(void)
{
	make_homes();
	check_signature(fpr, "--digest-algo", "SHA256", BUS_OK);
	check_signature(fpr, "--digest-algo", "SHA384", BUS_OK);
	check_signature(fpr, "--digest-algo", "SHA512", BUS_OK);
	check_signature(fpr, "--digest-algo", "SHA1", BUS_E_WEAK_SIGNATURE);
	check_signature(fpr, "--digest-algo", "SHA224", BUS_E_WEAK_SIGNATURE);
	check_signature(fpr, "--digest-algo", "RIPEMD160", BUS_E_WEAK_SIGNATURE);
}

static void md5_is_weak(void)
{
	char *signature, *in = check_path("in"), *out = check_path("out");
	struct bus_signer signer;
	struct bus_err err;
	size_t len;

	make_homes();
	check_write(in, 0600, text);
	CHECK_NEED(gnupg(maker, "--allow-weak-digest-algos", "--digest-algo", "MD5", "--local-user",
			 fpr, "--output", out, "--detach-sign", in, NULL) == 0);
	signature = check_read(out, &len);
	CHECK_CODE(verify_in(reader, signature, len, &signer, &err), BUS_E_WEAK_SIGNATURE, &err);
	free(signature);
	free(in);
	free(out);
}

static void a_small_rsa_key_is_weak(void)
{
	static const struct {
		const char *user, *algo;
		enum bus_code expected;
	} row[] = {
		{ "rsa1024@example", "rsa1024", BUS_E_WEAK_SIGNATURE },
		{ "rsa1536@example", "rsa1536", BUS_E_WEAK_SIGNATURE },
		{ "rsa2048@example", "rsa2048", BUS_OK },
		{ "dsa1024@example", "dsa1024", BUS_E_WEAK_SIGNATURE },
	};
	char key[BUS_FPR_MAX + 1];
	size_t i;

	make_homes();
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		CHECK_NEED(gnupg_key(maker, row[i].user, row[i].algo, "sign", "never", key));
		CHECK_NEED(gnupg_copy_keys(maker, reader, key));
		check_signature(key, "--digest-algo", "SHA256", row[i].expected);
	}
}

static void two_signatures_are_one_too_many(void)
{
	struct bus_signer signer;
	struct bus_err err;
	char *one, *both;
	size_t len;

	make_homes();
	one = signature_by(maker, fpr, "--digest-algo", "SHA256", &len);
	CHECK_NEED(one != NULL);
	both = malloc(2 * len);
	CHECK_NEED(both != NULL);
	memcpy(both, one, len);
	memcpy(both + len, one, len);
	CHECK_CODE(verify_in(reader, both, 2 * len, &signer, &err), BUS_E_BAD_SIGNATURE, &err);
	/* a good one does not make up for a stranger's */
	free(one);
	free(both);
	check_signature(fpr, "--local-user", "stranger@example", BUS_E_BAD_SIGNATURE);
}

/*
 * Whatever stands where a signature should: the answer is about the message, never
 * "try again later", which would keep it in the queue for ever.
 */
static void rubbish_is_a_bad_signature(void)
{
	char *signature, copy[4096];
	struct bus_keyring *ring = NULL;
	struct bus_signer signer;
	struct bus_err err;
	enum bus_code rc;
	size_t len, i;

	make_homes();
	signature = signature_by(maker, fpr, "--digest-algo", "SHA256", &len);
	CHECK_NEED(signature && len < sizeof(copy));
	CHECK(bus_keyring_open(&ring, reader, &err) == BUS_OK);
	for (i = 0; i < len; i += i < 12 || i > len - 8 ? 1 : 9) {
		rc = bus_keyring_verify(ring, text, strlen(text), signature, i, &signer, &err);
		CHECK_ROW(rc == BUS_E_BAD_SIGNATURE, "the first %zu bytes: %s: %s", i,
			  bus_code_info[rc].name, err.text);
	}
	for (i = 0; i < len; i++) {
		memcpy(copy, signature, len);
		copy[i] ^= 0x11;
		rc = bus_keyring_verify(ring, text, strlen(text), copy, len, &signer, &err);
		/* unhashed bytes say who signed, and other bytes how: they may change the name */
		CHECK_ROW(rc == BUS_E_BAD_SIGNATURE || rc == BUS_E_UNKNOWN_KEY ||
				  rc == BUS_E_WEAK_SIGNATURE || (rc == BUS_OK && i > 30),
			  "byte %zu changed: %s: %s", i, bus_code_info[rc].name, err.text);
	}
	bus_keyring_close(ring);
	free(signature);
}

/* Packets that are no detached signature: a key, an inline message, a compressed one … */
static void other_packets_are_a_bad_signature(void)
{
	static const char *const option[] = { "--sign", "--clear-sign", "--store" };
	static const struct {
		const char *bytes;
		size_t len;
	} raw[] = {
		{ "", 0 },
		{ "\0", 1 },
		{ "rubbish", 7 },
		{ "\x88", 1 },
		{ "\xff\xff\xff\xff\xff", 5 },
		{ "\xc2\x00", 2 },
		{ "\x88\x01\x04", 3 },
		{ "\xca\x03PGP", 5 },
		{ "\xc8\x01\x00", 3 },
		{ "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n", 58 },
		{ "\xb4\x02xx", 4 },
		{ "\xd1\x01x", 3 },
		{ "\xc2\xff\xff\xff\xff\xff", 6 },
	};
	char *in = check_path("in"), *out = check_path("out"), *bytes;
	struct bus_signer signer;
	struct bus_err err;
	enum bus_code rc;
	size_t i, len;

	make_homes();
	for (i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
		rc = verify_in(reader, raw[i].bytes, raw[i].len, &signer, &err);
		CHECK_ROW(rc == BUS_E_BAD_SIGNATURE || rc == BUS_E_WEAK_SIGNATURE,
			  "row %zu: %s: %s", i, bus_code_info[rc].name, err.text);
	}
	check_write(in, 0600, text);
	for (i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
		CHECK_NEED(gnupg(maker, "--local-user", fpr, "--output", out, option[i], in,
				 NULL) == 0);
		bytes = check_read(out, &len);
		rc = verify_in(reader, bytes, len, &signer, &err);
		CHECK_ROW(rc == BUS_E_BAD_SIGNATURE, "%s: %s: %s", option[i],
			  bus_code_info[rc].name, err.text);
		free(bytes);
	}
	CHECK_NEED(gnupg(maker, "--output", out, "--export", fpr, NULL) == 0);
	bytes = check_read(out, &len);
	CHECK_CODE(verify_in(reader, bytes, len, &signer, &err), BUS_E_BAD_SIGNATURE, &err);
	free(bytes);
	free(in);
	free(out);
}

/* The protocol has binary signatures only: text ones hold for other bytes, too. */
static void a_text_signature_is_refused(void)
{
	char *signature, *in = check_path("in"), *out = check_path("out");
	struct bus_signer signer;
	struct bus_err err;
	size_t len;

	make_homes();
	check_write(in, 0600, text);
	CHECK_NEED(gnupg(maker, "--textmode", "--local-user", fpr, "--output", out, "--detach-sign",
			 in, NULL) == 0);
	signature = check_read(out, &len);
	CHECK_CODE(verify_in(reader, signature, len, &signer, &err), BUS_E_BAD_SIGNATURE, &err);
	free(signature);
	free(in);
	free(out);
}

/* RFC 4880 section 4.2.2; gpg itself writes the old format. */
static void a_packet_has_the_length_that_it_says(void)
{
	unsigned char head[6] = { 0xc2, 0xff };
	struct bus_signer signer;
	char *signature, *again;
	struct bus_err err;
	size_t len, body;

	make_homes();
	signature = signature_by(maker, fpr, "--digest-algo", "SHA512", &len);
	CHECK_NEED(signature != NULL && signature[0] == '\x88');
	body = len - 2;
	again = malloc(body + 7);
	CHECK_NEED(again != NULL && body < 192);

	head[5] = (unsigned char)body; /* in five octets */
	memcpy(again, head, 6);
	memcpy(again + 6, signature + 2, body);
	CHECK_CODE(verify_in(reader, again, body + 6, &signer, &err), BUS_OK, &err);
	again[5]++;
	CHECK_CODE(verify_in(reader, again, body + 6, &signer, &err), BUS_E_BAD_SIGNATURE, &err);
	again[5]--;
	again[4] = 1;
	CHECK_CODE(verify_in(reader, again, body + 6, &signer, &err), BUS_E_BAD_SIGNATURE, &err);
	again[4] = 0;
	again[1] = (char)0xe6; /* of a packet in parts */
	CHECK_CODE(verify_in(reader, again, body + 6, &signer, &err), BUS_E_BAD_SIGNATURE, &err);

	again[1] = (char)body; /* in one */
	memcpy(again + 2, signature + 2, body);
	CHECK_CODE(verify_in(reader, again, body + 2, &signer, &err), BUS_OK, &err);
	again[0] = (char)0xc3; /* another packet */
	CHECK_CODE(verify_in(reader, again, body + 2, &signer, &err), BUS_E_BAD_SIGNATURE, &err);

	memcpy(again, "\xc2\xc0", 2); /* in two, which say at least 192 */
	again[2] = (char)body;
	memcpy(again + 3, signature + 2, body);
	CHECK_CODE(verify_in(reader, again, body + 3, &signer, &err), BUS_E_BAD_SIGNATURE, &err);
	free(again);
	free(signature);
}

/* A keyring that has signed with a key knows it; it must see what becomes of the key. */
static void a_key_that_is_revoked_signs_no_more(void)
{
	char key[BUS_FPR_MAX + 1], *path, *certificate;
	struct bus_buf signature = BUS_BUF_INIT(4096);
	struct bus_keyring *ring = NULL;
	struct bus_signer by;
	struct bus_err err = { BUS_OK, "" };

	make_homes();
	CHECK_NEED(gnupg_key(maker, "regretted@example", "ed25519", "cert", "never", key));
	CHECK_NEED(gnupg(maker, "--quick-add-key", key, "ed25519", "sign", "never", NULL) == 0);
	CHECK(bus_keyring_open(&ring, maker, &err) == BUS_OK);
	CHECK_CODE(bus_keyring_sign(ring, key, text, strlen(text), &signature, &by, &err), BUS_OK,
		   &err);
	path = check_path("m/openpgp-revocs.d/%s.rev", key);
	certificate = check_read(path, NULL);
	check_write(path, 0600, strstr(certificate, ":-----BEGIN") + 1);
	CHECK_NEED(gnupg(maker, "--import", path, NULL) == 0);
	CHECK_CODE(bus_keyring_sign(ring, key, text, strlen(text), &signature, &by, &err),
		   BUS_E_CONFIG, &err);
	CHECK(strstr(err.text, "is revoked") != NULL);
	/* and another one does */
	CHECK_CODE(bus_keyring_sign(ring, fpr, text, strlen(text), &signature, &by, &err), BUS_OK,
		   &err);
	CHECK_TEXT(by.primary, fpr);
	bus_keyring_close(ring);
	bus_buf_finish(&signature);
	free(certificate);
	free(path);
}

static void what_is_being_signed_can_be_forgotten(void)
{
	struct bus_buf signature = BUS_BUF_INIT(4096);
	struct bus_keyring *ring = NULL;
	struct bus_signer by, seen;
	struct bus_err err;

	make_homes();
	CHECK(bus_keyring_open(&ring, maker, &err) == BUS_OK);
	bus_keyring_sign_cancel(ring);
	CHECK_CODE(bus_keyring_sign_start(ring, fpr, "other", 5, &err), BUS_OK, &err);
	bus_keyring_sign_cancel(ring);
	CHECK_CODE(bus_keyring_sign_start(ring, fpr, text, strlen(text), &err), BUS_OK, &err);
	CHECK_CODE(bus_keyring_sign_finish(ring, &signature, &by, &err), BUS_OK, &err);
	CHECK_TEXT(by.primary, fpr);
	CHECK_CODE(verify_in(reader, signature.p, signature.len, &seen, &err), BUS_OK, &err);
	CHECK_CODE(bus_keyring_sign_start(ring, fpr, text, strlen(text), &err), BUS_OK, &err);
	bus_keyring_close(ring);
	bus_buf_finish(&signature);
}

static void a_subkey_signs_for_its_primary_key(void)
{
	char key[BUS_FPR_MAX + 1], sub[BUS_FPR_MAX + 1];
	struct bus_buf signature = BUS_BUF_INIT(4096);
	struct bus_signer by, seen;
	struct bus_keyring *ring = NULL;
	struct bus_err err;

	make_homes();
	CHECK_NEED(gnupg_key(maker, "sub@example", "ed25519", "cert", "never", key));
	CHECK_NEED(gnupg(maker, "--quick-add-key", key, "ed25519", "sign", "never", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(maker, "sub@example", 1, sub));
	CHECK(strcmp(key, sub) != 0);
	CHECK_NEED(gnupg_copy_keys(maker, reader, key));
	CHECK(bus_keyring_open(&ring, maker, &err) == BUS_OK);
	CHECK_CODE(bus_keyring_sign(ring, key, text, strlen(text), &signature, &by, &err), BUS_OK,
		   &err);
	bus_keyring_close(ring);
	CHECK_TEXT(by.primary, key);
	CHECK_TEXT(by.subkey, sub);
	CHECK_CODE(verify_in(reader, signature.p, signature.len, &seen, &err), BUS_OK, &err);
	CHECK_TEXT(seen.primary, key);
	CHECK_TEXT(seen.subkey, sub);
	bus_buf_finish(&signature);
}

static void signing_without_the_key_is_a_matter_of_configuration(void)
{
	struct bus_buf signature = BUS_BUF_INIT(4096);
	struct bus_keyring *ring = NULL;
	struct bus_signer by;
	struct bus_err err;

	make_homes();
	CHECK(bus_keyring_open(&ring, reader, &err) == BUS_OK); /* public keys only */
	CHECK_CODE(bus_keyring_sign(ring, fpr, text, strlen(text), &signature, &by, &err),
		   BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, fpr);
	CHECK_CODE(bus_keyring_sign(ring, "0000000000000000000000000000000000000000", text,
				    strlen(text), &signature, &by, &err),
		   BUS_E_CONFIG, &err);
	bus_keyring_close(ring);
	CHECK(bus_keyring_open(&ring, maker, &err) == BUS_OK);
	if (gnupg_fingerprint(maker, "old@example", 0, by.primary)) /* expired */
		CHECK_CODE(bus_keyring_sign(ring, by.primary, text, strlen(text), &signature, &by,
					    &err),
			   BUS_E_CONFIG, &err);
	bus_keyring_close(ring);
	bus_buf_finish(&signature);
}

static void never_signs_with_a_weak_digest(void)
{
	struct bus_buf signature = BUS_BUF_INIT(4096);
	struct bus_keyring *ring = NULL;
	char *conf = check_path("m/gpg.conf");
	struct bus_signer by;
	struct bus_err err;

	make_homes();
	check_write(conf, 0600, "digest-algo SHA1\n");
	CHECK(bus_keyring_open(&ring, maker, &err) == BUS_OK);
	CHECK_CODE(bus_keyring_sign(ring, fpr, text, strlen(text), &signature, &by, &err),
		   BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "gpg.conf");
	CHECK(!signature.len);
	bus_keyring_close(ring);
	bus_buf_finish(&signature);
	check_remove(conf);
	free(conf);
}

static void a_home_must_be_there_and_be_ours(void)
{
	struct bus_keyring *ring = NULL;
	char *home = gnupg_home("open"), *missing = check_path("missing");
	struct bus_err err;

	CHECK_CODE(bus_keyring_open(&ring, missing, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, missing);
	chmod(home, 0770);
	CHECK_CODE(bus_keyring_open(&ring, home, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "chmod");
	chmod(home, 0707);
	CHECK_CODE(bus_keyring_open(&ring, home, &err), BUS_E_CONFIG, &err);
	CHECK(!ring);
	bus_keyring_close(NULL);
	free(home);
	free(missing);
}

/* -- importing, listing, certifications -- */

static void imports_keys_and_nothing_else(void)
{
	char *home = gnupg_home("i"), *path = check_source("tests/vectors/key-dak.asc"), *bytes;
	struct bus_keyring *ring = NULL;
	struct bus_err err;
	size_t len;
	int n = 0;

	bytes = check_read(path, &len);
	CHECK(bus_keyring_open(&ring, home, &err) == BUS_OK);
	CHECK_CODE(bus_keyring_import(ring, bytes, len, &n, &err), BUS_OK, &err);
	CHECK(n == 1);
	CHECK_CODE(bus_keyring_import(ring, bytes, len, &n, &err), BUS_OK, &err); /* again */
	CHECK_CODE(bus_keyring_import(ring, "rubbish", 7, &n, &err), BUS_E_DATA, &err);
	CHECK_CODE(bus_keyring_import(ring, "", 0, &n, &err), BUS_E_DATA, &err);
	bus_keyring_close(ring);
	free(bytes);
	free(path);
	free(home);
}

static void note_key(void *arg, const struct bus_key_info *key)
{
	char *line = arg;

	snprintf(line + strlen(line), 400 - strlen(line), "%s %s %d%d;", key->fingerprint,
		 key->user_id, key->expired, key->revoked);
}

static void lists_keys(void)
{
	char *home = gnupg_home("l"), line[400] = "", expected[400], key[BUS_FPR_MAX + 1];
	struct bus_keyring *ring = NULL;
	struct bus_err err;

	CHECK_NEED(gnupg_key(home,
			     "Gr\xc3\xbc\xc3\x9f"
			     "e <list@example>",
			     "ed25519", "sign", "never", key));
	CHECK(bus_keyring_open(&ring, home, &err) == BUS_OK);
	CHECK_CODE(bus_keyring_each(ring, NULL, note_key, line, &err), BUS_OK, &err);
	snprintf(expected, sizeof(expected),
		 "%s Gr\xc3\xbc\xc3\x9f"
		 "e <list@example> 00;",
		 key);
	CHECK_TEXT(line, expected);
	line[0] = '\0';
	CHECK_CODE(bus_keyring_each(ring, "nobody@example", note_key, line, &err), BUS_OK, &err);
	CHECK_TEXT(line, "");
	bus_keyring_close(ring);
	free(home);
}

/* One home with a signer and three certifiers; the certificates are made as needed. */
static char *web;
static char signer[BUS_FPR_MAX + 1], master[3][BUS_FPR_MAX + 1];

static void make_web(void)
{
	char user[40];
	int i;

	if (web)
		return;
	web = gnupg_home("w");
	CHECK_NEED(gnupg_key(web, "signer@example", "ed25519", "sign,cert", "never", signer));
	for (i = 0; i < 3; i++) {
		snprintf(user, sizeof(user), "master%d@example", i);
		CHECK_NEED(gnupg_key(web, user, "ed25519", "sign,cert", "never", master[i]));
	}
}

static unsigned int certifications(const char *of, const char *a, const char *b, const char *c)
{
	const char *const by[] = { a, b, c };
	struct bus_keyring *ring = NULL;
	unsigned int n = 99;
	struct bus_err err;
	size_t count = c ? 3 : b ? 2 : 1;

	CHECK(bus_keyring_open(&ring, web, &err) == BUS_OK);
	CHECK_CODE(bus_keyring_certifications(ring, of, by, count, &n, &err), BUS_OK, &err);
	bus_keyring_close(ring);
	return n;
}

static void certify(int by, const char *key)
{
	CHECK(gnupg(web, "--local-user", master[by], "--quick-sign-key", key, NULL) == 0);
}

static void counts_certifications(void)
{
	make_web();
	CHECK(certifications(signer, master[0], master[1], master[2]) == 0);
	certify(0, signer);
	CHECK(certifications(signer, master[0], master[1], master[2]) == 1);
	certify(2, signer);
	CHECK(certifications(signer, master[0], master[1], master[2]) == 2);
	CHECK(certifications(signer, master[1], NULL, NULL) == 0);
	CHECK(certifications(signer, "0000000000000000000000000000000000000000", master[0], NULL) ==
	      1);
}

static void a_key_does_not_certify_itself(void)
{
	make_web();
	CHECK(certifications(master[1], master[1], master[0], NULL) == 0);
}

static void a_certifier_counts_once(void)
{
	make_web();
	CHECK(certifications(signer, master[0], master[0], NULL) == 1);
}

static void a_certificate_that_was_withdrawn_does_not_count(void)
{
	char key[BUS_FPR_MAX + 1];

	make_web();
	CHECK_NEED(gnupg_key(web, "withdrawn@example", "ed25519", "sign", "never", key));
	certify(0, key);
	CHECK(certifications(key, master[0], NULL, NULL) == 1);
	CHECK(gnupg(web, "--quick-revoke-sig", key, master[0], NULL) == 0);
	CHECK(certifications(key, master[0], NULL, NULL) == 0);
}

static void a_certificate_that_has_expired_does_not_count(void)
{
	char key[BUS_FPR_MAX + 1];

	make_web();
	CHECK_NEED(gnupg(web, "--faked-system-time", "20200101T000000", "--quick-generate-key",
			 "lapsed@example", "ed25519", "sign,cert", "never", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(web, "lapsed@example", 0, key));
	CHECK_NEED(gnupg(web, "--faked-system-time", "20200101T000000", "--quick-generate-key",
			 "notary@example", "ed25519", "sign,cert", "never", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(web, "notary@example", 0, master[2]));
	CHECK(gnupg(web, "--faked-system-time", "20200102T000000", "--default-cert-expire", "1d",
		    "--local-user", master[2], "--quick-sign-key", key, NULL) == 0);
	CHECK(certifications(key, master[2], NULL, NULL) == 0);
}

static void an_expired_certifier_does_not_count(void)
{
	char key[BUS_FPR_MAX + 1], old[BUS_FPR_MAX + 1];

	make_web();
	CHECK_NEED(gnupg(web, "--faked-system-time", "20200101T000000", "--quick-generate-key",
			 "left@example", "ed25519", "sign,cert", "never", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(web, "left@example", 0, key));
	CHECK_NEED(gnupg(web, "--faked-system-time", "20200101T000000", "--quick-generate-key",
			 "retired@example", "ed25519", "sign,cert", "1m", NULL) == 0);
	CHECK_NEED(gnupg_fingerprint(web, "retired@example", 0, old));
	CHECK(gnupg(web, "--faked-system-time", "20200102T000000", "--local-user", old,
		    "--quick-sign-key", key, NULL) == 0);
	CHECK(certifications(key, old, NULL, NULL) == 0);
}

static void a_revoked_certifier_does_not_count(void)
{
	char key[BUS_FPR_MAX + 1], *path, *certificate;

	make_web();
	CHECK_NEED(gnupg_key(web, "orphan@example", "ed25519", "sign", "never", key));
	certify(1, key);
	CHECK(certifications(key, master[1], NULL, NULL) == 1);
	path = check_path("w/openpgp-revocs.d/%s.rev", master[1]);
	certificate = check_read(path, NULL);
	check_write(path, 0600, strstr(certificate, ":-----BEGIN") + 1);
	CHECK_NEED(gnupg(web, "--import", path, NULL) == 0);
	CHECK(certifications(key, master[1], NULL, NULL) == 0);
	free(certificate);
	free(path);
}

static const struct check_test tests[] = {
	{ "what is signed is verified", what_is_signed_is_verified },
	{ "other bytes are not what was signed", other_bytes_are_not_what_was_signed },
	{ "a stranger is unknown", a_stranger_is_unknown },
	{ "an expired key is expired", an_expired_key_is_expired },
	{ "an expired signature is expired", an_expired_signature_is_expired },
	{ "a revoked key is revoked", a_revoked_key_is_revoked },
	{ "a disabled key is as good as revoked", a_disabled_key_is_as_revoked },
	{ "a revoked subkey is revoked", a_revoked_subkey_is_revoked },
	{ "a weak digest is weak", a_weak_digest_is_weak },
	{ "MD5 is weak", md5_is_weak },
	{ "a small RSA key is weak", a_small_rsa_key_is_weak },
	{ "two signatures are one too many", two_signatures_are_one_too_many },
	{ "rubbish is a bad signature", rubbish_is_a_bad_signature },
	{ "other packets are a bad signature", other_packets_are_a_bad_signature },
	{ "a text signature is refused", a_text_signature_is_refused },
	{ "a packet has the length that it says", a_packet_has_the_length_that_it_says },
	{ "a subkey signs for its primary key", a_subkey_signs_for_its_primary_key },
	{ "a key that is revoked signs no more", a_key_that_is_revoked_signs_no_more },
	{ "what is being signed can be forgotten", what_is_being_signed_can_be_forgotten },
	{ "signing without the key is a matter of configuration",
	  signing_without_the_key_is_a_matter_of_configuration },
	{ "never signs with a weak digest", never_signs_with_a_weak_digest },
	{ "a home must be there and be ours", a_home_must_be_there_and_be_ours },
	{ "imports keys and nothing else", imports_keys_and_nothing_else },
	{ "lists keys", lists_keys },
	{ "counts certifications", counts_certifications },
	{ "a key does not certify itself", a_key_does_not_certify_itself },
	{ "a certifier counts once", a_certifier_counts_once },
	{ "a certificate that was withdrawn does not count",
	  a_certificate_that_was_withdrawn_does_not_count },
	{ "a certificate that has expired does not count",
	  a_certificate_that_has_expired_does_not_count },
	{ "an expired certifier does not count", an_expired_certifier_does_not_count },
	{ "a revoked certifier does not count", a_revoked_certifier_does_not_count },
	{ NULL, NULL },
};

int main(void)
{
	int status = check_main("sign", tests);

	gnupg_finish();
	free(maker);
	free(reader);
	free(web);
	return status;
}
