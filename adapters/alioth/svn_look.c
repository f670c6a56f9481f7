#include "config.h"

#include "adapters/alioth/svn_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/alioth/tool.h"
#include "timestamp.h"

static const char svnlook[] = "/usr/bin/svnlook";
static const char *const no_more[] = { NULL };

enum { SHORT_MAX = 4096 }; /* bytes of a UUID, a name, a date */

enum bus_code svn_look_uuid(const struct svn_look *look, char **ret, struct bus_err *err)
{
	const char *const argv[] = { svnlook, "uuid", look->repository, NULL };
	struct bus_buf out = BUS_BUF_INIT(SHORT_MAX);
	struct slice text, uuid = { "", 0 };
	enum bus_code rc;

	rc = tool_ask(&out, argv, no_more, err);
	text = slice_of_buf(&out);
	slice_line(&text, &uuid);
	if (!rc) {
		*ret = strndup(uuid.p, uuid.len);
		rc = *ret ? BUS_OK : bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
	}
	bus_buf_finish(&out);
	return rc;
}

enum bus_code svn_look_changed(const struct svn_look *look, struct svn_refs *refs,
			       struct bus_err *err)
{
	const char *const argv[] = { svnlook,	     "changed",	       "--copy-info", "-r",
				     look->revision, look->repository, NULL };
	char *line = malloc(SVN_LINE_MAX);
	struct child *child = NULL;
	enum bus_code rc;

	if (!line)
		return bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
	rc = tool_start(&child, argv, no_more, err);
	while (!rc) {
		rc = child_read_line(child, line, SVN_LINE_MAX, err);
		if (!rc && *line)
			rc = svn_refs_line(refs, slice_of(line), err);
	}
	if (rc == BUS_E_NO)
		rc = tool_finish(child, err);
	else
		child_kill(child);
	free(line);
	return rc ? rc : svn_refs_end(refs, err);
}

/* A property of the revision; one that is not set is empty. */
static enum bus_code ask_property(const struct svn_look *look, const char *name,
				  struct bus_buf *out, struct bus_err *err)
{
	const char *const argv[] = { svnlook,	     "propget",	       "--revprop", "-r",
				     look->revision, look->repository, name,	    NULL };
	enum bus_code rc = tool_ask(out, argv, no_more, err);

	if (rc == BUS_E_DATA && out->over) { /* its beginning has what is told of it */
		out->failed = false;
		out->over = false;
		return BUS_OK;
	}
	if (rc == BUS_E_NO || rc == BUS_E_DATA) {
		bus_buf_clear(out);
		rc = BUS_OK;
	}
	return rc;
}

enum bus_code svn_look_commit(const struct svn_look *look, struct commit *ret, struct bus_err *err)
{
	struct bus_buf author = BUS_BUF_INIT(SHORT_MAX), date = BUS_BUF_INIT(SHORT_MAX);
	struct bus_buf log = BUS_BUF_INIT(SVN_LOG_MAX);
	struct commit commit = { 0 };
	enum bus_code rc;

	rc = ask_property(look, "svn:author", &author, err);
	if (!rc)
		rc = ask_property(look, "svn:date", &date, err);
	if (!rc)
		rc = ask_property(look, "svn:log", &log, err);
	if (!rc)
		rc = commit_new(&commit, slice_of(look->revision), slice_of_buf(&author),
				slice_of_buf(&log), err);
	if (!rc) {
		commit.has_date = date.len && bus_time_parse(&commit.date_us, date.p);
		*ret = commit;
	}
	bus_buf_finish(&author);
	bus_buf_finish(&date);
	bus_buf_finish(&log);
	return rc;
}

enum bus_code svn_look_existed(const struct svn_look *look, const char *path, bool *ret,
			       struct bus_err *err)
{
	const uint64_t before = strtoull(look->revision, NULL, 10) - 1;
	struct bus_buf names = BUS_BUF_INIT(SVN_LOG_MAX);
	char revision[24], *absolute = NULL;
	enum bus_code rc;

	snprintf(revision, sizeof(revision), "%" PRIu64, before);
	if (asprintf(&absolute, "/%s", path) < 0)
		return bus_fail(err, BUS_E_NOMEM, "svn: out of memory");
	{
		const char *const argv[] = { svnlook,	       "proplist", "-r", revision,
					     look->repository, absolute,   NULL };

		rc = tool_ask(&names, argv, no_more, err);
	}
	if (!rc || rc == BUS_E_NO || rc == BUS_E_DATA) {
		*ret = rc != BUS_E_NO;
		rc = BUS_OK;
	}
	bus_buf_finish(&names);
	free(absolute);
	return rc;
}
