#include "config.h"

#include "adapters/wiki/rcfeed_private.h"

#include "adapters/common/batch.h"
#include "adapters/wiki/address.h"

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
	struct bus_buf masked = BUS_BUF_INIT(RCFEED_DATAGRAM_MAX * (size_t)4);
	enum bus_code rc;

	if (!rc_seen_is_new(&feed->seen, row))
		return BUS_OK;
	count_lost(feed, row->id);
	address_mask(&masked, feed->datagram, len);
	rc = bus_buf_check(&masked, "rcfeed: a datagram", err);
	if (!rc)
		rc = rcfeed_announce(feed, row, masked.p, masked.len, batch, err);
	if (!rc)
		rc = rc_seen_add(&feed->seen, row, err);
	rc_seen_forget(&feed->seen, HEARD_MAX);
	bus_buf_finish(&masked);
	return rc;
}

enum bus_code rcfeed_keep_bad(struct rcfeed *feed, size_t len, const struct bus_err *why,
			      struct adapter_batch *batch, struct bus_err *err)
{
	struct bus_buf masked = BUS_BUF_INIT(RCFEED_DATAGRAM_MAX * (size_t)4);
	enum bus_code rc;

	if (feed->kept++ >= REJECTS_A_MINUTE)
		return BUS_OK;
	address_mask(&masked, feed->datagram, len);
	rc = bus_buf_check(&masked, "rcfeed: a datagram", err);
	if (!rc)
		rc = batch_reject(batch, masked.p ? masked.p : "", masked.len, why, err);
	bus_buf_finish(&masked);
	return rc;
}
