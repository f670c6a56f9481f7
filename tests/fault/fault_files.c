#include "config.h"

#include "fault_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool copy_file(const char *from, const char *to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st->st_mode & 0777);
	char bytes[65536];
	ssize_t n = in < 0 || out < 0 ? -1 : 1;

	while (n > 0 && (n = read(in, bytes, sizeof(bytes))) > 0)
		if (write(out, bytes, (size_t)n) != n)
			n = -1;
	if (n == 0 && futimens(out, times) != 0)
		n = -1;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n == 0;
}

static bool copy_link(const char *from, const char *to)
{
	char target[PATH_MAX];
	const ssize_t n = readlink(from, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	return n > 0 && symlink(target, to) == 0;
}

static bool copy_entries(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	char old[PATH_MAX], new[PATH_MAX];
	const struct dirent *entry;
	bool ok = dir != NULL;
	struct stat st;

	while (ok && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		ok = snprintf(old, sizeof(old), "%s/%s", from, entry->d_name) < PATH_MAX &&
		     snprintf(new, sizeof(new), "%s/%s", to, entry->d_name) < PATH_MAX &&
		     lstat(old, &st) == 0;
		if (ok && S_ISDIR(st.st_mode))
			ok = fault_copy(old, new);
		else if (ok)
			ok = S_ISLNK(st.st_mode) ? copy_link(old, new) : copy_file(old, new, &st);
	}
	if (dir)
		closedir(dir);
	return ok;
}

bool fault_copy(const char *from, const char *to)
{
	struct stat st;

	return stat(from, &st) == 0 && mkdir(to, st.st_mode & 0777) == 0 && copy_entries(from, to);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void fault_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
