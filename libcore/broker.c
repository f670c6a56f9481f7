#include "config.h"

#include "broker_private.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "timestamp.h"

const char bus_exchange[] = "debmsg";
const char bus_keep_exchange[] = "debmsg.keep";
const char bus_stream[] = "debmsg.log";
const char bus_dead_exchange[] = "debmsg.dead";
const char bus_parked_queue[] = "debmsg.parked";

const char bus_proof_header[] = "tlog-proof";
const char bus_reason_header[] = "debmsg-reason";
const char bus_text_header[] = "debmsg-text";
const char bus_queue_header[] = "debmsg-queue";
const char bus_output_header[] = "debmsg-output";
static const char content_type[] = "application/cloudevents+json; charset=utf-8";

amqp_table_entry_t bus_broker_text(const char *name, const char *value, size_t len)
{
	amqp_table_entry_t entry = { .key = amqp_cstring_bytes(name) };

	entry.value.kind = AMQP_FIELD_KIND_UTF8;
	entry.value.value.bytes.bytes = (void *)(uintptr_t)value;
	entry.value.value.bytes.len = len;
	return entry;
}

/* -- publishing -- */

/*
 * AMQP has no question for it.  Taking away a binding needs the same right on the
 * exchange that the events would go to, and that there is none is no failure.
 */
enum bus_code bus_broker_may_publish(struct bus_broker *b, const char *exchange, bool *ret,
				     struct bus_err *err)
{
	static const char key[] = "org.debian.dev.debmsg.no.such.binding";
	struct bus_err why = { BUS_OK, "" };
	amqp_rpc_reply_t reply;
	char name[200];
	enum bus_code rc;

	amqp_exchange_unbind(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(exchange),
			     amqp_cstring_bytes(bus_exchange), amqp_cstring_bytes(key),
			     amqp_empty_table);
	reply = amqp_get_rpc_reply(b->conn);
	rc = bus_broker_reply(b, "cannot ask for a permission", reply, &why);
	snprintf(name, sizeof(name), "exchange '%s'", exchange);
	*ret = rc != BUS_E_CONFIG || !strstr(why.text, "ACCESS_REFUSED") || !strstr(why.text, name);
	/* what else the operator must mend is found by whoever needs it */
	return !rc || rc == BUS_E_CONFIG ? BUS_OK : bus_fail(err, rc, "%s", why.text);
}

enum bus_code bus_broker_confirms(struct bus_broker *b, struct bus_err *err)
{
	amqp_confirm_select(b->conn, BUS_BROKER_CHANNEL);
	return bus_broker_answer(b, "cannot turn on publisher confirms", err);
}

void bus_broker_tune(struct bus_broker *b, int frame_max)
{
	amqp_tune_connection(b->conn, amqp_get_channel_max(b->conn), frame_max,
			     BUS_BROKER_HEARTBEAT_S);
}

bool bus_broker_can_send(const struct bus_broker *b)
{
	struct pollfd fd = { .fd = amqp_get_sockfd(b->conn), .events = POLLOUT };

	return poll(&fd, 1, 0) != 0; /* an error too: publishing will name it */
}

static void add_header(amqp_table_t *headers, const char *name, const char *value, size_t len)
{
	headers->entries[headers->num_entries++] = bus_broker_text(name, value, len);
}

/* What PROTOCOL section 4 says of a message in debmsg.parked. */
static void add_parking(amqp_basic_properties_t *p, const struct bus_outgoing *out)
{
	const size_t len = out->output_len < BUS_PARKING_OUTPUT_MAX ? out->output_len
								    : BUS_PARKING_OUTPUT_MAX;

	if (!out->timestamp) {
		p->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
		p->timestamp = (uint64_t)(bus_time_now() / 1000000);
	}
	add_header(&p->headers, bus_reason_header, out->reason, strlen(out->reason));
	add_header(&p->headers, bus_text_header, out->text, strlen(out->text));
	add_header(&p->headers, bus_queue_header, out->queue, strlen(out->queue));
	if (out->output_len)
		add_header(&p->headers, bus_output_header, out->output + out->output_len - len,
			   len);
}

enum bus_code bus_broker_publish(struct bus_broker *b, const struct bus_outgoing *out,
				 struct bus_err *err)
{
	static const char app_id[] = PACKAGE_NAME "/" PACKAGE_VERSION;
	const amqp_bytes_t body = { out->body_len, (void *)(uintptr_t)out->body };
	amqp_table_entry_t header[5];
	amqp_basic_properties_t p = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
			  AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_APP_ID_FLAG |
			  AMQP_BASIC_HEADERS_FLAG,
		.content_type = amqp_cstring_bytes(content_type),
		.delivery_mode = AMQP_DELIVERY_PERSISTENT,
		.user_id = amqp_cstring_bytes(b->user),
		.app_id = amqp_cstring_bytes(app_id),
		.headers = { 0, header },
	};
	int status;

	if (out->message_id) {
		p._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
		p.message_id = amqp_cstring_bytes(out->message_id);
	}
	if (out->type) {
		p._flags |= AMQP_BASIC_TYPE_FLAG;
		p.type = amqp_cstring_bytes(out->type);
	}
	if (out->timestamp) {
		p._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
		p.timestamp = (uint64_t)out->timestamp;
	}
	if (out->proof)
		add_header(&p.headers, bus_proof_header, out->proof, out->proof_len);
	if (out->reason)
		add_parking(&p, out);
	if (out->body_len > BUS_BROKER_FRAME_MAX / 2)
		bus_broker_tune(b, BUS_BROKER_FRAME_MAX);
	status = amqp_basic_publish(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(out->exchange),
				    amqp_cstring_bytes(out->routing_key), 1, 0, &p, body);
	if (out->body_len > BUS_BROKER_FRAME_MAX / 2)
		bus_broker_tune(b, BUS_BROKER_FRAME_TAKEN);
	return status == AMQP_STATUS_OK ? BUS_OK
					: bus_broker_lost(b, "cannot publish", status, err);
}

/* -- consuming -- */

enum bus_code bus_broker_declare(struct bus_broker *b, const char *queue, struct bus_err *err)
{
	amqp_table_entry_t type[] = { bus_broker_text("x-queue-type", "quorum", 6) };
	const amqp_table_t arguments = { 1, type };
	char doing[300];

	snprintf(doing, sizeof(doing), "cannot declare queue %s", queue);
	amqp_queue_declare(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(queue), 0, 1, 0, 0,
			   arguments);
	return bus_broker_answer(b, doing, err);
}

enum bus_code bus_broker_bind(struct bus_broker *b, const char *queue, const char *pattern,
			      struct bus_err *err)
{
	char doing[600];

	snprintf(doing, sizeof(doing), "cannot bind queue %s to %s", queue, pattern);
	amqp_queue_bind(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(queue),
			amqp_cstring_bytes(bus_exchange), amqp_cstring_bytes(pattern),
			amqp_empty_table);
	return bus_broker_answer(b, doing, err);
}

enum bus_code bus_broker_unbind(struct bus_broker *b, const char *queue, const char *pattern,
				struct bus_err *err)
{
	char doing[600];

	snprintf(doing, sizeof(doing), "cannot unbind queue %s from %s", queue, pattern);
	amqp_queue_unbind(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(queue),
			  amqp_cstring_bytes(bus_exchange), amqp_cstring_bytes(pattern),
			  amqp_empty_table);
	return bus_broker_answer(b, doing, err);
}

static enum bus_code consume(struct bus_broker *b, const char *queue, const char *tag,
			     uint16_t prefetch, amqp_table_t arguments, struct bus_err *err)
{
	char doing[300];
	enum bus_code rc;

	snprintf(doing, sizeof(doing), "cannot consume from %s", queue);
	amqp_basic_qos(b->conn, BUS_BROKER_CHANNEL, 0, prefetch, 0);
	rc = bus_broker_answer(b, doing, err);
	if (rc)
		return rc;
	amqp_basic_consume(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(queue),
			   amqp_cstring_bytes(tag), 0, 0, 0, arguments);
	return bus_broker_answer(b, doing, err);
}

enum bus_code bus_broker_consume_as(struct bus_broker *b, const char *queue, const char *tag,
				    uint16_t prefetch, struct bus_err *err)
{
	return consume(b, queue, tag, prefetch, amqp_empty_table, err);
}

enum bus_code bus_broker_consume(struct bus_broker *b, const char *queue, uint16_t prefetch,
				 struct bus_err *err)
{
	return bus_broker_consume_as(b, queue, "queue", prefetch, err);
}

/* Each may be as large as the broker takes any, and all must fit into memory. */
enum { STREAM_PREFETCH = 250 };

enum bus_code bus_broker_read_stream(struct bus_broker *b, const char *tag,
				     enum bus_stream_start start, int64_t at, struct bus_err *err)
{
	static const char *const name[] = { "first", "last", "next" };
	amqp_table_entry_t offset = { .key = amqp_cstring_bytes("x-stream-offset") };
	const amqp_table_t arguments = { 1, &offset };

	if (start == BUS_STREAM_TIME) {
		offset.value.kind = AMQP_FIELD_KIND_TIMESTAMP;
		offset.value.value.u64 = (uint64_t)(at < 0 ? 0 : at);
	} else if (start == BUS_STREAM_OFFSET) {
		offset.value.kind = AMQP_FIELD_KIND_I64;
		offset.value.value.i64 = at;
	} else {
		offset = bus_broker_text("x-stream-offset", name[start], strlen(name[start]));
	}
	return consume(b, bus_stream, tag, STREAM_PREFETCH, arguments, err);
}

enum bus_code bus_broker_cancel(struct bus_broker *b, const char *tag, struct bus_err *err)
{
	amqp_basic_cancel(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(tag));
	return bus_broker_answer(b, "cannot end a consumer", err);
}

enum bus_code bus_broker_ack(struct bus_broker *b, uint64_t tag, bool multiple, struct bus_err *err)
{
	int status = amqp_basic_ack(b->conn, BUS_BROKER_CHANNEL, tag, multiple);

	return status == AMQP_STATUS_OK ? BUS_OK
					: bus_broker_lost(b, "cannot acknowledge", status, err);
}

enum bus_code bus_broker_state(struct bus_broker *b, const char *queue, uint32_t *ret_ready,
			       uint32_t *ret_consumers, struct bus_err *err)
{
	amqp_queue_declare_ok_t *ok;
	char doing[300];
	enum bus_code rc;

	snprintf(doing, sizeof(doing), "cannot look at queue %s", queue);
	ok = amqp_queue_declare(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0,
				amqp_empty_table);
	rc = bus_broker_answer(b, doing, err);
	if (rc)
		return rc;
	*ret_ready = ok->message_count;
	*ret_consumers = ok->consumer_count;
	return BUS_OK;
}

enum bus_code bus_broker_count(struct bus_broker *b, const char *queue, uint32_t *ret,
			       struct bus_err *err)
{
	uint32_t consumers;

	return bus_broker_state(b, queue, ret, &consumers, err);
}

enum bus_code bus_broker_exists(struct bus_broker *b, const char *queue, bool *ret,
				struct bus_err *err)
{
	amqp_rpc_reply_t reply;
	enum bus_code rc;
	char doing[300];

	snprintf(doing, sizeof(doing), "cannot look for queue %s", queue);
	amqp_queue_declare(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0,
			   amqp_empty_table);
	reply = amqp_get_rpc_reply(b->conn);
	rc = bus_broker_reply(b, doing, reply, err);
	*ret = !rc;
	if (rc == BUS_E_CONFIG && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD &&
	    ((amqp_channel_close_t *)reply.reply.decoded)->reply_code == AMQP_NOT_FOUND)
		return BUS_OK;
	return rc;
}

enum bus_code bus_broker_waiting(struct bus_broker *b, const char *queue,
				 struct bus_broker_waiting *ret, struct bus_err *err)
{
	const amqp_queue_declare_ok_t *ok;
	enum bus_code rc;

	*ret = (struct bus_broker_waiting){ false, 0, 0 };
	rc = bus_broker_exists(b, queue, &ret->exists, err);
	if (rc || !ret->exists)
		return rc;
	ok = amqp_queue_declare(b->conn, BUS_BROKER_CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0,
				amqp_empty_table);
	rc = bus_broker_answer(b, "cannot look at the queue", err);
	if (!rc) {
		ret->messages = ok->message_count;
		ret->consumers = ok->consumer_count;
	}
	return rc;
}

enum bus_code bus_broker_sync(struct bus_broker *b, struct bus_err *err)
{
	/* the cheapest question; its value is the one consume() has set */
	amqp_basic_qos(b->conn, BUS_BROKER_CHANNEL, 0, STREAM_PREFETCH, 0);
	return bus_broker_answer(b, "no answer", err);
}
