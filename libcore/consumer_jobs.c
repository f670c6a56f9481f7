#include "config.h"

#include "consumer_private.h"

#include "bindings.h"

bool bus_consumer_is_full(const struct bus_consumer *c)
{
	const struct bus_jobs_state *jobs = &c->counts->jobs;

	return c->jobs && jobs->waiting + jobs->running + jobs->failed >= BUS_CONSUMER_INBOX_MAX;
}

/* Those whose handler gave up: what it said goes with them. */
static enum bus_code park_failed(struct bus_consumer *c, struct bus_err *err)
{
	struct bus_inbox_item *item;
	enum bus_code rc;

	for (;;) {
		rc = bus_inbox_find(c->ledger, BUS_INBOX_FAILED, 0, &item, err);
		if (rc)
			return rc == BUS_E_NO ? BUS_OK : rc;
		bus_say(&c->options->say, "the handler gave up, %s: %s (message %s)",
			bus_consumer_kept(c), item->reason,
			item->message->message_id ? item->message->message_id : "without id");
		rc = bus_consumer_park(c, item->message, "handler-failed", item->reason,
				       item->output, item->output_len, err);
		if (!rc)
			rc = bus_consumer_await_parking(c, err);
		if (!rc)
			rc = bus_inbox_drop(c->ledger, item->number, err);
		c->counts->given_up += !rc;
		bus_inbox_item_free(item);
		if (rc)
			return rc;
	}
}

enum bus_code bus_consumer_work(struct bus_consumer *c, struct bus_err *err)
{
	struct bus_jobs_state *jobs = &c->counts->jobs;
	enum bus_code rc;

	if (!c->jobs)
		return BUS_OK;
	rc = bus_jobs_step(c->jobs, !bus_consumer_pause(c, 0), jobs, err);
	if (rc || !jobs->failed || !c->broker)
		return rc;
	rc = park_failed(c, err);
	return rc ? rc : bus_jobs_step(c->jobs, false, jobs, err);
}

enum bus_code bus_consumer_drain(struct bus_consumer *c, struct bus_err *err)
{
	const struct bus_inbox_end done = { .outcome = BUS_INBOX_DONE };
	struct bus_inbox_item *item;
	struct bus_belief belief;
	int64_t after = 0;
	enum bus_code rc;

	while (!c->jobs && !bus_consumer_limit_reached(c)) {
		rc = bus_inbox_find(c->ledger, BUS_INBOX_WAITING, after, &item, err);
		if (rc)
			return rc == BUS_E_NO ? BUS_OK : rc;
		after = item->number;
		rc = bus_intake_check(c->intake, item->message, NULL, &belief, err);
		if (!rc) {
			rc = c->options->act(c->options->arg, &belief, item->message, err);
			bus_event_free(belief.event);
			if (!rc)
				rc = c->options->flush(c->options->arg, err);
			if (!rc)
				rc = bus_inbox_end(c->ledger, item->number, &done, err);
			c->counts->events += !rc;
		} else if (bus_code_info[rc].fate == BUS_FATE_PARK) {
			/* it was believed when it was put there; its key is gone since */
			bus_say(&c->options->say, "left in the inbox: %s", err->text);
			rc = BUS_OK;
		}
		bus_inbox_item_free(item);
		if (rc)
			return rc;
	}
	return BUS_OK;
}
