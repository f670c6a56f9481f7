#include "config.h"

#include "doctor_private.h"

#include "key_check.h"

static void forward(void *arg, const struct bus_finding *finding)
{
	struct bus_doctor *d = arg;

	bus_doctor_remedy(d, "%s", finding->remedy);
	bus_doctor_find(d, finding->level, finding->check, finding->subject, "%s", finding->text);
}

/* What debmsg keys check says.  It signs really, by an agent that may hang. */
void bus_doctor_keys(struct bus_doctor *d)
{
	struct bus_err err = { BUS_OK, "" };

	if (!d->conf->trust_file && !d->conf->signing_homedir) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "trust-file", "",
				"neither trust-file nor signing in the configuration: no keys were "
				"looked at");
		return;
	}
	if (bus_key_check(d->conf, forward, d, &err)) {
		bus_doctor_remedy(d,
				  "run gpg --homedir DIRECTORY --list-keys as this user, and see "
				  "what it says");
		bus_doctor_find(d, BUS_LEVEL_ERROR, "trust-store", "",
				"not looked at to the end: %s", err.text);
	}
}
