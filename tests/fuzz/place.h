#ifndef FUZZ_PLACE_H
#define FUZZ_PLACE_H

#include <stddef.h>

/*
 * For targets whose code reads files: a directory of the process's own, gone
 * when it ends, and files that are in memory only.
 */
const char *fuzz_place(void);

/* Path of a file in it, of mode 0600; for the life of the process. */
const char *fuzz_file(const char *name, const char *text);

/*
 * Path of a file with these bytes that stands on no disk.  There is one: the next
 * call writes it anew.
 */
const char *fuzz_bytes(const void *bytes, size_t len);

#endif
