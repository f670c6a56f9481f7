#ifndef BUS_KEY_CHECK_PRIVATE_H
#define BUS_KEY_CHECK_PRIVATE_H

/* What key_check*.c share; for no one else. */
#include "finding.h"
#include "key_check.h"
#include "sign.h"
#include "trust.h"

struct bus_key_check {
	const struct bus_conf *conf;
	bus_finding_fn *each;
	void *arg;
	struct bus_trust *trust;  /* NULL: it cannot be read */
	struct bus_keyring *ring; /* the trust store; NULL: it cannot be opened */
};

void bus_key_check_tell(struct bus_key_check *c, enum bus_level level, const char *check,
			const char *subject, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* One key as trust.conf names it. */
struct bus_key_state {
	char name[BUS_FPR_MAX + 2]; /* without ! */
	bool exact, certifies;
	bool found, revoked, expired, signs;
	bool is_dsa;
	unsigned int bits;	/* of the weakest part whose length matters; 0: there is none */
	long part_until, until; /* seconds since 1970; 0: for ever */
	char user_id[200];
};

/* certifies: it is asked for certifications, not for signatures. */
enum bus_code bus_key_state(struct bus_key_state *s, struct bus_keyring *ring, const char *name,
			    bool certifies, struct bus_err *err);
bool bus_key_usable(const struct bus_key_state *s);
/* where begins the texts: "log x: "; good is the check's name where all is well. */
void bus_key_check_one(struct bus_key_check *c, const struct bus_key_state *s,
		       enum bus_level level_if_useless, const char *where, const char *good);

/* key_check_logs.c: what trust.conf asks of the keys; trust and ring are there. */
enum bus_code bus_key_check_logs(struct bus_key_check *c, struct bus_err *err);
/* key_check_signing.c: the key that signs here. */
enum bus_code bus_key_check_signing(struct bus_key_check *c, struct bus_err *err);

#endif
