#include "config.h"

#include "broker_private.h"

#include <stdlib.h>
#include <string.h>

/*
 * Two parties put messages into debmsg.parked: a consumer, with headers of its
 * own (PROTOCOL section 4), and the broker, which adds to x-death, a list of
 * tables of which the first is the newest:
 * https://www.rabbitmq.com/docs/dlx#effects
 * A consumer's message has no x-death, so where there is one the broker was last.
 */
enum { QUEUE_MAX = 255 };
static const uint64_t time_max = 253402300799; /* 9999-12-31T23:59:59Z */

static bool named(amqp_bytes_t key, const char *name)
{
	return key.len == strlen(name) && !memcmp(key.bytes, name, key.len);
}

/* Texts of ours are never shorter than they look: a NUL is no end. */
static char *dup_text(amqp_bytes_t in, size_t max)
{
	const size_t len = in.len < max ? in.len : max;
	char *copy = malloc(len + 1), *p;

	if (!copy)
		return NULL;
	bus_broker_copy(copy, len + 1, in);
	for (p = copy; p < copy + len; p++)
		if (!*p)
			*p = '?';
	return copy;
}

/* The first one counts; false: out of memory. */
static bool take_text(char **ret, const amqp_field_value_t *value, size_t max)
{
	if (*ret || value->kind != AMQP_FIELD_KIND_UTF8)
		return true;
	*ret = dup_text(value->value.bytes, max);
	return *ret;
}

static int64_t take_time(uint64_t seconds)
{
	return seconds <= time_max ? (int64_t)seconds : 0;
}

static bool take_output(struct bus_parking *parking, const amqp_field_value_t *value)
{
	if (parking->output || value->kind != AMQP_FIELD_KIND_UTF8)
		return true;
	parking->output_len = value->value.bytes.len < BUS_PARKING_OUTPUT_MAX
				      ? value->value.bytes.len
				      : BUS_PARKING_OUTPUT_MAX;
	parking->output = malloc(parking->output_len + 1);
	if (parking->output)
		bus_broker_copy(parking->output, parking->output_len + 1, value->value.bytes);
	return parking->output;
}

static bool take_own(struct bus_parking *parking, const amqp_table_entry_t *entry)
{
	if (named(entry->key, bus_reason_header))
		return take_text(&parking->reason, &entry->value, BUS_PARKING_TEXT_MAX);
	if (named(entry->key, bus_text_header))
		return take_text(&parking->text, &entry->value, BUS_PARKING_TEXT_MAX);
	if (named(entry->key, bus_queue_header))
		return take_text(&parking->queue, &entry->value, QUEUE_MAX);
	if (named(entry->key, bus_output_header))
		return take_output(parking, &entry->value);
	return true;
}

static bool take_death(struct bus_parking *parking, const amqp_table_t *death)
{
	bool ok = true;
	int i;

	for (i = 0; ok && i < death->num_entries; i++) {
		const amqp_table_entry_t *entry = &death->entries[i];

		if (named(entry->key, "reason"))
			ok = take_text(&parking->reason, &entry->value, BUS_PARKING_TEXT_MAX);
		else if (named(entry->key, "queue"))
			ok = take_text(&parking->queue, &entry->value, QUEUE_MAX);
		else if (named(entry->key, "time") &&
			 entry->value.kind == AMQP_FIELD_KIND_TIMESTAMP)
			parking->time = take_time(entry->value.value.u64);
	}
	return ok;
}

/* The newest table of x-death; NULL: the broker did not move this message. */
static const amqp_table_t *death_of(const amqp_table_t *headers)
{
	int i;

	for (i = 0; i < headers->num_entries; i++) {
		const amqp_table_entry_t *entry = &headers->entries[i];

		if (named(entry->key, "x-death") && entry->value.kind == AMQP_FIELD_KIND_ARRAY &&
		    entry->value.value.array.num_entries > 0 &&
		    entry->value.value.array.entries[0].kind == AMQP_FIELD_KIND_TABLE)
			return &entry->value.value.array.entries[0].value.table;
	}
	return NULL;
}

static bool says_parked(const amqp_table_t *headers)
{
	int i;

	for (i = 0; i < headers->num_entries; i++)
		if (named(headers->entries[i].key, bus_reason_header))
			return true;
	return death_of(headers);
}

bool bus_broker_take_parking(struct bus_message *m, const amqp_basic_properties_t *p)
{
	const amqp_table_t *death;
	bool ok = true;
	int i;

	if (!says_parked(&p->headers))
		return true;
	m->parking = calloc(1, sizeof(*m->parking));
	if (!m->parking)
		return false;
	death = death_of(&p->headers);
	if (death)
		return take_death(m->parking, death);
	if (p->_flags & AMQP_BASIC_TIMESTAMP_FLAG)
		m->parking->time = take_time(p->timestamp);
	for (i = 0; ok && i < p->headers.num_entries; i++)
		ok = take_own(m->parking, &p->headers.entries[i]);
	return ok;
}
