#ifndef BUS_HISTORY_H
#define BUS_HISTORY_H

#include "broker.h"
#include "merkle.h"

/*
 * Reads the stream debmsg.log, where the broker keeps what was published:
 * message after message from a starting point, and then on as new ones come.
 *
 * AMQP 0-9-1 has no mark for the end of a stream.  BUS_HISTORY_END is our own:
 * everything that was in the stream when the reader was opened has been
 * returned, and at the moment nothing more is there.
 *
 * Messages come as they are stored; intake.h says which to believe.
 */
struct bus_history;

/* at: microseconds since 1970 for BUS_STREAM_TIME, an offset for BUS_STREAM_OFFSET. */
enum bus_code bus_history_open(struct bus_history **ret, const struct bus_conf *conf,
			       enum bus_stream_start start, int64_t at, const char *purpose,
			       struct bus_err *err);
void bus_history_close(struct bus_history *h);
/*
 * At the end: the stream holds messages, but none came.  That is what a start
 * after the newest of them looks like, and perhaps a slow broker.
 */
bool bus_history_silent(const struct bus_history *h);
/* Nothing was ever before what was returned: it began with the stream's first message, or there was
 * none. */
bool bus_history_from_first(const struct bus_history *h);
/* Of the message returned last; -1: none was. */
int64_t bus_history_offset(const struct bus_history *h);

/* Nothing was in the stream when the reader was opened. */
bool bus_history_empty(const struct bus_history *h);
/* After BUS_E_UNAVAILABLE: the stream was deleted while we read it. */
bool bus_history_gone(const struct bus_history *h);
/*
 * For a start at the first message or at a time, once a message was returned: it
 * is the oldest that the broker still has, and there were older ones.
 */
bool bus_history_cut(const struct bus_history *h);
/* How much was read of what was there when the reader was opened. */
int bus_history_percent(const struct bus_history *h);

/*
 * A place in the stream that can be found again after a lost connection: a
 * message that was read.  An offset alone would not do: a stream that was made
 * anew counts from 0 again.
 */
struct bus_history_place {
	int64_t offset; /* -1: in a stream that was empty */
	struct bus_hash body;
};
void bus_history_place_of(struct bus_history_place *ret, int64_t offset,
			  const struct bus_message *m);
/* For a reader that has returned nothing yet: a message close before the stream's end at first. */
void bus_history_end(const struct bus_history *h, struct bus_history_place *ret);
/*
 * Opens a reader of all that came after this place.  Where it is not found any
 * more, because the stream was made anew or keeps only younger ones, the reader
 * begins with the first message there is, and bus_history_elsewhere() is true.
 */
enum bus_code bus_history_resume(struct bus_history **ret, const struct bus_conf *conf,
				 const struct bus_history_place *place, const char *purpose,
				 struct bus_err *err);
bool bus_history_elsewhere(const struct bus_history *h);

enum bus_history_what { BUS_HISTORY_NOTHING, BUS_HISTORY_MESSAGE, BUS_HISTORY_END };

/* The receiver frees *ret_message, which is set for BUS_HISTORY_MESSAGE only. */
enum bus_code bus_history_next(struct bus_history *h, int timeout_ms, enum bus_history_what *ret,
			       struct bus_message **ret_message, struct bus_err *err);

#endif
