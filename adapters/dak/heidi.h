#ifndef BUS_ADAPTER_DAK_HEIDI_H
#define BUS_ADAPTER_DAK_HEIDI_H

#include "adapters/adapter.h"
#include "adapters/dak/names.h"

/*
 * HeidiResultDelta: what one run of britney moves into testing, or out of it
 * (britney2, utils.write_heidi_delta):
 *
 *	#HeidiDelta
 *	[-]<source> <version>
 *	[-]<package> <version> <architecture>
 *
 * The file is rewritten by each run.  A run whose result was not imported before
 * the next one is repeated by that, so a line that also stood in the file
 * before is not announced again.
 */
struct heidi_line {
	bool is_removal;
	struct dak_slice package, version;
	struct dak_slice architecture; /* empty: a source */
};

/* BUS_E_DATA: not such a line. */
enum bus_code heidi_line_read(struct heidi_line *ret, struct dak_slice line, struct bus_err *err);

/* The input; closed by free(). */
enum bus_code dak_heidi_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code dak_heidi_read(void *input, struct adapter_batch *batch, struct bus_err *err);

#endif
