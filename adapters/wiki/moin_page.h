#ifndef BUS_ADAPTER_MOIN_PAGE_H
#define BUS_ADAPTER_MOIN_PAGE_H

#include <stdbool.h>

#include "adapters/wiki/moin_line.h"
#include "err.h"

/*
 * Did a line of the edit-log delete its page?
 *
 * MoinMoin logs a deletion as SAVE (or, where somebody was faster, as SAVENEW,
 * which is not the first revision then) of a revision that has no file
 * (PageEditor.py, deletePage); for all others the file is written before the
 * line (_write_file).  But a file can be missing for other reasons, years later:
 * the page was renamed, which moves its directory, and another one may have its
 * name now; or somebody removed the revision.  So it was deleted only if
 *
 *   - pages/<page>/revisions is there and the revision's file is not,
 *   - and the directory is the one the line is about: its own edit-log, which
 *     moves with it, has the revision with the same time, or, because that
 *     log is written a moment after the other, not yet;
 *   - and, as long as nothing happened to the page since, the file `current`
 *     (`current-locked` while moin is at it) has its number;
 *   - and the next change of the page in that log, if there is one, is a
 *     SAVENEW, which moin makes only of a page that is not there.
 *
 * In doubt it was not: where the directory is gone, because the page was renamed
 * or cleaned up since, and where a revert undid it before we came.
 *
 * data: the wiki's data directory; line: MOIN_SAVE or MOIN_SAVENEW, its page
 * accepted by page_name_read().  BUS_E_TEMP where a file cannot be read.
 */
enum bus_code moin_page_was_deleted(bool *ret, const char *data, const struct moin_line *line,
				    struct bus_err *err);

#endif
