#ifndef BUS_CONF_H
#define BUS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/*
 * debmsg.conf, read whole and checked completely before anything starts.
 *
 * An unknown option, a value that cannot be right, or a file others may change
 * is BUS_E_CONFIG naming file, line and remedy.  Secrets are never in this
 * file: it names the files that hold them (secret.h).
 */
struct bus_conf_broker {
	char **url; /* at least one where there is a broker section */
	size_t url_count;
	char *password_file; /* NULL: EXTERNAL, by client certificate */
	char *ca_file;	     /* the next three are for amqps; NULL: not given */
	char *cert_file;
	char *key_file;
};

/* RabbitMQ's management API, which debmsg doctor asks. */
struct bus_conf_management {
	char *url; /* NULL: no management section */
	char *user, *password_file;
	char *ca_file; /* NULL: those that the system believes */
};

struct bus_conf_service {
	char *name;	     /* "dak" */
	char *origin;	     /* the log's name, without epoch */
	char *user;	     /* broker user that publishes */
	char *password_file; /* NULL: EXTERNAL, with the next two or those of broker */
	char *cert_file, *key_file;
	int64_t keep_us; /* how long its outbox keeps confirmed events; 0: for ever */
	char ***option;	 /* of its adapter; for bus_conf_option() */
};

struct bus_conf {
	char *path;	   /* of the file, for messages */
	char *environment; /* production, stg or dev */
	char *state_directory;
	char *trust_file;
	size_t max_event_size; /* bytes of a body */
	struct bus_conf_broker broker;
	struct bus_conf_management management;
	char *signing_homedir; /* NULL: no signing section */
	char *signing_key;     /* fingerprint, upper case */
	struct bus_conf_service *service;
	size_t service_count;
};

/* path NULL: $DEBMSG_CONF, else /etc/debmsg/debmsg.conf. */
enum bus_code bus_conf_load(struct bus_conf **ret, const char *path, struct bus_err *err);
void bus_conf_free(struct bus_conf *conf);

/* BUS_E_CONFIG, naming the file, where there is no such service. */
enum bus_code bus_conf_service(const struct bus_conf *conf, const char *name,
			       const struct bus_conf_service **ret, struct bus_err *err);

/*
 * What the section says to the service's adapter.  conf.c has the table of
 * these options: which there are, in which section, and which are lists.
 * They live as long as the configuration; NULL where the option is not given.
 */
const char *bus_conf_option(const struct bus_conf_service *service, const char *name);
/* Ended by NULL. */
char *const *bus_conf_option_list(const struct bus_conf_service *service, const char *name);

/* <state-directory>/outbox/<service>, where its outbox and its relay's lock are. */
char *bus_conf_outbox_dir(const struct bus_conf *conf, const char *service);

#endif
