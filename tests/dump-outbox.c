#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "outbox.h"

/*
 * For tests:
 *
 *	dump-outbox SERVICE		prints the body of every event, one a line
 *	dump-outbox SERVICE PREFIX	prints name and value of the first cursor whose
 *					name begins so; exit 1 if there is none
 *	dump-outbox SERVICE --hold	prints "held" and keeps all others from writing
 *					until its stdin ends
 */
static enum bus_code print_event(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	(void)arg;
	(void)err;
	printf("%.*s\n", (int)ev->body_len, ev->body);
	return BUS_OK;
}

static enum bus_code print_cursor(struct bus_outbox *box, const char *prefix, struct bus_err *err)
{
	char *name = NULL, *value = NULL;
	enum bus_code rc;
	size_t len = 0;

	rc = bus_outbox_cursor_next(box, prefix, NULL, &name, err);
	if (!rc && !name)
		rc = BUS_E_NO;
	if (!rc)
		rc = bus_outbox_cursor_get(box, name, &value, &len, err);
	if (!rc && value) {
		printf("%s\n", name);
		fwrite(value, 1, len, stdout);
	}
	free(name);
	free(value);
	return rc;
}

static enum bus_code hold(struct bus_outbox *box, struct bus_err *err)
{
	enum bus_code rc = bus_outbox_begin(box, err);

	if (rc)
		return rc;
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		;
	bus_outbox_rollback(box);
	return BUS_OK;
}

int main(int argc, char **argv)
{
	const struct bus_conf_service *service;
	struct bus_outbox_params params = { .wait_ms = 10000 };
	struct bus_outbox *box = NULL;
	struct bus_conf *conf = NULL;
	struct bus_err err = { BUS_OK, "" };
	char *directory = NULL;
	enum bus_code rc;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: dump-outbox SERVICE [PREFIX | --hold]\n");
		return 64;
	}
	rc = bus_conf_load(&conf, NULL, &err);
	if (!rc)
		rc = bus_conf_service(conf, argv[1], &service, &err);
	if (!rc) {
		directory = bus_conf_outbox_dir(conf, argv[1]);
		params.directory = directory;
		params.name = service->origin;
		params.environment = conf->environment;
		params.service = service->name;
		params.max_event_size = conf->max_event_size;
		rc = bus_outbox_open(&box, &params, &err);
	}
	if (!rc && argc == 3 && strcmp(argv[2], "--hold") == 0)
		rc = hold(box, &err);
	else if (!rc && argc == 3)
		rc = print_cursor(box, argv[2], &err);
	else if (!rc)
		rc = bus_outbox_each(box, 0, INT64_MAX, print_event, NULL, &err);
	if (rc && err.text[0])
		fprintf(stderr, "dump-outbox: %s\n", err.text);
	bus_outbox_close(box);
	bus_conf_free(conf);
	free(directory);
	return bus_code_info[rc].exit_status;
}
