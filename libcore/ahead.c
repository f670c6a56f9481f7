#include "config.h"

#include "ahead.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

/* The clocks of this host and of the broker may differ by so much. */
static const int64_t slack_us = 3600 * 1000000LL;

static bool is_news(const struct bus_proof *proof, const struct bus_outbox_state *state)
{
	return strcmp(proof->checkpoint.origin, state->origin) == 0 &&
	       proof->checkpoint.size > state->signed_size;
}

static enum bus_code check_proof(const struct bus_proof *proof, const char *service,
				 const struct bus_outbox_state *state, struct bus_keyring *ring,
				 struct bus_err *err)
{
	enum bus_code rc = BUS_E_BAD_SIGNATURE;
	struct bus_signer signer;
	unsigned int i;

	for (i = 0; rc && i < proof->signature_count; i++) {
		rc = bus_keyring_verify(ring, proof->signed_text, proof->signed_len,
					proof->signature[i].bytes, proof->signature[i].len, &signer,
					err);
		if (rc && bus_code_info[rc].fate != BUS_FATE_PARK)
			return rc;
	}
	if (rc)
		return BUS_OK; /* a forgery */
	return bus_fail(err, BUS_E_CONFIG,
			"the log in the broker is ahead: %" PRIu64
			" events of %s are signed there, "
			"%" PRIu64
			" here, so this outbox was restored from an old copy; nothing was "
			"signed. Begin a new log with: debmsg outbox new-epoch --service %s",
			proof->checkpoint.size, state->origin, state->signed_size, service);
}

enum bus_code bus_ahead_check(const struct bus_conf *conf, const char *service,
			      const struct bus_outbox_state *state, struct bus_keyring *ring,
			      struct bus_err *err)
{
	const int64_t newest = state->sent_us > state->created_us ? state->sent_us
								  : state->created_us;
	enum bus_history_what what = BUS_HISTORY_NOTHING;
	struct bus_proof *proof = calloc(1, sizeof(*proof));
	struct bus_history *h = NULL;
	struct bus_message *m;
	enum bus_code rc;

	if (!proof)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	rc = bus_history_open(&h, conf, BUS_STREAM_TIME, newest - slack_us,
			      "debmsg relay: is the log in the broker ahead?", err);
	while (!rc && what != BUS_HISTORY_END) {
		rc = bus_history_next(h, 1000, &what, &m, err);
		if (rc || what != BUS_HISTORY_MESSAGE)
			continue;
		if (m->proof && !bus_proof_parse(proof, m->proof, m->proof_len, NULL) &&
		    is_news(proof, state))
			rc = check_proof(proof, service, state, ring, err);
		bus_message_free(m);
	}
	bus_history_close(h);
	free(proof);
	return rc;
}
