#ifndef BUS_ADAPTER_DAK_REMOVAL_H
#define BUS_ADAPTER_DAK_REMOVAL_H

#include "adapters/adapter.h"
#include "adapters/dak/names.h"

/*
 * A removal of packages (dak rm): a stanza of removals.822, as daklib/rm.py
 * writes it, or the headers of a mail.
 */
struct dak_removal {
	int64_t time_us;
	struct dak_slice suites;   /* "unstable, experimental" or "unstable and experimental" */
	struct dak_slice sources;  /* lines: <source>_<version>; of a mail: names, commas */
	struct dak_slice binaries; /* lines: <package>_<version> [arch, arch] */
	struct dak_slice reason;   /* lines */
	struct dak_slice ftpmaster;
	struct dak_slice bugs, also_bugs, also_wnpp; /* numbers */
};

enum { REMOVAL_STANZA_MAX = 4 * 1024 * 1024 };

/* BUS_E_DATA says what is wrong with the stanza. */
enum bus_code dak_removal_read(struct dak_removal *ret, struct dak_slice stanza,
			       struct bus_err *err);

/* Nothing where it is from a private suite only. */
enum bus_code dak_removal_add(struct adapter_batch *batch, const struct adapter_context *ctx,
			      const struct dak_removal *removal, struct dak_slice raw,
			      struct bus_err *err);

/* The input: removals.822, which grows (see common/follow.h); begun anew each year. */
enum bus_code dak_removals_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code dak_removals_read(void *input, struct adapter_batch *batch, struct bus_err *err);
void dak_removals_close(void *input);

#endif
