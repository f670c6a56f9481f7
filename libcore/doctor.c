#include "config.h"

#include "doctor_private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json_read.h"
#include "timestamp.h"

enum { REFERENCE_MAX = 4 << 20 };

/* One finding on its way from the process that found it; smaller than PIPE_BUF, so never torn. */
struct record {
	enum bus_level level;
	char check[32];
	char subject[400];
	char text[1000];
	char remedy[512];
};

/* What a field cannot do without. */
enum need { NEED_NOTHING, NEED_API, NEED_BROKER };

static const struct field {
	const char *name;
	enum need need;
	void (*run)(struct bus_doctor *d);
} fields[] = {
	{ "host", NEED_NOTHING, bus_doctor_host },
	{ "outbox", NEED_NOTHING, bus_doctor_outbox },
	{ "keys", NEED_NOTHING, bus_doctor_keys },
	/* These two say whether the others have whom to ask. */
	{ "broker", NEED_NOTHING, bus_doctor_broker },
	{ "bus", NEED_NOTHING, bus_doctor_bus },
	{ "versions", NEED_NOTHING, bus_doctor_versions },
	{ "clock", NEED_NOTHING, bus_doctor_clock },
	{ "clock-history", NEED_BROKER, bus_doctor_history_clock },
	{ "topology", NEED_API, bus_doctor_topology },
	{ "queues", NEED_API, bus_doctor_queues },
	{ "lag", NEED_API, bus_doctor_lag },
	{ "users", NEED_API, bus_doctor_users },
};

/* -- what the fields use -- */

void bus_doctor_remedy(struct bus_doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->remedy, sizeof(d->remedy), fmt, ap);
	va_end(ap);
}

void bus_doctor_find(struct bus_doctor *d, enum bus_level level, const char *check,
		     const char *subject, const char *fmt, ...)
{
	struct record r = { .level = level };
	va_list ap;

	snprintf(r.check, sizeof(r.check), "%s", check);
	snprintf(r.subject, sizeof(r.subject), "%s", subject);
	snprintf(r.remedy, sizeof(r.remedy), "%s", d->remedy);
	d->remedy[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	if (write(d->fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(1); /* nobody is there to be told */
}

const char *bus_doctor_span(char text[32], int64_t seconds)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} unit[] = { { "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
	size_t i = 0;
	int64_t n;

	if (seconds < 0)
		seconds = -seconds;
	while (i < 3 && seconds < 2 * unit[i].seconds)
		i++;
	n = (seconds + unit[i].seconds / 2) / unit[i].seconds;
	snprintf(text, 32, "%lld %s%s", (long long)n, unit[i].name, n == 1 ? "" : "s");
	return text;
}

json_t *bus_doctor_get(struct bus_doctor *d, const char *check, const char *const *path,
		       const char *query)
{
	struct bus_err err = { BUS_OK, "" };
	json_t *json = NULL;
	enum bus_code rc = bus_management_get(d->api, &json, path, query, &err);

	if (!rc)
		return json;
	if (rc == BUS_E_CONFIG)
		bus_doctor_remedy(d, "give `management` a user of role monitor: debmsg-broker add "
				     "monitor NAME PASSWORD-FILE");
	bus_doctor_find(d, BUS_LEVEL_NOTE, check, path[0], "not looked at: %s", err.text);
	return NULL;
}

static enum bus_code read_file(const char *path, struct bus_buf *out, struct bus_err *err)
{
	FILE *f = fopen(path, "re");
	char chunk[8192];
	size_t n;

	if (!f)
		return bus_fail(err, errno == ENOENT ? BUS_E_NO : BUS_E_CONFIG, "%s: %s", path,
				strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && !out->failed)
		bus_buf_add(out, chunk, n);
	n = ferror(f) ? 1 : 0;
	fclose(f);
	return n ? bus_fail(err, BUS_E_CONFIG, "%s: cannot be read", path)
		 : bus_buf_check(out, path, err);
}

json_t *bus_doctor_reference(struct bus_doctor *d, const char *check, const char *name)
{
	struct bus_buf text = BUS_BUF_INIT(REFERENCE_MAX);
	struct bus_err err = { BUS_OK, "" };
	json_t *json = NULL;
	char path[4096];
	enum bus_code rc;

	snprintf(path, sizeof(path), "%s/%s", d->broker_config, name);
	rc = read_file(path, &text, &err);
	if (!rc)
		rc = bus_json_read(&json, text.p ? text.p : "", text.len, 0, BUS_E_CONFIG, &err);
	bus_buf_finish(&text);
	if (rc == BUS_E_NO)
		bus_doctor_remedy(d, "install the package debmsg-broker-config, or name the "
				     "directory with --broker-config");
	if (rc)
		bus_doctor_find(d, rc == BUS_E_NO ? BUS_LEVEL_NOTE : BUS_LEVEL_WARNING, check, path,
				"nothing to compare the broker with: %s", err.text);
	return rc ? NULL : json;
}

/* -- one field in its own process -- */

/* As whom the relay works, and whose the files are that are made here. */
static bool become_owner(const struct bus_conf *conf)
{
	const struct passwd *pw;
	struct stat st;

	if (geteuid() != 0 || stat(conf->state_directory, &st) != 0 || st.st_uid == 0)
		return true;
	pw = getpwuid(st.st_uid);
	if (pw ? initgroups(pw->pw_name, pw->pw_gid) : setgroups(0, NULL))
		return false;
	return setgid(pw ? pw->pw_gid : st.st_gid) == 0 && setuid(st.st_uid) == 0;
}

static void run_field(const struct field *field, struct bus_doctor *d)
{
	setpgid(0, 0);
	/* First, for the password of the management user may be for root's eyes only. */
	if (d->answers)
		bus_management_open(&d->api, d->conf, &d->api_err);
	if (!become_owner(d->conf)) {
		bus_doctor_find(d, BUS_LEVEL_ERROR, "doctor", field->name,
				"cannot become the owner of %s: %s", d->conf->state_directory,
				strerror(errno));
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after setuid(), which takes it back */
	field->run(d);
	bus_management_close(d->api);
}

static void hand_out(const struct bus_doctor_options *options, const struct record *r)
{
	const struct bus_finding finding = { .level = r->level,
					     .check = r->check,
					     .subject = r->subject,
					     .text = r->text,
					     .remedy = r->remedy };

	options->each(options->arg, &finding);
}

/* The parent's own words: how the process ended, if not well. */
static void tell_end(const struct bus_doctor_options *options, const struct field *field, bool late,
		     int status)
{
	struct record r = { .level = BUS_LEVEL_ERROR, .check = "doctor" };

	if (!late && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	snprintf(r.subject, sizeof(r.subject), "%s", field->name);
	if (late)
		snprintf(r.text, sizeof(r.text),
			 "not done within %d seconds: what it looks at does not answer",
			 BUS_DOCTOR_FIELD_S);
	else
		snprintf(r.text, sizeof(r.text), "the process that looks at it has died (%s %d)",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	snprintf(r.remedy, sizeof(r.remedy), "%s",
		 late ? "see what was found before this; is a disk, gpg-agent or broker hanging?"
		      : "please report this as a bug of debmsg");
	hand_out(options, &r);
}

/* What one field says of those that come after it. */
static void learn(struct bus_doctor *d, const struct record *r)
{
	if (!strcmp(r->check, "broker-url") && r->level == BUS_LEVEL_OK)
		d->broker = true;
	if (!strcmp(r->check, "management") && r->level != BUS_LEVEL_OK)
		d->answers = false;
}

static bool collect(const struct bus_doctor_options *options, struct bus_doctor *d, int fd)
{
	const int64_t until = bus_time_mono() + (int64_t)BUS_DOCTOR_FIELD_S * 1000000;
	struct pollfd in = { .fd = fd, .events = POLLIN };
	struct record r;
	int64_t left;
	int n;

	while ((left = until - bus_time_mono()) > 0) {
		n = poll(&in, 1, (int)(left / 1000) + 1);
		if (n < 0 && errno != EINTR)
			return false;
		if (n <= 0)
			continue;
		if (read(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
			return true;
		learn(d, &r);
		hand_out(options, &r);
	}
	return false;
}

static enum bus_code look_at(const struct bus_doctor_options *options, const struct field *field,
			     struct bus_doctor *d, struct bus_err *err)
{
	int ends[2], status = 0;
	bool done;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return bus_fail(err, BUS_E_NOMEM, "doctor: no pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		d->fd = ends[1];
		run_field(field, d);
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return bus_fail(err, BUS_E_NOMEM, "doctor: no process: %s", strerror(errno));
	}
	setpgid(pid, pid); /* whichever of us comes first */
	done = collect(options, d, ends[0]);
	close(ends[0]);
	/* gpg and what else it started goes with it */
	if (!done)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	tell_end(options, field, !done, status);
	return BUS_OK;
}

/* What is not configured is not checked; what does not answer is not asked again and again. */
static bool can_look(const struct bus_doctor *d, const struct field *field)
{
	if (field->need == NEED_API)
		return d->answers;
	return field->need != NEED_BROKER || d->broker;
}

enum bus_code bus_doctor(const struct bus_doctor_options *options, struct bus_err *err)
{
	struct bus_doctor d = { .conf = options->conf, .fd = -1 };
	enum bus_code rc = BUS_OK;
	size_t i;

	d.broker_config = options->broker_config ? options->broker_config
						 : PKGDATADIR "/broker-config";
	d.answers = d.conf->management.url != NULL;
	snprintf(d.where.vhost, sizeof(d.where.vhost), "%s", bus_exchange);
	if (d.conf->broker.url_count)
		rc = bus_broker_url(&d.where, d.conf->broker.url[0], err);
	for (i = 0; !rc && i < sizeof(fields) / sizeof(fields[0]); i++)
		if (can_look(&d, &fields[i]))
			rc = look_at(options, &fields[i], &d, err);
	return rc;
}
