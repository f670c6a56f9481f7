#include "config.h"

#include "broker_private.h"

#include <stdlib.h>
#include <string.h>

#include "event.h"

enum {
	CONTENT_S = 60, /* between the frames of one message */
	/* more than any body we accept, so that `oversize` is seen and not guessed */
	KEEP_MAX = BUS_BODY_MAX_CEILING + 1
};

/* One frame; BUS_E_NO: none in time. */
static enum bus_code wait_frame(struct bus_broker *b, amqp_frame_t *frame, int timeout_ms,
				struct bus_err *err)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int status = amqp_simple_wait_frame_noblock(b->conn, frame, &limit);

	if (status == AMQP_STATUS_TIMEOUT)
		return BUS_E_NO;
	return status == AMQP_STATUS_OK ? BUS_OK
					: bus_broker_lost(b, "connection lost", status, err);
}

static enum bus_code content_frame(struct bus_broker *b, uint8_t type, amqp_frame_t *frame,
				   struct bus_err *err)
{
	enum bus_code rc = wait_frame(b, frame, CONTENT_S * 1000, err);

	if (rc == BUS_E_NO)
		return bus_broker_lost(b, "message ends in the middle", AMQP_STATUS_TIMEOUT, err);
	if (!rc && frame->frame_type != type) {
		if (frame->frame_type == AMQP_FRAME_METHOD)
			return bus_broker_closed(b, "receiving", &frame->payload.method, err);
		return bus_broker_lost(b, "receiving", AMQP_STATUS_BAD_AMQP_DATA, err);
	}
	return rc;
}

static char *dup_bytes(amqp_bytes_t in)
{
	char *copy = malloc(in.len + 1);

	if (copy)
		bus_broker_copy(copy, in.len + 1, in);
	return copy;
}

/* No key of ours has a NUL or a `?`: one that has must not look shorter than it is. */
static char *dup_key(amqp_bytes_t in)
{
	char *key = dup_bytes(in), *p = key;
	size_t left = in.len;

	for (; p && left; p++, left--)
		if (!*p)
			*p = '?';
	return key;
}

static bool key_is(const amqp_table_entry_t *entry, const char *name)
{
	return entry->key.len == strlen(name) && !memcmp(entry->key.bytes, name, entry->key.len);
}

/* Takes what we use of the properties; false: out of memory. */
static bool take_properties(struct bus_broker_event *ev, const amqp_basic_properties_t *p)
{
	struct bus_message *m = ev->message;
	int i;

	if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
		bus_broker_copy(ev->text, sizeof(ev->text), p->message_id);
		m->message_id = dup_bytes(p->message_id);
		if (!m->message_id)
			return false;
	}
	if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG))
		return true;
	for (i = 0; i < p->headers.num_entries; i++) {
		const amqp_table_entry_t *entry = &p->headers.entries[i];

		if (key_is(entry, "x-stream-offset") && entry->value.kind == AMQP_FIELD_KIND_I64)
			ev->offset = entry->value.value.i64;
		if (!key_is(entry, bus_proof_header) || m->proof ||
		    entry->value.kind != AMQP_FIELD_KIND_UTF8)
			continue;
		m->proof_len = entry->value.value.bytes.len;
		m->proof = dup_bytes(entry->value.value.bytes);
		if (!m->proof)
			return false;
	}
	return bus_broker_take_parking(m, p);
}

/* Reads the header frame and the body frames that follow a deliver or return. */
static enum bus_code take_content(struct bus_broker *b, struct bus_broker_event *ev,
				  struct bus_err *err)
{
	struct bus_message *m = ev->message;
	uint64_t left;
	amqp_frame_t frame;
	enum bus_code rc;
	size_t keep, n;

	rc = content_frame(b, AMQP_FRAME_HEADER, &frame, err);
	if (rc)
		return rc;
	left = frame.payload.properties.body_size;
	keep = left > KEEP_MAX ? KEEP_MAX : (size_t)left;
	m->oversize = left > KEEP_MAX;
	m->body = malloc(keep + 1);
	if (!m->body || !take_properties(ev, frame.payload.properties.decoded)) {
		b->lost = true; /* the rest of the message is still to come */
		return bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	}
	while (left) {
		rc = content_frame(b, AMQP_FRAME_BODY, &frame, err);
		if (rc)
			return rc;
		n = frame.payload.body_fragment.len;
		if (n > left)
			return bus_broker_lost(b, "receiving", AMQP_STATUS_BAD_AMQP_DATA, err);
		left -= n;
		n = n > keep - m->body_len ? keep - m->body_len : n;
		memcpy(m->body + m->body_len, frame.payload.body_fragment.bytes, n);
		m->body_len += n;
		amqp_maybe_release_buffers_on_channel(b->conn, BUS_BROKER_CHANNEL);
	}
	m->body[m->body_len] = '\0';
	return BUS_OK;
}

static enum bus_code take_message(struct bus_broker *b, struct bus_broker_event *ev,
				  amqp_bytes_t routing_key, struct bus_err *err)
{
	enum bus_code rc;

	ev->message = calloc(1, sizeof(*ev->message));
	if (ev->message)
		ev->message->routing_key = dup_key(routing_key);
	if (!ev->message || !ev->message->routing_key) {
		b->lost = true;
		rc = bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	} else {
		rc = take_content(b, ev, err);
	}
	if (rc) {
		bus_message_free(ev->message);
		ev->message = NULL;
	}
	return rc;
}

static enum bus_code take_deliver(struct bus_broker *b, struct bus_broker_event *ev,
				  const amqp_basic_deliver_t *m, struct bus_err *err)
{
	ev->what = BUS_BROKER_MESSAGE;
	ev->tag = m->delivery_tag;
	bus_broker_copy(ev->consumer, sizeof(ev->consumer), m->consumer_tag);
	return take_message(b, ev, m->routing_key, err);
}

static enum bus_code take_return(struct bus_broker *b, struct bus_broker_event *ev,
				 const amqp_basic_return_t *m, struct bus_err *err)
{
	enum bus_code rc = take_message(b, ev, m->routing_key, err);

	ev->what = BUS_BROKER_RETURNED;
	bus_message_free(ev->message);
	ev->message = NULL;
	return rc;
}

static enum bus_code take_method(struct bus_broker *b, struct bus_broker_event *ev,
				 const amqp_method_t *method, struct bus_err *err)
{
	const amqp_basic_ack_t *ack = method->decoded;
	const amqp_basic_nack_t *nack = method->decoded;
	const amqp_connection_blocked_t *blocked = method->decoded;
	const amqp_basic_cancel_t *cancel = method->decoded;

	switch (method->id) {
	case AMQP_BASIC_DELIVER_METHOD:
		return take_deliver(b, ev, method->decoded, err);
	case AMQP_BASIC_RETURN_METHOD:
		return take_return(b, ev, method->decoded, err);
	case AMQP_BASIC_ACK_METHOD:
		ev->what = BUS_BROKER_CONFIRMED;
		ev->tag = ack->delivery_tag;
		ev->multiple = ack->multiple;
		return BUS_OK;
	case AMQP_BASIC_NACK_METHOD:
		ev->what = BUS_BROKER_REFUSED;
		ev->tag = nack->delivery_tag;
		ev->multiple = nack->multiple;
		return BUS_OK;
	case AMQP_BASIC_CANCEL_METHOD:
		ev->what = BUS_BROKER_CANCELLED;
		bus_broker_copy(ev->consumer, sizeof(ev->consumer), cancel->consumer_tag);
		return BUS_OK;
	case AMQP_CONNECTION_BLOCKED_METHOD:
		ev->what = BUS_BROKER_BLOCKED;
		bus_broker_copy(ev->text, sizeof(ev->text), blocked->reason);
		return BUS_OK;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		ev->what = BUS_BROKER_UNBLOCKED;
		return BUS_OK;
	default:
		return bus_broker_closed(b, "connection closed", method, err);
	}
}

enum bus_code bus_broker_next(struct bus_broker *b, int timeout_ms, struct bus_broker_event *ret,
			      struct bus_err *err)
{
	amqp_frame_t frame;
	enum bus_code rc;

	memset(ret, 0, sizeof(*ret));
	ret->offset = -1;
	amqp_maybe_release_buffers_on_channel(b->conn, BUS_BROKER_CHANNEL);
	amqp_maybe_release_buffers_on_channel(b->conn, 0);
	rc = wait_frame(b, &frame, timeout_ms, err);
	if (rc == BUS_E_NO)
		return BUS_OK;
	if (rc)
		return rc;
	if (frame.frame_type != AMQP_FRAME_METHOD)
		return bus_broker_lost(b, "receiving", AMQP_STATUS_BAD_AMQP_DATA, err);
	return take_method(b, ret, &frame.payload.method, err);
}
