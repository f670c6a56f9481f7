#ifndef FAULTY_MEMORY_H
#define FAULTY_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Is this built with AddressSanitizer? */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAULTY_MEMORY_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(FAULTY_MEMORY_SANITIZED)
#define FAULTY_MEMORY_SANITIZED
#endif

/*
 * Memory that runs out: the faulty_memory_at-th allocation fails (0: none), or
 * all from then on.  A program that links this has malloc() and its family from
 * here, so the allocations of every library count too: SQLite, jansson, GPGME,
 * libconfuse, expat, GLib, GMime, libc itself.
 *
 * Nothing is counted before faulty_memory_begin().  A process made by fork(2)
 * goes on counting where its parent was; one made by exec(2) has nothing of it.
 */
extern long faulty_memory_calls, faulty_memory_at;
extern bool faulty_memory_for_ever;

/*
 * The places from which memory was asked for: the number of the first call from
 * each, in order.  Two calls are from one place if the innermost return addresses
 * are the same.  In memory that is shared, where a child fills it.
 */
enum { FAULTY_MEMORY_PLACES_MAX = 32768, FAULTY_MEMORY_DEPTH = 12 };
struct faulty_memory_places {
	long count;
	long call[FAULTY_MEMORY_PLACES_MAX];
	unsigned long hash[2 * FAULTY_MEMORY_PLACES_MAX];
};

/* How many calls there were, also of children; who was the first to be refused. */
struct faulty_memory_where {
	long calls;
	int depth; /* of what backtrace() tells */
	void *frame[FAULTY_MEMORY_DEPTH];
};

/* Both are filled from here on; places may be NULL. */
void faulty_memory_begin(struct faulty_memory_places *places, struct faulty_memory_where *where);
void faulty_memory_end(void);

/* Is this the address of code of ours? */
bool faulty_memory_is_here(const void *code);

#endif
