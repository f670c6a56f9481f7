#ifndef BUS_TRUST_H
#define BUS_TRUST_H

#include <stddef.h>

#include "err.h"
#include "sign.h"

/*
 * trust.conf: which key may sign for which log, and which types that log may
 * carry (PROTOCOL section 6).  Deny by default.
 *
 *	homedir = "/var/lib/debmsg/trusted"
 *	log "ftp-master.debian.org/dak" {
 *		keys  = { "FINGERPRINT" }
 *		types = { "org.debian.*.dak.#" }
 *	}
 *
 * The keys themselves lie in homedir, a GnuPG home of their own: being there
 * gives a key no rights, only a log section does.
 */
struct bus_trust;

enum bus_code bus_trust_load(struct bus_trust **ret, const char *path, struct bus_err *err);
void bus_trust_free(struct bus_trust *trust);

const char *bus_trust_homedir(const struct bus_trust *trust);

/*
 * PROTOCOL section 5, step 7: BUS_OK, or BUS_E_UNTRUSTED_SIGNER.  origin is
 * that of a checkpoint, with its epoch.  ring is the one in homedir; it is
 * asked only for logs with `certified-by`, and its answer remembered for ten
 * minutes if it is yes.
 */
enum bus_code bus_trust_allows(struct bus_trust *trust, struct bus_keyring *ring,
			       const char *origin, const struct bus_signer *signer,
			       const char *type, struct bus_err *err);

/* The keys in homedir are not what they were. */
void bus_trust_forget(struct bus_trust *trust);

/* A log section, as it is; for looking at. */
struct bus_trust_log {
	const char *name;	 /* origin without epoch */
	const char *const *keys; /* fingerprints, upper case; a trailing ! means exactly this one */
	size_t key_count;
	const char *const *certified_by;
	size_t certifier_count;
	unsigned int min_certifications;
};
void bus_trust_each(const struct bus_trust *trust,
		    void (*each)(void *arg, const struct bus_trust_log *log), void *arg);

/* Calls each() with the name of every log, without epoch. */
void bus_trust_logs(const struct bus_trust *trust, void (*each)(void *arg, const char *log),
		    void *arg);
/*
 * Names the logs whose `keys` hold this primary fingerprint: calls each() with
 * the log's name.
 */
void bus_trust_logs_of(const struct bus_trust *trust, const char *fingerprint,
		       void (*each)(void *arg, const char *log), void *arg);

#endif
