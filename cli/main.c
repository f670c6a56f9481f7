/*
 * debmsg: the command line of the bus.
 *
 * To read the program, follow an event: publish.c puts it into an outbox,
 * relay.c sends it, consume.c and tail.c receive it, verify.c and audit.c check
 * it afterwards.  What they do is in libcore; README has the tour.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"

static const struct cli_command *const commands[] = {
	&cli_publish, &cli_relay,  &cli_outbox, &cli_tail, &cli_consume,
	&cli_audit,   &cli_verify, &cli_export, &cli_keys,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *out)
{
	size_t i;

	fputs("usage: debmsg [-c FILE] COMMAND [OPTION...]\n\n", out);
	for (i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n  -c, --config FILE   configuration (else $DEBMSG_CONF, else " SYSCONFDIR
	      "/debmsg/debmsg.conf)\n"
	      "      --help          this; `debmsg COMMAND --help` says more\n"
	      "      --version       version\n"
	      "\nManual: debmsg(1)\n",
	      out);
}

static const struct cli_command *find(const char *name)
{
	size_t i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(stdout);
			return cli_finish(EX_OK);
		}
		if (!strcmp(argv[i], "--version")) {
			puts("debmsg " PACKAGE_VERSION);
			return cli_finish(EX_OK);
		}
		if ((strcmp(argv[i], "-c") && strcmp(argv[i], "--config")) || i + 1 == argc) {
			fprintf(stderr, "debmsg: bad option %s; try debmsg --help\n", argv[i]);
			return EX_USAGE;
		}
		setenv("DEBMSG_CONF", argv[++i], 1);
	}
	command = i < argc ? find(argv[i]) : NULL;
	if (!command) {
		fprintf(stderr,
			i < argc ? "debmsg: no command '%s'; try debmsg --help\n"
				 : "debmsg: which command? try debmsg --help\n",
			i < argc ? argv[i] : "");
		return EX_USAGE;
	}
	cli_begin(command);
	return command->run(argc - i, argv + i);
}
