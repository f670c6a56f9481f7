#include "config.h"

#include "adapters/wiki/moin_line.h"

#include <ctype.h>
#include <string.h>

enum { FIELDS = 9, FILE_NAME_MAX = 255 };
enum { TIME, REVISION, ACTION, PAGE, USER_ID = 6, EXTRA, COMMENT };

static const int64_t year_10000_us = INT64_C(253402300800000000);

static const char digits[] = "0123456789";

static const char *const action_name[MOIN_ACTION_COUNT] = {
	[MOIN_SAVE] = "SAVE",
	[MOIN_SAVENEW] = "SAVENEW",
	[MOIN_SAVE_RENAME] = "SAVE/RENAME",
	[MOIN_SAVE_REVERT] = "SAVE/REVERT",
	[MOIN_ATTNEW] = "ATTNEW",
	[MOIN_ATTDEL] = "ATTDEL",
	[MOIN_ATTDRW] = "ATTDRW",
};

static bool consists_of(struct moin_field field, const char *set)
{
	size_t i;

	for (i = 0; i < field.len; i++)
		if (!field.p[i] || !strchr(set, field.p[i]))
			return false;
	return field.len > 0;
}

bool moin_number(uint64_t *ret, struct moin_field field)
{
	uint64_t n = 0;
	size_t i;

	if (field.len > 18 || !consists_of(field, digits))
		return false;
	for (i = 0; i < field.len; i++)
		n = n * 10 + (uint64_t)(field.p[i] - '0');
	*ret = n;
	return true;
}

/* Returns how many there are, FIELDS + 1 for any more. */
static size_t split(struct moin_field field[FIELDS], const char *line, size_t len)
{
	const char *end;
	size_t n;

	memset(field, 0, FIELDS * sizeof(*field));
	for (n = 0; n < FIELDS; n++) {
		end = memchr(line, '\t', len);
		field[n].p = line;
		field[n].len = end ? (size_t)(end - line) : len;
		if (!end)
			return n + 1;
		len -= field[n].len + 1;
		line = end + 1;
	}
	return FIELDS + 1;
}

/* Seconds with a fraction, a dot, a random number: three numbers, where an IPv4 address has four.
 */
static bool is_user_id(struct moin_field id)
{
	size_t i, dots = 0;

	for (i = 0; i < id.len; i++)
		if (id.p[i] == '.') {
			if (!i || i + 1 == id.len || id.p[i + 1] == '.')
				return false;
			dots++;
		}
	return dots == 2 && id.len <= 64 && consists_of(id, "0123456789.");
}

static const char *read_action(enum moin_action *ret, struct moin_field field)
{
	int i;

	for (i = 0; i < MOIN_ACTION_COUNT; i++)
		if (strlen(action_name[i]) == field.len &&
		    memcmp(action_name[i], field.p, field.len) == 0) {
			*ret = (enum moin_action)i;
			return NULL;
		}
	return "its action is not known";
}

/* min: fields it must have. */
static const char *read_record(struct moin_line *ret, const char *line, size_t len, size_t min)
{
	struct moin_field field[FIELDS];
	uint64_t time_us;
	const char *why;
	size_t count;

	memset(ret, 0, sizeof(*ret));
	if (len && line[len - 1] == '\r')
		len--;
	count = split(field, line, len);
	if (count < min)
		return "it has too few fields";
	/* fields of one would stand for those of the other, an address for a comment */
	if (count > FIELDS)
		return "it has too many fields: two records in one";
	if (!moin_number(&time_us, field[TIME]) || time_us >= (uint64_t)year_10000_us)
		return "it does not begin with a time in microseconds";
	if (field[REVISION].len > 10 || !moin_number(&ret->revision, field[REVISION]))
		return "its revision is no number";
	why = read_action(&ret->action, field[ACTION]);
	if (why)
		return why;
	ret->time_us = (int64_t)time_us;
	ret->page = field[PAGE];
	if (is_user_id(field[USER_ID]))
		ret->user_id = field[USER_ID];
	if (count >= FIELDS - 1)
		ret->extra = field[EXTRA];
	ret->comment = field[COMMENT];
	return NULL;
}

static const char *read_with_nul(struct moin_line *ret, struct bus_buf *memory, const char *line,
				 size_t len)
{
	const char *tail = (const char *)memrchr(line, '\0', len) + 1;
	const size_t tail_len = len - (size_t)(tail - line);
	size_t i, torn = len - tail_len;

	if (!read_record(ret, tail, tail_len, FIELDS)) {
		while (torn && !line[torn - 1])
			torn--;
		ret->torn = torn;
		return NULL;
	}
	bus_buf_clear(memory);
	for (i = 0; i < len; i++)
		if (line[i])
			bus_buf_add(memory, line + i, 1);
	if (memory->failed)
		return NULL;
	if (!memory->len)
		return "it has nothing but NUL bytes: a record was lost";
	return read_record(ret, memory->p, memory->len, FIELDS);
}

bool moin_line_read(struct moin_line *ret, struct bus_buf *memory, const char *line, size_t len,
		    const char **why)
{
	if (memchr(line, '\0', len))
		*why = read_with_nul(ret, memory, line, len);
	else
		*why = read_record(ret, line, len, PAGE + 1);
	return !*why && !memory->failed;
}

/* The byte that "%xx" stands for, -1: it is something else. */
static int percent_byte(struct moin_field text, size_t at)
{
	static const char hex[] = "0123456789abcdef";
	const char *high, *low;

	if (text.p[at] != '%' || text.len - at < 3 || !text.p[at + 1] || !text.p[at + 2])
		return -1;
	high = strchr(hex, tolower((unsigned char)text.p[at + 1]));
	low = strchr(hex, tolower((unsigned char)text.p[at + 2]));
	return high && low ? (int)((high - hex) * 16 + (low - hex)) : -1;
}

bool moin_line_file(struct bus_buf *out, const struct moin_line *line)
{
	const bool is_encoded = line->revision == MOIN_ATTACHMENT;
	const size_t before = out->len;
	size_t i;
	int byte;
	char c;

	for (i = 0; i < line->extra.len; i++) {
		byte = is_encoded ? percent_byte(line->extra, i) : -1;
		c = byte < 0 ? line->extra.p[i] : (char)byte;
		i += byte < 0 ? 0 : 2;
		bus_buf_add(out, &c, 1);
	}
	return out->failed || (out->len > before && out->len - before <= FILE_NAME_MAX);
}

void moin_line_mask(struct bus_buf *out, const char *line, size_t len)
{
	static const char *const set[] = {
		[TIME] = digits,
		[REVISION] = digits,
		[ACTION] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ/",
		[PAGE] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_()",
	};
	struct moin_field field[FIELDS];
	const size_t count = split(field, line, len);
	bool fits = true;
	size_t i;

	for (i = 0; i < count && i < FIELDS; i++) {
		fits = fits && i <= PAGE && field[i].len <= 1024 && consists_of(field[i], set[i]);
		if (i)
			bus_buf_add(out, "\t", 1);
		if (fits)
			bus_buf_add(out, field[i].p, field[i].len);
		else if (field[i].len)
			bus_buf_add(out, "*", 1);
	}
}
