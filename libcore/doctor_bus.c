#include "config.h"

#include "doctor_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Within the time that the broker keeps samples of every 5 seconds. */
enum { RATES_S = 600 };

/* -- can it be asked, and as whom -- */

static bool check_management(struct bus_doctor *d)
{
	static const char *const path[] = { "whoami", NULL };
	static const char check[] = "management";
	struct bus_err err = d->api_err;
	const char *url = d->conf->management.url;
	json_t *who = NULL;
	enum bus_code rc = err.code;
	bool good = false;

	if (!url) {
		bus_doctor_remedy(d, "see `management` in debmsg.conf(5)");
		bus_doctor_find(d, BUS_LEVEL_NOTE, check, "",
				"no management section in the configuration: alarms, topology, "
				"retention, queues and permissions were not looked at");
		return false;
	}
	if (d->api)
		rc = bus_management_get(d->api, &who, path, NULL, &err);
	good = !rc &&
	       (bus_doctor_has_tag(who, "monitoring") || bus_doctor_has_tag(who, "administrator"));
	if (rc == BUS_E_CONFIG || (!rc && !good))
		bus_doctor_remedy(d, "debmsg-broker add monitor %s %s", d->conf->management.user,
				  d->conf->management.password_file);
	else if (rc)
		bus_doctor_remedy(d, "on the broker's host: rabbitmq-plugins enable "
				     "rabbitmq_management; see `management` in debmsg.conf(5)");
	if (rc)
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, url, "%s", err.text);
	else if (!good)
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, url, "user %s lacks the tag monitoring",
				d->conf->management.user);
	else
		bus_doctor_find(d, BUS_LEVEL_OK, check, url, "answers to user %s",
				d->conf->management.user);
	json_decref(who);
	return good;
}

/* -- nodes -- */

static void check_alarm(struct bus_doctor *d, const json_t *node, const char *name)
{
	const int64_t room = bus_member_int(node, "disk_free");
	const int64_t limit = bus_member_int(node, "disk_free_limit");
	const bool memory = bus_member_true(node, "mem_alarm");
	const bool disk = bus_member_true(node, "disk_free_alarm");

	if (memory || disk) {
		bus_doctor_remedy(d, disk ? "make room on the disk of that node"
					  : "find what takes its memory: rabbitmq-diagnostics "
					    "memory_breakdown");
		bus_doctor_find(d, BUS_LEVEL_ERROR, "broker-alarm", name,
				"short of %s: the broker takes no messages until that ends",
				disk && memory ? "disk and memory"
				: disk	       ? "disk"
					       : "memory");
	} else if (limit > 0 && room < 2 * limit) {
		bus_doctor_remedy(d, "make room on the disk of that node");
		bus_doctor_find(d, BUS_LEVEL_WARNING, "broker-alarm", name,
				"%" PRId64 " MiB of disk are free; below %" PRId64
				" MiB it takes no messages",
				room >> 20, limit >> 20);
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "broker-alarm", name,
				"no alarm; %" PRId64 " MiB of disk are free", room >> 20);
	}
}

/* What runs out without an alarm. */
static void check_supply(struct bus_doctor *d, const json_t *node, const char *name,
			 const char *check, const char *used_name, const char *total_name,
			 const char *what)
{
	const int64_t used = bus_member_int(node, used_name);
	const int64_t total = bus_member_int(node, total_name);
	const bool short_of = total > 0 && used > total / 5 * 4;

	if (total <= 0)
		return;
	if (short_of)
		bus_doctor_remedy(d, "systemctl edit rabbitmq-server: raise the limit; rabbitmqctl "
				     "list_connections shows who has many");
	bus_doctor_find(d, short_of ? BUS_LEVEL_WARNING : BUS_LEVEL_OK, check, name,
			"%" PRId64 " of %" PRId64 " %s are in use", used, total, what);
}

static void check_node(struct bus_doctor *d, const json_t *node)
{
	const char *name = bus_member_text(node, "name");

	if (!bus_member_true(node, "running")) {
		bus_doctor_remedy(d,
				  "systemctl start rabbitmq-server on that host; or, if it is "
				  "gone for good, rabbitmqctl forget_cluster_node %s",
				  name);
		bus_doctor_find(d, BUS_LEVEL_ERROR, "broker-node", name, "does not run");
		return;
	}
	if (json_array_size(bus_member(node, "partitions"))) {
		bus_doctor_remedy(d,
				  "when the network works again, restart the nodes of the smaller "
				  "side");
		bus_doctor_find(d, BUS_LEVEL_ERROR, "broker-node", name,
				"is cut off from %zu other nodes (partition)",
				json_array_size(bus_member(node, "partitions")));
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "broker-node", name, "runs");
	}
	check_alarm(d, node, name);
	check_supply(d, node, name, "broker-files", "fd_used", "fd_total", "file descriptors");
	check_supply(d, node, name, "broker-processes", "proc_used", "proc_total",
		     "Erlang processes");
}

/* -- messages that no queue took -- */

/*
 * debmsg.log takes every message, so there should be none.  Counted since the
 * broker started; what was long ago is told as a note only.
 */
static void check_unroutable(struct bus_doctor *d)
{
	static const char *const path[] = { "vhosts", NULL };
	static const char returned[] = "return_unroutable", dropped[] = "drop_unroutable";
	enum bus_level level = BUS_LEVEL_OK;
	int64_t ever, lately;
	const json_t *stats;
	char query[64];
	json_t *vhosts;

	snprintf(query, sizeof(query), "msg_rates_age=%d&msg_rates_incr=5", RATES_S);
	vhosts = bus_doctor_get(d, "broker-unroutable", path, query);
	if (!vhosts)
		return;
	stats = bus_member(bus_member_find(vhosts, "name", d->where.vhost), "message_stats");
	ever = bus_member_int(stats, returned) + bus_member_int(stats, dropped);
	lately = bus_doctor_rise(stats, returned) + bus_doctor_rise(stats, dropped);
	if (lately > 0)
		level = BUS_LEVEL_WARNING;
	else if (ever > 0)
		level = BUS_LEVEL_NOTE;
	if (level == BUS_LEVEL_WARNING)
		bus_doctor_remedy(d, "see whether %s is bound to %s with #: debmsg-broker load",
				  bus_stream, bus_exchange);
	bus_doctor_find(d, level, "broker-unroutable", d->where.vhost,
			"%" PRId64 " messages reached no queue in the last ten minutes, %" PRId64
			" since the broker started",
			lately, ever);
	json_decref(vhosts);
}

void bus_doctor_bus(struct bus_doctor *d)
{
	static const char *const path[] = { "nodes", NULL };
	static const char query[] = "columns=name,running,partitions,mem_alarm,disk_free_alarm,"
				    "disk_free,disk_free_limit,fd_used,fd_total,proc_used,"
				    "proc_total";
	json_t *nodes;
	size_t i;

	if (!check_management(d))
		return;
	nodes = bus_doctor_get(d, "broker-node", path, query);
	for (i = 0; i < json_array_size(nodes); i++)
		check_node(d, json_array_get(nodes, i));
	json_decref(nodes);
	check_unroutable(d);
}
