// AdamW over an adapter's values.
#include <math.h>
#include <string.h>

#include "tune_state.h"

static double length_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

bool tune_step(Tune *t, const TuneAdam *adam, double *norm, Error *err)
{
    double length = length_of(t->grads, t->n_params), max = (double)adam->max_norm;
    if (norm) *norm = length;
    if (!isfinite(length)) {
        tune_clear(t);
        return error_set(err, ERROR_DAMAGED, "the gradient's length is %g, wanted a finite one",
                         length);
    }
    float scale = max > 0 && length > max ? (float)(max / length) : 1;
    t->n_steps++;
    double steps = (double)t->n_steps;
    double first_part = 1 - pow((double)adam->beta1, steps);
    double second_part = 1 - pow((double)adam->beta2, steps);
    float rate = (float)((double)adam->rate / first_part);
    float root = (float)(1 / sqrt(second_part)), shrink = 1 - adam->rate * adam->decay;
    for (size_t i = 0; i < t->n_params; i++) {
        float g = scale * t->grads[i];
        t->first[i] = adam->beta1 * t->first[i] + (1 - adam->beta1) * g;
        t->second[i] = adam->beta2 * t->second[i] + (1 - adam->beta2) * g * g;
        t->params[i] = shrink * t->params[i] -
                       rate * t->first[i] / (root * sqrtf(t->second[i]) + adam->epsilon);
    }
    tune_clear(t);
    return true;
}

void tune_restart(Tune *t)
{
    memset(t->first, 0, t->n_params * sizeof *t->first);
    memset(t->second, 0, t->n_params * sizeof *t->second);
    t->n_steps = 0;
}

int64_t tune_n_steps(const Tune *tune)
{
    return tune->n_steps;
}
