#include "config.h"

#include <string.h>

#include "conf.h"
#include "event.h"
#include "fuzz.h"
#include "place.h"
#include "proof.h"
#include "topic.h"

static void check_service(const struct bus_conf *conf, const struct bus_conf_service *service)
{
	static const char *const name[] = { "url", "input", "mail-directory", "api-url", "none" };
	const struct bus_conf_service *found = NULL;
	char *const *queue;
	size_t i;

	MUST(bus_service_valid(service->name) && bus_origin_name_valid(service->origin));
	MUST(service->keep_us >= 0);
	MUST(bus_conf_service(conf, service->name, &found, NULL) == BUS_OK && found == service);
	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		MUST(!bus_conf_option(service, name[i]) || i < 4);
	for (queue = bus_conf_option_list(service, "private-queues"); queue && *queue; queue++)
		MUST(strlen(*queue) < 6000);
}

static void check_conf(const struct bus_conf *conf)
{
	size_t i;

	MUST(bus_environment_valid(conf->environment));
	MUST(conf->max_event_size > 0 && conf->max_event_size <= BUS_BODY_MAX_CEILING);
	MUST(!conf->broker.cert_file == !conf->broker.key_file);
	MUST(!conf->management.url || (conf->management.user && conf->management.password_file));
	for (i = 0; i < conf->broker.url_count; i++)
		MUST(strstr(conf->broker.url[i], "://") && strchr(conf->broker.url[i], '@'));
	for (i = 0; i < conf->service_count; i++)
		check_service(conf, &conf->service[i]);
}

/* The input: a file that should be debmsg.conf. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bus_err err = { BUS_OK, "" }, again_err = { BUS_OK, "" };
	struct bus_conf *conf = NULL, *again = NULL;
	const char *path = fuzz_bytes(bytes, len);
	enum bus_code rc = bus_conf_load(&conf, path, &err);

	/* what is wrong is said of the file, and the same each time */
	MUST(rc == BUS_OK || (rc == BUS_E_CONFIG && !conf));
	MUST(!rc || strncmp(err.text, path, strlen(path)) == 0);
	MUST(bus_conf_load(&again, path, &again_err) == rc);
	MUST(!rc || strcmp(err.text, again_err.text) == 0);
	if (conf)
		check_conf(conf);
	bus_conf_free(conf);
	bus_conf_free(again);
	return 0;
}
