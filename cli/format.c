#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "json.h"

/* Turns the direction of what follows, or breaks the line?  U+2028 to U+202E, U+2066 to U+2069. */
static bool disorders(const unsigned char *c, size_t len)
{
	return len == 3 && c[0] == 0xe2 &&
	       ((c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) ||
		(c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

void cli_print_text(FILE *out, const char *text, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i += n) {
		const unsigned char *c = (const unsigned char *)text + i;

		n = bus_utf8_char(text + i, len - i);
		/* C0, DEL and C1 could command a terminal */
		if (!n || c[0] < 0x20 || c[0] == 0x7f || (n == 2 && c[0] == 0xc2 && c[1] < 0xa0) ||
		    disorders(c, n)) {
			putc_unlocked(n ? ' ' : '?', out);
			n = n ? n : 1;
			continue;
		}
		fwrite(text + i, 1, n, out);
	}
}

bool cli_colours(int fd)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fd) && (!no || !*no);
}

static void print_field(FILE *out, const char *text, const char *colour)
{
	if (colour)
		fputs(colour, out);
	cli_print_text(out, text, strlen(text));
	if (colour)
		fputs("\033[0m", out);
	putc_unlocked(' ', out);
}

static void print_line(FILE *out, const struct bus_belief *belief, bool colours)
{
	const struct bus_event *ev = belief->event;
	const char *fpr = belief->signer.primary;
	const size_t len = strlen(fpr);

	print_field(out, ev->time, colours ? "\033[36m" : NULL);
	print_field(out, ev->type, colours ? "\033[1m" : NULL);
	print_field(out, ev->subject && *ev->subject ? ev->subject : "-", NULL);
	print_field(out, ev->summary, NULL);
	fprintf(out, "%s[%s]%s\n", colours ? "\033[32m" : "", len > 16 ? fpr + len - 16 : fpr,
		colours ? "\033[0m" : "");
}

void cli_print_line(FILE *out, const struct bus_belief *belief)
{
	print_line(out, belief, false);
}

bool cli_format(enum cli_format *ret, const char *text)
{
	static const char *const names[] = { "json", "line", "export" };
	int i;

	for (i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum cli_format)i;
			return true;
		}
	cli_usage("--format %s: there are json, line and export", text);
	return false;
}

enum bus_code cli_print(FILE *out, enum cli_format format, bool colours,
			const struct bus_belief *belief, const struct bus_message *m,
			struct bus_err *err)
{
	switch (format) {
	case CLI_LINE:
		print_line(out, belief, colours);
		return BUS_OK;
	case CLI_EXPORT:
		return cli_print_export(out, m, err);
	case CLI_JSON:
		break;
	}
	cli_print_json(out, m);
	return BUS_OK;
}

void cli_print_disbelief(const struct bus_message *m, enum bus_code rc, const char *why)
{
	const bool colours = cli_colours(STDERR_FILENO);

	fprintf(stderr, "%snot believed: %s: ", colours ? "\033[31m" : "", bus_code_info[rc].name);
	cli_print_text(stderr, why, strlen(why));
	fputs(" (key ", stderr);
	cli_print_text(stderr, m->routing_key, strlen(m->routing_key));
	fputs(colours ? ")\033[0m\n" : ")\n", stderr);
}

void cli_print_json(FILE *out, const struct bus_message *m)
{
	const char *at = m->body, *const end = m->body + m->body_len, *s;

	/* Only white space can hold a newline in JSON: one event stays one line. */
	for (s = at; s < end; s++) {
		if (*s != '\n' && *s != '\r')
			continue;
		fwrite(at, 1, (size_t)(s - at), out);
		putc_unlocked(' ', out);
		at = s + 1;
	}
	fwrite(at, 1, (size_t)(end - at), out);
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
