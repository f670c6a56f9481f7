#ifndef CLI_READER_H
#define CLI_READER_H

#include "cli.h"
#include "history.h"

/*
 * What tail, replay, export and audit share: the stream from some point on,
 * message by message, to the end or for ever, until Ctrl-C.
 *
 * It is said plainly when there is nothing to read or when the beginning is not
 * kept any more; nobody waits without knowing for what.  A reader that follows, or
 * that may be kept so long by its messages that the broker gives it up, survives
 * a lost connection and reads what it missed meanwhile.
 */
struct cli_reader {
	enum bus_stream_start start;
	int64_t time_us;
	bool follow;	    /* go on after the end */
	bool reconnect;	    /* when the connection is lost, go on where it was; `follow` does */
	bool prints_at_end; /* so that progress may be shown where its output goes */
	/* BUS_E_NO ends the reading well. */
	enum bus_code (*message)(void *arg, const struct bus_message *m, struct bus_err *err);
	void (*caught_up)(void *arg); /* at the end, or whenever idle; may be NULL */
	void *arg;
};

struct cli_read_result {
	bool stopped; /* it was Ctrl-C that ended it */
	bool empty;   /* the history has nothing at all; that was said */
	bool cut;     /* the oldest message that is kept was read, and older ones there were */
};

/*
 * How much earlier than a time of events their messages may have reached the
 * broker: clocks of hosts differ.
 */
extern const int64_t cli_read_margin_us;

enum bus_code cli_read(const struct cli_reader *reader, const struct bus_conf *conf,
		       struct cli_read_result *ret, struct bus_err *err);

/* Takes the line that shows progress away, before something else is printed on stderr. */
void cli_read_clear(void);

#endif
