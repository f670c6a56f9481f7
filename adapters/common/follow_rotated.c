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

/* What a walk over the renamed files looks for. */
struct search {
	const struct follow_position *position;
	struct stat ours;
	char suffix[NAME_MAX + 1];
	int fd;
};

/* Calls each() with what stands behind the log's name, until it says true. */
static enum bus_code walk(const char *path, bool (*each)(struct search *, const char *, int),
			  struct search *search, struct bus_err *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const size_t dir_len = (size_t)(base - path);
	char suffix[NAME_MAX + 1], *name = strndup(dir_len ? path : ".", dir_len ? dir_len : 1);
	DIR *dir = name ? opendir(name) : NULL;
	const struct dirent *entry;
	bool found = false;
	int fd = -1;

	free(name);
	while (dir && !found && (entry = readdir(dir)) != NULL) {
		if (!find_suffix(suffix, entry->d_name, base))
			continue;
		if (asprintf(&name, "%.*s%s", (int)dir_len, path, entry->d_name) < 0) {
			closedir(dir);
			return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
		}
		if (follow_open_file(&fd, name, NULL) == BUS_OK) {
			found = each(search, suffix, fd);
			if (search->fd != fd)
				close(fd);
		}
		free(name);
	}
	if (dir)
		closedir(dir);
	return BUS_OK;
}

static bool has_position(struct search *search, const char *suffix, int fd)
{
	(void)suffix;
	if (!follow_mark_is_at(fd, search->position))
		return false;
	search->fd = fd;
	return true;
}

/* When an entry of the log's directory last came or went. */
static int64_t changed_ns(const char *path)
{
	const char *slash = strrchr(path, '/');
	const size_t len = slash ? (size_t)(slash + 1 - path) : 1;
	char *name = strndup(slash ? path : ".", len);
	struct stat st = { .st_size = 0 };

	if (name && stat(name, &st) != 0)
		st.st_mtim.tv_sec = 0;
	free(name);
	return st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
}

static enum bus_code too_busy(const char *path, struct bus_err *err)
{
	return bus_fail(err, BUS_E_TEMP, "%s: files beside it are renamed all the time", path);
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
	} while (!rc && search.fd < 0 && changed_ns(path) != before);
	*ret_fd = search.fd;
	return rc;
}

static bool is_ours(struct search *search, const char *suffix, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_dev != search->ours.st_dev ||
	    st.st_ino != search->ours.st_ino)
		return false;
	snprintf(search->suffix, sizeof(search->suffix), "%s", suffix);
	return true;
}

/* ".3": 3; 0 for what is no such number. */
static unsigned int number_of(const char *suffix)
{
	const size_t digits = suffix[0] == '.' ? strspn(suffix + 1, "0123456789") : 0;

	return digits && digits <= 4 && !suffix[1 + digits]
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

/* Of those that are later than ours, the earliest. */
struct successor {
	struct search search;
	char best[NAME_MAX + 1];
};

static bool is_next(struct search *search, const char *suffix, int fd)
{
	struct successor *next = (struct successor *)search;

	if (!is_later(suffix, search->suffix) || (search->fd >= 0 && !is_later(next->best, suffix)))
		return false;
	if (search->fd >= 0)
		close(search->fd);
	search->fd = fd;
	snprintf(next->best, sizeof(next->best), "%s", suffix);
	return false;
}

/*
 * One try.  The log is opened first: what is renamed afterwards is found beside
 * it.  *ret_fd -1: files were renamed meanwhile.
 */
static enum bus_code try_next(int *ret_fd, const char *path, int fd, struct bus_err *err)
{
	struct successor next = { .search.fd = -1 };
	const int64_t before = changed_ns(path);
	int log = -1;
	enum bus_code rc;

	rc = fstat(fd, &next.search.ours) == 0 ? walk(path, is_ours, &next.search, err) : BUS_OK;
	if (!rc)
		rc = follow_open_file(&log, path, err);
	if (rc == BUS_E_NO)
		rc = BUS_OK;
	if (!rc && next.search.suffix[0])
		rc = walk(path, is_next, &next.search, err);
	if (!rc && changed_ns(path) == before) {
		*ret_fd = next.search.fd >= 0 ? next.search.fd : log;
		if (*ret_fd < 0)
			rc = bus_fail(err, BUS_E_NO, "%s: not there yet", path);
	}
	if (next.search.fd >= 0 && next.search.fd != *ret_fd)
		close(next.search.fd);
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
