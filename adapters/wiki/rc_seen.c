#include "config.h"

#include "adapters/wiki/rc_seen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MICROSECONDS = 1000000 };

/* A row as it is kept. */
static struct rc_seen_row row_of(const struct recentchange *change)
{
	struct rc_seen_row row = { .id = change->id, .time_s = change->time_us / MICROSECONDS };

	if (change->type == RECENTCHANGE_LOG)
		row.log_id = change->log_id;
	else if (change->type != RECENTCHANGE_OTHER)
		row.revision = change->revision;
	return row;
}

/* From the end, where the newest are. */
static bool has_row(const struct rc_seen *seen, const struct rc_seen_row *row)
{
	const struct rc_seen_row *other;
	size_t i;

	for (i = seen->count; i-- > 0;) {
		other = &seen->row[i];
		if (other->time_s == row->time_s &&
		    ((row->id && other->id == row->id) ||
		     (row->revision && other->revision == row->revision) ||
		     (row->log_id && other->log_id == row->log_id)))
			return true;
	}
	return false;
}

static enum bus_code append(struct rc_seen *seen, const struct rc_seen_row *row,
			    struct bus_err *err)
{
	size_t more = seen->cap ? seen->cap * 2 : 64;
	struct rc_seen_row *grown;

	if (seen->count == seen->cap) {
		grown = reallocarray(seen->row, more, sizeof(*grown));
		if (!grown)
			return bus_fail(err, BUS_E_NOMEM, "rcfeed: out of memory");
		seen->row = grown;
		seen->cap = more;
	}
	seen->row[seen->count++] = *row;
	seen->high = row->id > seen->high ? row->id : seen->high;
	return BUS_OK;
}

/* Numbers with one blank between them and a LF behind; false: it is something else. */
static bool read_numbers(const char **text, const char *end, uint64_t *number, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		const char *begin = *text;

		for (number[i] = 0; *text < end && **text >= '0' && **text <= '9'; (*text)++)
			if (number[i] > RECENTCHANGE_NUMBER_MAX)
				return false;
			else
				number[i] = number[i] * 10 + (uint64_t)(**text - '0');
		if (*text == begin || number[i] > RECENTCHANGE_NUMBER_MAX || *text == end ||
		    **text != (i + 1 < count ? ' ' : '\n'))
			return false;
		(*text)++;
	}
	return true;
}

enum bus_code rc_seen_parse(struct rc_seen *seen, const char *text, size_t len, struct bus_err *err)
{
	const char *end = text + len;
	uint64_t number[4];
	enum bus_code rc = BUS_OK;

	if (!read_numbers(&text, end, number, 2))
		return bus_fail(err, BUS_E_DATA, "rcfeed: not a cursor of this version");
	seen->settled_s = (int64_t)number[0];
	seen->high = number[1];
	while (!rc && text < end) {
		if (read_numbers(&text, end, number, 4))
			rc = append(seen,
				    &(struct rc_seen_row){ .id = number[0],
							   .revision = number[1],
							   .log_id = number[2],
							   .time_s = (int64_t)number[3] },
				    err);
		else
			rc = bus_fail(err, BUS_E_DATA, "rcfeed: not a cursor of this version");
	}
	return rc;
}

void rc_seen_write(struct bus_buf *out, const struct rc_seen *seen)
{
	size_t i;

	bus_buf_printf(out, "%" PRId64 " %" PRIu64 "\n", seen->settled_s, seen->high);
	for (i = 0; i < seen->count; i++)
		bus_buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 "\n",
			       seen->row[i].id, seen->row[i].revision, seen->row[i].log_id,
			       seen->row[i].time_s);
}

void rc_seen_finish(struct rc_seen *seen)
{
	free(seen->row);
	memset(seen, 0, sizeof(*seen));
}

bool rc_seen_is_new(const struct rc_seen *seen, const struct recentchange *change)
{
	const struct rc_seen_row row = row_of(change);

	return (row.time_s >= seen->settled_s || row.id > seen->high) && !has_row(seen, &row);
}

bool rc_seen_has(const struct rc_seen *seen, const struct recentchange *change)
{
	const struct rc_seen_row row = row_of(change);

	return has_row(seen, &row);
}

bool rc_seen_has_id(const struct rc_seen *seen, uint64_t id)
{
	size_t i;

	for (i = seen->count; i-- > 0;)
		if (seen->row[i].id == id)
			return true;
	return false;
}

enum bus_code rc_seen_add(struct rc_seen *seen, const struct recentchange *change,
			  struct bus_err *err)
{
	const struct rc_seen_row row = row_of(change);

	return has_row(seen, &row) ? BUS_OK : append(seen, &row, err);
}

void rc_seen_settle(struct rc_seen *seen, int64_t time_s)
{
	size_t i, kept = 0;

	for (i = 0; i < seen->count; i++)
		if (seen->row[i].time_s >= time_s)
			seen->row[kept++] = seen->row[i];
	seen->count = kept;
	seen->settled_s = time_s;
}

void rc_seen_limit(struct rc_seen *seen, size_t max)
{
	if (seen->count > max)
		rc_seen_settle(seen, seen->row[seen->count / 2].time_s);
}

void rc_seen_forget(struct rc_seen *seen, size_t max)
{
	const size_t half = seen->count / 2;

	if (seen->count <= max)
		return;
	memmove(seen->row, seen->row + half, (seen->count - half) * sizeof(*seen->row));
	seen->count -= half;
}
