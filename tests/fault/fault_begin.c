#include "config.h"

#include "fault_run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "conf.h"
#include "fault_files.h"
#include "outbox.h"

bool fault_begin(char directory[200], const char *program)
{
	const char *tmp = getenv("TMPDIR");
	char path[220];

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(directory, 200, "%s/%s.%d", tmp ? tmp : "/tmp", program, (int)getpid());
	snprintf(path, sizeof(path), "%s/debmsg.conf", directory);
	setenv("DEBMSG_CONF", path, 1);
	if (mkdir(directory, 0700) != 0) {
		perror(directory);
		return false;
	}
	snprintf(path, sizeof(path), "%s/nothing", directory);
	return mkdir(path, 0700) == 0;
}

void fault_end(const char *directory)
{
	fault_remove(directory);
}

bool fault_is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strncmp(name, argv[i], strlen(argv[i])) == 0)
			return true;
	return argc < 2;
}

int fault_status(enum bus_code rc, const struct bus_err *err)
{
	if (rc)
		fprintf(stderr, "%s: %s\n", bus_code_info[rc].name, err->text);
	return bus_code_info[rc].exit_status;
}

/* -- what is in an outbox -- */

struct lines {
	char **line;
	size_t count;
	uint64_t next; /* id */
	bool failed;
};

static void add_line(struct lines *lines, char *line)
{
	char **grown = line ? realloc(lines->line, (lines->count + 1) * sizeof(*grown)) : NULL;

	lines->failed = lines->failed || !grown;
	if (!grown)
		return;
	lines->line = grown;
	lines->line[lines->count++] = line;
}

static enum bus_code take_event(void *arg, const struct bus_outbox_event *ev, struct bus_err *err)
{
	struct lines *lines = arg;
	json_t *body = json_loadb(ev->body, ev->body_len, 0, NULL);
	char *data = json_dumps(json_object_get(body, "data"), JSON_SORT_KEYS | JSON_COMPACT);
	char *line = NULL;

	(void)err;
	if (!data || ev->id != lines->next++ ||
	    asprintf(&line, "%s %s %s\n", ev->type,
		     json_string_value(json_object_get(body, "subject")), data) < 0)
		lines->failed = true;
	else
		add_line(lines, line);
	free(data);
	json_decref(body);
	return BUS_OK;
}

static enum bus_code take_rejects(struct lines *lines, struct bus_outbox *box, struct bus_err *err)
{
	char *name = NULL, *next = NULL, *value = NULL, *line = NULL;
	enum bus_code rc;
	size_t len;

	while (!(rc = bus_outbox_cursor_next(box, "", name, &next, err)) && next) {
		free(name);
		name = next;
		if (!strstr(name, "-rejected/"))
			continue;
		rc = bus_outbox_cursor_get(box, name, &value, &len, err);
		if (rc)
			break;
		if (asprintf(&line, "rejected: %s\n", value) < 0)
			line = NULL;
		add_line(lines, line);
		free(value);
	}
	free(name);
	return rc;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum bus_code open_box(struct bus_outbox **ret, const char *service, struct bus_err *err)
{
	struct bus_outbox_params params = { .wait_ms = 1000 };
	const struct bus_conf_service *section = NULL;
	struct bus_conf *conf = NULL;
	char *directory = NULL;
	enum bus_code rc;

	rc = bus_conf_load(&conf, NULL, err);
	if (!rc)
		rc = bus_conf_service(conf, service, &section, err);
	if (!rc) {
		directory = bus_conf_outbox_dir(conf, service);
		params.directory = directory;
		params.name = section->origin;
		params.environment = conf->environment;
		params.service = service;
		params.max_event_size = conf->max_event_size;
		rc = bus_outbox_open(ret, &params, err);
	}
	free(directory);
	bus_conf_free(conf);
	return rc;
}

enum bus_code fault_dump_outbox(FILE *out, const char *service, struct bus_err *err)
{
	struct lines lines = { .line = NULL };
	struct bus_outbox *box = NULL;
	enum bus_code rc;
	size_t i;

	rc = open_box(&box, service, err);
	if (rc == BUS_E_NO)
		return BUS_OK;
	if (!rc)
		rc = bus_outbox_each(box, 0, INT64_MAX, take_event, &lines, err);
	if (!rc)
		rc = take_rejects(&lines, box, err);
	if (!rc && lines.failed)
		rc = bus_fail(err, BUS_E_BUG, "events are damaged, or there is a gap");
	if (lines.count)
		qsort(lines.line, lines.count, sizeof(*lines.line), compare);
	for (i = 0; i < lines.count; i++) {
		if (!rc)
			fputs(lines.line[i], out);
		free(lines.line[i]);
	}
	free(lines.line);
	bus_outbox_close(box);
	return rc;
}
