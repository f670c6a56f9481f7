#ifndef BUS_DOCTOR_H
#define BUS_DOCTOR_H

#include "conf.h"
#include "err.h"
#include "finding.h"

/*
 * A full check of what the configuration names: host, clock, versions, outboxes,
 * keys, brokers, topology, queues and users.  It only looks, and asks others
 * only what leaves things as they are: no message is published or taken.
 *
 * What the configuration does not name is not checked, and what cannot be
 * checked, for want of a right or a program, is a note.
 *
 * Each field of checks runs in a process of its own, which is killed with all that it
 * started when its time is up: a broker that hangs, a gpg-agent that waits or a
 * disk that does not answer costs BUS_DOCTOR_FIELD_S seconds and becomes a
 * finding.  For root these processes take the user who owns the state directory:
 * so they see what the relay sees, and leave no file or agent of root's behind.
 *
 * debmsg-doctor.1 lists the checks.
 */
enum { BUS_DOCTOR_FIELD_S = 45 };

struct bus_doctor_options {
	const struct bus_conf *conf;
	/* A directory with definitions.json and roles.json; NULL: what `make install` installed. */
	const char *broker_config;
	bus_finding_fn *each; /* called for every check, those that found nothing wrong too */
	void *arg;
};

/* Findings are no failure: it fails only where no process can be started. */
enum bus_code bus_doctor(const struct bus_doctor_options *options, struct bus_err *err);

#endif
