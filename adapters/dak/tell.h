#ifndef BUS_ADAPTER_DAK_TELL_H
#define BUS_ADAPTER_DAK_TELL_H

#include "adapters/adapter.h"
#include "adapters/dak/mail.h"
#include "adapters/dak/memory.h"

/*
 * One upload's event, made of a mail, of a line of the log, or of both.
 *
 * Privacy: what is in a private queue, or was in one, is not told before a mail
 * says that it is in a suite that is not private.  Where there are private
 * queues at all, nothing is told of which it is not known where it went.
 */
struct dak_teller {
	const struct adapter_context *ctx;
	struct dak_memory *memory;
	int64_t now_us;
};

/* What a mail tells of; false: of no upload. */
bool dak_mail_act(const struct dak_mail *mail, enum dak_act *ret);

/* mail or note may be NULL, not both; mtime_us is the mail's. */
enum bus_code dak_tell(const struct dak_teller *teller, const struct dak_mail *mail,
		       int64_t mtime_us, const struct dak_note *note, struct adapter_batch *batch,
		       struct bus_err *err);

#endif
