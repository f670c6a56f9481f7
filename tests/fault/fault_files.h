#ifndef FAULT_FILES_H
#define FAULT_FILES_H

#include <stdbool.h>

/* A directory with all in it, modes and times of change too; the new one must not be there. */
bool fault_copy(const char *from, const char *to);
void fault_remove(const char *path); /* file or tree; fine if there is none */

#endif
