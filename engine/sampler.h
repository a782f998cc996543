// Choosing the next token from logits (docs/engine.md, "Sampling").
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

// A token that may be chosen, with its untempered logit.
typedef struct Candidate {
    int id;
    float logit;
} Candidate;

typedef struct Sampler {
    SamplerOptions options;
    uint64_t state; // of the generator, seeded from options.seed
} Sampler;

void sampler_init(Sampler *sampler, const SamplerOptions *options);
// Chooses among n >= 1 candidates (in rising id order; reordered). *prob is the choice's
// probability under the softmax of all candidates, untempered and unfiltered.
// Temperature <= 0: the largest logit, the lowest id on ties. NaN logits count as -infinity.
int sampler_choose(Sampler *sampler, Candidate *candidates, int n, float *prob);
