#ifndef BUS_ADAPTER_FOLLOW_H
#define BUS_ADAPTER_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * A text file that grows, read by whole lines.
 *
 *	follow_open()		with the position that was stored, if any
 *	follow_next() ...	BUS_E_NO: no complete line is there now
 *	follow_tell()		after a line that was dealt with
 *	follow_close()
 *
 * A position is the offset of a line's begin and what stood before it: a hash
 * of the two lines before, and of the file's first line.  So a file is known
 * by what is in it, not by its name or inode:
 *
 *	renamed and begun anew	the rest of the old one is read first, if it is in
 *				the same directory under a name that begins with
 *				this file's; then those after it, as logrotate(8)
 *				numbers or dates them; then the new one
 *	truncated, replaced	read from its start
 *	copied back, edited	if the last lines read are found again, after them;
 *				if only the first line is the same, from where we
 *				were or from the end, whichever comes first
 *
 * A line is given without its LF; NUL bytes in it are the caller's to judge.
 * Incomplete last lines are left until they are complete.
 */
enum { FOLLOW_LINE_MAX = 256 * 1024 }; /* bytes */

struct follow;

struct follow_line {
	const char *p; /* until the next call; NUL behind it */
	size_t len;
	uint64_t offset; /* of its first byte in its file */
	bool is_cut;	 /* it was longer than FOLLOW_LINE_MAX: only its beginning */
	bool is_half;	 /* the last of a file that was replaced, without LF: nobody will end it */
};

struct follow_position {
	uint64_t offset;
	unsigned char first[32]; /* SHA-256 of the file's first line */
	unsigned char line[32];	 /* of the last line before the offset */
	unsigned char mark[32];	 /* of the hash of the line before that one, and `line` */
};

/*
 * position, len: as follow_position_write() made it, with a NUL behind it, as
 * every cursor has; NULL: the file was never read, and from_start says where to begin.  A file that
 * is not there is awaited, and will be new then.  BUS_E_DATA: no such position.
 */
enum bus_code follow_open(struct follow **ret, const char *path, const char *position, size_t len,
			  bool from_start, struct bus_err *err);
void follow_close(struct follow *follow);

/* BUS_OK and a line, or BUS_E_NO.  BUS_E_TEMP where the file cannot be read. */
enum bus_code follow_next(struct follow *follow, struct follow_line *ret, struct bus_err *err);

/*
 * False as long as the file's directory is not there and nothing is known of
 * what is in it; then there is no position to be stored.
 */
bool follow_is_begun(const struct follow *follow);

/* Where the next line begins. */
void follow_tell(const struct follow *follow, struct follow_position *ret);
void follow_position_write(struct bus_buf *out, const struct follow_position *position);

#endif
