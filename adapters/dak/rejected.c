#include "config.h"

#include "adapters/dak/rejected.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/dak/maildir.h"

enum { NAMES_MAX = 1000 };

static const char suffix[] = ".reason";

static bool is_reason(const char *name)
{
	const size_t len = strlen(name), n = sizeof(suffix) - 1;

	return len > n && strcmp(name + len - n, suffix) == 0;
}

/* The oldest file, where there are too many; the caller's. */
static char *find_surplus(int fd)
{
	DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	char oldest[NAME_MAX + 1] = "";
	const struct dirent *entry;
	struct timespec time = { 0, 0 };
	size_t count = 0;
	struct stat st;

	while (dir && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || is_reason(entry->d_name) ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		count++;
		if (oldest[0] &&
		    (st.st_ctim.tv_sec > time.tv_sec ||
		     (st.st_ctim.tv_sec == time.tv_sec && st.st_ctim.tv_nsec >= time.tv_nsec)))
			continue;
		time = st.st_ctim;
		snprintf(oldest, sizeof(oldest), "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return count > MAILDIR_REJECTED_MAX ? strdup(oldest) : NULL;
}

static void remove_surplus(int fd)
{
	char *name = find_surplus(fd), *reason = NULL;

	if (!name)
		return;
	if (asprintf(&reason, "%s%s", name, suffix) >= 0) {
		unlinkat(fd, reason, 0);
		free(reason);
	}
	unlinkat(fd, name, 0);
	free(name);
}

/* A reason that cannot be written, on a full disk, is no reason to leave the mail there. */
static bool write_reason(int fd, const char *name, const char *reason)
{
	char *path = NULL;
	int file;

	if (asprintf(&path, "%s%s", name, suffix) < 0)
		return true;
	file = openat(fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	free(path);
	if (file < 0)
		return errno != EEXIST;
	dprintf(file, "%s\n", reason);
	close(file);
	return true;
}

/* NULL: out of memory. */
static char *numbered(const char *name, unsigned int number)
{
	char *text = NULL;

	if (!number)
		return strdup(name);
	return asprintf(&text, "%s.%u", name, number) < 0 ? NULL : text;
}

static const char *remedy(void)
{
	return errno == EROFS ? "; name the directory in ReadWritePaths= of the unit" : "";
}

/* The reason first, so that a mail in there always has one. */
static enum bus_code keep(int from, int to, const char *name, const char *reason, char **ret_kept,
			  struct bus_err *err)
{
	unsigned int number;
	char *kept;

	for (number = 0; number < NAMES_MAX; number++) {
		kept = numbered(name, number);
		if (!kept)
			return bus_fail(err, BUS_E_NOMEM, "rejected: out of memory");
		if (faccessat(to, kept, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
		    write_reason(to, kept, reason)) {
			if (renameat2(from, name, to, kept, RENAME_NOREPLACE) == 0) {
				*ret_kept = kept;
				return BUS_OK;
			}
			if (errno != EEXIST) {
				bus_fail(err, BUS_E_TEMP, "rejected/%s: %s%s", kept,
					 strerror(errno), remedy());
				free(kept);
				return BUS_E_TEMP;
			}
		}
		free(kept);
	}
	return bus_fail(err, BUS_E_TEMP, "rejected/%s: too many of this name", name);
}

enum bus_code rejected_keep(const char *directory, const char *name, const char *reason,
			    char **ret_kept, struct bus_err *err)
{
	int from = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = -1;
	enum bus_code rc;

	if (from >= 0 && (mkdirat(from, "rejected", 0750) == 0 || errno == EEXIST))
		to = openat(from, "rejected", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (to < 0) {
		rc = bus_fail(err, BUS_E_TEMP, "%s/rejected: %s%s", directory, strerror(errno),
			      remedy());
	} else {
		rc = keep(from, to, name, reason, ret_kept, err);
		if (!rc)
			remove_surplus(to);
		close(to);
	}
	if (from >= 0)
		close(from);
	return rc;
}
