#ifndef BUS_ADAPTER_DAK_DECIDE_H
#define BUS_ADAPTER_DAK_DECIDE_H

#include "adapters/adapter.h"
#include "adapters/dak/logline.h"
#include "adapters/dak/memory.h"

/*
 * What the lines of dak's log say, one after the other.
 *
 * What is told by the log alone becomes an event at once: decisions of
 * process-new, overrides, suites.  What becomes of an upload is remembered, as
 * DAK_NOTE_WAIT, when it is final:
 *
 *	process-upload	writes ACCEPT before it installs; if that fails, REJECT of
 *			the same file follows.  Final with its next file, its
 *			totals or its end (dak/process_upload.py)
 *	process-policy	likewise (dak/process_policy.py)
 *	command		permissions of one section are undone where ERROR follows
 *			(daklib/command.py)
 *
 * A program that begins anew before that had died, be it in the file of a later
 * month: what it had not finished is undone, and will be told again.  What nobody
 * finishes in a day upload_join.c undoes.  Programs write between each other's lines, so
 * each has its own place in the memory.
 */
struct dak_decider {
	const struct adapter_context *ctx;
	struct dak_memory *memory;
	int64_t now_us;
};

/*
 * month: the name of the file.  BUS_E_DATA: a line of a known kind whose details
 * are not what they must be.
 */
enum bus_code dak_decide(const struct dak_decider *decider, const struct dak_line *line,
			 const char *month, struct dak_slice raw, struct adapter_batch *batch,
			 struct bus_err *err);

/* Is a suite or queue of this name private (option private-queues)? */
bool dak_is_private(const struct adapter_context *ctx, struct dak_slice name);

/* There are private queues here: only what says where it went may be told. */
bool dak_has_private(const struct adapter_context *ctx, const struct dak_memory *memory);

/* Remembers that an upload is in a private queue. */
enum bus_code dak_note_private(struct dak_memory *memory, struct dak_slice changes, int64_t now_us,
			       struct bus_err *err);

#endif
