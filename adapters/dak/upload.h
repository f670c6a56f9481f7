#ifndef BUS_ADAPTER_DAK_UPLOAD_H
#define BUS_ADAPTER_DAK_UPLOAD_H

#include "adapters/adapter.h"

/*
 * What becomes of uploads: the mails of dak and its log, joined.
 *
 * Both tell of the same things.  The mail says what it is about, the log that it
 * has happened: dak writes the mail before it commits, and takes back what
 * fails.  So where both are configured a mail waits until a line of the log
 * that is final confirms it, and the two become one event; the line waits for
 * its mail likewise.  After UPLOAD_WAIT_MS a line is announced without a mail,
 * with what the name of the file tells.  A mail that the log, read to its end,
 * does not confirm in that time is not announced: it goes to rejected/.
 * Where one of the two is not configured the other is not waited for.
 *
 * A mail that waits stays where it is, in the directory, and a line in the
 * memory (memory.h); so no half is lost, whoever is killed.
 */
enum { UPLOAD_WAIT_MS = 10 * 60 * 1000 };

/* Options mail-directory and log-directory; BUS_E_NO from open() where there is neither. */
enum bus_code dak_upload_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code dak_upload_read(void *input, struct adapter_batch *batch, struct bus_err *err);
enum bus_code dak_upload_stored(void *input, struct bus_err *err);
void dak_upload_close(void *input);

#endif
