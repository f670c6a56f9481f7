#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli.h"
#include "timestamp.h"
#include "topic.h"

static const struct cli_command *current;
static int stop_pipe[2] = { -1, -1 };

void cli_begin(const struct cli_command *command)
{
	current = command;
}

void cli_say(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "debmsg %s: ", current->name);
	cli_print_text(stderr, text, strlen(text)); /* it may quote what came from outside */
	putc('\n', stderr);
}

int cli_usage(const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "debmsg %s: %s; try debmsg %s --help\n", current->name, text,
		current->name);
	return EX_USAGE;
}

int cli_fail(enum bus_code rc, const struct bus_err *err)
{
	cli_say(NULL, err->text);
	return bus_code_info[rc].exit_status;
}

bool cli_reader_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

int cli_finish(int status)
{
	/* Who reads us has enough, as in `debmsg tail | head -1`: no failure of ours. */
	if ((fflush(stdout) == 0 && !ferror(stdout)) || cli_reader_gone())
		return status;
	fputs("debmsg: cannot write to standard output; is its disk full?\n", stderr);
	return status ? status : EX_TEMPFAIL;
}

/* getopt_long() tells a bad short option by its letter only. */
static const char *bad_option(char **argv)
{
	static char letter[3] = "-";

	letter[1] = (char)optopt;
	return optopt > 0 && optopt < 128 && strncmp(argv[optind - 1], "--", 2) != 0
		       ? letter
		       : argv[optind - 1];
}

int cli_option(int argc, char **argv, const char *short_options, const struct option *long_options)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, short_options, long_options, NULL)) == 'c')
		setenv("DEBMSG_CONF", optarg, 1);
	switch (opt) {
	case 'h':
		fputs(current->help, stdout);
		exit(cli_finish(EX_OK));
	case ':':
		exit(cli_usage("option %s needs a value", argv[optind - 1]));
	case '?':
		exit(cli_usage("bad option %s", bad_option(argv)));
	default:
		return opt;
	}
}

char *const *cli_exec(int *argc, char **argv, bool *ret_ok)
{
	int i;

	*ret_ok = true;
	for (i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--exec") != 0)
			continue;
		if (i + 1 == *argc) {
			cli_usage("--exec needs a command, which is the rest of the line");
			*ret_ok = false;
			return NULL;
		}
		argv[i] = NULL;
		*argc = i;
		return argv + i + 1;
	}
	return NULL;
}

enum bus_code cli_conf(struct bus_conf **ret, struct bus_err *err)
{
	return bus_conf_load(ret, NULL, err);
}

bool cli_number(unsigned long long *ret, const char *option, const char *text)
{
	uint64_t value;

	if (!bus_decimal_parse(&value, text, strlen(text)) || !value) {
		cli_usage("%s %s: not a whole number above 0", option, text);
		return false;
	}
	*ret = value;
	return true;
}

bool cli_time(int64_t *ret_us, const char *option, const char *text)
{
	int64_t ago;

	if (bus_age_parse(&ago, text)) {
		*ret_us = bus_time_now() - ago;
		return true;
	}
	if (bus_time_parse(ret_us, text))
		return true;
	cli_usage("%s %s: neither a time such as 2026-11-22T10:15:00Z nor an age such as 15m, 6h "
		  "or 2d",
		  option, text);
	return false;
}

bool cli_is_of_log(const char *origin, size_t len, const char *log)
{
	const size_t log_len = strlen(log);

	return len >= log_len && !strncmp(origin, log, log_len) &&
	       (len == log_len || len == log_len + 1 + BUS_EPOCH_LEN);
}

static void on_signal(int number)
{
	int saved = errno;
	ssize_t n;

	(void)number;
	n = write(stop_pipe[1], "", 1); /* a full pipe is as good */
	(void)n;
	errno = saved;
}

int cli_stop_fd(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	if (stop_pipe[0] >= 0)
		return stop_pipe[0];
	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1; /* Ctrl-C then ends us at once, which loses nothing either */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return stop_pipe[0];
}

bool cli_patterns(struct bus_bindings *ret, char **argv, int count)
{
	char pattern[BUS_KEY_MAX + 1];
	struct bus_err err;
	int i;

	for (i = 0; i < count; i++)
		if (bus_topic_expand(pattern, argv[i], &err) ||
		    bus_bindings_add(ret, pattern, &err)) {
			cli_usage("%s", err.text);
			return false;
		}
	return true;
}
