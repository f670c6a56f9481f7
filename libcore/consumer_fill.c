#include "config.h"

#include "consumer_private.h"

#include "history.h"
#include "timestamp.h"

enum { LISTEN_MS = 250 };

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
			       enum bus_code *history_rc, struct bus_err *err)
{
	enum bus_history_what what;
	struct bus_message *m = NULL;
	enum bus_code rc;

	bus_notify_tick(c->options->notify);
	rc = *history_rc = bus_history_next(h, LISTEN_MS, &what, &m, err);
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
	return !rc && c->group >= BUS_CONSUMER_GROUP_MAX ? settle(c, err) : rc;
}

/* --since asks for more than there is. */
static void tell_cut(struct bus_consumer *c, const struct bus_history *h)
{
	if (!c->told_cut && c->options->since_us && bus_history_offset(h) >= 0 &&
	    bus_history_cut(h))
		bus_say(&c->options->say, "the history does not reach back to --since: the broker "
					  "has let go of its beginning");
	c->told_cut = c->told_cut || bus_history_offset(h) >= 0;
}

/*
 * Where it was left there is nothing now, or something else: the stream was made
 * anew, and past its end a reader would wait for ever, or it was cut meanwhile.
 */
static enum bus_code start_again(struct bus_consumer *c, struct bus_err *err)
{
	bus_say(&c->options->say,
		"the history was cut, or its stream %s made anew, while it was read: reading what "
		"there is from its start",
		bus_stream);
	return bus_consumer_set_behind(c, 1, err);
}

/* *history_rc: how reading itself went; what is returned may also be trouble of our own. */
static enum bus_code read_history(struct bus_consumer *c, int64_t from_us, bool *ret_whole,
				  enum bus_code *history_rc, struct bus_err *err)
{
	const bool resume = c->resume_offset >= 0;
	const int64_t resume_offset = c->resume_offset;
	struct bus_history *h = NULL;
	int64_t first_offset = -1;
	enum bus_code rc, late;
	bool end = false;

	rc = *history_rc = bus_history_open(&h, c->conf,
					    resume	  ? BUS_STREAM_OFFSET
					    : from_us > 1 ? BUS_STREAM_TIME
							  : BUS_STREAM_FIRST,
					    resume ? c->resume_offset : from_us,
					    "debmsg consume: history", err);
	while (!rc && !end && !c->is_too_near && !bus_consumer_limit_reached(c) &&
	       !bus_consumer_is_full(c) && !bus_consumer_pause(c, 0)) {
		rc = take_next(c, h, &end, history_rc, err);
		if (first_offset < 0)
			first_offset = rc ? -1 : bus_history_offset(h);
		if (!rc && !resume)
			tell_cut(c, h);
	}
	*ret_whole = !rc && end;
	if (!rc && !end && first_offset >= 0)
		c->resume_offset = bus_history_offset(h);
	c->from_first = !rc && (bus_history_from_first(h) || (resume && c->from_first));
	/* what was taken before a failure is taken */
	late = settle(c, rc ? NULL : err);
	bus_history_close(h);
	if (!rc && !late && resume && first_offset != resume_offset && (end || first_offset >= 0)) {
		*ret_whole = false;
		late = start_again(c, err);
	}
	return rc ? rc : late;
}

/* It was read to its end. */
static enum bus_code have_all(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc = c->from_first ? bus_ledger_set_whole(c->ledger, NULL, err) : BUS_OK;

	c->resume_offset = -1;
	c->told_unreadable = false;
	c->filled_from_start = !c->is_near;
	/* where each type stands is known: what comes after that is ours, whenever it happened */
	if (!rc)
		rc = bus_ledger_settle(c->ledger, err);
	if (!rc)
		rc = bus_ledger_set_behind(c->ledger, 0, err);
	c->behind = rc != BUS_OK;
	return rc ? rc : bus_consumer_tell_missing(c, err);
}

/* The ledger goes on to say that it is needed: the next run tries again. */
static enum bus_code do_without(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc;

	if (!c->told_unreadable)
		bus_say(&c->options->say,
			"the history cannot be read, so nothing that is missing can be fetched "
			"before the next start: %s",
			err->text);
	c->told_unreadable = true;
	c->resume_offset = -1;
	c->filled_from_start = true;
	c->behind = false;
	rc = bus_consumer_tell_missing(c, err);
	return rc ? rc : bus_ledger_commit(c->ledger, err);
}

enum bus_code bus_consumer_fill(struct bus_consumer *c, struct bus_err *err)
{
	enum bus_code rc, history_rc = BUS_OK;
	bool whole = false;
	int64_t from_us;

	rc = bus_ledger_behind(c->ledger, &from_us, err);
	if (rc == BUS_E_NO) {
		c->behind = false;
		return BUS_OK;
	}
	c->is_near = from_us > 1;
	c->is_too_near = false;
	if (!rc)
		rc = read_history(c, from_us, &whole, &history_rc, err);
	if (history_rc == BUS_E_CONFIG)
		return do_without(c, err);
	if (!rc && c->is_too_near) /* what was not found so close may be further back */
		rc = bus_consumer_set_behind(c, 1, err);
	else if (!rc && whole)
		rc = have_all(c, err);
	return rc ? rc : bus_ledger_commit(c->ledger, err);
}
