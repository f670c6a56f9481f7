#ifndef BUS_ADAPTER_DAK_LOGLINE_H
#define BUS_ADAPTER_DAK_LOGLINE_H

#include <stdint.h>

#include "adapters/dak/names.h"
#include "err.h"

/*
 * A line of dak's log, as daklib/daklog.py (Logger.log) writes it:
 *
 *	YYYYMMDDHHMMSS|program|user|action[|detail...]
 *
 * in local time without a zone: that of this process is taken.  Nothing is
 * escaped: the last detail may hold a | and even line ends, so that a line that
 * does not begin with 14 digits and a | goes on with the one before.
 */
struct dak_line {
	int64_t time_us;
	struct dak_slice program, user, action;
	struct dak_slice details; /* all behind the action; for dak_next_part(..., '|', ...) */
};

/*
 * BUS_E_NO: it goes on with the line before.  BUS_E_DATA: it is neither that nor
 * a line of the log.
 */
enum bus_code dak_line_read(struct dak_line *ret, struct dak_slice line, struct bus_err *err);

#endif
