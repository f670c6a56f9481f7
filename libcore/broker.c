#include "config.h"

#include "broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

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

#include "event.h"

enum {
	CHANNEL = 1,
	HEARTBEAT_S = 30,
	CONNECT_S = 10,
	RPC_S = 60,		/* a quorum queue may take long to be declared */
	CONTENT_S = 60,		/* between the frames of one message */
	FRAME_MAX = 131072,
	/* more than any body we accept, so that `oversize` is seen and not guessed */
	KEEP_MAX = BUS_BODY_MAX_CEILING + 1
};

const char bus_exchange[] = "debmsg";
const char bus_stream[] = "debmsg.log";
const char bus_dead_exchange[] = "debmsg.dead";

static const char proof_header[] = "tlog-proof";
static const char content_type[] = "application/cloudevents+json; charset=utf-8";

struct bus_broker {
	amqp_connection_state_t conn;
	bool open, lost;
	char user[128];
	char address[300];
};

static amqp_bytes_t bytes(const char *text)
{
	return amqp_cstring_bytes(text);
}

static void copy_bytes(char *out, size_t size, amqp_bytes_t in)
{
	size_t len = in.len < size - 1 ? in.len : size - 1;

	if (len)
		memcpy(out, in.bytes, len);
	out[len] = '\0';
}

static enum bus_code lost(struct bus_broker *b, const char *doing, int status,
			  struct bus_err *err)
{
	b->lost = true;
	if (status == AMQP_STATUS_NO_MEMORY)
		return bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	return bus_fail(err, BUS_E_UNAVAILABLE, "broker %s: %s: %s", b->address, doing,
			status == AMQP_STATUS_TIMEOUT ? "no answer" : amqp_error_string2(status));
}

/* The broker closed channel or connection, with a code of AMQP 0-9-1 section 1.2. */
static enum bus_code refused(struct bus_broker *b, const char *doing, uint16_t code,
			     amqp_bytes_t text, struct bus_err *err)
{
	static const char load[] = "the admin loads broker-config/definitions.json with "
				   "broker-config/load";
	char said[200];

	b->lost = true;
	copy_bytes(said, sizeof(said), text);
	switch (code) {
	case AMQP_ACCESS_REFUSED:
		return bus_fail(err, BUS_E_CONFIG,
				"broker %s: %s: refused for user %s: %s; the admin gives permissions "
				"with broker-config/add-user", b->address, doing, b->user, said);
	case AMQP_NOT_ALLOWED:
		return bus_fail(err, BUS_E_CONFIG,
				"broker %s: %s: refused for user %s: %s; is the virtual host in the "
				"url right?", b->address, doing, b->user, said);
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

static enum bus_code closed_by(struct bus_broker *b, const char *doing,
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

/* rabbitmq-c answers a call in three ways; this is the one place that knows. */
static enum bus_code check_reply(struct bus_broker *b, const char *doing,
				 amqp_rpc_reply_t reply, struct bus_err *err)
{
	switch (reply.reply_type) {
	case AMQP_RESPONSE_NORMAL:
		return BUS_OK;
	case AMQP_RESPONSE_LIBRARY_EXCEPTION:
		return lost(b, doing, reply.library_error, err);
	case AMQP_RESPONSE_SERVER_EXCEPTION:
		return closed_by(b, doing, &reply.reply, err);
	default:
		return lost(b, doing, AMQP_STATUS_CONNECTION_CLOSED, err);
	}
}

static enum bus_code check_rpc(struct bus_broker *b, const char *doing, struct bus_err *err)
{
	return check_reply(b, doing, amqp_get_rpc_reply(b->conn), err);
}

/* -- connecting -- */

static enum bus_code open_socket(struct bus_broker *b, const struct bus_conf_broker *conf,
				 const struct amqp_connection_info *info, struct bus_err *err)
{
	struct timeval limit = { .tv_sec = CONNECT_S };
	amqp_socket_t *socket;
	int status = AMQP_STATUS_OK;

	socket = info->ssl ? amqp_ssl_socket_new(b->conn) : amqp_tcp_socket_new(b->conn);
	if (!socket)
		return bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	if (info->ssl) {
		amqp_ssl_socket_set_verify_peer(socket, 1);
		amqp_ssl_socket_set_verify_hostname(socket, 1);
		if (!conf->ca_file)
			return bus_fail(err, BUS_E_CONFIG,
					"broker %s: amqps needs ca-file in the broker section",
					b->address);
		status = amqp_ssl_socket_set_cacert(socket, conf->ca_file);
		if (status == AMQP_STATUS_OK && conf->cert_file)
			status = amqp_ssl_socket_set_key(socket, conf->cert_file, conf->key_file);
		if (status != AMQP_STATUS_OK)
			return bus_fail(err, BUS_E_CONFIG,
					"broker %s: cannot use ca-file %s, cert-file or key-file: %s",
					b->address, conf->ca_file, amqp_error_string2(status));
	}
	status = amqp_socket_open_noblock(socket, info->host, info->port, &limit);
	return status == AMQP_STATUS_OK ? BUS_OK : lost(b, "cannot connect", status, err);
}

static amqp_table_entry_t yes(const char *name)
{
	amqp_table_entry_t entry = { .key = bytes(name) };

	entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
	entry.value.value.boolean = 1;
	return entry;
}

static amqp_table_entry_t text(const char *name, const char *value, size_t len)
{
	amqp_table_entry_t entry = { .key = bytes(name) };

	entry.value.kind = AMQP_FIELD_KIND_UTF8;
	entry.value.value.bytes.bytes = (void *)(uintptr_t)value;
	entry.value.value.bytes.len = len;
	return entry;
}

/*
 * Without these capabilities, which rabbitmq-c does not announce by itself, the
 * broker would tell neither a consumer that its queue is gone nor a publisher
 * that it is blocked.
 */
static enum bus_code login(struct bus_broker *b, const struct bus_broker_login *how,
			   const char *vhost, const char *secret, struct bus_err *err)
{
	amqp_table_entry_t capability[] = {
		yes("consumer_cancel_notify"), yes("connection.blocked"), yes("basic.nack"),
		yes("publisher_confirms"),
	};
	amqp_table_entry_t property[] = {
		text("product", PACKAGE_NAME, strlen(PACKAGE_NAME)),
		text("version", PACKAGE_VERSION, strlen(PACKAGE_VERSION)),
		text("connection_name", how->purpose, strlen(how->purpose)),
		{ .key = bytes("capabilities") },
	};
	const amqp_table_t properties = { .num_entries = 4, .entries = property };
	struct bus_err why = { BUS_OK, "" };
	amqp_rpc_reply_t reply;
	enum bus_code rc;

	property[3].value.kind = AMQP_FIELD_KIND_TABLE;
	property[3].value.value.table.num_entries = 4;
	property[3].value.value.table.entries = capability;
	if (secret)
		reply = amqp_login_with_properties(b->conn, vhost, 0, FRAME_MAX, HEARTBEAT_S,
						   &properties, AMQP_SASL_METHOD_PLAIN, b->user,
						   secret);
	else
		reply = amqp_login_with_properties(b->conn, vhost, 0, FRAME_MAX, HEARTBEAT_S,
						   &properties, AMQP_SASL_METHOD_EXTERNAL, b->user);
	rc = check_reply(b, "cannot log in", reply, &why);
	if (rc == BUS_E_CONFIG && strstr(why.text, "ACCESS_REFUSED"))
		return bus_fail(err, rc,
				"broker %s: login refused for user %s: no such user, or not the "
				"password in %s; the admin sets it with broker-config/add-user",
				b->address, b->user,
				how->password_file ? how->password_file : "(client certificate)");
	if (rc)
		bus_fail(err, rc, "%s", why.text);
	return rc;
}

static enum bus_code open_channel(struct bus_broker *b, const struct bus_broker_login *how,
				  const struct amqp_connection_info *info, const char *vhost,
				  const char *secret, struct bus_err *err)
{
	struct timeval handshake = { .tv_sec = CONNECT_S }, rpc = { .tv_sec = RPC_S };
	enum bus_code rc;

	amqp_set_handshake_timeout(b->conn, &handshake);
	amqp_set_rpc_timeout(b->conn, &rpc);
	rc = open_socket(b, how->conf, info, err);
	if (!rc)
		rc = login(b, how, vhost, secret, err);
	if (rc)
		return rc;
	b->open = true;
	amqp_channel_open(b->conn, CHANNEL);
	return check_rpc(b, "cannot open a channel", err);
}

static enum bus_code connect_to(struct bus_broker **ret, const struct bus_broker_login *how,
				const char *url, const char *secret, struct bus_err *err)
{
	struct bus_broker *b = calloc(1, sizeof(*b));
	struct amqp_connection_info info;
	char *copy = strdup(url);	/* amqp_parse_url() writes into it */
	const char *vhost;
	enum bus_code rc;

	if (!b || !copy) {
		rc = bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
		goto out;
	}
	vhost = strchr(strstr(url, "://") + 3, '/') ? NULL : bus_exchange;
	if (amqp_parse_url(copy, &info) != AMQP_STATUS_OK) {
		rc = bus_fail(err, BUS_E_CONFIG, "broker: url '%s' is not amqps://user@host/debmsg",
			      url);
		goto out;
	}
	snprintf(b->user, sizeof(b->user), "%s", how->user ? how->user : info.user);
	snprintf(b->address, sizeof(b->address), "%s:%d", info.host, info.port);
	b->conn = amqp_new_connection();
	if (!b->conn) {
		rc = bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
		goto out;
	}
	rc = open_channel(b, how, &info, vhost ? vhost : info.vhost, secret, err);
	if (rc)
		goto out;
	*ret = b;
	b = NULL;
out:
	bus_broker_close(b);
	free(copy);
	return rc;
}

enum bus_code bus_broker_open(struct bus_broker **ret, const struct bus_broker_login *login_as,
			      struct bus_err *err)
{
	struct bus_broker_login how = *login_as;
	char *secret = NULL;
	enum bus_code rc;
	size_t i;

	if (!how.conf->url_count)
		return bus_fail(err, BUS_E_CONFIG,
				"broker: no broker section in the configuration; see debmsg.conf(5)");
	if (!how.user)
		how.password_file = how.conf->password_file;
	if (how.password_file) {
		rc = bus_secret_read(&secret, how.password_file, err);
		if (rc)
			return rc;
	} else if (!how.conf->cert_file) {
		return bus_fail(err, BUS_E_CONFIG,
				"broker: neither password-file nor cert-file is given for user %s",
				how.user ? how.user : "of the url");
	}
	rc = BUS_E_UNAVAILABLE;
	for (i = 0; rc && rc != BUS_E_NOMEM && i < how.conf->url_count; i++)
		rc = connect_to(ret, &how, how.conf->url[i], secret, err);
	bus_secret_free(secret);
	return rc;
}

void bus_broker_close(struct bus_broker *b)
{
	if (!b)
		return;
	if (b->conn && b->open && !b->lost)
		amqp_connection_close(b->conn, AMQP_REPLY_SUCCESS);
	if (b->conn)
		amqp_destroy_connection(b->conn);
	free(b);
}

const char *bus_broker_user(const struct bus_broker *b)
{
	return b->user;
}

const char *bus_broker_address(const struct bus_broker *b)
{
	return b->address;
}

int bus_broker_fd(const struct bus_broker *b)
{
	return amqp_get_sockfd(b->conn);
}

bool bus_broker_pending(const struct bus_broker *b)
{
	return amqp_frames_enqueued(b->conn) || amqp_data_in_buffer(b->conn);
}

/* -- publishing -- */

enum bus_code bus_broker_confirms(struct bus_broker *b, struct bus_err *err)
{
	amqp_confirm_select(b->conn, CHANNEL);
	return check_rpc(b, "cannot turn on publisher confirms", err);
}

enum bus_code bus_broker_publish(struct bus_broker *b, const struct bus_outgoing *out,
				 struct bus_err *err)
{
	static const char app_id[] = PACKAGE_NAME "/" PACKAGE_VERSION;
	const amqp_bytes_t body = { out->body_len, (void *)(uintptr_t)out->body };
	amqp_table_entry_t header[4];
	amqp_basic_properties_t p = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
			  AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_APP_ID_FLAG |
			  AMQP_BASIC_HEADERS_FLAG,
		.content_type = bytes(content_type),
		.delivery_mode = AMQP_DELIVERY_PERSISTENT,
		.user_id = bytes(b->user),
		.app_id = bytes(app_id),
		.headers = { 0, header },
	};
	int status;

	if (out->message_id) {
		p._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
		p.message_id = bytes(out->message_id);
	}
	if (out->type) {
		p._flags |= AMQP_BASIC_TYPE_FLAG;
		p.type = bytes(out->type);
	}
	if (out->timestamp) {
		p._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
		p.timestamp = (uint64_t)out->timestamp;
	}
	if (out->proof)
		header[p.headers.num_entries++] = text(proof_header, out->proof, out->proof_len);
	if (out->reason) {
		header[p.headers.num_entries++] = text("debmsg-reason", out->reason,
						       strlen(out->reason));
		header[p.headers.num_entries++] = text("debmsg-text", out->text, strlen(out->text));
		header[p.headers.num_entries++] = text("debmsg-queue", out->queue,
						       strlen(out->queue));
	}
	status = amqp_basic_publish(b->conn, CHANNEL, bytes(out->exchange),
				    bytes(out->routing_key), 1, 0, &p, body);
	return status == AMQP_STATUS_OK ? BUS_OK : lost(b, "cannot publish", status, err);
}

/* -- consuming -- */

enum bus_code bus_broker_declare(struct bus_broker *b, const char *queue, struct bus_err *err)
{
	amqp_table_entry_t type[] = { text("x-queue-type", "quorum", 6) };
	const amqp_table_t arguments = { 1, type };
	char doing[300];

	snprintf(doing, sizeof(doing), "cannot declare queue %s", queue);
	amqp_queue_declare(b->conn, CHANNEL, bytes(queue), 0, 1, 0, 0, arguments);
	return check_rpc(b, doing, err);
}

enum bus_code bus_broker_bind(struct bus_broker *b, const char *queue, const char *pattern,
			      struct bus_err *err)
{
	char doing[600];

	snprintf(doing, sizeof(doing), "cannot bind queue %s to %s", queue, pattern);
	amqp_queue_bind(b->conn, CHANNEL, bytes(queue), bytes(bus_exchange), bytes(pattern),
			amqp_empty_table);
	return check_rpc(b, doing, err);
}

static enum bus_code consume(struct bus_broker *b, const char *queue, const char *tag,
			     uint16_t prefetch, amqp_table_t arguments, struct bus_err *err)
{
	char doing[300];
	enum bus_code rc;

	snprintf(doing, sizeof(doing), "cannot consume from %s", queue);
	amqp_basic_qos(b->conn, CHANNEL, 0, prefetch, 0);
	rc = check_rpc(b, doing, err);
	if (rc)
		return rc;
	amqp_basic_consume(b->conn, CHANNEL, bytes(queue), bytes(tag), 0, 0, 0, arguments);
	return check_rpc(b, doing, err);
}

enum bus_code bus_broker_consume(struct bus_broker *b, const char *queue, uint16_t prefetch,
				 struct bus_err *err)
{
	return consume(b, queue, "queue", prefetch, amqp_empty_table, err);
}

enum { STREAM_PREFETCH = 1000 };

enum bus_code bus_broker_read_stream(struct bus_broker *b, const char *tag,
				     enum bus_stream_start start, int64_t time,
				     struct bus_err *err)
{
	static const char *const name[] = { "first", "last", "next" };
	amqp_table_entry_t offset = { .key = bytes("x-stream-offset") };
	const amqp_table_t arguments = { 1, &offset };

	if (start == BUS_STREAM_TIME) {
		offset.value.kind = AMQP_FIELD_KIND_TIMESTAMP;
		offset.value.value.u64 = (uint64_t)(time < 0 ? 0 : time);
	} else {
		offset = text("x-stream-offset", name[start], strlen(name[start]));
	}
	return consume(b, bus_stream, tag, STREAM_PREFETCH, arguments, err);
}

enum bus_code bus_broker_cancel(struct bus_broker *b, const char *tag, struct bus_err *err)
{
	amqp_basic_cancel(b->conn, CHANNEL, bytes(tag));
	return check_rpc(b, "cannot end a consumer", err);
}

enum bus_code bus_broker_ack(struct bus_broker *b, uint64_t tag, bool multiple,
			     struct bus_err *err)
{
	int status = amqp_basic_ack(b->conn, CHANNEL, tag, multiple);

	return status == AMQP_STATUS_OK ? BUS_OK : lost(b, "cannot acknowledge", status, err);
}

enum bus_code bus_broker_count(struct bus_broker *b, const char *queue, uint32_t *ret,
			       struct bus_err *err)
{
	amqp_queue_declare_ok_t *ok;
	char doing[300];
	enum bus_code rc;

	snprintf(doing, sizeof(doing), "cannot look at queue %s", queue);
	ok = amqp_queue_declare(b->conn, CHANNEL, bytes(queue), 1, 0, 0, 0, amqp_empty_table);
	rc = check_rpc(b, doing, err);
	if (!rc)
		*ret = ok->message_count;
	return rc;
}

enum bus_code bus_broker_sync(struct bus_broker *b, struct bus_err *err)
{
	/* the cheapest question; its value is the one consume() has set */
	amqp_basic_qos(b->conn, CHANNEL, 0, STREAM_PREFETCH, 0);
	return check_rpc(b, "no answer", err);
}

/* -- what the broker says -- */

/* One frame; BUS_E_NO: none in time. */
static enum bus_code wait_frame(struct bus_broker *b, amqp_frame_t *frame, int timeout_ms,
				struct bus_err *err)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int status = amqp_simple_wait_frame_noblock(b->conn, frame, &limit);

	if (status == AMQP_STATUS_TIMEOUT)
		return BUS_E_NO;
	return status == AMQP_STATUS_OK ? BUS_OK : lost(b, "connection lost", status, err);
}

static enum bus_code content_frame(struct bus_broker *b, uint8_t type, amqp_frame_t *frame,
				   struct bus_err *err)
{
	enum bus_code rc = wait_frame(b, frame, CONTENT_S * 1000, err);

	if (rc == BUS_E_NO)
		return lost(b, "message ends in the middle", AMQP_STATUS_TIMEOUT, err);
	if (!rc && frame->frame_type != type) {
		if (frame->frame_type == AMQP_FRAME_METHOD)
			return closed_by(b, "receiving", &frame->payload.method, err);
		return lost(b, "receiving", AMQP_STATUS_BAD_AMQP_DATA, err);
	}
	return rc;
}

static char *dup_bytes(amqp_bytes_t in)
{
	char *copy = malloc(in.len + 1);

	if (copy)
		copy_bytes(copy, in.len + 1, in);
	return copy;
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
		copy_bytes(ev->text, sizeof(ev->text), p->message_id);
		m->message_id = dup_bytes(p->message_id);
		if (!m->message_id)
			return false;
	}
	if (!(p->_flags & AMQP_BASIC_HEADERS_FLAG))
		return true;
	for (i = 0; i < p->headers.num_entries; i++) {
		const amqp_table_entry_t *entry = &p->headers.entries[i];

		if (key_is(entry, "x-stream-offset") &&
		    entry->value.kind == AMQP_FIELD_KIND_I64)
			ev->offset = entry->value.value.i64;
		if (!key_is(entry, proof_header) || m->proof ||
		    entry->value.kind != AMQP_FIELD_KIND_UTF8)
			continue;
		m->proof_len = entry->value.value.bytes.len;
		m->proof = dup_bytes(entry->value.value.bytes);
		if (!m->proof)
			return false;
	}
	return true;
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
		b->lost = true;	/* the rest of the message is still to come */
		return bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	}
	while (left) {
		rc = content_frame(b, AMQP_FRAME_BODY, &frame, err);
		if (rc)
			return rc;
		n = frame.payload.body_fragment.len;
		if (n > left)
			return lost(b, "receiving", AMQP_STATUS_BAD_AMQP_DATA, err);
		left -= n;
		n = n > keep - m->body_len ? keep - m->body_len : n;
		memcpy(m->body + m->body_len, frame.payload.body_fragment.bytes, n);
		m->body_len += n;
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
		ev->message->routing_key = dup_bytes(routing_key);
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
	copy_bytes(ev->consumer, sizeof(ev->consumer), m->consumer_tag);
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
		copy_bytes(ev->consumer, sizeof(ev->consumer), cancel->consumer_tag);
		return BUS_OK;
	case AMQP_CONNECTION_BLOCKED_METHOD:
		ev->what = BUS_BROKER_BLOCKED;
		copy_bytes(ev->text, sizeof(ev->text), blocked->reason);
		return BUS_OK;
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		ev->what = BUS_BROKER_UNBLOCKED;
		return BUS_OK;
	default:
		return closed_by(b, "connection closed", method, err);
	}
}

enum bus_code bus_broker_next(struct bus_broker *b, int timeout_ms, struct bus_broker_event *ret,
			      struct bus_err *err)
{
	amqp_frame_t frame;
	enum bus_code rc;

	memset(ret, 0, sizeof(*ret));
	ret->offset = -1;
	amqp_maybe_release_buffers_on_channel(b->conn, CHANNEL);
	amqp_maybe_release_buffers_on_channel(b->conn, 0);
	rc = wait_frame(b, &frame, timeout_ms, err);
	if (rc == BUS_E_NO)
		return BUS_OK;
	if (rc)
		return rc;
	if (frame.frame_type != AMQP_FRAME_METHOD)
		return lost(b, "receiving", AMQP_STATUS_BAD_AMQP_DATA, err);
	return take_method(b, ret, &frame.payload.method, err);
}
