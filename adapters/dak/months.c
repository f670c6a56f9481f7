#include "config.h"

#include "adapters/dak/months.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "adapters/common/batch.h"
#include "adapters/dak/names.h"

enum {
	OPEN_MONTHS = 2,  /* the newest, which are read again and again */
	MONTHS_MAX = 1200 /* a hundred years */
};

struct month {
	char name[MONTH_LEN + 1];
	struct follow *follow; /* NULL: not opened yet */
	bool from_now;	       /* never read, and to begin at its end */
	bool is_changed;       /* since it was last saved */
};

struct months {
	struct watch *watch;
	char *directory;
	char first[MONTH_LEN + 1]; /* older ones are no concern of ours; empty: not yet known */
	bool first_is_changed;
	struct month *month; /* by name */
	size_t count;
	char (*gone)[MONTH_LEN + 1]; /* read to their ends: their cursors can go */
	size_t gone_count;
};

static bool is_month(const char *name)
{
	size_t i;

	for (i = 0; i < MONTH_LEN; i++)
		if (i == 4 ? name[i] != '-' : name[i] < '0' || name[i] > '9')
			return false;
	return !name[MONTH_LEN];
}

/* The name of the file of this month, or of the next one, by the clock of this machine. */
static void month_now(char ret[MONTH_LEN + 1], int ahead)
{
	const time_t now = time(NULL);
	char text[64];
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	localtime_r(&now, &tm);
	ahead += tm.tm_mon;
	snprintf(text, sizeof(text), "%04d-%02d", tm.tm_year + 1900 + ahead / 12, ahead % 12 + 1);
	memcpy(ret, text, MONTH_LEN);
	ret[MONTH_LEN] = '\0';
}

static bool is_file(DIR *dir, const char *name)
{
	struct stat st;

	return fstatat(dirfd(dir), name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct month *)a)->name, ((const struct month *)b)->name);
}

static enum bus_code add_month(struct months *months, const char *name, struct bus_err *err)
{
	struct month *grown;
	size_t i;

	for (i = 0; i < months->count; i++)
		if (strcmp(months->month[i].name, name) == 0)
			return BUS_OK;
	if (months->count == MONTHS_MAX)
		return bus_fail(err, BUS_E_TEMP, "%s: too many months", months->directory);
	grown = reallocarray(months->month, months->count + 1, sizeof(*grown));
	if (!grown)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", months->directory);
	months->month = grown;
	memset(&grown[months->count], 0, sizeof(*grown));
	memcpy(grown[months->count++].name, name, MONTH_LEN);
	qsort(months->month, months->count, sizeof(*grown), by_name);
	return BUS_OK;
}

/* The first time: with the oldest file, or behind what the newest one has now. */
static void choose_first(struct months *months)
{
	const bool from_start = watch_from_start(months->watch);

	months->first_is_changed = true;
	if (!months->count) { /* whatever comes is new */
		snprintf(months->first, sizeof(months->first), "0000-00");
		return;
	}
	if (!from_start) {
		months->month[0] = months->month[months->count - 1];
		months->month[0].from_now = true;
		months->count = 1;
	}
	memcpy(months->first, months->month[0].name, sizeof(months->first));
}

enum bus_code months_look(struct months *months, struct bus_err *err)
{
	DIR *dir = opendir(months->directory);
	const struct dirent *entry;
	char last[MONTH_LEN + 1];
	enum bus_code rc = BUS_OK;

	month_now(last, 1);
	if (!dir)
		return bus_fail(err, BUS_E_TEMP, "%s: %s", months->directory, strerror(errno));
	while (!rc && (entry = readdir(dir)) != NULL)
		if (is_month(entry->d_name) && strcmp(entry->d_name, months->first) >= 0 &&
		    strcmp(entry->d_name, last) <= 0 && is_file(dir, entry->d_name))
			rc = add_month(months, entry->d_name, err);
	closedir(dir);
	if (!rc && !months->first[0])
		choose_first(months);
	return rc;
}

static enum bus_code open_month(struct months *months, struct month *month, struct bus_err *err)
{
	char name[MONTH_LEN + 8], *path = NULL, *position = NULL;
	enum bus_code rc;
	size_t len = 0;

	snprintf(name, sizeof(name), "log/%s", month->name);
	rc = watch_cursor(months->watch, name, &position, &len, err);
	if (!rc && asprintf(&path, "%s/%s", months->directory, month->name) < 0) {
		path = NULL;
		rc = bus_fail(err, BUS_E_NOMEM, "%s: out of memory", months->directory);
	}
	if (!rc)
		rc = follow_open(&month->follow, path, position, len, !month->from_now, err);
	month->is_changed = !rc && !position;
	month->from_now = false;
	free(position);
	free(path);
	return rc;
}

/* Read to its end, and two newer ones are there. */
static enum bus_code drop_first(struct months *months, struct bus_err *err)
{
	void *grown = reallocarray(months->gone, months->gone_count + 1, sizeof(*months->gone));

	if (!grown)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", months->directory);
	months->gone = grown;
	memcpy(months->gone[months->gone_count++], months->month[0].name, MONTH_LEN + 1);
	follow_close(months->month[0].follow);
	memmove(&months->month[0], &months->month[1], --months->count * sizeof(*months->month));
	memcpy(months->first, months->month[0].name, sizeof(months->first));
	months->first_is_changed = true;
	return BUS_OK;
}

enum bus_code months_next(struct months *months, struct follow_line *ret, const char **ret_month,
			  struct bus_err *err)
{
	char this_month[MONTH_LEN + 1];
	enum bus_code rc = BUS_OK;
	struct month *month;
	size_t i = 0;

	while (i < months->count) {
		month = &months->month[i];
		if (!month->follow)
			rc = open_month(months, month, err);
		if (!rc)
			rc = follow_next(month->follow, ret, err);
		if (!rc) {
			month->is_changed = true;
			*ret_month = month->name;
		}
		if (rc != BUS_E_NO)
			return rc;
		rc = BUS_OK;
		month_now(this_month, 0);
		if (i == 0 && months->count > OPEN_MONTHS && strcmp(month->name, this_month) < 0)
			rc = drop_first(months, err);
		else
			i++;
		if (rc)
			return rc;
	}
	return BUS_E_NO;
}

static enum bus_code save_month(struct month *month, struct adapter_batch *batch,
				struct bus_err *err)
{
	struct bus_buf text = BUS_BUF_INIT(1024);
	struct follow_position position;
	char name[MONTH_LEN + 8];
	enum bus_code rc;

	follow_tell(month->follow, &position);
	follow_position_write(&text, &position);
	snprintf(name, sizeof(name), "log/%s", month->name);
	rc = bus_buf_check(&text, name, err);
	if (!rc)
		rc = batch_cursor(batch, name, text.p, text.len, err);
	bus_buf_finish(&text);
	month->is_changed = false;
	return rc;
}

enum bus_code months_save(struct months *months, struct adapter_batch *batch, struct bus_err *err)
{
	char name[MONTH_LEN + 8];
	enum bus_code rc = BUS_OK;
	size_t i;

	if (months->first_is_changed)
		rc = batch_cursor(batch, "month", months->first, MONTH_LEN, err);
	months->first_is_changed = false;
	for (i = 0; i < months->gone_count && !rc; i++) {
		snprintf(name, sizeof(name), "log/%s", months->gone[i]);
		rc = batch_cursor(batch, name, NULL, 0, err);
	}
	months->gone_count = 0;
	for (i = 0; i < months->count && !rc; i++)
		if (months->month[i].is_changed)
			rc = save_month(&months->month[i], batch, err);
	return rc;
}

bool months_any(const struct months *months)
{
	return months->count > 0;
}

enum bus_code months_open(struct months **ret, struct watch *watch, const char *directory,
			  struct bus_err *err)
{
	struct months *months = calloc(1, sizeof(*months));
	char *first = NULL;
	enum bus_code rc;
	size_t len = 0;

	if (!months)
		return bus_fail(err, BUS_E_NOMEM, "%s: out of memory", directory);
	months->watch = watch;
	months->directory = strdup(directory);
	rc = months->directory ? watch_directory(watch, directory, err)
			       : bus_fail(err, BUS_E_NOMEM, "%s: out of memory", directory);
	if (!rc)
		rc = watch_cursor(watch, "month", &first, &len, err);
	if (!rc && first && len == MONTH_LEN)
		memcpy(months->first, first, MONTH_LEN);
	free(first);
	if (rc)
		months_close(months);
	else
		*ret = months;
	return rc;
}

void months_close(struct months *months)
{
	size_t i;

	if (!months)
		return;
	for (i = 0; i < months->count; i++)
		follow_close(months->month[i].follow);
	free(months->month);
	free(months->gone);
	free(months->directory);
	free(months);
}
