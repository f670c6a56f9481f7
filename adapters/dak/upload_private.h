#ifndef BUS_ADAPTER_DAK_UPLOAD_PRIVATE_H
#define BUS_ADAPTER_DAK_UPLOAD_PRIVATE_H

#include "adapters/common/watch.h"
#include "adapters/dak/maildir.h"
#include "adapters/dak/memory.h"
#include "adapters/dak/months.h"
#include "adapters/dak/tell.h"
#include "adapters/dak/upload.h"

/*
 * The parts of the input of upload.h: upload.c has the log and what is stored,
 * upload_mails.c the mails, upload_join.c what the two make together.
 *
 * Cursors: done/<file of a mail>, memory, began, and those of months.c.
 */
enum {
	UPLOAD_DAY_S = 24 * 3600,
	UPLOAD_RETRY_MS = 60 * 1000 /* at most; from one second on, doubled each time */
};

struct upload {
	struct watch *watch;
	const struct adapter_context *ctx;
	bool has_mail, has_log, removals_elsewhere;
	struct maildir dir;
	struct months *months;
	struct dak_memory memory;
	int64_t began_us; /* what mails told before that, the log had told before we read it */
	bool began_is_changed;
	int64_t now_us;	     /* when this call began */
	int64_t soonest_us;  /* when something is to be looked at again; 0: never */
	int64_t retry_ms;    /* for how long after that they are left alone */
	int64_t retry_us;    /* when mails that are stuck are tried again */
	bool log_is_read;    /* to its end, in this call */
	bool mails_are_read; /* all of them */
	char **gone;	     /* done and removed: their cursors can go */
	size_t gone_count;
	char **done; /* cursors that were there when we began */
	size_t done_count;
};

enum bus_code upload_no_memory(struct bus_err *err);
struct dak_teller upload_teller(struct upload *upload);

/* The earliest of several counts. */
void upload_wake_at(struct upload *upload, int64_t us);

/* -- mails -- */

/* Mails that were announced before, and perhaps not removed. */
enum bus_code upload_load_done(struct upload *upload, struct bus_err *err);

/* Reads what is new; what need not wait for the log is announced. */
enum bus_code upload_read_mails(struct upload *upload, struct adapter_batch *batch,
				struct bus_err *err);

/* The event of a mail and perhaps its line, and that the mail is done. */
enum bus_code upload_announce(struct upload *upload, struct maildir_mail *mail,
			      const struct dak_mail *parsed, const struct dak_note *note,
			      struct adapter_batch *batch, struct bus_err *err);

/* The events are on the disk: their mails can go. */
enum bus_code upload_remove_done(struct upload *upload, struct bus_err *err);
/* The mails are gone: their cursors can go. */
enum bus_code upload_drop_cursors(struct upload *upload, struct adapter_batch *batch,
				  struct bus_err *err);
/* Wakes us for mails that are stuck; upload_read_mails() then tries them again. */
void upload_wake_for_stuck(struct upload *upload);
void upload_finish_mails(struct upload *upload);

/* -- both -- */

/* The first note of this kind; by NULL: whoever told it.  memory->count: none. */
size_t upload_find_note(const struct dak_memory *memory, enum dak_note_kind kind, enum dak_act act,
			const char *changes, const char *by);
enum bus_code upload_note_told(struct upload *upload, enum dak_act act, const char *changes,
			       const char *by, struct bus_err *err);

/* Joins what can be joined; drops what was taken back and what is not confirmed. */
enum bus_code upload_join(struct upload *upload, struct adapter_batch *batch, struct bus_err *err);

#endif
