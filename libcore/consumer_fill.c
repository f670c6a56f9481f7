#include "config.h"

#include "consumer_private.h"

#include "history.h"
#include "timestamp.h"

enum {
	GROUP_MAX = 250, /* messages between two commits */
	LISTEN_MS = 250
};

/* What was taken is safe, and handlers get to work on it. */
static enum bus_code settle(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc = c->options->flush(c->options->arg, err);

	if (!rc)
		rc = bus_ledger_commit(c->ledger, err);
	c->group = 0;
	bus_consumer_watch(c, false);
	return rc ? rc : bus_consumer_work(c, err);
}

static enum bus_code take_next(struct bus_consumer *c, struct bus_history *h, bool *ret_end,
			       struct bus_err *err)
{
	enum bus_history_what what;
	struct bus_message *m = NULL;
	enum bus_code rc;

	rc = bus_history_next(h, LISTEN_MS, &what, &m, err);
	if (rc)
		return rc;
	*ret_end = what == BUS_HISTORY_END;
	if (what != BUS_HISTORY_MESSAGE)
		return settle(c, err);
	c->last_us = bus_time_mono();
	if (bus_bindings_match(&c->bound, m->routing_key)) {
		rc = bus_consumer_take(c, m, BUS_FROM_HISTORY, err);
		c->group++;
	}
	bus_message_free(m);
	return !rc && c->group >= GROUP_MAX ? settle(c, err) : rc;
}

/*
 * The history was entered at a time.  Is what came first the very first message
 * that it still has, though not the first that it ever had?  Then what happened
 * between that time and this message was cut off.
 */
static enum bus_code tell_cut(struct bus_consumer *c, int64_t first_offset, struct bus_err *err)
{
	enum bus_history_what what = BUS_HISTORY_NOTHING;
	struct bus_history *h = NULL;
	struct bus_message *m = NULL;
	enum bus_code rc;

	rc = bus_history_open(&h, c->conf, BUS_STREAM_FIRST, 0, "debmsg consume: first message",
			      err);
	while (!rc && what == BUS_HISTORY_NOTHING)
		rc = bus_history_next(h, LISTEN_MS, &what, &m, err);
	if (!rc && bus_history_offset(h) == first_offset)
		bus_say(&c->options->say,
			"the history does not reach back to --since: it begins with %s; what was "
			"before that is not there any more",
			m && m->message_id ? m->message_id : "a message without id");
	bus_message_free(m);
	bus_history_close(h);
	return rc;
}

static enum bus_code read_history(struct bus_consumer *c, int64_t from_us, bool *ret_whole,
				  struct bus_err *err)
{
	const bool resume = c->resume_offset >= 0;
	struct bus_history *h = NULL;
	int64_t first_offset = -1;
	enum bus_code rc, late;
	bool end = false;

	rc = bus_history_open(&h, c->conf,
			      resume	    ? BUS_STREAM_OFFSET
			      : from_us > 1 ? BUS_STREAM_TIME
					    : BUS_STREAM_FIRST,
			      resume ? c->resume_offset : from_us, "debmsg consume: history", err);
	while (!rc && !end && !bus_consumer_limit_reached(c) && !bus_consumer_is_full(c) &&
	       !bus_consumer_pause(c, 0)) {
		rc = take_next(c, h, &end, err);
		if (first_offset < 0)
			first_offset = rc ? -1 : bus_history_offset(h);
	}
	*ret_whole = !rc && end;
	if (!rc && !end)
		c->resume_offset = bus_history_offset(h);
	c->from_first = !rc && (bus_history_from_first(h) || (resume && c->from_first));
	/* what was taken before a failure is taken */
	late = c->ledger ? settle(c, rc ? NULL : err) : BUS_OK;
	bus_history_close(h);
	if (!rc && !late && c->options->since_us && !resume && from_us > 1 && first_offset > 0)
		late = tell_cut(c, first_offset, err);
	return rc ? rc : late;
}

enum bus_code bus_consumer_fill(struct bus_consumer *c, struct bus_err *err)
{
	bool whole = false;
	int64_t from_us;
	enum bus_code rc;

	rc = bus_ledger_behind(c->ledger, &from_us, err);
	if (rc == BUS_E_NO) {
		c->behind = false;
		return BUS_OK;
	}
	if (!rc && c->resume_offset < 0)
		c->lost_some = false;
	if (!rc)
		rc = read_history(c, from_us, &whole, err);
	if (rc == BUS_E_CONFIG) {
		bus_say(&c->options->say,
			"the history cannot be read, so nothing that is missing can be fetched: %s",
			err->text);
		whole = true;
		from_us = 1;
		rc = BUS_OK;
	}
	if (rc || !whole)
		return rc;
	c->resume_offset = -1;
	/* What was not found so close may be further back. */
	if (c->lost_some && from_us > 1) {
		rc = bus_consumer_set_behind(c, 1, err);
		return rc ? rc : bus_ledger_commit(c->ledger, err);
	}
	rc = c->from_first ? bus_ledger_set_whole(c->ledger, NULL, err) : BUS_OK;
	if (!rc)
		rc = bus_ledger_set_behind(c->ledger, 0, err);
	c->behind = rc != BUS_OK;
	if (!rc)
		rc = bus_consumer_tell_missing(c, err);
	if (!rc)
		rc = bus_ledger_commit(c->ledger, err);
	return rc;
}
