#ifndef BUS_PUBLISHER_H
#define BUS_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "err.h"
#include "notify.h"

/*
 * One log on its way to the broker: outbox -> batch -> proof -> signature ->
 * publish -> confirm -> outbox: sent.  relay.h runs one for each service.
 *
 *	bus_publisher_open()		the outbox is ours alone from here on
 *	bus_publisher_connect()
 *	bus_publisher_pump() ...	all that can be done without waiting
 *	bus_publisher_disconnect()	after any failure; then connect again
 *
 * Nothing is signed before the broker's history was looked at: only then is it
 * known that this outbox is the newest there is of its log.
 */
struct bus_publisher;

/* How programs hear what happens: one line, no newline. */
struct bus_say {
	void (*line)(void *arg, const char *text);
	void *arg;
};
void bus_say(const struct bus_say *say, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* stop_fd, notify: as in relay.h; for what may take long. */
enum bus_code bus_publisher_open(struct bus_publisher **ret, const struct bus_conf *conf,
				 const struct bus_conf_service *service, const struct bus_say *say,
				 int stop_fd, struct bus_notify *notify, struct bus_err *err);
void bus_publisher_close(struct bus_publisher *p);

/* BUS_E_CONFIG, here and below: the operator must act. */
enum bus_code bus_publisher_connect(struct bus_publisher *p, struct bus_err *err);
void bus_publisher_disconnect(struct bus_publisher *p);
bool bus_publisher_connected(const struct bus_publisher *p);

struct bus_publisher_status {
	uint64_t size, sent;  /* events in the log; of these, confirmed */
	uint64_t resend;      /* of those, how many are to be sent again */
	bool blocked;	      /* the broker takes nothing at the moment */
	bool full;	      /* go on when the socket can be written to */
	bool busy;	      /* more can be done at once: pump again */
	int64_t due_in_us;    /* until when to pump again at the latest, for a bus.checkpoint */
	int64_t stalled_us;   /* how long we have been waiting for a confirm */
	uint64_t unconfirmed; /* events on their way */
	int64_t oldest_us; /* when the oldest event that is not confirmed was appended; 0: none */
	int64_t sent_us;   /* when events were last confirmed; 0: never */
};
/* How the outbox stands, without talking to the broker. */
enum bus_code bus_publisher_look(struct bus_publisher *p, struct bus_publisher_status *ret,
				 struct bus_err *err);
enum bus_code bus_publisher_pump(struct bus_publisher *p, struct bus_publisher_status *ret,
				 struct bus_err *err);

/* Since bus_publisher_open(). */
struct bus_publisher_counts {
	uint64_t published; /* those that were sent again included */
	uint64_t confirmed, returned, refused;
	uint64_t connections, alarms;
	uint64_t signatures, signatures_failed;
	int64_t signing_us;
	int64_t lag_us; /* of the last events confirmed: how long the oldest was in the outbox */
};
struct bus_publisher_counts bus_publisher_counts(const struct bus_publisher *p);

int bus_publisher_fd(const struct bus_publisher *p);		    /* -1: not connected */
const char *bus_publisher_directory(const struct bus_publisher *p); /* its outbox */
const char *bus_publisher_name(const struct bus_publisher *p);	    /* of the service */

#endif
