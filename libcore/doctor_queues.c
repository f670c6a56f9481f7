#include "config.h"

#include "doctor_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * A consumer that works acknowledges something within this time; the broker itself
 * takes back what is held for longer than its consumer_timeout, by default half an
 * hour.  For this long the broker keeps samples of every 5 seconds; with fewer of
 * them what it says of a queue now would be old as well.
 */
enum { STUCK_S = 600, SAMPLE_S = 5, FULL_PERCENT = 80 };

/* Anybody may make these, and leave them: the policy public bounds them, and they expire. */
static bool is_public(const char *name)
{
	return strncmp(name, "public.", 7) == 0;
}

/* -- is somebody there, and does he work -- */

/* The lowest of the samples of a queue's length in the time; -1: there are none that old. */
static int64_t lowest(const json_t *queue, const char *samples_name)
{
	const json_t *samples = bus_member(queue, samples_name);
	const size_t n = json_array_size(samples);
	int64_t low = -1, value;
	size_t i;

	/* The newest first.  A queue that is younger than the time has zeros at the end. */
	if (n < STUCK_S / SAMPLE_S)
		return -1;
	for (i = 0; i < n; i++) {
		value = bus_member_int(json_array_get(samples, i), "sample");
		low = low < 0 || value < low ? value : low;
	}
	return low;
}

int64_t bus_doctor_rise(const json_t *stats, const char *name)
{
	const json_t *samples;
	char member[64];
	size_t n;

	snprintf(member, sizeof(member), "%s_details.samples", name);
	samples = bus_member(stats, member);
	n = json_array_size(samples); /* the newest first; as new as the counter is none */
	return n ? bus_member_int(stats, name) -
			       bus_member_int(json_array_get(samples, n - 1), "sample")
		 : 0;
}

static void check_consumer(struct bus_doctor *d, const json_t *queue, const char *name)
{
	const int64_t messages = bus_member_int(queue, "messages");
	const int64_t held = bus_member_int(queue, "messages_unacknowledged");

	if (!bus_member_int(queue, "consumers")) {
		if (messages)
			bus_doctor_remedy(d, "start its consumer (systemctl status "
					     "'debmsg-consume@*'), or have its owner delete it");
		bus_doctor_find(d, messages ? BUS_LEVEL_WARNING : BUS_LEVEL_NOTE, "queue-consumer",
				name, "nobody reads it; %" PRId64 " messages wait", messages);
		return;
	}
	if (lowest(queue, "messages_details.samples") > 0 && messages &&
	    !bus_doctor_rise(bus_member(queue, "message_stats"), "ack")) {
		bus_doctor_remedy(d, "look at its consumer: its handler may hang (debmsg consume "
				     "--timeout), or it may want more messages than one at a time");
		bus_doctor_find(d, BUS_LEVEL_WARNING, "queue-stuck", name,
				"its consumer acknowledged nothing for %d minutes; %" PRId64
				" messages wait, %" PRId64 " of them with the consumer",
				STUCK_S / 60, messages, held);
		return;
	}
	bus_doctor_find(d, BUS_LEVEL_OK, "queue-consumer", name,
			"is read; %" PRId64 " messages wait", messages);
}

/* -- room in the queue -- */

static void check_full(struct bus_doctor *d, const json_t *queue, const char *name,
		       const char *limit_name, const char *value_name, const char *unit)
{
	const json_t *policy = bus_member(queue, "effective_policy_definition");
	const int64_t value = bus_member_int(queue, value_name);
	const int64_t limit = bus_member_int(policy, limit_name);
	enum bus_level level = BUS_LEVEL_OK;

	if (limit <= 0)
		return;
	if (value >= limit / 100 * FULL_PERCENT && value)
		level = value >= limit ? BUS_LEVEL_ERROR : BUS_LEVEL_WARNING;
	if (level != BUS_LEVEL_OK)
		bus_doctor_remedy(d,
				  "make its consumer work, or have its owner delete it; what was "
				  "dropped is in the history (debmsg replay)");
	bus_doctor_find(d, level, "queue-full", name, "%" PRId64 " of %" PRId64 " %s%s", value,
			limit, unit,
			level == BUS_LEVEL_ERROR     ? ": it drops the oldest"
			: level == BUS_LEVEL_WARNING ? ": soon it drops the oldest"
						     : "");
}

static void check_policy(struct bus_doctor *d, const json_t *queue, const char *name)
{
	/* missing for some seconds after the queue was made */
	const json_t *policy = bus_member(queue, "effective_policy_definition");
	const char *overflow = bus_member_text(queue, "arguments.x-overflow");

	if (policy && !json_is_null(policy) && !json_object_size(policy)) {
		bus_doctor_remedy(d,
				  "a consumer's queue is called USER.NAME, which the policies of "
				  "broker-config are for; see also topology-policy");
		bus_doctor_find(d, BUS_LEVEL_WARNING, "queue-policy", name,
				"no policy limits it: it may fill the broker's disk");
	} else if (!is_public(name) && *overflow && strcmp(overflow, "drop-head") != 0) {
		bus_doctor_remedy(d, "have its owner delete it and make it without x-overflow");
		bus_doctor_find(d, BUS_LEVEL_WARNING, "queue-policy", name,
				"x-overflow is %s: when it is full, publishers are refused",
				overflow);
	}
}

/* -- replicas of quorum queues and of the history -- */

static bool has_text(const json_t *array, const char *text)
{
	const char *one;
	size_t i;

	for (i = 0; i < json_array_size(array); i++) {
		one = json_string_value(json_array_get(array, i));
		if (one && strcmp(one, text) == 0)
			return true;
	}
	return false;
}

static void check_replicas(struct bus_doctor *d, const json_t *queue, const char *name)
{
	static const char check[] = "queue-replicas";
	const size_t members = json_array_size(bus_member(queue, "members"));
	const json_t *there = bus_member(queue, "online");
	const size_t online = json_array_size(there);
	const char *type = bus_member_text(queue, "type");
	const char *state = bus_member_text(queue, "state");
	const bool stream = strcmp(type, "stream") == 0;
	/* 3.10 has only the node, for streams */
	const char *leader = bus_member_text(queue, stream ? "node" : "leader");

	if ((!stream && strcmp(type, "quorum") != 0) || !members)
		return; /* classic, or so new that nothing is known of it yet */
	if (online <= members / 2) {
		bus_doctor_remedy(d,
				  "start the nodes that are down; rabbitmq-queues "
				  "quorum_status, or rabbitmq-streams stream_status, tells more");
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, name,
				"only %zu of %zu replicas are there: it takes no messages", online,
				members);
	} else if (!has_text(there, leader) || (*state && strcmp(state, "running") != 0)) {
		bus_doctor_remedy(d, "wait a minute; then restart the broker's node");
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, name, "has no leader (state %s)",
				*state ? state : "unknown");
	} else if (online < members) {
		bus_doctor_remedy(d, "start the nodes that are down");
		bus_doctor_find(d, BUS_LEVEL_WARNING, check, name, "%zu of %zu replicas are there",
				online, members);
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, check, name, "%zu of %zu replicas are there",
				online, members);
	}
}

/* -- messages that were rejected -- */

static void check_parked(struct bus_doctor *d, const json_t *queues)
{
	const json_t *queue = bus_member_find(queues, "name", bus_parked_queue);
	const json_t *samples = bus_member(queue, "messages_details.samples");
	const size_t n = json_array_size(samples);
	const int64_t parked = bus_member_int(queue, "messages");
	const int64_t before = n ? bus_member_int(json_array_get(samples, n - 1), "sample")
				 : parked;

	if (!queue)
		return; /* which the topology says */
	if (parked)
		bus_doctor_remedy(d,
				  "debmsg parked list says why; then debmsg parked retry, or drop");
	bus_doctor_find(d, parked ? BUS_LEVEL_WARNING : BUS_LEVEL_OK, "parked", bus_parked_queue,
			"%" PRId64 " messages were rejected or failed too often, %" PRId64
			" of them more than %d minutes ago",
			parked, before < parked ? before : parked, STUCK_S / 60);
}

static void check_queue(struct bus_doctor *d, const json_t *queue)
{
	const char *name = bus_member_text(queue, "name");

	check_replicas(d, queue, name);
	/* the history keeps itself within its limits, that is what they are for */
	if (strcmp(name, bus_stream) == 0)
		return;
	if (!is_public(name)) {
		check_full(d, queue, name, "max-length", "messages", "messages");
		check_full(d, queue, name, "max-length-bytes", "message_bytes", "bytes");
	}
	if (strncmp(name, "debmsg.", 7) == 0)
		return;
	if (!is_public(name))
		check_consumer(d, queue, name);
	check_policy(d, queue, name);
}

void bus_doctor_queues(struct bus_doctor *d)
{
	static const char columns[] =
		"columns=name,type,state,members,online,node,leader,arguments,consumers,messages,"
		"messages_unacknowledged,message_bytes,effective_policy_definition,"
		"messages_details.samples,message_stats.ack,message_stats.ack_details.samples";
	const char *const path[] = { "queues", d->where.vhost, NULL };
	char query[600];
	json_t *queues;
	size_t i;

	snprintf(query, sizeof(query),
		 "%s&lengths_age=%d&lengths_incr=%d&msg_rates_age=%d&msg_rates_incr=%d", columns,
		 STUCK_S, SAMPLE_S, STUCK_S, SAMPLE_S);
	queues = bus_doctor_get(d, "queue", path, query);
	for (i = 0; i < json_array_size(queues); i++)
		check_queue(d, json_array_get(queues, i));
	check_parked(d, queues);
	json_decref(queues);
}
