#include "config.h"

#include "adapters/alioth/commit.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/common/text.h"

enum { LINE_BYTES = 16384 }; /* more than COMMIT_TEXT_MAX characters */

enum bus_code commit_line(char **ret, struct slice text, struct bus_err *err)
{
	struct bus_buf line = BUS_BUF_INIT(LINE_BYTES);
	enum bus_code rc;

	bus_buf_add(&line, "", 0);
	if (text.len)
		text_line(&line, text.p, text.len < LINE_BYTES ? text.len : LINE_BYTES,
			  COMMIT_TEXT_MAX);
	rc = bus_buf_check(&line, "commit", err);
	if (!rc)
		*ret = bus_buf_detach(&line);
	bus_buf_finish(&line);
	return rc;
}

static bool is_blank(struct slice line)
{
	size_t i;

	for (i = 0; i < line.len; i++)
		if ((unsigned char)line.p[i] > ' ')
			return false;
	return true;
}

struct slice commit_subject(struct slice message)
{
	struct slice line = { "", 0 };

	while (is_blank(line) && slice_line(&message, &line))
		;
	return line;
}

enum bus_code commit_new(struct commit *ret, struct slice id, struct slice person,
			 struct slice message, struct bus_err *err)
{
	struct commit commit = { .id = strndup(id.len ? id.p : "", id.len) };
	enum bus_code rc = BUS_OK;

	if (!commit.id)
		rc = bus_fail(err, BUS_E_NOMEM, "commit: out of memory");
	if (!rc)
		rc = commit_line(&commit.person, person, err);
	if (!rc)
		rc = commit_line(&commit.subject, commit_subject(message), err);
	if (message.len)
		closes_find(&commit.closes, message.p, message.len);
	if (rc)
		commit_finish(&commit);
	else
		*ret = commit;
	return rc;
}

void commit_finish(struct commit *commit)
{
	free(commit->id);
	free(commit->person);
	free(commit->subject);
	commit->id = commit->person = commit->subject = NULL;
}
