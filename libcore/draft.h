#ifndef BUS_DRAFT_H
#define BUS_DRAFT_H

#include "event.h"

/*
 * Drafts out of JSON text.
 *
 * bus_draft_parse() reads one JSON object with `type` (whole or <object>.<event>), and
 * optionally `subject`, `time` (RFC 3339) and `data`: a line of publish
 * --jsonl.  What is absent is taken from the defaults: the time now and a
 * summary made of type and subject.  The draft's pointers live in *ret_owner.
 */
struct bus_draft_text;

enum bus_code bus_draft_parse(struct bus_draft_text **ret_owner, struct bus_draft *ret,
			      const char *environment, const char *service, const char *json,
			      size_t len, struct bus_err *err);

/* The draft an event was built from; for moving it to another log. */
enum bus_code bus_draft_from_event(struct bus_draft_text **ret_owner, struct bus_draft *ret,
				   const char *body, size_t len, struct bus_err *err);
void bus_draft_text_free(struct bus_draft_text *owner);

#endif
