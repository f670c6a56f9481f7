#ifndef BUS_HISTORY_H
#define BUS_HISTORY_H

#include "broker.h"

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

enum bus_history_what { BUS_HISTORY_NOTHING, BUS_HISTORY_MESSAGE, BUS_HISTORY_END };

/* The receiver frees *ret_message, which is set for BUS_HISTORY_MESSAGE only. */
enum bus_code bus_history_next(struct bus_history *h, int timeout_ms, enum bus_history_what *ret,
			       struct bus_message **ret_message, struct bus_err *err);

#endif
