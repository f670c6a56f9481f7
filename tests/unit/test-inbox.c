#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "inbox.h"

#define LOG_A "ftp-master.example/dak/20261122T101500Z"
#define LOG_B "planet.example/planet/20261122T101500Z"

static struct bus_err err;
static struct bus_ledger *ledger;
static char *dir;
static int directories;

static void open_ledger(void)
{
	CHECK_CODE(bus_ledger_open(&ledger, dir, "q", true, &err), BUS_OK, &err);
	CHECK_NEED(ledger != NULL);
}

static void new_ledger(void)
{
	dir = check_path("%d", ++directories);
	open_ledger();
}

static void open_again(void)
{
	bus_ledger_close(ledger);
	ledger = NULL;
	open_ledger();
}

static void finish(void)
{
	bus_ledger_close(ledger);
	ledger = NULL;
	free(dir);
}

static void put(const char *log, uint64_t id, const char *subject)
{
	struct bus_event ev = { .source = (char *)log, .id = id, .subject = (char *)subject };
	const struct bus_belief belief = { .event = &ev };
	char body[] = "bo\0dy", proof[] = "pr\0of", key[] = "key", message_id[] = "mid";
	struct bus_message m = { .routing_key = key,
				 .body = body,
				 .body_len = 5,
				 .proof = proof,
				 .proof_len = 5,
				 .message_id = id % 2 ? message_id : NULL };

	CHECK_CODE(bus_inbox_put(ledger, &belief, &m, &err), BUS_OK, &err);
}

static void put_now(const char *log, uint64_t id, const char *subject)
{
	put(log, id, subject);
	CHECK_CODE(bus_ledger_commit(ledger, &err), BUS_OK, &err);
}

/* The number of the next one; 0: there is none now. */
static int64_t next_at(int64_t now_us, const struct bus_inbox_taken *taken, int64_t *wait_us)
{
	int64_t number = 0, wait = -2;
	enum bus_code rc = bus_inbox_next(ledger, now_us, taken, &number, &wait, &err);

	CHECK(rc == BUS_OK || rc == BUS_E_NO);
	CHECK((rc == BUS_OK) == (number != 0));
	CHECK((rc == BUS_E_NO) == (wait != -2));
	if (wait_us)
		*wait_us = wait;
	return number;
}

static int64_t next(void)
{
	return next_at(1000, NULL, NULL);
}

static void begin(int64_t number)
{
	struct bus_inbox_item *item = NULL;

	CHECK_CODE(bus_inbox_begin(ledger, number, &item, &err), BUS_OK, &err);
	CHECK(item && item->number == number && item->state == BUS_INBOX_RUNNING);
	bus_inbox_item_free(item);
}

static void end(int64_t number, enum bus_inbox_outcome outcome, int64_t not_before_us)
{
	const struct bus_inbox_end e = { outcome, not_before_us, false, "reason", "out\0put", 7 };

	CHECK_CODE(bus_inbox_end(ledger, number, &e, &err), BUS_OK, &err);
}

static void check_counts(uint64_t waiting, uint64_t running, uint64_t failed)
{
	uint64_t counts[BUS_INBOX_FAILED + 1];

	CHECK_CODE(bus_inbox_count(ledger, counts, &err), BUS_OK, &err);
	CHECK_ROW(counts[0] == waiting && counts[1] == running && counts[2] == failed,
		  "%d waiting, %d running, %d failed", (int)counts[0], (int)counts[1],
		  (int)counts[2]);
}

static void an_item_is_what_was_received(void)
{
	struct bus_inbox_item *item = NULL;

	new_ledger();
	put_now(LOG_A, 1, "s");
	put_now(LOG_A, 2, NULL);
	open_again();
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_WAITING, 0, &item, &err), BUS_OK, &err);
	CHECK_NEED(item != NULL);
	CHECK(item->number == 1 && !item->tries && !item->unsure && !item->output_len);
	CHECK_TEXT(item->reason, "");
	CHECK_TEXT(item->message->routing_key, "key");
	CHECK_TEXT(item->message->message_id, "mid");
	CHECK(item->message->body_len == 5 && !memcmp(item->message->body, "bo\0dy", 5));
	CHECK(item->message->proof_len == 5 && !memcmp(item->message->proof, "pr\0of", 5));
	bus_inbox_item_free(item);
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_WAITING, 1, &item, &err), BUS_OK, &err);
	CHECK(item->number == 2 && !item->message->message_id);
	bus_inbox_item_free(item);
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_WAITING, 2, &item, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_FAILED, 0, &item, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_inbox_get(ledger, 3, &item, &err), BUS_E_NO, &err);
	finish();
}

static void what_is_put_waits_for_commit(void)
{
	new_ledger();
	put(LOG_A, 1, "s");
	open_again();
	check_counts(0, 0, 0);
	put_now(LOG_A, 1, "s");
	put_now(LOG_A, 1, "s");
	check_counts(1, 0, 0);
	put(LOG_A, 2, "s");
	begin(1); /* takes it along */
	open_again();
	check_counts(1, 1, 0);
	finish();
}

static void order_is_kept_for_a_subject_of_a_log(void)
{
	new_ledger();
	put_now(LOG_A, 1, "s");	 /* 1 */
	put_now(LOG_A, 2, "s");	 /* 2 */
	put_now(LOG_A, 3, "t");	 /* 3 */
	put_now(LOG_B, 1, "s");	 /* 4 */
	put_now(LOG_A, 4, NULL); /* 5 */
	put_now(LOG_A, 5, NULL); /* 6 */
	CHECK(next() == 1);
	begin(1);
	CHECK(next() == 3);
	begin(3);
	CHECK(next() == 4);
	begin(4);
	CHECK(next() == 5);
	begin(5);
	CHECK(next() == 0);
	end(5, BUS_INBOX_DONE, 0);
	CHECK(next() == 6);
	end(1, BUS_INBOX_GAVE_UP, 0); /* holds nobody back */
	CHECK(next() == 2);
	check_counts(2, 2, 1);
	CHECK_CODE(bus_inbox_drop(ledger, 2, &err), BUS_OK, &err);
	CHECK_CODE(bus_inbox_drop(ledger, 1, &err), BUS_OK, &err);
	CHECK_CODE(bus_inbox_drop(ledger, 1, &err), BUS_E_NO, &err);
	check_counts(1, 2, 0);
	put_now(LOG_A, 6, "s");
	CHECK(next() == 6);
	finish();
}

static void one_that_backs_off_holds_back_its_subject_only(void)
{
	int64_t wait = 0;

	new_ledger();
	put_now(LOG_A, 1, "s");
	put_now(LOG_A, 2, "s");
	put_now(LOG_A, 3, "t");
	begin(1);
	end(1, BUS_INBOX_AGAIN, 5000);
	CHECK(next() == 3);
	begin(3);
	CHECK(next_at(1000, NULL, &wait) == 0);
	CHECK(wait == 4000);
	CHECK(next_at(5000, NULL, NULL) == 1);
	CHECK(next_at(5000 - 700000000, NULL, NULL) == 1); /* the clock was set back */
	begin(1);
	CHECK(next_at(1000, NULL, &wait) == 0);
	CHECK(wait == -1);
	finish();
}

static void what_is_taken_is_passed_over(void)
{
	const int64_t numbers[] = { 3, 1 };
	const struct bus_inbox_taken taken = { numbers, 2 };

	new_ledger();
	put_now(LOG_A, 1, "s");
	put_now(LOG_A, 2, "s");
	put_now(LOG_A, 3, "t");
	put_now(LOG_A, 4, "u");
	CHECK(next_at(0, &taken, NULL) == 4);
	finish();
}

static void tries_are_counted_and_doubt_stays(void)
{
	const struct bus_inbox_end untried = { BUS_INBOX_AGAIN, 0, true, "none", NULL, 0 };
	struct bus_inbox_item *item = NULL;

	new_ledger();
	put_now(LOG_A, 1, "s");
	CHECK_CODE(bus_inbox_unsure(ledger, 1, 0, &err), BUS_E_NO, &err);
	begin(1);
	CHECK_CODE(bus_inbox_begin(ledger, 1, &item, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_inbox_unsure(ledger, 1, 700, &err), BUS_OK, &err);
	CHECK(next_at(600, NULL, NULL) == 0);
	begin(1);
	CHECK_CODE(bus_inbox_end(ledger, 1, &untried, &err), BUS_OK, &err);
	begin(1);
	end(1, BUS_INBOX_AGAIN, 0);
	begin(1);
	end(1, BUS_INBOX_GAVE_UP, 0);
	CHECK_CODE(bus_inbox_end(ledger, 1, &untried, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_FAILED, 0, &item, &err), BUS_OK, &err);
	CHECK(item->unsure && item->tries == 2);
	CHECK_TEXT(item->reason, "reason");
	CHECK(item->output_len == 7 && !memcmp(item->output, "out\0put", 7));
	bus_inbox_item_free(item);
	check_counts(0, 0, 1);
	finish();
}

/* -- against a simple model of it -- */

enum { ITEMS = 60, STEPS = 4000, SUBJECTS = 4 };

struct model {
	int state[ITEMS + 1]; /* by number; -1: gone, or not there yet */
	int64_t not_before[ITEMS + 1];
	int count;
};

static int subject_of(int number)
{
	return number * 7 % SUBJECTS;
}

static int64_t expected_next(const struct model *model, int64_t now)
{
	bool held[SUBJECTS] = { false };
	int i;

	for (i = 1; i <= model->count; i++) {
		if (model->state[i] != BUS_INBOX_WAITING && model->state[i] != BUS_INBOX_RUNNING)
			continue;
		if (!held[subject_of(i)] && model->state[i] == BUS_INBOX_WAITING &&
		    model->not_before[i] <= now)
			return i;
		held[subject_of(i)] = true;
	}
	return 0;
}

static void do_anything(struct model *model, int64_t now)
{
	const int i = 1 + rand() % (model->count ? model->count : 1);
	char subject[2] = { (char)('a' + subject_of(model->count + 1)), '\0' };

	if (rand() % 4 == 0 && model->count < ITEMS) {
		put_now(LOG_A, (uint64_t)++model->count, subject);
		model->state[model->count] = BUS_INBOX_WAITING;
	} else if (!model->count) {
		return;
	} else if (model->state[i] == BUS_INBOX_WAITING) {
		begin(i);
		model->state[i] = BUS_INBOX_RUNNING;
	} else if (model->state[i] == BUS_INBOX_FAILED || rand() % 40 == 0) {
		CHECK((bus_inbox_drop(ledger, i, NULL) == BUS_OK) == (model->state[i] >= 0));
		model->state[i] = -1;
	} else if (model->state[i] == BUS_INBOX_RUNNING) {
		const int how = rand() % 5;

		model->not_before[i] = now + rand() % 20;
		if (how == 4)
			CHECK(!bus_inbox_unsure(ledger, i, model->not_before[i], NULL));
		else
			end(i, how == 3 ? BUS_INBOX_AGAIN : (enum bus_inbox_outcome)how,
			    model->not_before[i]);
		model->state[i] = how == BUS_INBOX_DONE	     ? -1
				  : how == BUS_INBOX_GAVE_UP ? BUS_INBOX_FAILED
							     : BUS_INBOX_WAITING;
	}
}

static void behaves_as_its_model(void)
{
	struct model model;
	uint64_t counts[3];
	int64_t got, want;
	int step, i;

	memset(&model, 0, sizeof(model));
	srand(4);
	new_ledger();
	for (step = 0; step < STEPS; step++) {
		do_anything(&model, step);
		got = next_at(step, NULL, NULL);
		want = expected_next(&model, step);
		if (!CHECK_ROW(got == want, "step %d: %d, expected %d", step, (int)got, (int)want))
			break;
		memset(counts, 0, sizeof(counts));
		for (i = 1; i <= model.count; i++)
			if (model.state[i] >= 0)
				counts[model.state[i]]++;
		check_counts(counts[0], counts[1], counts[2]);
		if (model.count == ITEMS && !counts[0] && !counts[1]) {
			finish();
			memset(&model, 0, sizeof(model));
			new_ledger();
		}
	}
	finish();
}

/* Next to nothing, however many wait behind one of their subject. */
static void a_long_line_of_one_subject_costs_nothing(void)
{
	int i;

	new_ledger();
	for (i = 0; i < 20000; i++)
		put(LOG_A, (uint64_t)i, "s");
	CHECK_CODE(bus_ledger_commit(ledger, &err), BUS_OK, &err);
	begin(1);
	/* looking through all of them each time would take minutes */
	for (i = 0; i < 20000; i++)
		if (next())
			break;
	CHECK(i == 20000);
	finish();
}

static const struct check_test tests[] = {
	{ "an item is what was received", an_item_is_what_was_received },
	{ "what is put waits for commit", what_is_put_waits_for_commit },
	{ "order is kept for a subject of a log", order_is_kept_for_a_subject_of_a_log },
	{ "one that backs off holds back its subject only",
	  one_that_backs_off_holds_back_its_subject_only },
	{ "what is taken is passed over", what_is_taken_is_passed_over },
	{ "tries are counted and doubt stays", tries_are_counted_and_doubt_stays },
	{ "behaves as its model", behaves_as_its_model },
	{ "a long line of one subject costs nothing", a_long_line_of_one_subject_costs_nothing },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("inbox", tests);
}
