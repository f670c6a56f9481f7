#ifndef BUS_PLANET_REWRITTEN_H
#define BUS_PLANET_REWRITTEN_H

#include "adapters/common/batch.h"
#include "adapters/common/snapshot.h"
#include "adapters/common/watch.h"

/*
 * A file that the planet, or a person, writes anew in place, so that it may be
 * read half written.  Until REWRITTEN_SETTLED_MS after its last change what is
 * wrong with it is not believed:
 *
 *	rewritten_read()	the bytes, if they are new
 *	rewritten_wait()	true: it is that fresh; read() ends and comes again
 *	rewritten_doubt()	true: for what is hard to believe, within
 *				REWRITTEN_DOUBT_MS; with --once it ends without it
 *	rewritten_reject()	it stays wrong: kept and said, once for the same bytes;
 *				only said, the first ones that return after a good file
 *	rewritten_accept()	it is good
 *
 * One cursor, "broken", has digests of what was rejected last, the latest first,
 * REWRITTEN_BROKEN_MAX of them, and before them "+" if the file was good since.
 */
enum { REWRITTEN_SETTLED_MS = 2000, REWRITTEN_DOUBT_MS = 60000, REWRITTEN_BROKEN_MAX = 16 };

struct rewritten {
	struct watch *watch;
	const char *path;
	struct snapshot snapshot; /* of the bytes read last */
};

void rewritten_init(struct rewritten *file, struct watch *watch, const char *path);

/* As snapshot_read(); BUS_E_NO also where it was written to while it was read. */
enum bus_code rewritten_read(struct rewritten *file, struct bus_buf *out,
			     struct adapter_batch *batch, struct bus_err *err);

bool rewritten_wait(struct rewritten *file);
bool rewritten_doubt(struct rewritten *file);

enum bus_code rewritten_reject(struct rewritten *file, const struct bus_buf *bytes,
			       struct bus_err *why, struct adapter_batch *batch,
			       struct bus_err *err);
enum bus_code rewritten_accept(struct rewritten *file, struct adapter_batch *batch,
			       struct bus_err *err);

/* When it was written, or now if it says later. */
int64_t rewritten_time(const struct rewritten *file);

#endif
