#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "inbox.h"
#include "parked.h"

static struct bus_parked_message new_message(const struct bus_parking *parking,
					     struct bus_message *m)
{
	struct bus_parked_message parked = { .message = m, .parking = parking };

	bus_parked_digest(&parked);
	return parked;
}

static void a_name_is_always_the_same(void)
{
	const struct bus_parking parking = { .reason = (char *)"unsigned",
					     .queue = (char *)"qa.q" };
	struct bus_message m = { .routing_key = (char *)"org.debian.dev.dak.upload.accept.hello",
				 .body = (char *)"{}",
				 .body_len = 2 };
	struct bus_parked_message a = new_message(&parking, &m), b = new_message(&parking, &m);

	CHECK_TEXT(a.digest, b.digest);
	/* people may have written it down */
	CHECK_TEXT(a.digest, "cfbb761b75c0721b763d52426a5b289e31fcf46064d8ecf410c086cd9a1b081c");
}

/* Each row differs from the first in one place, or in where one field ends. */
static void what_differs_has_another_name(void)
{
	static const struct {
		const char *queue, *reason, *id, *key, *body, *proof;
	} row[] = {
		{ "qa.q", "unsigned", "id", "key", "body", "proof" },
		{ "qa.r", "unsigned", "id", "key", "body", "proof" },
		{ "qa.q", "oversize", "id", "key", "body", "proof" },
		{ "qa.q", "unsigned", "i", "dkey", "body", "proof" },
		{ "qa.q", "unsigned", "id", "keyb", "ody", "proof" },
		{ "qa.q", "unsigned", "id", "key", "bodyp", "roof" },
		{ "qa.q", "unsigned", "id", "key", "body", "" },
		{ "", "qa.qunsigned", "id", "key", "body", "proof" },
	};
	enum { ROWS = sizeof(row) / sizeof(row[0]) };
	struct bus_parked_message all[ROWS];
	size_t i, j;

	for (i = 0; i < ROWS; i++) {
		const struct bus_parking parking = { .queue = (char *)row[i].queue,
						     .reason = (char *)row[i].reason };
		struct bus_message m = { .message_id = (char *)row[i].id,
					 .routing_key = (char *)row[i].key,
					 .body = (char *)row[i].body,
					 .body_len = strlen(row[i].body),
					 .proof = (char *)row[i].proof,
					 .proof_len = strlen(row[i].proof) };

		all[i] = new_message(&parking, &m);
		for (j = 0; j < i; j++)
			CHECK_ROW(strncmp(all[i].digest, all[j].digest, BUS_PARKED_ID_LEN) != 0,
				  "rows %zu and %zu have one name", i, j);
	}
}

static void a_message_may_say_nothing(void)
{
	const struct bus_parking nothing = { 0 };
	struct bus_message m = { .routing_key = (char *)"" };
	struct bus_parked_message a = new_message(&nothing, &m);

	CHECK(strlen(a.digest) == BUS_PARKED_DIGEST_LEN);
	CHECK(strspn(a.digest, "0123456789abcdef") == BUS_PARKED_DIGEST_LEN);
}

/* -- what leaves the inbox as failed -- */

#define LOG "ftp-master.example/dak/20261122T101500Z"

static const struct bus_event event = { .source = (char *)LOG,
					.id = 7,
					.subject = (char *)"hello" };

static int64_t put_and_begin(struct bus_ledger *ledger)
{
	const struct bus_belief belief = { .event = (struct bus_event *)(uintptr_t)&event };
	const struct bus_message m = { .routing_key = (char *)"key",
				       .body = (char *)"{}",
				       .body_len = 2,
				       .proof = (char *)"proof",
				       .proof_len = 5 };
	struct bus_inbox_item *waiting = NULL, *item = NULL;
	struct bus_err err;
	int64_t number;

	CHECK_CODE(bus_inbox_put(ledger, &belief, &m, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_commit(ledger, &err), BUS_OK, &err);
	CHECK_CODE(bus_inbox_find(ledger, BUS_INBOX_WAITING, 0, &waiting, &err), BUS_OK, &err);
	CHECK_NEED(waiting != NULL);
	number = waiting->number;
	CHECK_CODE(bus_inbox_begin(ledger, number, &item, &err), BUS_OK, &err);
	bus_inbox_item_free(waiting);
	bus_inbox_item_free(item);
	return number;
}

static void end(struct bus_ledger *ledger, enum bus_inbox_outcome outcome)
{
	const struct bus_inbox_end how = { .outcome = outcome, .reason = "exit status 1" };
	const int64_t number = put_and_begin(ledger);
	struct bus_err err;

	CHECK_CODE(bus_inbox_end(ledger, number, &how, &err), BUS_OK, &err);
	if (outcome == BUS_INBOX_GAVE_UP)
		CHECK_CODE(bus_inbox_drop(ledger, number, &err), BUS_OK, &err);
}

static void what_was_given_up_comes_back_once(void)
{
	char *dir = check_path("state");
	struct bus_ledger *ledger = NULL;
	struct bus_err err;

	CHECK_CODE(bus_ledger_open(&ledger, dir, "qa.q", true, &err), BUS_OK, &err);
	CHECK_NEED(ledger != NULL);
	CHECK_CODE(bus_ledger_revive(ledger, LOG, 7, &err), BUS_E_NO, &err);

	end(ledger, BUS_INBOX_DONE);
	CHECK_CODE(bus_ledger_revive(ledger, LOG, 7, &err), BUS_E_NO, &err);

	end(ledger, BUS_INBOX_GAVE_UP);
	CHECK_CODE(bus_ledger_revive(ledger, LOG, 8, &err), BUS_E_NO, &err);
	CHECK_CODE(bus_ledger_revive(ledger, LOG, 7, &err), BUS_OK, &err);
	bus_ledger_close(ledger); /* killed before the commit: nothing has happened */
	CHECK_CODE(bus_ledger_open(&ledger, dir, "qa.q", false, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_revive(ledger, LOG, 7, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_commit(ledger, &err), BUS_OK, &err);
	CHECK_CODE(bus_ledger_revive(ledger, LOG, 7, &err), BUS_E_NO, &err);
	bus_ledger_close(ledger);
	free(dir);
}

static const struct check_test tests[] = {
	{ "a name is always the same", a_name_is_always_the_same },
	{ "what differs has another name", what_differs_has_another_name },
	{ "a message may say nothing", a_message_may_say_nothing },
	{ "what was given up comes back once", what_was_given_up_comes_back_once },
	{ NULL, NULL },
};

int main(void)
{
	return check_main("parked", tests);
}
