#ifndef BUS_BROKER_H
#define BUS_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "err.h"
#include "message.h"

/*
 * One connection to RabbitMQ with one channel (AMQP 0-9-1, PROTOCOL section 4).
 *
 * After bus_broker_open() a publisher calls bus_broker_confirms() and then
 * bus_broker_publish(), which returns before the broker has answered; a
 * consumer calls bus_broker_consume() or bus_broker_read_stream().  All that
 * the broker says comes out of bus_broker_next(), one thing at a time.
 *
 * Any failure but BUS_E_NOMEM and BUS_E_DATA means that the connection is
 * lost: close it, and open another one.  BUS_E_UNAVAILABLE: later may help.
 * BUS_E_CONFIG: wrong password, missing permission or a missing exchange or
 * queue; the text says which and what to do.
 *
 * Heartbeats are answered inside these functions only, so call
 * bus_broker_next() every few seconds.
 */
struct bus_broker;

struct bus_broker_login {
	const struct bus_conf_broker *conf; /* where, and how TLS is done */
	const char *user;		    /* NULL: the one in the url */
	const char *password_file;	    /* with user */
	const char *cert_file, *key_file;   /* with user; NULL: those of conf, if any */
	const char *purpose;		    /* shown in the management UI */
	/*
	 * Which of the urls is tried first, modulo their number.  Whoever counts it up
	 * after each failure leaves a node that takes connections, and is of no use
	 * beyond that, for another one.
	 */
	unsigned int turn;
};

extern const char bus_exchange[];      /* "debmsg" */
extern const char bus_keep_exchange[]; /* "debmsg.keep": the history only */
extern const char bus_stream[];	       /* "debmsg.log" */
extern const char bus_dead_exchange[]; /* "debmsg.dead" */
extern const char bus_parked_queue[];  /* "debmsg.parked" */

/*
 * Logs in with the password or, where there is no password file, as the one whom
 * the client certificate names (SASL EXTERNAL).
 *
 * BUS_E_CONFIG only if every url says so: of a cluster, a node that is not yet
 * or no more a member knows no users.
 */
enum bus_code bus_broker_open(struct bus_broker **ret, const struct bus_broker_login *login,
			      struct bus_err *err);
void bus_broker_close(struct bus_broker *b);
/* After a failure, too: the connection can be used no more. */
bool bus_broker_is_lost(const struct bus_broker *b);

/* What a url says; BUS_E_CONFIG where it is none. */
struct bus_broker_url {
	char host[256], user[128], vhost[256];
	int port;
	bool tls;
};
enum bus_code bus_broker_url(struct bus_broker_url *ret, const char *url, struct bus_err *err);

/* The version of librabbitmq. */
const char *bus_broker_library(void);

const char *bus_broker_user(const struct bus_broker *b);
const char *bus_broker_address(const struct bus_broker *b); /* host:port */
int bus_broker_fd(const struct bus_broker *b);		    /* for poll() */
/* Something is read already and waits in memory: poll() would not tell. */
bool bus_broker_pending(const struct bus_broker *b);

/* -- publishing -- */

struct bus_outgoing {
	const char *exchange, *routing_key;
	const char *type, *message_id;
	int64_t timestamp;	  /* seconds; 0: none */
	const char *body, *proof; /* proof NULL: no header */
	size_t body_len, proof_len;
	/*
	 * Parked messages: why, in words, from where, and a handler's last output.
	 * If no timestamp is given, it is the time now.
	 */
	const char *reason, *text, *queue;
	const char *output;
	size_t output_len; /* 0: none; more than BUS_PARKING_OUTPUT_MAX is cut at the front */
};

/*
 * May we publish to this exchange, as far as its name goes?  Where we may not, or
 * where there is none, the connection is lost; then *ret is false, or true.
 */
enum bus_code bus_broker_may_publish(struct bus_broker *b, const char *exchange, bool *ret,
				     struct bus_err *err);
/* From now on every publish gets a number: 1, 2, ... */
enum bus_code bus_broker_confirms(struct bus_broker *b, struct bus_err *err);
/*
 * Will the socket take a message now?  A broker in an alarm stops reading, and
 * publishing would then block until the alarm is over.
 */
bool bus_broker_can_send(const struct bus_broker *b);
/* mandatory, persistent, with our user_id.  Never waits for the confirm. */
enum bus_code bus_broker_publish(struct bus_broker *b, const struct bus_outgoing *out,
				 struct bus_err *err);

/* -- consuming -- */

/* Is the queue there?  If not, the broker closes the channel: the connection is lost. */
enum bus_code bus_broker_exists(struct bus_broker *b, const char *queue, bool *ret,
				struct bus_err *err);
/* A durable quorum queue; fine if it is there already. */
enum bus_code bus_broker_declare(struct bus_broker *b, const char *queue, struct bus_err *err);
enum bus_code bus_broker_bind(struct bus_broker *b, const char *queue, const char *pattern,
			      struct bus_err *err);
enum bus_code bus_broker_unbind(struct bus_broker *b, const char *queue, const char *pattern,
				struct bus_err *err);
enum bus_code bus_broker_consume(struct bus_broker *b, const char *queue, uint16_t prefetch,
				 struct bus_err *err);
/*
 * The same, under a consumer tag of the caller's.  What is not acknowledged stays
 * out of the queue until the connection ends, even when the consumer has ended.
 */
enum bus_code bus_broker_consume_as(struct bus_broker *b, const char *queue, const char *tag,
				    uint16_t prefetch, struct bus_err *err);

/* Where reading of a stream starts. */
enum bus_stream_start {
	BUS_STREAM_FIRST,
	BUS_STREAM_LAST_CHUNK,
	BUS_STREAM_NEXT,
	BUS_STREAM_TIME,  /* `at`: seconds since 1970 */
	BUS_STREAM_OFFSET /* `at`: one that was read before, or before which one was */
};
/*
 * Consumes the stream under the consumer tag `tag`.  A time may start a little
 * earlier than asked, never later; an offset that is gone starts at the first.  Streams know no
 * nack: ack is all.
 */
enum bus_code bus_broker_read_stream(struct bus_broker *b, const char *tag,
				     enum bus_stream_start start, int64_t at, struct bus_err *err);
enum bus_code bus_broker_cancel(struct bus_broker *b, const char *tag, struct bus_err *err);
enum bus_code bus_broker_ack(struct bus_broker *b, uint64_t tag, bool multiple,
			     struct bus_err *err);

/* How many messages the broker says are in the queue; for a stream, about. */
enum bus_code bus_broker_count(struct bus_broker *b, const char *queue, uint32_t *ret,
			       struct bus_err *err);
/*
 * The same, of a quorum queue: *ret_ready does not count what a consumer has and
 * has not acknowledged.  A consumer that has ended is one until it has none of these.
 */
enum bus_code bus_broker_state(struct bus_broker *b, const char *queue, uint32_t *ret_ready,
			       uint32_t *ret_consumers, struct bus_err *err);

/* Of a queue that may not be there; then the connection is lost, as by bus_broker_exists(). */
struct bus_broker_waiting {
	bool exists;
	uint32_t messages; /* without those that consumers have and did not acknowledge */
	uint32_t consumers;
};
enum bus_code bus_broker_waiting(struct bus_broker *b, const char *queue,
				 struct bus_broker_waiting *ret, struct bus_err *err);

/*
 * Asks and waits for an answer.  What the broker had to say on this channel
 * before is in memory then (bus_broker_pending()).
 */
enum bus_code bus_broker_sync(struct bus_broker *b, struct bus_err *err);

/* -- what the broker says -- */

enum bus_broker_what {
	BUS_BROKER_NOTHING,   /* in the time given */
	BUS_BROKER_MESSAGE,   /* a delivery: message, tag, offset, consumer */
	BUS_BROKER_CONFIRMED, /* publish `tag`, or all up to it, is safe */
	BUS_BROKER_REFUSED,   /* publish `tag`, or all up to it, is not (nack) */
	BUS_BROKER_RETURNED,  /* the publish with this message_id reached no queue */
	BUS_BROKER_CANCELLED, /* our queue is gone */
	BUS_BROKER_BLOCKED,   /* out of disk or memory: do not publish; text says why */
	BUS_BROKER_UNBLOCKED
};

struct bus_broker_event {
	enum bus_broker_what what;
	uint64_t tag;
	bool multiple;
	struct bus_message *message; /* the receiver frees it */
	int64_t offset;		     /* in a stream; -1: none */
	char consumer[32];	     /* consumer tag */
	char text[256];		     /* message_id of a returned one, or the broker's words */
};

enum bus_code bus_broker_next(struct bus_broker *b, int timeout_ms, struct bus_broker_event *ret,
			      struct bus_err *err);

#endif
