// Every tensor of the file through recipe_choose and the writer.
#include "requantize.h"

#include <string.h>
#include <sys/stat.h>

#include "check_file.h"
#include "engine/importance.h"
#include "engine/kernels/blocks.h"
#include "engine/kernels/kernels.h"
#include "gguf_writer.h"

typedef struct Requantizer {
    const RequantizeOptions *options;
    Gguf *gguf;
    Shape shape;
    GgufWriter writer;
} Requantizer;

static void read_row(void *user, size_t tensor, uint64_t row, float *out)
{
    const Requantizer *r = user;
    const GgufTensor *t = gguf_tensor(r->gguf, tensor);
    const TensorTypeInfo *info = tensor_type_info(t->type);
    size_t n_bytes =
        (size_t)(t->dims[0] / (uint64_t)info->block_elements) * (size_t)info->block_bytes;
    kernels_ref.dequantize(t->type, (const char *)t->data + row * n_bytes, (int)t->dims[0], out);
}

static const float *find_importance(void *user, size_t tensor, uint64_t row)
{
    const Requantizer *r = user;
    return importance_find(r->options->importance, tensor,
                           row / gguf_tensor(r->gguf, tensor)->dims[1]);
}

static bool report(void *user, uint64_t done, uint64_t total)
{
    const RequantizeOptions *o = ((const Requantizer *)user)->options;
    return !o->on_progress || o->on_progress(o->user, done, total);
}

// These describe the file that was read, and the new one gets its own.
static bool is_of_file(Str key)
{
    return str_starts(key, STR("split.")) || str_equal(key, STR("general.alignment")) ||
           str_equal(key, STR("general.file_type")) ||
           str_equal(key, STR("general.quantization_version"));
}

static void add_metadata(Requantizer *r)
{
    for (size_t i = 0; i < gguf_n_values(r->gguf); i++)
        if (!is_of_file(gguf_value(r->gguf, i)->key))
            writer_copy(&r->writer, gguf_value(r->gguf, i));
    writer_put_u32(&r->writer, "general.file_type", (uint32_t)recipe_file_type(r->options->recipe));
    writer_put_u32(&r->writer, "general.quantization_version", 2);
}

static void add_tensors(Requantizer *r, RequantizeResult *result)
{
    const RecipeModel model = {&r->shape, !gguf_find_tensor(r->gguf, "output.weight"),
                               r->options->importance != NULL};
    for (size_t i = 0; i < gguf_n_tensors(r->gguf); i++) {
        const GgufTensor *t = gguf_tensor(r->gguf, i);
        OutTensor out = {.n_dims = t->n_dims};
        memcpy(out.name, t->name.ptr, t->name.len);
        memcpy(out.dims, t->dims, sizeof out.dims);
        const uint64_t wide[4] = {SUPER_BLOCK, t->dims[1], t->dims[2], t->dims[3]};
        out.type = recipe_choose(r->options->recipe, &model, t->name, t->n_dims, t->dims);
        result->n_fallbacks +=
            out.type != recipe_choose(r->options->recipe, &model, t->name, t->n_dims, wide);
        if (tensor_type_info(t->type)->block_elements > 1) result->was_quantised = true;
        if (out.type == t->type) out.data = t->data;
        writer_add_tensor(&r->writer, &out);
    }
}

static bool check_paths(const RequantizeOptions *options, Error *err)
{
    struct stat in, out;
    if (stat(options->in, &in) != 0 || stat(options->out, &out) != 0) return true;
    if (in.st_dev != out.st_dev || in.st_ino != out.st_ino) return true;
    return error_set(err, ERROR_INVALID,
                     "%.160s is read and written, wanted another name for the "
                     "new file",
                     options->out);
}

static bool run(Requantizer *r, RequantizeResult *result, Error *err)
{
    const RequantizeOptions *o = r->options;
    if (!check_paths(o, err) || !(r->gguf = gguf_open(o->in, err)) ||
        !shape_read(r->gguf, &r->shape, err))
        return false;
    add_metadata(r);
    add_tensors(r, result);
    result->in_bytes = gguf_file_bytes(r->gguf);
    result->out_bytes = writer_file_bytes(&r->writer);
    const WriteJob job = {.path = o->out,
                          .overwrite = o->overwrite,
                          .n_threads = o->n_threads,
                          .read_row = read_row,
                          .find_importance = o->importance ? find_importance : NULL,
                          .check = check_model_file,
                          .on_progress = report,
                          .user = r};
    return writer_run(&r->writer, &job, err);
}

bool requantize(const RequantizeOptions *options, RequantizeResult *result, Error *err)
{
    Requantizer r = {.options = options};
    *result = (RequantizeResult){0};
    bool ok = run(&r, result, err);
    writer_deinit(&r.writer);
    gguf_close(r.gguf);
    return ok;
}
