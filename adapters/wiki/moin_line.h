#ifndef BUS_ADAPTER_MOIN_LINE_H
#define BUS_ADAPTER_MOIN_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * A line of MoinMoin 1.9's edit-log (logfile/editlog.py, EditLog.add), fields
 * between tabs:
 *
 *	time in us, revision, action, page quoted as a file name, address, host
 *	name, user id, extra, comment
 *
 * Lines may end early: moin takes what is missing for empty.  The address and
 * the host name are read over and given to nobody.
 */
enum moin_action {
	MOIN_SAVE,	  /* an edit, or a deletion */
	MOIN_SAVENEW,	  /* extra: none, or the package installer's comment */
	MOIN_SAVE_RENAME, /* extra: the old name, as it is */
	MOIN_SAVE_REVERT, /* extra: the revision it went back to */
	MOIN_ATTNEW,	  /* these three: extra is the file */
	MOIN_ATTDEL,
	MOIN_ATTDRW,
	MOIN_ACTION_COUNT
};

/* Bytes of the line; len 0: empty or not there. */
struct moin_field {
	const char *p;
	size_t len;
};

struct moin_line {
	int64_t time_us;
	uint64_t revision; /* of an attachment: 99999999, but from the package installer */
	enum moin_action action;
	struct moin_field page;	   /* quoted */
	struct moin_field user_id; /* empty if it has another form than moin's: no address */
	struct moin_field extra, comment;
	size_t torn; /* so many bytes before it are left of another line; see below */
};

enum { MOIN_ATTACHMENT = 99999999 }; /* what stands for a revision */

/*
 * line: without LF.  *ret points into it, or into memory.  false, and *why, if
 * it is no record; NULL in *why: out of memory (memory->failed).
 *
 * NUL bytes are what a crash of the host leaves where a record should be, and
 * the next one stands right behind them: if what follows the last NUL is whole,
 * that is the line, and what stood before is torn.  Else they are dropped, and
 * what is left must have all its fields.
 */
bool moin_line_read(struct moin_line *ret, struct bus_buf *memory, const char *line, size_t len,
		    const char **why);

/*
 * What may be kept of a line that was refused: time, revision, action and page
 * as far as they look like it; "*" for all else, because any of it may be an
 * address if the fields are not where they should be.
 */
void moin_line_mask(struct bus_buf *out, const char *line, size_t len);

/*
 * Appends the name of the file that a line about an attachment tells of: in
 * the log it is percent-encoded (AttachFile.py, _addLogEntry), but as it is by
 * the package installer (packages.py, edit_logfile_append).  false: none, or
 * none that can be.
 */
bool moin_line_file(struct bus_buf *out, const struct moin_line *line);

/* Up to 18 decimal digits and nothing else. */
bool moin_number(uint64_t *ret, struct moin_field field);

#endif
