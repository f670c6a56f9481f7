#ifndef BUS_AUDIT_H
#define BUS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "holes.h"
#include "intake.h"

/*
 * Is anything missing?  PROTOCOL section 7, "whole log".
 *
 * Feed it every believed event of the history, in the order of the history,
 * and ask for the findings.  From the first event's proof comes the compact
 * range of all that was before it; from there on every leaf is hashed into the
 * tree, and every checkpoint is compared with the root that gives.  Equal
 * roots prove that all is there, unchanged and in order.
 *
 * What comes later than that, because it was lost and sent again, is hashed on its
 * own up to where the history went on without it, and counts if that gives the
 * tree that stands there (audit_late.c).
 *
 * Memory: some 40 bytes for each checkpoint seen; for an event only while one
 * before it is waited for.
 */
struct bus_audit;

/* A checkpoint as the finding names it; the history has it in some event's proof. */
struct bus_audit_checkpoint {
	uint64_t size;
	struct bus_hash root;
};

struct bus_audit_finding {
	const char *origin;
	uint64_t first, last; /* what was seen reaches from here to there */
	uint64_t events, repeats;
	uint64_t unproved; /* came so late that no tree shows them to be the log's; not counted */
	const struct bus_holes *missing;
	bool equivocation; /* the log contradicts itself; `text` says where */
	const char *text;
	struct bus_audit_checkpoint contradicting[2]; /* for evidence.h */
};

struct bus_audit *bus_audit_new(void); /* NULL: out of memory */
void bus_audit_free(struct bus_audit *audit);

enum bus_code bus_audit_event(struct bus_audit *audit, const struct bus_belief *belief,
			      struct bus_err *err);

/* Calls each() for every log, in the order they first appeared. */
enum bus_code bus_audit_findings(struct bus_audit *audit,
				 void (*each)(void *arg, const struct bus_audit_finding *finding),
				 void *arg, struct bus_err *err);

#endif
