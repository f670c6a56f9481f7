#ifndef BUS_DOCTOR_PRIVATE_H
#define BUS_DOCTOR_PRIVATE_H

#include "broker.h"
#include "doctor.h"
#include "management.h"

/*
 * What the files of the doctor share; nobody else includes this.
 *
 *   doctor.c           the fields, one process after the other
 *   doctor_host.c      directories, password files, room on the disks
 *   doctor_clock.c     the clock against broker, history and outboxes
 *   doctor_versions.c  libraries, GnuPG and RabbitMQ
 *   doctor_outbox.c    what waits, and whether a relay runs
 *   doctor_keys.c      what debmsg keys check says (key_check.h)
 *   doctor_broker.c    each url, each user, certificates
 *   doctor_bus.c       the management API, nodes, alarms, unroutable messages
 *   doctor_topology.c  exchanges, queues, bindings, policies, retention
 *   doctor_queues.c    consumers, full queues, parked messages, replicas
 *   doctor_lag.c       what is unread against what the history keeps
 *   doctor_users.c     permissions against roles.json
 *
 * A field hands out what it finds with bus_doctor_find(), in one line each; a
 * remedy is said before, with bus_doctor_remedy().
 */
enum { BUS_DOCTOR_ANSWER_S = 60, BUS_DOCTOR_EXPIRY_S = 30 * 86400 };

struct bus_doctor {
	const struct bus_conf *conf;
	const char *broker_config;
	bool broker;		    /* one of the urls works */
	bool answers;		    /* the management API: configured, and not known to be dead */
	struct bus_management *api; /* in the field's process; NULL: see api_err */
	struct bus_err api_err;
	struct bus_broker_url where; /* of the first url; without a broker section the vhost only */
	int fd;			     /* where findings go */
	char remedy[512];	     /* for the next finding */
};

void bus_doctor_remedy(struct bus_doctor *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void bus_doctor_find(struct bus_doctor *d, enum bus_level level, const char *check,
		     const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* How long that is, for people: "3 days". */
const char *bus_doctor_span(char text[32], int64_t seconds);

/* GET; NULL: it did not work, and was said as a note of this check. */
json_t *bus_doctor_get(struct bus_doctor *d, const char *check, const char *const *path,
		       const char *query);
/* A file of broker-config; NULL: there is none, or it is broken, as was said. */
json_t *bus_doctor_reference(struct bus_doctor *d, const char *check, const char *name);

void bus_doctor_host(struct bus_doctor *d);
void bus_doctor_clock(struct bus_doctor *d);
void bus_doctor_history_clock(struct bus_doctor *d);
void bus_doctor_versions(struct bus_doctor *d);
void bus_doctor_outbox(struct bus_doctor *d);
void bus_doctor_keys(struct bus_doctor *d);
void bus_doctor_broker(struct bus_doctor *d);
void bus_doctor_bus(struct bus_doctor *d);
void bus_doctor_topology(struct bus_doctor *d);
void bus_doctor_queues(struct bus_doctor *d);
void bus_doctor_lag(struct bus_doctor *d);
void bus_doctor_users(struct bus_doctor *d);

/* -- what several fields need -- */

/* What a counter of message_stats rose by in the time of its samples. */
int64_t bus_doctor_rise(const json_t *stats, const char *name);

/* Has this user, as /api/whoami or /api/users shows it, this tag? */
bool bus_doctor_has_tag(const json_t *user, const char *tag);

/* Calls each() with the name of every queue that has a ledger on this host. */
typedef void bus_doctor_ledger_fn(struct bus_doctor *d, const char *queue, void *arg);
void bus_doctor_each_ledger(struct bus_doctor *d, bus_doctor_ledger_fn *each, void *arg);

/* "7D" to seconds, as RabbitMQ counts: a year has 365 days, a month 30; -1: none. */
int64_t bus_doctor_age(const char *text);

#endif
