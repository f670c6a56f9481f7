#ifndef BUS_ADAPTER_DAK_MAILDIR_H
#define BUS_ADAPTER_DAK_MAILDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/dak/mail.h"
#include "adapters/dak/memory.h"

/*
 * Dir::Mail, the directory into which dak writes each mail as a file of its own
 * (daklib/utils.py, send_mail): open, write, close, never renamed, never removed.
 * That is for us to do, and a directory that fills the disk makes dak reject
 * uploads.
 *
 * A mail that has been announced is remembered by the caller, in the
 * transaction of its events, by maildir_identity(), until maildir_remove() has
 * worked.  So a process that dies between the two does not announce it again.
 *
 * A mail of which nothing can be made goes to rejected/ below the directory,
 * with its reason beside it; of these the newest MAILDIR_REJECTED_MAX are kept.
 */
enum {
	MAILDIR_REJECTED_MAX = 1000,
	MAILDIR_SETTLE_MS = 2000,
	MAILDIR_EMPTY_MS = 60 * 1000, /* dak opens a file, and writes when it is scheduled */
	MAILDIR_IDENTITY = 80
};

enum maildir_state {
	MAILDIR_FRESH,	 /* not read, or perhaps not yet complete */
	MAILDIR_WAITING, /* read; the log has not told of it */
	MAILDIR_DONE,	 /* announced */
	MAILDIR_GONE,	 /* removed or moved; to be forgotten by the next scan */
	MAILDIR_STUCK	 /* it could not be moved or removed; said once */
};

struct maildir_mail {
	char *name; /* of the file */
	enum maildir_state state;
	char identity[MAILDIR_IDENTITY]; /* inode, size and time: another file has another */
	int64_t mtime_us, ctime_us;
	bool is_empty;
	/* of one that is waiting */
	enum dak_act act;
	char *changes;
	bool is_announced; /* it was, whatever its state is now */
	char *reason;	   /* MAILDIR_STUCK: why it is to go to rejected/; NULL: to be removed */
	bool is_seen;	   /* by the scan at hand */
};

struct maildir {
	char *path;
	struct maildir_mail *mail; /* oldest first */
	size_t count, cap;
};

enum bus_code maildir_open(struct maildir *ret, const char *path, struct bus_err *err);
void maildir_finish(struct maildir *dir);

/* Adds what is new, forgets what is gone.  BUS_E_TEMP where it cannot be read. */
enum bus_code maildir_scan(struct maildir *dir, struct bus_err *err);

/*
 * Reads one.  BUS_E_DATA: see dak_mail_read(); BUS_E_NO: it is gone.
 */
enum bus_code maildir_read(const struct maildir *dir, const struct maildir_mail *mail,
			   struct dak_mail **ret, struct bus_err *err);

/*
 * When nobody will have written to it for MAILDIR_SETTLE_MS, or MAILDIR_EMPTY_MS
 * if there is nothing in it; 0: that is so.
 */
int64_t maildir_settles_us(const struct maildir_mail *mail, int64_t now_us);

/* Removes it.  False, after saying so, where that cannot be done; then it is stuck. */
bool maildir_remove(const struct maildir *dir, struct maildir_mail *mail);

/* Moves it to rejected/.  The same. */
bool maildir_reject(const struct maildir *dir, struct maildir_mail *mail, const char *reason);

/* Tries again what one that is stuck was to become.  The same, but says no failure again. */
bool maildir_retry(const struct maildir *dir, struct maildir_mail *mail);

#endif
