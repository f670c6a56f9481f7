#ifndef BUS_ADAPTER_SNAPSHOT_H
#define BUS_ADAPTER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * A file that its service writes anew from time to time, read as a whole.
 *
 * snapshot_read() gives BUS_OK and the bytes when the file is another one, or
 * has another size or time, than at the call before; BUS_E_NO when not, or
 * when it is not there.  A file may be read half written: then it changes
 * again, and is read again.  Start with SNAPSHOT_INIT.
 */
struct snapshot {
	unsigned long long device, inode, size;
	long long mtime_ns, ctime_ns;
};

#define SNAPSHOT_INIT                                                                              \
	{                                                                                          \
		0, 0, 0, -1, -1                                                                    \
	}

/* Replaces what is in *out.  BUS_E_DATA where it has more than out->max bytes. */
enum bus_code snapshot_read(struct snapshot *snapshot, const char *path, struct bus_buf *out,
			    struct bus_err *err);

/* Have the next call give the bytes in any case. */
void snapshot_forget(struct snapshot *snapshot);

#endif
