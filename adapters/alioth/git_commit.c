#include "config.h"

#include "adapters/alioth/git_commit.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "event.h"

struct header {
	struct slice person, encoding, message;
};

static bool starts_with(struct slice line, const char *word, struct slice *ret)
{
	const size_t n = strlen(word);

	if (line.len < n || memcmp(line.p, word, n) != 0)
		return false;
	ret->p = line.p + n;
	ret->len = line.len - n;
	return true;
}

/* The first of each header counts, as in git; a line that begins with a blank goes on. */
static void split(struct header *ret, struct slice raw)
{
	static const struct slice empty = { "", 0 };
	struct slice line, value;

	ret->person = empty;
	ret->encoding = empty;
	while (slice_line(&raw, &line) && line.len) {
		if (!ret->person.len &&
		    (starts_with(line, "author ", &value) || starts_with(line, "tagger ", &value)))
			ret->person = value;
		else if (!ret->encoding.len && starts_with(line, "encoding ", &value))
			ret->encoding = value;
	}
	ret->message = raw;
}

/*
 * The encodings that commits are found in.  Of the many that iconv(3) knows,
 * some have hung or crashed it; a stranger's commit does not choose those.
 */
static bool encoding_known(const char *name)
{
	static const char *const known[] = {
		"BIG5",	   "CP125",  "CP932", "EUC-",	     "EUCJP",	    "EUCKR",
		"GB18030", "GB2312", "GBK",   "ISO-2022-JP", "ISO-8859-",   "ISO8859-",
		"KOI8-",   "LATIN",  "SHIFT", "SJIS",	     "WINDOWS-125",
	};
	size_t i;

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789-_")])
		return false;
	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strncasecmp(name, known[i], strlen(known[i])) == 0)
			return true;
	return false;
}

/* Appends text in UTF-8; as it is where the encoding is not known or not the text's. */
static void add_decoded(struct bus_buf *out, struct slice text, struct slice encoding)
{
	char name[40], converted[8192], *to = converted, *from = (char *)(uintptr_t)text.p;
	size_t from_len = text.len, to_len = sizeof(converted);
	bool good = false;
	iconv_t cd;

	snprintf(name, sizeof(name), "%.*s", (int)(encoding.len < 39 ? encoding.len : 39),
		 encoding.p);
	cd = encoding_known(name) ? iconv_open("UTF-8", name) : (iconv_t)-1;
	if (cd != (iconv_t)-1) {
		/* EINVAL: the last character was cut in two, the others are fine */
		good = iconv(cd, &from, &from_len, &to, &to_len) != (size_t)-1 || errno == EINVAL;
		iconv_close(cd);
	}
	if (good)
		bus_buf_add(out, converted, sizeof(converted) - to_len);
	else if (text.len)
		bus_buf_add(out, text.p, text.len);
}

/* As one line of at most COMMIT_TEXT_MAX characters; the caller frees *ret. */
static enum bus_code decode_line(char **ret, struct slice text, struct slice encoding,
				 struct bus_err *err)
{
	struct bus_buf decoded = BUS_BUF_INIT(16384);
	enum bus_code rc;

	if (text.len > 2000) /* more than COMMIT_TEXT_MAX characters in any encoding */
		text.len = 2000;
	add_decoded(&decoded, text, encoding);
	rc = bus_buf_check(&decoded, "git: commit", err);
	if (!rc)
		rc = commit_line(ret, slice_of_buf(&decoded), err);
	bus_buf_finish(&decoded);
	return rc;
}

static struct slice trim(struct slice s)
{
	for (; s.len && (unsigned char)s.p[0] <= ' '; s.p++)
		s.len--;
	while (s.len && (unsigned char)s.p[s.len - 1] <= ' ')
		s.len--;
	return s;
}

/* "1712345678 +0200": seconds, and a zone that changes nothing about when it was. */
static bool parse_date(struct slice text, int64_t *ret)
{
	static const int64_t max = 253402300799; /* the end of the year 9999 */
	int64_t seconds = 0;
	size_t i;

	text = trim(text);
	for (i = 0; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
		seconds = seconds * 10 + (text.p[i] - '0');
		if (seconds > max)
			return false;
	}
	if (!i || (i < text.len && text.p[i] != ' '))
		return false;
	*ret = seconds * 1000000;
	return true;
}

/*
 * "Name <mail> date": the mail from the first `<` to the first `>` after it,
 * the date after the last `>`, as git has it.
 */
static enum bus_code read_person(struct commit *commit, struct slice person, struct slice encoding,
				 struct bus_err *err)
{
	const char *open = memchr(person.p, '<', person.len);
	const char *end = person.p + person.len, *close = NULL, *last = NULL;
	struct slice name = person, date = { NULL, 0 };
	struct bus_buf text = BUS_BUF_INIT(2 * BUS_BODY_MAX_CEILING);
	struct slice whole;
	enum bus_code rc;

	if (open)
		close = memchr(open, '>', (size_t)(end - open));
	if (close)
		last = memrchr(close, '>', (size_t)(end - close));
	if (close) {
		name.len = (size_t)(open - person.p);
		date.p = last + 1;
		date.len = (size_t)(end - date.p);
	}
	name = trim(name);
	if (name.len)
		bus_buf_add(&text, name.p, name.len);
	if (close && close > open + 1) {
		bus_buf_puts(&text, name.len ? " " : "");
		bus_buf_add(&text, open, (size_t)(close + 1 - open));
	}
	commit->has_date = parse_date(date, &commit->date_us);
	whole.p = text.p;
	whole.len = text.len;
	rc = bus_buf_check(&text, "git: commit", err);
	if (!rc)
		rc = decode_line(&commit->person, whole, encoding, err);
	bus_buf_finish(&text);
	return rc;
}

enum bus_code git_commit_read(struct commit *ret, const char *id, struct slice raw,
			      struct bus_err *err)
{
	struct commit commit = { .id = strdup(id) };
	struct header header;
	enum bus_code rc = BUS_OK;

	if (!commit.id)
		rc = bus_fail(err, BUS_E_NOMEM, "git: out of memory");
	split(&header, raw);
	if (!rc)
		rc = read_person(&commit, header.person, header.encoding, err);
	if (!rc)
		rc = decode_line(&commit.subject, commit_subject(header.message), header.encoding,
				 err);
	if (header.message.len)
		closes_find(&commit.closes, header.message.p, header.message.len);
	if (rc)
		commit_finish(&commit);
	else
		*ret = commit;
	return rc;
}
