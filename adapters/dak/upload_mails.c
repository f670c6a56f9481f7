#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/dak/removal.h"
#include "adapters/dak/upload_private.h"
#include "merkle.h"

enum {
	MAILS_AT_ONCE = 1000,
	REMOVAL_US = 60 * 1000000 /* for the mails of one removal */
};

static const char done_prefix[] = "done/";

static enum bus_code add_name(char ***list, size_t *count, const char *name, struct bus_err *err)
{
	char **grown = reallocarray(*list, *count + 1, sizeof(*grown));

	if (!grown)
		return upload_no_memory(err);
	*list = grown;
	grown[*count] = strdup(name);
	if (!grown[*count])
		return upload_no_memory(err);
	(*count)++;
	return BUS_OK;
}

static void free_names(char ***list, size_t *count)
{
	while (*count)
		free((*list)[--*count]);
	free(*list);
	*list = NULL;
}

/* -- mails that are announced, until they are removed -- */

enum bus_code upload_announce(struct upload *upload, struct maildir_mail *mail,
			      const struct dak_mail *parsed, const struct dak_note *note,
			      struct adapter_batch *batch, struct bus_err *err)
{
	const struct dak_teller teller = upload_teller(upload);
	char name[DAK_NAME_MAX + sizeof(done_prefix)];
	enum bus_code rc = BUS_OK;

	if (parsed->kind != DAK_MAIL_REMOVE)
		rc = dak_tell(&teller, parsed, mail->mtime_us, note, batch, err);
	snprintf(name, sizeof(name), "%s%s", done_prefix, mail->name);
	if (!rc)
		rc = batch_cursor(batch, name, mail->identity, strlen(mail->identity), err);
	if (!rc) {
		mail->state = MAILDIR_DONE;
		mail->is_announced = true;
	}
	batch->more = true; /* its cursor goes away when the file has */
	return rc;
}

static enum bus_code remove_one(struct upload *upload, struct maildir_mail *mail,
				struct bus_err *err)
{
	return maildir_remove(&upload->dir, mail)
		       ? add_name(&upload->gone, &upload->gone_count, mail->name, err)
		       : BUS_OK;
}

static struct maildir_mail *find_file(const struct upload *upload, const char *name)
{
	size_t i;

	for (i = 0; i < upload->dir.count; i++)
		if (strcmp(upload->dir.mail[i].name, name) == 0)
			return &upload->dir.mail[i];
	return NULL;
}

/* What was announced before this process began, and perhaps not removed. */
static enum bus_code finish_done(struct upload *upload, struct bus_err *err)
{
	struct maildir_mail *mail;
	enum bus_code rc = BUS_OK;
	char name[DAK_NAME_MAX + sizeof(done_prefix)];
	char *identity = NULL;
	size_t i, len = 0;

	for (i = 0; i < upload->done_count && !rc; i++) {
		snprintf(name, sizeof(name), "%s%s", done_prefix, upload->done[i]);
		mail = find_file(upload, upload->done[i]);
		rc = watch_cursor(upload->watch, name, &identity, &len, err);
		if (!rc && mail && identity && strcmp(identity, mail->identity) == 0) {
			mail->state = MAILDIR_DONE;
			mail->is_announced = true;
			rc = remove_one(upload, mail, err);
		} else if (!rc) {
			rc = add_name(&upload->gone, &upload->gone_count, upload->done[i], err);
		}
		free(identity);
		identity = NULL;
	}
	free_names(&upload->done, &upload->done_count);
	return rc;
}

/* -- mails that are stuck -- */

static enum bus_code retry_stuck(struct upload *upload, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	bool any = false;
	size_t i;

	if (upload->now_us < upload->retry_us)
		return BUS_OK;
	for (i = 0; i < upload->dir.count && !rc; i++) {
		struct maildir_mail *mail = &upload->dir.mail[i];

		if (mail->state != MAILDIR_STUCK)
			continue;
		if (!maildir_retry(&upload->dir, mail))
			any = true;
		else if (mail->is_announced)
			rc = add_name(&upload->gone, &upload->gone_count, mail->name, err);
	}
	upload->retry_ms = any && upload->retry_ms ? 2 * upload->retry_ms : 1000;
	if (upload->retry_ms > UPLOAD_RETRY_MS)
		upload->retry_ms = UPLOAD_RETRY_MS;
	upload->retry_us = any ? upload->now_us + upload->retry_ms * 1000 : 0;
	return rc;
}

void upload_wake_for_stuck(struct upload *upload)
{
	size_t i;

	for (i = 0; i < upload->dir.count; i++)
		if (upload->dir.mail[i].state == MAILDIR_STUCK) {
			upload_wake_at(upload, upload->retry_us);
			return;
		}
}

enum bus_code upload_drop_cursors(struct upload *upload, struct adapter_batch *batch,
				  struct bus_err *err)
{
	char name[DAK_NAME_MAX + sizeof(done_prefix)];
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; i < upload->gone_count && !rc; i++) {
		snprintf(name, sizeof(name), "%s%s", done_prefix, upload->gone[i]);
		rc = batch_cursor(batch, name, NULL, 0, err);
	}
	free_names(&upload->gone, &upload->gone_count);
	return rc;
}

/* -- mails that are new -- */

/* What the mails of one removal have in common: its lists, and the table in their bodies. */
static void hash_removal(struct dak_note *note, const struct dak_mail *parsed)
{
	struct dak_slice rest = mime_text(parsed->mime), line;
	char hex[2 * sizeof(struct bus_hash) + 1];
	struct bus_buf text = BUS_BUF_INIT(2 * MIME_BYTES_MAX);
	struct bus_hash hash;
	size_t i;

	bus_buf_printf(&text, "%.*s\n%.*s\n", (int)parsed->source.len, parsed->source.p,
		       (int)parsed->suites.len, parsed->suites.p);
	while (rest.p && dak_next_line(&rest, &line))
		if (memchr(line.p, '|', line.len))
			bus_buf_printf(&text, "%.*s\n", (int)line.len, line.p);
	bus_sha256(&hash, text.p ? text.p : "", text.len);
	for (i = 0; i < sizeof(hash.b); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash.b[i]);
	DAK_NOTE_SET(note->name, dak_slice(hex));
	bus_buf_finish(&text);
}

/* A mail for each bug that one removal closes: the first one counts. */
static enum bus_code take_removal(struct upload *upload, struct maildir_mail *mail,
				  const struct dak_mail *parsed, struct adapter_batch *batch,
				  struct bus_err *err)
{
	const struct dak_removal removal = { .time_us = mail->mtime_us,
					     .suites = parsed->suites,
					     .sources = parsed->source };
	struct dak_memory *memory = &upload->memory;
	struct dak_note note = { .kind = DAK_NOTE_REMOVAL,
				 .time_us = mail->mtime_us,
				 .since_us = upload->now_us };
	enum bus_code rc;
	size_t i;

	hash_removal(&note, parsed);
	i = dak_memory_find(memory, 0, DAK_NOTE_REMOVAL, NULL, note.name);
	while (i < memory->count && llabs(mail->mtime_us - memory->note[i].time_us) > REMOVAL_US)
		i = dak_memory_find(memory, i + 1, DAK_NOTE_REMOVAL, NULL, note.name);
	if (i < memory->count || upload->removals_elsewhere || !parsed->source.len) {
		maildir_remove(&upload->dir, mail);
		return BUS_OK;
	}
	rc = dak_removal_add(batch, upload->ctx, &removal, parsed->source, err);
	if (!rc)
		rc = dak_memory_add(memory, &note, err);
	return rc ? rc : upload_announce(upload, mail, parsed, NULL, batch, err);
}

static enum bus_code take_mail(struct upload *upload, struct maildir_mail *mail,
			       const struct dak_mail *parsed, struct adapter_batch *batch,
			       struct bus_err *err)
{
	char changes[DAK_NAME_MAX + 1];
	enum bus_code rc;
	size_t told;

	if (parsed->kind == DAK_MAIL_REMOVE)
		return take_removal(upload, mail, parsed, batch, err);
	if (!dak_mail_act(parsed, &mail->act)) {
		maildir_remove(&upload->dir, mail);
		return BUS_OK;
	}
	DAK_NOTE_SET(changes, parsed->changes);
	if (!upload->has_log)
		return upload_announce(upload, mail, parsed, NULL, batch, err);
	told = upload_find_note(&upload->memory, DAK_NOTE_TOLD, mail->act, changes, "log");
	if (told < upload->memory.count && mail->mtime_us <= upload->memory.note[told].time_us) {
		dak_memory_remove(&upload->memory, told);
		maildir_remove(&upload->dir, mail);
		return BUS_OK;
	}
	if (mail->mtime_us <= upload->began_us) {
		rc = upload_note_told(upload, mail->act, changes, "mail", err);
		return rc ? rc : upload_announce(upload, mail, parsed, NULL, batch, err);
	}
	mail->changes = strdup(changes);
	if (!mail->changes)
		return upload_no_memory(err);
	mail->state = MAILDIR_WAITING;
	return BUS_OK;
}

static enum bus_code read_mail(struct upload *upload, struct maildir_mail *mail,
			       struct adapter_batch *batch, struct bus_err *err)
{
	const int64_t settles_us = maildir_settles_us(mail, upload->now_us);
	struct bus_err why = { BUS_OK, "" };
	struct dak_mail *parsed = NULL;
	enum bus_code rc;

	rc = maildir_read(&upload->dir, mail, &parsed, &why);
	if (rc == BUS_E_NO)
		return BUS_OK;
	if (rc && rc != BUS_E_DATA)
		return bus_fail(err, rc, "%s", why.text);
	if (settles_us && (rc || !dak_mail_is_whole(parsed))) {
		upload_wake_at(upload, settles_us);
		upload->mails_are_read = false;
		rc = BUS_OK;
	} else if (rc) {
		maildir_reject(&upload->dir, mail, why.text);
		rc = BUS_OK;
	} else {
		rc = take_mail(upload, mail, parsed, batch, err);
	}
	dak_mail_free(parsed);
	return rc;
}

enum bus_code upload_read_mails(struct upload *upload, struct adapter_batch *batch,
				struct bus_err *err)
{
	size_t i, count = 0;
	enum bus_code rc;

	rc = maildir_scan(&upload->dir, err);
	if (!rc)
		rc = finish_done(upload, err);
	if (!rc)
		rc = retry_stuck(upload, err);
	upload->mails_are_read = !rc;
	for (i = 0; i < upload->dir.count && !rc; i++) {
		if (upload->dir.mail[i].state != MAILDIR_FRESH)
			continue;
		if (batch_is_full(batch) || count++ == MAILS_AT_ONCE) {
			upload->mails_are_read = false;
			batch->more = true;
			break;
		}
		rc = read_mail(upload, &upload->dir.mail[i], batch, err);
	}
	return rc;
}

enum bus_code upload_load_done(struct upload *upload, struct bus_err *err)
{
	char *name = NULL, *next = NULL;
	enum bus_code rc;

	for (;;) {
		rc = watch_cursor_next(upload->watch, done_prefix, name, &next, err);
		free(name);
		name = next;
		if (rc || !name)
			return rc;
		rc = add_name(&upload->done, &upload->done_count, name + sizeof(done_prefix) - 1,
			      err);
		if (rc) {
			free(name);
			return rc;
		}
		next = NULL;
	}
}

enum bus_code upload_remove_done(struct upload *upload, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; i < upload->dir.count && !rc; i++)
		if (upload->dir.mail[i].state == MAILDIR_DONE)
			rc = remove_one(upload, &upload->dir.mail[i], err);
	upload_wake_for_stuck(upload);
	return rc;
}

void upload_finish_mails(struct upload *upload)
{
	maildir_finish(&upload->dir);
	free_names(&upload->gone, &upload->gone_count);
	free_names(&upload->done, &upload->done_count);
}
