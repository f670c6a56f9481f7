#ifndef BUS_HOLES_H
#define BUS_HOLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Numbers that are missing, as ranges: ascending, with something between any two.
 * Start from zeroed memory.
 */
struct bus_hole {
	uint64_t from, to; /* both inclusive */
};

struct bus_holes {
	struct bus_hole *hole;
	size_t count, room;
};

void bus_holes_finish(struct bus_holes *holes);

/* Adds a range that is apart from all others.  false: out of memory. */
bool bus_holes_add(struct bus_holes *holes, uint64_t from, uint64_t to);
bool bus_holes_has(const struct bus_holes *holes, uint64_t number);
/* It is not missing any more; it must be in a hole.  false: out of memory. */
bool bus_holes_fill(struct bus_holes *holes, uint64_t number);

#endif
