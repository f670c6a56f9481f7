#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "draft.h"
#include "err.h"
#include "event.h"
#include "json.h"
#include "merkle.h"
#include "metrics.h"
#include "message.h"
#include "proof.h"
#include "trust.h"

/*
 * Every allocation fails in turn: once, and from then on for ever.  Whatever
 * the code under test does with that, the answer is BUS_OK or BUS_E_NOMEM (a
 * message must never be called malformed because this machine is short of
 * memory), nothing leaks, and no ret_ is touched.
 *
 * The linker sends the program's and jansson's allocations here (--wrap).
 */
static long calls, fail_at, live;
static bool for_ever;

static bool refuse(void)
{
	calls++;
	return fail_at && (for_ever ? calls >= fail_at : calls == fail_at);
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
char *__real_strdup(const char *s);
void __real_free(void *p);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

static void *count(void *p)
{
	live += p != NULL;
	return p;
}

void *__wrap_malloc(size_t len)
{
	return refuse() ? NULL : count(__real_malloc(len));
}

void *__wrap_calloc(size_t n, size_t len)
{
	return refuse() ? NULL : count(__real_calloc(n, len));
}

void *__wrap_realloc(void *p, size_t len)
{
	void *new;

	if (refuse())
		return NULL;
	new = __real_realloc(p, len);
	live += new && !p;
	return new;
}

char *__wrap_strdup(const char *s)
{
	return refuse() ? NULL : count(__real_strdup(s));
}

void __wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}

/* -- what is done while memory is short -- */

#define SOURCE "ftp-master.example/dak/20261122T101500Z"
#define FPR "36B0BE6D3B6924D3BCE5539C34F217C32364C7FF"
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const char data_of_body[] =
	"{\"summary\":\"s\",\"url\":\"https://x/\",\"list\":[1,2.5,null,true,\"\xc3\xbc\",{}],"
	"\"o\":{\"a\":{\"b\":-1}}}";

static const char body[] =
	"{\"specversion\":\"1.0\",\"source\":\"" SOURCE "\",\"id\":\"5\","
	"\"type\":\"org.debian.dev.dak.upload.accept\",\"subject\":\"hello\","
	"\"time\":\"2026-11-22T10:15:00.000000Z\",\"datacontenttype\":\"application/json\","
	"\"dataschema\":\"urn:debmsg:schema:dak.upload.accept:1\",\"typesequence\":\"2\","
	"\"data\":{\"summary\":\"s\",\"url\":\"https://x/"
	"\",\"list\":[1,2.5,null,true,\"\\u00fc\",{}],"
	"\"o\":{\"a\":{\"b\":-1}}}}";

static const char proof_text[] = "c2sp.org/tlog-proof@v1\nindex 0\n" HASH "\n\n" SOURCE "\n2\n" HASH
				 "\n\n\xe2\x80\x94 " SOURCE " AAAAAQI=\n";

static void *const untouched = (void *)body;

static enum bus_code event_parse(struct bus_err *err)
{
	struct bus_event *ev = untouched;
	enum bus_code rc = bus_event_parse(&ev, body, sizeof(body) - 1, err);

	if (rc)
		return ev == untouched ? rc : BUS_E_BUG;
	/* success has to be a whole one: jansson may drop bytes of a string */
	if (strcmp(ev->source, SOURCE) || strcmp(ev->subject, "hello") ||
	    strcmp(ev->summary, "s") || strcmp(ev->url, "https://x/") || ev->id != 5 ||
	    ev->typesequence != 2)
		rc = BUS_E_BUG;
	bus_event_free(ev);
	return rc;
}

static enum bus_code event_build(struct bus_err *err)
{
	static const char data[] = "{\"summary\":\"s\",\"x\":[1,{\"a\":\"b\"}]}";
	struct bus_draft draft = { "org.debian.dev.dak.upload.accept", "hello", 0, data,
				   sizeof(data) - 1 };
	struct bus_buf out = BUS_BUF_INIT(BUS_BODY_MAX_DEFAULT);
	enum bus_code rc = bus_event_build(&out, &draft, SOURCE, 5, 2, err);

	bus_buf_finish(&out);
	return rc;
}

static enum bus_code draft_parse(struct bus_err *err)
{
	static const char json[] =
		"{\"type\":\"upload.accept\",\"subject\":\"hello\","
		"\"time\":\"2026-11-22T10:15:00Z\",\"data\":{\"a\":[1,\"x\",{}]}}";
	struct bus_draft_text *owner = untouched;
	struct bus_draft draft;
	enum bus_code rc;

	rc = bus_draft_parse(&owner, &draft, "dev", "dak", json, sizeof(json) - 1, err);
	if (!rc)
		bus_draft_text_free(owner);
	else if (owner != untouched)
		return BUS_E_BUG;
	return rc;
}

static enum bus_code draft_from_event(struct bus_err *err)
{
	struct bus_draft_text *owner = untouched;
	struct bus_draft draft;
	enum bus_code rc = bus_draft_from_event(&owner, &draft, body, sizeof(body) - 1, err);

	if (rc)
		return owner == untouched ? rc : BUS_E_BUG;
	if (strcmp(draft.subject, "hello") || strcmp(draft.data, data_of_body))
		rc = BUS_E_BUG;
	bus_draft_text_free(owner);
	return rc;
}

static enum bus_code proof_parse(struct bus_err *err)
{
	static struct bus_proof proof;
	struct bus_buf out = BUS_BUF_INIT(BUS_PROOF_MAX), text = BUS_BUF_INIT(BUS_PROOF_MAX);
	enum bus_code rc = bus_proof_parse(&proof, proof_text, sizeof(proof_text) - 1, err);

	if (!rc) {
		bus_checkpoint_format(&text, &proof.checkpoint);
		rc = bus_buf_check(&text, "text", err);
	}
	if (!rc) {
		bus_note_format(&out, &text, SOURCE, FPR, "x", 1);
		bus_proof_format(&out, 0, proof.path, 1, "note\n");
		rc = bus_buf_check(&out, "note", err);
	}
	bus_buf_finish(&out);
	bus_buf_finish(&text);
	return rc;
}

static enum bus_code message_export(struct bus_err *err)
{
	struct bus_message m = { .routing_key = (char[]){ "k" },
				 .body = (char[]){ "a\xff" },
				 .body_len = 2,
				 .proof = (char[]){ "p" },
				 .proof_len = 1 };
	struct bus_buf out = BUS_BUF_INIT(10000);
	enum bus_code rc;

	bus_message_export(&out, &m);
	rc = bus_buf_check(&out, "export", err);
	bus_buf_finish(&out);
	return rc;
}

static enum bus_code message_read(struct bus_err *err)
{
	static const char text[] =
		"{\"routing_key\":\"org.debian.dev.dak.upload.accept.hello\",\"proof\":\"p\","
		"\"body\":\"b\"}\n"
		"{\"routing_key\":\"org.debian.dev.dak.upload.accept.hello\",\"proof\":\"\","
		"\"body_base64\":\"/w==\"}\n";
	FILE *stream = fmemopen((void *)(uintptr_t)text, sizeof(text) - 1, "r");
	struct bus_message_reader *reader = NULL;
	struct bus_message *m = untouched;
	enum bus_code rc;

	rc = stream ? bus_message_reader_new(&reader, stream, err) : BUS_E_BUG;
	while (!rc) {
		m = untouched;
		rc = bus_message_read(reader, &m, err);
		if (rc || !m)
			break;
		if (strcmp(m->routing_key, "org.debian.dev.dak.upload.accept.hello") ||
		    (m->proof ? m->body_len != 1 || m->body[0] != 'b' : m->body[0] != '\xff'))
			rc = BUS_E_BUG;
		bus_message_free(m);
		m = untouched;
	}
	if (rc && m != untouched)
		rc = BUS_E_BUG;
	bus_message_reader_free(reader);
	if (stream)
		fclose(stream);
	return rc;
}

static enum bus_code merkle_batch(struct bus_err *err)
{
	struct bus_range empty = { 0 };
	struct bus_hash leaf[5] = { { { 0 } } };
	struct bus_batch *batch = bus_batch_new(&empty, leaf, 5);

	bus_batch_free(batch);
	return batch ? BUS_OK : bus_fail(err, BUS_E_NOMEM, "merkle: out of memory");
}

static char path[200];

static void note_said(void *arg, const char *text)
{
	bus_fail(arg, BUS_E_NOMEM, "%s", text);
}

/* Lack of memory stops no writer of metrics, but is said. */
static enum bus_code metrics_write(struct bus_err *err)
{
	const struct bus_metrics_labels labels = { .name = "a", .value = "b" };
	const struct bus_say say = { note_said, err };
	struct bus_metrics *m = untouched;
	char file[sizeof(path) + 5];
	enum bus_code rc;
	int i;

	snprintf(file, sizeof(file), "%s.prom", path);
	rc = bus_metrics_open(&m, file, &say, err);
	if (rc)
		return m == untouched ? rc : BUS_E_BUG;
	bus_metrics_begin(m);
	bus_metrics_family(m, "n", BUS_METRICS_GAUGE, "A number.");
	for (i = 0; i < 1000; i++)
		bus_metrics_number(m, &labels, 1);
	bus_metrics_commit(m);
	bus_metrics_close(m);
	unlink(file);
	return err->code;
}

static enum bus_code with_file(const char *text, enum bus_code (*load)(struct bus_err *err),
			       struct bus_err *err)
{
	FILE *f = fopen(path, "w");
	enum bus_code rc;

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		return BUS_E_BUG;
	rc = load(err);
	unlink(path);
	return rc;
}

static enum bus_code load_conf(struct bus_err *err)
{
	struct bus_conf *conf = untouched;
	enum bus_code rc = bus_conf_load(&conf, path, err);

	if (!rc)
		bus_conf_free(conf);
	return rc && conf != untouched ? BUS_E_BUG : rc;
}

static enum bus_code conf_load(struct bus_err *err)
{
	return with_file("environment = \"dev\"\nstate-directory = \"/x\"\ntrust-file = \"/y\"\n"
			 "broker { url = { \"amqp://a@b/c\", \"amqp://a@b/d\" } password-file = "
			 "\"/z\" }\n"
			 "signing { homedir = \"/h\" key = \"" FPR "\" }\n"
			 "service \"dak\" { origin = \"a/b\" user = \"dak\" }\n",
			 load_conf, err);
}

static enum bus_code load_trust(struct bus_err *err)
{
	struct bus_trust *trust = untouched;
	enum bus_code rc = bus_trust_load(&trust, path, err);

	if (!rc)
		bus_trust_free(trust);
	return rc && trust != untouched ? BUS_E_BUG : rc;
}

static enum bus_code trust_load(struct bus_err *err)
{
	return with_file("homedir = \"/h\"\nlog \"a/b\" {\n keys = { \"" FPR "!\", \"" FPR "\" }\n"
			 "certified-by = { \"" FPR "\" }\n types = { \"org.debian.*.dak.#\" }\n}\n",
			 load_trust, err);
}

static const struct scenario {
	const char *name;
	enum bus_code (*run)(struct bus_err *err);
	long points_min; /* so that it cannot pass by testing nothing */
	long lent;	 /* pieces that libconfuse frees, where the count does not see it */
} scenario[] = {
	{ "event parse", event_parse, 4, 0 },
	{ "event build", event_build, 3, 0 },
	{ "draft parse", draft_parse, 20, 0 },
	{ "draft from event", draft_from_event, 40, 0 },
	{ "proof", proof_parse, 2, 0 },
	{ "message export", message_export, 2, 0 },
	{ "message read", message_read, 15, 0 },
	{ "merkle batch", merkle_batch, 1, 0 },
	{ "conf", conf_load, 12, 1 },
	{ "trust", trust_load, 12, 1 },
	{ "metrics", metrics_write, 5, 0 },
};

enum { SCENARIOS = sizeof(scenario) / sizeof(scenario[0]) };

/* One failure; true if all is as it should be.  *done: there was nothing left to fail. */
static bool run_one(const struct scenario *s, long at, bool *done)
{
	struct bus_err err = { BUS_OK, "" };
	const long before = live;
	bool injected, leaks;
	enum bus_code rc;

	calls = 0;
	fail_at = at;
	rc = s->run(&err);
	injected = calls >= at;
	fail_at = 0;
	*done = !injected;
	leaks = live < before || live > before + s->lent;
	if (leaks)
		printf("%s: allocation %ld fails: %ld pieces of memory are lost\n", s->name, at,
		       live - before);
	if (rc && (rc != BUS_E_NOMEM || err.code != rc || !injected))
		printf("%s: allocation %ld fails: %s (error %s: %s)\n", s->name, at,
		       bus_code_info[rc].name, bus_code_info[err.code].name, err.text);
	return !leaks && (!rc || (rc == BUS_E_NOMEM && err.code == rc && injected));
}

static long run_all(const struct scenario *s, bool *ok)
{
	bool done = false;
	long at;

	for (at = 1; !done; at++)
		*ok = run_one(s, at, &done) && *ok;
	return at - 2;
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	long points = 0, n;
	bool ok = true;
	int i;

	snprintf(path, sizeof(path), "%s/fault-oom.%d", tmp ? tmp : "/tmp", (int)getpid());
	for (i = 0; i < SCENARIOS; i++) {
		for_ever = false;
		n = run_all(&scenario[i], &ok);
		for_ever = true;
		points += n + run_all(&scenario[i], &ok);
		printf("%-18s %ld allocations\n", scenario[i].name, n);
		if (n < scenario[i].points_min) {
			printf("%s: fewer than %ld\n", scenario[i].name, scenario[i].points_min);
			ok = false;
		}
	}
	printf("%ld fault points\n", points);
	return !ok;
}
