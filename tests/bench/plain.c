/*
 * What RabbitMQ and rabbitmq-c carry without us: the measure for make bench and for
 * tests/bench/capacity.
 *
 *   plain publish VHOST USER PASSWORD-FILE <messages         as debmsg export writes them
 *   plain bare    VHOST USER PASSWORD-FILE <messages         without the proof in the header
 *   plain consume VHOST USER PASSWORD-FILE QUEUE COUNT
 *   plain stream  VHOST USER PASSWORD-FILE COUNT
 *   plain ping    VHOST USER PASSWORD-FILE QUEUE CONSUMER PASSWORD-FILE COUNT <messages
 *
 * Publishes to the exchange of the relay, with as many messages unconfirmed at a time as
 * it has, and the same properties; consumes with prefetch 500 and an acknowledgement for
 * 100; reads the stream from its start.  DEBMSG_HOST and DEBMSG_AMQP_PORT say where the
 * broker is.  Messages are in memory before the clock runs; connecting counts.  Prints
 * seconds: ping one line for each of the first COUNT messages, from publishing it until
 * it came out of QUEUE, one after the other.
 */
#include "config.h"

#ifdef HAVE_RABBITMQ_C_AMQP_H
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "confirms.h"

enum { CHANNEL = 1, PREFETCH = 500, STREAM_PREFETCH = 250, ACK_EVERY = 100 };

static const char stream[] = "debmsg.log";

static void die(const char *what)
{
	fprintf(stderr, "plain: %s\n", what);
	exit(1);
}

static void check(amqp_connection_state_t conn, const char *what)
{
	const amqp_rpc_reply_t reply = amqp_get_rpc_reply(conn);

	if (reply.reply_type != AMQP_RESPONSE_NORMAL)
		die(what);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static amqp_connection_state_t connect_as(const char *vhost, const char *user, const char *file)
{
	amqp_connection_state_t conn = amqp_new_connection();
	amqp_socket_t *socket = amqp_tcp_socket_new(conn);
	const char *host = getenv("DEBMSG_HOST"), *port = getenv("DEBMSG_AMQP_PORT");
	char password[200] = "";
	FILE *f = fopen(file, "r");

	if (!f || !fgets(password, sizeof(password), f))
		die(file);
	fclose(f);
	password[strcspn(password, "\n")] = '\0';
	if (amqp_socket_open(socket, host ? host : "localhost",
			     port ? (int)strtol(port, NULL, 10) : 5672))
		die("cannot connect");
	if (amqp_login(conn, vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, user, password)
		    .reply_type != AMQP_RESPONSE_NORMAL)
		die("cannot log in");
	amqp_channel_open(conn, CHANNEL);
	check(conn, "cannot open a channel");
	return conn;
}

/* -- publishing -- */

struct message {
	char *key, *proof, *body, *type, *id;
	uint64_t time; /* seconds since 1970 */
};

static char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	char *copy = text ? strdup(text) : NULL;

	if (!copy)
		die(name);
	return copy;
}

/* What the relay writes into the properties is in the event. */
static void read_event(struct message *m)
{
	json_t *event = json_loads(m->body, 0, NULL);
	char *source = text_of(event, "source"), *id = text_of(event, "id");
	char *time = text_of(event, "time");
	struct tm tm = { 0 };

	m->type = text_of(event, "type");
	if (asprintf(&m->id, "%s/%s", source, id) < 0 || !strptime(time, "%Y-%m-%dT%H:%M:%S", &tm))
		die("no event");
	m->time = (uint64_t)timegm(&tm);
	free(source);
	free(id);
	free(time);
	json_decref(event);
}

static struct message *read_messages(size_t *ret_count)
{
	struct message *list = NULL;
	char *line = NULL;
	size_t size = 0, room = 0, count = 0;

	while (getline(&line, &size, stdin) > 0) {
		json_t *object = json_loads(line, 0, NULL);

		if (count == room) {
			room = room ? 2 * room : 1024;
			list = realloc(list, room * sizeof(*list));
			if (!list)
				die("out of memory");
		}
		list[count].key = text_of(object, "routing_key");
		list[count].proof = text_of(object, "proof");
		list[count].body = text_of(object, "body");
		read_event(&list[count++]);
		json_decref(object);
	}
	free(line);
	*ret_count = count;
	return list;
}

static void send_one(amqp_connection_state_t conn, const struct message *m, const char *user,
		     bool bare)
{
	amqp_table_entry_t header = { .key = amqp_cstring_bytes("tlog-proof") };
	amqp_basic_properties_t p = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
			  AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG |
			  AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_USER_ID_FLAG |
			  AMQP_BASIC_APP_ID_FLAG,
		.content_type = amqp_cstring_bytes("application/cloudevents+json; charset=utf-8"),
		.delivery_mode = 2,
		.message_id = amqp_cstring_bytes(m->id),
		.type = amqp_cstring_bytes(m->type),
		.timestamp = m->time,
		.user_id = amqp_cstring_bytes(user),
		.app_id = amqp_cstring_bytes("debmsg/" PACKAGE_VERSION),
	};

	if (!bare) {
		p._flags |= AMQP_BASIC_HEADERS_FLAG;
		p.headers.num_entries = 1;
		p.headers.entries = &header;
	}
	header.value.kind = AMQP_FIELD_KIND_UTF8;
	header.value.value.bytes = amqp_cstring_bytes(m->proof);
	if (amqp_basic_publish(conn, CHANNEL, amqp_cstring_bytes("debmsg"),
			       amqp_cstring_bytes(m->key), 1, 0, &p, amqp_cstring_bytes(m->body)))
		die("cannot publish");
}

static void await_confirm(amqp_connection_state_t conn, struct bus_confirms *confirms)
{
	const amqp_basic_ack_t *ack;
	amqp_frame_t frame;

	amqp_maybe_release_buffers(conn);
	if (amqp_simple_wait_frame(conn, &frame) || frame.frame_type != AMQP_FRAME_METHOD ||
	    frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
		die("not confirmed");
	ack = frame.payload.method.decoded;
	if (!bus_confirms_note(confirms, ack->delivery_tag, ack->multiple))
		die("a confirm of nothing");
}

static void begin_publishing(amqp_connection_state_t conn)
{
	amqp_confirm_select(conn, CHANNEL);
	check(conn, "no confirms");
}

static void end(amqp_connection_state_t conn)
{
	amqp_connection_close(conn, AMQP_REPLY_SUCCESS);
	amqp_destroy_connection(conn);
}

static void publish(char **arg, bool bare)
{
	static struct bus_confirms confirms;
	amqp_connection_state_t conn;
	struct message *list;
	size_t count;
	double began;

	list = read_messages(&count);
	began = now();
	conn = connect_as(arg[0], arg[1], arg[2]);
	begin_publishing(conn);
	while (confirms.confirmed < count) {
		while (confirms.sent < count && !bus_confirms_full(&confirms)) {
			send_one(conn, &list[confirms.sent], arg[1], bare);
			bus_confirms_sent(&confirms);
		}
		await_confirm(conn, &confirms);
	}
	end(conn);
	printf("%.6f\n", now() - began);
}

/* -- receiving -- */

static void begin_receiving(amqp_connection_state_t conn, const char *queue, bool from_stream)
{
	amqp_table_entry_t offset = { .key = amqp_cstring_bytes("x-stream-offset") };
	const amqp_table_t arguments = { from_stream, &offset };

	offset.value.kind = AMQP_FIELD_KIND_UTF8;
	offset.value.value.bytes = amqp_cstring_bytes("first");
	amqp_basic_qos(conn, CHANNEL, 0, from_stream ? STREAM_PREFETCH : PREFETCH, 0);
	check(conn, "no prefetch");
	amqp_basic_consume(conn, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
			   arguments);
	check(conn, "cannot consume");
}

static void take(amqp_connection_state_t conn, bool acknowledge)
{
	amqp_envelope_t envelope;

	amqp_maybe_release_buffers(conn);
	if (amqp_consume_message(conn, &envelope, NULL, 0).reply_type != AMQP_RESPONSE_NORMAL)
		die("nothing comes");
	if (acknowledge)
		amqp_basic_ack(conn, CHANNEL, envelope.delivery_tag, 1);
	amqp_destroy_envelope(&envelope);
}

static void receive(char **arg, const char *queue, bool from_stream, long count)
{
	amqp_connection_state_t conn;
	const double began = now();
	long i;

	conn = connect_as(arg[0], arg[1], arg[2]);
	begin_receiving(conn, queue, from_stream);
	for (i = 1; i <= count; i++)
		take(conn, i % ACK_EVERY == 0 || i == count);
	end(conn); /* the broker has read the last acknowledgement then */
	printf("%.6f\n", now() - began);
}

/* -- both: how long one message takes on a quiet broker -- */

static void ping(char **arg, size_t wanted)
{
	static struct bus_confirms confirms;
	amqp_connection_state_t out = connect_as(arg[0], arg[1], arg[2]);
	amqp_connection_state_t in = connect_as(arg[0], arg[4], arg[5]);
	struct message *list;
	size_t count, i;
	double began;

	list = read_messages(&count);
	begin_publishing(out);
	begin_receiving(in, arg[3], false);
	for (i = 0; i < count && i < wanted; i++) {
		began = now();
		send_one(out, &list[i], arg[1], false);
		bus_confirms_sent(&confirms);
		take(in, true);
		printf("%.6f\n", now() - began);
		while (bus_confirms_open(&confirms))
			await_confirm(out, &confirms);
	}
	end(in);
	end(out);
}

static bool is(const char *name, int argc, char **argv, int least)
{
	return argc >= 2 + least && !strcmp(argv[1], name);
}

int main(int argc, char **argv)
{
	char **arg = argv + 2;

	if (is("publish", argc, argv, 3))
		publish(arg, false);
	else if (is("bare", argc, argv, 3))
		publish(arg, true);
	else if (is("consume", argc, argv, 5))
		receive(arg, arg[3], false, strtol(arg[4], NULL, 10));
	else if (is("stream", argc, argv, 4))
		receive(arg, stream, true, strtol(arg[3], NULL, 10));
	else if (is("ping", argc, argv, 7))
		ping(arg, (size_t)strtoul(arg[6], NULL, 10));
	else
		die("usage: see the top of tests/bench/plain.c");
	return 0;
}
