#ifndef BUS_ADAPTER_WATCH_MAIN_H
#define BUS_ADAPTER_WATCH_MAIN_H

#include "adapters/adapter.h"

/*
 * The program of an adapter that watches its service: options, one process per
 * service, its inputs read as they wake, until SIGTERM or SIGINT.
 */
int watch_main(const struct adapter *adapter, int argc, char **argv);

#endif
