#include "config.h"

#include "ahead.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "timestamp.h"
#include "topic.h"

/* The clocks of this host and of the broker may differ by so much. */
static const int64_t slack_us = 3600 * 1000000LL;

static bool is_news(const struct bus_proof *proof, const struct bus_outbox_state *state)
{
	return strcmp(proof->checkpoint.origin, state->origin) == 0 &&
	       proof->checkpoint.size > state->signed_size;
}

/*
 * An expired or revoked key of ours is ours all the same; a key that is not in
 * the ring proves nothing.
 */
static bool is_ours(enum bus_code verified)
{
	return verified == BUS_OK || verified == BUS_E_EXPIRED_KEY || verified == BUS_E_REVOKED_KEY;
}

static enum bus_code check_proof(const struct bus_proof *proof, const char *service,
				 const struct bus_outbox_state *state, struct bus_keyring *ring,
				 struct bus_err *err)
{
	enum bus_code rc = BUS_E_BAD_SIGNATURE;
	struct bus_signer signer;
	unsigned int i;

	for (i = 0; !is_ours(rc) && i < proof->signature_count; i++) {
		rc = bus_keyring_verify(ring, proof->signed_text, proof->signed_len,
					proof->signature[i].bytes, proof->signature[i].len, &signer,
					err);
		if (rc && bus_code_info[rc].fate != BUS_FATE_PARK)
			return rc;
	}
	if (!is_ours(rc))
		return BUS_OK;
	return bus_fail(err, BUS_E_CONFIG,
			"the log in the broker is ahead: %" PRIu64
			" events of %s are signed there, "
			"%" PRIu64
			" here, so this outbox was restored from an old copy; nothing was "
			"signed. Begin a new log with: debmsg outbox new-epoch --service %s",
			proof->checkpoint.size, state->origin, state->signed_size, service);
}

struct check {
	const struct bus_conf *conf;
	const char *service;
	const struct bus_outbox_state *state;
	struct bus_keyring *ring;
	int stop_fd;
	struct bus_notify *notify;
	struct bus_proof proof;
	char prefix[BUS_KEY_MAX + 1]; /* of the routing keys of this service */
};

/* Others cannot publish under our topics, so they cannot make us look at their proofs. */
static enum bus_code check_message(struct check *c, const struct bus_message *m,
				   struct bus_err *err)
{
	if (strncmp(m->routing_key, c->prefix, strlen(c->prefix)) != 0 || !m->proof ||
	    bus_proof_parse(&c->proof, m->proof, m->proof_len, NULL) ||
	    !is_news(&c->proof, c->state))
		return BUS_OK;
	return check_proof(&c->proof, c->service, c->state, c->ring, err);
}

static bool stop_asked(int fd)
{
	struct pollfd stop = { .fd = fd, .events = POLLIN };

	return poll(&stop, 1, 0) > 0;
}

/* *ret_silent: nothing came, and that proves nothing. */
static enum bus_code read_history(struct check *c, enum bus_stream_start start, int64_t time_us,
				  bool *ret_silent, struct bus_err *err)
{
	enum bus_history_what what = BUS_HISTORY_NOTHING;
	const int64_t patience = 60 * 1000000LL;
	int64_t last = bus_time_mono();
	struct bus_history *h = NULL;
	struct bus_message *m;
	enum bus_code rc;

	rc = bus_history_open(&h, c->conf, start, time_us,
			      "debmsg relay: is the log in the broker ahead?", err);
	while (!rc && what != BUS_HISTORY_END) {
		bus_notify_tick(c->notify);
		rc = bus_history_next(h, 1000, &what, &m, err);
		if (!rc && what == BUS_HISTORY_MESSAGE) {
			last = bus_time_mono();
			rc = check_message(c, m, err);
			bus_message_free(m);
		}
		if (!rc && stop_asked(c->stop_fd))
			rc = bus_fail(err, BUS_E_TEMP, "asked to stop");
		if (!rc && bus_time_mono() - last > patience)
			rc = bus_fail(err, BUS_E_UNAVAILABLE,
				      "the stream %s sends nothing, although it holds messages",
				      bus_stream);
	}
	*ret_silent = h && bus_history_silent(h);
	bus_history_close(h);
	return rc;
}

enum bus_code bus_ahead_check(const struct bus_conf *conf, const char *service,
			      const struct bus_outbox_state *state, struct bus_keyring *ring,
			      int stop_fd, struct bus_notify *notify, struct bus_err *err)
{
	const int64_t newest = state->sent_us > state->created_us ? state->sent_us
								  : state->created_us;
	struct check *c = calloc(1, sizeof(*c));
	bool silent = false;
	enum bus_code rc;

	if (!c)
		return bus_fail(err, BUS_E_NOMEM, "relay: out of memory");
	*c = (struct check){
		.conf = conf,
		.service = service,
		.state = state,
		.ring = ring,
		.stop_fd = stop_fd,
		.notify = notify,
	};
	snprintf(c->prefix, sizeof(c->prefix), "org.debian.%s.%s.", conf->environment, service);
	rc = read_history(c, BUS_STREAM_TIME, newest - slack_us, &silent, err);
	if (!rc && silent) /* a clock may have been wrong: then ask all there is */
		rc = read_history(c, BUS_STREAM_FIRST, 0, &silent, err);
	free(c);
	return rc;
}
