#ifndef BUS_EVIDENCE_H
#define BUS_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/*
 * Two checkpoints of one log that cannot both be true prove that its key signed
 * two histories (PROTOCOL section 7).  Both are kept, as they were received, in
 *
 *	<state-directory>/evidence/<hash of the origin>-<size>-<size>.txt
 *
 * one signed note after the other, an empty line between them.  A file that is
 * there is never written again: other notes of the same sizes get a number.
 */
struct bus_evidence {
	const char *origin;
	struct {
		uint64_t size;
		const char *text; /* the signed note */
		size_t len;
	} note[2];
};

/* *ret_path is the caller's.  BUS_E_TEMP, naming file and reason, if it cannot be kept. */
enum bus_code bus_evidence_keep(const char *state_directory, const struct bus_evidence *evidence,
				char **ret_path, struct bus_err *err);

#endif
