#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli.h"
#include "import.h"
#include "reader.h"
#include "timestamp.h"

static const char help[] =
	"usage: debmsg import FILE...\n"
	"\n"
	"Puts exported messages into the history of a broker that does not have them:\n"
	"one that lost its stream, or another broker.  They are verified first, and\n"
	"published as they are.  It can be repeated: what is there is not sent again.\n"
	"\n"
	"  FILE            messages in export form (see debmsg export), - for standard input;\n"
	"                  those not believed are copied to FILE.rejected\n"
	"  -c, --config FILE\n"
	"\n"
	"The user of the broker section must be allowed to publish all this: role admin.\n"
	"Exits 76 if any message is not believed.\n";

struct import {
	struct bus_import *import;
	unsigned long long read, sent, there, refused;
	int64_t shown_us; /* when progress was last shown */
	bool shown;

	const char *file;    /* the one in hand */
	FILE *rejected;	     /* NULL: not made yet */
	char *rejected_name; /* NULL: it is standard input, which has nothing beside it */
};

static void show_progress(struct import *im)
{
	const int64_t now = isatty(STDERR_FILENO) && im->read % 64 == 0 ? bus_time_mono() : 0;

	if (now - im->shown_us < 250000)
		return;
	im->shown_us = now;
	im->shown = true;
	fprintf(stderr, "\r%s: %llu messages read, %llu sent\033[K", im->file, im->read, im->sent);
}

static void clear_progress(struct import *im)
{
	if (im->shown)
		fputs("\r\033[K", stderr);
	im->shown = false;
}

static enum bus_code open_rejected(struct import *im, struct bus_err *err)
{
	int fd;

	if (im->rejected || !im->rejected_name)
		return BUS_OK;
	/* not where a link of somebody else's leads to */
	fd = open(im->rejected_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
	im->rejected = fd < 0 ? NULL : fdopen(fd, "w");
	if (im->rejected)
		return BUS_OK;
	return bus_fail(err, BUS_E_TEMP, "cannot make %s: %s", im->rejected_name, strerror(errno));
}

static enum bus_code reject(struct import *im, const struct bus_message *m,
			    const struct bus_err *why, struct bus_err *err)
{
	enum bus_code rc = open_rejected(im, err);

	if (rc)
		return rc;
	clear_progress(im);
	fprintf(stderr, "debmsg import: %s:%llu: %s: ", im->file, im->read,
		bus_code_info[why->code].name);
	cli_print_text(stderr, why->text, strlen(why->text));
	putc('\n', stderr);
	im->refused++;
	return im->rejected ? cli_print_export(im->rejected, m, err) : BUS_OK;
}

static enum bus_code import_message(struct import *im, const struct bus_message *m,
				    struct bus_err *err)
{
	struct bus_err why = { BUS_OK, "" };
	enum bus_import_result result;
	enum bus_code rc;

	im->read++;
	rc = bus_import_message(im->import, m, cli_stop_fd(), &result, &why, err);
	if (rc)
		return rc;
	im->sent += result == BUS_IMPORT_SENT;
	im->there += result == BUS_IMPORT_THERE;
	show_progress(im);
	return result == BUS_IMPORT_REFUSED ? reject(im, m, &why, err) : BUS_OK;
}

static enum bus_code import_stream(struct import *im, FILE *stream, struct bus_err *err)
{
	struct bus_message_reader *reader = NULL;
	struct bus_message *m = NULL;
	enum bus_code rc, end;

	im->read = 0;
	rc = bus_message_reader_new(&reader, stream, err);
	while (!rc) {
		rc = bus_message_read(reader, &m, err);
		if (rc)
			bus_err_context(err, "%s", im->file);
		if (rc || !m)
			break;
		rc = import_message(im, m, err);
		bus_message_free(m);
	}
	bus_message_reader_free(reader);
	/* what is on its way may be safe also where the file goes on with rubbish */
	end = !rc || rc == BUS_E_DATA ? bus_import_flush(im->import, cli_stop_fd(), rc ? NULL : err)
				      : BUS_OK;
	clear_progress(im);
	return rc ? rc : end;
}

static enum bus_code import_file(struct import *im, const char *file, struct bus_err *err)
{
	const bool is_stdin = strcmp(file, "-") == 0;
	FILE *stream = is_stdin ? stdin : fopen(file, "re");
	enum bus_code rc = BUS_OK;

	if (!stream)
		return bus_fail(err, BUS_E_DATA, "%s: %s", file, strerror(errno));
	im->file = is_stdin ? "standard input" : file;
	if (!is_stdin && asprintf(&im->rejected_name, "%s.rejected", file) < 0) {
		im->rejected_name = NULL;
		rc = bus_fail(err, BUS_E_NOMEM, "out of memory");
	}
	if (!rc)
		rc = import_stream(im, stream, err);
	if (im->rejected && fclose(im->rejected) != 0 && !rc)
		rc = bus_fail(err, BUS_E_TEMP, "cannot write %s: %s", im->rejected_name,
			      strerror(errno));
	im->rejected = NULL;
	free(im->rejected_name);
	im->rejected_name = NULL;
	if (!is_stdin)
		fclose(stream);
	return rc;
}

static enum bus_code see(void *arg, const struct bus_message *m, struct bus_err *err)
{
	struct import *im = arg;

	return bus_import_seen(im->import, m, err);
}

static enum bus_code import_all(struct import *im, const struct bus_conf *conf, char **files,
				struct bus_err *err)
{
	const struct cli_reader reader = {
		.start = BUS_STREAM_FIRST, .message = see, .arg = im, .prints_at_end = true
	};
	struct cli_read_result result = { 0 };
	enum bus_code rc;

	rc = bus_import_open(&im->import, conf, err);
	if (!rc)
		rc = cli_read(&reader, conf, &result, err);
	if (!rc && result.stopped)
		rc = bus_fail(err, BUS_E_TEMP, "interrupted");
	for (; !rc && *files; files++)
		rc = import_file(im, *files, err);
	bus_import_close(im->import);
	return rc;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct bus_err err = { BUS_OK, "" };
	struct bus_conf *conf = NULL;
	struct import im = { 0 };
	enum bus_code rc;

	while (cli_option(argc, argv, ":c:h", options) != -1)
		;
	if (optind == argc)
		return cli_usage("which files?");
	rc = cli_conf(&conf, &err);
	if (rc)
		return cli_fail(rc, &err);
	rc = import_all(&im, conf, argv + optind, &err);
	bus_conf_free(conf);
	if (rc == BUS_E_TEMP || rc == BUS_E_UNAVAILABLE)
		bus_err_context(&err, "not all is imported; run it again, nothing is sent twice");
	fprintf(stderr, "debmsg import: %llu messages sent, %llu were there, %llu not believed\n",
		im.sent, im.there, im.refused);
	if (rc)
		return cli_finish(cli_fail(rc, &err));
	return cli_finish(im.refused ? bus_code_info[BUS_E_NOT_INCLUDED].exit_status : EX_OK);
}

const struct cli_command cli_import = { "import", "put exported messages into a broker's history",
					help, run };
