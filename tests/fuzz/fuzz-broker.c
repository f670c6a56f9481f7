#include "config.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker_private.h"
#include "event.h"
#include "fuzz.h"

/*
 * A broker that says whatever it likes.  The input is a series of pieces, each
 * with its type and length, of which frames are made: no fuzzer finds the length
 * and the end octet of a frame by itself.
 *
 *	'F' type channel length[2] payload	a frame as it stands
 *	'M' length[2] length[1] headers body	a message: deliver, header and body frames, with
 *						a table of headers made of a list: kind,
 *						name, length[1], bytes
 *	anything else				the bytes that follow, as they are
 */
enum { ROOM = 256 * 1024, HEADERS_MAX = 8, SAID_MAX = 60 * 1024, FRAME_END = 0xce };

struct pieces {
	const uint8_t *p;
	size_t left;
};

static size_t take(struct pieces *in, size_t want, const uint8_t **ret)
{
	const size_t n = want < in->left ? want : in->left;

	*ret = in->p;
	in->p += n;
	in->left -= n;
	return n;
}

static unsigned int number(struct pieces *in, unsigned int bytes)
{
	const uint8_t *p;
	unsigned int value = 0;
	size_t n = take(in, bytes, &p);

	while (n--)
		value = value << 8 | *p++;
	return value;
}

static void add_number(struct bus_buf *out, unsigned long value, int bytes)
{
	char c;

	while (bytes--) {
		c = (char)(value >> (8 * bytes));
		bus_buf_add(out, &c, 1);
	}
}

static void add_frame(struct bus_buf *out, unsigned int type, unsigned int channel,
		      const void *payload, size_t len)
{
	add_number(out, type, 1);
	add_number(out, channel, 2);
	add_number(out, len, 4);
	bus_buf_add(out, payload, len);
	add_number(out, FRAME_END, 1);
}

static const char *const name[] = { "tlog-proof",    "x-stream-offset", "x-death",
				    "debmsg-reason", "debmsg-text",	"debmsg-queue",
				    "debmsg-output", "x-delivery-count" };

/* An entry of a table of headers: by number one of those that mean something, or any. */
static amqp_table_entry_t entry_of(struct pieces *in)
{
	static const uint8_t kinds[] = "SSSSlTtdxAF";
	amqp_table_entry_t entry;
	const uint8_t *p;
	unsigned int n = number(in, 1);

	memset(&entry, 0, sizeof(entry));
	if (n < 8) {
		const char *known = n == 0   ? bus_proof_header
				    : n == 3 ? bus_reason_header
				    : n == 4 ? bus_text_header
				    : n == 5 ? bus_queue_header
				    : n == 6 ? bus_output_header
					     : name[n];
		entry.key = amqp_cstring_bytes(known);
	} else {
		entry.key.len = take(in, n % 32, &p);
		entry.key.bytes = (void *)(uintptr_t)p;
	}
	entry.value.kind = kinds[number(in, 1) % (sizeof(kinds) - 1)];
	n = number(in, 1);
	n = take(in, n, &p);
	switch (entry.value.kind) {
	case AMQP_FIELD_KIND_UTF8:
	case AMQP_FIELD_KIND_BYTES:
		entry.value.value.bytes.len = n;
		entry.value.value.bytes.bytes = (void *)(uintptr_t)p;
		break;
	case AMQP_FIELD_KIND_ARRAY: /* with one table, made of what follows */
	case AMQP_FIELD_KIND_TABLE:
		break;
	default:
		memcpy(&entry.value.value.u64, p, n < 8 ? n : 8);
	}
	return entry;
}

/* x-death is an array of tables: its first has what stands behind it. */
static int headers_of(struct pieces *in, amqp_table_entry_t *header, amqp_field_value_t *death,
		      amqp_table_entry_t *inner)
{
	static const char *const said[] = { "reason", "queue", "time", "exchange" };
	int count = 0, deep = 0;

	while (in->left && count < HEADERS_MAX) {
		header[count] = entry_of(in);
		if (header[count].value.kind == AMQP_FIELD_KIND_ARRAY && !deep) {
			for (; in->left && deep < 4; deep++) {
				inner[deep] = entry_of(in);
				if (inner[deep].value.kind == AMQP_FIELD_KIND_ARRAY ||
				    inner[deep].value.kind == AMQP_FIELD_KIND_TABLE)
					inner[deep].value.kind = AMQP_FIELD_KIND_VOID;
				inner[deep].key = amqp_cstring_bytes(said[deep]);
			}
			death->kind = AMQP_FIELD_KIND_TABLE;
			death->value.table = (amqp_table_t){ deep, inner };
			header[count].value.value.array = (amqp_array_t){ 1, death };
		}
		count++;
	}
	return count;
}

static void add_properties(struct bus_buf *out, struct pieces *in, size_t body_len)
{
	static char encoded[ROOM];
	amqp_table_entry_t header[HEADERS_MAX], inner[4];
	amqp_field_value_t death;
	amqp_basic_properties_t p;
	int n;

	memset(&p, 0, sizeof(p));
	p.headers.entries = header;
	p.headers.num_entries = headers_of(in, header, &death, inner);
	p._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
	p.message_id = p.headers.num_entries ? header[0].key : amqp_cstring_bytes("a/1");
	p.timestamp = body_len * 1000000;
	n = amqp_encode_properties(AMQP_BASIC_CLASS, &p,
				   (amqp_bytes_t){ sizeof(encoded), encoded });
	add_number(out, AMQP_BASIC_CLASS, 2);
	add_number(out, 0, 2);
	add_number(out, 0, 4);
	add_number(out, body_len, 4);
	bus_buf_add(out, encoded, n > 0 ? (size_t)n : 0);
}

static void add_message(struct bus_buf *out, struct pieces *in)
{
	struct bus_buf payload = BUS_BUF_INIT(ROOM);
	const size_t said = number(in, 2), header_len = number(in, 1);
	struct pieces headers = { NULL, 0 };
	const uint8_t *body;
	size_t len;

	headers.left = take(in, header_len, &headers.p);
	len = take(in, said % 2000, &body);
	add_number(&payload, AMQP_BASIC_DELIVER_METHOD, 4);
	bus_buf_add(&payload, "\3tag", 4);
	add_number(&payload, 0, 8);
	add_number(&payload, 0, 1);
	bus_buf_add(&payload, "\6debmsg", 7);
	add_number(&payload, len < 200 ? len : 200, 1);
	bus_buf_add(&payload, body, len < 200 ? len : 200); /* as the routing key, too */
	add_frame(out, AMQP_FRAME_METHOD, 1, payload.p, payload.len);
	bus_buf_clear(&payload);
	add_properties(&payload, &headers, said % 2000); /* more than there is, at times */
	add_frame(out, AMQP_FRAME_HEADER, 1, payload.p, payload.len);
	add_frame(out, AMQP_FRAME_BODY, 1, body, len / 2);
	add_frame(out, AMQP_FRAME_BODY, 1, body + len / 2, len - len / 2);
	bus_buf_finish(&payload);
}

static void make_stream(struct bus_buf *out, struct pieces *in)
{
	unsigned int type, channel;
	const uint8_t *p;
	size_t n;

	while (in->left && out->len < SAID_MAX) {
		switch (number(in, 1)) {
		case 'F':
			type = number(in, 1);
			channel = number(in, 1) % 4;
			n = number(in, 2);
			n = take(in, n, &p);
			add_frame(out, type, channel, p, n);
			break;
		case 'M':
			add_message(out, in);
			break;
		default:
			n = take(in, in->left, &p);
			bus_buf_add(out, p, n);
		}
	}
	MUST(!out->failed);
}

/* What comes out has the sizes that others count on. */
static void check_event(const struct bus_broker_event *ev)
{
	const struct bus_message *m = ev->message;
	const struct bus_parking *parking;

	MUST(memchr(ev->text, '\0', sizeof(ev->text)) &&
	     memchr(ev->consumer, '\0', sizeof(ev->consumer)));
	MUST(!m == (ev->what != BUS_BROKER_MESSAGE));
	if (!m)
		return;
	MUST(m->routing_key && m->body && m->body_len <= BUS_BODY_MAX_CEILING + 1);
	MUST(strlen(m->routing_key) <= 255 && m->body[m->body_len] == '\0');
	MUST(!m->proof || m->proof[m->proof_len] == '\0');
	parking = m->parking;
	if (!parking)
		return;
	MUST(!parking->reason || strlen(parking->reason) <= BUS_PARKING_TEXT_MAX);
	MUST(!parking->text || strlen(parking->text) <= BUS_PARKING_TEXT_MAX);
	MUST(!parking->queue || strlen(parking->queue) <= 255);
	MUST(!parking->output || parking->output_len <= BUS_PARKING_OUTPUT_MAX);
	MUST(parking->time >= 0 && parking->time <= 253402300799);
}

/* Until the connection is lost, which it is at the latest when it has all been read. */
static void listen_to(struct bus_broker *b, size_t said)
{
	struct bus_err err = { BUS_OK, "" };
	struct bus_broker_event ev;
	size_t count = 0;
	enum bus_code rc;

	while (!(rc = bus_broker_next(b, 0, &ev, &err))) {
		check_event(&ev);
		bus_message_free(ev.message);
		MUST(++count <= said + 1);
	}
	MUST(rc != BUS_E_NO && rc != BUS_E_BUG && err.text[0] && !ev.message);
	MUST(bus_broker_is_lost(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	/* connection.unblocked: of no consequence */
	static const char first[] = { 1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, (char)FRAME_END };
	static struct bus_broker b;
	struct timeval now = { 0, 0 };
	amqp_frame_t frame;
	struct bus_buf said = BUS_BUF_INIT(1 << 20);
	struct pieces in = { bytes, len };
	amqp_socket_t *socket;
	int fd[2], room = 4 * SAID_MAX;

	make_stream(&said, &in);
	memset(&b, 0, sizeof(b));
	b.conn = amqp_new_connection();
	MUST(b.conn && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	socket = amqp_tcp_socket_new(b.conn);
	MUST(socket);
	amqp_tcp_socket_set_sockfd(socket, fd[0]);
	/* limits can be set once something was read, as they are after the login */
	MUST(send(fd[1], first, sizeof(first), 0) == sizeof(first));
	MUST(amqp_simple_wait_frame_noblock(b.conn, &frame, &now) == AMQP_STATUS_OK);
	bus_broker_tune(&b, BUS_BROKER_FRAME_TAKEN);
	MUST(send(fd[1], said.p, said.len, MSG_DONTWAIT) == (ssize_t)said.len || !said.len);
	shutdown(fd[1], SHUT_WR);
	listen_to(&b, said.len);
	amqp_destroy_connection(b.conn);
	close(fd[1]);
	bus_buf_finish(&said);
	return 0;
}
