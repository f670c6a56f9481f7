#include "config.h"

#include "adapters/wiki/moin_page.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a page's own edit-log says of a revision. */
enum history {
	HISTORY_UNKNOWN,   /* nothing */
	HISTORY_FOREIGN,   /* another time: that was another page */
	HISTORY_LAST,	   /* nothing happened after it */
	HISTORY_WAS_THERE, /* what happened next does not need a page that is gone */
	HISTORY_WAS_GONE   /* it does */
};

enum { LINE_MAX_LEN = 4096 }; /* what matters stands in front */

struct page {
	char path[PATH_MAX]; /* of its directory */
	size_t len;
};

static enum bus_code cannot_read(const char *path, struct bus_err *err)
{
	return bus_fail(err, BUS_E_TEMP,
			"%s: %s; run debmsg-wiki as a user who can read the wiki's pages", path,
			strerror(errno));
}

/* The path of something in the page's directory; what is too long is not there. */
static const char *path_in(struct page *page, const char *name)
{
	const int n = snprintf(page->path + page->len, sizeof(page->path) - page->len, "/%s", name);

	return n > 0 && (size_t)n < sizeof(page->path) - page->len ? page->path : "";
}

static bool is_missing(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
}

static enum bus_code is_there(bool *ret, const char *path, struct bus_err *err)
{
	struct stat st;

	*ret = stat(path, &st) == 0;
	return *ret || is_missing() ? BUS_OK : cannot_read(path, err);
}

/* BUS_OK and NULL where it is missing, or is no regular file: reading that may never end. */
static enum bus_code open_text(FILE **ret, const char *path, struct bus_err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*ret = NULL;
	if (fd < 0)
		return is_missing() ? BUS_OK : cannot_read(path, err);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		*ret = fdopen(fd, "r");
	if (!*ret)
		close(fd);
	return BUS_OK;
}

/* Goes on from what is known with the page's next line; true: it is the answer. */
static bool look_at_line(enum history *history, const struct moin_line *wanted,
			 const struct moin_line *line)
{
	const bool is_save = line->action < MOIN_ATTNEW;

	if (*history == HISTORY_LAST && is_save) {
		*history = line->action == MOIN_SAVENEW ? HISTORY_WAS_GONE : HISTORY_WAS_THERE;
		return true;
	}
	if (is_save && line->revision == wanted->revision)
		*history = line->time_us == wanted->time_us ? HISTORY_LAST : HISTORY_FOREIGN;
	return false;
}

/* Without its LF, and no more of it than there is room for; false: no more. */
static bool next_line(FILE *file, char *line, size_t size, size_t *ret_len)
{
	int c;

	for (*ret_len = 0; (c = getc_unlocked(file)) != EOF && c != '\n';)
		if (*ret_len < size)
			line[(*ret_len)++] = (char)c;
	return c != EOF || *ret_len > 0;
}

static enum bus_code read_history(enum history *ret, struct page *page,
				  const struct moin_line *wanted, struct bus_err *err)
{
	const char *path = path_in(page, "edit-log"), *why;
	struct bus_buf memory = BUS_BUF_INIT(LINE_MAX_LEN);
	enum bus_code rc = BUS_OK;
	char text[LINE_MAX_LEN];
	struct moin_line line;
	FILE *file = NULL;
	size_t len;

	*ret = HISTORY_UNKNOWN;
	rc = open_text(&file, path, err);
	while (file && next_line(file, text, sizeof(text), &len))
		if (moin_line_read(&line, &memory, text, len, &why) &&
		    look_at_line(ret, wanted, &line))
			break;
	if (file && ferror(file))
		rc = cannot_read(path, err);
	if (file)
		fclose(file);
	bus_buf_finish(&memory);
	return rc;
}

static enum bus_code is_newest(bool *ret, struct page *page, uint64_t revision, const char *name,
			       struct bus_err *err)
{
	const char *path = path_in(page, name);
	struct moin_field number;
	enum bus_code rc;
	uint64_t newest;
	FILE *file = NULL;
	char text[32];

	*ret = false;
	rc = open_text(&file, path, err);
	number.p = text;
	if (file && next_line(file, text, sizeof(text), &number.len))
		*ret = moin_number(&newest, number) && newest == revision;
	if (file && ferror(file))
		rc = cannot_read(path, err);
	if (file)
		fclose(file);
	return rc;
}

/* Its own log, and its newest revision as long as nothing happened to it since. */
static enum bus_code ask_page(bool *ret, struct page *page, const struct moin_line *line,
			      struct bus_err *err)
{
	enum history history = HISTORY_UNKNOWN;
	enum bus_code rc = BUS_OK;
	bool is_open;
	int round;

	/* twice, because moin may be a step further with each question */
	for (round = 0; round < 2 && !rc && !*ret && history == HISTORY_UNKNOWN; round++) {
		rc = read_history(&history, page, line, err);
		*ret = history == HISTORY_WAS_GONE;
		is_open = history == HISTORY_UNKNOWN || history == HISTORY_LAST;
		if (!rc && is_open)
			rc = is_newest(ret, page, line->revision, "current-locked", err);
		if (!rc && is_open && !*ret)
			rc = is_newest(ret, page, line->revision, "current", err);
	}
	return rc;
}

enum bus_code moin_page_was_deleted(bool *ret, const char *data, const struct moin_line *line,
				    struct bus_err *err)
{
	struct page page;
	enum bus_code rc;
	char name[64];
	bool found;
	int n;

	*ret = false;
	n = snprintf(page.path, sizeof(page.path), "%s/pages/%.*s", data, (int)line->page.len,
		     line->page.p);
	if (n < 0 || (size_t)n >= sizeof(page.path) ||
	    line->revision < (line->action == MOIN_SAVENEW ? 2 : 1))
		return BUS_OK;
	page.len = (size_t)n;
	snprintf(name, sizeof(name), "revisions/%08" PRIu64, line->revision);
	rc = is_there(&found, path_in(&page, name), err);
	if (rc || found)
		return rc;
	rc = is_there(&found, path_in(&page, "revisions"), err);
	return rc || !found ? rc : ask_page(ret, &page, line, err);
}
