#ifndef BUS_ADAPTER_DAK_ANNOUNCE_H
#define BUS_ADAPTER_DAK_ANNOUNCE_H

#include "adapters/adapter.h"
#include "adapters/dak/changes.h"
#include "adapters/dak/names.h"

/*
 * Events of dak: `data` made of what is known, and put into the batch.
 */
enum dak_member_kind {
	DAK_TEXT,  /* one line; left out where it is empty */
	DAK_WORDS, /* an array of the words between blanks and commas */
	DAK_BUGS,  /* the same, of numbers; what is no bug is left out */
	DAK_FACT   /* true or false: "1" or nothing */
};

struct dak_member {
	const char *name;
	enum dak_member_kind kind;
	struct dak_slice value;
};

/*
 * An event of plain members, of which the last has no name; the url comes from
 * the members source and version.  summary: one line.  raw: what to keep if it
 * cannot be an event.
 */
enum bus_code dak_event_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			    const char *object_event, struct dak_slice subject, int64_t time_us,
			    const char *summary, const struct dak_member *member,
			    struct dak_slice raw, struct bus_err *err);

/* What became of an upload; empty is unknown. */
struct dak_upload {
	const char *object_event; /* "upload.accept" */
	struct dak_slice changes, source, version, architectures;
	struct dak_slice suites; /* between blanks */
	struct dak_slice queues; /* the policy queues it is in now */
	struct dak_slice queue;	 /* the queue it was in */
	struct dak_slice by;	 /* login name */
	struct dak_slice reason; /* lines */
	bool is_reject, automatic;
	const struct changes *detail; /* NULL: not known */
	struct dak_slice fingerprint;
	int64_t time_us;
};

enum bus_code dak_upload_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			     const struct dak_upload *upload, struct bus_err *err);

#endif
