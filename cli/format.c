#include "config.h"

#include <string.h>

#include "cli.h"
#include "json.h"

void cli_print_text(FILE *out, const char *text, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i += n) {
		const unsigned char *c = (const unsigned char *)text + i;

		n = bus_utf8_char(text + i, len - i);
		/* C0, DEL and C1 could command a terminal */
		if (!n || c[0] < 0x20 || c[0] == 0x7f || (n == 2 && c[0] == 0xc2 && c[1] < 0xa0)) {
			putc_unlocked(n ? ' ' : '?', out);
			n = n ? n : 1;
			continue;
		}
		fwrite(text + i, 1, n, out);
	}
}

static void print_field(FILE *out, const char *text)
{
	cli_print_text(out, text, strlen(text));
	putc_unlocked(' ', out);
}

void cli_print_line(FILE *out, const struct bus_belief *belief)
{
	const struct bus_event *ev = belief->event;
	const char *fpr = belief->signer.primary;
	const size_t len = strlen(fpr);

	print_field(out, ev->time);
	print_field(out, ev->type);
	print_field(out, ev->subject && *ev->subject ? ev->subject : "-");
	print_field(out, ev->summary);
	fprintf(out, "[%s]\n", len > 16 ? fpr + len - 16 : fpr);
}

void cli_print_json(FILE *out, const struct bus_message *m)
{
	size_t i;

	/* Only white space can hold a newline in JSON: one event stays one line. */
	for (i = 0; i < m->body_len; i++)
		putc_unlocked(m->body[i] == '\n' || m->body[i] == '\r' ? ' ' : m->body[i], out);
	putc_unlocked('\n', out);
}

enum bus_code cli_print_export(FILE *out, const struct bus_message *m, struct bus_err *err)
{
	struct bus_buf line = BUS_BUF_INIT(16 * 1024 * 1024);
	enum bus_code rc;

	bus_message_export(&line, m);
	rc = bus_buf_check(&line, "export", err);
	if (!rc)
		fwrite(line.p, 1, line.len, out);
	bus_buf_finish(&line);
	return rc;
}
