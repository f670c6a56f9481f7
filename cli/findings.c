#include "config.h"

#include "findings.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"

static const char *const level_name[] = {
	[BUS_LEVEL_OK] = "ok",
	[BUS_LEVEL_NOTE] = "note",
	[BUS_LEVEL_WARNING] = "warning",
	[BUS_LEVEL_ERROR] = "error",
};

void cli_print_finding_json(const struct bus_finding *f)
{
	struct bus_buf line = BUS_BUF_INIT(65536);
	struct bus_json js = { &line, false };

	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "level", level_name[f->level]);
	bus_json_text(&js, "check", f->check);
	bus_json_text(&js, "subject", f->subject);
	bus_json_text(&js, "text", f->text);
	bus_json_text(&js, "remedy", f->remedy);
	bus_json_close(&js, '}');
	if (!line.failed)
		puts(line.p);
	bus_buf_finish(&line);
}

void cli_print_finding(const struct bus_finding *f, bool colours)
{
	static const char *const colour[] = {
		[BUS_LEVEL_OK] = "\033[32m",
		[BUS_LEVEL_NOTE] = "\033[36m",
		[BUS_LEVEL_WARNING] = "\033[33m",
		[BUS_LEVEL_ERROR] = "\033[31m",
	};

	printf("%s%-7s%s  %-18s  ", colours ? colour[f->level] : "", level_name[f->level],
	       colours ? "\033[0m" : "", f->check);
	if (*f->subject) {
		cli_print_text(stdout, f->subject, strlen(f->subject));
		fputs(": ", stdout);
	}
	cli_print_text(stdout, f->text, strlen(f->text));
	putchar('\n');
	if (!*f->remedy)
		return;
	fputs("         -> ", stdout);
	cli_print_text(stdout, f->remedy, strlen(f->remedy));
	putchar('\n');
}
