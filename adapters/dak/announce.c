#include "config.h"

#include "adapters/dak/announce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/common/batch.h"
#include "adapters/common/text.h"
#include "event.h"
#include "json.h"

enum { REASON_CHARACTERS = 4000 };

/* How much goes into an event; less, where it would be too large. */
struct detail_limit {
	size_t files, binaries, reason;
};

static void write_line(struct bus_json *js, const char *name, struct dak_slice text, size_t max)
{
	struct bus_buf line = BUS_BUF_INIT(32 * 1024);

	text_line(&line, text.p, text.len, max);
	bus_json_bytes(js, name, line.p ? line.p : "", line.len);
	bus_buf_inherit(js->out, &line);
	bus_buf_finish(&line);
}

static void write_words(struct bus_json *js, const char *name, struct dak_slice words, size_t max)
{
	struct dak_slice word;

	bus_json_open(js, name, '[');
	while (max-- && dak_next_word(&words, ",", &word))
		bus_json_bytes(js, NULL, word.p, word.len);
	bus_json_close(js, ']');
}

static void write_bugs(struct bus_json *js, const char *name, struct dak_slice words)
{
	struct dak_slice word;
	unsigned int bug;

	bus_json_open(js, name, '[');
	while (dak_next_word(&words, ",#", &word))
		if (dak_bug_parse(&bug, word))
			bus_json_uint(js, NULL, bug);
	bus_json_close(js, ']');
}

/* {source}, {version} and {changes}; no url where one of them is not known. */
static void write_url(struct bus_json *js, const char *pattern, struct dak_slice source,
		      struct dak_slice version, struct dak_slice changes)
{
	const struct {
		const char *name;
		struct dak_slice value;
	} field[] = { { "{source}", source }, { "{version}", version }, { "{changes}", changes } };
	struct bus_buf url = BUS_BUF_INIT(8 * 1024);
	bool is_known = true;
	size_t i;

	while (pattern && *pattern && is_known) {
		for (i = 0; i < 3; i++)
			if (strncmp(pattern, field[i].name, strlen(field[i].name)) == 0)
				break;
		if (i == 3) {
			bus_buf_add(&url, pattern++, 1);
			continue;
		}
		is_known = field[i].value.len > 0;
		text_percent(&url, field[i].value.p, field[i].value.len);
		pattern += strlen(field[i].name);
	}
	if (is_known && !url.failed && url.len)
		bus_json_bytes(js, "url", url.p, url.len);
	bus_buf_inherit(js->out, &url);
	bus_buf_finish(&url);
}

static struct dak_slice member_value(const struct dak_member *member, const char *name)
{
	for (; member->name; member++)
		if (member->kind == DAK_TEXT && strcmp(member->name, name) == 0)
			return member->value;
	return (struct dak_slice){ "", 0 };
}

/* NULL where there is no memory. */
static char *to_string(struct dak_slice text)
{
	return strndup(text.p, text.len);
}

enum bus_code dak_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			    const char *object_event, struct dak_slice subject, int64_t time_us,
			    const char *summary, const struct dak_member *member,
			    struct dak_slice raw, struct bus_err *err)
{
	struct bus_buf data = BUS_BUF_INIT(BUS_BODY_MAX_CEILING);
	struct bus_json js = { &data, false };
	char *subject_text = to_string(subject);
	enum bus_code rc;

	bus_json_open(&js, NULL, '{');
	write_line(&js, "summary", dak_slice(summary), BUS_SUMMARY_MAX);
	write_url(&js, bus_conf_option(ctx->service, "url"), member_value(member, "source"),
		  member_value(member, "version"), (struct dak_slice){ "", 0 });
	for (; member->name; member++)
		switch (member->kind) {
		case DAK_TEXT:
			if (member->value.len)
				write_line(&js, member->name, member->value, REASON_CHARACTERS);
			break;
		case DAK_WORDS:
			write_words(&js, member->name, member->value, SIZE_MAX);
			break;
		case DAK_BUGS:
			write_bugs(&js, member->name, member->value);
			break;
		case DAK_FACT:
			bus_json_bool(&js, member->name, member->value.len > 0);
			break;
		}
	bus_json_close(&js, '}');
	rc = subject_text ? bus_buf_check(&data, object_event, err)
			  : bus_fail(err, BUS_E_NOMEM, "%s: out of memory", object_event);
	if (!rc)
		rc = batch_add(batch, ctx, object_event, subject_text, time_us, &data,
			       batch->count + 1, raw.p, raw.len, err);
	bus_buf_finish(&data);
	free(subject_text);
	return rc;
}

/* -- uploads -- */

/* "hello 2.10-3 (source) accepted into unstable" */
static void write_summary(struct bus_json *js, const struct dak_upload *upload)
{
	static const struct {
		const char *type, *words;
	} said[] = {
		{ "upload.accept", "accepted" },
		{ "upload.policy", "accepted into a policy queue" },
		{ "upload.reject", "rejected" },
		{ "new.enter", "entered NEW" },
		{ "new.accept", "accepted by the ftpmasters" },
		{ "new.reject", "rejected by the ftpmasters" },
		{ "new.prod", "questioned by the ftpmasters" },
		{ "policy.accept", "let go by queue" },
		{ "policy.reject", "rejected from queue" },
	};
	struct bus_buf text = BUS_BUF_INIT(16 * 1024);
	struct dak_slice words = upload->suites, word;
	const char *comma = " into ";
	size_t i;

	if (upload->source.len && upload->version.len)
		bus_buf_printf(&text, "%.*s %.*s", (int)upload->source.len, upload->source.p,
			       (int)upload->version.len, upload->version.p);
	else
		bus_buf_add(&text, upload->changes.p, upload->changes.len);
	if (upload->architectures.len) {
		bus_buf_puts(&text, " (");
		bus_buf_add(&text, upload->architectures.p, upload->architectures.len);
		bus_buf_puts(&text, ")");
	}
	for (i = 0; i < sizeof(said) / sizeof(*said); i++)
		if (strcmp(upload->object_event, said[i].type) == 0)
			bus_buf_printf(&text, " %s", said[i].words);
	for (; dak_next_word(&words, "", &word); comma = ", ")
		bus_buf_printf(&text, "%s%.*s", comma, (int)word.len, word.p);
	if (strncmp(upload->object_event, "policy.", 7) == 0 && upload->queue.len)
		bus_buf_printf(&text, " %.*s", (int)upload->queue.len, upload->queue.p);
	if (upload->reason.len)
		bus_buf_printf(&text, ": %.*s",
			       (int)(upload->reason.len < 1000 ? upload->reason.len : 1000),
			       upload->reason.p);
	write_line(js, "summary", (struct dak_slice){ text.p ? text.p : "", text.len },
		   BUS_SUMMARY_MAX);
	bus_buf_inherit(js->out, &text);
	bus_buf_finish(&text);
}

static size_t count_words(struct dak_slice words)
{
	struct dak_slice word;
	size_t count = 0;

	while (dak_next_word(&words, "", &word))
		count++;
	return count;
}

static void write_files(struct bus_json *js, const struct changes *detail, size_t max)
{
	size_t i;

	bus_json_uint(js, "files_total", detail->file_count);
	bus_json_open(js, "files", '[');
	for (i = 0; i < detail->file_count && i < max; i++) {
		const struct changes_file *file = &detail->file[i];

		bus_json_open(js, NULL, '{');
		bus_json_bytes(js, "name", file->name.p, file->name.len);
		bus_json_uint(js, "size", file->size);
		if (file->sha256.len)
			bus_json_bytes(js, "sha256", file->sha256.p, file->sha256.len);
		bus_json_bytes(js, "section", file->section.p, file->section.len);
		bus_json_close(js, '}');
	}
	bus_json_close(js, ']');
}

static void write_detail(struct bus_json *js, const struct dak_upload *upload,
			 const struct detail_limit *limit)
{
	const struct changes *detail = upload->detail;
	size_t i;

	if (detail->source_version.len)
		bus_json_bytes(js, "source_version", detail->source_version.p,
			       detail->source_version.len);
	write_words(js, "distributions", detail->distributions, SIZE_MAX);
	if (detail->urgency.len)
		bus_json_bytes(js, "urgency", detail->urgency.p, detail->urgency.len);
	write_line(js, "maintainer", detail->maintainer, DAK_PERSON_MAX);
	if (detail->changed_by.len)
		write_line(js, "changed_by", detail->changed_by, DAK_PERSON_MAX);
	bus_json_open(js, "closes", '[');
	for (i = 0; i < detail->bug_count; i++)
		bus_json_uint(js, NULL, detail->bug[i]);
	bus_json_close(js, ']');
	if (upload->fingerprint.len)
		bus_json_bytes(js, "fingerprint", upload->fingerprint.p, upload->fingerprint.len);
	bus_json_uint(js, "binaries_total", count_words(detail->binaries));
	write_words(js, "binaries", detail->binaries, limit->binaries);
	write_files(js, detail, limit->files);
}

static void write_reason(struct bus_json *js, struct dak_slice reason, size_t max)
{
	struct bus_buf text = BUS_BUF_INIT(64 * 1024);
	struct dak_slice line;
	size_t left = max;

	while (left > 1 && dak_next_line(&reason, &line)) {
		if (text.len)
			bus_buf_puts(&text, "\n");
		text_line(&text, line.p, line.len, left);
		left = text.len < max ? max - text.len : 0;
	}
	bus_json_bytes(js, "reason", text.p ? text.p : "", text.len);
	bus_buf_inherit(js->out, &text);
	bus_buf_finish(&text);
}

static void write_text(struct bus_json *js, const char *name, struct dak_slice value)
{
	if (value.len)
		bus_json_bytes(js, name, value.p, value.len);
}

static void write_upload(struct bus_buf *out, const struct dak_upload *upload,
			 const struct detail_limit *limit, const char *url)
{
	struct bus_json js = { out, false };
	struct dak_slice rest = upload->architectures, word;
	bool sourceful = false;

	while (dak_next_word(&rest, "", &word))
		sourceful = sourceful || dak_is(word, "source");
	bus_json_open(&js, NULL, '{');
	write_summary(&js, upload);
	write_url(&js, url, upload->source, upload->version, upload->changes);
	write_text(&js, "changes", upload->changes);
	write_text(&js, "source", upload->source);
	write_text(&js, "version", upload->version);
	if (upload->architectures.len) {
		write_words(&js, "architectures", upload->architectures, SIZE_MAX);
		bus_json_bool(&js, "sourceful", sourceful);
	}
	if (upload->suites.len)
		write_words(&js, "suites", upload->suites, SIZE_MAX);
	if (upload->queues.len)
		write_words(&js, "queues", upload->queues, SIZE_MAX);
	write_text(&js, "queue", upload->queue);
	write_text(&js, "by", upload->by);
	if (upload->is_reject)
		bus_json_bool(&js, "automatic", upload->automatic);
	if (upload->reason.len)
		write_reason(&js, upload->reason, limit->reason);
	if (upload->detail)
		write_detail(&js, upload, limit);
	bus_json_close(&js, '}');
}

enum bus_code dak_upload_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			     const struct dak_upload *upload, struct bus_err *err)
{
	static const struct detail_limit limit[] = {
		{ SIZE_MAX, SIZE_MAX, REASON_CHARACTERS },
		{ 200, 500, REASON_CHARACTERS },
		{ 50, 100, 1000 },
		{ 10, 10, 300 },
		{ 3, 0, 100 },
		{ 0, 0, 50 },
	};
	enum { LIMITS = sizeof(limit) / sizeof(*limit) };
	struct dak_slice subject = upload->source.len ? upload->source : upload->changes;
	const char *url = bus_conf_option(ctx->service, "url");
	struct bus_buf data = BUS_BUF_INIT(CHANGES_TEXT_MAX);
	char *subject_text = to_string(subject);
	enum bus_code rc = BUS_E_DATA;
	size_t i;

	if (!subject_text)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", upload->object_event);
	for (i = 0; rc == BUS_E_DATA && i < LIMITS; i++) {
		bus_buf_clear(&data);
		write_upload(&data, upload, &limit[i], url);
		rc = bus_buf_check(&data, upload->object_event, err);
		if (!rc)
			rc = batch_try(ctx, upload->object_event, subject_text, &data, err);
	}
	/* what does not fit even so is kept by the outbox, which says why */
	if (!rc || (rc == BUS_E_DATA && !data.failed))
		rc = batch_add(batch, ctx, upload->object_event, subject_text, upload->time_us,
			       &data, batch->count + 1, upload->changes.p, upload->changes.len,
			       err);
	bus_buf_finish(&data);
	free(subject_text);
	return rc;
}
