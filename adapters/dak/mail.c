#include "config.h"

#include "adapters/dak/mail.h"

#include <stdlib.h>
#include <string.h>

bool dak_next_suite(struct dak_slice *rest, struct dak_slice *ret_suite,
		    struct dak_slice *ret_queue)
{
	static const char arrow[] = "->";
	struct dak_slice part = { NULL, 0 };
	const char *p;

	while (!part.len)
		if (!dak_next_part(rest, ',', &part))
			return false;
		else
			part = dak_trim(part);
	p = memmem(part.p, part.len, arrow, 2);
	*ret_suite = (struct dak_slice){ part.p, p ? (size_t)(p - part.p) : part.len };
	*ret_queue = (struct dak_slice){ NULL, 0 };
	if (p)
		*ret_queue = (struct dak_slice){ p + 2, part.len - ret_suite->len - 2 };
	return true;
}

static enum bus_code bad_header(struct bus_err *err, const char *name, const char *why)
{
	return bus_fail(err, BUS_E_DATA, "mail: header %s %s", name, why);
}

static enum bus_code check_suites(const struct dak_mail *mail, struct bus_err *err)
{
	struct dak_slice rest = mail->suites, suite, queue;

	if (dak_is(rest, "(none)"))
		return BUS_OK;
	while (dak_next_suite(&rest, &suite, &queue))
		if (!dak_is_section(suite) || (queue.p && !dak_is_suite(queue)))
			return bad_header(err, "Debian-Suite", "is not a list of suites");
	return BUS_OK;
}

static bool are_suites(struct dak_slice words)
{
	struct dak_slice word;

	while (dak_next_word(&words, "", &word))
		if (!dak_is_suite(word))
			return false;
	return true;
}

/* dak refuses what does not fit here, so only a rejection may tell of such an upload. */
static enum bus_code check_upload(struct dak_mail *mail, struct bus_err *err)
{
	struct dak_changes_name name;
	struct dak_slice version = mail->version;
	const char *colon = memchr(version.p, ':', version.len);

	if (!dak_is_file(mail->changes) || !dak_ends(mail->changes, ".changes"))
		return bad_header(err, "Debian-Changes", "is not the name of a .changes file");
	if (!dak_changes_name_parse(&name, mail->changes))
		return mail->kind == DAK_MAIL_REJECT
			       ? BUS_OK
			       : bad_header(err, "Debian-Changes",
					    "is not <source>_<version>_<suffix>.changes");
	if (!mail->source.len)
		mail->source = name.source;
	if (mail->kind == DAK_MAIL_REJECT)
		return BUS_OK;
	if (colon) {
		version.len -= (size_t)(colon + 1 - version.p);
		version.p = colon + 1;
	}
	if (mail->source.len != name.source.len ||
	    memcmp(mail->source.p, name.source.p, name.source.len) != 0)
		return bad_header(err, "Debian-Source", "does not fit to Debian-Changes");
	if (mail->version.len &&
	    (!dak_is_version(mail->version) || version.len != name.version.len ||
	     memcmp(version.p, name.version.p, version.len) != 0))
		return bad_header(err, "Debian-Version", "does not fit to Debian-Changes");
	if (!are_suites(mail->architectures))
		return bad_header(err, "Debian-Architecture", "is not a list of architectures");
	return check_suites(mail, err);
}

/* What of a rejected upload is no name is left out. */
static void drop_bad_names(struct dak_mail *mail)
{
	if (!dak_is_package(mail->source))
		mail->source.len = 0;
	if (!dak_is_version(mail->version))
		mail->version.len = 0;
	if (!are_suites(mail->architectures))
		mail->architectures.len = 0;
}

/* "<changes> ACCEPTED into <suites>": for mails from before 2022-09, which say no more. */
static bool read_subject(struct dak_mail *mail, struct dak_slice subject)
{
	struct dak_slice rest = subject, word, suite, queue;
	bool all_queues = true;

	if (!dak_next_word(&rest, "", &word) || !dak_ends(word, ".changes"))
		return false;
	rest = dak_trim(rest);
	if (!mail->changes.len)
		mail->changes = word;
	if (dak_is(rest, "is NEW")) {
		mail->kind = DAK_MAIL_NEW;
	} else if (dak_is(rest, "REJECTED")) {
		mail->kind = DAK_MAIL_REJECT;
	} else if (dak_starts(rest, "ACCEPTED into ")) {
		rest.p += strlen("ACCEPTED into ");
		rest.len -= strlen("ACCEPTED into ");
		if (!mail->suites.len)
			mail->suites = rest;
		for (rest = mail->suites; dak_next_suite(&rest, &suite, &queue);)
			all_queues = all_queues && queue.len;
		mail->kind = all_queues ? DAK_MAIL_POLICY : DAK_MAIL_ACCEPT;
	} else {
		return false;
	}
	return true;
}

/* An announcement and each closed bug repeat the headers of the mail to the uploader. */
static bool repeats_another(struct dak_slice subject)
{
	return dak_starts(subject, "Accepted ") || dak_starts(subject, "Bug#");
}

static enum bus_code find_kind(struct dak_mail *mail, struct dak_slice program,
			       struct dak_slice action, struct dak_slice subject,
			       struct bus_err *err)
{
	static const char comments[] = "Comments regarding ";

	mail->kind = DAK_MAIL_OTHER;
	mail->from_policy = dak_is(program, "dak process-policy");
	if (dak_is(action, "remove")) {
		mail->kind = DAK_MAIL_REMOVE;
		return BUS_OK;
	}
	if (dak_is(program, "dak rm") || dak_is(program, "dak override") ||
	    dak_is(program, "dak process-command") || repeats_another(subject))
		return BUS_OK;
	if (dak_starts(subject, comments)) {
		mail->kind = DAK_MAIL_PROD;
		if (!mail->changes.len)
			mail->changes = (struct dak_slice){ subject.p + strlen(comments),
							    subject.len - strlen(comments) };
		return BUS_OK;
	}
	if (!read_subject(mail, subject))
		return bus_fail(err, BUS_E_DATA, "mail: of no kind that is known: '%.*s'",
				(int)(subject.len < 100 ? subject.len : 100), subject.p);
	if ((dak_is(action, "accept") && mail->kind != DAK_MAIL_ACCEPT) ||
	    (dak_is(action, "policy") && mail->kind != DAK_MAIL_POLICY) ||
	    (dak_is(action, "new") && mail->kind != DAK_MAIL_NEW) ||
	    (dak_is(action, "reject") && mail->kind != DAK_MAIL_REJECT))
		return bad_header(err, "Subject", "contradicts Debian-Archive-Action");
	return BUS_OK;
}

/* One of each at most: of two, nobody knows which is dak's. */
static enum bus_code read_headers(struct dak_mail *mail, struct bus_err *err)
{
	struct dak_slice program, action, subject, rejection, package, dak;
	const struct {
		const char *name;
		struct dak_slice *value;
	} header[] = {
		{ "X-Debian", &dak },
		{ "X-DAK", &program },
		{ "Subject", &subject },
		{ "X-Debian-Package", &package },
		{ "X-DAK-Rejection", &rejection },
		{ "Debian-Archive-Action", &action },
		{ "Debian-Changes", &mail->changes },
		{ "Debian-Source", &mail->source },
		{ "Debian-Version", &mail->version },
		{ "Debian-Architecture", &mail->architectures },
		{ "Debian-Suite", &mail->suites },
	};
	enum bus_code rc;
	size_t i;

	for (i = 0; i < sizeof(header) / sizeof(*header); i++)
		if (mime_header(mail->mime, header[i].name, header[i].value) > 1)
			return bad_header(err, header[i].name, "stands twice");
	if (!dak_is(dak, "DAK"))
		return bad_header(err, "X-Debian", "is not 'DAK': not a mail of dak's");
	rc = find_kind(mail, program, action, subject, err);
	if (rc)
		return rc;
	mail->is_manual = dak_is(rejection, "manual");
	if (!mail->source.len && mail->kind != DAK_MAIL_REMOVE)
		mail->source = package;
	if (mail->kind == DAK_MAIL_OTHER || mail->kind == DAK_MAIL_REMOVE)
		return BUS_OK;
	if (mail->kind == DAK_MAIL_REJECT)
		drop_bad_names(mail);
	return check_upload(mail, err);
}

static bool same_words(struct dak_slice a, struct dak_slice b)
{
	struct dak_slice x, y;
	bool more;

	do {
		more = dak_next_word(&a, "", &x);
		if (dak_next_word(&b, "", &y) != more ||
		    (more && (x.len != y.len || memcmp(x.p, y.p, x.len) != 0)))
			return false;
	} while (more);
	return true;
}

static enum bus_code check_detail(const struct dak_mail *mail, struct bus_err *err)
{
	const struct changes *detail = &mail->detail;

	if (!same_words(detail->source, mail->source))
		return bus_fail(err, BUS_E_DATA, ".changes: Source is not that of the mail");
	if (mail->version.len && !same_words(detail->version, mail->version))
		return bus_fail(err, BUS_E_DATA, ".changes: Version is not that of the mail");
	if (mail->architectures.len && !same_words(detail->architectures, mail->architectures))
		return bus_fail(err, BUS_E_DATA, ".changes: Architecture is not that of the mail");
	return BUS_OK;
}

/* Older mails have no Debian-Version; then the signed one must be that of the file's name. */
static enum bus_code check_name(const struct dak_mail *mail, struct bus_err *err)
{
	struct dak_slice version = mail->detail.version;
	const char *colon = memchr(version.p, ':', version.len);
	struct dak_changes_name name;

	if (colon)
		version = (struct dak_slice){ colon + 1,
					      (size_t)(version.p + version.len - colon - 1) };
	if (!dak_changes_name_parse(&name, mail->changes) || !same_words(version, name.version))
		return bus_fail(err, BUS_E_DATA,
				".changes: Version is not that of the name of the file");
	return BUS_OK;
}

static enum bus_code read_detail(struct dak_mail *mail)
{
	const struct dak_slice text = mime_text(mail->mime);
	enum bus_code rc;

	if (!text.p)
		return bus_fail(&mail->why, BUS_E_DATA, "mail: it has no text");
	rc = clearsign_read(&mail->signed_text, text, "Accepted:", &mail->why);
	if (!rc)
		rc = changes_read(&mail->detail,
				  (struct dak_slice){
					  mail->signed_text.text.p ? mail->signed_text.text.p : "",
					  mail->signed_text.text.len },
				  &mail->why);
	if (rc)
		return rc;
	rc = check_detail(mail, &mail->why);
	if (!rc)
		rc = check_name(mail, &mail->why);
	if (rc)
		changes_finish(&mail->detail);
	else if (clearsign_fingerprint(&mail->signed_text, &mail->fingerprint))
		bus_buf_clear(&mail->fingerprint);
	mail->has_detail = !rc;
	return rc;
}

/* All before the line of dak's own that ends it (templates/queue.rejected). */
static void read_reason(struct dak_mail *mail)
{
	struct dak_slice rest = mime_text(mail->mime), line;
	const char *end;

	mail->reason = rest;
	if (!rest.p)
		return;
	end = rest.p + rest.len;
	while (dak_next_line(&rest, &line))
		if (dak_is(line, "===")) /* the last one is dak's */
			end = line.p;
	mail->reason.len = (size_t)(end - mail->reason.p);
	mail->reason = dak_trim(mail->reason);
}

enum bus_code dak_mail_read(struct dak_mail **ret, struct dak_slice bytes, struct bus_err *err)
{
	struct dak_mail *mail = calloc(1, sizeof(*mail));
	enum bus_code rc;

	if (!mail)
		return bus_fail(err, BUS_E_NOMEM, "mail: out of memory");
	mail->signed_text = (struct clearsign)CLEARSIGN_INIT(CHANGES_TEXT_MAX);
	mail->fingerprint.max = 128;
	rc = mime_open(&mail->mime, bytes, err);
	if (!rc)
		rc = read_headers(mail, err);
	if (!rc && (mail->kind == DAK_MAIL_ACCEPT || mail->kind == DAK_MAIL_POLICY) &&
	    read_detail(mail) == BUS_E_NOMEM)
		rc = bus_fail(err, BUS_E_NOMEM, "mail: out of memory");
	if (!rc && mail->kind == DAK_MAIL_REJECT)
		read_reason(mail);
	if (rc)
		dak_mail_free(mail);
	else
		*ret = mail;
	return rc;
}

void dak_mail_free(struct dak_mail *mail)
{
	if (!mail)
		return;
	changes_finish(&mail->detail);
	clearsign_finish(&mail->signed_text);
	bus_buf_finish(&mail->fingerprint);
	mime_close(mail->mime);
	free(mail);
}

bool dak_mail_is_whole(const struct dak_mail *mail)
{
	return mail->has_detail;
}
