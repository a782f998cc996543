// Quantising: rows of F32 into any type that the engine reads (engine/kernels/blocks.h).
//
// Scales are fitted by weighted least squares: for each block a few scales around the obvious one
// are tried, each with the best whole numbers for it and then the best scale for those numbers.
// Large elements weigh more, and columns that calibration text uses weigh more still. The result
// depends on the row alone, never on threads or machine. Pure functions; any thread.
#pragma once

#include <stdbool.h>

#include "engine/gguf.h"

// Writes n elements of x as `type` into out (as many bytes as such a row has; n a multiple of the
// type's block). importance: [n] numbers of at least 0, the mean square of what each column is
// multiplied with; NULL: unknown. False if x has a NaN or an infinity, or a number that the type
// cannot hold: out is then undefined.
bool quantize_row(TensorType type, const float *x, int n, const float *importance, void *out);
