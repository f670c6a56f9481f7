/*
 * forgetful: a disk that forgets what was not synced, for LD_PRELOAD.
 *
 * Of every file below $FORGETFUL_DIRECTORY, what a write or a truncation replaces is
 * noted first, in $FORGETFUL_JOURNAL/<inode>; a sync clears the note.  So who kills
 * all that write there, and then puts back what the notes say, last one first,
 * has what a power cut would have left at the worst: disk.py does it.
 *
 * While $FORGETFUL_JOURNAL/readonly exists, every write, truncation and sync fails
 * with EROFS, as on a file system that the kernel made read-only after an error.
 *
 * $FORGETFUL_JOURNAL/refused gets a byte for every write, truncation and sync that failed
 * with EROFS or ENOSPC.
 *
 * $FORGETFUL_JOURNAL/slow says how many milliseconds longer every sync takes, and the
 * first write behind one; while process N waits for that, there is
 * $FORGETFUL_JOURNAL/waiting.N.
 *
 * That a file is there, under its name, counts as synced; so do SQLite's -shm
 * files, which mean nothing after a boot.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A note: these, then `len` bytes that stood at `offset`. */
struct note {
	uint64_t size; /* of the file before */
	uint64_t offset, len;
};

/* The next function of that name behind ours. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static bool is_ours(int fd, struct stat *st)
{
	static const char shm[] = "-shm";
	const char *directory = getenv("FORGETFUL_DIRECTORY");
	char link[40], path[PATH_MAX];
	ssize_t n;

	if (!directory || !getenv("FORGETFUL_JOURNAL") || fstat(fd, st) != 0 ||
	    !S_ISREG(st->st_mode))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < (ssize_t)sizeof(shm))
		return false;
	path[n] = '\0';
	return !strncmp(path, directory, strlen(directory)) && path[strlen(directory)] == '/' &&
	       strcmp(path + n - strlen(shm), shm) != 0;
}

static void journal_name(char *ret, size_t size, const struct stat *st)
{
	snprintf(ret, size, "%s/%llu", getenv("FORGETFUL_JOURNAL"), (unsigned long long)st->st_ino);
}

static void count_refused(void)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%s/refused", getenv("FORGETFUL_JOURNAL"));
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || NEXT(write)(fd, ".", 1) != 1)
		abort();
	close(fd);
}

static bool is_read_only(void)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/readonly", getenv("FORGETFUL_JOURNAL"));
	if (access(name, F_OK) != 0)
		return false;
	count_refused();
	errno = EROFS;
	return true;
}

/* Locked, so that note and write are one for everybody. */
static int open_journal(const struct stat *st)
{
	char name[PATH_MAX];
	int journal;

	journal_name(name, sizeof(name), st);
	journal = open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (journal < 0 || flock(journal, LOCK_EX) != 0)
		abort();
	return journal;
}

static void add(int journal, const void *bytes, size_t len)
{
	if (NEXT(write)(journal, bytes, len) != (ssize_t)len)
		abort();
}

/*
 * The descriptor is for writing only.  Not for all files: closing the other one would
 * drop the locks that SQLite has on it, but SQLite can read what it writes.
 */
static ssize_t read_anew(int fd, char *out, size_t len, off_t offset)
{
	char name[40];
	ssize_t got;
	int reader;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	reader = open(name, O_RDONLY | O_CLOEXEC);
	got = pread(reader, out, len, offset);
	close(reader);
	return got;
}

/* Notes what stands at [offset, offset + len). */
static void note(int journal, int fd, const struct stat *before, off_t offset, size_t len)
{
	struct note n = { (uint64_t)before->st_size, (uint64_t)offset, 0 };
	char *old = NULL;
	ssize_t got = 0;

	if (offset < before->st_size) {
		old = malloc(len + 1);
		if (!old)
			abort();
		got = pread(fd, old, len, offset);
		if (got < 0 && errno == EBADF)
			got = read_anew(fd, old, len, offset);
		if (got < 0)
			abort();
	}
	n.len = (uint64_t)got;
	add(journal, &n, sizeof(n));
	add(journal, old, (size_t)got);
	free(old);
}

/*
 * A disk with much to do.  Who is killed in a sync has written all, and nothing of it is
 * lost; so there is also time to be killed before.
 */
static bool has_written;

static void be_slow(void)
{
	char name[PATH_MAX], mark[PATH_MAX], text[16] = "";
	int fd;

	snprintf(name, sizeof(name), "%s/slow", getenv("FORGETFUL_JOURNAL"));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0) {
		snprintf(mark, sizeof(mark), "%s/waiting.%d", getenv("FORGETFUL_JOURNAL"),
			 (int)getpid());
		close(open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		usleep((useconds_t)strtoul(text, NULL, 10) * 1000);
		NEXT(unlink)(mark);
	}
	close(fd);
}

static ssize_t noted_write(int fd, const void *bytes, size_t len, off_t offset, bool seek)
{
	struct stat st;
	ssize_t n;
	int journal, error;

	if (!is_ours(fd, &st))
		return seek ? NEXT(write)(fd, bytes, len) : NEXT(pwrite)(fd, bytes, len, offset);
	if (is_read_only())
		return -1;
	if (!has_written)
		be_slow();
	has_written = true;
	journal = open_journal(&st);
	if (fstat(fd, &st) != 0)
		abort();
	if (seek)
		offset = fcntl(fd, F_GETFL) & O_APPEND ? st.st_size : lseek(fd, 0, SEEK_CUR);
	note(journal, fd, &st, offset, len);
	n = seek ? NEXT(write)(fd, bytes, len) : NEXT(pwrite)(fd, bytes, len, offset);
	error = errno;
	if (n < 0 && error == ENOSPC)
		count_refused();
	close(journal);
	errno = error;
	return n;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	return noted_write(fd, bytes, len, 0, true);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	return noted_write(fd, bytes, len, offset, false);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	return noted_write(fd, bytes, len, offset, false);
}

static int noted_truncate(int fd, off_t size)
{
	struct stat st;
	int journal, status, error;

	if (!is_ours(fd, &st))
		return NEXT(ftruncate)(fd, size);
	if (is_read_only())
		return -1;
	journal = open_journal(&st);
	if (fstat(fd, &st) != 0)
		abort();
	note(journal, fd, &st, size, st.st_size > size ? (size_t)(st.st_size - size) : 0);
	status = NEXT(ftruncate)(fd, size);
	error = errno;
	if (status && error == ENOSPC)
		count_refused();
	close(journal);
	errno = error;
	return status;
}

int ftruncate(int fd, off_t size)
{
	return noted_truncate(fd, size);
}

int ftruncate64(int fd, off_t size)
{
	return noted_truncate(fd, size);
}

/* The notes are all older than this sync: nobody writes while we have the lock. */
static int noted_sync(int fd, int (*real)(int))
{
	struct stat st;
	int journal, status, error;

	if (!is_ours(fd, &st))
		return real(fd);
	if (is_read_only())
		return -1;
	be_slow();
	has_written = false;
	journal = open_journal(&st);
	status = real(fd);
	error = errno;
	if (!status && NEXT(ftruncate)(journal, 0) != 0)
		abort();
	close(journal);
	errno = error;
	return status;
}

int fsync(int fd)
{
	return noted_sync(fd, NEXT(fsync));
}

int fdatasync(int fd)
{
	return noted_sync(fd, NEXT(fdatasync));
}

/* The number of a file that is gone may be given to another one. */
static void forget(const char *path)
{
	char name[PATH_MAX];
	struct stat st;

	if (!getenv("FORGETFUL_JOURNAL") || lstat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_nlink != 1)
		return;
	journal_name(name, sizeof(name), &st);
	NEXT(unlink)(name);
}

int unlink(const char *path)
{
	forget(path);
	return NEXT(unlink)(path);
}

int rename(const char *from, const char *to)
{
	forget(to);
	return NEXT(rename)(from, to);
}
