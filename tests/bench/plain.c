/*
 * What RabbitMQ and rabbitmq-c carry without us: the measure for tests/bench/capacity.
 *
 *   plain publish VHOST USER PASSWORD-FILE <messages         as debmsg export writes them
 *   plain consume VHOST USER PASSWORD-FILE QUEUE COUNT
 *   plain stream  VHOST USER PASSWORD-FILE COUNT
 *
 * Publishes with as many messages unconfirmed at a time as the relay, and the same
 * headers; consumes with prefetch 500 and an acknowledgement for 100; reads the
 * stream from its start.  DEBMSG_HOST names the broker's host.  Messages are in memory before the
 * clock runs.  Prints seconds.
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
	const char *host = getenv("DEBMSG_HOST");
	char password[200] = "";
	FILE *f = fopen(file, "r");

	if (!f || !fgets(password, sizeof(password), f))
		die(file);
	fclose(f);
	password[strcspn(password, "\n")] = '\0';
	if (amqp_socket_open(socket, host ? host : "localhost", 5672))
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
	char *key, *proof, *body;
};

static char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text)
		die(name);
	return strdup(text);
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
		list[count++].body = text_of(object, "body");
		json_decref(object);
	}
	free(line);
	*ret_count = count;
	return list;
}

static void send_one(amqp_connection_state_t conn, const struct message *m, const char *user)
{
	amqp_table_entry_t header = { .key = amqp_cstring_bytes("tlog-proof") };
	amqp_basic_properties_t p = {
		._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_USER_ID_FLAG |
			  AMQP_BASIC_HEADERS_FLAG,
		.delivery_mode = 2,
		.user_id = amqp_cstring_bytes(user),
		.headers = { 1, &header },
	};

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

static void publish(amqp_connection_state_t conn, const char *user)
{
	static struct bus_confirms confirms;
	struct message *list;
	size_t count;
	double began;

	list = read_messages(&count);
	amqp_confirm_select(conn, CHANNEL);
	check(conn, "no confirms");
	began = now();
	while (confirms.confirmed < count) {
		while (confirms.sent < count && !bus_confirms_full(&confirms)) {
			send_one(conn, &list[confirms.sent], user);
			bus_confirms_sent(&confirms);
		}
		await_confirm(conn, &confirms);
	}
	printf("%.3f\n", now() - began);
}

/* -- receiving -- */

static void receive(amqp_connection_state_t conn, const char *queue, bool from_stream, long count)
{
	amqp_table_entry_t offset = { .key = amqp_cstring_bytes("x-stream-offset") };
	const amqp_table_t arguments = { from_stream, &offset };
	amqp_envelope_t envelope;
	double began;
	long i;

	offset.value.kind = AMQP_FIELD_KIND_UTF8;
	offset.value.value.bytes = amqp_cstring_bytes("first");
	amqp_basic_qos(conn, CHANNEL, 0, from_stream ? STREAM_PREFETCH : PREFETCH, 0);
	check(conn, "no prefetch");
	began = now();
	amqp_basic_consume(conn, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
			   arguments);
	check(conn, "cannot consume");
	for (i = 1; i <= count; i++) {
		amqp_maybe_release_buffers(conn);
		if (amqp_consume_message(conn, &envelope, NULL, 0).reply_type !=
		    AMQP_RESPONSE_NORMAL)
			die("nothing comes");
		if (i % ACK_EVERY == 0 || i == count)
			amqp_basic_ack(conn, CHANNEL, envelope.delivery_tag, 1);
		amqp_destroy_envelope(&envelope);
	}
	printf("%.3f\n", now() - began);
	/* the last acknowledgement is read before the connection ends */
	amqp_connection_close(conn, AMQP_REPLY_SUCCESS);
}

int main(int argc, char **argv)
{
	amqp_connection_state_t conn;

	if (argc < 5)
		die("usage: see the top of tests/bench/plain.c");
	conn = connect_as(argv[2], argv[3], argv[4]);
	if (!strcmp(argv[1], "publish"))
		publish(conn, argv[3]);
	else if (!strcmp(argv[1], "consume") && argc > 6)
		receive(conn, argv[5], false, strtol(argv[6], NULL, 10));
	else if (!strcmp(argv[1], "stream") && argc > 5)
		receive(conn, stream, true, strtol(argv[5], NULL, 10));
	amqp_destroy_connection(conn);
	return 0;
}
