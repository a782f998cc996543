// The two limits of this machine, of all threads together: bytes a second that are read from
// memory, and 8-bit multiply-adds a second in registers. Prints them as JSON: what a decode step
// and a prefill could reach at most, since the one reads every weight once and the other multiplies
// with each. usage: roofline THREADS
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { RUNS = 7, CHAINS = 12, STEPS = 20 * 1000 * 1000 };

static const size_t BYTES = (size_t)768 << 20; // well above any cache

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static unsigned long long sum_words(const unsigned long long *p, size_t n)
{
    unsigned long long sum[8] = {0};
    for (size_t i = 0; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            sum[j] += p[i + (size_t)j];
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

// The best of the runs: a run is disturbed by whatever else the machine does, never helped.
static double read_rate(int n_threads)
{
    unsigned long long total = 0;
    double best = 0;
    char *data = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return 0;
    madvise(data, BYTES, MADV_HUGEPAGE);
    memset(data, 1, BYTES);
    size_t part = BYTES / (size_t)n_threads / 64 * 64;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
#pragma omp parallel num_threads(n_threads) reduction(+ : total)
        total += sum_words((const void *)(data + (size_t)omp_get_thread_num() * part),
                           part / sizeof(unsigned long long));
        double rate = (double)(part * (size_t)n_threads) / (now() - start);
        if (rate > best) best = rate;
    }
    munmap(data, BYTES);
    return total ? best : 0; // the sum is used, so that it is computed
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static int multiply(int n)
{
    __m512i sum[CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1);
    for (int c = 0; c < CHAINS; c++)
        sum[c] = _mm512_set1_epi32(c);
    for (int i = 0; i < n; i++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            sum[c] = _mm512_dpbusd_epi32(sum[c], a, b);
        __asm__ volatile("" : "+v"(a)); // or the loop is multiplied out
    }
    for (int c = 1; c < CHAINS; c++)
        sum[0] = _mm512_add_epi32(sum[0], sum[c]);
    return _mm512_reduce_add_epi32(sum[0]);
}

static double multiply_rate(int n_threads)
{
    if (!__builtin_cpu_supports("avx512vnni")) return 0;
    double best = 0;
    int total = 0;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
#pragma omp parallel num_threads(n_threads) reduction(^ : total)
        total ^= multiply(STEPS / CHAINS);
        double rate = (double)(STEPS / CHAINS * CHAINS) * 64 * n_threads / (now() - start);
        if (rate > best) best = rate;
    }
    return total != 1 ? best : 0;
}
#else
static double multiply_rate(int n_threads)
{
    (void)n_threads;
    return 0;
}
#endif

int main(int argc, char **argv)
{
    int n_threads = argc > 1 ? atoi(argv[1]) : 0;
    if (n_threads < 1) {
        fprintf(stderr, "usage: roofline THREADS\n");
        return 2;
    }
    printf("{\"threads\": %d, \"read_bytes\": %.4g, \"int8_products\": %.4g}\n", n_threads,
           read_rate(n_threads), multiply_rate(n_threads));
    return 0;
}
