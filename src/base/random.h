// Numbers that look random and are the same for the same seed, on every machine.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The next of SplitMix64 (Steele et al. 2014); *state is the seed at first.
uint64_t random_next(uint64_t *state);
// Uniform in [0, 1), from the upper 53 bits of the next.
double random_uniform(uint64_t *state);
// Puts n items of `size` bytes each into a random order (Fisher and Yates).
void random_shuffle(void *items, size_t n, size_t size, uint64_t *state);
