#include "config.h"

#include "publisher_private.h"

#include <inttypes.h>

#include "timestamp.h"

enum { AGAIN = 1024 /* events sent again before what is new has its turn */ };

static const int64_t prune_interval_us = 3600 * 1000000LL, prune_pause_us = 100000;

uint64_t bus_publisher_next(const struct bus_publisher *p)
{
	return p->first + p->confirms.sent;
}

void bus_publisher_drop_batches(struct bus_publisher *p)
{
	bus_signed_batch_free(p->batch);
	bus_signed_batch_free(p->ahead);
	p->batch = p->ahead = NULL;
}

void bus_publisher_go_to(struct bus_publisher *p, uint64_t event, uint64_t until)
{
	p->first = event - p->confirms.sent;
	p->saved = event;
	p->until = until;
	p->again = until != UINT64_MAX;
	bus_publisher_drop_batches(p);
}

enum bus_code bus_publisher_choose(struct bus_publisher *p,
				   const struct bus_publisher_status *status, struct bus_err *err)
{
	uint64_t first, last;
	enum bus_code rc;

	if (bus_confirms_open(&p->confirms) || (p->again && bus_publisher_next(p) < p->until))
		return BUS_OK;
	if (p->again)
		bus_publisher_go_to(p, status->sent, UINT64_MAX);
	if (status->sent < status->size || !status->resend)
		return BUS_OK;
	rc = bus_outbox_resend_next(p->box, &first, &last, err);
	if (rc)
		return rc == BUS_E_NO ? BUS_OK : rc;
	if (last - first >= AGAIN)
		last = first + AGAIN - 1;
	bus_say(p->say, "%s: sending events %" PRIu64 "..%" PRIu64 " again", p->service->name,
		first, last);
	bus_publisher_go_to(p, first, last + 1);
	return BUS_OK;
}

enum bus_code bus_publisher_prune(struct bus_publisher *p, struct bus_publisher_status *ret,
				  struct bus_err *err)
{
	const int64_t now = bus_time_mono();
	enum bus_code rc = BUS_OK;
	uint64_t count = 0;

	if (!p->service->keep_us)
		return BUS_OK;
	if (now >= p->prune_us) {
		rc = bus_outbox_prune(p->box, bus_time_now() - p->service->keep_us, &count, err);
		p->prune_us = now + (count ? prune_pause_us : prune_interval_us);
	}
	if (p->prune_us - now < ret->due_in_us)
		ret->due_in_us = p->prune_us - now;
	return rc;
}
