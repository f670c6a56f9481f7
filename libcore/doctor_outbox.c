#include "config.h"

#include "doctor_private.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "outbox.h"
#include "timestamp.h"

enum {
	WAIT_MS = 5000,
	INTACT_MS = 8000,
	AGE_WARNING_S = 600, /* a relay that works needs seconds */
	AGE_ERROR_S = 3600,
	WAL_WARNING = 256 << 20, /* bytes; SQLite begins it anew at 4 MiB if nobody holds it */
	REJECTED_MAX = 100000
};

struct look {
	struct bus_doctor *d;
	const struct bus_conf_service *service;
	const char *directory;
	struct bus_outbox *box;
	struct bus_outbox_state state;
	long relay; /* its pid; 0: none */
};

/* A service without user is one that the relay passes over. */
static void check_relay(struct look *l)
{
	static const char check[] = "outbox-relay";
	const bool waiting = l->state.size > l->state.sent;
	struct bus_err err = { BUS_OK, "" };
	struct bus_doctor *d = l->d;

	if (bus_outbox_relay(l->box, &l->relay, &err)) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, check, l->service->name, "not looked at: %s",
				err.text);
	} else if (!l->service->user) {
		bus_doctor_remedy(d, "name `user` and `password-file` in its section");
		bus_doctor_find(d, waiting ? BUS_LEVEL_WARNING : BUS_LEVEL_NOTE, check,
				l->service->name, "the relay passes over it, for it has no user");
	} else if (!l->relay) {
		bus_doctor_remedy(d, "systemctl enable --now debmsg-relay; journalctl -u "
				     "debmsg-relay says why it ended");
		bus_doctor_find(d, waiting ? BUS_LEVEL_ERROR : BUS_LEVEL_WARNING, check,
				l->service->name, "no relay runs: what is stored is not sent");
	} else if (l->relay < 0) {
		bus_doctor_find(d, BUS_LEVEL_OK, check, l->service->name,
				"relayed by another process");
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, check, l->service->name, "relayed by process %ld",
				l->relay);
	}
}

static void check_waiting(struct look *l)
{
	const uint64_t waiting = l->state.size - l->state.sent;
	enum bus_level level = BUS_LEVEL_OK;
	struct bus_doctor *d = l->d;
	int64_t age = 0;
	char span[32];

	if (l->state.oldest_unsent_us)
		age = (bus_time_now() - l->state.oldest_unsent_us) / 1000000;
	if (age > AGE_WARNING_S)
		level = age > AGE_ERROR_S ? BUS_LEVEL_ERROR : BUS_LEVEL_WARNING;
	if (level != BUS_LEVEL_OK)
		bus_doctor_remedy(d, "journalctl -u debmsg-relay says why; see also what is found "
				     "of broker and signing key");
	bus_doctor_find(d, level, "outbox-waiting", l->service->name,
			"%s: %" PRIu64 " of %" PRIu64 " events wait%s%s", l->state.origin, waiting,
			l->state.size, waiting ? ", the oldest for " : "",
			waiting ? bus_doctor_span(span, age) : "");
}

static void check_file(struct look *l)
{
	struct bus_err err = { BUS_OK, "" };
	struct bus_doctor *d = l->d;
	uint64_t wal = bus_outbox_wal_size(l->box);
	enum bus_code rc = bus_outbox_intact(l->box, INTACT_MS, &err);

	if (rc == BUS_E_TEMP) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "outbox-intact", l->service->name, "%s",
				err.text);
	} else if (rc) {
		bus_doctor_remedy(d,
				  "stop adapter and relay, restore outbox.db from a copy, then "
				  "debmsg outbox new-epoch --service %s",
				  l->service->name);
		bus_doctor_find(d, BUS_LEVEL_ERROR, "outbox-intact", l->service->name, "%s",
				err.text);
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "outbox-intact", l->service->name,
				"SQLite finds no damage");
	}
	if (wal > WAL_WARNING)
		bus_doctor_remedy(d,
				  "find the process that keeps it from shrinking: fuser -v "
				  "%s/outbox.db",
				  l->directory);
	bus_doctor_find(d, wal > WAL_WARNING ? BUS_LEVEL_WARNING : BUS_LEVEL_OK, "outbox-wal",
			l->service->name, "its write-ahead log has %" PRIu64 " KiB", wal >> 10);
}

/* Files in a directory, and in those below it: <input>-rejected/, <hook>-rejected/<uid>/ */
static unsigned int count_files(const char *path, int depth)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned int n = 0;
	char below[4096];

	while (dir && n < REJECTED_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (entry->d_type != DT_DIR)
			n++;
		else if (depth > 0 && snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) <
					      (int)sizeof(below))
			n += count_files(below, depth - 1);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void check_rejected(struct look *l)
{
	static const char suffix[] = "-rejected";
	DIR *dir = opendir(l->directory);
	const struct dirent *entry;
	unsigned int n, all = 0;
	char path[4096];
	size_t len;

	while (dir && (entry = readdir(dir))) {
		len = strlen(entry->d_name);
		if (len < sizeof(suffix) ||
		    strcmp(entry->d_name + len - (sizeof(suffix) - 1), suffix) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", l->directory, entry->d_name);
		n = count_files(path, 1);
		all += n;
		if (!n)
			continue;
		bus_doctor_remedy(l->d,
				  "the first line of each says why; look at them, then remove "
				  "them");
		bus_doctor_find(l->d, BUS_LEVEL_WARNING, "outbox-rejected", path,
				"%u pieces of input could not become events", n);
	}
	if (dir)
		closedir(dir);
	if (!all)
		bus_doctor_find(l->d, BUS_LEVEL_OK, "outbox-rejected", l->service->name,
				"no input was rejected");
}

static void check_service(struct bus_doctor *d, const struct bus_conf_service *service)
{
	struct bus_outbox_params params = {
		.name = service->origin,
		.environment = d->conf->environment,
		.service = service->name,
		.max_event_size = d->conf->max_event_size,
		.wait_ms = WAIT_MS,
	};
	char *directory = bus_conf_outbox_dir(d->conf, service->name);
	struct look l = { .d = d, .service = service, .directory = directory };
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;

	if (!directory)
		return;
	params.directory = directory;
	rc = bus_outbox_open(&l.box, &params, &err);
	if (!rc)
		rc = bus_outbox_state(l.box, &l.state, &err);
	if (rc == BUS_E_NO) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "outbox", service->name,
				"no outbox yet: nothing was ever published");
	} else if (rc) {
		bus_doctor_remedy(d, "see what is found of disk and directories");
		bus_doctor_find(d, BUS_LEVEL_ERROR, "outbox", service->name, "%s", err.text);
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "outbox", service->name, "%s", l.state.origin);
		check_relay(&l);
		check_waiting(&l);
		check_file(&l);
	}
	check_rejected(&l);
	bus_outbox_close(l.box);
	free(directory);
}

void bus_doctor_outbox(struct bus_doctor *d)
{
	size_t i;

	for (i = 0; i < d->conf->service_count; i++)
		check_service(d, &d->conf->service[i]);
}
