#include "config.h"

#include "holes.h"

#include <stdlib.h>
#include <string.h>

void bus_holes_finish(struct bus_holes *holes)
{
	free(holes->hole);
	memset(holes, 0, sizeof(*holes));
}

/* The first hole that does not end before this number. */
static size_t place(const struct bus_holes *holes, uint64_t number)
{
	size_t low = 0, high = holes->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (holes->hole[mid].to < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool bus_holes_has(const struct bus_holes *holes, uint64_t number)
{
	const size_t at = place(holes, number);

	return at < holes->count && holes->hole[at].from <= number;
}

bool bus_holes_add(struct bus_holes *holes, uint64_t from, uint64_t to)
{
	const size_t at = place(holes, from);
	struct bus_hole *more;

	if (holes->count == holes->room) {
		more = reallocarray(holes->hole, holes->room * 2 + 16, sizeof(*more));
		if (!more)
			return false;
		holes->hole = more;
		holes->room = holes->room * 2 + 16;
	}
	memmove(&holes->hole[at + 1], &holes->hole[at], (holes->count - at) * sizeof(*holes->hole));
	holes->hole[at] = (struct bus_hole){ from, to };
	holes->count++;
	return true;
}

bool bus_holes_fill(struct bus_holes *holes, uint64_t number)
{
	const size_t at = place(holes, number);
	struct bus_hole *hole = &holes->hole[at];
	const uint64_t to = hole->to;

	if (hole->from == number && to == number) {
		memmove(hole, hole + 1, (--holes->count - at) * sizeof(*hole));
		return true;
	}
	if (hole->from == number) {
		hole->from++;
		return true;
	}
	hole->to = number - 1;
	return to == number || bus_holes_add(holes, number + 1, to);
}
