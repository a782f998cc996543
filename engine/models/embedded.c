// Gives the linked-in bytes a size.
#include "engine/models/embedded.h"

extern const char embedded_model_start[], embedded_model_end[];

const void *embedded_model_image(size_t *n_bytes)
{
    *n_bytes = (size_t)(embedded_model_end - embedded_model_start);
    return embedded_model_start;
}

extern const char embedded_adapter_start[], embedded_adapter_end[];

const void *embedded_adapter_image(size_t *n_bytes)
{
    *n_bytes = (size_t)(embedded_adapter_end - embedded_adapter_start);
    return embedded_adapter_start;
}
