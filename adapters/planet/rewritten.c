#include "config.h"

#include "adapters/planet/rewritten.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "adapters/common/say.h"
#include "adapters/planet/digest.h"
#include "timestamp.h"

static const char cursor[] = "broken", good_since[] = "+";

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

/* The digest, then those known before it. */
static enum bus_code remember(const char *hex, const char *known, struct adapter_batch *batch,
			      struct bus_err *err)
{
	struct bus_buf value = BUS_BUF_INIT((REWRITTEN_BROKEN_MAX + 1) * (DIGEST_HEX + 1));
	const char *p = known;
	enum bus_code rc;
	size_t i;

	bus_buf_puts(&value, hex);
	for (i = 1; i < REWRITTEN_BROKEN_MAX && strlen(p) >= DIGEST_HEX; i++) {
		if (strncmp(p, hex, DIGEST_HEX) != 0)
			bus_buf_printf(&value, " %.*s", DIGEST_HEX, p);
		p += DIGEST_HEX + (p[DIGEST_HEX] == ' ');
	}
	rc = bus_buf_check(&value, "what could not be read", err);
	if (!rc)
		rc = batch_cursor(batch, cursor, value.p, value.len, err);
	bus_buf_finish(&value);
	return rc;
}

enum bus_code rewritten_reject(struct rewritten *file, const struct bus_buf *bytes,
			       struct bus_err *why, struct adapter_batch *batch,
			       struct bus_err *err)
{
	char hex[DIGEST_HEX + 1], *known = NULL;
	const char *list = "";
	bool was_good = false;
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
	if (!rc && known) {
		was_good = *known == *good_since;
		list = known + was_good;
	}
	if (rc || (!was_good && strstr(list, hex)))
		goto out;
	if (strncmp(why->text, file->path, strlen(file->path)) != 0)
		bus_err_context(why, "%s", file->path);
	if (strstr(list, hex))
		say(LOG_WARNING, "%s; it was kept before", why->text);
	else
		rc = batch_reject(batch, bytes->p ? bytes->p : "", bytes->p ? bytes->len : 0, why,
				  err);
	if (!rc)
		rc = remember(hex, list, batch, err);
out:
	free(known);
	return rc;
}

enum bus_code rewritten_accept(struct rewritten *file, struct adapter_batch *batch,
			       struct bus_err *err)
{
	struct bus_buf value = BUS_BUF_INIT((REWRITTEN_BROKEN_MAX + 1) * (DIGEST_HEX + 1));
	char *known = NULL;
	enum bus_code rc;
	size_t len;

	rc = watch_cursor(file->watch, cursor, &known, &len, err);
	if (!rc && known && *known != *good_since) {
		bus_buf_printf(&value, "%s%s", good_since, known);
		rc = bus_buf_check(&value, "what could not be read", err);
		if (!rc)
			rc = batch_cursor(batch, cursor, value.p, value.len, err);
	}
	bus_buf_finish(&value);
	free(known);
	return rc;
}

int64_t rewritten_time(const struct rewritten *file)
{
	const int64_t now = bus_time_now(), written = file->snapshot.mtime_ns / 1000;

	return written < now ? written : now;
}
