#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit.h"
#include "audit_queue.h"
#include "check.h"
#include "evidence.h"
#include "holes.h"
#include "inbox.h"
#include "repeats.h"
#include "timestamp.h"

#define LOG_A "ftp-master.example/dak/20261122T101500Z"
#define LOG_B "wiki.example/wiki/20261122T101500Z"
#define EDIT "org.debian.dev.wiki.page.edit"
#define CHECKPOINT "org.debian.dev.wiki.bus.checkpoint"

static struct bus_hash leaf_of(const char *body)
{
	struct bus_hash leaf;

	bus_merkle_leaf(&leaf, body, strlen(body));
	return leaf;
}

/* "1..3, 7..7" */
static void check_holes(const struct bus_holes *holes, const char *expected)
{
	char text[200] = "";
	size_t i, len = 0;

	for (i = 0; i < holes->count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%" PRIu64 "..%" PRIu64,
					i ? ", " : "", holes->hole[i].from, holes->hole[i].to);
	CHECK_TEXT(text, expected);
}

static void holes_close_from_both_ends_and_in_the_middle(void)
{
	struct bus_holes holes = { 0 };

	CHECK(!bus_holes_has(&holes, 0));
	CHECK(bus_holes_add(&holes, 10, 14) && bus_holes_add(&holes, 20, 20));
	CHECK(bus_holes_add(&holes, 2, 5)); /* before the others */
	check_holes(&holes, "2..5, 10..14, 20..20");
	CHECK(bus_holes_has(&holes, 10) && bus_holes_has(&holes, 14) && bus_holes_has(&holes, 2));
	CHECK(!bus_holes_has(&holes, 9) && !bus_holes_has(&holes, 15) &&
	      !bus_holes_has(&holes, 21));
	CHECK(bus_holes_fill(&holes, 12));
	check_holes(&holes, "2..5, 10..11, 13..14, 20..20");
	CHECK(bus_holes_fill(&holes, 13) && bus_holes_fill(&holes, 11) &&
	      bus_holes_fill(&holes, 20));
	check_holes(&holes, "2..5, 10..10, 14..14");
	CHECK(bus_holes_fill(&holes, 10) && bus_holes_fill(&holes, 2));
	check_holes(&holes, "3..5, 14..14");
	bus_holes_finish(&holes);
}

static void check_repeat(struct bus_repeats *repeats, const char *source, uint64_t id,
			 const char *body, enum bus_seen expected)
{
	const struct bus_hash leaf = leaf_of(body);
	enum bus_seen seen = BUS_SEEN_NEW;
	struct bus_err err;

	CHECK_CODE(bus_repeats_look(repeats, source, id, &leaf, &seen, &err), BUS_OK, &err);
	CHECK_ROW(seen == expected, "%s/%" PRIu64 " is %d", source, id, (int)seen);
}

static void a_repeat_is_known_by_log_and_index(void)
{
	struct bus_repeats *repeats = bus_repeats_new();
	uint64_t i;

	CHECK_NEED(repeats != NULL);
	for (i = 0; i < 200; i++) /* pages come in no order */
		check_repeat(repeats, LOG_A, i * 7919 % 200 * 700, "one", BUS_SEEN_NEW);
	for (i = 0; i < 200; i++)
		check_repeat(repeats, LOG_A, i * 700, "one", BUS_SEEN_REPEAT);
	check_repeat(repeats, LOG_A, 701, "one", BUS_SEEN_NEW);
	check_repeat(repeats, LOG_B, 700, "one", BUS_SEEN_NEW);
	check_repeat(repeats, LOG_A, 700, "two", BUS_SEEN_OTHER);
	check_repeat(repeats, LOG_A, 700, "one", BUS_SEEN_REPEAT);
	check_repeat(repeats, LOG_A, INT64_MAX, "one", BUS_SEEN_NEW);
	check_repeat(repeats, LOG_A, INT64_MAX, "one", BUS_SEEN_REPEAT);
	bus_repeats_free(repeats);
}

/* Keeps two notes; the caller frees the path. */
static char *keep(const char *state, const char *one, const char *other)
{
	const struct bus_evidence evidence = {
		LOG_A, { { 3, one, strlen(one) }, { 7, other, strlen(other) } }
	};
	struct bus_err err;
	char *path = NULL;

	CHECK_CODE(bus_evidence_keep(state, &evidence, &path, &err), BUS_OK, &err);
	CHECK_NEED(path != NULL);
	return path;
}

static void evidence_is_never_written_over(void)
{
	char *state = check_path("evidence"), *first, *again, *other, *text;
	struct stat st;
	size_t len;

	first = keep(state, "one\n", "two\n");
	again = keep(state, "one\n", "two\n");
	other = keep(state, "one\n", "three\n");
	CHECK_TEXT(again, first);
	CHECK(strcmp(other, first) != 0);
	text = check_read(first, &len);
	CHECK_TEXT(text, "one\n\ntwo\n");
	free(text);
	text = check_read(other, &len);
	CHECK_TEXT(text, "one\n\nthree\n");
	free(text);
	CHECK(stat(first, &st) == 0 && (st.st_mode & 0777) == 0600);
	*strrchr(first, '/') = '\0';
	CHECK(stat(first, &st) == 0 && (st.st_mode & 0777) == 0700);
	free(first);
	free(again);
	free(other);
	free(state);
}

static void evidence_that_cannot_be_kept_is_named(void)
{
	const struct bus_evidence evidence = { LOG_A, { { 3, "1", 1 }, { 7, "2", 1 } } };
	char *state = check_path("no-directory"), *path = NULL;
	struct bus_err err;

	check_write(state, 0600, "a file");
	CHECK_CODE(bus_evidence_keep(state, &evidence, &path, &err), BUS_E_TEMP, &err);
	CHECK_SAYS(&err, "evidence: cannot make ");
	CHECK(!path);
	free(state);
}

/* -- the whole log -- */

/*
 * Event `id` under the checkpoint of the first `size` events, in a log whose
 * events are "<id>"; from event `fork` on they are "<id>'".
 */
static void history_of_log(struct bus_audit *audit, uint64_t id, uint64_t size, uint64_t fork)
{
	struct bus_event event = { .source = (char *)(uintptr_t)LOG_A, .id = id };
	struct bus_hash *leaf = calloc(size, sizeof(*leaf));
	struct bus_range range = { 0 };
	struct bus_proof proof = { .index = id };
	struct bus_belief told = { .event = &event, .proof = &proof };
	struct bus_batch *batch;
	char body[32];
	struct bus_err err;
	uint64_t i;

	CHECK_NEED(leaf != NULL);
	for (i = 0; i < size; i++) {
		snprintf(body, sizeof(body), "%" PRIu64 "%s", i, i < fork ? "" : "'");
		leaf[i] = leaf_of(body);
	}
	batch = bus_batch_new(&range, leaf, size);
	CHECK_NEED(batch != NULL);
	proof.path_len = bus_batch_path(batch, id, proof.path);
	told.leaf = leaf[id];
	snprintf(proof.checkpoint.origin, sizeof(proof.checkpoint.origin), "%s", LOG_A);
	proof.checkpoint.size = size;
	bus_path_root(&proof.checkpoint.root, &leaf[id], id, size, proof.path);
	CHECK_CODE(bus_audit_event(audit, &told, &err), BUS_OK, &err);
	bus_batch_free(batch);
	free(leaf);
}

static void honest(struct bus_audit *audit, uint64_t from, uint64_t size)
{
	for (; from < size; from++)
		history_of_log(audit, from, size, UINT64_MAX);
}

struct verdict {
	uint64_t first, last, events, unproved;
	const char *missing;
	bool equivocation;
	int calls;
};

static void check_verdict(void *arg, const struct bus_audit_finding *f)
{
	struct verdict *v = arg;

	v->calls++;
	CHECK_ROW(f->equivocation == v->equivocation, "equivocation: %s", f->text);
	CHECK_ROW(f->first == v->first && f->last == v->last, "%" PRIu64 "..%" PRIu64, f->first,
		  f->last);
	CHECK_ROW(f->events == v->events, "%" PRIu64 " events", f->events);
	CHECK_ROW(f->unproved == v->unproved, "%" PRIu64 " unproved", f->unproved);
	check_holes(f->missing, v->missing);
}

static void judge(struct bus_audit *audit, struct verdict verdict)
{
	struct bus_err err;

	CHECK_CODE(bus_audit_findings(audit, check_verdict, &verdict, &err), BUS_OK, &err);
	CHECK(verdict.calls == 1);
	bus_audit_free(audit);
}

/* Anybody who may publish can send what everybody could read. */
static void an_old_message_sent_again_convicts_nobody(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	honest(audit, 20, 25); /* retention has cut what was before */
	honest(audit, 25, 30);
	history_of_log(audit, 19, 20, UINT64_MAX);
	history_of_log(audit, 3, 10, UINT64_MAX);
	/* 19 with what was before it is the tree before 20; of 3 nobody can tell */
	judge(audit, (struct verdict){ 19, 29, 11, 1, "", false, 0 });
}

/* A history that was lost is sent again behind what came since. */
static void what_is_sent_again_before_the_first_is_proved(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	honest(audit, 20, 25);
	honest(audit, 0, 10);
	honest(audit, 25, 30);
	honest(audit, 10, 15);
	honest(audit, 12, 15); /* the relay died and began anew */
	honest(audit, 15, 20);
	judge(audit, (struct verdict){ 0, 29, 30, 0, "", false, 0 });
}

static void pieces_may_come_in_any_order(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	honest(audit, 20, 30);
	honest(audit, 12, 20);
	honest(audit, 5, 12);
	honest(audit, 0, 5);
	judge(audit, (struct verdict){ 0, 29, 30, 0, "", false, 0 });
}

static void a_piece_with_a_hole_counts_from_there_on(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	honest(audit, 20, 30);
	honest(audit, 0, 5);
	honest(audit, 8, 20);
	judge(audit, (struct verdict){ 8, 29, 22, 5, "", false, 0 });
}

static void a_piece_of_another_tree_counts_for_nothing(void)
{
	struct bus_audit *audit = bus_audit_new();
	uint64_t id;

	CHECK_NEED(audit != NULL);
	honest(audit, 20, 30);
	for (id = 0; id < 20; id++)
		history_of_log(audit, id, 20, 5);
	judge(audit, (struct verdict){ 20, 29, 10, 20, "", false, 0 });
}

static void what_was_refused_takes_its_place_before_the_first(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	honest(audit, 3, 5);
	honest(audit, 5, 8);
	history_of_log(audit, 2, 5, UINT64_MAX);
	history_of_log(audit, 0, 5, UINT64_MAX);
	history_of_log(audit, 1, 9, UINT64_MAX); /* a newer checkpoint */
	honest(audit, 8, 9);
	judge(audit, (struct verdict){ 0, 8, 9, 0, "", false, 0 });
}

enum { FAR = 5000 /* more than the audit waits for */ };

/* Checkpoint 6 ended in a hole, so nobody can tell whether it is of the same tree. */
static void a_hole_that_is_filled_late_convicts_nobody(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	history_of_log(audit, 0, 3, UINT64_MAX);
	honest(audit, 1, 3);
	history_of_log(audit, 3, 6, UINT64_MAX);
	history_of_log(audit, FAR, FAR + 1, UINT64_MAX); /* 4 to FAR - 1 are given up */
	history_of_log(audit, 4, FAR + 2, UINT64_MAX);
	history_of_log(audit, 5, 6, UINT64_MAX);
	history_of_log(audit, FAR + 1, FAR + 2, UINT64_MAX);
	judge(audit, (struct verdict){ 0, FAR + 1, 7, 1, "5..4999", false, 0 });
}

static void a_hole_is_filled_by_a_piece_that_comes_late(void)
{
	struct bus_audit *audit = bus_audit_new();
	uint64_t id;

	CHECK_NEED(audit != NULL);
	honest(audit, 0, 4);
	history_of_log(audit, FAR, FAR + 1, UINT64_MAX); /* 4 to FAR - 1 are given up */
	history_of_log(audit, FAR + 4500, FAR + 4501, UINT64_MAX);
	for (id = FAR - 10; id < FAR; id++)
		history_of_log(audit, id, FAR, UINT64_MAX);
	judge(audit, (struct verdict){ 0, FAR + 4500, 16, 0, "4..4989, 5001..9499", false, 0 });
}

static void another_history_after_a_hole_is_seen(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	honest(audit, 0, 5);
	history_of_log(audit, 6, 7, 2);
	judge(audit, (struct verdict){ 0, 6, 6, 0, "5..5", true, 0 });
}

static void another_body_for_an_event_is_seen(void)
{
	struct bus_audit *audit = bus_audit_new();

	CHECK_NEED(audit != NULL);
	honest(audit, 0, 5);
	honest(audit, 5, 8);
	history_of_log(audit, 2, 6, 2);
	judge(audit, (struct verdict){ 0, 7, 8, 0, "", true, 0 });
}

/* -- a queue -- */

static struct bus_ledger *new_ledger(const char *state, const char *pattern, int64_t since_us)
{
	struct bus_ledger *ledger = NULL;
	struct bus_err err;

	CHECK_CODE(bus_ledger_open(&ledger, state, "qa.test", true, &err), BUS_OK, &err);
	CHECK_NEED(ledger != NULL);
	CHECK_CODE(bus_ledger_pattern(ledger, pattern, false, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_set_since(ledger, since_us, &err), BUS_OK, &err);
	return ledger;
}

static void had(struct bus_ledger *ledger, const char *source, uint64_t id, const char *body)
{
	const struct bus_hash leaf = leaf_of(body);
	struct bus_err err;

	CHECK_CODE(bus_ledger_note(ledger, source, id, &leaf, &err), BUS_OK, &err);
}

static struct bus_audit_queue *open_audit(const char *state, struct bus_ledger *ledger)
{
	struct bus_audit_queue *q = NULL;
	struct bus_err err;

	CHECK_CODE(bus_ledger_commit(ledger, &err), BUS_OK, &err);
	CHECK_CODE(bus_audit_queue_open(&q, state, "qa.test", &err), BUS_OK, &err);
	CHECK_NEED(q != NULL);
	return q;
}

/* The history has event `id`, which happened in second `time_s` of 1970. */
static void history_has(struct bus_audit_queue *q, const char *source, uint64_t id,
			const char *type, const char *subject, int64_t time_s)
{
	char time[BUS_TIME_LEN + 1];
	struct bus_event event = { .source = (char *)(uintptr_t)source,
				   .id = id,
				   .type = (char *)(uintptr_t)type,
				   .subject = (char *)(uintptr_t)subject,
				   .time = time,
				   .typesequence = id + 1 };
	const struct bus_belief belief = { .event = &event, .leaf = leaf_of("body") };
	struct bus_err err;

	bus_time_format(time, time_s * 1000000);
	CHECK_CODE(bus_audit_queue_event(q, &belief, &err), BUS_OK, &err);
}

struct expected {
	const char *origin, *missing, *after;
	uint64_t had, others;
	int calls;
};

static void check_finding(void *arg, const struct bus_audit_queue_finding *f)
{
	struct expected *expected = arg;

	if (strcmp(f->origin, expected->origin) != 0)
		return;
	expected->calls++;
	check_holes(f->missing, expected->missing);
	check_holes(f->after, expected->after);
	CHECK(f->had == expected->had);
	CHECK(f->others == expected->others);
}

static void check_audit(struct bus_audit_queue *q, struct expected *expected, uint64_t in_queue)
{
	uint64_t after = 0;
	struct bus_err err;

	CHECK_CODE(bus_audit_queue_findings(q, check_finding, expected, &after, &err), BUS_OK,
		   &err);
	CHECK_ROW(expected->calls == 1, "%d findings of the log", expected->calls);
	CHECK_ROW(after == in_queue, "%" PRIu64 " should be in the queue", after);
}

static void what_was_wanted_and_not_had_is_missing(void)
{
	struct expected expected = { LOG_B, "2..6, 10..10", "14..15", 4, 0, 0 };
	char *state = check_path("queue");
	struct bus_ledger *ledger = new_ledger(state, "org.debian.*.*.*.*.FrontPage", 1000000000);
	struct bus_audit_queue *q;
	uint64_t id;

	had(ledger, LOG_B, 1, "body");
	had(ledger, LOG_B, 8, "body");
	had(ledger, LOG_B, 9, "body");
	had(ledger, LOG_B, 12, "body");
	q = open_audit(state, ledger);
	CHECK(bus_audit_queue_since(q) == 1000000000);
	history_has(q, LOG_B, 0, EDIT, "FrontPage", 999); /* before its time */
	for (id = 1; id <= 15; id++)			  /* those of other pages lie between */
		history_has(q, LOG_B, id, EDIT,
			    id == 3 || id == 7 || id == 11 || id == 13 ? "Other" : "FrontPage",
			    id == 5 ? 100 : 1000);
	history_has(q, LOG_B, 6, EDIT, "FrontPage", 1000); /* sent twice */
	history_has(q, LOG_B, 16, CHECKPOINT, NULL, 1000); /* for the program, not for its user */
	history_has(q, LOG_A, 1, "org.debian.dev.dak.upload.accept", "hello", 1000);
	check_audit(q, &expected, 3);
	bus_audit_queue_close(q);
	bus_ledger_close(ledger);
	free(state);
}

static void an_event_that_came_late_takes_its_place(void)
{
	struct expected expected = { LOG_B, "3..3", "", 4, 0, 0 };
	char *state = check_path("late");
	struct bus_ledger *ledger = new_ledger(state, "#", 0);
	static const uint64_t order[] = { 0, 2, 4, 1, 3 };
	struct bus_audit_queue *q;
	size_t i;

	for (i = 0; i < 5; i++)
		if (i != 3)
			had(ledger, LOG_B, i, "body");
	q = open_audit(state, ledger);
	for (i = 0; i < 5; i++)
		history_has(q, LOG_B, order[i], EDIT, "FrontPage", 1000);
	check_audit(q, &expected, 0);
	bus_audit_queue_close(q);
	bus_ledger_close(ledger);
	free(state);
}

static void the_place_in_its_type_makes_an_old_event_ours(void)
{
	const struct bus_ledger_position position = { .last = 4, .time_us = 500 };
	struct expected expected = { LOG_B, "", "4..5", 1, 0, 0 };
	char *state = check_path("place");
	struct bus_ledger *ledger = new_ledger(state, "#", 1000000000);
	struct bus_audit_queue *q;
	struct bus_err err;
	uint64_t id;

	CHECK_CODE(bus_ledger_advance(ledger, LOG_B, EDIT, &position, &err), BUS_OK, &err);
	had(ledger, LOG_B, 3, "body");
	q = open_audit(state, ledger);
	for (id = 0; id < 6; id++)
		history_has(q, LOG_B, id, EDIT, "FrontPage", 10); /* a clock that is wrong */
	check_audit(q, &expected, 2);
	bus_audit_queue_close(q);
	bus_ledger_close(ledger);
	free(state);
}

static void another_body_is_told_of(void)
{
	struct expected expected = { LOG_B, "", "", 1, 1, 0 };
	char *state = check_path("other");
	struct bus_ledger *ledger = new_ledger(state, "#", 0);
	struct bus_audit_queue *q;

	had(ledger, LOG_B, 0, "another body");
	q = open_audit(state, ledger);
	history_has(q, LOG_B, 0, EDIT, "FrontPage", 10);
	check_audit(q, &expected, 0);
	bus_audit_queue_close(q);
	bus_ledger_close(ledger);
	free(state);
}

static void a_queue_without_ledger_is_refused(void)
{
	struct bus_audit_queue *q = NULL;
	char *state = check_path("none");
	struct bus_err err;

	CHECK_CODE(bus_audit_queue_open(&q, state, "qa.test", &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "no ledger of queue qa.test");
	free(state);
}

static const struct check_test tests[] = {
	{ "holes close from both ends and in the middle",
	  holes_close_from_both_ends_and_in_the_middle },
	{ "a repeat is known by log and index", a_repeat_is_known_by_log_and_index },
	{ "evidence is never written over", evidence_is_never_written_over },
	{ "evidence that cannot be kept is named", evidence_that_cannot_be_kept_is_named },
	{ "an old message sent again convicts nobody", an_old_message_sent_again_convicts_nobody },
	{ "what was refused takes its place before the first",
	  what_was_refused_takes_its_place_before_the_first },
	{ "what is sent again before the first is proved",
	  what_is_sent_again_before_the_first_is_proved },
	{ "pieces may come in any order", pieces_may_come_in_any_order },
	{ "a piece with a hole counts from there on", a_piece_with_a_hole_counts_from_there_on },
	{ "a piece of another tree counts for nothing",
	  a_piece_of_another_tree_counts_for_nothing },
	{ "a hole is filled by a piece that comes late",
	  a_hole_is_filled_by_a_piece_that_comes_late },
	{ "a hole that is filled late convicts nobody",
	  a_hole_that_is_filled_late_convicts_nobody },
	{ "another history after a hole is seen", another_history_after_a_hole_is_seen },
	{ "another body for an event is seen", another_body_for_an_event_is_seen },
	{ "what was wanted and not had is missing", what_was_wanted_and_not_had_is_missing },
	{ "an event that came late takes its place", an_event_that_came_late_takes_its_place },
	{ "the place in its type makes an old event ours",
	  the_place_in_its_type_makes_an_old_event_ours },
	{ "another body is told of", another_body_is_told_of },
	{ "a queue without ledger is refused", a_queue_without_ledger_is_refused },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("audit", tests);
}
