#ifndef BUS_ADAPTER_DAK_DINSTALL_H
#define BUS_ADAPTER_DAK_DINSTALL_H

#include "adapters/adapter.h"
#include "adapters/dak/names.h"

/*
 * When dinstall begins and what it has published, from two files that it
 * rewrites (config/debian/dinstall.functions state(), config/debian/common
 * write_project_trace1()):
 *
 *	web/dinstall.status	"Dinstall start: Sat Mar 18 13:52:01 UTC 2023 (1679147521)"
 *	project/trace/<host>	a date; then "Creator: ", "Running on host: ", "Archive serial: ",
 *				"Date: ", "Architectures: " as the last line
 *
 * Either may be seen half written; then it changes again.
 */
struct dinstall_trace {
	struct dak_slice serial, creator, architectures;
	int64_t date_us;
};

/* BUS_E_NO: it is not complete. */
enum bus_code dinstall_trace_read(struct dinstall_trace *ret, struct dak_slice text);
enum bus_code dinstall_status_read(int64_t *ret_start_us, struct dak_slice text);

/* The two inputs; closed by free(). */
enum bus_code dak_trace_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code dak_trace_read(void *input, struct adapter_batch *batch, struct bus_err *err);
enum bus_code dak_status_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code dak_status_read(void *input, struct adapter_batch *batch, struct bus_err *err);

#endif
