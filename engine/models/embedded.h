// The default model that is linked into the binary (engine/models/README.md is its card).
#pragma once

#include <stddef.h>

// The GGUF image; read-only, page-aligned, valid for the life of the process. Any thread.
const void *embedded_model_image(size_t *n_bytes);
// The adapter of coder-1.5b for the closed loop, likewise.
const void *embedded_adapter_image(size_t *n_bytes);
