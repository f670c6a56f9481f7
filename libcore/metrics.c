#include "config.h"

#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "json.h"
#include "timestamp.h"

enum {
	SECOND_US = 1000000,
	TRIES = 5 /* at getting the temporary file, while another process replaces it */
};

struct bus_metrics {
	struct bus_say say;
	char *path, *temporary; /* in the same directory */
	struct bus_buf text;
	const char *name; /* of the family at hand */
	int64_t due_us;	  /* on bus_time_mono() */
	int64_t soon_us;  /* the earliest time that is due when it is urgent */
	bool failing;	  /* and said so */
};

static bool ends_in_prom(const char *path)
{
	static const char end[] = ".prom";
	const size_t len = strlen(path);

	return len >= sizeof(end) - 1 && !strcmp(path + len - (sizeof(end) - 1), end);
}

/* "/a/b.prom" to "/a/.b.prom.tmp", which node_exporter does not read. */
static enum bus_code name_temporary(struct bus_metrics *m, struct bus_err *err)
{
	struct bus_buf name = BUS_BUF_INIT(SIZE_MAX / 2);
	const char *slash = strrchr(m->path, '/'), *base = slash ? slash + 1 : m->path;
	enum bus_code rc;

	bus_buf_add(&name, m->path, (size_t)(base - m->path));
	bus_buf_printf(&name, ".%s.tmp", base);
	rc = bus_buf_check(&name, "metrics", err);
	if (!rc)
		m->temporary = bus_buf_detach(&name);
	bus_buf_finish(&name);
	return rc;
}

enum bus_code bus_metrics_open(struct bus_metrics **ret, const char *path,
			       const struct bus_say *say, struct bus_err *err)
{
	struct bus_metrics *m;
	enum bus_code rc;

	if (!ends_in_prom(path))
		return bus_fail(err, BUS_E_USAGE,
				"metrics file %s: its name must end in .prom: node_exporter reads "
				"no other",
				path);
	m = calloc(1, sizeof(*m));
	if (!m)
		return bus_fail(err, BUS_E_NOMEM, "metrics: out of memory");
	m->say = *say;
	m->text.max = BUS_METRICS_MAX;
	m->path = strdup(path);
	rc = m->path ? name_temporary(m, err)
		     : bus_fail(err, BUS_E_NOMEM, "metrics: out of memory");
	if (rc)
		bus_metrics_close(m);
	else
		*ret = m;
	return rc;
}

void bus_metrics_close(struct bus_metrics *m)
{
	if (!m)
		return;
	bus_buf_finish(&m->text);
	free(m->path);
	free(m->temporary);
	free(m);
}

/* -- when -- */

void bus_metrics_hurry(struct bus_metrics *m)
{
	if (m && m->due_us > m->soon_us)
		m->due_us = m->soon_us;
}

int64_t bus_metrics_wait_us(const struct bus_metrics *m)
{
	int64_t wait;

	if (!m)
		return INT64_MAX;
	wait = m->due_us - bus_time_mono();
	return wait < 0 ? 0 : wait;
}

bool bus_metrics_due(const struct bus_metrics *m)
{
	return bus_metrics_wait_us(m) == 0;
}

/* -- what -- */

void bus_metrics_begin(struct bus_metrics *m)
{
	bus_buf_clear(&m->text);
	m->name = NULL;
}

void bus_metrics_family(struct bus_metrics *m, const char *name, enum bus_metrics_type type,
			const char *help)
{
	m->name = name;
	bus_buf_printf(&m->text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		       type == BUS_METRICS_COUNTER ? "counter" : "gauge");
}

/* The reader refuses the whole file for one byte that is not UTF-8. */
static void add_label(struct bus_buf *out, const char *name, const char *value)
{
	size_t left = strlen(value), n;

	bus_buf_printf(out, "%s=\"", name);
	for (; left; value += n, left -= n) {
		n = bus_utf8_char(value, left);
		if (!n) {
			bus_buf_puts(out, "\xef\xbf\xbd");
			n = 1;
		} else if (*value == '\n') {
			bus_buf_puts(out, "\\n");
		} else {
			if (*value == '"' || *value == '\\')
				bus_buf_puts(out, "\\");
			bus_buf_add(out, value, n);
		}
	}
	bus_buf_puts(out, "\"");
}

static void begin_sample(struct bus_metrics *m, const struct bus_metrics_labels *labels)
{
	bus_buf_puts(&m->text, m->name);
	if (labels && labels->name) {
		bus_buf_puts(&m->text, "{");
		add_label(&m->text, labels->name, labels->value);
		if (labels->name2) {
			bus_buf_puts(&m->text, ",");
			add_label(&m->text, labels->name2, labels->value2);
		}
		bus_buf_puts(&m->text, "}");
	}
	bus_buf_puts(&m->text, " ");
}

void bus_metrics_number(struct bus_metrics *m, const struct bus_metrics_labels *labels,
			uint64_t value)
{
	begin_sample(m, labels);
	bus_buf_printf(&m->text, "%" PRIu64 "\n", value);
}

void bus_metrics_seconds(struct bus_metrics *m, const struct bus_metrics_labels *labels, int64_t us)
{
	const uint64_t size = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;

	/* not %f, whose point is a comma in some locales */
	begin_sample(m, labels);
	bus_buf_printf(&m->text, "%s%" PRIu64 ".%06" PRIu64 "\n", us < 0 ? "-" : "",
		       size / SECOND_US, size % SECOND_US);
}

/* -- where to -- */

/* Makes way for our file where something else has its name, or another user did. */
static bool make_way(int why, const char *path)
{
	return (why == EACCES || why == ELOOP || why == ENXIO) && !unlink(path);
}

/* Was what we have locked renamed by its writer before that? */
static bool is_at(const struct stat *ours, const char *path)
{
	struct stat there;

	return !lstat(path, &there) && ours->st_dev == there.st_dev && ours->st_ino == there.st_ino;
}

/* Opens and locks the temporary file; -1 and errno. */
static int open_temporary(const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd, i, saved = EAGAIN;
	struct stat st;

	for (i = 0; i < TRIES; i++) {
		fd = open(path, flags, 0644);
		if (fd < 0) {
			saved = errno;
			if (make_way(saved, path))
				continue;
			break;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st)) {
			saved = errno;
			close(fd);
			break;
		}
		if (is_at(&st, path)) {
			if (S_ISREG(st.st_mode) && st.st_nlink == 1)
				return fd;
			unlink(path); /* a pipe, or a file that has another name, too */
		}
		close(fd);
		saved = EAGAIN;
	}
	errno = saved;
	return -1;
}

static bool write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ENOSPC;
			return false;
		}
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* False, and errno. */
static bool replace(const struct bus_metrics *m)
{
	int fd = open_temporary(m->temporary), saved;
	bool ok;

	if (fd < 0)
		return false;
	/* whatever the umask: node_exporter is another user */
	ok = !ftruncate(fd, 0) && !fchmod(fd, 0644) && write_all(fd, m->text.p, m->text.len) &&
	     !rename(m->temporary, m->path);
	saved = errno;
	if (!ok)
		unlink(m->temporary);
	close(fd); /* and unlocks */
	errno = saved;
	return ok;
}

static void tell_failure(struct bus_metrics *m, const char *why)
{
	if (!m->failing)
		bus_say(&m->say, "metrics file %s cannot be written: %s; going on without", m->path,
			why);
	m->failing = true;
}

void bus_metrics_commit(struct bus_metrics *m)
{
	struct bus_err err = { BUS_OK, "" };
	const int64_t now = bus_time_mono();

	m->due_us = now + BUS_METRICS_EVERY_S * SECOND_US;
	m->soon_us = now + BUS_METRICS_HURRY_S * SECOND_US;
	if (bus_buf_check(&m->text, "metrics", &err)) {
		tell_failure(m, err.text);
	} else if (!replace(m)) {
		tell_failure(m, errno == EAGAIN ? "another process writes it" : strerror(errno));
	} else if (m->failing) {
		m->failing = false;
		bus_say(&m->say, "metrics file %s is written again", m->path);
	}
}
