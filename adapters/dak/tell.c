#include "config.h"

#include "adapters/dak/tell.h"

#include <string.h>
#include <syslog.h>

#include "adapters/common/say.h"
#include "adapters/dak/announce.h"
#include "adapters/dak/decide.h"

bool dak_mail_act(const struct dak_mail *mail, enum dak_act *ret)
{
	switch (mail->kind) {
	case DAK_MAIL_ACCEPT:
	case DAK_MAIL_POLICY:
		*ret = mail->from_policy ? DAK_POLICY_ACCEPT : DAK_ACCEPT;
		return true;
	case DAK_MAIL_NEW:
		*ret = DAK_NEW;
		return true;
	case DAK_MAIL_REJECT:
		*ret = mail->from_policy ? DAK_POLICY_REJECT : DAK_REJECT;
		return true;
	case DAK_MAIL_PROD:
		*ret = DAK_PROD;
		return true;
	case DAK_MAIL_REMOVE:
	case DAK_MAIL_OTHER:
		break;
	}
	return false;
}

/* Where an upload went, without what is private. */
struct places {
	struct bus_buf suites, targets, queues;
	bool any_private;
};

static void add_word(struct bus_buf *words, struct dak_slice word)
{
	if (words->len)
		bus_buf_puts(words, " ");
	bus_buf_add(words, word.p, word.len);
}

static enum bus_code find_places(struct places *ret, const struct dak_teller *teller,
				 struct dak_slice suites, struct bus_err *err)
{
	struct dak_slice suite, queue;
	enum bus_code rc;

	if (dak_is(suites, "(none)"))
		suites.len = 0;
	while (dak_next_suite(&suites, &suite, &queue)) {
		if (dak_is_private(teller->ctx, suite) || dak_is_private(teller->ctx, queue)) {
			ret->any_private = true;
		} else if (queue.len) {
			add_word(&ret->targets, suite);
			add_word(&ret->queues, queue);
		} else {
			add_word(&ret->suites, suite);
		}
	}
	rc = bus_buf_check(&ret->suites, "suites", err);
	if (!rc)
		rc = bus_buf_check(&ret->targets, "suites", err);
	return rc ? rc : bus_buf_check(&ret->queues, "queues", err);
}

static struct dak_slice words_of(const struct bus_buf *buf)
{
	return (struct dak_slice){ buf->p ? buf->p : "", buf->len };
}

static bool is_noted_private(const struct dak_memory *memory, const char *changes)
{
	return dak_memory_find(memory, 0, DAK_NOTE_PRIVATE, NULL, changes) < memory->count;
}

/* It is public now. */
static void forget_private(struct dak_memory *memory, const char *changes)
{
	size_t i;

	while ((i = dak_memory_find(memory, 0, DAK_NOTE_PRIVATE, NULL, changes)) < memory->count)
		dak_memory_remove(memory, i);
}

static void use_mail(struct dak_upload *upload, const struct dak_mail *mail)
{
	upload->source = mail->source;
	upload->version = mail->version;
	upload->architectures = mail->architectures;
	upload->reason = mail->reason;
	upload->automatic = !mail->is_manual;
	if (!mail->has_detail)
		return;
	upload->detail = &mail->detail;
	upload->version = mail->detail.version;
	upload->architectures = mail->detail.architectures;
	upload->fingerprint = (struct dak_slice){ mail->fingerprint.p ? mail->fingerprint.p : "",
						  mail->fingerprint.len };
}

static enum bus_code tell_mail(const struct dak_teller *teller, const struct dak_mail *mail,
			       const struct dak_upload *upload, struct adapter_batch *batch,
			       struct bus_err *err)
{
	if (mail->why.text[0])
		say(LOG_WARNING, "mail: %.*s: announced without its .changes: %s",
		    (int)mail->changes.len, mail->changes.p, mail->why.text);
	return dak_upload_add(batch, teller->ctx, upload, err);
}

/* Accepted, as a mail says. */
static enum bus_code tell_places(const struct dak_teller *teller, const struct dak_mail *mail,
				 struct dak_upload *upload, const char *changes,
				 struct adapter_batch *batch, struct bus_err *err)
{
	struct places places = {
		.suites = BUS_BUF_INIT(MIME_BYTES_MAX),
		.targets = BUS_BUF_INIT(MIME_BYTES_MAX),
		.queues = BUS_BUF_INIT(MIME_BYTES_MAX),
	};
	enum bus_code rc = find_places(&places, teller, mail->suites, err);
	const bool is_public = places.suites.len > 0;

	if (!rc && places.any_private)
		rc = dak_note_private(teller->memory, mail->changes, teller->now_us, err);
	upload->object_event = is_public ? "upload.accept" : "upload.policy";
	upload->suites = words_of(is_public ? &places.suites : &places.targets);
	upload->queues = words_of(&places.queues);
	if (!rc && is_public && !places.any_private)
		forget_private(teller->memory, changes);
	if (!rc &&
	    (is_public || (places.queues.len && !is_noted_private(teller->memory, changes)) ||
	     (!places.any_private && !dak_has_private(teller->ctx, teller->memory))))
		rc = tell_mail(teller, mail, upload, batch, err);
	bus_buf_finish(&places.suites);
	bus_buf_finish(&places.targets);
	bus_buf_finish(&places.queues);
	return rc;
}

enum bus_code dak_tell(const struct dak_teller *teller, const struct dak_mail *mail,
		       int64_t mtime_us, const struct dak_note *note, struct adapter_batch *batch,
		       struct bus_err *err)
{
	static const char *const event[DAK_ACT_COUNT] = {
		[DAK_ACCEPT] = "upload.accept",	       [DAK_NEW] = "new.enter",
		[DAK_REJECT] = "upload.reject",	       [DAK_POLICY_ACCEPT] = "policy.accept",
		[DAK_POLICY_REJECT] = "policy.reject", [DAK_PROD] = "new.prod",
	};
	struct dak_upload upload = { .time_us = note ? note->time_us : mtime_us };
	enum dak_act act = note ? note->act : DAK_ACCEPT;
	struct dak_changes_name name;
	char changes[DAK_NAME_MAX + 1];
	bool queue_is_private = false;

	upload.changes = mail ? mail->changes : dak_slice(note ? note->name : "");
	DAK_NOTE_SET(changes, upload.changes);
	if (dak_changes_name_parse(&name, upload.changes))
		upload.source = name.source;
	if (mail) {
		dak_mail_act(mail, &act);
		use_mail(&upload, mail);
	}
	if (note && note->detail[0]) {
		queue_is_private = dak_is_private(teller->ctx, dak_slice(note->detail));
		if (!queue_is_private)
			upload.queue = dak_slice(note->detail);
	}
	if (note && act == DAK_PROD)
		upload.by = dak_slice(note->by);
	upload.is_reject = mail && mail->kind == DAK_MAIL_REJECT;
	if (mail && (mail->kind == DAK_MAIL_ACCEPT || mail->kind == DAK_MAIL_POLICY))
		return tell_places(teller, mail, &upload, changes, batch, err);
	if (queue_is_private || is_noted_private(teller->memory, changes) ||
	    dak_has_private(teller->ctx, teller->memory))
		return BUS_OK;
	upload.object_event = event[act];
	return dak_upload_add(batch, teller->ctx, &upload, err);
}
