#include "config.h"

#include "adapters/common/follow_rotated.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/common/follow_mark.h"

enum { TRIES = 100 };

enum bus_code follow_open_file(int *ret_fd, const char *path, struct bus_err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return bus_fail(err, errno == ENOENT ? BUS_E_NO : BUS_E_TEMP, "%s: %s", path,
				strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return bus_fail(err, BUS_E_TEMP, "%s: not a regular file", path);
	}
	*ret_fd = fd;
	return BUS_OK;
}

static bool is_compressed(const char *name)
{
	static const char *const suffix[] = { ".gz", ".xz", ".bz2", ".zst" };
	size_t i, len = strlen(name), n;

	for (i = 0; i < sizeof(suffix) / sizeof(*suffix); i++) {
		n = strlen(suffix[i]);
		if (len > n && strcmp(name + len - n, suffix[i]) == 0)
			return true;
	}
	return false;
}

/*
 * Is it a name that a log called base is given?  log.1, log-20261101, or, as dak
 * has it, removals-2025.822 for removals.822.  The suffix is what was put in.
 */
static bool find_suffix(char suffix[NAME_MAX + 1], const char *name, const char *base)
{
	const size_t len = strlen(base), name_len = strlen(name);
	const char *dot = strrchr(base, '.');
	const size_t stem = dot ? (size_t)(dot - base) : 0;

	if (name_len <= len || is_compressed(name))
		return false;
	if (strncmp(name, base, len) == 0) {
		snprintf(suffix, NAME_MAX + 1, "%s", name + len);
		return true;
	}
	if (!stem || strncmp(name, base, stem) != 0 || name[stem] != '-' ||
	    strcmp(name + name_len - (len - stem), dot) != 0)
		return false;
	snprintf(suffix, NAME_MAX + 1, "%.*s", (int)(name_len - len), name + stem);
	return true;
}

/* What a walk over the renamed files looks for, and finds. */
struct search {
	const struct follow_position *position;
	struct stat ours;
	char suffix[NAME_MAX + 1]; /* of ours */
	char best[NAME_MAX + 1];
	int fd;
	struct bus_err unreadable; /* of one that may have been it; code BUS_OK: none */
};

/*
 * Looks at one renamed file; suffix is what was put into the log's name, fd -1
 * says that it cannot be opened, and *err why.  BUS_OK ends the walk, BUS_E_NO
 * goes on.  fd is closed unless it is search->fd then.
 */
typedef enum bus_code visit(struct search *search, const char *suffix, int fd, struct bus_err *err);

static enum bus_code visit_file(const char *directory, const char *name, const char *suffix,
				visit *each, struct search *search, struct bus_err *err)
{
	enum bus_code rc;
	char *path = NULL;
	struct stat st;
	int fd = -1;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", name);
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
		free(path);
		return BUS_E_NO;
	}
	rc = follow_open_file(&fd, path, err);
	free(path);
	if (rc == BUS_E_NO || rc == BUS_E_NOMEM)
		return rc;
	rc = each(search, suffix, fd, err);
	if (fd >= 0 && search->fd != fd)
		close(fd);
	return rc;
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strndup(slash ? path : ".", slash && slash > path ? (size_t)(slash - path) : 1);
}

/* Calls each() until it says BUS_OK. */
static enum bus_code walk(const char *path, visit *each, struct search *search, struct bus_err *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char *directory = directory_of(path), suffix[NAME_MAX + 1];
	DIR *dir = directory ? opendir(directory) : NULL;
	const struct dirent *entry;
	enum bus_code rc = BUS_E_NO;

	if (!dir && (!directory || errno != ENOENT))
		rc = bus_fail(err, BUS_E_TEMP, "%s: %s; it is looked through for %s", directory,
			      strerror(errno), base);
	while (dir && rc == BUS_E_NO && (entry = readdir(dir)) != NULL)
		if (find_suffix(suffix, entry->d_name, base))
			rc = visit_file(directory, entry->d_name, suffix, each, search, err);
	if (dir)
		closedir(dir);
	free(directory);
	return rc;
}

static enum bus_code has_position(struct search *search, const char *suffix, int fd,
				  struct bus_err *err)
{
	enum bus_code rc;

	(void)suffix;
	if (fd < 0) {
		search->unreadable = *err;
		return BUS_E_NO;
	}
	rc = follow_mark_is_at(fd, search->position, err);
	if (!rc)
		search->fd = fd;
	return rc;
}

/* When an entry of the log's directory last came or went. */
static int64_t changed_ns(const char *path)
{
	char *directory = directory_of(path);
	struct stat st = { .st_size = 0 };

	if (directory && stat(directory, &st) != 0)
		st.st_mtim.tv_sec = 0;
	free(directory);
	return st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
}

static enum bus_code too_busy(const char *path, struct bus_err *err)
{
	return bus_fail(err, BUS_E_TEMP, "%s: files beside it are renamed all the time", path);
}

static enum bus_code fail_unreadable(const struct search *search, struct bus_err *err)
{
	*err = search->unreadable;
	bus_err_context(err, "lines may stand in a renamed file; make it readable, or give it "
			     "another name");
	return err->code;
}

/* A file that is renamed while we look may not be seen, so that none may be a mistake. */
enum bus_code follow_rotated_find(int *ret_fd, const char *path,
				  const struct follow_position *position, struct bus_err *err)
{
	struct search search = { .position = position, .fd = -1 };
	enum bus_code rc;
	int64_t before;
	int tries = 0;

	do {
		if (tries++ == TRIES)
			return too_busy(path, err);
		before = changed_ns(path);
		rc = walk(path, has_position, &search, err);
	} while (rc == BUS_E_NO && changed_ns(path) != before);
	if (rc == BUS_E_NO && search.unreadable.code)
		return fail_unreadable(&search, err);
	if (!rc)
		*ret_fd = search.fd;
	return rc;
}

static enum bus_code is_ours(struct search *search, const char *suffix, int fd, struct bus_err *err)
{
	struct stat st;

	(void)err;
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_dev != search->ours.st_dev ||
	    st.st_ino != search->ours.st_ino)
		return BUS_E_NO;
	snprintf(search->suffix, sizeof(search->suffix), "%s", suffix);
	return BUS_OK;
}

/* ".3": 3; 0 for what is no such number (a year is none). */
static unsigned int number_of(const char *suffix)
{
	const size_t digits = suffix[0] == '.' ? strspn(suffix + 1, "0123456789") : 0;

	return digits && digits <= 3 && !suffix[1 + digits]
		       ? (unsigned int)strtoul(suffix + 1, NULL, 10)
		       : 0;
}

static bool is_date(const char *suffix)
{
	return strlen(suffix) >= 7 && !suffix[1 + strspn(suffix + 1, "0123456789-_")];
}

/* Was a begun after b? */
static bool is_later(const char *a, const char *b)
{
	if (number_of(a) && number_of(b))
		return number_of(a) < number_of(b);
	return is_date(a) && is_date(b) && strcmp(a, b) > 0;
}

static bool is_older(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec < b->st_mtim.tv_sec ||
	       (a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec < b->st_mtim.tv_nsec);
}

/* cppcheck-suppress constParameter ; the type is visit's */
/* Of those that are later than ours, the earliest; an archive somebody numbered is older. */
static enum bus_code is_next(struct search *search, const char *suffix, int fd, struct bus_err *err)
{
	struct stat st;

	if (!is_later(suffix, search->suffix) ||
	    (search->fd >= 0 && !is_later(search->best, suffix)))
		return BUS_E_NO;
	if (fd < 0)
		search->unreadable = *err;
	if (fd < 0 || fstat(fd, &st) != 0 || is_older(&st, &search->ours))
		return BUS_E_NO;
	if (search->fd >= 0)
		close(search->fd);
	search->fd = fd;
	snprintf(search->best, sizeof(search->best), "%s", suffix);
	return BUS_E_NO;
}

static enum bus_code find_next(struct search *search, const char *path, int fd, struct bus_err *err)
{
	enum bus_code rc;

	rc = fstat(fd, &search->ours) == 0 ? walk(path, is_ours, search, err) : BUS_E_NO;
	if (!rc)
		rc = walk(path, is_next, search, err);
	if (rc == BUS_E_NO && search->unreadable.code)
		return fail_unreadable(search, err);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

/*
 * One try.  The log is opened first: what is renamed afterwards is found beside
 * it.  *ret_fd -1: files were renamed meanwhile.
 */
static enum bus_code try_next(int *ret_fd, const char *path, int fd, struct bus_err *err)
{
	struct search search = { .fd = -1 };
	const int64_t before = changed_ns(path);
	int log = -1;
	enum bus_code rc = follow_open_file(&log, path, err);

	if (rc == BUS_E_NO)
		rc = BUS_OK;
	if (!rc)
		rc = find_next(&search, path, fd, err);
	if (!rc && changed_ns(path) == before) {
		*ret_fd = search.fd >= 0 ? search.fd : log;
		if (*ret_fd < 0)
			rc = bus_fail(err, BUS_E_NO, "%s: not there yet", path);
	}
	if (search.fd >= 0 && search.fd != *ret_fd)
		close(search.fd);
	if (log >= 0 && log != *ret_fd)
		close(log);
	return rc;
}

enum bus_code follow_rotated_next(int *ret_fd, bool *ret_is_rotated, const char *path, int fd,
				  struct bus_err *err)
{
	struct stat chosen, log;
	enum bus_code rc = BUS_OK;
	int tries = 0, next = -1;

	while (!rc && next < 0) {
		if (tries++ == TRIES)
			return too_busy(path, err);
		rc = try_next(&next, path, fd, err);
	}
	if (rc)
		return rc;
	*ret_is_rotated = stat(path, &log) != 0 || fstat(next, &chosen) != 0 ||
			  log.st_dev != chosen.st_dev || log.st_ino != chosen.st_ino;
	*ret_fd = next;
	return BUS_OK;
}
