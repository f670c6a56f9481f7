#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "faulty_disk.h"
#include "outbox.h"

/*
 * Every write, sync and truncate of the outbox fails in turn: once, and from
 * then on for ever.  Whatever an adapter was told is in the outbox is there
 * when the disk works again, whole and once, and the log goes on without a gap.
 */
/* -- the adapter, and what it was told -- */

enum { EVENTS = 12 };

static char directory[200];
static bool told[EVENTS]; /* event i was acknowledged */
static int failures;	  /* of this run */

static void complain(const char *what, const char *text)
{
	printf("call %ld fails%s: %s: %s\n", faulty_fail_at, faulty_for_ever ? " for ever" : "",
	       what, text);
	failures++;
}

static enum bus_code open_box(struct bus_outbox **ret, struct bus_err *err)
{
	const struct bus_outbox_params params = {
		.directory = directory,
		.name = "a/dak",
		.environment = "dev",
		.service = "dak",
		.max_event_size = BUS_BODY_MAX_DEFAULT,
		.create = true,
		.wait_ms = 100,
	};

	return bus_outbox_open(ret, &params, err);
}

/* Two events and the cursor in one transaction, as an adapter does; `i` is the first one's number.
 */
static enum bus_code put(struct bus_outbox *box, int i, uint64_t *id, struct bus_err *err)
{
	static const char data[] = "{\"summary\":\"s\"}";
	char subject[20], cursor[20];
	struct bus_draft draft = { "org.debian.dev.dak.upload.accept", subject, 0, data,
				   sizeof(data) - 1 };
	enum bus_code rc;
	int k;

	rc = bus_outbox_begin(box, err);
	for (k = 0; !rc && k < 2; k++) {
		snprintf(subject, sizeof(subject), "event-%d", i + k);
		rc = bus_outbox_append(box, &draft, id, err);
	}
	snprintf(cursor, sizeof(cursor), "event-%d", i + 1);
	if (!rc)
		rc = bus_outbox_cursor_set(box, "last", cursor, strlen(cursor), err);
	if (!rc)
		rc = bus_outbox_commit(box, err);
	if (rc)
		bus_outbox_rollback(box);
	return rc;
}

static void check_code(const char *what, enum bus_code rc, const struct bus_err *err)
{
	/* never bad data, and never our bug: the disk failed */
	if (rc && rc != BUS_E_TEMP && rc != BUS_E_NOMEM && rc != BUS_E_CONFIG)
		complain(what, bus_code_info[rc].name);
	if (rc && rc != err->code)
		complain("code and error differ", err->text);
}

static void work(void)
{
	struct bus_outbox *box = NULL;
	struct bus_err err;
	enum bus_code rc;
	uint64_t id;
	int i;

	rc = open_box(&box, &err);
	check_code("open", rc, &err);
	for (i = 0; box && i < EVENTS; i += 2) {
		rc = put(box, i, &id, &err);
		check_code("append", rc, &err);
		told[i] = told[i + 1] = rc == BUS_OK;
	}
	bus_outbox_close(box);
}

/* -- afterwards, on a disk that works -- */

struct found {
	uint64_t next;
	int last; /* number of the last event */
	bool there[EVENTS];
};

static enum bus_code look(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	struct found *found = arg;
	struct bus_event *parsed = NULL;
	int i = -1;

	if (bus_event_parse(&parsed, ev->body, ev->body_len, err)) {
		complain("a damaged event", err->text);
		return BUS_E_NO;
	}
	if (ev->id != found->next || parsed->id != ev->id || parsed->typesequence != ev->id + 1)
		complain("a gap", parsed->subject);
	if (sscanf(parsed->subject, "event-%d", &i) != 1 || i < 0 || i >= EVENTS || found->there[i])
		complain("twice, or never sent", parsed->subject);
	else
		found->there[found->last = i] = true;
	found->next = ev->id + 1;
	bus_event_free(parsed);
	return BUS_OK;
}

static void check_cursor(struct bus_outbox *box, const struct found *found)
{
	char expected[20] = "", *cursor = NULL;
	struct bus_err err;
	size_t len;

	if (found->next)
		snprintf(expected, sizeof(expected), "event-%d", found->last);
	if (bus_outbox_cursor_get(box, "last", &cursor, &len, &err))
		complain("the cursor cannot be read", err.text);
	else if (strcmp(cursor ? cursor : "", expected) != 0)
		complain("the cursor is not the last event's", cursor ? cursor : "none");
	free(cursor);
}

static void check_goes_on(struct bus_outbox *box, uint64_t size)
{
	struct bus_err err;
	uint64_t id = 0;

	if (put(box, EVENTS, &id, &err))
		complain("no append afterwards", err.text);
	else if (id != size + 1)
		complain("a gap afterwards", "");
}

static void check_after(void)
{
	struct bus_outbox_state state = { .size = 0 };
	struct found found = { .last = -1 };
	struct bus_outbox *box = NULL;
	struct bus_err err;
	int i;

	if (open_box(&box, &err)) {
		complain("cannot be opened again", err.text);
		return;
	}
	if (bus_outbox_each(box, 0, INT64_MAX, look, &found, &err))
		complain("cannot be read", err.text);
	if (bus_outbox_state(box, &state, &err) || state.size != found.next)
		complain("the log's size is not that of its events", "");
	for (i = 0; i < EVENTS; i++) {
		if (told[i] && !found.there[i])
			complain("an acknowledged event is lost", "");
		if (i % 2 == 0 && found.there[i] != found.there[i + 1])
			complain("half a transaction", "");
	}
	check_cursor(box, &found);
	check_goes_on(box, state.size);
	bus_outbox_close(box);
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
	long kept = at;

	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	memset(told, 0, sizeof(told));
	faulty_calls = 0;
	faulty_fail_at = at;
	work();
	injected = faulty_calls >= at;
	faulty_fail_at = 0;
	check_after();
	faulty_fail_at = kept;
	return injected;
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	long points = 0, at;

	snprintf(directory, sizeof(directory), "%s/fault-disk.%d", tmp ? tmp : "/tmp",
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
