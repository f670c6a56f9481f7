#ifndef BUS_ADAPTER_FOLLOW_MARK_H
#define BUS_ADAPTER_FOLLOW_MARK_H

#include "adapters/common/follow.h"

/*
 * How follow.c knows a file, and a place in it, by content: see there.  A line
 * that is longer than FOLLOW_LINE_MAX counts as 32 zero bytes, and so does
 * what stands before it.
 *
 * Those that look into a file say BUS_OK or BUS_E_NO, or why they cannot know.
 */

/* Moves position behind a line; size: with its LF and what was skipped of it. */
void follow_mark_pass(struct follow_position *position, const char *line, size_t len, uint64_t size,
		      bool is_cut);

/* Is this the last line that was passed? */
bool follow_mark_is_line(const struct follow_position *position, const char *line, size_t len);

/* Are the lines before the offset those that position tells of? */
enum bus_code follow_mark_is_at(int fd, const struct follow_position *position,
				struct bus_err *err);

/* Where the same two lines stand now, the last time they do. */
enum bus_code follow_mark_find(int fd, const struct follow_position *position,
			       struct follow_position *ret, struct bus_err *err);

enum bus_code follow_mark_has_first(int fd, const struct follow_position *position,
				    struct bus_err *err);

/* Are the two the same for most of what is before offset, as an edited file and a backup of it? */
enum bus_code follow_mark_is_copy(int fd, int other, uint64_t offset, struct bus_err *err);

/* Moves position to the first begin of a line at or behind its offset, or to the end of the last.
 */
enum bus_code follow_mark_clip(int fd, struct follow_position *position, struct bus_err *err);

/* Behind the last complete line. */
enum bus_code follow_mark_at_end(int fd, struct follow_position *ret, struct bus_err *err);

#endif
