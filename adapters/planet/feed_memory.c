#include "config.h"

#include "adapters/planet/feed_memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_LEN = 8 + DIGEST_HEX,
	VALUE_LEN = 200,
	PRUNE_STEP = 1000,		  /* posts looked at in one call */
	SAME_DATE_SECONDS = 12 * 60 * 60, /* a date that lost its time zone */
	TABLE_MIN = 256
};

struct record {
	struct digest_key whole, place, text;
	int64_t day, date_s; /* INT64_MIN: none */
	bool whole_tells;    /* of a post that is there now */
};

/* What this batch will make of a cursor; name[0] '\0': a free place. */
struct pending {
	char name[NAME_LEN + 1];
	char value[VALUE_LEN];
};

struct feed_memory {
	struct watch *watch;
	struct pending *pending; /* a hash table, at most half full */
	size_t count, cap;
	char *pruned; /* the name after which it goes on; NULL: the first */
};

enum bus_code feed_memory_open(struct feed_memory **ret, struct watch *watch, struct bus_err *err)
{
	struct feed_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return bus_fail(err, BUS_E_NOMEM, "feed: out of memory");
	memory->watch = watch;
	*ret = memory;
	return BUS_OK;
}

void feed_memory_stored(struct feed_memory *memory)
{
	free(memory->pending);
	memory->pending = NULL;
	memory->count = memory->cap = 0;
}

void feed_memory_close(struct feed_memory *memory)
{
	if (!memory)
		return;
	feed_memory_stored(memory);
	free(memory->pruned);
	free(memory);
}

/* -- cursors, as they are and as they will be -- */

static void name_of(char name[NAME_LEN + 1], const char *kind, const struct digest_key *key)
{
	char hex[DIGEST_HEX + 1];

	digest_hex(hex, key);
	snprintf(name, NAME_LEN + 1, "%s/%s", kind, hex);
}

/* Where name is, or where it would be.  Names end in a digest: their last digits spread. */
static struct pending *find(struct pending *table, size_t cap, const char *name)
{
	size_t at = strtoul(name + strlen(name) - 8, NULL, 16) & (cap - 1);

	while (table[at].name[0] && strcmp(table[at].name, name) != 0)
		at = (at + 1) & (cap - 1);
	return &table[at];
}

static bool grow(struct feed_memory *memory)
{
	const size_t cap = memory->cap ? 2 * memory->cap : TABLE_MIN;
	struct pending *table = calloc(cap, sizeof(*table));
	size_t i;

	if (!table)
		return false;
	for (i = 0; i < memory->cap; i++)
		if (memory->pending[i].name[0])
			*find(table, cap, memory->pending[i].name) = memory->pending[i];
	free(memory->pending);
	memory->pending = table;
	memory->cap = cap;
	return true;
}

/* Empty where there is none. */
static enum bus_code get(struct feed_memory *memory, const char *name, char value[VALUE_LEN],
			 struct bus_err *err)
{
	const struct pending *pending;
	char *stored = NULL;
	enum bus_code rc;
	size_t len = 0;

	value[0] = '\0';
	pending = memory->cap ? find(memory->pending, memory->cap, name) : NULL;
	if (pending && pending->name[0]) {
		memcpy(value, pending->value, VALUE_LEN);
		return BUS_OK;
	}
	rc = watch_cursor(memory->watch, name, &stored, &len, err);
	if (!rc && stored && len < VALUE_LEN)
		memcpy(value, stored, len + 1);
	free(stored);
	return rc;
}

static enum bus_code set(struct feed_memory *memory, const char *name, const char *value,
			 struct adapter_batch *batch, struct bus_err *err)
{
	struct pending *pending;

	if (2 * (memory->count + 1) > memory->cap && !grow(memory))
		return bus_fail(err, BUS_E_NOMEM, "feed: out of memory");
	pending = find(memory->pending, memory->cap, name);
	memory->count += !pending->name[0];
	snprintf(pending->name, sizeof(pending->name), "%s", name);
	snprintf(pending->value, sizeof(pending->value), "%s", value);
	return batch_cursor(batch, name, value, strlen(value), err);
}

/* -- records -- */

static void write_key(char hex[DIGEST_HEX + 1], const struct digest_key *key)
{
	if (digest_is_set(key))
		digest_hex(hex, key);
	else
		snprintf(hex, DIGEST_HEX + 1, "-");
}

static void write_record(char value[VALUE_LEN], const struct record *record)
{
	char whole[DIGEST_HEX + 1], place[DIGEST_HEX + 1], text[DIGEST_HEX + 1], date[24] = "-";

	write_key(whole, &record->whole);
	write_key(place, &record->place);
	write_key(text, &record->text);
	if (record->date_s != INT64_MIN)
		snprintf(date, sizeof(date), "%" PRId64, record->date_s);
	snprintf(value, VALUE_LEN, "%s %s %s %" PRId64 " %s", whole, place, text, record->day,
		 date);
}

/* The next word of a record, ended by a blank or the end. */
static bool take_key(const char **p, struct digest_key *ret)
{
	if (**p == '-')
		(*p)++;
	else if (strlen(*p) >= DIGEST_HEX && digest_unhex(ret, *p))
		*p += DIGEST_HEX;
	else
		return false;
	return *(*p)++ == ' ';
}

static bool read_record(struct record *ret, const char *value)
{
	char *end;

	memset(ret, 0, sizeof(*ret));
	if (!take_key(&value, &ret->whole) || !take_key(&value, &ret->place) ||
	    !take_key(&value, &ret->text))
		return false;
	ret->day = strtoll(value, &end, 10);
	if (end == value || *end != ' ')
		return false;
	value = end + 1;
	ret->date_s = strcmp(value, "-") == 0 ? INT64_MIN : strtoll(value, NULL, 10);
	return true;
}

static struct record record_of(const struct feed_post *post, int64_t day)
{
	const int64_t us = post->published_us != INT64_MIN ? post->published_us : post->updated_us;

	return (struct record){
		.whole = post->whole,
		.place = post->place,
		.text = post->text,
		.day = day,
		.whole_tells = post->whole_tells,
		.date_s = us == INT64_MIN ? INT64_MIN : us / 1000000,
	};
}

static bool is_same_key(const struct digest_key *a, const struct digest_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* -- the three keys beside the id -- */

struct aspect {
	const char *kind;
	size_t offset;
};

static const struct aspect aspects[] = {
	{ "whole", offsetof(struct record, whole) },
	{ "place", offsetof(struct record, place) },
	{ "text", offsetof(struct record, text) },
};
enum { ASPECTS = sizeof(aspects) / sizeof(*aspects) };

static const struct digest_key *aspect_of(const struct record *record, size_t i)
{
	return (const struct digest_key *)((const char *)record + aspects[i].offset);
}

/* What record, of a post that is there now, is known by; all zeros: not by this. */
static const struct digest_key *telling_aspect(const struct record *record, size_t i)
{
	static const struct digest_key none;

	return i == 0 && !record->whole_tells ? &none : aspect_of(record, i);
}

/* The id of who has it; *ret all zeros: nobody. */
static enum bus_code get_owner(struct feed_memory *memory, size_t i, const struct digest_key *key,
			       struct digest_key *ret, struct bus_err *err)
{
	char name[NAME_LEN + 1], value[VALUE_LEN];
	enum bus_code rc;

	memset(ret, 0, sizeof(*ret));
	if (!digest_is_set(key))
		return BUS_OK;
	name_of(name, aspects[i].kind, key);
	rc = get(memory, name, value, err);
	if (!rc && strlen(value) == DIGEST_HEX && !digest_unhex(ret, value))
		memset(ret, 0, sizeof(*ret));
	return rc;
}

/* Takes away what record had, as far as it is still id's and next has something else. */
static enum bus_code drop_aspects(struct feed_memory *memory, const struct digest_key *id,
				  const struct record *record, const struct record *next,
				  struct adapter_batch *batch, struct bus_err *err)
{
	char name[NAME_LEN + 1];
	struct digest_key owner;
	enum bus_code rc = BUS_OK;
	size_t i;

	for (i = 0; i < ASPECTS && !rc; i++) {
		const struct digest_key *key = aspect_of(record, i);

		if (next && is_same_key(key, aspect_of(next, i)))
			continue;
		rc = get_owner(memory, i, key, &owner, err);
		if (rc || !digest_is_set(&owner) || !is_same_key(&owner, id))
			continue;
		name_of(name, aspects[i].kind, key);
		rc = set(memory, name, "", batch, err);
	}
	return rc;
}

static enum bus_code take_aspects(struct feed_memory *memory, const struct digest_key *id,
				  const struct record *record, struct adapter_batch *batch,
				  struct bus_err *err)
{
	char name[NAME_LEN + 1], hex[DIGEST_HEX + 1];
	enum bus_code rc = BUS_OK;
	size_t i;

	digest_hex(hex, id);
	for (i = 0; i < ASPECTS && !rc; i++) {
		const struct digest_key *key = telling_aspect(record, i);

		if (!digest_is_set(key))
			continue;
		name_of(name, aspects[i].kind, key);
		rc = set(memory, name, hex, batch, err);
	}
	return rc;
}

/* -- what is new -- */

static enum bus_code get_record(struct feed_memory *memory, const struct digest_key *id,
				struct record *ret, bool *ret_found, struct bus_err *err)
{
	char name[NAME_LEN + 1], value[VALUE_LEN];
	enum bus_code rc;

	name_of(name, "post", id);
	rc = get(memory, name, value, err);
	*ret_found = !rc && *value && read_record(ret, value);
	return rc;
}

static bool dates_agree(const struct record *a, const struct record *b)
{
	const int64_t apart = a->date_s - b->date_s;

	return a->date_s == INT64_MIN || b->date_s == INT64_MIN ||
	       (apart > -SAME_DATE_SECONDS && apart < SAME_DATE_SECONDS);
}

/* Of a post whose id was never seen. */
static enum bus_code judge_new(struct feed_memory *memory, const struct record *now,
			       enum feed_news *ret, struct bus_err *err)
{
	struct digest_key whole, place, text;
	struct record other;
	bool found = false;
	enum bus_code rc;

	rc = get_owner(memory, 0, telling_aspect(now, 0), &whole, err);
	if (!rc)
		rc = get_owner(memory, 1, &now->place, &place, err);
	if (!rc)
		rc = get_owner(memory, 2, &now->text, &text, err);
	if (!rc && digest_is_set(&text))
		rc = get_record(memory, &text, &other, &found, err);
	if (rc)
		return rc;
	if (digest_is_set(&whole))
		*ret = FEED_NOTHING;
	else if (digest_is_set(&place) || (found && dates_agree(now, &other)))
		*ret = FEED_EDIT;
	else
		*ret = FEED_ADD;
	return BUS_OK;
}

/* Of one that was seen, but not so. */
static enum bus_code judge_changed(struct feed_memory *memory, const struct digest_key *id,
				   const struct record *now, enum feed_news *ret,
				   struct bus_err *err)
{
	struct digest_key owner;
	enum bus_code rc;

	rc = get_owner(memory, 0, telling_aspect(now, 0), &owner, err);
	*ret = digest_is_set(&owner) && !is_same_key(&owner, id) ? FEED_NOTHING : FEED_EDIT;
	return rc;
}

enum bus_code feed_memory_see(struct feed_memory *memory, const struct feed_post *post, int64_t day,
			      struct adapter_batch *batch, enum feed_news *ret, struct bus_err *err)
{
	struct record now = record_of(post, day), known;
	char name[NAME_LEN + 1], value[VALUE_LEN];
	bool found;
	enum bus_code rc;

	*ret = FEED_NOTHING;
	rc = get_record(memory, &post->key, &known, &found, err);
	if (rc)
		return rc;
	if (found && is_same_key(&known.whole, &now.whole)) {
		if (day - known.day < MEMORY_REFRESH_DAYS)
			return BUS_OK;
	} else if (found) {
		rc = judge_changed(memory, &post->key, &now, ret, err);
		if (!rc)
			rc = drop_aspects(memory, &post->key, &known, &now, batch, err);
	} else {
		rc = judge_new(memory, &now, ret, err);
	}
	if (!rc)
		rc = take_aspects(memory, &post->key, &now, batch, err);
	name_of(name, "post", &post->key);
	write_record(value, &now);
	return rc ? rc : set(memory, name, value, batch, err);
}

static enum bus_code prune_one(struct feed_memory *memory, const char *name, int64_t day,
			       struct adapter_batch *batch, struct bus_err *err)
{
	char value[VALUE_LEN];
	struct record record;
	struct digest_key id;
	enum bus_code rc;

	rc = get(memory, name, value, err);
	if (rc || !*value ||
	    (read_record(&record, value) && day - record.day <= MEMORY_DAYS + MEMORY_REFRESH_DAYS))
		return rc;
	if (strlen(name) == 5 + DIGEST_HEX && digest_unhex(&id, name + 5) &&
	    read_record(&record, value))
		rc = drop_aspects(memory, &id, &record, NULL, batch, err);
	return rc ? rc : set(memory, name, "", batch, err);
}

enum bus_code feed_memory_prune(struct feed_memory *memory, int64_t day,
				struct adapter_batch *batch, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;
	char *next;
	size_t i;

	for (i = 0; i < PRUNE_STEP && !rc && !batch_is_full(batch); i++) {
		next = NULL;
		rc = watch_cursor_next(memory->watch, "post/", memory->pruned, &next, err);
		if (rc)
			break;
		free(memory->pruned);
		memory->pruned = next;
		rc = next ? prune_one(memory, next, day, batch, err) : BUS_E_NO;
	}
	return rc;
}
