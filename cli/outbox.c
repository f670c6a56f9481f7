#include "config.h"

#include "outbox_mend.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"
#include "json.h"
#include "timestamp.h"

static const char help[] =
	"usage: debmsg outbox status [--service S] [--json]\n"
	"       debmsg outbox list [--service S] [--all] [--json]\n"
	"       debmsg outbox resend --service S|--log ORIGIN RANGE...\n"
	"       debmsg outbox prune [--service S] [--keep TIME]\n"
	"       debmsg outbox new-epoch --service S\n"
	"\n"
	"Looks at and mends the sending side.\n"
	"\n"
	"  status          a line for each outbox: events, signed, confirmed, waiting, since when\n"
	"  list            the events that are not confirmed, oldest first\n"
	"  resend          have confirmed events sent again, for the broker has lost them\n"
	"  prune           remove confirmed events that are old; the relay does that by itself\n"
	"  new-epoch       begin a new log, for an outbox that was restored from a copy;\n"
	"                  events that are not confirmed move over to it\n"
	"\n"
	"  RANGE           as debmsg audit prints it: 5..9; or 7; or 5.. for all from there on\n"
	"  --service S     only this service\n"
	"  --log ORIGIN    the service whose log this is, with its epoch\n"
	"  --keep TIME     keep what is younger: 90d, or 2026-11-22T10:15:00Z; else what the\n"
	"                  service's section says\n"
	"  --all           list confirmed events too\n"
	"  --json          for programs: one object a line\n"
	"  -c, --config FILE\n";

static void print_time(struct bus_json *js, const char *name, int64_t us)
{
	char text[BUS_TIME_LEN + 1];

	if (!us)
		return;
	bus_time_format(text, us);
	bus_json_text(js, name, text);
}

static enum bus_code print_status(const struct cli_outbox *cmd, const char *service,
				  const struct bus_outbox_state *s, struct bus_err *err)
{
	struct bus_buf line = BUS_BUF_INIT(4096);
	struct bus_json js = { &line, false };
	char since[BUS_TIME_LEN + 1];
	enum bus_code rc;

	if (!cmd->json) {
		printf("%s: %s: %" PRIu64 " events, %" PRIu64 " signed, %" PRIu64
		       " confirmed, %" PRIu64 " waiting",
		       service, s->origin, s->size, s->signed_size, s->sent, s->size - s->sent);
		if (s->oldest_unsent_us) {
			bus_time_format(since, s->oldest_unsent_us);
			printf(" since %s", since);
		}
		if (s->resend)
			printf(", %" PRIu64 " to be sent again", s->resend);
		putchar('\n');
		return BUS_OK;
	}
	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "service", service);
	bus_json_text(&js, "origin", s->origin);
	bus_json_uint(&js, "events", s->size);
	bus_json_uint(&js, "signed", s->signed_size);
	bus_json_uint(&js, "confirmed", s->sent);
	bus_json_uint(&js, "waiting", s->size - s->sent);
	bus_json_uint(&js, "resend", s->resend);
	bus_json_uint(&js, "oldest_kept", s->first);
	print_time(&js, "oldest_waiting", s->oldest_unsent_us);
	print_time(&js, "last_event", s->last_us);
	print_time(&js, "last_confirmed", s->sent_us);
	bus_json_close(&js, '}');
	rc = bus_buf_check(&line, "outbox status", err);
	if (!rc)
		puts(line.p);
	bus_buf_finish(&line);
	return rc;
}

static enum bus_code status(struct cli_outbox *cmd, const struct bus_conf_service *service,
			    struct bus_err *err)
{
	struct bus_outbox_state state;
	struct bus_outbox *box = NULL;
	enum bus_code rc;

	rc = cli_outbox_open(cmd, service, &box, err);
	if (rc == BUS_E_NO)
		return BUS_OK;
	if (!rc)
		rc = bus_outbox_state(box, &state, err);
	if (!rc)
		rc = print_status(cmd, service->name, &state, err);
	cmd->any = true;
	bus_outbox_close(box);
	return rc;
}

static enum bus_code print_event(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	const struct cli_outbox *cmd = arg;
	char added[BUS_TIME_LEN + 1];

	(void)err;
	if (cmd->json) {
		fwrite(ev->body, 1, ev->body_len, stdout);
		putchar('\n');
		return BUS_OK;
	}
	bus_time_format(added, ev->added_us);
	printf("%" PRIu64 " %s ", ev->id, added);
	cli_print_text(stdout, ev->routing_key, strlen(ev->routing_key));
	putchar('\n');
	return BUS_OK;
}

static enum bus_code list(struct cli_outbox *cmd, const struct bus_conf_service *service,
			  struct bus_err *err)
{
	struct bus_outbox_state state;
	struct bus_outbox *box = NULL;
	enum bus_code rc;

	rc = cli_outbox_open(cmd, service, &box, err);
	if (rc == BUS_E_NO)
		return BUS_OK;
	if (!rc)
		rc = bus_outbox_state(box, &state, err);
	if (!rc)
		rc = bus_outbox_each(box, cmd->all ? 0 : state.sent, state.size, print_event, cmd,
				     err);
	bus_outbox_close(box);
	return rc;
}

static enum bus_code new_epoch(struct cli_outbox *cmd, const struct bus_conf_service *service,
			       struct bus_err *err)
{
	struct bus_outbox_state state;
	struct bus_outbox *box = NULL;
	uint64_t moved = 0;
	enum bus_code rc;

	rc = cli_outbox_open(cmd, service, &box, err);
	if (!rc)
		rc = bus_outbox_claim(box, err);
	if (!rc)
		rc = bus_outbox_new_epoch(box, &moved, err);
	if (!rc)
		rc = bus_outbox_state(box, &state, err);
	if (!rc)
		printf("%s: the log is now %s; %" PRIu64 " events that were not confirmed moved to "
		       "it (some of them may have been published before the copy was restored)\n",
		       service->name, state.origin, moved);
	bus_outbox_close(box);
	return rc;
}

struct verb {
	const char *name;
	bool needs_service, has_ranges;
	enum bus_code (*run)(struct cli_outbox *cmd, const struct bus_conf_service *service,
			     struct bus_err *err);
};

static const struct verb verbs[] = {
	{ "status", false, false, status },	     { "list", false, false, list },
	{ "resend", true, true, cli_outbox_resend }, { "prune", false, false, cli_outbox_prune },
	{ "new-epoch", true, false, new_epoch },
};

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; name && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static enum bus_code run_verb(struct cli_outbox *cmd, const struct verb *verb, struct bus_err *err)
{
	const struct bus_conf_service *service;
	enum bus_code rc = BUS_OK;
	size_t i;

	if (cmd->log) {
		rc = cli_outbox_of_log(cmd, &service, err);
		return rc ? rc : verb->run(cmd, service, err);
	}
	if (cmd->service) {
		rc = bus_conf_service(cmd->conf, cmd->service, &service, err);
		return rc ? rc : verb->run(cmd, service, err);
	}
	for (i = 0; !rc && i < cmd->conf->service_count; i++)
		rc = verb->run(cmd, &cmd->conf->service[i], err);
	return rc;
}

/* What this verb does not know is an error, and not passed over. */
static int check_options(struct cli_outbox *cmd, const struct verb *verb, int count,
			 char **operands)
{
	if (cmd->log && !verb->has_ranges)
		return cli_usage("--log is for resend");
	if (cmd->keep_from_us && verb->run != cli_outbox_prune)
		return cli_usage("--keep is for prune");
	if (cmd->all && verb->run != list)
		return cli_usage("--all is for list");
	if (verb->needs_service && !cmd->service && !cmd->log)
		return cli_usage("%s needs --service", verb->name);
	if (count && !verb->has_ranges)
		return cli_usage("unexpected argument '%s'", operands[0]);
	if (verb->has_ranges && !count)
		return cli_usage("resend what?  a range such as 5..9");
	cmd->ranges = operands;
	return EX_OK;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "service", required_argument, NULL, 's' },
						 { "log", required_argument, NULL, 'l' },
						 { "keep", required_argument, NULL, 'k' },
						 { "all", no_argument, NULL, 'a' },
						 { "json", no_argument, NULL, 'j' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct cli_outbox cmd = { 0 };
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	const struct verb *verb;
	enum bus_code rc;
	int opt, status_of;

	while ((opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		cmd.service = opt == 's' ? optarg : cmd.service;
		cmd.all = cmd.all || opt == 'a';
		cmd.json = cmd.json || opt == 'j';
		cmd.log = opt == 'l' ? optarg : cmd.log;
		if (opt == 'k' && !cli_time(&cmd.keep_from_us, "--keep", optarg))
			return EX_USAGE;
	}
	verb = find_verb(argv[optind]);
	if (!verb)
		return cli_usage("status, list, resend, prune or new-epoch?");
	status_of = check_options(&cmd, verb, argc - optind - 1, argv + optind + 1);
	if (status_of)
		return status_of;
	rc = cli_conf(&conf, &err);
	cmd.conf = conf;
	if (!rc)
		rc = run_verb(&cmd, verb, &err);
	if (!rc && verb->run == status && !cmd.any && !cmd.json)
		puts("no outbox yet: nothing was ever published from this host");
	bus_conf_free(conf);
	return cli_finish(rc ? cli_fail(rc, &err) : EX_OK);
}

const struct cli_command cli_outbox = { "outbox", "look at and mend the sending side", help, run };
