#include "config.h"

#include "broker_private.h"

#include <string.h>

void bus_broker_copy(char *out, size_t size, amqp_bytes_t in)
{
	size_t len = in.len < size - 1 ? in.len : size - 1;

	if (len)
		memcpy(out, in.bytes, len);
	out[len] = '\0';
}

enum bus_code bus_broker_lost(struct bus_broker *b, const char *doing, int status,
			      struct bus_err *err)
{
	b->lost = true;
	if (status == AMQP_STATUS_NO_MEMORY)
		return bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	return bus_fail(err, BUS_E_UNAVAILABLE, "broker %s: %s: %s", b->address, doing,
			status == AMQP_STATUS_TIMEOUT ? "no answer" : amqp_error_string2(status));
}

/*
 * Some failures pass by themselves, and come under the codes of others that do
 * not.  All are of RabbitMQ 3.10: rabbit_amqqueue.erl, rabbit_stream_queue.erl.
 */
static bool will_pass(const char *said)
{
	static const char *const sign[] = {
		"is down or inaccessible", /* the node of a queue */
		"timed out",
		"due to timeout", /* a queue that has no leader now */
		"may be stopping or being demoted",
		"is stopped by supervisor",
		"has crashed and failed to restart",	    /* a queue on a node in trouble */
		"does not have a replica on the local node" /* a stream: another node may do */
	};
	size_t i;

	for (i = 0; i < sizeof(sign) / sizeof(*sign); i++)
		if (strstr(said, sign[i]))
			return true;
	/* what a user or a virtual host may have at a time */
	return strstr(said, "limit") && strstr(said, "reached");
}

/* The broker closed channel or connection, with a code of AMQP 0-9-1 section 1.2. */
static enum bus_code refused(struct bus_broker *b, const char *doing, uint16_t code,
			     amqp_bytes_t text, struct bus_err *err)
{
	static const char load[] = "the admin makes what is missing with debmsg-broker load";
	char said[200];

	b->lost = true;
	bus_broker_copy(said, sizeof(said), text);
	if (will_pass(said))
		return bus_fail(err, BUS_E_UNAVAILABLE, "broker %s: %s: %s", b->address, doing,
				said);
	switch (code) {
	case AMQP_ACCESS_REFUSED:
		return bus_fail(err, BUS_E_CONFIG,
				"broker %s: %s: refused for user %s: %s; the admin gives "
				"permissions with debmsg-broker add",
				b->address, doing, b->user, said);
	case AMQP_NOT_ALLOWED:
		return bus_fail(err, BUS_E_CONFIG,
				"broker %s: %s: refused for user %s: %s; is the virtual host in "
				"the "
				"url right?",
				b->address, doing, b->user, said);
	case AMQP_NOT_FOUND:
		return bus_fail(err, BUS_E_CONFIG, "broker %s: %s: %s; %s", b->address, doing, said,
				load);
	case AMQP_PRECONDITION_FAILED:
		return bus_fail(err, BUS_E_CONFIG, "broker %s: %s: %s", b->address, doing, said);
	default:
		return bus_fail(err, BUS_E_UNAVAILABLE, "broker %s: %s: %u %s", b->address, doing,
				code, said);
	}
}

enum bus_code bus_broker_closed(struct bus_broker *b, const char *doing,
				const amqp_method_t *method, struct bus_err *err)
{
	if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *m = method->decoded;

		return refused(b, doing, m->reply_code, m->reply_text, err);
	}
	if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
		const amqp_connection_close_t *m = method->decoded;

		return refused(b, doing, m->reply_code, m->reply_text, err);
	}
	b->lost = true;
	return bus_fail(err, BUS_E_UNAVAILABLE, "broker %s: %s: unexpected method %s", b->address,
			doing, amqp_method_name(method->id));
}

enum bus_code bus_broker_reply(struct bus_broker *b, const char *doing, amqp_rpc_reply_t reply,
			       struct bus_err *err)
{
	switch (reply.reply_type) {
	case AMQP_RESPONSE_NORMAL:
		return BUS_OK;
	case AMQP_RESPONSE_LIBRARY_EXCEPTION:
		return bus_broker_lost(b, doing, reply.library_error, err);
	case AMQP_RESPONSE_SERVER_EXCEPTION:
		return bus_broker_closed(b, doing, &reply.reply, err);
	default:
		return bus_broker_lost(b, doing, AMQP_STATUS_CONNECTION_CLOSED, err);
	}
}

enum bus_code bus_broker_answer(struct bus_broker *b, const char *doing, struct bus_err *err)
{
	return bus_broker_reply(b, doing, amqp_get_rpc_reply(b->conn), err);
}
