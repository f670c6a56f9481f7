#ifndef BUS_CONFUSE_FILE_H
#define BUS_CONFUSE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <confuse.h>

#include "err.h"

/*
 * What debmsg.conf and trust.conf have in common: opened once, checked on the
 * open file, parsed by libconfuse with its messages turned into ours.
 */

/* *ret is the caller's to cfg_free(). */
enum bus_code bus_confuse_parse(cfg_t **ret, cfg_opt_t *opts, const char *path,
				struct bus_err *err);

/* A copy of a string option, NULL if absent; *nomem is set when memory ran out. */
char *bus_confuse_text(cfg_t *cfg, const char *name, bool *nomem);

/* BUS_E_CONFIG with the file's name, the section's line and the text. */
enum bus_code bus_confuse_fail(cfg_t *cfg, const char *path, struct bus_err *err, const char *fmt,
			       ...) __attribute__((format(printf, 4, 5)));

/* A fingerprint as people write it (blanks, lower case, 0x) to 40 or 64 hex digits. */
bool bus_fingerprint_clean(char *out, size_t size, const char *text);

#endif
