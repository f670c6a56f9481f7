#ifndef BUS_PARKED_H
#define BUS_PARKED_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "err.h"
#include "merkle.h"
#include "message.h"

/*
 * The queue debmsg.parked, read without taking anything out of it:
 *
 *	bus_parked_open()
 *	bus_parked_next()	until BUS_E_NO: what is in the queue now, oldest first
 *	bus_parked_remove()	this one may go; done by bus_parked_next() at times, and
 *	bus_parked_finish()	by this
 *	bus_parked_close()	all else is back in the queue, where it was
 *
 * Reading is consuming without acknowledging, so nobody else sees what we have
 * read until bus_parked_close(), and a process that dies gives all of it back.
 * For the same reason we do not see what somebody else has: open() waits some
 * seconds for another reader to end, and next() for what it gives back.
 *
 * Messages come in windows: the broker holds one window in memory, we hold one
 * message.  A message that is left lying too long (consumer_timeout of the broker,
 * by default 30 minutes) costs the connection.
 *
 * Whoever may reject messages may put any into the queue, with any headers: all
 * that a message says is hostile.
 */
struct bus_parked;

enum {
	BUS_PARKED_ID_LEN = 12,	   /* hex digits that name a message to people */
	BUS_PARKED_ID_MIN = 4,	   /* fewer are not accepted */
	BUS_PARKED_DIGEST_LEN = 64 /* all hex digits there are */
};

struct bus_parked_message {
	/*
	 * SHA-256 over queue, reason, message id, routing key, body and proof.  Two
	 * that agree in all of these are copies, and one name stands for both.
	 */
	char digest[BUS_PARKED_DIGEST_LEN + 1];
	uint64_t tag; /* for bus_parked_remove() */
	struct bus_message *message;
	const struct bus_parking *parking; /* never NULL; borrowed */
};
void bus_parked_message_finish(struct bus_parked_message *m);

struct bus_parked_filter {
	const char *queue; /* with or without "<user>." in front; NULL: any */
	const char *reason;
};

struct bus_parked_rest {
	uint32_t unseen; /* were there, and did not come: somebody else has them */
	bool others;	 /* another reader has some, nobody knows how many */
};

enum bus_code bus_parked_open(struct bus_parked **ret, const struct bus_conf *conf,
			      struct bus_err *err);
enum bus_code bus_parked_next(struct bus_parked *p, struct bus_parked_message *ret,
			      struct bus_err *err);
/* Would bus_parked_next() have to wait for the broker? */
bool bus_parked_would_wait(const struct bus_parked *p);
enum bus_code bus_parked_remove(struct bus_parked *p, uint64_t tag, struct bus_err *err);
enum bus_code bus_parked_finish(struct bus_parked *p, struct bus_err *err);
/* What could not be seen, after bus_parked_next() has come to the end. */
struct bus_parked_rest bus_parked_rest(const struct bus_parked *p);
void bus_parked_close(struct bus_parked *p);

bool bus_parked_matches(const struct bus_parked *p, const struct bus_parked_filter *filter,
			const struct bus_parked_message *m);

/*
 * May our user remove this message?  If it comes from a queue of the user's own,
 * or if the user may configure debmsg.parked at the broker, as administrators may.
 * BUS_E_NO: no.
 */
enum bus_code bus_parked_allowed(struct bus_parked *p, const struct bus_parked_message *m,
				 struct bus_err *err);

/* Computes digest[] from the rest; needs no broker. */
void bus_parked_digest(struct bus_parked_message *m);

#endif
