#ifndef CLI_H
#define CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bindings.h"
#include "conf.h"
#include "err.h"
#include "intake.h"
#include "publisher.h"

/*
 * The program `debmsg`: one file per subcommand, a table of them in main.c.
 * Subcommands print and choose the exit status; all logic is in libcore.
 */
struct cli_command {
	const char *name, *summary, *help;
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns the status */
};

extern const struct cli_command cli_audit, cli_consume, cli_doctor, cli_export, cli_import,
	cli_keys, cli_outbox, cli_parked, cli_publish, cli_relay, cli_replay, cli_tail, cli_verify;

/* -- what the subcommands share (common.c) -- */

/* Which subcommand this is: for messages and --help. */
void cli_begin(const struct cli_command *command);
/* Says what is wrong and how to get help; returns the exit status. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Says why it failed; returns the exit status of the failure's kind. */
int cli_fail(enum bus_code rc, const struct bus_err *err);
/* One line on stderr, "debmsg <subcommand>: " before it. */
void cli_say(void *arg, const char *text);
/* Is standard output a pipe that nobody reads any more?  (gpgme ignores SIGPIPE.) */
bool cli_reader_gone(void);
/* stdout must have taken everything: a full disk must not look like success. */
int cli_finish(int status);

/*
 * Parses the next option of a subcommand; -c and --help are handled here.  Returns as getopt_long()
 * does; an unknown option ends the program.
 */
int cli_option(int argc, char **argv, const char *short_options, const struct option *long_options);

enum bus_code cli_conf(struct bus_conf **ret, struct bus_err *err);

/* Whole numbers, above 0; false: said what is wrong. */
bool cli_number(unsigned long long *ret, const char *option, const char *text);
/* A time: RFC 3339, or so long ago: 90s, 15m, 6h, 2d, 1w. */
bool cli_time(int64_t *ret_us, const char *option, const char *text);

/* Is origin[0..len) the log that --log names, with or without its epoch? */
bool cli_is_of_log(const char *origin, size_t len, const char *log);

/* Readable once SIGINT or SIGTERM came. */
int cli_stop_fd(void);

/* Adds patterns from the command line, made whole; false: said what is wrong. */
bool cli_patterns(struct bus_bindings *ret, char **argv, int count);

/*
 * --exec takes the rest of the command line: returns it, ended by NULL, and cuts
 * it off.  NULL: there is no --exec; *ret_ok false: it has no command, as was said.
 */
char *const *cli_exec(int *argc, char **argv, bool *ret_ok);

/* -- how events are printed (format.c) -- */

enum cli_format { CLI_JSON, CLI_LINE, CLI_EXPORT };
/* What --format says; false: said what is wrong. */
bool cli_format(enum cli_format *ret, const char *text);
/* One event in this format, one line; colours are for CLI_LINE. */
enum bus_code cli_print(FILE *out, enum cli_format format, bool colours,
			const struct bus_belief *belief, const struct bus_message *m,
			struct bus_err *err);
/* Is this a terminal whose user wants colours? */
bool cli_colours(int fd);
/* On stderr: which message was not believed, and why. */
void cli_print_disbelief(const struct bus_message *m, enum bus_code rc, const char *why);

/* One line for people: time, type, subject, summary, signer. */
void cli_print_line(FILE *out, const struct bus_belief *belief);
/* The body as received, and a newline. */
void cli_print_json(FILE *out, const struct bus_message *m);
/* One line in export form. */
enum bus_code cli_print_export(FILE *out, const struct bus_message *m, struct bus_err *err);
/* Text from outside, fit for a terminal: control characters become blanks. */
void cli_print_text(FILE *out, const char *text, size_t len);

#endif
