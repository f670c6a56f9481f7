#include "config.h"

#include "adapters/common/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct snapshot identity(const struct stat *st)
{
	return (struct snapshot){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (unsigned long long)st->st_size,
		.mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec,
		.ctime_ns = st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec,
	};
}

static bool is_same(const struct snapshot *a, const struct snapshot *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static enum bus_code read_all(int fd, const char *path, struct bus_buf *out, struct bus_err *err)
{
	char chunk[16384];
	ssize_t n = 0;

	bus_buf_clear(out);
	while (!out->failed && (n = read(fd, chunk, sizeof(chunk))) > 0)
		bus_buf_add(out, chunk, (size_t)n);
	if (n < 0)
		return bus_fail(err, BUS_E_TEMP, "%s: %s", path, strerror(errno));
	return bus_buf_check(out, path, err);
}

enum bus_code snapshot_read(struct snapshot *snapshot, const char *path, struct bus_buf *out,
			    struct bus_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct snapshot now;
	enum bus_code rc;
	struct stat st;

	if (fd < 0)
		return bus_fail(err, errno == ENOENT ? BUS_E_NO : BUS_E_TEMP, "%s: %s", path,
				strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		rc = bus_fail(err, BUS_E_TEMP, "%s: not a regular file", path);
		goto out;
	}
	/* taken before the bytes are: what is written meanwhile makes another one */
	now = identity(&st);
	if (is_same(&now, snapshot)) {
		rc = BUS_E_NO;
		goto out;
	}
	rc = read_all(fd, path, out, err);
	if (!rc || rc == BUS_E_DATA)
		*snapshot = now;
out:
	close(fd);
	return rc;
}

void snapshot_forget(struct snapshot *snapshot)
{
	*snapshot = (struct snapshot)SNAPSHOT_INIT;
}
