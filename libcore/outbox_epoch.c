#include "config.h"

#include "outbox_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "draft.h"
#include "topic.h"

struct mover {
	struct bus_outbox *box;
	struct bus_buf *lines; /* drafts of the events that move, one after the other */
	uint64_t count;
};

/* Bodies are copied first: the table they come from is emptied before they return. */
static enum bus_code collect_unsent(void *arg, const struct bus_outbox_event *ev,
				    struct bus_err *err)
{
	struct mover *mover = arg;

	bus_buf_add(mover->lines, &ev->body_len, sizeof(ev->body_len));
	bus_buf_add(mover->lines, ev->body, ev->body_len);
	return bus_buf_check(mover->lines, "outbox: unsent events", err);
}

static enum bus_code append_unsent(struct mover *mover, struct bus_err *err)
{
	const char *p = mover->lines->p, *end_of = p ? p + mover->lines->len : p;
	struct bus_draft_text *owner = NULL;
	struct bus_draft draft;
	enum bus_code rc = BUS_OK;
	uint64_t id;
	size_t len;

	for (; !rc && p && p < end_of; p += len) {
		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		rc = bus_draft_from_event(&owner, &draft, p, len, err);
		if (rc)
			break;
		/* the new log counts its own checkpoints */
		if (!bus_type_is_checkpoint(draft.type)) {
			rc = bus_outbox_append(mover->box, &draft, &id, err);
			mover->count++;
		}
		bus_draft_text_free(owner);
	}
	return rc;
}

static enum bus_code keep_old_file(struct bus_outbox *box, const char *origin, struct bus_err *err)
{
	const char *epoch = origin + bus_origin_name_len(origin) + 1;
	char *path = sqlite3_mprintf("%s/outbox-%s.db", box->directory, epoch);
	char *part = sqlite3_mprintf("%s.part", path);
	char *sql = sqlite3_mprintf("VACUUM INTO %Q", part);
	enum bus_code rc;

	if (!path || !part || !sql) {
		rc = bus_outbox_nomem(err);
		goto out;
	}
	/* what a try that failed has left */
	if (unlink(part) != 0 && errno != ENOENT) {
		rc = bus_fail(err, BUS_E_TEMP, "outbox: %s: %s", part, strerror(errno));
		goto out;
	}
	rc = bus_outbox_exec(box, sql, "cannot keep a copy of", err);
	if (!rc && (chmod(part, 0600) != 0 || rename(part, path) != 0))
		rc = bus_fail(err, BUS_E_TEMP, "outbox: %s: %s", path, strerror(errno));
out:
	sqlite3_free(sql);
	sqlite3_free(part);
	sqlite3_free(path);
	return rc;
}

enum bus_code bus_outbox_new_epoch(struct bus_outbox *box, uint64_t *ret_moved, struct bus_err *err)
{
	static const char empty[] = "DELETE FROM event; DELETE FROM type; DELETE FROM checkpoint;"
				    "DELETE FROM resend; DELETE FROM log";
	struct bus_buf lines = BUS_BUF_INIT((size_t)1 << 30);
	struct mover mover = { box, &lines, 0 };
	struct bus_outbox_state old;
	enum bus_code rc;

	rc = bus_outbox_read_log(box, &old, err);
	if (!rc)
		rc = keep_old_file(box, old.origin, err);
	if (!rc)
		rc = bus_outbox_begin(box, err);
	if (rc)
		return rc;
	rc = bus_outbox_read_log(box, &old, err); /* adapters may have been at it meanwhile */
	if (!rc)
		rc = bus_outbox_each(box, old.sent, old.size, collect_unsent, &mover, err);
	if (!rc)
		rc = bus_outbox_exec(box, empty, "cannot write to", err);
	if (!rc)
		rc = bus_outbox_start_log(box, old.origin, err);
	if (!rc)
		rc = append_unsent(&mover, err);
	rc = bus_outbox_end(box, rc, err);
	bus_buf_finish(&lines);
	if (!rc)
		*ret_moved = mover.count;
	return rc;
}
