#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli.h"
#include "event.h"
#include "json.h"

static const char help[] =
	"usage: debmsg verify [--json] FILE...\n"
	"\n"
	"Checks messages offline: who said it, and that it is what was said.\n"
	"\n"
	"  FILE            messages in export form (see debmsg export), - for standard input;\n"
	"                  or X.json beside X.tlog-proof: one event and its proof\n"
	"  --json          one object for each message, with `result`: ok or the failure\n"
	"  -c, --config FILE\n"
	"\n"
	"Exits 76 if any message is not ok.\n";

enum { EVENT_FILE_MAX = BUS_BODY_MAX_CEILING + 1 };

struct verify {
	struct bus_intake *intake;
	bool json;
	unsigned long long count, bad;
};

static enum bus_code print_result(struct verify *v, const char *file, unsigned long long number,
				  enum bus_code result, const struct bus_err *why,
				  const struct bus_belief *belief, struct bus_err *err)
{
	struct bus_buf line = BUS_BUF_INIT(1024 * 1024);
	struct bus_json js = { &line, false };
	char id[24];
	enum bus_code rc;

	if (!v->json) {
		printf("%s:%llu: %s: ", file, number, bus_code_info[result].name);
		if (result)
			cli_print_text(stdout, why->text, strlen(why->text));
		else
			printf("%s/%" PRIu64 " signed by %s", belief->event->source,
			       belief->event->id, belief->signer.primary);
		putchar('\n');
		return BUS_OK;
	}
	bus_json_open(&js, NULL, '{');
	bus_json_text(&js, "file", file);
	bus_json_uint(&js, "number", number);
	bus_json_text(&js, "result", bus_code_info[result].name);
	if (result) {
		bus_json_text(&js, "text", why->text);
	} else {
		snprintf(id, sizeof(id), "%" PRIu64, belief->event->id);
		bus_json_text(&js, "source", belief->event->source);
		bus_json_text(&js, "id", id);
		bus_json_text(&js, "type", belief->event->type);
		bus_json_text(&js, "signer", belief->signer.primary);
	}
	bus_json_close(&js, '}');
	rc = bus_buf_check(&line, "verify", err);
	if (!rc)
		puts(line.p);
	bus_buf_finish(&line);
	return rc;
}

static enum bus_code verify_message(struct verify *v, const char *file, unsigned long long number,
				    const struct bus_message *m, struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	struct bus_belief belief = { 0 };
	enum bus_code rc, result;

	result = bus_intake_check(v->intake, m, NULL, &belief, &why);
	if (result && bus_code_info[result].fate != BUS_FATE_PARK)
		return bus_fail(err, result, "%s", why.text);
	v->count++;
	v->bad += result != BUS_OK;
	rc = print_result(v, file, number, result, &why, &belief, err);
	bus_event_free(belief.event);
	return rc;
}

static enum bus_code verify_stream(struct verify *v, const char *file, FILE *stream,
				   struct bus_err *err)
{
	struct bus_message_reader *reader = NULL;
	struct bus_message *m = NULL;
	unsigned long long number = 0;
	enum bus_code rc;

	rc = bus_message_reader_new(&reader, stream, err);
	while (!rc) {
		rc = bus_message_read(reader, &m, err);
		if (rc)
			bus_err_context(err, "%s", file);
		if (rc || !m)
			break;
		rc = verify_message(v, file, ++number, m, err);
		bus_message_free(m);
	}
	bus_message_reader_free(reader);
	return rc;
}

static enum bus_code read_file(struct bus_buf *out, const char *path, struct bus_err *err)
{
	FILE *f = fopen(path, "re");
	char chunk[16384];
	size_t n;

	if (!f)
		return bus_fail(err, BUS_E_DATA, "%s: %s", path, strerror(errno));
	while (!out->failed && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		bus_buf_add(out, chunk, n);
	n = (size_t)ferror(f);
	fclose(f);
	return n ? bus_fail(err, BUS_E_DATA, "%s: cannot read", path)
		 : bus_buf_check(out, path, err);
}

static enum bus_code verify_pair(struct verify *v, const char *event_file, const char *proof_file,
				 struct bus_err *err)
{
	struct bus_buf body = BUS_BUF_INIT(EVENT_FILE_MAX), proof = BUS_BUF_INIT(EVENT_FILE_MAX);
	enum bus_code rc;

	rc = read_file(&body, event_file, err);
	if (!rc)
		rc = read_file(&proof, proof_file, err);
	if (!rc) {
		const struct bus_message m = { .body = body.p,
					       .body_len = body.len,
					       .proof = proof.p,
					       .proof_len = proof.len };

		rc = verify_message(v, event_file, 1, &m, err);
	}
	bus_buf_finish(&body);
	bus_buf_finish(&proof);
	return rc;
}

/* X.json -> X.tlog-proof, if that file is there; else NULL. */
static char *proof_beside(const char *file)
{
	const size_t len = strlen(file);
	char *path;
	FILE *f;

	if (len < 5 || strcmp(file + len - 5, ".json") != 0 ||
	    asprintf(&path, "%.*s.tlog-proof", (int)(len - 5), file) < 0)
		return NULL;
	f = fopen(path, "re");
	if (!f) {
		free(path);
		return NULL;
	}
	fclose(f);
	return path;
}

static bool is_proof_file(const char *file)
{
	static const char suffix[] = ".tlog-proof";
	const size_t len = strlen(file), n = sizeof(suffix) - 1;

	return len > n && strcmp(file + len - n, suffix) == 0;
}

static enum bus_code verify_file(struct verify *v, const char *file, struct bus_err *err)
{
	char *proof = proof_beside(file);
	enum bus_code rc;
	FILE *f;

	if (proof) {
		rc = verify_pair(v, file, proof, err);
		free(proof);
		return rc;
	}
	if (is_proof_file(file)) /* read together with its X.json */
		return BUS_OK;
	if (strcmp(file, "-") == 0)
		return verify_stream(v, "standard input", stdin, err);
	f = fopen(file, "re");
	if (!f)
		return bus_fail(err, BUS_E_DATA, "%s: %s", file, strerror(errno));
	rc = verify_stream(v, file, f, err);
	fclose(f);
	return rc;
}

static enum bus_code verify_all(struct verify *v, char **files, struct bus_err *err)
{
	struct bus_conf *conf = NULL;
	enum bus_code rc;

	rc = cli_conf(&conf, err);
	if (!rc)
		rc = bus_intake_open(&v->intake, conf, err);
	for (; !rc && *files; files++)
		rc = verify_file(v, *files, err);
	if (!rc && !v->count)
		rc = bus_fail(err, BUS_E_DATA, "no message in what was given");
	bus_intake_close(v->intake);
	bus_conf_free(conf);
	return rc;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct verify v = { 0 };
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;

	while (cli_option(argc, argv, ":c:h", options) != -1)
		v.json = true;
	if (optind == argc)
		return cli_usage("which files?");
	rc = verify_all(&v, argv + optind, &err);
	if (rc)
		return cli_finish(cli_fail(rc, &err));
	if (!v.json)
		fprintf(stderr, "debmsg verify: %llu of %llu messages are ok\n", v.count - v.bad,
			v.count);
	return cli_finish(v.bad ? bus_code_info[BUS_E_NOT_INCLUDED].exit_status : EX_OK);
}

const struct cli_command cli_verify = { "verify", "check messages offline", help, run };
