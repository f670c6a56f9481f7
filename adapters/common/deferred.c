#include "config.h"

#include "adapters/common/deferred.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "adapters/common/batch.h"
#include "adapters/common/store.h"
#include "outbox.h"
#include "timestamp.h"

enum { NAME_MAX_LEN = 120, WAIT_MS = 60000 };

/* One run of the converter. */
struct run {
	const struct adapter_context *ctx;
	const struct adapter_hook *hook;
	struct bus_outbox *box;
	char prefix[NAME_MAX_LEN]; /* of this user's cursors */
};

enum bus_code deferred_store(const struct adapter_context *ctx, const struct adapter_hook *hook,
			     const struct adapter_capture *capture, int wait_ms,
			     struct bus_err *err)
{
	struct bus_outbox *box = NULL;
	char name[NAME_MAX_LEN];
	enum bus_code rc;
	char id[60];

	snprintf(id, sizeof(id), "%u/%020" PRId64 "-%d", (unsigned int)getuid(), bus_time_now(),
		 (int)getpid());
	rc = store_open(&box, ctx, true, wait_ms, err);
	if (!rc)
		rc = bus_outbox_begin(box, err);
	if (!rc && capture->input.len) {
		snprintf(name, sizeof(name), "%s/%s", hook->name, id);
		rc = bus_outbox_cursor_set(box, name, capture->input.p, capture->input.len, err);
	}
	if (!rc && capture->rejected.len) {
		snprintf(name, sizeof(name), "%s-rejected/%s", hook->name, id);
		rc = bus_outbox_cursor_set(box, name, capture->rejected.p, capture->rejected.len,
					   err);
	}
	if (!rc)
		rc = bus_outbox_commit(box, err);
	bus_outbox_close(box);
	return rc;
}

/* Is the cursor still what we converted?  BUS_E_NO if not: somebody else was faster. */
static enum bus_code check_cursor(struct run *run, const char *name, const char *input, size_t len,
				  struct bus_err *err)
{
	char *now = NULL;
	size_t now_len;
	enum bus_code rc;

	rc = bus_outbox_cursor_get(run->box, name, &now, &now_len, err);
	if (!rc && (!now || now_len != len || memcmp(now, input, len) != 0))
		rc = bus_fail(err, BUS_E_NO, "%s: converted by another process", name);
	free(now);
	return rc;
}

/* <uid>/<time>-<pid> */
static const char *id_of(const struct run *run, const char *name)
{
	return name + strlen(run->hook->name) + 1;
}

/* Events in, input out: one transaction.  converted BUS_E_DATA: the whole input is put aside. */
static enum bus_code replace(struct run *run, const char *name, const char *input, size_t len,
			     struct adapter_batch *batch, enum bus_code converted,
			     struct bus_err *err)
{
	struct bus_err reason = *err;
	size_t refused;
	enum bus_code rc;

	rc = bus_outbox_begin(run->box, err);
	if (!rc)
		rc = check_cursor(run, name, input, len, err);
	if (!rc && converted == BUS_E_DATA) {
		*err = reason;
		rc = store_reject(run->box, run->hook->name, id_of(run, name), 0, input, len, err);
	} else if (!rc) {
		rc = store_batch(run->box, run->hook->name, id_of(run, name), batch, &refused, err);
	}
	if (!rc)
		rc = bus_outbox_cursor_set(run->box, name, batch->rest.p, batch->rest.len, err);
	if (!rc)
		rc = bus_outbox_commit(run->box, err);
	bus_outbox_rollback(run->box);
	return rc == BUS_E_NO ? BUS_OK : rc;
}

/* BUS_E_NO: there is none left. */
static enum bus_code convert_first(struct run *run, struct bus_err *err)
{
	struct adapter_batch batch;
	char *name = NULL, *input = NULL;
	enum bus_code rc, converted;
	size_t len;

	batch_init(&batch);
	rc = bus_outbox_cursor_next(run->box, run->prefix, NULL, &name, err);
	if (!rc && !name)
		rc = BUS_E_NO;
	if (!rc)
		rc = bus_outbox_cursor_get(run->box, name, &input, &len, err);
	if (rc || !input)
		goto out;
	batch.box = run->box;
	batch.input = run->hook->name;
	converted = run->hook->convert(run->ctx, input, len, &batch, err);
	if (converted == BUS_E_DATA)
		batch_finish(&batch);
	rc = converted;
	if (!rc || rc == BUS_E_DATA)
		rc = replace(run, name, input, len, &batch, converted, err);
out:
	batch_finish(&batch);
	free(input);
	free(name);
	return rc;
}

/* BUS_E_NO: another process has the turn, or there is no outbox to convert for. */
static enum bus_code take_turn(const struct run *run, bool wait, int *ret_fd, struct bus_err *err)
{
	char *directory = bus_conf_outbox_dir(run->ctx->conf, run->ctx->service->name);
	enum bus_code rc = BUS_OK;
	char *path = NULL;
	int fd;

	if (!directory || asprintf(&path, "%s/%s-%u.lock", directory, run->hook->name,
				   (unsigned int)getuid()) < 0) {
		free(directory);
		return bus_fail(err, BUS_E_NOMEM, "outbox: out of memory");
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0)
		rc = bus_fail(err, errno == EWOULDBLOCK || errno == ENOENT ? BUS_E_NO : BUS_E_TEMP,
			      "%s: %s", path, strerror(errno));
	if (!rc)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	free(directory);
	free(path);
	return rc;
}

static enum bus_code has_input(struct run *run, bool *ret, struct bus_err *err)
{
	char *name = NULL;
	enum bus_code rc = bus_outbox_cursor_next(run->box, run->prefix, NULL, &name, err);

	*ret = name != NULL;
	free(name);
	return rc;
}

/* Until nothing is left, which is BUS_E_NO. */
static enum bus_code convert_all(struct run *run, struct bus_err *err)
{
	enum bus_code rc = BUS_OK;

	if (!run->box)
		rc = store_open(&run->box, run->ctx, false, WAIT_MS, err);
	while (!rc)
		rc = convert_first(run, err);
	return rc;
}

/*
 * Who finds the turn taken leaves its input to the one who has it; so that one
 * looks once more after giving the turn back.
 */
enum bus_code deferred_convert(const struct adapter_context *ctx, const struct adapter_hook *hook,
			       bool wait, struct bus_err *err)
{
	struct run run = { .ctx = ctx, .hook = hook };
	bool more = true;
	enum bus_code rc = BUS_OK;
	int fd = -1;

	snprintf(run.prefix, sizeof(run.prefix), "%s/%u/", hook->name, (unsigned int)getuid());
	while (!rc && more) {
		rc = take_turn(&run, wait, &fd, err);
		if (rc)
			break;
		rc = convert_all(&run, err);
		close(fd);
		if (rc == BUS_E_NO && run.box)
			rc = has_input(&run, &more, err);
	}
	bus_outbox_close(run.box);
	return rc == BUS_E_NO ? BUS_OK : rc;
}
