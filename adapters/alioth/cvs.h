#ifndef BUS_ADAPTER_CVS_H
#define BUS_ADAPTER_CVS_H

#include "adapters/adapter.h"

/*
 * CVS's loginfo (cvs_loginfo.h has its formats).  CVS commits directory by
 * directory and calls loginfo for each; each call becomes one event for each
 * branch in it, with the files and the commit id that the calls of one commit
 * have in common.
 */
enum bus_code cvs_capture(const struct adapter_context *ctx, char **operand,
			  struct adapter_capture *ret, struct bus_err *err);
enum bus_code cvs_convert(const struct adapter_context *ctx, const char *input, size_t len,
			  struct adapter_batch *batch, struct bus_err *err);

#endif
