#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli/findings.h"
#include "doctor_private.h"
#include "fuzz.h"
#include "http.h"
#include "json.h"
#include "json_read.h"
#include "place.h"

/*
 * The doctor, and a management API that says whatever it likes.  The input has
 * answers, each in a line: the last part of the path, a blank, and the body.  What
 * is asked and not there is "404".
 */
static const char *answers;
static size_t answers_len;
static long status;
static unsigned int asked;

enum bus_code __wrap_bus_http_get(struct bus_http *http, const char *url, struct bus_buf *out,
				  long *ret_retry_s, struct bus_err *err);
long __wrap_bus_http_status(const struct bus_http *http);
void __wrap_bus_doctor_find(struct bus_doctor *d, enum bus_level level, const char *check,
			    const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* /api/queues/debmsg?columns=... is "queues". */
static size_t name_of(const char *url, const char **ret)
{
	const char *from = strstr(url, "/api/");

	MUST(from);
	*ret = from + 5;
	return strcspn(*ret, "/?");
}

enum bus_code __wrap_bus_http_get(struct bus_http *http, const char *url, struct bus_buf *out,
				  long *ret_retry_s, struct bus_err *err)
{
	const char *name, *line = answers, *end = answers + answers_len, *stop;
	const size_t len = name_of(url, &name);

	(void)http;
	MUST(asked++ < 1000); /* it does not ask once for each thing it was told */
	*ret_retry_s = 0;
	bus_buf_clear(out);
	for (; line < end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		stop = stop ? stop : end;
		if ((size_t)(stop - line) <= len || memcmp(line, name, len) != 0 ||
		    line[len] != ' ')
			continue;
		status = 200;
		bus_buf_add(out, line + len + 1, (size_t)(stop - line) - len - 1);
		return BUS_OK;
	}
	status = 404;
	return bus_fail(err, BUS_E_UNAVAILABLE, "404");
}

long __wrap_bus_http_status(const struct bus_http *http)
{
	(void)http;
	return status;
}

/* What was found is one line for people and one object for programs, whatever it quotes. */
void __wrap_bus_doctor_find(struct bus_doctor *d, enum bus_level level, const char *check,
			    const char *subject, const char *fmt, ...)
{
	char text[600];
	const struct bus_finding finding = { level, check, subject, text, d->remedy };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_print_finding(&finding, false);
	cli_print_finding_json(&finding);
	d->remedy[0] = '\0';
}

static void check_shown(const char *text, size_t len)
{
	json_t *root = NULL;
	const char *stop;
	size_t i;

	for (i = 0; i < len; i++)
		MUST(((unsigned char)text[i] >= 0x20 && text[i] != 0x7f) || text[i] == '\n');
	MUST(bus_utf8_valid(text, len));
	for (; len; len -= (size_t)(stop + 1 - text), text = stop + 1) {
		stop = memchr(text, '\n', len);
		MUST(stop);
		if (*text != '{')
			continue;
		MUST(bus_json_read(&root, text, (size_t)(stop - text), 0, BUS_E_DATA, NULL) ==
		     BUS_OK);
		json_decref(root);
	}
}

static struct bus_conf conf;

static struct bus_doctor *open_doctor(void)
{
	static struct bus_doctor d;
	static char reference[4096], user[] = "monitor", url[] = "https://bus.example";
	const char *srcdir = getenv("DEBMSG_SRCDIR");
	struct bus_err err;

	snprintf(reference, sizeof(reference), "%s/broker-config", srcdir ? srcdir : ".");
	MUST(access(reference, R_OK) == 0); /* or run it at the top of the sources */
	conf = (struct bus_conf){ .path = user, .state_directory = (char *)fuzz_place() };
	conf.management.url = url;
	conf.management.user = user;
	conf.management.password_file = (char *)fuzz_file("password", "secret\n");
	d = (struct bus_doctor){ .conf = &conf, .broker_config = reference, .answers = true };
	d.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	snprintf(d.where.vhost, sizeof(d.where.vhost), "debmsg");
	snprintf(d.where.user, sizeof(d.where.user), "consumer");
	MUST(d.fd >= 0 && bus_management_open(&d.api, &conf, &err) == BUS_OK);
	return &d;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const field[])(
		struct bus_doctor *) = { bus_doctor_bus, bus_doctor_topology, bus_doctor_queues,
					 bus_doctor_lag, bus_doctor_users,    bus_doctor_versions };
	static struct bus_doctor *d;
	FILE *real = stdout;
	size_t said = 0, i;
	char *text = NULL;

	if (!d)
		d = open_doctor();
	answers = (const char *)bytes;
	answers_len = len;
	asked = 0;
	stdout = open_memstream(&text, &said);
	MUST(stdout);
	for (i = 0; i < sizeof(field) / sizeof(field[0]); i++)
		field[i](d);
	fclose(stdout);
	stdout = real;
	check_shown(text, said);
	MUST(said < 4096 + 4096 * (len + 64)); /* a line or two for each thing it was told */
	free(text);
	return 0;
}
