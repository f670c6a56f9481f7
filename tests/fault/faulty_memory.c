#include "config.h"

#include "faulty_memory.h"

#include <errno.h>
#include <execinfo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * What is behind malloc() when that is ours: the C library's own, or that of the
 * sanitizer, which has to see every piece to find those that are lost.
 */
#ifdef FAULTY_MEMORY_SANITIZED
#include <sanitizer/lsan_interface.h>
void *__interceptor_malloc(size_t len);
void *__interceptor_calloc(size_t n, size_t len);
void *__interceptor_realloc(void *p, size_t len);
#define real_malloc __interceptor_malloc
#define real_calloc __interceptor_calloc
#define real_realloc __interceptor_realloc
#else
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_realloc(void *p, size_t len);
#define real_malloc __libc_malloc
#define real_calloc __libc_calloc
#define real_realloc __libc_realloc
#endif

enum { DEPTH = 9, OWN_FRAMES = 3 };

long faulty_memory_calls, faulty_memory_at;
bool faulty_memory_for_ever;

/* All code that is between a caller and its memory, so that it can be told by its address. */
#define ALLOCATOR __attribute__((section("faulty_memory"), noinline))
extern char __start_faulty_memory[], __stop_faulty_memory[];

static bool is_counting;
static struct faulty_memory_places *noted;
static struct faulty_memory_where *refused;

ALLOCATOR static void note_place(void)
{
	struct faulty_memory_places *places = noted;
	void *frame[DEPTH + OWN_FRAMES];
	uint64_t hash = 1469598103934665603U; /* FNV-1a, by words */
	size_t at;
	int n, i;

	noted = NULL; /* what backtrace() asks for is not ours */
	n = backtrace(frame, DEPTH + OWN_FRAMES);
	noted = places;
	for (i = OWN_FRAMES; i < n; i++)
		hash = (hash ^ (uintptr_t)frame[i]) * 1099511628211U;
	hash |= 1;
	for (at = hash % (2 * FAULTY_MEMORY_PLACES_MAX); places->hash[at];
	     at = (at + 1) % (2 * FAULTY_MEMORY_PLACES_MAX))
		if (places->hash[at] == hash)
			return;
	if (places->count == FAULTY_MEMORY_PLACES_MAX)
		return;
	places->hash[at] = hash;
	places->call[places->count++] = faulty_memory_calls;
}

ALLOCATOR static bool refuse(void)
{
	if (!is_counting)
		return false;
	faulty_memory_calls++;
	if (refused && faulty_memory_calls > refused->calls)
		refused->calls = faulty_memory_calls;
	if (noted)
		note_place();
	if (!faulty_memory_at || (faulty_memory_for_ever ? faulty_memory_calls < faulty_memory_at
							 : faulty_memory_calls != faulty_memory_at))
		return false;
	if (refused && !refused->depth)
		refused->depth = backtrace(refused->frame, FAULTY_MEMORY_DEPTH);
	errno = ENOMEM;
	return true;
}

void faulty_memory_begin(struct faulty_memory_places *places, struct faulty_memory_where *where)
{
	void *frame[2];

	/* the first call loads a library, and the loader keeps what it has for it */
#ifdef FAULTY_MEMORY_SANITIZED
	__lsan_disable();
#endif
	backtrace(frame, 2);
#ifdef FAULTY_MEMORY_SANITIZED
	__lsan_enable();
#endif
	noted = places;
	refused = where;
	is_counting = true;
}

void faulty_memory_end(void)
{
	is_counting = false;
}

bool faulty_memory_is_here(const void *code)
{
	return (const char *)code >= __start_faulty_memory &&
	       (const char *)code < __stop_faulty_memory;
}

ALLOCATOR void *malloc(size_t len)
{
	return refuse() ? NULL : real_malloc(len);
}

ALLOCATOR void *calloc(size_t n, size_t len)
{
	return refuse() ? NULL : real_calloc(n, len);
}

ALLOCATOR void *realloc(void *p, size_t len)
{
	return refuse() ? NULL : real_realloc(p, len);
}

/* With a sanitizer, these would not come by. */
#ifdef FAULTY_MEMORY_SANITIZED
ALLOCATOR char *strndup(const char *s, size_t max)
{
	const size_t len = strnlen(s, max);
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	copy[len] = '\0';
	return memcpy(copy, s, len);
}

ALLOCATOR char *strdup(const char *s)
{
	return strndup(s, strlen(s));
}

ALLOCATOR void *reallocarray(void *p, size_t n, size_t len)
{
	size_t whole;

	if (__builtin_mul_overflow(n, len, &whole)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, whole);
}
#endif
