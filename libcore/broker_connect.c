#include "config.h"

#include "broker_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "secret.h"

enum {
	CONNECT_S = 10,
	RPC_S = 60, /* a quorum queue may take long to be declared */
	CLOSE_S = 2 /* a broker in an alarm reads nothing, and will not answer a close */
};

/* None of these is for ever: certificates are renewed, too. */
static enum bus_code cannot_connect(struct bus_broker *b, const struct bus_broker_login *how,
				    const struct amqp_connection_info *info, int status,
				    struct bus_err *err)
{
	switch (status) {
	case AMQP_STATUS_SOCKET_ERROR: /* all that rabbitmq-c says of it */
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"broker %s: refused or unreachable; is it running, and is the url "
				"right?",
				b->address);
	case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"broker %s: its certificate is not by an authority in ca-file %s, "
				"or not valid at this time",
				b->address, how->conf->ca_file);
	case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"broker %s: its certificate is not for the host name %s, which "
				"stands in the url",
				b->address, info->host);
	case AMQP_STATUS_SSL_ERROR:
	case AMQP_STATUS_SSL_CONNECTION_FAILED:
		return bus_fail(err, BUS_E_UNAVAILABLE,
				"broker %s: TLS failed; does this port speak TLS 1.2 or later? "
				"(5671 does, 5672 does not)",
				b->address);
	default:
		return bus_broker_lost(b, "cannot connect", status, err);
	}
}

static enum bus_code open_socket(struct bus_broker *b, const struct bus_broker_login *how,
				 const struct amqp_connection_info *info, struct bus_err *err)
{
	struct timeval limit = { .tv_sec = CONNECT_S };
	amqp_socket_t *socket;
	int status = AMQP_STATUS_OK;

	socket = info->ssl ? amqp_ssl_socket_new(b->conn) : amqp_tcp_socket_new(b->conn);
	if (!socket)
		return bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	if (info->ssl) {
		amqp_ssl_socket_set_verify_peer(socket, 1);
		amqp_ssl_socket_set_verify_hostname(socket, 1);
		if (!how->conf->ca_file)
			return bus_fail(err, BUS_E_CONFIG,
					"broker %s: amqps needs ca-file in the broker section",
					b->address);
		status = amqp_ssl_socket_set_cacert(socket, how->conf->ca_file);
		if (status != AMQP_STATUS_OK)
			return bus_fail(err, BUS_E_CONFIG,
					"broker %s: ca-file %s cannot be read, or holds no "
					"certificate",
					b->address, how->conf->ca_file);
		if (how->cert_file)
			status = amqp_ssl_socket_set_key(socket, how->cert_file, how->key_file);
		if (status != AMQP_STATUS_OK)
			return bus_fail(err, BUS_E_CONFIG,
					"broker %s: cert-file %s and key-file %s cannot be read, "
					"or do not belong together",
					b->address, how->cert_file, how->key_file);
	}
	status = amqp_socket_open_noblock(socket, info->host, info->port, &limit);
	return status == AMQP_STATUS_OK ? BUS_OK : cannot_connect(b, how, info, status, err);
}

static amqp_table_entry_t yes(const char *name)
{
	amqp_table_entry_t entry = { .key = amqp_cstring_bytes(name) };

	entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
	entry.value.value.boolean = 1;
	return entry;
}

/* A broker that does not like us at all hangs up, and does not say why. */
static const char *hint(const struct bus_broker_login *how, bool is_tls)
{
	if (!is_tls)
		return "does this port speak TLS (amqps://)?";
	return how->cert_file ? "does the broker accept the authority that made cert-file?"
			      : "does the broker demand a client certificate (cert-file)?";
}

/*
 * Without these capabilities, which rabbitmq-c does not announce by itself, the
 * broker would tell neither a consumer that its queue is gone nor a publisher
 * that it is blocked.
 */
static enum bus_code login(struct bus_broker *b, const struct bus_broker_login *how,
			   const char *vhost, bool is_tls, const char *secret, struct bus_err *err)
{
	amqp_table_entry_t capability[] = {
		yes("consumer_cancel_notify"),
		yes("connection.blocked"),
		yes("basic.nack"),
		yes("publisher_confirms"),
	};
	amqp_table_entry_t property[] = {
		bus_broker_text("product", PACKAGE_NAME, strlen(PACKAGE_NAME)),
		bus_broker_text("version", PACKAGE_VERSION, strlen(PACKAGE_VERSION)),
		bus_broker_text("connection_name", how->purpose, strlen(how->purpose)),
		{ .key = amqp_cstring_bytes("capabilities") },
	};
	const amqp_table_t properties = { .num_entries = 4, .entries = property };
	struct bus_err why = { BUS_OK, "" };
	amqp_rpc_reply_t reply;
	enum bus_code rc;

	property[3].value.kind = AMQP_FIELD_KIND_TABLE;
	property[3].value.value.table.num_entries = 4;
	/* cppcheck-suppress unreadVariable; read through properties */
	property[3].value.value.table.entries = capability;
	if (secret)
		reply = amqp_login_with_properties(b->conn, vhost, 0, BUS_BROKER_FRAME_MAX,
						   BUS_BROKER_HEARTBEAT_S, &properties,
						   AMQP_SASL_METHOD_PLAIN, b->user, secret);
	else
		reply = amqp_login_with_properties(b->conn, vhost, 0, BUS_BROKER_FRAME_MAX,
						   BUS_BROKER_HEARTBEAT_S, &properties,
						   AMQP_SASL_METHOD_EXTERNAL, b->user);
	rc = bus_broker_reply(b, "cannot log in", reply, &why);
	if (rc == BUS_E_CONFIG && strstr(why.text, "ACCESS_REFUSED") && !secret)
		return bus_fail(err, rc,
				"broker %s: login refused for the certificate %s: the broker must "
				"take EXTERNAL, and have the user whom the certificate names; the "
				"admin makes it with debmsg-broker add ROLE NAME --certificate",
				b->address, how->cert_file);
	if (rc == BUS_E_CONFIG && strstr(why.text, "ACCESS_REFUSED"))
		return bus_fail(err, rc,
				"broker %s: login refused for user %s: no such user, or not the "
				"password in %s; the admin sets it with debmsg-broker add",
				b->address, b->user, how->password_file);
	if (rc == BUS_E_UNAVAILABLE && reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
		return bus_fail(err, rc, "%s; if this stays: %s", why.text, hint(how, is_tls));
	if (rc)
		bus_fail(err, rc, "%s", why.text);
	return rc;
}

static enum bus_code open_channel(struct bus_broker *b, const struct bus_broker_login *how,
				  const struct amqp_connection_info *info, const char *vhost,
				  const char *secret, struct bus_err *err)
{
	struct timeval handshake = { .tv_sec = CONNECT_S }, rpc = { .tv_sec = RPC_S };
	enum bus_code rc;

	amqp_set_handshake_timeout(b->conn, &handshake);
	amqp_set_rpc_timeout(b->conn, &rpc);
	rc = open_socket(b, how, info, err);
	if (!rc)
		rc = login(b, how, vhost, info->ssl, secret, err);
	if (rc)
		return rc;
	b->open = true;
	bus_broker_tune(b, BUS_BROKER_FRAME_TAKEN);
	amqp_channel_open(b->conn, BUS_BROKER_CHANNEL);
	return bus_broker_answer(b, "cannot open a channel", err);
}

enum bus_code bus_broker_url(struct bus_broker_url *ret, const char *url, struct bus_err *err)
{
	struct amqp_connection_info info;
	char *copy = strdup(url); /* amqp_parse_url() writes into it */
	const char *after = strstr(url, "://");
	enum bus_code rc = BUS_OK;

	if (!copy)
		return bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
	if (!after || amqp_parse_url(copy, &info) != AMQP_STATUS_OK) {
		rc = bus_fail(err, BUS_E_CONFIG, "broker: url '%s' is not amqps://user@host/debmsg",
			      url);
		goto out;
	}
	snprintf(ret->host, sizeof(ret->host), "%s", info.host);
	snprintf(ret->user, sizeof(ret->user), "%s", info.user);
	snprintf(ret->vhost, sizeof(ret->vhost), "%s",
		 strchr(after + 3, '/') ? info.vhost : bus_exchange);
	ret->port = info.port;
	ret->tls = info.ssl;
out:
	free(copy);
	return rc;
}

const char *bus_broker_library(void)
{
	return amqp_version();
}

static enum bus_code connect_to(struct bus_broker **ret, const struct bus_broker_login *how,
				const char *url, const char *secret, struct bus_err *err)
{
	struct bus_broker *b = calloc(1, sizeof(*b));
	struct amqp_connection_info info;
	char *copy = strdup(url); /* amqp_parse_url() writes into it */
	const char *vhost;
	enum bus_code rc;

	if (!b || !copy) {
		rc = bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
		goto out;
	}
	vhost = strchr(strstr(url, "://") + 3, '/') ? NULL : bus_exchange;
	if (amqp_parse_url(copy, &info) != AMQP_STATUS_OK) {
		rc = bus_fail(err, BUS_E_CONFIG, "broker: url '%s' is not amqps://user@host/debmsg",
			      url);
		goto out;
	}
	snprintf(b->user, sizeof(b->user), "%s", how->user ? how->user : info.user);
	snprintf(b->address, sizeof(b->address), "%s:%d", info.host, info.port);
	b->conn = amqp_new_connection();
	if (!b->conn) {
		rc = bus_fail(err, BUS_E_NOMEM, "broker: out of memory");
		goto out;
	}
	rc = open_channel(b, how, &info, vhost ? vhost : info.vhost, secret, err);
	if (rc)
		goto out;
	*ret = b;
	b = NULL;
out:
	bus_broker_close(b);
	free(copy);
	return rc;
}

/* Another url's failure, behind those of the urls before it; what does not fit is left out. */
static void add_failure(struct bus_err *all, enum bus_code rc, const struct bus_err *one)
{
	const size_t len = strlen(all->text);

	if (!all->code || rc == BUS_E_UNAVAILABLE || rc == BUS_E_NOMEM)
		all->code = rc;
	if (len + strlen(one->text) + 3 <= sizeof(all->text))
		snprintf(all->text + len, sizeof(all->text) - len, "%s%s", len ? "; " : "",
			 one->text);
}

static enum bus_code try_urls(struct bus_broker **ret, const struct bus_broker_login *how,
			      const char *secret, struct bus_err *err)
{
	const size_t count = how->conf->url_count;
	struct bus_err all = { BUS_OK, "" }, one;
	enum bus_code rc = BUS_E_UNAVAILABLE;
	size_t i;

	for (i = 0; rc && rc != BUS_E_NOMEM && i < count; i++) {
		one = (struct bus_err){ BUS_OK, "" };
		rc = connect_to(ret, how, how->conf->url[(how->turn + i) % count], secret, &one);
		if (rc)
			add_failure(&all, rc, &one);
	}
	return rc ? bus_fail(err, all.code, "%s", all.text) : BUS_OK;
}

enum bus_code bus_broker_open(struct bus_broker **ret, const struct bus_broker_login *login_as,
			      struct bus_err *err)
{
	struct bus_broker_login how = *login_as;
	char *secret = NULL;
	enum bus_code rc;

	if (!how.conf->url_count)
		return bus_fail(err, BUS_E_CONFIG,
				"broker: no broker section in the configuration; see "
				"debmsg.conf(5)");
	if (!how.user)
		how.password_file = how.conf->password_file;
	if (!how.cert_file) {
		how.cert_file = how.conf->cert_file;
		how.key_file = how.conf->key_file;
	}
	if (how.password_file) {
		rc = bus_secret_read(&secret, how.password_file, err);
		if (rc)
			return rc;
	} else if (!how.cert_file) {
		return bus_fail(err, BUS_E_CONFIG,
				"broker: neither password-file nor cert-file is given for user %s",
				how.user ? how.user : "of the url");
	}
	rc = try_urls(ret, &how, secret, err);
	bus_secret_free(secret);
	return rc;
}

void bus_broker_close(struct bus_broker *b)
{
	const struct timeval limit = { .tv_sec = CLOSE_S };

	if (!b)
		return;
	if (b->conn && b->open && !b->lost) {
		amqp_set_rpc_timeout(b->conn, &limit);
		amqp_connection_close(b->conn, AMQP_REPLY_SUCCESS);
	}
	if (b->conn)
		amqp_destroy_connection(b->conn);
	free(b);
}

bool bus_broker_is_lost(const struct bus_broker *b)
{
	return b->lost;
}

const char *bus_broker_user(const struct bus_broker *b)
{
	return b->user;
}

const char *bus_broker_address(const struct bus_broker *b)
{
	return b->address;
}

int bus_broker_fd(const struct bus_broker *b)
{
	return amqp_get_sockfd(b->conn);
}

bool bus_broker_pending(const struct bus_broker *b)
{
	return amqp_frames_enqueued(b->conn) || amqp_data_in_buffer(b->conn);
}
