#include "config.h"

#include "adapters/wiki/rcfeed_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "adapters/common/batch.h"

enum {
	HEARD_MAX = 4000,      /* rows kept */
	REJECTS_A_MINUTE = 20, /* more of it are counted, not kept: anybody can send them */
	GAP_MAX = 100000       /* lost at once; more is another wiki, or forged */
};

/* Numbers are given one after another: what is left out was lost, or is late. */
static void count_lost(struct rcfeed *feed, uint64_t id)
{
	const uint64_t high = feed->seen.high;

	if (high && id > high + 1 && id - high < GAP_MAX)
		feed->lost += id - high - 1;
	else if (id && id < high && feed->lost)
		feed->lost--;
}

enum bus_code rcfeed_believe(struct rcfeed *feed, const struct recentchange *row, size_t len,
			     struct adapter_batch *batch, struct bus_err *err)
{
	static const char *const type[] = {
		[RECENTCHANGE_OTHER] = "other",
		[RECENTCHANGE_EDIT] = "edit",
		[RECENTCHANGE_NEW] = "new",
		[RECENTCHANGE_LOG] = "log",
	};
	enum bus_code rc;
	char kept[100];
	int n;

	if (!rc_seen_is_new(&feed->seen, row))
		return BUS_OK;
	count_lost(feed, row->id);
	n = snprintf(kept, sizeof(kept), "rcid %" PRIu64 ", %s, %zu bytes\n", row->id,
		     type[row->type], len);
	rc = rcfeed_announce(feed, row, kept, (size_t)n, batch, err);
	if (!rc)
		rc = rc_seen_add(&feed->seen, row, err);
	rc_seen_forget(&feed->seen, HEARD_MAX);
	return rc;
}

/* Where an address begins can be told in no text that is not understood. */
enum bus_code rcfeed_keep_bad(struct rcfeed *feed, size_t len, const struct bus_err *why,
			      struct adapter_batch *batch, struct bus_err *err)
{
	char kept[100];
	int n;

	if (feed->kept++ >= REJECTS_A_MINUTE)
		return BUS_OK;
	n = snprintf(kept, sizeof(kept), "%zu bytes\n", len);
	return batch_reject(batch, kept, (size_t)n, why, err);
}
