#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "conf.h"
#include "event.h"
#include "secret.h"

#define FPR "36B0BE6D3B6924D3BCE5539C34F217C32364C7FF"

/* What every file needs; it takes two lines. */
#define TOP "environment = \"dev\"\nstate-directory = \"/var/lib/debmsg\"\n"

static char *path;

static enum bus_code load(struct bus_conf **ret, const char *text, struct bus_err *err)
{
	if (!path)
		path = check_path("debmsg.conf");
	*ret = NULL;
	err->text[0] = '\0';
	check_write(path, 0644, text);
	return bus_conf_load(ret, path, err);
}

static void reads_the_example_of_the_design(void)
{
	static const char text[] =
		"environment     = \"production\"\n"
		"state-directory = \"/var/lib/debmsg\"\n"
		"trust-file      = \"/etc/debmsg/trust.conf\"\n"
		"broker {          # a list of urls for a cluster\n"
		"  url           = { \"amqps://qa@bus.example.org/debmsg\", "
		"\"amqp://qa@[::1]:5673/x\" }\n"
		"  password-file = \"/etc/debmsg/broker.password\"\n"
		"  ca-file       = \"/etc/ssl/certs/ca-certificates.crt\"\n"
		"}\n"
		"management { url = \"https://bus.example.org:15671\"  user = \"monitor\"\n"
		"  password-file = \"/etc/debmsg/monitor.password\" }\n"
		"signing { homedir = \"/var/lib/debmsg/gnupg\"  key = \"" FPR "\" }\n"
		"service \"dak\" {\n"
		"  origin = \"ftp-master.debian.org/dak\"\n"
		"  log-directory = \"/srv/log\"  private-queues = { \"embargoed\", \"x\" }\n"
		"  user = \"dak\"  password-file = \"/etc/debmsg/dak.password\"\n"
		"}\n"
		"service \"alioth\" {\n"
		"  origin = \"git.debian.org/alioth\"\n"
		"  repository-root = \"/srv/git\"\n"
		"}\n";
	const struct bus_conf_service *service = NULL;
	char *const *queues;
	struct bus_conf *conf;
	struct bus_err err;
	char *dir;

	CHECK_CODE(load(&conf, text, &err), BUS_OK, &err);
	CHECK_NEED(conf != NULL);
	CHECK_TEXT(conf->environment, "production");
	CHECK_TEXT(conf->trust_file, "/etc/debmsg/trust.conf");
	CHECK(conf->broker.url_count == 2);
	CHECK_TEXT(conf->broker.url[1], "amqp://qa@[::1]:5673/x");
	CHECK_TEXT(conf->broker.password_file, "/etc/debmsg/broker.password");
	CHECK(!conf->broker.cert_file && !conf->broker.key_file);
	CHECK_TEXT(conf->management.url, "https://bus.example.org:15671");
	CHECK_TEXT(conf->management.user, "monitor");
	CHECK_TEXT(conf->management.password_file, "/etc/debmsg/monitor.password");
	CHECK(!conf->management.ca_file);
	CHECK_TEXT(conf->signing_key, FPR);
	CHECK(conf->service_count == 2);
	CHECK_CODE(bus_conf_service(conf, "dak", &service, &err), BUS_OK, &err);
	CHECK_NEED(service != NULL);
	CHECK_TEXT(service->origin, "ftp-master.debian.org/dak");
	CHECK_TEXT(service->user, "dak");
	CHECK_TEXT(bus_conf_option(service, "log-directory"), "/srv/log");
	CHECK(!bus_conf_option(service, "mail-directory"));
	queues = bus_conf_option_list(service, "private-queues");
	CHECK_NEED(queues != NULL);
	CHECK(queues[0] && queues[1] && !queues[2] && strcmp(queues[1], "x") == 0);
	dir = bus_conf_outbox_dir(conf, "dak");
	CHECK_TEXT(dir, "/var/lib/debmsg/outbox/dak");
	free(dir);
	CHECK_CODE(bus_conf_service(conf, "wiki", &service, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, path);
	CHECK_SAYS(&err, "wiki");
	bus_conf_free(conf);
	bus_conf_free(NULL);
}

static void what_is_absent_has_a_default(void)
{
	struct bus_conf *conf;
	struct bus_err err;

	CHECK_CODE(load(&conf, TOP, &err), BUS_OK, &err);
	CHECK_NEED(conf != NULL);
	CHECK(conf->max_event_size == BUS_BODY_MAX_DEFAULT);
	CHECK(!conf->trust_file && !conf->broker.url_count && !conf->signing_homedir &&
	      !conf->signing_key && !conf->service_count);
	CHECK_TEXT(conf->path, path);
	bus_conf_free(conf);
}

/* Each names the file, and the line where libconfuse or a section has one. */
static const struct {
	const char *text, *says;
	int line; /* 0: none; -1: where the file ends, more or less */
} wrong[] = {
	{ "", "environment", 0 },
	{ "environment = \"dev\"\n", "state-directory", 0 },
	{ "environment = \"test\"\nstate-directory = \"/x\"\n", "production, stg or dev", 0 },
	{ "environment = \"dev\"\nstate-directory = \"x\"\n", "absolute path", 0 },
	{ TOP "max-event-size = 1023\n", "max-event-size", 0 },
	{ TOP "max-event-size = 1048577\n", "max-event-size", 0 },
	{ TOP "max-event-size = -1\n", "max-event-size", 0 },
	{ TOP "max-event-size = many\n", "max-event-size", 3 },
	{ TOP "max-event-size = 99999999999999999999\n", "max-event-size", 3 },
	{ TOP "service \"a\" { origin = \"x/a\" keep = \"23h\" }\n", "keep is", -1 },
	{ TOP "service \"a\" { origin = \"x/a\" keep = \"\" }\n", "keep is", -1 },
	{ TOP "service \"a\" { origin = \"x/a\" keep = \"90\" }\n", "keep is", -1 },
	{ TOP "service \"a\" { origin = \"x/a\" keep = \"-9d\" }\n", "keep is", -1 },
	{ TOP "service \"a\" { origin = \"x/a\" keep = \"9999999d\" }\n", "keep is", -1 },
	{ TOP "\nenviroment = \"dev\"\n", "enviroment", 4 },
	{ TOP "broker {\n  uri = \"amqp://a@b/c\"\n}\n", "uri", 4 },
	{ TOP "service \"dak\" {\n  origin = \"a/b\"\n  mail-dir = \"/x\"\n}\n", "mail-dir", 5 },
	{ TOP "brocker { }\n", "brocker", 3 },
	{ TOP "state-directory\n", "", -1 },
	{ TOP "x", "", 3 },
	{ TOP "broker { url = \"amqp://a@b/c\" }\n}\n", "", 4 },
	{ TOP "broker { url = \"amqp://a@b/c\n", "", -1 },
	{ TOP "broker { }\n", "url", 3 },
	{ TOP "broker { url = \"http://a@b/c\" }\n", "amqps://", 3 },
	{ TOP "broker { url = \"amqp://b/c\" }\n", "names no user", 3 },
	{ TOP "broker { url = \"amqp://@b/c\" }\n", "names no user", 3 },
	{ TOP "broker { url = \"amqp://a:secret@b/c\" }\n", "password-file", 3 },
	{ TOP "broker {\n url = { \"amqp://a@b/c\", \"amqps://a:@b/c\" } }\n", "password-file", 4 },
	{ TOP "broker { url = \"amqp://a@b/c\" cert-file = \"/x\" }\n", "key-file", 3 },
	{ TOP "broker { url = \"amqp://a@b/c\" key-file = \"/x\" }\n", "cert-file", 3 },
	{ TOP "management { url = \"https://b:15671\" user = \"m\" }\n", "password-file", 3 },
	{ TOP "management { url = \"b:15671\" user = \"m\" password-file = \"/x\" }\n", "https://",
	  3 },
	{ TOP "management { url = \"https://m:s3cret@b\" user = \"m\" password-file = \"/x\" }\n",
	  "holds a user or a password", 3 },
	{ TOP "signing { }\n", "homedir", 3 },
	{ TOP "signing { homedir = \"/x\" }\n", "key", 3 },
	{ TOP "signing { homedir = \"/x\" key = \"34F217C32364C7FF\" }\n", "full fingerprint", 3 },
	{ TOP "signing { homedir = \"/x\" key = \"Vector dak key\" }\n", "full fingerprint", 3 },
	{ TOP "signing { homedir = \"/x\" key = \"" FPR FPR "\" }\n", "full fingerprint", 3 },
	{ TOP "service { origin = \"a/b\" }\n", "", 3 },
	{ TOP "service \"dak\" { }\n", "origin", 3 },
	{ TOP "service \"dak\" { origin = \"a b\" }\n", "origin", 3 },
	{ TOP "service \"Dak\" { origin = \"a/b\" }\n", "one word", 3 },
	{ TOP "service \"../x\" { origin = \"a/b\" }\n", "one word", 3 },
	{ TOP "service \"a\" { origin = \"a/b\" }\n\nservice \"b\" { origin = \"a/b\" }\n", "twice",
	  5 },
	{ TOP "service \"a\" { origin = \"a/b\" }\nservice \"a\" { origin = \"c/d\" }\n", "", 4 },
	{ TOP "service \"alioth\" { origin = \"a/b\" repository-root = \"x\" }\n", "absolute", 3 },
	{ TOP "service \"a\" { origin = \"a/b\" repository-root = \"/x\" }\n",
	  "option of service \"alioth\"", 3 },
	{ TOP "service \"a\" { origin = \"a/b\" input = { \"/x\", \"/y\" } }\n", "one value", 3 },
};

static void every_error_names_file_and_line(void)
{
	struct bus_conf *conf;
	struct bus_err err;
	char place[300];
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK_ROW(load(&conf, wrong[i].text, &err) == BUS_E_CONFIG && !conf,
			  "row %zu is taken", i);
		if (wrong[i].line > 0)
			snprintf(place, sizeof(place), "%s:%d: ", path, wrong[i].line);
		else
			snprintf(place, sizeof(place), wrong[i].line ? "%s:" : "%s: ", path);
		CHECK_ROW(strncmp(err.text, place, strlen(place)) == 0,
			  "row %zu: '%s' is not at line %d", i, err.text, wrong[i].line);
		CHECK_ROW(strstr(err.text, wrong[i].says) != NULL, "'%s' says nothing of '%s'",
			  err.text, wrong[i].says);
		bus_conf_free(conf);
	}
}

static void no_message_repeats_a_password(void)
{
	static const char *const urls[] = {
		"amqp://qa:s3cret@bus/debmsg", "ampq://qa:s3cret@bus/debmsg",
		"qa:s3cret@bus/debmsg",	       "amqps:/qa:s3cret@bus/debmsg",
		"amqp://:s3cret@bus/debmsg",
	};
	char text[300];
	struct bus_conf *conf;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		snprintf(text, sizeof(text), TOP "broker { url = \"%s\" }\n", urls[i]);
		CHECK_CODE(load(&conf, text, &err), BUS_E_CONFIG, &err);
		CHECK_ROW(!strstr(err.text, "s3cret"), "%s", err.text);
	}
}

static void a_fingerprint_may_be_written_as_people_do(void)
{
	struct bus_conf *conf;
	struct bus_err err;

	CHECK_CODE(load(&conf,
			TOP "signing { homedir = \"/x\" key = "
			    "\"0x36b0 be6d 3b69 24d3 bce5  539c 34f2 17c3 2364 c7ff\" }\n",
			&err),
		   BUS_OK, &err);
	CHECK_NEED(conf != NULL);
	CHECK_TEXT(conf->signing_key, FPR);
	bus_conf_free(conf);
}

static void the_limits_of_sizes_are_allowed(void)
{
	struct bus_conf *conf;
	struct bus_err err;

	CHECK_CODE(load(&conf, TOP "max-event-size = 1024\n", &err), BUS_OK, &err);
	CHECK(conf && conf->max_event_size == 1024);
	bus_conf_free(conf);
	CHECK_CODE(load(&conf, TOP "max-event-size = 1048576\n", &err), BUS_OK, &err);
	CHECK(conf && conf->max_event_size == BUS_BODY_MAX_CEILING);
	bus_conf_free(conf);
}

static void the_file_must_be_there_and_be_safe(void)
{
	struct bus_conf *conf = NULL;
	char *missing = check_path("missing.conf");
	struct bus_err err;

	CHECK_CODE(bus_conf_load(&conf, missing, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, missing);
	check_write(missing, 0646, TOP);
	CHECK_CODE(bus_conf_load(&conf, missing, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, "chmod");
	check_remove(missing);
	CHECK(mkdir(missing, 0700) == 0);
	CHECK_CODE(bus_conf_load(&conf, missing, &err), BUS_E_CONFIG, &err);
	CHECK(!conf);
	free(missing);
}

static void the_environment_names_the_file(void)
{
	struct bus_conf *conf;
	struct bus_err err;

	CHECK(load(&conf, TOP, &err) == BUS_OK);
	bus_conf_free(conf);
	conf = NULL;
	setenv("DEBMSG_CONF", path, 1);
	CHECK_CODE(bus_conf_load(&conf, NULL, &err), BUS_OK, &err);
	bus_conf_free(conf);
	unsetenv("DEBMSG_CONF");
}

static void a_secret_is_the_first_line(void)
{
	static const struct {
		const char *text, *secret; /* NULL: refused */
	} row[] = {
		{ "s3cret", "s3cret" },
		{ "s3cret\n", "s3cret" },
		{ "s3cret\r\n", "s3cret" },
		{ "s3 cret \nmore\n", "s3 cret " },
		{ "", NULL },
		{ "\n", NULL },
		{ "\ns3cret\n", NULL },
	};
	char *file = check_path("secret"), *secret;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		secret = NULL;
		check_write(file, 0600, row[i].text);
		CHECK_CODE(bus_secret_read(&secret, file, &err),
			   row[i].secret ? BUS_OK : BUS_E_CONFIG, &err);
		CHECK_TEXT(secret, row[i].secret);
		bus_secret_free(secret);
	}
	bus_secret_free(NULL);
	free(file);
}

static void a_secret_that_others_can_read_is_refused(void)
{
	static const struct {
		mode_t mode;
		bool good;
	} row[] = { { 0600, true },  { 0400, true },  { 0640, true },  { 0440, true },
		    { 0644, false }, { 0604, false }, { 0602, false }, { 0601, false } };
	char *file = check_path("secret"), *secret;
	struct bus_err err;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		secret = NULL;
		check_remove(file);
		check_write(file, row[i].mode, "s3cret\n");
		CHECK_CODE(bus_secret_read(&secret, file, &err),
			   row[i].good ? BUS_OK : BUS_E_CONFIG, &err);
		if (!row[i].good) {
			CHECK_SAYS(&err, file);
			CHECK_SAYS(&err, "chmod 600");
		}
		bus_secret_free(secret);
	}
	check_remove(file);
	CHECK_CODE(bus_secret_read(&secret, file, &err), BUS_E_CONFIG, &err);
	CHECK_SAYS(&err, file);
	CHECK(mkdir(file, 0700) == 0);
	CHECK_CODE(bus_secret_read(&secret, file, &err), BUS_E_CONFIG, &err);
	free(file);
}

static void an_outbox_keeps_its_events_for_a_year_or_as_told(void)
{
	static const struct {
		const char *keep;
		int64_t days;
	} row[] = { { "", 365 },
		    { "keep = \"forever\"", 0 },
		    { "keep = \"1d\"", 1 },
		    { "keep = 24h", 1 },
		    { "keep = \"52w\"", 364 } };
	struct bus_conf *conf;
	struct bus_err err;
	char text[300];
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		snprintf(text, sizeof(text), TOP "service \"a\" { origin = \"x/a\" %s }\n",
			 row[i].keep);
		conf = NULL;
		CHECK_CODE(load(&conf, text, &err), BUS_OK, &err);
		CHECK_NEED(conf != NULL);
		CHECK_ROW(conf->service[0].keep_us == row[i].days * 86400 * 1000000, "row %zu", i);
		bus_conf_free(conf);
	}
}

static const struct check_test tests[] = {
	{ "reads the example of the design", reads_the_example_of_the_design },
	{ "what is absent has a default", what_is_absent_has_a_default },
	{ "every error names file and line", every_error_names_file_and_line },
	{ "an outbox keeps its events for a year, or as told",
	  an_outbox_keeps_its_events_for_a_year_or_as_told },
	{ "no message repeats a password", no_message_repeats_a_password },
	{ "a fingerprint may be written as people do", a_fingerprint_may_be_written_as_people_do },
	{ "the limits of sizes are allowed", the_limits_of_sizes_are_allowed },
	{ "the file must be there and be safe", the_file_must_be_there_and_be_safe },
	{ "the environment names the file", the_environment_names_the_file },
	{ "a secret is the first line", a_secret_is_the_first_line },
	{ "a secret that others can read is refused", a_secret_that_others_can_read_is_refused },
	{ NULL, NULL },
};

int main(void)
{
	int status = check_main("conf", tests);

	free(path);
	return status;
}
