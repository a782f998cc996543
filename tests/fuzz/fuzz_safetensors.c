// Any bytes as a safetensors file: whatever is accepted lies inside the image and can be read.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "models/safetensors.h"

static void read_tensor(const StTensor *t, const uint8_t *data, size_t n_bytes)
{
    assert(t->data >= data && t->data <= data + n_bytes);
    assert(t->n_bytes <= (size_t)(data + n_bytes - t->data));
    assert(t->n_dims >= 0 && t->n_dims <= ST_MAX_DIMS);
    if (!st_is_float(t->type) || t->n_elements > n_bytes) return;
    float *out = malloc((size_t)t->n_elements * sizeof *out + 1);
    st_read(t, 0, (size_t)t->n_elements, out);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    Error err = {0};
    Safetensors *model = safetensors_open_image(data, n_bytes, &err);
    assert((model == NULL) == (err.code != ERROR_NONE));
    if (!model) return 0;
    for (size_t i = 0; i < safetensors_n_tensors(model); i++) {
        const StTensor *t = safetensors_tensor(model, i);
        assert(safetensors_find(model, t->name) == t);
        read_tensor(t, data, n_bytes);
    }
    safetensors_close(model);
    return 0;
}
