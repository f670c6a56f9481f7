#include "config.h"

#include "doctor_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * The live broker against broker-config/definitions.json, in RabbitMQ's own format
 * of definitions on both sides.
 */
static const char load[] = "on the broker's host: debmsg-broker load";

struct topology {
	struct bus_doctor *d;
	json_t *reference; /* definitions.json */
	json_t *exchanges, *queues, *bindings, *policies, *limits;
};

/* Members that both must have alike. */
static const char *difference(const json_t *wanted, const json_t *got, const char *const *names)
{
	const json_t *want, *have;

	for (; *names; names++) {
		want = json_object_get(wanted, *names);
		have = json_object_get(got, *names);
		if (want && !(have && json_equal(want, have)))
			return *names;
	}
	return NULL;
}

static void check_objects(struct topology *t, const char *check, const char *list,
			  const json_t *live, const char *const *names)
{
	const json_t *wanted = json_object_get(t->reference, list);
	struct bus_doctor *d = t->d;
	size_t i;

	for (i = 0; live && i < json_array_size(wanted); i++) {
		const json_t *object = json_array_get(wanted, i), *got;
		const char *name = bus_member_text(object, "name"), *differs;

		got = bus_member_find(live, "name", name);
		differs = got ? difference(object, got, names) : NULL;
		if (!got) {
			bus_doctor_remedy(d, "%s; what was in it is lost", load);
			bus_doctor_find(d, BUS_LEVEL_ERROR, check, name, "is not there");
		} else if (differs) {
			bus_doctor_remedy(d, "delete it in the management UI, then %s", load);
			bus_doctor_find(d, BUS_LEVEL_ERROR, check, name,
					"its %s differs from broker-config", differs);
		} else {
			bus_doctor_find(d, BUS_LEVEL_OK, check, name, "is as in broker-config");
		}
	}
}

static void check_strange_exchanges(struct topology *t)
{
	const json_t *wanted = json_object_get(t->reference, "exchanges");
	size_t i;

	for (i = 0; i < json_array_size(t->exchanges); i++) {
		const char *name = bus_member_text(json_array_get(t->exchanges, i), "name");

		if (!*name || strncmp(name, "amq.", 4) == 0 ||
		    bus_member_find(wanted, "name", name))
			continue;
		bus_doctor_find(t->d, BUS_LEVEL_NOTE, "topology-exchange", name,
				"is not in broker-config");
	}
}

/* -- bindings -- */

static bool same_binding(const json_t *a, const json_t *b)
{
	static const char *const names[] = { "source",	    "destination", "destination_type",
					     "routing_key", "arguments",   NULL };

	return !difference(a, b, names);
}

static bool has_binding(const json_t *list, const json_t *binding)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (same_binding(binding, json_array_get(list, i)))
			return true;
	return false;
}

/* To a consumer's queue, USER.NAME, or made by the broker for each queue. */
static bool is_usual(const json_t *binding)
{
	const char *source = bus_member_text(binding, "source");
	const char *to = bus_member_text(binding, "destination");

	if (!*source)
		return true;
	return strcmp(source, bus_exchange) == 0 && strchr(to, '.') &&
	       strncmp(to, "debmsg.", 7) != 0 &&
	       strcmp(bus_member_text(binding, "destination_type"), "queue") == 0;
}

static void name_binding(char text[600], const json_t *binding)
{
	snprintf(text, 600, "%.190s -> %.190s (%.190s)", bus_member_text(binding, "source"),
		 bus_member_text(binding, "destination"), bus_member_text(binding, "routing_key"));
}

static void check_bindings(struct topology *t)
{
	const json_t *wanted = json_object_get(t->reference, "bindings"), *binding;
	static const char check[] = "topology-binding";
	struct bus_doctor *d = t->d;
	char name[600];
	size_t i;

	for (i = 0; t->bindings && i < json_array_size(wanted); i++) {
		binding = json_array_get(wanted, i);
		name_binding(name, binding);
		if (has_binding(t->bindings, binding)) {
			bus_doctor_find(d, BUS_LEVEL_OK, check, name, "is there");
			continue;
		}
		bus_doctor_remedy(d, "%s; what was published meanwhile is not there", load);
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, name, "the binding is gone");
	}
	for (i = 0; i < json_array_size(t->bindings); i++) {
		binding = json_array_get(t->bindings, i);
		if (is_usual(binding) || has_binding(wanted, binding))
			continue;
		name_binding(name, binding);
		bus_doctor_find(d, BUS_LEVEL_NOTE, check, name, "is not in broker-config");
	}
}

/* -- policies and limits -- */

static void check_policies(struct topology *t)
{
	static const char *const names[] = { "pattern", "apply-to", "priority", "definition",
					     NULL };
	const json_t *wanted = json_object_get(t->reference, "policies");
	static const char check[] = "topology-policy";
	struct bus_doctor *d = t->d;
	size_t i;

	for (i = 0; t->policies && i < json_array_size(wanted); i++) {
		const json_t *policy = json_array_get(wanted, i), *got;
		const char *name = bus_member_text(policy, "name"), *differs;

		got = bus_member_find(t->policies, "name", name);
		differs = got ? difference(policy, got, names) : NULL;
		if (!got || differs)
			bus_doctor_remedy(d, "%s; or, if it is meant so, say so in bus.conf", load);
		if (!got)
			bus_doctor_find(d, BUS_LEVEL_ERROR, check, name,
					"the policy is not there: its queues have no limits");
		else if (differs)
			bus_doctor_find(d, BUS_LEVEL_WARNING, check, name,
					"its %s differs from broker-config", differs);
		else
			bus_doctor_find(d, BUS_LEVEL_OK, check, name, "is as in broker-config");
	}
	for (i = 0; i < json_array_size(t->policies); i++) {
		const char *name = bus_member_text(json_array_get(t->policies, i), "name");

		if (!bus_member_find(wanted, "name", name))
			bus_doctor_find(d, BUS_LEVEL_NOTE, check, name, "is not in broker-config");
	}
}

static void check_limits(struct topology *t)
{
	const json_t *wanted = bus_member_find(json_object_get(t->reference, "parameters"),
					       "component", "vhost-limits");
	const json_t *want = json_object_get(wanted, "value");
	const json_t *have = bus_member(json_array_get(t->limits, 0), "value");
	const bool alike = have && json_equal(want, have);

	if (!want || !t->limits)
		return;
	if (!alike)
		bus_doctor_remedy(t->d, "%s", load);
	bus_doctor_find(t->d, alike ? BUS_LEVEL_OK : BUS_LEVEL_WARNING, "topology-limits",
			t->d->where.vhost,
			alike ? "connections and queues are limited as in broker-config"
			      : "the limits of connections and queues differ from broker-config");
}

/* -- how long the history is kept -- */

int64_t bus_doctor_age(const char *text)
{
	static const char units[] = "YMDhms";
	static const int64_t seconds[] = { 365 * 86400, 30 * 86400, 86400, 3600, 60, 1 };
	const char *unit;
	int64_t n = 0;

	for (; *text >= '0' && *text <= '9' && n < 1000000000; text++)
		n = n * 10 + (*text - '0');
	unit = *text ? strchr(units, *text) : NULL;
	return unit && !text[1] && n ? n * seconds[unit - units] : -1;
}

/* The policy of broker-config that is for the history. */
static const json_t *wanted_retention(const struct topology *t)
{
	const json_t *policies = json_object_get(t->reference, "policies"), *definition;
	size_t i;

	for (i = 0; i < json_array_size(policies); i++) {
		definition = json_object_get(json_array_get(policies, i), "definition");
		if (json_object_get(definition, "max-age"))
			return definition;
	}
	return NULL;
}

/*
 * What holds is what all policies together make of the queue: one of a higher
 * priority, or an operator's, would not be seen by comparing ours.
 */
static void check_retention(struct topology *t)
{
	const json_t *want = wanted_retention(t), *queue, *have;
	const char *want_age, *have_age;
	int64_t want_bytes, have_bytes;
	struct bus_doctor *d = t->d;
	bool age_less, bytes_less;

	queue = bus_member_find(t->queues, "name", bus_stream);
	if (!want || !queue)
		return;
	have = bus_member(queue, "effective_policy_definition");
	if (!have || json_is_null(have)) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "retention", bus_stream,
				"not looked at: the broker does not say yet which policy holds");
		return;
	}
	want_age = bus_member_text(want, "max-age");
	have_age = bus_member_text(have, "max-age");
	want_bytes = bus_member_int(want, "max-length-bytes");
	have_bytes = bus_member_int(have, "max-length-bytes");
	age_less = *have_age && bus_doctor_age(have_age) < bus_doctor_age(want_age);
	bytes_less = have_bytes && have_bytes < want_bytes;
	if (age_less || bytes_less) {
		bus_doctor_remedy(d, "%s; or, if it is meant so, say so in bus.conf", load);
		bus_doctor_find(d, BUS_LEVEL_ERROR, "retention", bus_stream,
				"the history keeps less than broker-config says: max-age %s "
				"instead "
				"of %s, max-length-bytes %" PRId64 " instead of %" PRId64,
				have_age, want_age, have_bytes, want_bytes);
	} else if (!*have_age && !have_bytes) {
		bus_doctor_remedy(d, "%s", load);
		bus_doctor_find(d, BUS_LEVEL_ERROR, "retention", bus_stream,
				"the history is kept without limit, until the disk is full");
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "retention", bus_stream,
				"kept for %s, up to %" PRId64 " MiB", *have_age ? have_age : "ever",
				have_bytes >> 20);
	}
}

static json_t *get(struct bus_doctor *d, const char *check, const char *what, const char *query)
{
	const char *const path[] = { what, d->where.vhost, NULL };

	return bus_doctor_get(d, check, path, query);
}

void bus_doctor_topology(struct bus_doctor *d)
{
	static const char *const exchange[] = { "type",	    "durable",	 "auto_delete",
						"internal", "arguments", NULL };
	static const char *const queue[] = { "durable", "auto_delete", "arguments", NULL };
	struct topology t = { .d = d };

	t.reference = bus_doctor_reference(d, "topology", "definitions.json");
	if (!t.reference)
		return;
	t.exchanges = get(d, "topology-exchange", "exchanges",
			  "columns=name,type,durable,auto_delete,internal,arguments");
	t.queues = get(d, "topology-queue", "queues",
		       "columns=name,durable,auto_delete,arguments,effective_policy_definition");
	t.bindings = get(d, "topology-binding", "bindings", NULL);
	t.policies = get(d, "topology-policy", "policies", NULL);
	t.limits = get(d, "topology-limits", "vhost-limits", NULL);
	check_objects(&t, "topology-exchange", "exchanges", t.exchanges, exchange);
	check_strange_exchanges(&t);
	check_objects(&t, "topology-queue", "queues", t.queues, queue);
	check_bindings(&t);
	check_policies(&t);
	check_limits(&t);
	check_retention(&t);
	json_decref(t.exchanges);
	json_decref(t.queues);
	json_decref(t.bindings);
	json_decref(t.policies);
	json_decref(t.limits);
	json_decref(t.reference);
}
