/*
 * forge: publishes one message as no honest publisher would, for the tests.
 *
 * It takes apart what belongs together: any proof or none with any body, any
 * routing key, CC and BCC headers, a proof header of a type it never has.  The
 * broker's answer is printed and is the exit status.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sysexits.h>

#ifdef HAVE_RABBITMQ_C_AMQP_H
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#endif

static const char help[] =
	"usage: forge --port N --vhost V --user U --password-file F --key KEY [OPTION]... < BODY\n"
	"\n"
	"Publishes one message to the broker on 127.0.0.1 and waits for its answer.\n"
	"\n"
	"  --exchange E     by default debmsg\n"
	"  --proof FILE     as header tlog-proof\n"
	"  --proof-type T   text (default), binary, integer, table, array or date\n"
	"  --cc KEY         more routing keys: in the header CC, where all see them,\n"
	"  --bcc KEY        or in BCC, which the broker removes; each may be repeated\n"
	"  --message-id ID\n"
	"\n"
	"Exit status: 0 taken, 1 not taken (nack), 2 unroutable, 3 refused; 64, 69.\n";

enum {
	ANSWER_TAKEN,
	ANSWER_NACK,
	ANSWER_UNROUTABLE,
	ANSWER_REFUSED,
	CHANNEL = 1,
	FRAME_MAX = 131072,
	TIMEOUT_S = 20,
	KEYS_MAX = 8,
	BODY_MAX = 8 * 1024 * 1024
};

/* A header that is a list of routing keys. */
struct keys {
	int count;
	amqp_field_value_t value[KEYS_MAX];
};

struct forge {
	int port;
	const char *vhost, *user, *password_file, *exchange, *key, *proof_file, *proof_type,
		*message_id;
	struct keys cc, bcc;
	char *body, *proof;
	size_t body_len, proof_len;
};

static void __attribute__((noreturn, format(printf, 2, 3))) die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("forge: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(status);
}

static amqp_field_value_t text_value(const char *text, size_t len)
{
	amqp_field_value_t value = { .kind = AMQP_FIELD_KIND_UTF8 };

	value.value.bytes.bytes = (void *)(uintptr_t)text;
	value.value.bytes.len = len;
	return value;
}

static void add_key(struct keys *keys, const char *key)
{
	if (keys->count == KEYS_MAX)
		die(EX_USAGE, "more than %d keys", KEYS_MAX);
	keys->value[keys->count++] = text_value(key, strlen(key));
}

/* The whole stream, and a NUL after it. */
static char *read_all(FILE *f, const char *name, size_t *len)
{
	char *text = malloc(BODY_MAX + 1);

	if (!text)
		die(EX_OSERR, "out of memory");
	*len = fread(text, 1, BODY_MAX, f);
	if (ferror(f) || !feof(f))
		die(EX_NOINPUT, "%s: cannot be read, or is too long", name);
	text[*len] = '\0';
	return text;
}

static char *read_file(const char *name, size_t *len)
{
	FILE *f = fopen(name, "re");
	char *text;

	if (!f)
		die(EX_NOINPUT, "%s: %s", name, strerror(errno));
	text = read_all(f, name, len);
	fclose(f);
	return text;
}

static void take_option(struct forge *f, int opt)
{
	switch (opt) {
	case 'p':
		f->port = (int)strtol(optarg, NULL, 10);
		break;
	case 'v':
		f->vhost = optarg;
		break;
	case 'u':
		f->user = optarg;
		break;
	case 'w':
		f->password_file = optarg;
		break;
	case 'e':
		f->exchange = optarg;
		break;
	case 'k':
		f->key = optarg;
		break;
	case 'P':
		f->proof_file = optarg;
		break;
	case 't':
		f->proof_type = optarg;
		break;
	case 'c':
		add_key(&f->cc, optarg);
		break;
	case 'b':
		add_key(&f->bcc, optarg);
		break;
	case 'i':
		f->message_id = optarg;
		break;
	case 'h':
		fputs(help, stdout);
		exit(EX_OK);
	default:
		fputs(help, stderr);
		exit(EX_USAGE);
	}
}

static void parse_options(struct forge *f, int argc, char **argv)
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },
						 { "vhost", required_argument, NULL, 'v' },
						 { "user", required_argument, NULL, 'u' },
						 { "password-file", required_argument, NULL, 'w' },
						 { "exchange", required_argument, NULL, 'e' },
						 { "key", required_argument, NULL, 'k' },
						 { "proof", required_argument, NULL, 'P' },
						 { "proof-type", required_argument, NULL, 't' },
						 { "cc", required_argument, NULL, 'c' },
						 { "bcc", required_argument, NULL, 'b' },
						 { "message-id", required_argument, NULL, 'i' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1)
		take_option(f, opt);
	if (optind < argc || !f->port || !f->vhost || !f->user || !f->password_file || !f->key)
		take_option(f, '?');
}

static amqp_connection_state_t log_in(const struct forge *f)
{
	amqp_connection_state_t conn = amqp_new_connection();
	amqp_socket_t *socket = conn ? amqp_tcp_socket_new(conn) : NULL;
	char *password;
	size_t len;

	if (!socket)
		die(EX_OSERR, "out of memory");
	if (amqp_socket_open(socket, "127.0.0.1", f->port) != AMQP_STATUS_OK)
		die(EX_UNAVAILABLE, "cannot connect to 127.0.0.1:%d", f->port);
	password = read_file(f->password_file, &len);
	password[strcspn(password, "\n")] = '\0';
	if (amqp_login(conn, f->vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, f->user, password)
		    .reply_type != AMQP_RESPONSE_NORMAL)
		die(EX_UNAVAILABLE, "cannot log in as %s", f->user);
	free(password);
	amqp_channel_open(conn, CHANNEL);
	amqp_confirm_select(conn, CHANNEL);
	if (amqp_get_rpc_reply(conn).reply_type != AMQP_RESPONSE_NORMAL)
		die(EX_UNAVAILABLE, "no channel with confirms");
	return conn;
}

static amqp_field_value_t proof_value(const struct forge *f)
{
	amqp_field_value_t value = text_value(f->proof ? f->proof : "", f->proof_len);

	if (strcmp(f->proof_type, "binary") == 0)
		value.kind = AMQP_FIELD_KIND_BYTES;
	else if (strcmp(f->proof_type, "integer") == 0)
		value = (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_I64, .value.i64 = 1 };
	else if (strcmp(f->proof_type, "table") == 0)
		value = (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_TABLE };
	else if (strcmp(f->proof_type, "array") == 0)
		value = (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_ARRAY };
	else if (strcmp(f->proof_type, "date") == 0) /* long after the year 9999 */
		value = (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_TIMESTAMP,
					      .value.u64 = UINT64_MAX };
	else if (strcmp(f->proof_type, "text") != 0)
		die(EX_USAGE, "--proof-type %s: there is no such type", f->proof_type);
	return value;
}

static void add_keys(amqp_table_t *headers, const char *name, struct keys *keys)
{
	amqp_table_entry_t *entry = &headers->entries[headers->num_entries];

	if (!keys->count)
		return;
	entry->key = amqp_cstring_bytes(name);
	entry->value.kind = AMQP_FIELD_KIND_ARRAY;
	entry->value.value.array.num_entries = keys->count;
	entry->value.value.array.entries = keys->value;
	headers->num_entries++;
}

static void publish(struct forge *f, amqp_connection_state_t conn)
{
	const amqp_bytes_t body = { f->body_len, f->body };
	amqp_table_entry_t entries[3];
	amqp_basic_properties_t properties = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
			  AMQP_BASIC_HEADERS_FLAG,
		.content_type = amqp_cstring_bytes("application/cloudevents+json; charset=utf-8"),
		.delivery_mode = AMQP_DELIVERY_PERSISTENT,
		.headers = { 0, entries },
	};

	if (f->message_id) {
		properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
		properties.message_id = amqp_cstring_bytes(f->message_id);
	}
	if (f->proof || strcmp(f->proof_type, "text") != 0)
		entries[properties.headers.num_entries++] = (amqp_table_entry_t){
			amqp_cstring_bytes("tlog-proof"), proof_value(f)
		};
	add_keys(&properties.headers, "CC", &f->cc);
	add_keys(&properties.headers, "BCC", &f->bcc);
	if (amqp_basic_publish(conn, CHANNEL, amqp_cstring_bytes(f->exchange),
			       amqp_cstring_bytes(f->key), 1, 0, &properties,
			       body) != AMQP_STATUS_OK)
		die(EX_UNAVAILABLE, "cannot publish");
}

/* The frame with the broker's answer; what a returned message consists of is passed over. */
static amqp_method_t next_method(amqp_connection_state_t conn)
{
	struct timeval limit = { .tv_sec = TIMEOUT_S };
	amqp_frame_t frame;

	do {
		if (amqp_simple_wait_frame_noblock(conn, &frame, &limit) != AMQP_STATUS_OK)
			die(EX_UNAVAILABLE, "no answer");
	} while (frame.frame_type != AMQP_FRAME_METHOD);
	return frame.payload.method;
}

static int print_refusal(int code, amqp_bytes_t text)
{
	printf("refused: %d %.*s\n", code, (int)text.len, (const char *)text.bytes);
	return ANSWER_REFUSED;
}

static int await_answer(amqp_connection_state_t conn)
{
	const amqp_connection_close_t *connection_close;
	const amqp_channel_close_t *channel_close;
	bool returned = false;
	amqp_method_t method;

	for (;;) {
		method = next_method(conn);
		switch (method.id) {
		case AMQP_BASIC_RETURN_METHOD:
			returned = true;
			break;
		case AMQP_BASIC_ACK_METHOD:
			puts(returned ? "unroutable" : "taken");
			return returned ? ANSWER_UNROUTABLE : ANSWER_TAKEN;
		case AMQP_BASIC_NACK_METHOD:
			puts("not taken");
			return ANSWER_NACK;
		case AMQP_CHANNEL_CLOSE_METHOD:
			channel_close = method.decoded;
			return print_refusal(channel_close->reply_code, channel_close->reply_text);
		case AMQP_CONNECTION_CLOSE_METHOD:
			connection_close = method.decoded;
			return print_refusal(connection_close->reply_code,
					     connection_close->reply_text);
		default:
			die(EX_UNAVAILABLE, "unexpected answer %s", amqp_method_name(method.id));
		}
	}
}

int main(int argc, char **argv)
{
	struct forge f = { .exchange = "debmsg", .proof_type = "text" };
	amqp_connection_state_t conn;
	int answer;

	parse_options(&f, argc, argv);
	f.body = read_all(stdin, "standard input", &f.body_len);
	if (f.proof_file)
		f.proof = read_file(f.proof_file, &f.proof_len);
	conn = log_in(&f);
	publish(&f, conn);
	answer = await_answer(conn);
	if (answer != ANSWER_REFUSED)
		amqp_connection_close(conn, AMQP_REPLY_SUCCESS);
	amqp_destroy_connection(conn);
	free(f.body);
	free(f.proof);
	return answer;
}
