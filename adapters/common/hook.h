#ifndef BUS_ADAPTER_HOOK_H
#define BUS_ADAPTER_HOOK_H

#include "adapters/adapter.h"

/*
 * One call of a hook, from the service's request to a process in the background
 * that converts it.  Whatever fails is said here, with the remedy, and is not
 * the service's trouble.  BUS_E_USAGE: this was no call by the service.
 */
enum bus_code hook_run(const struct adapter_context *ctx, const struct adapter_hook *hook,
		       char **operand, struct bus_err *err);

#endif
