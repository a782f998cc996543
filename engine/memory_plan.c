// Figures and their sum.
#include "memory_plan.h"

#include <unistd.h>

#include "compute.h"
#include "engine.h"
#include "kv.h"

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t find_machine_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
}

// The MTP block's own layer, and the states that it begins with.
static uint64_t count_draft_bytes(const Shape *shape, const Weights *weights)
{
    if (!weights->mtp.present) return 0;
    return kv_bytes_per_token(shape) / (size_t)shape->n_layers +
           (uint64_t)shape->n_embd * sizeof(uint16_t);
}

MemoryPlan memory_plan_make(const Shape *shape, const Weights *weights, int n_ctx, int n_threads)
{
    if (n_ctx == 0)
        n_ctx = shape->n_ctx_train < ENGINE_DEFAULT_CTX ? shape->n_ctx_train : ENGINE_DEFAULT_CTX;
    MemoryPlan plan = {.n_ctx = n_ctx,
                       .weights = weights->n_bytes,
                       .active = weights->n_active_bytes,
                       .copies = weights->n_copied_bytes,
                       .cache_a_token =
                           kv_bytes_per_token(shape) + count_draft_bytes(shape, weights),
                       .machine = find_machine_bytes()};
    plan.buffers = compute_bytes(n_threads ? n_threads : 1, shape, weights, n_ctx);
    if (__builtin_mul_overflow(plan.cache_a_token, (uint64_t)n_ctx, &plan.cache))
        plan.cache = UINT64_MAX;
    return plan;
}

bool memory_plan_read(const char *path, int n_ctx, int n_threads, MemoryPlan *out, Error *err)
{
    Shape shape;
    Weights weights = {0};
    Gguf *gguf = gguf_open(path, err);
    bool ok = gguf && shape_read(gguf, &shape, err) && weights_bind(gguf, &shape, &weights, err);
    if (ok) *out = memory_plan_make(&shape, &weights, n_ctx, n_threads);
    weights_deinit(&weights);
    gguf_close(gguf);
    return ok;
}

uint64_t memory_plan_total(const MemoryPlan *plan)
{
    return add(add(plan->weights, plan->copies), add(plan->buffers, plan->cache));
}

static bool check_limit(const MemoryPlan *plan, uint64_t max_bytes, Error *err)
{
    const double mega = 1 << 20;
    uint64_t own = add(plan->copies, add(plan->buffers, plan->cache));
    if (max_bytes == 0 || own <= max_bytes) return true;
    return error_set(err, ERROR_NO_MEMORY,
                     "the model needs %.0f MB beside its mapped file (copies %.0f, buffers %.0f, "
                     "cache of %d tokens %.0f), its limit is %.0f MB",
                     (double)own / mega, (double)plan->copies / mega, (double)plan->buffers / mega,
                     plan->n_ctx, (double)plan->cache / mega, (double)max_bytes / mega);
}

bool memory_plan_check(const MemoryPlan *plan, uint64_t max_bytes, Error *err)
{
    const double giga = 1e9;
    if (!check_limit(plan, max_bytes, err)) return false;
    uint64_t total = memory_plan_total(plan);
    if (total <= plan->machine) return true;
    return error_set(err, ERROR_NO_MEMORY,
                     "the model needs %.1f GB (weights %.1f, copies %.1f, buffers %.1f, cache of "
                     "%d tokens %.1f), this machine has %.1f GB",
                     (double)total / giga, (double)plan->weights / giga,
                     (double)plan->copies / giga, (double)plan->buffers / giga, plan->n_ctx,
                     (double)plan->cache / giga, (double)plan->machine / giga);
}
