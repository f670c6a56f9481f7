#include "config.h"

#include "adapters/planet/rewritten.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapters/planet/digest.h"
#include "timestamp.h"

static const char cursor[] = "broken";

void rewritten_init(struct rewritten *file, struct watch *watch, const char *path)
{
	file->watch = watch;
	file->path = path;
	snapshot_forget(&file->snapshot);
}

enum bus_code rewritten_read(struct rewritten *file, struct bus_buf *out,
			     struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf again = BUS_BUF_INIT(0);
	struct snapshot before;
	enum bus_code rc;

	rc = snapshot_read(&file->snapshot, file->path, out, err);
	if (rc)
		return rc;
	/* the end of one version behind the begin of another could be well-formed */
	before = file->snapshot;
	rc = snapshot_read(&before, file->path, &again, err);
	bus_buf_finish(&again);
	if (rc == BUS_E_NO)
		return BUS_OK;
	snapshot_forget(&file->snapshot);
	batch->more = rc == BUS_OK || rc == BUS_E_DATA;
	return batch->more ? BUS_E_NO : rc;
}

/* Of the inode: nobody sets that to another time. */
static int64_t ms_until_old(const struct rewritten *file, int64_t old_ms)
{
	const int64_t age_ms = bus_time_now() / 1000 - file->snapshot.ctime_ns / 1000000;

	return age_ms >= 0 && age_ms < old_ms ? old_ms - age_ms : 0;
}

static bool is_younger(struct rewritten *file, int64_t old_ms)
{
	const int64_t ms = ms_until_old(file, old_ms);

	if (!ms)
		return false;
	snapshot_forget(&file->snapshot);
	watch_timer(file->watch, ms);
	return true;
}

bool rewritten_wait(struct rewritten *file)
{
	return is_younger(file, REWRITTEN_SETTLED_MS);
}

bool rewritten_doubt(struct rewritten *file)
{
	return is_younger(file, REWRITTEN_DOUBT_MS);
}

enum bus_code rewritten_reject(struct rewritten *file, const struct bus_buf *bytes,
			       struct bus_err *why, struct adapter_batch *batch,
			       struct bus_err *err)
{
	char hex[DIGEST_HEX + 1], *known = NULL;
	struct digest digest;
	struct digest_key key;
	enum bus_code rc;
	size_t len;

	digest_init(&digest);
	digest_string(&digest, why->text);
	digest_bytes(&digest, bytes->p, bytes->p ? bytes->len : 0);
	digest_finish(&digest, &key);
	digest_hex(hex, &key);
	rc = watch_cursor(file->watch, cursor, &known, &len, err);
	if (rc || (known && strcmp(known, hex) == 0))
		goto out;
	if (strncmp(why->text, file->path, strlen(file->path)) != 0)
		bus_err_context(why, "%s", file->path);
	rc = batch_reject(batch, bytes->p ? bytes->p : "", bytes->p ? bytes->len : 0, why, err);
	if (!rc)
		rc = batch_cursor(batch, cursor, hex, DIGEST_HEX, err);
out:
	free(known);
	return rc;
}

enum bus_code rewritten_accept(struct rewritten *file, struct adapter_batch *batch,
			       struct bus_err *err)
{
	char *known = NULL;
	enum bus_code rc;
	size_t len;

	rc = watch_cursor(file->watch, cursor, &known, &len, err);
	if (!rc && known)
		rc = batch_cursor(batch, cursor, NULL, 0, err);
	free(known);
	return rc;
}

int64_t rewritten_time(const struct rewritten *file)
{
	const int64_t now = bus_time_now(), written = file->snapshot.mtime_ns / 1000;

	return written < now ? written : now;
}
