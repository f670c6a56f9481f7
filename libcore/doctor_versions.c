#include "config.h"

#include "doctor_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "sign.h"

/* "3.10.8" to a number that can be compared; 0: not a version. */
static unsigned long number(const char *version)
{
	unsigned long part[3] = { 0 };
	char *end;
	int parts = 0;

	while (parts < 3 && isdigit((unsigned char)*version)) {
		part[parts++] = strtoul(version, &end, 10) % 1000;
		version = end + (*end == '.');
	}
	return parts < 2 ? 0 : (part[0] * 1000 + part[1]) * 1000 + part[2];
}

static void check_broker(struct bus_doctor *d)
{
	static const char *const path[] = { "overview", NULL };
	json_t *overview = bus_doctor_get(d, "version-broker", path, "columns=rabbitmq_version");
	const char *version = bus_member_text(overview, "rabbitmq_version");

	if (overview && !number(version)) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "version-broker", "RabbitMQ",
				"it does not say its version");
	} else if (overview && number(version) < 3010000) {
		bus_doctor_remedy(d, "install rabbitmq-server of Debian 12 or later");
		bus_doctor_find(d, BUS_LEVEL_ERROR, "version-broker", "RabbitMQ",
				"%s: streams and quorum queues work as debmsg needs them from 3.10 "
				"on",
				version);
	} else if (overview && number(version) < 4000003) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "version-broker", "RabbitMQ",
				"%s: a publisher can reach queues of other topics through the "
				"headers CC and BCC, which 4.0.3 ends; every consumer of debmsg "
				"sees it and parks such messages as misrouted",
				version);
	} else if (overview) {
		bus_doctor_find(d, BUS_LEVEL_OK, "version-broker", "RabbitMQ", "%s", version);
	}
	json_decref(overview);
}

/* The homedir only has to exist: it is GnuPG that is asked. */
static void check_gnupg(struct bus_doctor *d)
{
	struct bus_keyring *ring = NULL;
	const char *engine;

	if (!d->conf->signing_homedir || bus_keyring_open(&ring, d->conf->signing_homedir, NULL))
		return; /* the fields keys and signing say what is wrong */
	engine = bus_keyring_engine(ring);
	if (!engine)
		bus_doctor_remedy(d, "apt install gpg gpg-agent");
	bus_doctor_find(d, engine ? BUS_LEVEL_OK : BUS_LEVEL_ERROR, "version-gnupg", "GnuPG", "%s",
			engine ? engine : "not installed");
	bus_keyring_close(ring);
}

void bus_doctor_versions(struct bus_doctor *d)
{
	bus_doctor_find(d, BUS_LEVEL_OK, "version-debmsg", "debmsg", "%s", PACKAGE_VERSION);
	bus_doctor_find(d, BUS_LEVEL_OK, "version-librabbitmq", "librabbitmq", "%s",
			bus_broker_library());
	bus_doctor_find(d, BUS_LEVEL_OK, "version-gpgme", "GPGME", "%s", bus_keyring_library());
	bus_doctor_find(d, BUS_LEVEL_OK, "version-sqlite", "SQLite", "%s", bus_db_library());
	check_gnupg(d);
	if (d->api)
		check_broker(d);
}
