// Filters see the untempered distribution: top-k, then top-p, then min-p, then temperature and the
// draw. Tokens under e^-24 of the best one's probability are dropped first: together they weigh
// less than float's own rounding, and sorting 150,000 of them is what would take the time.
#include "sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

static const float NEGLIGIBLE = 24;
enum { FEW = 256 };

void sampler_init(Sampler *sampler, const SamplerOptions *options)
{
    *sampler = (Sampler){.options = *options, .state = options->seed};
}

static int find_best(Candidate *candidates, int n)
{
    float top = -INFINITY;
    int best = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(candidates[i].logit)) candidates[i].logit = -INFINITY;
        if (candidates[i].logit <= top) continue;
        top = candidates[i].logit;
        best = i;
    }
    return best;
}

// Four sums, because one that waits for the sum before it takes twice as long over a vocabulary.
static double sum_weights(const Candidate *candidates, int n, float max)
{
    double sums[4] = {0};
    int i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++)
            sums[j] += (double)expf(candidates[i + j].logit - max);
    for (; i < n; i++)
        sums[0] += (double)expf(candidates[i].logit - max);
    return sums[0] + sums[1] + (sums[2] + sums[3]);
}

static int by_logit(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit < y->logit ? 1 : -1;
    return x->id - y->id;
}

// Sorts; of n candidates the first k are wanted (0: all). An unsure model leaves thousands near the
// best: where few are wanted, each of the others is compared with the last of them alone.
static int sort_first(Candidate *candidates, int n, int k)
{
    int kept = k > 0 && k < n ? k : n;
    int sorted = kept <= FEW ? kept : n;
    qsort(candidates, (size_t)sorted, sizeof *candidates, by_logit);
    for (int i = sorted; i < n; i++) {
        Candidate c = candidates[i];
        int at = kept;
        while (at > 0 && by_logit(&c, &candidates[at - 1]) < 0)
            at--;
        if (at == kept) continue;
        memmove(candidates + at + 1, candidates + at, (size_t)(kept - 1 - at) * sizeof *candidates);
        candidates[at] = c;
    }
    return kept;
}

static int keep_near(Candidate *candidates, int n, float max)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (candidates[i].logit >= max - NEGLIGIBLE) candidates[kept++] = candidates[i];
    return kept;
}

// Of n candidates of `total` weight those that top_p may need, unsorted: what is under an n-th of
// the rest weighs less than the rest, all together.
static int keep_likely(Candidate *candidates, int n, float max, float top_p, double total)
{
    double least = (1 - (double)top_p) * total / n;
    float bound = max + logf(fmaxf((float)least, FLT_MIN));
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (candidates[i].logit >= bound) candidates[kept++] = candidates[i];
    return kept;
}

// The length of the shortest sorted prefix whose probabilities reach top_p.
static int cut_top_p(const Candidate *sorted, int n, float max, float top_p, double total)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += (double)expf(sorted[i].logit - max);
        if (sum >= (double)top_p * total) return i + 1;
    }
    return n;
}

static int cut_min_p(const Candidate *sorted, int n, float max, float min_p)
{
    float least = max + logf(min_p);
    while (n > 1 && sorted[n - 1].logit < least)
        n--;
    return n;
}

static int draw(Sampler *sampler, const Candidate *candidates, int n, float max)
{
    double total = 0, inverse = 1 / (double)sampler->options.temperature;
    for (int i = 0; i < n; i++)
        total += exp((double)(candidates[i].logit - max) * inverse);
    double left = random_uniform(&sampler->state) * total;
    for (int i = 0; i < n - 1; i++) {
        left -= exp((double)(candidates[i].logit - max) * inverse);
        if (left < 0) return i;
    }
    return n - 1;
}

int sampler_choose(Sampler *sampler, Candidate *candidates, int n, float *prob)
{
    const SamplerOptions *o = &sampler->options;
    int best = find_best(candidates, n);
    float max = candidates[best].logit;
    if (!isfinite(max)) { // all NaN or infinite: any choice is as good, and it must be one
        *prob = 0;
        return candidates[best].id;
    }
    double total = sum_weights(candidates, n, max);
    Candidate chosen = candidates[best];
    if (o->temperature > 0) {
        int kept = keep_near(candidates, n, max);
        bool cuts = o->top_k > 0 || o->top_p < 1 || o->min_p > 0;
        double all = total;
        if (o->top_p < 1 && o->top_k <= 0)
            kept = keep_likely(candidates, kept, max, o->top_p, total);
        if (cuts) kept = sort_first(candidates, kept, o->top_k);
        if (o->top_k > 0) all = sum_weights(candidates, kept, max);
        if (o->top_p < 1) kept = cut_top_p(candidates, kept, max, o->top_p, all);
        if (o->min_p > 0) kept = cut_min_p(candidates, kept, max, o->min_p);
        chosen = candidates[draw(sampler, candidates, kept, max)];
    }
    *prob = (float)((double)expf(chosen.logit - max) / total);
    return chosen.id;
}
