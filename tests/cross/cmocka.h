// What the kernels' test needs of cmocka, for a target whose libraries are not installed here.
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

enum { CROSS_SKIPPED = 1, CROSS_FAILED };

static jmp_buf cross_end;

#define cmocka_unit_test(function)                                                                 \
    {                                                                                              \
#function, function                                                                        \
    }
#define skip() longjmp(cross_end, CROSS_SKIPPED)
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        printf("%s:%d: ", __FILE__, __LINE__);                                                     \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        longjmp(cross_end, CROSS_FAILED);                                                          \
    } while (0)
#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) fail_msg("%s does not hold", #condition);                                \
    } while (0)
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_in_range(value, least, most) assert_true((value) >= (least) && (value) <= (most))
#define assert_memory_equal(a, b, size) assert_true(memcmp(a, b, size) == 0)
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    cross_run_tests(tests, sizeof(tests) / sizeof *(tests))

// The number of failures.
static int cross_run_tests(const struct CMUnitTest *tests, size_t n)
{
    static const char *const ends[] = {"OK", "SKIPPED", "FAILED"};
    volatile int n_failed = 0; // kept over longjmp, as i
    for (volatile size_t i = 0; i < n; i++) {
        void *state = NULL;
        int end = setjmp(cross_end);
        if (end == 0) tests[i].run(&state);
        printf("[ %7s ] %s\n", ends[end], tests[i].name);
        n_failed = n_failed + (end == CROSS_FAILED);
    }
    return n_failed;
}
