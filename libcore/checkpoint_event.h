#ifndef BUS_CHECKPOINT_EVENT_H
#define BUS_CHECKPOINT_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/*
 * What a bus.checkpoint event says (PROTOCOL section 7): `types`, for every
 * type the log has had its last typesequence.  outbox_log.c writes them.
 */
enum bus_code bus_checkpoint_event_types(const char *body, size_t len,
					 enum bus_code (*each)(void *arg, const char *type,
							       uint64_t last, struct bus_err *err),
					 void *arg, struct bus_err *err);

#endif
