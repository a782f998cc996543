// The choice of a table, once, when a model is opened.
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "kernels.h"

#if defined(__x86_64__)
// clang 14 does not know this feature by name.
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static const Kernels *find_fast(const char *name)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    bool avx512 = avx2 && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vnni");
    if (avx512 && (!name || strcmp(name, "avx512") == 0)) return &kernels_avx512;
    if (avx2 && (!name || strcmp(name, "avx2") == 0)) return &kernels_avx2;
#elif defined(__aarch64__)
    bool sdot = getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
    if (sdot && (!name || strcmp(name, "neon") == 0)) return &kernels_neon;
#else
    (void)name;
#endif
    return NULL;
}

const Kernels *kernels_find(const char *name)
{
    const Kernels *found = find_fast(name);
    if (found) return found;
    if (!name || strcmp(name, "ref") == 0) return &kernels_ref;
    return strcmp(name, "exact") == 0 ? kernels_exact() : NULL;
}
