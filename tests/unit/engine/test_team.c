// Steps of a thread team: every item once, on one thread at a time, with what was written before.
#include "unit/unit.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "engine/team.h"

enum { MAX_ITEMS = 1000, MAX_THREADS = 5 };

typedef struct Step {
    const int *input; // written before the step
    int output[MAX_ITEMS];
    atomic_int busy[MAX_THREADS]; // a thread runs one item at a time
    atomic_int n_wrong;
    int n_threads;
} Step;

static void square(void *user, int i, int thread)
{
    Step *s = user;
    if (thread < 0 || thread >= s->n_threads) {
        atomic_fetch_add(&s->n_wrong, 1);
        return;
    }
    if (atomic_fetch_add(&s->busy[thread], 1) != 0) atomic_fetch_add(&s->n_wrong, 1);
    s->output[i] += s->input[i] * s->input[i];
    atomic_fetch_sub(&s->busy[thread], 1);
}

static void check_step(Team *team, Step *s, int *input, int n, int grain, int seed)
{
    for (int i = 0; i < n; i++)
        input[i] = (i + seed) % 1000;
    memset(s->output, 0, sizeof s->output);
    team_run(team, n, grain, square, s);
    for (int i = 0; i < n; i++)
        assert_int_equal(s->output[i], input[i] * input[i]);
    assert_int_equal(atomic_load(&s->n_wrong), 0);
}

static void every_item_runs_once(void **state)
{
    int input[MAX_ITEMS];
    (void)state;
    for (int n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        Team *team = team_new(n_threads);
        Step s = {.input = input, .n_threads = n_threads};
        const int counts[] = {0, 1, 2, 3, 7, 64, MAX_ITEMS}, grains[] = {1, 2, 5, 64, MAX_ITEMS};
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++)
                check_step(team, &s, input, counts[c], grains[g], (int)(c * 31 + g));
        team_free(team);
    }
}

// Thousands of steps without a pause: helpers come late, early and not at all.
static void steps_follow_at_once(void **state)
{
    int input[MAX_ITEMS];
    Team *team = team_new(3);
    Step s = {.input = input, .n_threads = 3};
    (void)state;
    for (int i = 0; i < 5000; i++)
        check_step(team, &s, input, 2 + i % 9, 1 + i % 3, i);
    team_free(team);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// After a pause long enough for sleep the helpers have cost next to nothing, and work again.
static void helpers_sleep_between_steps(void **state)
{
    int input[MAX_ITEMS];
    Team *team = team_new(4);
    Step s = {.input = input, .n_threads = 4};
    (void)state;
    for (int i = 0; i < 5; i++) {
        check_step(team, &s, input, MAX_ITEMS, 1, i);
        double before = cpu_seconds();
        nanosleep(&(struct timespec){0, 100 * 1000 * 1000}, NULL);
        assert_true(cpu_seconds() - before < 0.05);
    }
    team_free(team);
}

static void a_team_that_never_worked_ends(void **state)
{
    (void)state;
    team_free(team_new(8));
    team_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once),
        cmocka_unit_test(steps_follow_at_once),
        cmocka_unit_test(helpers_sleep_between_steps),
        cmocka_unit_test(a_team_that_never_worked_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
