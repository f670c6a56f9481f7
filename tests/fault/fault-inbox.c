#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faulty_disk.h"
#include "inbox.h"

/*
 * Every write, sync and truncate of the inbox fails in turn: once, and from then
 * on for ever.  What was said to be in it is in it when the disk works again;
 * what was said to have ended well is gone, and not run again; nothing is said to
 * be running that nobody tried to begin; and the rest is worked off in order.
 */
enum { ITEMS = 6 };

static char directory[200];
static bool told_in[ITEMS + 1], tried[ITEMS + 1], told_done[ITEMS + 1]; /* by number */
static bool end_failed[ITEMS + 1]; /* it may have been heard all the same */
static int failures;

static void complain(const char *what, int number)
{
	printf("call %ld fails%s: %s: item %d\n", faulty_fail_at,
	       faulty_for_ever ? " for ever" : "", what, number);
	failures++;
}

static void check_code(const char *what, enum bus_code rc)
{
	if (rc && rc != BUS_E_NO && rc != BUS_E_TEMP && rc != BUS_E_NOMEM && rc != BUS_E_CONFIG)
		complain(what, (int)rc);
}

static enum bus_code put(struct bus_ledger *ledger, int i)
{
	char source[] = "a.example/dak/20261122T101500Z", text[] = "text";
	char subject[2] = { (char)('a' + i % 2), '\0' };
	struct bus_event ev = { .source = source, .id = (uint64_t)i, .subject = subject };
	struct bus_message m = {
		.routing_key = text, .body = text, .body_len = 4, .proof = text, .proof_len = 4
	};
	const struct bus_belief belief = { .event = &ev };
	enum bus_code rc = bus_inbox_put(ledger, &belief, &m, NULL);

	return rc ? rc : bus_ledger_commit(ledger, NULL);
}

/* As a keeper does: it says the outcome until it was heard. */
static void end(struct bus_ledger *ledger, int number, enum bus_inbox_outcome outcome)
{
	const struct bus_inbox_end e = { .outcome = outcome, .reason = "r" };
	enum bus_code rc = BUS_E_TEMP;
	int attempt;

	for (attempt = 0; attempt < 3 && rc && rc != BUS_E_NO; attempt++) {
		rc = bus_inbox_end(ledger, number, &e, NULL);
		check_code("end", rc);
	}
	if (outcome == BUS_INBOX_DONE) {
		told_done[number] = !rc || rc == BUS_E_NO;
		end_failed[number] = !told_done[number];
	}
}

static void work_off(struct bus_ledger *ledger)
{
	struct bus_inbox_item *item = NULL;
	int64_t number = 0, wait_us, rounds;
	enum bus_code rc = BUS_OK;

	for (rounds = 0; !rc && rounds < 3 * ITEMS; rounds++) {
		rc = bus_inbox_next(ledger, 0, NULL, &number, &wait_us, NULL);
		check_code("next", rc);
		if (rc)
			break;
		tried[number] = true;
		rc = bus_inbox_begin(ledger, number, &item, NULL);
		check_code("begin", rc);
		if (rc)
			continue;
		end(ledger, (int)number,
		    number % 3 == 0 && !item->tries ? BUS_INBOX_AGAIN : BUS_INBOX_DONE);
		bus_inbox_item_free(item);
	}
}

static void work(void)
{
	struct bus_ledger *ledger = NULL;
	enum bus_code rc = bus_ledger_open(&ledger, directory, "q", true, NULL);
	int i;

	check_code("open", rc);
	for (i = 1; !rc && i <= ITEMS; i++) {
		rc = put(ledger, i);
		check_code("put", rc);
		told_in[i] = !rc;
	}
	if (!rc)
		work_off(ledger);
	bus_ledger_close(ledger);
}

/* -- afterwards, on a disk that works -- */

static void check_states(struct bus_ledger *ledger, bool there[ITEMS + 1])
{
	uint64_t counts[BUS_INBOX_FAILED + 1] = { 0 };
	struct bus_inbox_item *item;
	int state, found;
	int64_t number;

	if (bus_inbox_count(ledger, counts, NULL))
		complain("cannot be counted", 0);
	for (state = 0; state <= BUS_INBOX_FAILED; state++) {
		number = found = 0;
		while (!bus_inbox_find(ledger, (enum bus_inbox_state)state, number, &item, NULL)) {
			number = item->number;
			bus_inbox_item_free(item);
			found++;
			there[number] = true;
			if (state == BUS_INBOX_RUNNING && !tried[number])
				complain("runs, though nobody began it", (int)number);
			if (state == BUS_INBOX_RUNNING && bus_inbox_unsure(ledger, number, 0, NULL))
				complain("cannot be made to wait again", (int)number);
			if (state == BUS_INBOX_WAITING && end_failed[number])
				complain("its end was not heard, and it is not unsure",
					 (int)number);
		}
		if ((uint64_t)found != counts[state])
			complain("the count is wrong for a state", state);
	}
}

static void check_after(void)
{
	bool there[ITEMS + 1] = { false };
	struct bus_ledger *ledger = NULL;
	uint64_t counts[BUS_INBOX_FAILED + 1] = { 0 };
	int i;

	if (bus_ledger_open(&ledger, directory, "q", true, NULL)) {
		complain("cannot be opened again", 0);
		return;
	}
	check_states(ledger, there);
	for (i = 1; i <= ITEMS; i++) {
		if (told_in[i] && !told_done[i] && !end_failed[i] && !there[i])
			complain("is lost", i);
		if (told_done[i] && there[i])
			complain("would be run again", i);
	}
	work_off(ledger);
	if (bus_inbox_count(ledger, counts, NULL) || counts[0] || counts[1] || counts[2])
		complain("not all can be worked off", (int)counts[0]);
	bus_ledger_close(ledger);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* Returns false when there was nothing left to fail. */
static bool run_one(long at)
{
	bool injected;

	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	memset(told_in, 0, sizeof(told_in));
	memset(tried, 0, sizeof(tried));
	memset(told_done, 0, sizeof(told_done));
	memset(end_failed, 0, sizeof(end_failed));
	faulty_calls = 0;
	faulty_fail_at = at;
	work();
	injected = faulty_calls >= at;
	faulty_fail_at = 0;
	check_after();
	return injected;
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	long points = 0, at;

	snprintf(directory, sizeof(directory), "%s/fault-inbox.%d", tmp ? tmp : "/tmp",
		 (int)getpid());
	faulty_disk_use();
	for (at = 1; run_one(at); at++)
		points++;
	faulty_for_ever = true;
	for (at = 1; run_one(at); at++)
		points++;
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	printf("%ld fault points, %d failures\n", points, failures);
	if (points < 100) {
		printf("that is too few to mean anything\n");
		return 1;
	}
	return failures != 0;
}
