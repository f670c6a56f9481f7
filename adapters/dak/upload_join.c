#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "adapters/common/batch.h"
#include "adapters/common/say.h"
#include "adapters/dak/upload_private.h"

/* The log's times are whole seconds, and a file system's clock may be another one. */
enum { SLACK_US = 10000000 };

size_t upload_find_note(const struct dak_memory *memory, enum dak_note_kind kind, enum dak_act act,
			const char *changes, const char *by)
{
	size_t i = dak_memory_find(memory, 0, kind, NULL, changes);

	while (i < memory->count &&
	       (memory->note[i].act != act || (by && strcmp(memory->note[i].more, by) != 0)))
		i = dak_memory_find(memory, i + 1, kind, NULL, changes);
	return i;
}

enum bus_code upload_note_told(struct upload *upload, enum dak_act act, const char *changes,
			       const char *by, struct bus_err *err)
{
	struct dak_note note = { .kind = DAK_NOTE_TOLD,
				 .act = act,
				 .time_us = upload->now_us,
				 .since_us = upload->now_us };

	DAK_NOTE_SET(note.name, dak_slice(changes));
	DAK_NOTE_SET(note.more, dak_slice(by));
	return dak_memory_add(&upload->memory, &note, err);
}

/*
 * A mail older than this is that of another upload: dak logs and then mails.  But
 * what process-policy rejects and process-new asks it mails first, and waits for
 * its mailer.
 */
static int64_t oldest_mail(const struct dak_note *note)
{
	const bool mails_first = note->act == DAK_POLICY_REJECT || note->act == DAK_PROD;

	return note->time_us - (mails_first ? UPLOAD_WAIT_MS * (int64_t)1000 : SLACK_US);
}

static struct maildir_mail *find_waiting(const struct upload *upload, const struct dak_note *note)
{
	size_t i;

	for (i = 0; i < upload->dir.count; i++)
		if (upload->dir.mail[i].state == MAILDIR_WAITING &&
		    upload->dir.mail[i].act == note->act &&
		    upload->dir.mail[i].mtime_us >= oldest_mail(note) &&
		    strcmp(upload->dir.mail[i].changes, note->name) == 0)
			return &upload->dir.mail[i];
	return NULL;
}

/* A line that is final and its mail.  *ret_done: there is nothing left to do. */
static enum bus_code join_one(struct upload *upload, const struct dak_note *note,
			      struct maildir_mail *mail, struct adapter_batch *batch,
			      bool *ret_done, struct bus_err *err)
{
	struct dak_mail *parsed = NULL;
	enum bus_code rc = maildir_read(&upload->dir, mail, &parsed, err);

	*ret_done = false;
	if (rc == BUS_E_NO || rc == BUS_E_DATA) { /* somebody took it away, or wrote in it */
		free(mail->changes);
		mail->changes = NULL;
		mail->state = rc == BUS_E_NO ? MAILDIR_GONE : MAILDIR_FRESH;
		batch->more = true;
		return BUS_OK;
	}
	if (!rc)
		rc = upload_announce(upload, mail, parsed, note, batch, err);
	dak_mail_free(parsed);
	*ret_done = !rc;
	return rc;
}

static enum bus_code resolve(struct upload *upload, const struct dak_note *note,
			     struct adapter_batch *batch, bool *ret_done, struct bus_err *err)
{
	const int64_t until_us = note->since_us + UPLOAD_WAIT_MS * (int64_t)1000;
	const struct dak_teller teller = upload_teller(upload);
	struct maildir_mail *mail;
	enum bus_code rc;
	size_t told;

	*ret_done = true;
	told = upload_find_note(&upload->memory, DAK_NOTE_TOLD, note->act, note->name, "mail");
	if (told < upload->memory.count) {
		dak_memory_remove(&upload->memory, told);
		return BUS_OK;
	}
	if (!upload->has_mail)
		return dak_tell(&teller, NULL, 0, note, batch, err);
	mail = find_waiting(upload, note);
	if (mail) {
		rc = join_one(upload, note, mail, batch, ret_done, err);
		if (rc || *ret_done)
			return rc;
	}
	*ret_done = upload->now_us >= until_us && upload->mails_are_read;
	if (!*ret_done) {
		upload_wake_at(upload, until_us);
		return BUS_OK;
	}
	rc = dak_tell(&teller, NULL, 0, note, batch, err);
	if (!rc && upload->now_us - note->time_us < UPLOAD_DAY_S * (int64_t)1000000)
		rc = upload_note_told(upload, note->act, note->name, "log", err);
	return rc;
}

static enum bus_code resolve_all(struct upload *upload, struct adapter_batch *batch,
				 struct bus_err *err)
{
	struct dak_memory *memory = &upload->memory;
	enum bus_code rc = BUS_OK;
	struct dak_note note;
	bool done;
	size_t i = 0;

	while (!rc && (i = dak_memory_find(memory, i, DAK_NOTE_WAIT, NULL, NULL)) < memory->count) {
		if (batch_is_full(batch)) {
			batch->more = true;
			return BUS_OK;
		}
		/* out of the memory first: what is told changes it */
		note = memory->note[i];
		dak_memory_remove(memory, i);
		rc = resolve(upload, &note, batch, &done, err);
		if (!rc && !done) {
			rc = dak_memory_insert(memory, i, &note, err);
			i++;
		}
	}
	return rc;
}

static bool is_void(const struct dak_memory *memory, const struct maildir_mail *mail)
{
	size_t i = 0;

	while ((i = dak_memory_find(memory, i, DAK_NOTE_VOID, NULL, mail->changes)) <
	       memory->count) {
		if (memory->note[i].act == mail->act && mail->mtime_us <= memory->note[i].time_us)
			return true;
		i++;
	}
	return false;
}

/* Whose program has died and was not started again.  The end of the log has been seen. */
static enum bus_code undo_forgotten(struct upload *upload, struct bus_err *err)
{
	struct dak_memory *memory = &upload->memory;
	enum bus_code rc = BUS_OK;
	struct dak_note note;
	int64_t until_us;
	size_t i = 0;

	while (!rc && (i = dak_memory_find(memory, i, DAK_NOTE_OPEN, NULL, NULL)) < memory->count) {
		note = memory->note[i];
		until_us = note.time_us + UPLOAD_DAY_S * (int64_t)1000000;
		if (upload->now_us < until_us) {
			upload_wake_at(upload, until_us);
			i++;
			continue;
		}
		say(LOG_NOTICE, "log: an upload was not finished by %s in a day; not announced",
		    note.log);
		dak_memory_remove(memory, i);
		note.kind = DAK_NOTE_VOID;
		note.time_us += UPLOAD_WAIT_MS * (int64_t)1000;
		note.since_us = upload->now_us;
		rc = dak_memory_add(memory, &note, err);
	}
	return rc;
}

/* Mails of what was taken back. */
static void drop_void(struct upload *upload)
{
	size_t i;

	for (i = 0; i < upload->dir.count; i++)
		if (upload->dir.mail[i].state == MAILDIR_WAITING &&
		    is_void(&upload->memory, &upload->dir.mail[i]))
			maildir_remove(&upload->dir, &upload->dir.mail[i]);
}

/* What the log, read to its end, does not know has not happened. */
static void drop_unconfirmed(struct upload *upload)
{
	size_t i;

	for (i = 0; i < upload->dir.count; i++) {
		struct maildir_mail *mail = &upload->dir.mail[i];
		const int64_t until_us = mail->mtime_us + UPLOAD_WAIT_MS * (int64_t)1000;

		if (mail->state != MAILDIR_WAITING ||
		    upload_find_note(&upload->memory, DAK_NOTE_OPEN, mail->act, mail->changes,
				     NULL) < upload->memory.count)
			continue;
		if (upload->now_us < until_us)
			upload_wake_at(upload, until_us);
		else
			maildir_reject(&upload->dir, mail,
				       "the log does not confirm it within 10 minutes; if it did "
				       "happen, see log-directory, touch the file and move it "
				       "back");
	}
}

enum bus_code upload_join(struct upload *upload, struct adapter_batch *batch, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	if (upload->log_is_read)
		rc = undo_forgotten(upload, err);
	drop_void(upload);
	if (!rc)
		rc = resolve_all(upload, batch, err);
	if (!rc && !batch->more && upload->log_is_read && months_any(upload->months))
		drop_unconfirmed(upload);
	return rc;
}
