#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A fuzz target is this one function.  With --enable-fuzzing libFuzzer calls it
 * with bytes of its own making; without, replay-main.c calls it with each file
 * of the kept corpus, tests/fuzz/corpus/<target>/.  It ends by abort() where
 * something that must always hold does not.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #cond);      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
