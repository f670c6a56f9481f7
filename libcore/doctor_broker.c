#include "config.h"

#include "doctor_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "timestamp.h"

static const char purpose[] = "debmsg doctor";

/* -- certificates -- */

static void check_certificate(struct bus_doctor *d, const char *name, const char *url,
			      const char *ca_file)
{
	static const char check[] = "certificate";
	const struct bus_http_login login = { .ca_file = ca_file };
	struct bus_err err = { BUS_OK, "" };
	struct bus_http *http = NULL;
	int64_t end = 0, left;
	enum bus_code rc;
	char span[32];

	rc = bus_http_open(&http, &err);
	if (!rc)
		rc = bus_http_login(http, &login, &err);
	if (!rc)
		rc = bus_http_certificate_end(http, url, &end, &err);
	bus_http_close(http);
	if (rc) {
		bus_doctor_remedy(d, "see ca-file in debmsg.conf(5), and the certificate on the "
				     "broker's host");
		bus_doctor_find(d, BUS_LEVEL_ERROR, check, name, "%s", err.text);
		return;
	}
	left = end - bus_time_now() / 1000000;
	if (left < BUS_DOCTOR_EXPIRY_S)
		bus_doctor_remedy(d, "renew it on the broker's host");
	bus_doctor_find(d, left < BUS_DOCTOR_EXPIRY_S ? BUS_LEVEL_WARNING : BUS_LEVEL_OK, check,
			name, "ends in %s", bus_doctor_span(span, left));
}

static void check_certificate_of_url(struct bus_doctor *d, const char *name,
				     const struct bus_broker_url *url)
{
	const bool six = strchr(url->host, ':') != NULL;
	char text[400];

	snprintf(text, sizeof(text), "https://%s%s%s:%d", six ? "[" : "", url->host, six ? "]" : "",
		 url->port);
	check_certificate(d, name, text, d->conf->broker.ca_file);
}

/* -- logging in -- */

/* What to do about a failed login is at the end of its text, or said here. */
static const char *remedy_of(enum bus_code rc)
{
	if (rc == BUS_E_UNAVAILABLE)
		return "on the broker's host: systemctl status rabbitmq-server; rabbitmqctl "
		       "list_listeners";
	return "the broker's admin runs debmsg-broker add ROLE NAME PASSWORD-FILE, and "
	       "debmsg-broker "
	       "load";
}

/* Each url by itself, so that a dead node of a cluster does not hide behind a living one. */
static bool check_url(struct bus_doctor *d, size_t i)
{
	struct bus_conf_broker one = d->conf->broker;
	const struct bus_broker_login login = { .conf = &one, .purpose = purpose };
	struct bus_err err = { BUS_OK, "" };
	struct bus_broker *broker = NULL;
	struct bus_broker_url url;
	enum bus_code rc;
	bool there = true;

	one.url = &d->conf->broker.url[i];
	one.url_count = 1;
	rc = bus_broker_url(&url, one.url[0], &err);
	if (!rc && url.tls)
		check_certificate_of_url(d, one.url[0], &url);
	if (!rc)
		rc = bus_broker_open(&broker, &login, &err);
	if (rc) {
		bus_doctor_remedy(d, "%s", remedy_of(rc));
		bus_doctor_find(d, BUS_LEVEL_ERROR, "broker-url", one.url[0], "%s", err.text);
		return false;
	}
	bus_doctor_find(d, BUS_LEVEL_OK, "broker-url", one.url[0], "user %s can log in",
			bus_broker_user(broker));
	rc = bus_broker_exists(broker, bus_stream, &there, &err);
	if (!rc && !there)
		bus_doctor_remedy(d,
				  "debmsg-broker load; what it held is lost to replay and audit");
	if (rc || !there)
		bus_doctor_find(d, BUS_LEVEL_ERROR, "broker-history", bus_stream, "%s",
				rc ? err.text : "the history is not there");
	else
		bus_doctor_find(d, BUS_LEVEL_OK, "broker-history", bus_stream, "is there");
	bus_broker_close(broker);
	return true;
}

/* As the relay does: one connection for each service, as its own user. */
static void check_service(struct bus_doctor *d, const struct bus_conf_service *service)
{
	const struct bus_broker_login login = { .conf = &d->conf->broker,
						.user = service->user,
						.password_file = service->password_file,
						.purpose = purpose };
	struct bus_err err = { BUS_OK, "" };
	struct bus_broker *broker = NULL;
	enum bus_code rc;

	if (!service->user)
		return;
	rc = bus_broker_open(&broker, &login, &err);
	bus_broker_close(broker);
	if (rc)
		bus_doctor_remedy(d, "%s", remedy_of(rc));
	bus_doctor_find(d, rc ? BUS_LEVEL_ERROR : BUS_LEVEL_OK, "broker-user", service->user,
			"%s%s", rc ? err.text : "can log in, for service ",
			rc ? "" : service->name);
}

/*
 * A queue that somebody has deleted: its consumer is told, but one that does not run
 * is not.  Asking for one that is not there costs the connection, so each has its own.
 */
static void check_queue(struct bus_doctor *d, const char *queue, void *arg)
{
	const struct bus_broker_login login = { .conf = &d->conf->broker, .purpose = purpose };
	struct bus_broker_waiting waiting = { .exists = false };
	struct bus_err err = { BUS_OK, "" };
	struct bus_broker *broker = NULL;
	enum bus_code rc;

	(void)arg;
	rc = bus_broker_open(&broker, &login, &err);
	if (!rc)
		rc = bus_broker_waiting(broker, queue, &waiting, &err);
	bus_broker_close(broker);
	if (rc) {
		bus_doctor_find(d, BUS_LEVEL_NOTE, "queue", queue, "not looked at: %s", err.text);
	} else if (!waiting.exists) {
		bus_doctor_remedy(d,
				  "start its consumer, which makes it again and reads what was "
				  "missed from the history; if it is not wanted any more, remove "
				  "%s/ledger/%s.db",
				  d->conf->state_directory, queue);
		bus_doctor_find(d, BUS_LEVEL_ERROR, "queue", queue,
				"the queue is gone: nothing that is published now waits for its "
				"consumer");
	} else {
		bus_doctor_find(d, BUS_LEVEL_OK, "queue", queue,
				"is there; %u messages wait, %u consumers", waiting.messages,
				waiting.consumers);
	}
}

void bus_doctor_broker(struct bus_doctor *d)
{
	const struct bus_conf_management *management = &d->conf->management;
	size_t i, good = 0;

	if (!d->conf->broker.url_count)
		bus_doctor_find(d, BUS_LEVEL_NOTE, "broker-url", "",
				"no broker section in the configuration: no broker was asked");
	for (i = 0; i < d->conf->broker.url_count; i++)
		good += check_url(d, i);
	for (i = 0; good && i < d->conf->service_count; i++)
		check_service(d, &d->conf->service[i]);
	if (good)
		bus_doctor_each_ledger(d, check_queue, NULL);
	if (management->url && strncmp(management->url, "https://", 8) == 0)
		check_certificate(d, management->url, management->url, management->ca_file);
}
