#ifndef BUS_BROKER_PRIVATE_H
#define BUS_BROKER_PRIVATE_H

#include "broker.h"

#ifdef HAVE_RABBITMQ_C_AMQP_H
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

/*
 * What the files of the broker module share; nobody else includes this.
 *
 *   broker_connect.c  connecting: TCP or TLS, login, channel
 *   broker.c          what we say to the broker
 *   broker_receive.c  what the broker says to us
 *   broker_parking.c  the headers of a parked message
 *   broker_error.c    what its and rabbitmq-c's failures mean
 */
enum {
	BUS_BROKER_CHANNEL = 1,
	BUS_BROKER_HEARTBEAT_S = 30,
	BUS_BROKER_FRAME_MAX = 131072, /* bytes: what is agreed on, and what we send */
	/*
	 * What we take: to a header frame that is as large as was agreed on the
	 * broker adds headers of its own (x-stream-offset, x-delivery-count).
	 */
	BUS_BROKER_FRAME_TAKEN = 2 * BUS_BROKER_FRAME_MAX
};

extern const char bus_proof_header[];
extern const char bus_reason_header[], bus_text_header[], bus_queue_header[], bus_output_header[];

struct bus_broker {
	amqp_connection_state_t conn;
	bool open, lost;
	char user[128];
	char address[300];
};

/* The connection is lost, with a status of rabbitmq-c. */
enum bus_code bus_broker_lost(struct bus_broker *b, const char *doing, int status,
			      struct bus_err *err);
/* The broker closed channel or connection; any other method is a surprise. */
enum bus_code bus_broker_closed(struct bus_broker *b, const char *doing,
				const amqp_method_t *method, struct bus_err *err);
/* rabbitmq-c answers a call in three ways; this is the one place that knows. */
enum bus_code bus_broker_reply(struct bus_broker *b, const char *doing, amqp_rpc_reply_t reply,
			       struct bus_err *err);
/* The same, for the last call. */
enum bus_code bus_broker_answer(struct bus_broker *b, const char *doing, struct bus_err *err);
/* A text entry of a table: borrowed. */
amqp_table_entry_t bus_broker_text(const char *name, const char *value, size_t len);
/* rabbitmq-c has one limit for both directions. */
void bus_broker_tune(struct bus_broker *b, int frame_max);
/*
 * Takes from the properties what they say of a message being parked; false: out
 * of memory.  Nothing is taken from a message that says nothing of it.
 */
bool bus_broker_take_parking(struct bus_message *m, const amqp_basic_properties_t *p);
/* Copies as text, cut to what fits. */
void bus_broker_copy(char *out, size_t size, amqp_bytes_t in);

#endif
