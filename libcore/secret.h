#ifndef BUS_SECRET_H
#define BUS_SECRET_H

#include "err.h"

/*
 * The first line of a file that only its owner and group may read.  The caller
 * frees it with bus_secret_free(), which wipes it.
 */
enum bus_code bus_secret_read(char **ret, const char *path, struct bus_err *err);
void bus_secret_free(char *secret);

#endif
