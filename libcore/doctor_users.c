#include "config.h"

#include "doctor_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What users may do, against broker-config/roles.json.  Only an administrator may
 * ask; each user has the tag debmsg-ROLE, by which its role is known.
 */
static const char tag_prefix[] = "debmsg-";

struct users {
	struct bus_doctor *d;
	json_t *roles;
	json_t *users, *permissions, *topics;
};

/* Tags are one text with commas, or an array: 3.10 has both. */
static bool next_tag(const json_t *tags, size_t *at, char out[64])
{
	const char *text = json_string_value(tags);
	size_t len;

	if (!text) {
		text = json_string_value(json_array_get(tags, *at));
		if (text)
			snprintf(out, 64, "%s", text);
		(*at)++;
		return text != NULL;
	}
	if (*at >= strlen(text))
		return false;
	len = strcspn(text + *at, ",");
	snprintf(out, 64, "%.*s", (int)len, text + *at);
	*at += len + 1;
	return true;
}

bool bus_doctor_has_tag(const json_t *user, const char *tag)
{
	const json_t *tags = bus_member(user, "tags");
	char one[64];
	size_t at = 0;

	while (next_tag(tags, &at, one))
		if (strcmp(one, tag) == 0)
			return true;
	return false;
}

static bool role_of(const json_t *user, char role[64])
{
	const size_t skip = sizeof(tag_prefix) - 1;
	const json_t *tags = bus_member(user, "tags");
	size_t at = 0;

	while (next_tag(tags, &at, role))
		if (strncmp(role, tag_prefix, skip) == 0) {
			memmove(role, role + skip, strlen(role + skip) + 1);
			return true;
		}
	return false;
}

/* The expression of a role for this user: NAME is replaced. */
static void expression(struct bus_buf *out, const char *text, const char *name)
{
	const char *hit;

	bus_buf_clear(out);
	while ((hit = strstr(text, "NAME"))) {
		bus_buf_add(out, text, (size_t)(hit - text));
		bus_buf_puts(out, name);
		text = hit + 4;
	}
	bus_buf_puts(out, text);
}

/* The user's permissions in our virtual host. */
static const json_t *of_user(const struct users *u, const json_t *list, const char *name,
			     const char *exchange)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);

		if (strcmp(bus_member_text(p, "user"), name) == 0 &&
		    strcmp(bus_member_text(p, "vhost"), u->d->where.vhost) == 0 &&
		    (!exchange || strcmp(bus_member_text(p, "exchange"), exchange) == 0))
			return p;
	}
	return NULL;
}

/* Which of them differs from its role, for this exchange of topics; NULL: none. */
static const char *differs(const struct users *u, const json_t *role, const char *name,
			   const char *exchange)
{
	static const struct {
		const char *ours, *theirs;
		bool topic;
	} right[] = { { "configure", "configure", false },
		      { "write", "write", false },
		      { "read", "read", false },
		      { "topic_write", "write", true },
		      { "topic_read", "read", true } };
	const json_t *plain = of_user(u, u->permissions, name, NULL);
	const json_t *topic = of_user(u, u->topics, name, exchange);
	struct bus_buf want = BUS_BUF_INIT(8192);
	const char *found = NULL;
	size_t i;

	for (i = 0; !found && i < sizeof(right) / sizeof(right[0]); i++) {
		const json_t *have = right[i].topic ? topic : plain;

		expression(&want, bus_member_text(role, right[i].ours), name);
		if (!have || want.failed ||
		    strcmp(want.p, bus_member_text(have, right[i].theirs)) != 0)
			found = right[i].ours;
	}
	bus_buf_finish(&want);
	return found;
}

/* A role that may do more than debmsg-ROLE says, by RabbitMQ's own tags. */
static const char *differs_in_tags(const json_t *role, const json_t *user)
{
	static const char *const own[] = { "administrator", "monitoring", "policymaker",
					   "management" };
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (bus_doctor_has_tag(user, own[i]) != bus_doctor_has_tag(role, own[i]))
			return own[i];
	return NULL;
}

static void check_user(const struct users *u, const json_t *user)
{
	static const char check[] = "user-permissions";
	const char *name = bus_member_text(user, "name"), *what, *tag;
	struct bus_doctor *d = u->d;
	char name_of_role[64] = "";
	const json_t *role;

	if (!role_of(user, name_of_role)) {
		bus_doctor_remedy(d, "rabbitmqctl delete_user %s, if nobody needs it", name);
		bus_doctor_find(d, BUS_LEVEL_NOTE, check, name,
				"has no role of debmsg, so what it may do was not compared");
		return;
	}
	role = json_object_get(u->roles, name_of_role);
	what = role ? differs(u, role, name, bus_exchange) : NULL;
	if (role && !what) /* without a right on topics there, all topics may be written */
		what = differs(u, role, name, bus_keep_exchange);
	tag = role ? differs_in_tags(role, user) : NULL;
	/* a user of another virtual host of this broker */
	if (role && !of_user(u, u->permissions, name, NULL) &&
	    !of_user(u, u->topics, name, bus_exchange))
		return;
	if (!role || what || tag)
		bus_doctor_remedy(d,
				  "debmsg-broker add %s %s PASSWORD-FILE gives it what the role "
				  "has, and no more",
				  name_of_role, name);
	if (!role)
		bus_doctor_find(d, BUS_LEVEL_WARNING, check, name, "broker-config has no role %s",
				name_of_role);
	else if (what)
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, name,
				"what it may do (%s) is not what the role %s may", what,
				name_of_role);
	else if (tag)
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, name,
				"the tag %s differs from that of the role %s", tag, name_of_role);
	else
		bus_doctor_find(d, BUS_LEVEL_OK, check, name, "has the rights of the role %s",
				name_of_role);
}

/* Whom the configuration names, and as what. */
static void check_named(const struct users *u, const char *name, const char *const *roles)
{
	const json_t *user = bus_member_find(u->users, "name", name);
	struct bus_doctor *d = u->d;
	char role[64] = "";
	size_t i;

	if (!user) {
		bus_doctor_remedy(d, "debmsg-broker add %s %s PASSWORD-FILE", roles[0], name);
		bus_doctor_find(d, BUS_LEVEL_ERROR, "user-role", name,
				"the configuration names it, and the broker does not know it");
		return;
	}
	if (!role_of(user, role))
		return; /* which check_user() says */
	for (i = 0; roles[i]; i++)
		if (strcmp(roles[i], role) == 0)
			break;
	if (!roles[i])
		bus_doctor_remedy(d,
				  "name a user of role %s in %s; debmsg-broker add %s NAME "
				  "PASSWORD-FILE makes one",
				  roles[0], d->conf->path, roles[0]);
	bus_doctor_find(d, roles[i] ? BUS_LEVEL_OK : BUS_LEVEL_WARNING, "user-role", name,
			"has the role %s%s%s", role, roles[i] ? "" : ", and ought to have ",
			roles[i] ? "" : roles[0]);
}

static void check_configuration(const struct users *u)
{
	static const char *const adapter[] = { "adapter", NULL };
	static const char *const reader[] = { "consumer", "public", "relay", "admin", NULL };
	static const char *const monitor[] = { "monitor", "admin", NULL };
	const struct bus_conf *conf = u->d->conf;
	size_t i;

	for (i = 0; i < conf->service_count; i++)
		if (conf->service[i].user)
			check_named(u, conf->service[i].user, adapter);
	if (u->d->where.user[0])
		check_named(u, u->d->where.user, reader);
	check_named(u, conf->management.user, monitor);
}

static bool may_ask(struct bus_doctor *d)
{
	static const char *const path[] = { "whoami", NULL };
	json_t *who = bus_doctor_get(d, "user-permissions", path, NULL);
	const bool yes = bus_doctor_has_tag(who, "administrator");

	if (who && !yes)
		bus_doctor_find(d, BUS_LEVEL_NOTE, "user-permissions", d->conf->management.user,
				"not looked at: only an administrator may ask what users may do");
	json_decref(who);
	return yes;
}

static json_t *get(struct bus_doctor *d, const char *what, const char *query)
{
	const char *const path[] = { what, NULL };

	return bus_doctor_get(d, "user-permissions", path, query);
}

void bus_doctor_users(struct bus_doctor *d)
{
	struct users u = { .d = d };
	size_t i;

	if (!may_ask(d))
		return;
	u.roles = bus_doctor_reference(d, "user-permissions", "roles.json");
	u.users = u.roles ? get(d, "users", "columns=name,tags") : NULL;
	u.permissions = u.users ? get(d, "permissions", NULL) : NULL;
	u.topics = u.permissions ? get(d, "topic-permissions", NULL) : NULL;
	if (u.topics) {
		for (i = 0; i < json_array_size(u.users); i++)
			check_user(&u, json_array_get(u.users, i));
		check_configuration(&u);
		if (bus_member_find(u.users, "name", "guest")) {
			bus_doctor_remedy(d, "rabbitmqctl delete_user guest");
			bus_doctor_find(d, BUS_LEVEL_WARNING, "user-guest", "guest",
					"RabbitMQ's well-known user is there");
		}
	}
	json_decref(u.users);
	json_decref(u.permissions);
	json_decref(u.topics);
	json_decref(u.roles);
}
