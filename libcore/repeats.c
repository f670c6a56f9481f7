#include "config.h"

#include "repeats.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1024 };

struct page {
	uint64_t number;     /* holds the ids from number * PAGE on */
	uint64_t leaf[PAGE]; /* the beginning of the hash; 0: not had */
};

struct log {
	char *source;
	struct page **page; /* ascending by number */
	size_t count, room;
};

struct bus_repeats {
	struct log *log;
	size_t count;
};

struct bus_repeats *bus_repeats_new(void)
{
	return calloc(1, sizeof(struct bus_repeats));
}

void bus_repeats_free(struct bus_repeats *repeats)
{
	size_t i, k;

	if (!repeats)
		return;
	for (i = 0; i < repeats->count; i++) {
		for (k = 0; k < repeats->log[i].count; k++)
			free(repeats->log[i].page[k]);
		free(repeats->log[i].page);
		free(repeats->log[i].source);
	}
	free(repeats->log);
	free(repeats);
}

/* NULL: out of memory. */
static struct log *find_log(struct bus_repeats *repeats, const char *source)
{
	struct log *more;
	size_t i;

	for (i = 0; i < repeats->count; i++)
		if (strcmp(repeats->log[i].source, source) == 0)
			return &repeats->log[i];
	more = reallocarray(repeats->log, repeats->count + 1, sizeof(*more));
	if (!more)
		return NULL;
	repeats->log = more;
	more += repeats->count;
	*more = (struct log){ .source = strdup(source) };
	if (!more->source)
		return NULL;
	repeats->count++;
	return more;
}

/* Where the page of this number is, or would be: mostly it is the last one. */
static size_t page_place(const struct log *log, uint64_t number)
{
	size_t low = 0, high = log->count;

	if (high && log->page[high - 1]->number <= number)
		return log->page[high - 1]->number == number ? high - 1 : high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (log->page[mid]->number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* NULL: out of memory. */
static struct page *find_page(struct log *log, uint64_t number)
{
	const size_t at = page_place(log, number);
	struct page **more, *page;

	if (at < log->count && log->page[at]->number == number)
		return log->page[at];
	if (log->count == log->room) {
		more = reallocarray(log->page, log->room + 64, sizeof(struct page *));
		if (!more)
			return NULL;
		log->page = more;
		log->room += 64;
	}
	page = calloc(1, sizeof(*page));
	if (!page)
		return NULL;
	page->number = number;
	memmove(&log->page[at + 1], &log->page[at], (log->count - at) * sizeof(struct page *));
	log->page[at] = page;
	log->count++;
	return page;
}

enum bus_code bus_repeats_look(struct bus_repeats *repeats, const char *source, uint64_t id,
			       const struct bus_hash *leaf, enum bus_seen *ret, struct bus_err *err)
{
	struct log *log = find_log(repeats, source);
	struct page *page = log ? find_page(log, id / PAGE) : NULL;
	uint64_t begins, *had;

	if (!page)
		return bus_fail(err, BUS_E_NOMEM, "out of memory");
	memcpy(&begins, leaf->b, sizeof(begins));
	begins = begins ? begins : 1;
	had = &page->leaf[id % PAGE];
	*ret = !*had ? BUS_SEEN_NEW : *had == begins ? BUS_SEEN_REPEAT : BUS_SEEN_OTHER;
	if (!*had)
		*had = begins;
	return BUS_OK;
}
