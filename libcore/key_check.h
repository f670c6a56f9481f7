#ifndef BUS_KEY_CHECK_H
#define BUS_KEY_CHECK_H

#include "conf.h"
#include "finding.h"

/*
 * Looks at every key that trust.conf names and at the key that signs here, and
 * hands each finding, good ones too, to each().  debmsg keys check and debmsg
 * doctor print them.  It writes nothing, and asks neither broker nor network; GnuPG
 * is asked a few times for each key, and for one signature that goes nowhere.
 *
 * check is one of
 *
 *	trust-file		trust.conf can be read
 *	trust-store		its homedir can be used
 *	key-missing		not in the trust store
 *	key-expired		or within 30 days
 *	key-revoked
 *	key-signing		no part of it can sign
 *	key-weak		below 2048 bits of RSA or DSA nobody believes it (PROTOCOL
 *				section 5): an error; DSA, or RSA below 3072: a warning; RSA
 *				below the 4096 that Debian asks of its people: a note.
 *				gpgme does not tell the digest of self-signatures.
 *	key-certifications	certified-by and min-certifications cannot be met
 *	key-unnamed		in the store, but no log knows it: a note
 *	key			all of this is good
 *	signing-key		signing.homedir and key: a secret key without passphrase
 *				which can sign now
 *	signing-trust		what it signs is believed by this host's own trust.conf
 *
 * A key that cannot be used is an error where its log has no other, and a warning
 * where it has: an old key beside a new one.  Not BUS_OK only where nothing more can be
 * found out: BUS_E_NOMEM, or BUS_E_TEMP if GnuPG is in trouble.
 */
enum bus_code bus_key_check(const struct bus_conf *conf, bus_finding_fn *each, void *arg,
			    struct bus_err *err);

#endif
