#ifndef BUS_AHEAD_H
#define BUS_AHEAD_H

#include "conf.h"
#include "notify.h"
#include "outbox.h"
#include "sign.h"

/*
 * Is the log in the broker ahead of this outbox?  Then the outbox was restored
 * from an old copy, and signing a tree of a size that was signed before, with
 * other leaves in it, would convict us of equivocation.
 *
 * Reads the stream, as the user of the broker section, from a while before the
 * outbox last moved.  BUS_E_CONFIG, with the remedy, if the stream has a larger
 * checkpoint of this log than ours, signed by a key in ring: anybody could send
 * a number, only we can sign.  Ends early when stop_fd becomes readable.
 */
enum bus_code bus_ahead_check(const struct bus_conf *conf, const char *service,
			      const struct bus_outbox_state *state, struct bus_keyring *ring,
			      int stop_fd, struct bus_notify *notify, struct bus_err *err);

#endif
