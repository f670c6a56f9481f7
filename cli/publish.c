#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli.h"
#include "draft.h"
#include "json.h"
#include "json_read.h"
#include "outbox.h"

enum { WAIT_MS = 5000, LINE_MAX_BYTES = 2 * 1024 * 1024, INPUT_MAX_BYTES = 1 << 30 };

static const char help[] =
	"usage: debmsg publish --service S --type T [--subject X] [--data FILE|-] [--time T]\n"
	"       debmsg publish --service S --jsonl < EVENTS\n"
	"\n"
	"Puts events into a service's outbox, on disk when it returns; the relay sends them.\n"
	"Prints <source>/<id> for each.\n"
	"\n"
	"  --service S     section of debmsg.conf: dak, wiki, ...\n"
	"  --type T        <object>.<event>, such as upload.accept, or the whole type\n"
	"  --subject X     what it happened to: package, page, repository\n"
	"  --data FILE     a JSON object, from FILE or - for standard input; without a\n"
	"                  `summary` it gets \"<object> <event>: <subject>\"\n"
	"  --time T        when it happened (RFC 3339); else now\n"
	"  --jsonl         one JSON object a line on standard input, with type and perhaps\n"
	"                  subject, time and data; all of them are taken, or none\n"
	"  -c, --config FILE\n";

struct publish {
	const char *service, *type, *subject, *data, *time;
	bool jsonl;
};

static bool parse_options(struct publish *p, int argc, char **argv)
{
	static const struct option options[] = { { "service", required_argument, NULL, 's' },
						 { "type", required_argument, NULL, 't' },
						 { "subject", required_argument, NULL, 'j' },
						 { "data", required_argument, NULL, 'd' },
						 { "time", required_argument, NULL, 'w' },
						 { "jsonl", no_argument, NULL, 'l' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	int opt;

	while ((opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		switch (opt) {
		case 's':
			p->service = optarg;
			break;
		case 't':
			p->type = optarg;
			break;
		case 'j':
			p->subject = optarg;
			break;
		case 'd':
			p->data = optarg;
			break;
		case 'w':
			p->time = optarg;
			break;
		case 'l':
			p->jsonl = true;
			break;
		default:
			return false;
		}
	}
	if (optind < argc)
		cli_usage("unexpected argument '%s'", argv[optind]);
	else if (!p->service)
		cli_usage("--service is missing");
	else if (p->jsonl ? p->type || p->subject || p->data || p->time : !p->type)
		cli_usage(p->jsonl ? "--jsonl takes type, subject, data and time from its input"
				   : "--type is missing (or --jsonl)");
	else
		return true;
	return false;
}

/* what: the option, for messages. */
static enum bus_code read_all(struct bus_buf *out, const char *what, const char *path,
			      struct bus_err *err)
{
	const bool input = strcmp(path, "-") == 0;
	int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	char chunk[65536];
	ssize_t n = -1;

	while (fd >= 0 && !out->failed && (n = read(fd, chunk, sizeof(chunk))) > 0)
		bus_buf_add(out, chunk, (size_t)n);
	if (n < 0)
		bus_fail(err, BUS_E_DATA, "%s %s: %s", what, path, strerror(errno));
	if (fd >= 0 && !input)
		close(fd);
	return n < 0 ? BUS_E_DATA : bus_buf_check(out, what, err);
}

/* It must be a JSON object by itself, not only where it is put. */
static enum bus_code add_data(struct bus_json *js, const char *path, struct bus_err *err)
{
	struct bus_buf data = BUS_BUF_INIT(LINE_MAX_BYTES);
	json_t *object = NULL;
	enum bus_code rc;

	rc = read_all(&data, "--data", path, err);
	if (!rc && !data.len)
		bus_buf_puts(&data, "{}");
	if (!rc)
		rc = bus_json_read(&object, data.p, data.len, 0, BUS_E_DATA, err);
	if (!rc)
		bus_json_raw(js, "data", data.p, data.len);
	else if (rc == BUS_E_DATA)
		bus_err_context(err, "--data %s", path);
	json_decref(object);
	bus_buf_finish(&data);
	return rc;
}

/* Makes of the options the line that --jsonl would have read. */
static enum bus_code make_line(struct bus_buf *line, const struct publish *p, struct bus_err *err)
{
	struct bus_json js = { line, false };
	enum bus_code rc = BUS_OK;

	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "type", p->type);
	if (p->subject)
		bus_json_text(&js, "subject", p->subject);
	if (p->time)
		bus_json_text(&js, "time", p->time);
	if (p->data)
		rc = add_data(&js, p->data, err);
	bus_json_close(&js, '}');
	return rc ? rc : bus_buf_check(line, "event", err);
}

static enum bus_code append_line(struct bus_outbox *box, const struct bus_conf *conf,
				 const struct publish *p, const char *line, size_t len,
				 struct bus_err *err)
{
	struct bus_draft_text *owner = NULL;
	struct bus_draft draft;
	enum bus_code rc;
	uint64_t id;

	rc = bus_draft_parse(&owner, &draft, conf->environment, p->service, line, len, err);
	if (rc)
		return rc;
	rc = bus_outbox_append(box, &draft, &id, err);
	bus_draft_text_free(owner);
	return rc;
}

/* Each line of the input is an event; empty ones are passed over. */
static enum bus_code append_lines(struct bus_outbox *box, const struct bus_conf *conf,
				  const struct publish *p, const struct bus_buf *input,
				  struct bus_err *err)
{
	const char *line = input->p, *end = line ? line + input->len : line, *stop;
	unsigned long number = 1;
	enum bus_code rc = BUS_OK;

	for (; !rc && line < end; line = stop + 1, number++) {
		stop = memchr(line, '\n', (size_t)(end - line));
		stop = stop ? stop : end;
		if (stop > line)
			rc = append_line(box, conf, p, line, (size_t)(stop - line), err);
	}
	if (rc)
		bus_err_context(err, "standard input, line %lu", number - 1);
	return rc;
}

/* One transaction; *before and *after: how the log stood. */
static enum bus_code append_all(struct bus_outbox *box, const struct bus_conf *conf,
				const struct publish *p, const struct bus_buf *input,
				struct bus_outbox_state *before, struct bus_outbox_state *after,
				struct bus_err *err)
{
	enum bus_code rc = bus_outbox_begin(box, err);

	if (!rc)
		rc = bus_outbox_state(box, before, err);
	if (!rc)
		/* what --data holds may have lines of its own */
		rc = p->jsonl ? append_lines(box, conf, p, input, err)
			      : append_line(box, conf, p, input->p, input->len, err);
	if (!rc)
		rc = bus_outbox_state(box, after, err);
	if (!rc)
		rc = bus_outbox_commit(box, err);
	bus_outbox_rollback(box);
	return rc;
}

static enum bus_code publish(const struct publish *p, struct bus_err *err)
{
	struct bus_buf input = BUS_BUF_INIT(INPUT_MAX_BYTES);
	const struct bus_conf_service *service;
	struct bus_outbox_params params = { .create = true, .wait_ms = WAIT_MS };
	struct bus_outbox *box = NULL;
	struct bus_conf *conf = NULL;
	struct bus_outbox_state before = { .size = 0 }, after;
	char *directory = NULL;
	enum bus_code rc;
	uint64_t id;

	rc = cli_conf(&conf, err);
	if (!rc)
		rc = bus_conf_service(conf, p->service, &service, err);
	/* All of it before the outbox is locked: others write to it, too. */
	if (!rc)
		rc = p->jsonl ? read_all(&input, "--jsonl", "-", err) : make_line(&input, p, err);
	if (rc)
		goto out;
	directory = bus_conf_outbox_dir(conf, p->service);
	if (!directory) {
		rc = bus_fail(err, BUS_E_NOMEM, "out of memory");
		goto out;
	}
	params.directory = directory;
	params.name = service->origin;
	params.environment = conf->environment;
	params.service = p->service;
	params.max_event_size = conf->max_event_size;
	rc = bus_outbox_open(&box, &params, err);
	if (!rc)
		rc = append_all(box, conf, p, &input, &before, &after, err);
	for (id = before.size; !rc && id < after.size; id++)
		printf("%s/%" PRIu64 "\n", after.origin, id);
out:
	bus_outbox_close(box);
	bus_buf_finish(&input);
	bus_conf_free(conf);
	free(directory);
	return rc;
}

static int run(int argc, char **argv)
{
	struct publish p = { 0 };
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;

	if (!parse_options(&p, argc, argv))
		return EX_USAGE;
	rc = publish(&p, &err);
	return cli_finish(rc ? cli_fail(rc, &err) : EX_OK);
}

const struct cli_command cli_publish = { "publish", "put events into a service's outbox", help,
					 run };
