#include "config.h"

#include "parked_print.h"

#include <string.h>

#include "base64.h"
#include "json.h"
#include "timestamp.h"

enum { JSON_MAX = 16 * 1024 * 1024, TIME_LEN = 20 /* 2026-11-22T10:15:00Z */ };

/* In whole seconds: nobody says it more exactly.  "-": it was not said. */
static void format_time(char text[BUS_TIME_LEN + 1], const struct bus_parked_message *m)
{
	memcpy(text, "-", 2);
	if (!m->parking->time)
		return;
	bus_time_format(text, m->parking->time * 1000000);
	memcpy(text + TIME_LEN - 1, "Z", 2);
}

static void print_field(FILE *out, const char *text)
{
	text = text && *text ? text : "-";
	cli_print_text(out, text, strlen(text));
}

void cli_parked_line(FILE *out, const struct bus_parked_message *m)
{
	char parked[BUS_TIME_LEN + 1];
	const char *const field[] = { m->parking->queue, m->parking->reason,
				      m->message->routing_key, m->message->message_id,
				      m->parking->text };
	size_t i;

	format_time(parked, m);
	fprintf(out, "%.*s %s", BUS_PARKED_ID_LEN, m->digest, parked);
	for (i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		putc_unlocked(' ', out);
		print_field(out, field[i]);
	}
	putc_unlocked('\n', out);
}

static void show_field(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%-12s ", name);
	print_field(out, text);
	putc('\n', out);
}

/* Several lines, each indented. */
static void show_block(FILE *out, const char *name, const char *text, size_t len)
{
	const char *end;
	size_t n;

	fprintf(out, "%s\n", name);
	while (len) {
		end = memchr(text, '\n', len);
		n = end ? (size_t)(end - text) : len;
		fputs("    ", out);
		cli_print_text(out, text, n);
		putc('\n', out);
		n += end != NULL;
		text += n;
		len -= n;
	}
}

void cli_parked_show(FILE *out, const struct bus_parked_message *m,
		     const struct cli_verdict *verdict)
{
	char parked[BUS_TIME_LEN + 1];

	format_time(parked, m);
	show_field(out, "id:", m->digest);
	show_field(out, "parked:", parked);
	show_field(out, "queue:", m->parking->queue);
	show_field(out, "reason:", m->parking->reason);
	show_field(out, "text:", m->parking->text);
	show_field(out, "routing key:", m->message->routing_key);
	show_field(out, "message id:", m->message->message_id);
	fprintf(out, "%-12s %s: ", "now:", bus_code_info[verdict->result].name);
	print_field(out, verdict->text);
	putc('\n', out);
	if (m->parking->output)
		show_block(out, "output:", m->parking->output, m->parking->output_len);
	show_block(out, m->message->oversize ? "body (its beginning):" : "body:", m->message->body,
		   m->message->body_len);
}

static void add_text(struct bus_json *js, const char *name, const char *text)
{
	if (text)
		bus_json_text(js, name, text);
	else
		bus_json_raw(js, name, "null", 4);
}

/* As in the export form, so that debmsg verify can read it. */
static void add_message(struct bus_json *js, const struct bus_message *m)
{
	struct bus_buf encoded = BUS_BUF_INIT(JSON_MAX);

	bus_json_bytes(js, "proof", m->proof ? m->proof : "", m->proof_len);
	if (!m->body_len ||
	    (bus_utf8_valid(m->body, m->body_len) && !memchr(m->body, '\0', m->body_len))) {
		bus_json_bytes(js, "body", m->body_len ? m->body : "", m->body_len);
	} else {
		bus_base64_encode(&encoded, m->body, m->body_len);
		bus_json_bytes(js, "body_base64", encoded.p, encoded.len);
		js->out->failed = js->out->failed || encoded.failed;
	}
	bus_buf_finish(&encoded);
}

enum bus_code cli_parked_json(FILE *out, const struct bus_parked_message *m,
			      const struct cli_verdict *verdict, struct bus_err *err)
{
	struct bus_buf line = BUS_BUF_INIT(JSON_MAX);
	struct bus_json js = { &line, false };
	char parked[BUS_TIME_LEN + 1];
	enum bus_code rc;

	format_time(parked, m);
	bus_json_open(&js, NULL, '{');
	bus_json_bytes(&js, "id", m->digest, BUS_PARKED_ID_LEN);
	add_text(&js, "reason", m->parking->reason);
	add_text(&js, "text", m->parking->text);
	add_text(&js, "routing_key", m->message->routing_key);
	add_text(&js, "message_id", m->message->message_id);
	add_text(&js, "queue", m->parking->queue);
	add_text(&js, "time", m->parking->time ? parked : NULL);
	if (verdict) {
		bus_json_text(&js, "result", bus_code_info[verdict->result].name);
		bus_json_text(&js, "result_text", verdict->text);
		if (m->parking->output)
			bus_json_bytes(&js, "output", m->parking->output, m->parking->output_len);
		add_message(&js, m->message);
	}
	bus_json_close(&js, '}');
	bus_buf_add(&line, "\n", 1);
	rc = bus_buf_check(&line, "parked", err);
	if (!rc)
		fwrite(line.p, 1, line.len, out);
	bus_buf_finish(&line);
	return rc;
}
