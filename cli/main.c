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
#include <unistd.h>

#include "cli.h"
#include "keeper.h"

static const struct cli_command *const commands[] = {
	&cli_publish, &cli_relay,  &cli_outbox, &cli_tail,   &cli_consume, &cli_parked, &cli_replay,
	&cli_audit,   &cli_verify, &cli_export, &cli_import, &cli_keys,	   &cli_doctor,
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

/* The options before the command; returns the exit status, or -1 to go on. */
static int parse_options(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { "version", no_argument, NULL, 'v' },
						 { 0 } };
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			setenv("DEBMSG_CONF", optarg, 1);
			break;
		case 'h':
			print_help(stdout);
			return cli_finish(EX_OK);
		case 'v':
			puts("debmsg " PACKAGE_VERSION);
			return cli_finish(EX_OK);
		default:
			fprintf(stderr, "debmsg: bad option %s; try debmsg --help\n",
				argv[optind - 1]);
			return EX_USAGE;
		}
	}
	return -1;
}

/* What runs the handlers of debmsg consume is this program too, by another name. */
static int keeper(int argc, char **argv)
{
	const struct bus_say say = { .line = cli_say };

	cli_begin(&cli_consume);
	return bus_keeper_main(argc, argv, &say);
}

int main(int argc, char **argv)
{
	static char out[65536]; /* a page, as it would be, is four events */
	const struct cli_command *command;
	int status, first;

	if (bus_keeper_wanted(argv))
		return keeper(argc, argv);
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, out, _IOFBF, sizeof(out));
	status = parse_options(argc, argv);
	first = optind;
	if (status >= 0)
		return status;
	if (first == argc) {
		fputs("debmsg: which command? try debmsg --help\n", stderr);
		return EX_USAGE;
	}
	command = find(argv[first]);
	if (!command) {
		fprintf(stderr, "debmsg: no command '%s'; try debmsg --help\n", argv[first]);
		return EX_USAGE;
	}
	cli_begin(command);
	optind = 0; /* the command has options of its own */
	return command->run(argc - first, argv + first);
}
