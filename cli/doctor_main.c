/*
 * debmsg-doctor, which `debmsg doctor` runs: prints what libcore/doctor.c finds.
 */
#include "config.h"

#include "doctor.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli.h"
#include "findings.h"

static const char help[] =
	"usage: debmsg doctor [--verbose] [--json] [--broker-config DIR]\n"
	"\n"
	"Checks what the configuration names: host, clock, outboxes, keys, brokers, topology,\n"
	"queues, permissions.  Says what is wrong, and what to do.  Changes nothing.\n"
	"\n"
	"  --verbose       tell also what is good\n"
	"  --json          for programs: every check, one object a line\n"
	"  --broker-config DIR\n"
	"                  compare the broker with definitions.json and roles.json there\n"
	"                  (else " PKGDATADIR "/broker-config)\n"
	"  -c, --config FILE\n"
	"\n"
	"Exit status: 0 nothing to be done, 1 warnings or errors, 78 configuration\n";

struct doctor {
	bool json, verbose, colours;
	unsigned int count[BUS_LEVEL_ERROR + 1];
};

static void print(void *arg, const struct bus_finding *f)
{
	struct doctor *doctor = arg;

	doctor->count[f->level]++;
	if (doctor->json)
		cli_print_finding_json(f);
	else if (doctor->verbose || f->level != BUS_LEVEL_OK)
		cli_print_finding(f, doctor->colours);
	fflush(stdout);
}

static void print_sum(const struct doctor *doctor)
{
	const unsigned int *n = doctor->count;
	const unsigned int all = n[BUS_LEVEL_OK] + n[BUS_LEVEL_NOTE] + n[BUS_LEVEL_WARNING] +
				 n[BUS_LEVEL_ERROR];

	if (n[BUS_LEVEL_WARNING] || n[BUS_LEVEL_ERROR])
		printf("%u checks: %u errors, %u warnings, %u notes\n", all, n[BUS_LEVEL_ERROR],
		       n[BUS_LEVEL_WARNING], n[BUS_LEVEL_NOTE]);
	else
		printf("%u checks: all is well%s\n", all,
		       n[BUS_LEVEL_NOTE] ? ", but see the notes" : "");
}

static int diagnose(struct doctor *doctor, const char *broker_config)
{
	struct bus_doctor_options options = { .broker_config = broker_config,
					      .each = print,
					      .arg = doctor };
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	struct bus_finding finding = { .check = "configuration", .subject = "", .remedy = "" };
	enum bus_code rc;

	rc = cli_conf(&conf, &err);
	finding.level = rc ? BUS_LEVEL_ERROR : BUS_LEVEL_OK;
	finding.text = rc ? err.text : "can be read, and has no mistakes";
	finding.remedy = rc ? "see debmsg.conf(5)" : "";
	finding.subject = conf ? conf->path : "";
	print(doctor, &finding);
	options.conf = conf;
	if (!rc)
		rc = bus_doctor(&options, &err);
	if (conf && rc)
		cli_fail(rc, &err);
	else if (!rc && !doctor->json)
		print_sum(doctor);
	bus_conf_free(conf);
	if (rc)
		return bus_code_info[rc].exit_status;
	return doctor->count[BUS_LEVEL_WARNING] || doctor->count[BUS_LEVEL_ERROR];
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "broker-config", required_argument, NULL, 'b' },
						 { "json", no_argument, NULL, 'j' },
						 { "verbose", no_argument, NULL, 'v' },
						 { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct doctor doctor = { .colours = cli_colours(STDOUT_FILENO) };
	const char *broker_config = NULL;
	int opt;

	while ((opt = cli_option(argc, argv, ":c:h", options)) != -1) {
		broker_config = opt == 'b' ? optarg : broker_config;
		doctor.json = doctor.json || opt == 'j';
		doctor.verbose = doctor.verbose || opt == 'v';
	}
	if (optind < argc)
		return cli_usage("unexpected argument '%s'", argv[optind]);
	return cli_finish(diagnose(&doctor, broker_config));
}

static const struct cli_command command = { "doctor", "", help, run };

int main(int argc, char **argv)
{
	cli_begin(&command);
	return run(argc, argv);
}
