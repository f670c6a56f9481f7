#include "config.h"

#include "adapters/dak/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "adapters/common/say.h"
#include "adapters/dak/rejected.h"

enum { LARGE_BYTES = 256 * 1024 };

enum bus_code maildir_open(struct maildir *ret, const char *path, struct bus_err *err)
{
	memset(ret, 0, sizeof(*ret));
	ret->path = strdup(path);
	return ret->path ? BUS_OK : bus_fail(err, BUS_E_NOMEM, "%s: out of memory", path);
}

static void free_mail(struct maildir_mail *mail)
{
	free(mail->name);
	free(mail->changes);
	free(mail->reason);
}

void maildir_finish(struct maildir *dir)
{
	size_t i;

	for (i = 0; i < dir->count; i++)
		free_mail(&dir->mail[i]);
	free(dir->mail);
	free(dir->path);
	memset(dir, 0, sizeof(*dir));
}

static int64_t microseconds(const struct timespec *ts)
{
	return ts->tv_sec * (int64_t)1000000 + ts->tv_nsec / 1000;
}

static void set_identity(struct maildir_mail *mail, const struct stat *st)
{
	snprintf(mail->identity, sizeof(mail->identity), "%ju %jd %jd.%09ld", (uintmax_t)st->st_ino,
		 (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	mail->mtime_us = microseconds(&st->st_mtim);
	mail->ctime_us = microseconds(&st->st_ctim);
	mail->is_empty = st->st_size == 0;
}

static int by_name(const void *key, const void *mail)
{
	return strcmp(key, ((const struct maildir_mail *)mail)->name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct maildir_mail *)a)->name,
		      ((const struct maildir_mail *)b)->name);
}

static int compare_times(const void *a, const void *b)
{
	const struct maildir_mail *x = a, *y = b;

	if (x->mtime_us != y->mtime_us)
		return x->mtime_us < y->mtime_us ? -1 : 1;
	return strcmp(x->name, y->name);
}

static enum bus_code add_mail(struct maildir *dir, const char *name, const struct stat *st,
			      struct bus_err *err)
{
	size_t cap = dir->cap ? dir->cap * 2 : 64;
	struct maildir_mail *mail;

	if (dir->count == dir->cap) {
		mail = reallocarray(dir->mail, cap, sizeof(*mail));
		if (!mail)
			return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", dir->path);
		dir->mail = mail;
		dir->cap = cap;
	}
	mail = &dir->mail[dir->count];
	memset(mail, 0, sizeof(*mail));
	mail->name = strdup(name);
	if (!mail->name)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", dir->path);
	set_identity(mail, st);
	mail->is_seen = true;
	dir->count++;
	return BUS_OK;
}

/* One that has changed since it was read is another one. */
static void look_again(struct maildir_mail *mail, const struct stat *st)
{
	struct maildir_mail now = { .name = mail->name };

	mail->is_seen = true;
	set_identity(&now, st);
	if (strcmp(now.identity, mail->identity) == 0)
		return;
	free(mail->changes);
	free(mail->reason);
	now.is_seen = true;
	*mail = now;
}

static void forget_unseen(struct maildir *dir)
{
	size_t i, n = 0;

	for (i = 0; i < dir->count; i++)
		if (dir->mail[i].is_seen)
			dir->mail[n++] = dir->mail[i];
		else
			free_mail(&dir->mail[i]);
	dir->count = n;
}

enum bus_code maildir_scan(struct maildir *dir, struct bus_err *err)
{
	DIR *handle = opendir(dir->path);
	size_t known = dir->count, i;
	struct maildir_mail *mail;
	const struct dirent *entry;
	enum bus_code rc = BUS_OK;
	struct stat st;

	if (!handle)
		return bus_fail(err, BUS_E_TEMP, "%s: %s", dir->path, strerror(errno));
	for (i = 0; i < known; i++)
		dir->mail[i].is_seen = false;
	if (known)
		qsort(dir->mail, known, sizeof(*dir->mail), compare_names);
	while (!rc && (entry = readdir(handle)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(handle), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    S_ISDIR(st.st_mode))
			continue;
		mail = known ? bsearch(entry->d_name, dir->mail, known, sizeof(*mail), by_name)
			     : NULL;
		if (mail)
			look_again(mail, &st);
		else
			rc = add_mail(dir, entry->d_name, &st, err);
	}
	closedir(handle);
	if (rc)
		return rc;
	forget_unseen(dir);
	if (dir->count)
		qsort(dir->mail, dir->count, sizeof(*dir->mail), compare_times);
	return BUS_OK;
}

static enum bus_code read_file(const char *path, struct bus_buf *out, struct bus_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum bus_code rc = BUS_OK;
	char chunk[65536];
	struct stat st;
	ssize_t n = 0;

	if (fd < 0 && errno == ENOENT)
		return BUS_E_NO;
	if (fd < 0 && errno != ELOOP && errno != ENXIO && errno != EACCES)
		return bus_fail(err, BUS_E_TEMP, "%s: %s", path, strerror(errno));
	if (fd < 0)
		return bus_fail(err, BUS_E_DATA, "it cannot be read: %s", strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return bus_fail(err, BUS_E_DATA, "it is not a regular file");
	}
	while (!out->failed && (n = read(fd, chunk, sizeof(chunk))) > 0)
		bus_buf_add(out, chunk, (size_t)n);
	if (n < 0)
		rc = bus_fail(err, BUS_E_TEMP, "%s: %s", path, strerror(errno));
	close(fd);
	return rc ? rc : bus_buf_check(out, "mail", err);
}

enum bus_code maildir_read(const struct maildir *dir, const struct maildir_mail *mail,
			   struct dak_mail **ret, struct bus_err *err)
{
	struct bus_buf bytes = BUS_BUF_INIT(MIME_BYTES_MAX);
	char *path = NULL;
	enum bus_code rc;
	bool is_large;

	if (asprintf(&path, "%s/%s", dir->path, mail->name) < 0)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", mail->name);
	rc = read_file(path, &bytes, err);
	if (!rc)
		rc = dak_mail_read(ret, (struct dak_slice){ bytes.p ? bytes.p : "", bytes.len },
				   err);
	is_large = bytes.len > LARGE_BYTES;
	bus_buf_finish(&bytes);
	/* what one large mail took is not kept for the life of the process */
	if (is_large)
		malloc_trim(0);
	free(path);
	return rc;
}

int64_t maildir_settles_us(const struct maildir_mail *mail, int64_t now_us)
{
	const int64_t at_us = mail->ctime_us +
			      (mail->is_empty ? MAILDIR_EMPTY_MS : MAILDIR_SETTLE_MS) *
				      (int64_t)1000;

	/* a time in the future is that of a clock that was set back */
	return now_us < mail->ctime_us || now_us >= at_us ? 0 : at_us;
}

bool maildir_remove(const struct maildir *dir, struct maildir_mail *mail)
{
	char *path = NULL;
	bool ok;

	if (asprintf(&path, "%s/%s", dir->path, mail->name) < 0)
		return false;
	ok = unlink(path) == 0 || errno == ENOENT;
	if (!ok && mail->state != MAILDIR_STUCK)
		say(LOG_ERR, "%s: cannot be removed: %s; %s", path, strerror(errno),
		    errno == EROFS ? "name the directory in ReadWritePaths= of the unit"
				   : "let this user write in the directory");
	mail->state = ok ? MAILDIR_GONE : MAILDIR_STUCK;
	free(path);
	return ok;
}

bool maildir_reject(const struct maildir *dir, struct maildir_mail *mail, const char *reason)
{
	struct bus_err err = { BUS_OK, "" };
	char *kept = NULL;

	if (rejected_keep(dir->path, mail->name, reason, &kept, &err)) {
		if (mail->state != MAILDIR_STUCK)
			say(LOG_ERR, "%s/%s: %s; and it cannot be put aside: %s", dir->path,
			    mail->name, reason, err.text);
		if (!mail->reason)
			mail->reason = strdup(reason);
		/* without memory for the reason it is read again, and again found wrong */
		mail->state = mail->reason ? MAILDIR_STUCK : MAILDIR_FRESH;
		return false;
	}
	say(LOG_ERR, "%s/%s: not announced: %s; kept as rejected/%s", dir->path, mail->name, reason,
	    kept);
	free(kept);
	mail->state = MAILDIR_GONE;
	return true;
}

bool maildir_retry(const struct maildir *dir, struct maildir_mail *mail)
{
	return mail->reason ? maildir_reject(dir, mail, mail->reason) : maildir_remove(dir, mail);
}
