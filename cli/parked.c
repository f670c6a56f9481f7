#include "config.h"

#include "parked.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"
#include "parked_print.h"
#include "parked_retry.h"

static const char help[] =
	"usage: debmsg parked list [--queue NAME] [--reason R] [--json]\n"
	"       debmsg parked show ID... [--json]\n"
	"       debmsg parked retry ID... | --all [--queue NAME] [--reason R]\n"
	"       debmsg parked drop ID... | --all [--queue NAME] [--reason R]\n"
	"\n"
	"Messages that a consumer rejected, or of which its handler gave up.\n"
	"\n"
	"  list            a line each: id, when, queue, reason, key, message id, text\n"
	"  show            all that is known, and whether it would be believed now\n"
	"  retry           verify again; what is believed goes to the consumer on this host\n"
	"  drop            remove for good\n"
	"\n"
	"  ID              as list prints it, or its beginning\n"
	"  --all           all of your own queues; of all queues, for an administrator\n"
	"  --queue NAME    only from this queue\n"
	"  --reason R      only with this reason, such as unknown-key\n"
	"  --json          for programs: one object a line\n"
	"  -c, --config FILE\n";

enum { IDS_MAX = 1000 };

/* What an ID on the command line stands for. */
struct found {
	const char *id;
	char digest[BUS_PARKED_DIGEST_LEN + 1]; /* "": nothing yet */
	char other[BUS_PARKED_DIGEST_LEN + 1];	/* "": not ambiguous */
	struct bus_parked_message message;	/* the first copy, with whom asked first for it */
	uint64_t *tag;				/* of all copies */
	size_t count, size;
};

struct command {
	const struct verb *verb;
	struct bus_parked_filter filter;
	bool all, json;
	struct found *found; /* one for each ID */
	size_t ids;
	struct bus_parked *parked;
	struct bus_retry *retry;
	FILE *out; /* of list */
	unsigned long long put, had, stay, dropped, not_ours;
	bool no; /* the answer to something is no */
};

struct verb {
	const char *name;
	bool takes_ids, verifies;
	/* One message, of several copies of which these are the tags. */
	enum bus_code (*message)(struct command *cmd, const struct bus_parked_message *m,
				 const uint64_t *tags, size_t count, struct bus_err *err);
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_say(NULL, text);
}

/* -- list -- */

static enum bus_code list(struct command *cmd, const struct bus_parked_message *m,
			  const uint64_t *tags, size_t count, struct bus_err *err)
{
	(void)tags;
	(void)count;
	if (cmd->json)
		return cli_parked_json(cmd->out, m, NULL, err);
	cli_parked_line(cmd->out, m);
	return BUS_OK;
}

/*
 * A list is printed when nothing is held any more: who reads it in a pager may
 * take hours, and until then nobody else would see these messages.
 */
static enum bus_code print_list(FILE *list_file, struct bus_err *err)
{
	char part[65536];
	size_t n;

	rewind(list_file);
	while ((n = fread(part, 1, sizeof(part), list_file)) > 0)
		if (fwrite(part, 1, n, stdout) != n)
			return BUS_OK; /* cli_finish() says why */
	return ferror(list_file) ? bus_fail(err, BUS_E_TEMP, "cannot read a temporary file: %s",
					    strerror(errno))
				 : BUS_OK;
}

/* -- show -- */

static enum bus_code show(struct command *cmd, const struct bus_parked_message *m,
			  const uint64_t *tags, size_t count, struct bus_err *err)
{
	struct cli_verdict verdict = { .result = BUS_OK };
	struct bus_belief belief = { .event = NULL };
	struct bus_err why = { BUS_OK, "" };
	char signer[BUS_FPR_MAX + 20];
	enum bus_code rc;

	(void)tags;
	(void)count;
	rc = bus_retry_verify(cmd->retry, m, &belief, &verdict.result, &why, err);
	if (rc)
		return rc;
	verdict.text = why.text;
	if (!verdict.result) {
		snprintf(signer, sizeof(signer), "signed by %s", belief.signer.primary);
		verdict.text = signer;
	}
	bus_event_free(belief.event);
	if (cmd->json)
		return cli_parked_json(stdout, m, &verdict, err);
	if (cmd->put++) /* of several, an empty line between */
		putchar('\n');
	cli_parked_show(stdout, m, &verdict);
	return BUS_OK;
}

/* -- drop -- */

static enum bus_code remove_copies(struct command *cmd, const uint64_t *tags, size_t count,
				   struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; !rc && i < count; i++)
		rc = bus_parked_remove(cmd->parked, tags[i], err);
	return rc;
}

/* BUS_E_NO: not, and said so where somebody named this message. */
static enum bus_code check_allowed(struct command *cmd, const struct bus_parked_message *m,
				   struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	enum bus_code rc = bus_parked_allowed(cmd->parked, m, &why);

	if (rc == BUS_E_NO && cmd->all)
		cmd->not_ours++;
	else if (rc == BUS_E_NO)
		say("%.*s stays: %s", BUS_PARKED_ID_LEN, m->digest, why.text);
	else if (rc)
		bus_fail(err, rc, "%s", why.text);
	cmd->no = cmd->no || (rc == BUS_E_NO && !cmd->all);
	return rc;
}

static enum bus_code drop(struct command *cmd, const struct bus_parked_message *m,
			  const uint64_t *tags, size_t count, struct bus_err *err)
{
	enum bus_code rc = check_allowed(cmd, m, err);

	if (rc)
		return rc == BUS_E_NO ? BUS_OK : rc;
	cmd->dropped += count;
	return remove_copies(cmd, tags, count, err);
}

/* -- retry -- */

static enum bus_code retry(struct command *cmd, const struct bus_parked_message *m,
			   const uint64_t *tags, size_t count, struct bus_err *err)
{
	enum bus_retry_what what = BUS_RETRY_STAYS;
	struct bus_err why = { BUS_OK, "" };
	enum bus_code rc;

	rc = check_allowed(cmd, m, err);
	if (rc)
		return rc == BUS_E_NO ? BUS_OK : rc;
	rc = bus_retry_message(cmd->retry, m, tags, count, &what, &why, err);
	if (rc)
		return rc;
	cmd->put += what == BUS_RETRY_PUT;
	cmd->had += what == BUS_RETRY_HAD;
	if (what != BUS_RETRY_STAYS)
		return BUS_OK;
	cmd->stay++;
	cmd->no = true;
	if (why.code == BUS_E_NO)
		say("%.*s stays: %s", BUS_PARKED_ID_LEN, m->digest, why.text);
	else
		say("%.*s stays: %s: %s", BUS_PARKED_ID_LEN, m->digest,
		    bus_code_info[why.code].name, why.text);
	return BUS_OK;
}

static void print_summary(const struct command *cmd)
{
	if (cmd->verb->message == drop)
		printf("dropped %llu\n", cmd->dropped);
	if (cmd->verb->message == retry)
		printf("%llu put into the inbox, %llu had before and removed, %llu stay parked\n",
		       cmd->put, cmd->had, cmd->stay);
	if (cmd->not_ours)
		say("%llu left alone, which come from queues of others", cmd->not_ours);
}

/* -- all messages, or those that were named -- */

static enum bus_code add_tag(struct found *found, uint64_t tag, struct bus_err *err)
{
	uint64_t *more;

	if (found->count == found->size) {
		more = realloc(found->tag, (found->size + 16) * 2 * sizeof(*more));
		if (!more)
			return bus_fail(err, BUS_E_NOMEM, "out of memory");
		found->tag = more;
		found->size = (found->size + 16) * 2;
	}
	found->tag[found->count++] = tag;
	return BUS_OK;
}

/* Keeps the message if it was named; a name must not stand for two that differ. */
static enum bus_code look_up(struct command *cmd, struct bus_parked_message *m, struct bus_err *err)
{
	const uint64_t tag = m->tag;
	bool kept = false;
	size_t i;

	for (i = 0; i < cmd->ids; i++) {
		struct found *found = &cmd->found[i];

		if (strncmp(found->id, m->digest, strlen(found->id)) != 0)
			continue;
		if (!*found->digest)
			memcpy(found->digest, m->digest, sizeof(found->digest));
		if (strcmp(found->digest, m->digest) != 0)
			memcpy(found->other, m->digest, sizeof(found->other));
		else if (!kept && add_tag(found, tag, err))
			return BUS_E_NOMEM;
		else if (!kept && !found->message.message)
			found->message = *m, m->message = NULL;
		kept = true;
	}
	return BUS_OK;
}

static enum bus_code each_found(struct command *cmd, const struct bus_parked_rest *rest,
				struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; !rc && i < cmd->ids; i++) {
		struct found *found = &cmd->found[i];

		if (*found->other) {
			say("%s stands for several, such as %s and %s: which one?", found->id,
			    found->digest, found->other);
		} else if (!*found->digest) {
			say("no message %s is parked%s", found->id,
			    rest->others || rest->unseen ? ", or somebody else reads it" : "");
		} else {
			if (found->message.message) /* it is not named twice */
				rc = cmd->verb->message(cmd, &found->message, found->tag,
							found->count, err);
			continue;
		}
		cmd->no = true;
	}
	return rc;
}

static enum bus_code read_all(struct command *cmd, struct bus_err *err)
{
	struct bus_parked_message m;
	enum bus_code rc;

	while (!(rc = bus_parked_next(cmd->parked, &m, err))) {
		if (cmd->ids)
			rc = look_up(cmd, &m, err);
		else if (bus_parked_matches(cmd->parked, &cmd->filter, &m))
			rc = cmd->verb->message(cmd, &m, &m.tag, 1, err);
		bus_parked_message_finish(&m);
		if (rc || (cmd->out && ferror(cmd->out)))
			break;
	}
	if (!rc)
		return bus_fail(err, BUS_E_TEMP, "cannot write a temporary file: %s",
				strerror(errno));
	return rc == BUS_E_NO ? BUS_OK : rc;
}

/* What somebody else has is no failure of ours, but we have not seen all. */
static enum bus_code check_rest(const struct bus_parked_rest *rest, struct bus_err *err)
{
	if (rest->unseen)
		return bus_fail(err, BUS_E_TEMP,
				"%u messages are held by another reader of debmsg.parked, or were "
				"just removed by it; try again when it has ended",
				rest->unseen);
	if (rest->others)
		return bus_fail(err, BUS_E_TEMP,
				"another reader holds messages of debmsg.parked, how many the "
				"broker does not say; try again when it has ended");
	return BUS_OK;
}

static enum bus_code work(struct command *cmd, struct bus_err *err)
{
	struct bus_parked_rest rest;
	enum bus_code rc;

	rc = read_all(cmd, err);
	rest = bus_parked_rest(cmd->parked);
	if (!rc && cmd->ids)
		rc = each_found(cmd, &rest, err);
	if (!rc && cmd->retry)
		rc = bus_retry_commit(cmd->retry, err);
	if (!rc)
		rc = bus_parked_finish(cmd->parked, err);
	if (!rc)
		print_summary(cmd);
	return rc ? rc : check_rest(&rest, err);
}

static enum bus_code run_verb(struct command *cmd, struct bus_err *err)
{
	struct bus_conf *conf = NULL;
	enum bus_code rc, printed = BUS_OK;

	rc = cli_conf(&conf, err);
	if (!rc && cmd->verb->message == list) {
		cmd->out = tmpfile();
		if (!cmd->out)
			rc = bus_fail(err, BUS_E_TEMP, "cannot make a temporary file: %s",
				      strerror(errno));
	}
	if (!rc)
		rc = bus_parked_open(&cmd->parked, conf, err);
	if (!rc && cmd->verb->verifies)
		rc = bus_retry_open(&cmd->retry, conf, cmd->parked, err);
	if (!rc)
		rc = work(cmd, err);
	bus_retry_close(cmd->retry);
	bus_parked_close(cmd->parked);
	bus_conf_free(conf);
	if (cmd->out) {
		printed = print_list(cmd->out, rc ? NULL : err);
		fclose(cmd->out);
	}
	return rc ? rc : printed;
}

static const struct verb *find_verb(const char *name)
{
	static const struct verb verbs[] = {
		{ "list", false, false, list },
		{ "show", true, true, show },
		{ "retry", true, true, retry },
		{ "drop", true, false, drop },
	};
	size_t i;

	for (i = 0; name && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static bool is_id(const char *text)
{
	const size_t len = strlen(text);

	return len >= BUS_PARKED_ID_MIN && len <= BUS_PARKED_DIGEST_LEN &&
	       strspn(text, "0123456789abcdef") == len;
}

/* Takes what the command line names; 0, or the exit status. */
static int take_ids(struct command *cmd, char **ids, int count)
{
	const bool removes = cmd->verb->message == drop || cmd->verb->message == retry;
	int i;

	if (cmd->all && !removes)
		return cli_usage("--all is for retry and drop");
	if (cmd->json && removes)
		return cli_usage("--json is for list and show");
	if (cmd->verb->takes_ids ? cmd->all == (count > 0) : count > 0)
		return cli_usage(!cmd->verb->takes_ids ? "unexpected argument"
				 : removes	       ? "%s: either IDs or --all"
						       : "%s: which ID?",
				 cmd->verb->name);
	if (count && (cmd->filter.queue || cmd->filter.reason))
		return cli_usage("--queue and --reason go with list and --all, not with IDs");
	if (count > IDS_MAX)
		return cli_usage("more than %d IDs", IDS_MAX);
	for (i = 0; i < count; i++)
		if (!is_id(ids[i]))
			return cli_usage("%s is no ID: at least %d of the digits that debmsg "
					 "parked list prints",
					 ids[i], BUS_PARKED_ID_MIN);
	cmd->found = count > 0 ? calloc((size_t)count, sizeof(*cmd->found)) : NULL;
	if (count && !cmd->found)
		return EX_OSERR;
	for (i = 0; i < count; i++)
		cmd->found[cmd->ids++].id = ids[i];
	return EX_OK;
}

static void finish(struct command *cmd)
{
	while (cmd->ids) {
		struct found *found = &cmd->found[--cmd->ids];

		bus_parked_message_finish(&found->message);
		free(found->tag);
	}
	free(cmd->found);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "queue", required_argument, NULL, 'q' },
						 { "reason", required_argument, NULL, 'r' },
						 { "all", no_argument, NULL, 'a' },
						 { "json", no_argument, NULL, 'j' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct bus_err err = { BUS_OK, "" };
	struct command cmd = { 0 };
	enum bus_code rc;
	int opt, status;

	while ((opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		cmd.filter.queue = opt == 'q' ? optarg : cmd.filter.queue;
		cmd.filter.reason = opt == 'r' ? optarg : cmd.filter.reason;
		cmd.all = cmd.all || opt == 'a';
		cmd.json = cmd.json || opt == 'j';
	}
	cmd.verb = find_verb(argv[optind]);
	if (!cmd.verb)
		return cli_usage("list, show, retry or drop?");
	status = take_ids(&cmd, argv + optind + 1, argc - optind - 1);
	if (!status) {
		rc = run_verb(&cmd, &err);
		status = rc ? cli_fail(rc, &err) : cmd.no;
		status = cli_finish(status);
	}
	finish(&cmd);
	return status;
}

const struct cli_command cli_parked = { "parked", "messages that were rejected", help, run };
