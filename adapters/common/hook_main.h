#ifndef BUS_ADAPTER_HOOK_MAIN_H
#define BUS_ADAPTER_HOOK_MAIN_H

#include "adapters/adapter.h"

/*
 * The program of an adapter that its service runs as a hook: options, which
 * hook is meant, exit status.
 */
int hook_main(const struct adapter *adapter, int argc, char **argv);

#endif
