#ifndef BUS_ADAPTER_DAK_MONTHS_H
#define BUS_ADAPTER_DAK_MONTHS_H

#include "adapters/adapter.h"
#include "adapters/common/follow.h"
#include "adapters/common/watch.h"

/*
 * The files of Dir::Log, one for each month, as one stream of lines.
 *
 *	months_open()
 *	months_look()		which files are there?
 *	months_next() ...	BUS_E_NO: nothing more for now
 *	months_save()		how far all this was read
 *
 * A program writes to the file of the month in which it was started, so the
 * month before goes on being read until there is a third one.  What is no
 * regular file, or is named after a month later than the next one, is none of
 * them; the file of the current month is never given up.
 */
enum { MONTH_LEN = 7 }; /* 2023-03 */

struct months;

enum bus_code months_open(struct months **ret, struct watch *watch, const char *directory,
			  struct bus_err *err);
void months_close(struct months *months);

/* BUS_E_TEMP where the directory cannot be read. */
enum bus_code months_look(struct months *months, struct bus_err *err);

/* *ret_month is the name of the file the line is in. */
enum bus_code months_next(struct months *months, struct follow_line *ret, const char **ret_month,
			  struct bus_err *err);

/* Puts into the batch what has changed: the positions behind the lines given so far. */
enum bus_code months_save(struct months *months, struct adapter_batch *batch, struct bus_err *err);

/* Is there any file? */
bool months_any(const struct months *months);

#endif
