#ifndef BUS_ADAPTER_FOLLOW_ROTATED_H
#define BUS_ADAPTER_FOLLOW_ROTATED_H

#include "adapters/common/follow.h"

/*
 * Files a log was renamed to: those in its directory whose names begin with
 * its own, or have something that begins with "-" before its suffix, as
 * removals-2025.822 for removals.822; but for compressed ones.  *ret_fd is the
 * caller's to close, -1 where there is none.
 */

/*
 * The one in which position is.  BUS_E_NO: none; BUS_E_TEMP: none that can be
 * read.
 */
enum bus_code follow_rotated_find(int *ret_fd, const char *path,
				  const struct follow_position *position, struct bus_err *err);

/*
 * The one that was begun when the file open as fd was renamed, as logrotate(8)
 * names them: behind log.3 comes log.2, behind log-20261101 log-20261108, and
 * the log itself behind the last.  BUS_E_NO: there is none yet.
 */
enum bus_code follow_rotated_next(int *ret_fd, bool *ret_is_rotated, const char *path, int fd,
				  struct bus_err *err);

/* BUS_E_NO where there is none, BUS_E_TEMP where it is not a regular file. */
enum bus_code follow_open_file(int *ret_fd, const char *path, struct bus_err *err);

#endif
