#ifndef CLI_READER_H
#define CLI_READER_H

#include "cli.h"
#include "history.h"

/*
 * What tail, export and audit share: the stream from some point on, message by
 * message, to the end or for ever, until Ctrl-C.
 */
struct cli_reader {
	enum bus_stream_start start;
	int64_t time_us;
	bool follow; /* go on after the end */
	/* BUS_E_NO ends the reading well. */
	enum bus_code (*message)(void *arg, const struct bus_message *m, struct bus_err *err);
	void (*caught_up)(void *arg); /* at the end, or whenever idle; may be NULL */
	void *arg;
};

/* *ret_stopped: it was Ctrl-C that ended it. */
enum bus_code cli_read(const struct cli_reader *reader, const struct bus_conf *conf,
		       bool *ret_stopped, struct bus_err *err);

#endif
