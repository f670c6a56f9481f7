#include "config.h"

#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "merkle.h"

enum { TEXT_MAX = 64 * 1024, FILES_MAX = 1000 };

static enum bus_code make_directory(const char *path, struct bus_err *err)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return BUS_OK;
	return bus_fail(err, BUS_E_TEMP, "evidence: cannot make %s: %s", path, strerror(errno));
}

static bool holds(const char *path, const struct bus_buf *text)
{
	char *there = malloc(text->len + 1);
	FILE *file = fopen(path, "re");
	bool same = there && file && fread(there, 1, text->len + 1, file) == text->len &&
		    memcmp(there, text->p, text->len) == 0;

	if (file)
		fclose(file);
	free(there);
	return same;
}

/* BUS_E_NO: something is there already. */
static enum bus_code write_new(const char *path, const struct bus_buf *text, struct bus_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum bus_code rc = BUS_OK;
	ssize_t n;
	size_t i;

	if (fd < 0 && errno == EEXIST)
		return BUS_E_NO;
	for (i = 0; fd >= 0 && i < text->len; i += (size_t)n) {
		n = write(fd, text->p + i, text->len - i);
		if (n <= 0)
			break;
	}
	if (fd < 0 || i < text->len || fsync(fd) != 0)
		rc = bus_fail(err, BUS_E_TEMP, "evidence: cannot write %s: %s", path,
			      strerror(errno));
	if (fd >= 0)
		close(fd);
	if (rc && fd >= 0)
		unlink(path); /* half of it is no evidence */
	return rc;
}

static char *file_name(const char *directory, const struct bus_evidence *e, unsigned int number)
{
	struct bus_hash hash;
	char name[17], *path;
	char again[16] = "";
	int i;

	bus_sha256(&hash, e->origin, strlen(e->origin));
	for (i = 0; i < 8; i++)
		snprintf(name + i * 2, 3, "%02x", hash.b[i]);
	if (number)
		snprintf(again, sizeof(again), "-%u", number + 1);
	return asprintf(&path, "%s/%s-%" PRIu64 "-%" PRIu64 "%s.txt", directory, name,
			e->note[0].size, e->note[1].size, again) < 0
		       ? NULL
		       : path;
}

static enum bus_code keep_in(const char *directory, const struct bus_evidence *e,
			     const struct bus_buf *text, char **ret_path, struct bus_err *err)
{
	enum bus_code rc = BUS_E_NO;
	unsigned int i;
	char *path;

	for (i = 0; rc == BUS_E_NO && i < FILES_MAX; i++) {
		path = file_name(directory, e, i);
		if (!path)
			return bus_fail(err, BUS_E_NOMEM, "evidence: out of memory");
		rc = write_new(path, text, err);
		if (rc == BUS_E_NO && holds(path, text))
			rc = BUS_OK;
		if (!rc)
			*ret_path = path;
		else
			free(path);
	}
	return rc == BUS_E_NO ? bus_fail(err, BUS_E_TEMP, "evidence: %s is full of it", directory)
			      : rc;
}

enum bus_code bus_evidence_keep(const char *state_directory, const struct bus_evidence *evidence,
				char **ret_path, struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(TEXT_MAX);
	char *directory = NULL;
	enum bus_code rc;

	bus_buf_add(&text, evidence->note[0].text, evidence->note[0].len);
	bus_buf_puts(&text, "\n");
	bus_buf_add(&text, evidence->note[1].text, evidence->note[1].len);
	rc = bus_buf_check(&text, "evidence", err);
	if (!rc && asprintf(&directory, "%s/evidence", state_directory) < 0)
		rc = bus_fail(err, BUS_E_NOMEM, "evidence: out of memory");
	if (!rc)
		rc = make_directory(state_directory, err);
	if (!rc)
		rc = make_directory(directory, err);
	if (!rc)
		rc = keep_in(directory, evidence, &text, ret_path, err);
	free(directory);
	bus_buf_finish(&text);
	return rc;
}
