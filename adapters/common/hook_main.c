#include "config.h"

#include "adapters/common/hook_main.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>

#include "adapters/common/deferred.h"
#include "adapters/common/hook.h"
#include "adapters/common/say.h"

struct options {
	const char *config;
	bool pending;
};

static void print_help(const struct adapter *adapter)
{
	const struct adapter_hook *hook;

	printf("usage: %s [-c FILE] HOOK\n"
	       "       %s [-c FILE] HOOK --pending\n"
	       "\n"
	       "Puts what happens in %s on the message bus.  A version control system runs it\n"
	       "as its hook; that never fails and never waits.\n"
	       "\n"
	       "hooks:\n",
	       adapter->program, adapter->program, adapter->service);
	for (hook = adapter->hook; hook->name; hook++)
		printf("  %-6s %s%s%s\n", hook->name, hook->summary,
		       hook->hook_name ? "; also run as " : "",
		       hook->hook_name ? hook->hook_name : "");
	printf("\n"
	       "  -c, --config FILE  configuration (else $DEBMSG_CONF, or\n"
	       "                     " SYSCONFDIR "/debmsg/debmsg.conf)\n"
	       "      --pending      go on with what an interrupted hook of yours left, and wait\n"
	       "                     until it is done\n"
	       "      --help, --version\n"
	       "\n"
	       "Exit status: as a hook always 0, what went wrong is on stderr and in syslog;\n"
	       "64 usage; with --pending 75 try again later, 78 configuration.\n"
	       "See %s(1).\n",
	       adapter->program);
}

static int usage(const struct adapter *adapter, const char *what, const char *which)
{
	fprintf(stderr, "%s: %s%s; try %s --help\n", adapter->program, what, which,
		adapter->program);
	return EX_USAGE;
}

/* -1: go on; otherwise the exit status. */
static int parse_options(struct options *ret, const struct adapter *adapter, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "pending", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	/* what stands after the hook's name is the service's, whatever it begins with */
	while ((c = getopt_long(argc, argv, "+c:", table, NULL)) != -1)
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 'p':
			ret->pending = true;
			break;
		case 'h':
			print_help(adapter);
			return EX_OK;
		case 'v':
			printf("%s %s\n", adapter->program, PACKAGE_VERSION);
			return EX_OK;
		default: /* getopt_long() has named the option */
			return usage(adapter, "unknown option or missing value", "");
		}
	return -1;
}

static bool has_name(const char *names, const char *name)
{
	const size_t len = strlen(name);
	const char *at;

	for (at = len ? names : NULL; at && (at = strstr(at, name)); at += len)
		if ((at == names || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

/* The hook that is meant by the name we run under, or by the first operand. */
static const struct adapter_hook *find_hook(const struct adapter *adapter, const char *name,
					    char ***operand)
{
	const struct adapter_hook *hook;

	for (hook = adapter->hook; hook->name; hook++)
		if (has_name(hook->hook_name, name))
			return hook;
	for (hook = adapter->hook; hook->name && **operand; hook++)
		if (strcmp(hook->name, **operand) == 0) {
			++*operand;
			return hook;
		}
	return NULL;
}

static int not_found(const struct adapter *adapter, const char *name, const char *operand)
{
	if (strcmp(name, adapter->program) == 0)
		return operand ? usage(adapter, "unknown hook ", operand)
			       : usage(adapter, "no hook is named", "");
	/* linked under a name we do not know: some hooks refuse what is going on by failing */
	say(LOG_ERR, "run as %s, which is not a hook of ours; see %s --help", name,
	    adapter->program);
	return EX_OK;
}

static int run(const struct adapter *adapter, const struct options *options,
	       const struct adapter_hook *hook, char **operand)
{
	struct adapter_context ctx = { .program = adapter->program };
	struct bus_conf *conf = NULL;
	struct bus_err err;
	enum bus_code rc;

	rc = bus_conf_load(&conf, options->config, &err);
	ctx.conf = conf;
	if (!rc)
		rc = bus_conf_service(conf, adapter->service, &ctx.service, &err);
	if (!rc && options->pending)
		rc = deferred_convert(&ctx, hook, true, &err);
	else if (!rc)
		rc = hook_run(&ctx, hook, operand, &err);
	bus_conf_free(conf);
	if (rc && (options->pending || rc == BUS_E_USAGE)) {
		say(LOG_ERR, "%s", err.text);
		return bus_code_info[rc].exit_status;
	}
	if (rc)
		say(LOG_ERR, "%s; this is NOT announced on the bus", err.text);
	return EX_OK;
}

int hook_main(const struct adapter *adapter, int argc, char **argv)
{
	struct options options = { NULL, false };
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	const struct adapter_hook *hook;
	char **operand;
	int status;

	status = parse_options(&options, adapter, argc, argv);
	if (status >= 0)
		return status;
	operand = argv + optind;
	hook = find_hook(adapter, name, &operand);
	if (*operand && !operand[1] && strcmp(*operand, "--pending") == 0) {
		options.pending = true;
		operand++;
	}
	return hook ? run(adapter, &options, hook, operand) : not_found(adapter, name, *operand);
}
