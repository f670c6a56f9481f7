/*
 * Outboxes for make bench that hold much, made without a broker and in seconds.
 *
 *   outbox rows SERVICE COUNT SIZE
 *	appends COUNT events of SIZE bytes, as an adapter does, signs one checkpoint over
 *	all of them and notes them as confirmed: a log that a relay has sent, but by one
 *	signature and to nobody.
 *   outbox leaves SERVICE COUNT
 *	begins a new log of COUNT leaves whose events are gone, as after debmsg outbox
 *	prune: each leaf is the hash of its own number, and the tree over them, and its
 *	signature, are real.  So the proof of whatever is appended then is as long as in a
 *	log that really had so many events; and 10,000,000 signatures need not be waited
 *	for, nor 10 GB be written.
 *   outbox feed SERVICE COUNT BATCH SIZE
 *	appends COUNT events, BATCH in each transaction, and waits after each until a relay
 *	that runs has had all of it confirmed.  Prints seconds.
 *
 * DEBMSG_CONF names the configuration.  SIZE is that of the body.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <sqlite3.h>

#include "conf.h"
#include "outbox.h"
#include "sign.h"
#include "timestamp.h"

enum { ROWS_AT_A_TIME = 10000, POLL_US = 200, SIZE_MAX_BYTES = 65536 };

struct log {
	struct bus_conf *conf;
	const struct bus_conf_service *service;
	char *directory;
	struct bus_outbox *box;
	char type[100];
	char data[SIZE_MAX_BYTES + 100];
	size_t size; /* of a body */
	struct bus_range range;
};

/* -- events of a given size -- */

static enum bus_code append(struct log *log, uint64_t *ret_id, struct bus_err *err)
{
	char subject[20];
	struct bus_draft draft = {
		.type = log->type,
		.subject = subject,
		.time_us = bus_time_now(),
		.data = log->data,
		.data_len = strlen(log->data),
	};

	snprintf(subject, sizeof(subject), "page-%03u", (unsigned int)(*ret_id % 1000));
	return bus_outbox_append(log->box, &draft, ret_id, err);
}

static enum bus_code body_size(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	(void)err;
	*(size_t *)arg = ev->body_len;
	return BUS_E_NO;
}

/* Appends an event, looks at what came of it, and takes it back: the rest is text. */
static enum bus_code fit_size(struct log *log, struct bus_err *err)
{
	static const char form[] = "{\"summary\":\"upload accept\",\"text\":\"%.*s\"}";
	static char text[SIZE_MAX_BYTES];
	size_t least = 0;
	enum bus_code rc;
	uint64_t id = 0;

	memset(text, 'x', sizeof(text));
	snprintf(log->data, sizeof(log->data), form, 0, text);
	rc = bus_outbox_begin(log->box, err);
	if (!rc)
		rc = append(log, &id, err);
	if (!rc)
		rc = bus_outbox_each(log->box, id, id + 1, body_size, &least, err);
	bus_outbox_rollback(log->box);
	if (!rc && log->size > least)
		snprintf(log->data, sizeof(log->data), form, (int)(log->size - least), text);
	return rc;
}

static enum bus_code append_many(struct log *log, uint64_t count, struct bus_err *err)
{
	enum bus_code rc;
	uint64_t id = 0;

	rc = bus_outbox_begin(log->box, err);
	while (!rc && count--)
		rc = append(log, &id, err);
	if (!rc)
		rc = bus_outbox_commit(log->box, err);
	return rc;
}

/* -- one checkpoint over all -- */

static enum bus_code add_leaf(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	struct bus_hash leaf;

	(void)err;
	bus_merkle_leaf(&leaf, ev->body, ev->body_len);
	bus_range_append(arg, &leaf);
	return BUS_OK;
}

static enum bus_code sign(struct log *log, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(BUS_PROOF_MAX), note = BUS_BUF_INIT(BUS_PROOF_MAX);
	struct bus_buf signature = BUS_BUF_INIT(BUS_SIGNATURE_MAX);
	struct bus_keyring *ring = NULL;
	struct bus_outbox_state state;
	struct bus_checkpoint cp;
	struct bus_signer signer;
	enum bus_code rc;

	rc = bus_outbox_state(log->box, &state, err);
	if (!rc)
		rc = bus_keyring_open(&ring, log->conf->signing_homedir, err);
	if (rc)
		return rc;
	memcpy(cp.origin, state.origin, sizeof(cp.origin));
	cp.size = log->range.size;
	bus_range_root(&log->range, &cp.root);
	bus_checkpoint_format(&text, &cp);
	rc = bus_keyring_sign(ring, log->conf->signing_key, text.p, text.len, &signature, &signer,
			      err);
	if (!rc) {
		bus_note_format(&note, &text, cp.origin, signer.subkey, signature.p, signature.len);
		rc = bus_outbox_checkpoint_save(log->box, &log->range, note.p, err);
	}
	bus_buf_finish(&text);
	bus_buf_finish(&note);
	bus_buf_finish(&signature);
	bus_keyring_close(ring);
	return rc;
}

/* -- what was asked for -- */

static enum bus_code make_rows(struct log *log, uint64_t count, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	uint64_t n;

	for (; !rc && count; count -= n) {
		n = count < ROWS_AT_A_TIME ? count : ROWS_AT_A_TIME;
		rc = append_many(log, n, err);
	}
	if (!rc)
		rc = bus_outbox_each(log->box, 0, INT64_MAX, add_leaf, &log->range, err);
	if (!rc)
		rc = sign(log, err);
	return rc ? rc : bus_outbox_sent(log->box, log->range.size, err);
}

/* The numbers of the log, which prune would have left. */
static enum bus_code set_numbers(const struct log *log, uint64_t count, struct bus_err *err)
{
	char sql[500], path[4096];
	sqlite3 *db = NULL;
	int failed;

	snprintf(path, sizeof(path), "%s/outbox.db", log->directory);
	snprintf(sql, sizeof(sql),
		 "UPDATE log SET size = %" PRIu64 ";"
		 "UPDATE log SET sent = size, checkpoint_size = size,"
		 "  sent_time = %" PRId64 ", checkpoint_time = sent_time;"
		 "INSERT INTO type VALUES ('%s', %" PRIu64 ")",
		 count, bus_time_now(), log->type, count);
	failed = sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return failed ? bus_fail(err, BUS_E_TEMP, "cannot write to %s", path) : BUS_OK;
}

static enum bus_code make_leaves(struct log *log, uint64_t count, struct bus_err *err)
{
	struct bus_hash leaf;
	enum bus_code rc;
	uint64_t i;

	for (i = 0; i < count; i++) {
		bus_merkle_leaf(&leaf, &i, sizeof(i));
		bus_range_append(&log->range, &leaf);
	}
	rc = sign(log, err);
	return rc ? rc : set_numbers(log, count, err);
}

static enum bus_code await_confirms(struct log *log, struct bus_err *err)
{
	struct bus_outbox_state state;
	enum bus_code rc;

	for (;;) {
		rc = bus_outbox_state(log->box, &state, err);
		if (rc || state.sent == state.size)
			return rc;
		usleep(POLL_US);
	}
}

static enum bus_code feed(struct log *log, uint64_t count, uint64_t batch, struct bus_err *err)
{
	const int64_t began = bus_time_mono();
	enum bus_code rc = BUS_OK;
	uint64_t n;

	for (; !rc && count; count -= n) {
		n = count < batch ? count : batch;
		rc = append_many(log, n, err);
		if (!rc)
			rc = await_confirms(log, err);
	}
	if (!rc)
		printf("%.6f\n", (double)(bus_time_mono() - began) / 1e6);
	return rc;
}

static enum bus_code open_log(struct log *log, const char *service, struct bus_err *err)
{
	struct bus_outbox_params params = { .create = true, .wait_ms = 30000 };
	enum bus_code rc;

	rc = bus_conf_load(&log->conf, NULL, err);
	if (!rc)
		rc = bus_conf_service(log->conf, service, &log->service, err);
	if (rc)
		return rc;
	snprintf(log->type, sizeof(log->type), "org.debian.%s.%s.upload.accept",
		 log->conf->environment, service);
	log->directory = bus_conf_outbox_dir(log->conf, service);
	if (!log->directory)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	params.directory = log->directory;
	params.name = log->service->origin;
	params.environment = log->conf->environment;
	params.service = service;
	params.max_event_size = log->conf->max_event_size;
	return bus_outbox_open(&log->box, &params, err);
}

static enum bus_code run(struct log *log, int argc, char **argv, struct bus_err *err)
{
	const uint64_t count = strtoull(argv[3], NULL, 10);
	enum bus_code rc;

	rc = open_log(log, argv[2], err);
	if (rc)
		return rc;
	if (!strcmp(argv[1], "leaves"))
		return make_leaves(log, count, err);
	log->size = strtoul(argv[argc - 1], NULL, 10);
	if (log->size > SIZE_MAX_BYTES)
		return bus_fail(err, BUS_E_USAGE, "%zu bytes are too many", log->size);
	rc = fit_size(log, err);
	if (!rc && !strcmp(argv[1], "rows"))
		return make_rows(log, count, err);
	return rc ? rc : feed(log, count, strtoull(argv[4], NULL, 10), err);
}

int main(int argc, char **argv)
{
	static struct log log;
	struct bus_err err = { BUS_OK, "" };
	enum bus_code rc;

	if (!(argc == 4 && !strcmp(argv[1], "leaves")) &&
	    !(argc == 5 && !strcmp(argv[1], "rows")) && !(argc == 6 && !strcmp(argv[1], "feed"))) {
		fputs("usage: see the top of tests/bench/outbox.c\n", stderr);
		return EX_USAGE;
	}
	rc = run(&log, argc, argv, &err);
	if (rc)
		fprintf(stderr, "outbox: %s\n", err.text);
	bus_outbox_close(log.box);
	free(log.directory);
	bus_conf_free(log.conf);
	return bus_code_info[rc].exit_status;
}
