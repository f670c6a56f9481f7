#ifndef BUS_ADAPTER_DAK_RELEASE_H
#define BUS_ADAPTER_DAK_RELEASE_H

#include "adapters/adapter.h"
#include "adapters/dak/names.h"

/*
 * InRelease of each suite: a clear-signed stanza that generate_releases.py
 * removes and writes anew for each publication.  Symbolic links in dists/ are
 * followed; a directory with two names is one suite.
 */
struct release {
	struct dak_slice suite, codename, origin, label, version;
	struct dak_slice architectures, components; /* words */
	int64_t date_us, valid_until_us;	    /* 0: none */
};

enum { RELEASE_BYTES_MAX = 16 * 1024 * 1024 };

/* text: what is signed.  BUS_E_DATA says what is wrong. */
enum bus_code release_read(struct release *ret, struct dak_slice text, struct bus_err *err);

/* The input. */
enum bus_code dak_dists_open(void **ret, struct watch *watch, struct bus_err *err);
enum bus_code dak_dists_read(void *input, struct adapter_batch *batch, struct bus_err *err);
void dak_dists_close(void *input);

#endif
