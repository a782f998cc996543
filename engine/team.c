// A step is handed out by one counter of the parts that are left, and its end seen by one of those
// that are done. Who takes a part reads the step's description after that, and the description
// stays until the part is counted as done: a helper that comes late finds no part and touches
// nothing, whatever step runs by then.
#include "team.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

// Some 50 microseconds: the gaps between the steps of a pass are shorter, those between passes
// are often longer.
enum { SPINS = 2000, CACHE_LINE = 64 };

typedef struct Helper {
    Team *team;
    int thread;
    pthread_t handle;
} Helper;

struct Team {
    Helper *helpers; // [n_threads - 1]
    int n_threads, n_started;
    bool started;

    // The step.
    TeamItem *item;
    void *user;
    int n_items, grain, n_parts;

    _Alignas(CACHE_LINE) atomic_int n_left; // parts that nobody has taken
    _Alignas(CACHE_LINE) atomic_int n_done;
    _Alignas(CACHE_LINE) atomic_int n_asleep;
    atomic_bool ends;
    pthread_mutex_t lock;   // of falling asleep and being woken
    pthread_cond_t changed; // n_left, n_done or ends
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// --- sleeping ------------------------------------------------------------------------------------

// Returns once the condition holds. It is looked at after n_asleep has been raised, and wake looks
// at n_asleep after the condition has been made true: one of the two sees the other.
static void wait_until(Team *t, bool (*holds)(Team *t))
{
    for (int i = 0; i < SPINS; i++) {
        if (holds(t)) return;
        relax();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->n_asleep, 1);
    while (!holds(t))
        pthread_cond_wait(&t->changed, &t->lock);
    atomic_fetch_sub(&t->n_asleep, 1);
    pthread_mutex_unlock(&t->lock);
}

static void wake(Team *t)
{
    if (atomic_load(&t->n_asleep) == 0) return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static bool has_work(Team *t)
{
    return atomic_load(&t->n_left) > 0 || atomic_load(&t->ends);
}

static bool is_done(Team *t)
{
    return atomic_load(&t->n_done) == t->n_parts;
}

// --- steps ---------------------------------------------------------------------------------------

static void run_items(TeamItem *item, void *user, int first, int end, int thread)
{
    for (int i = first; i < end; i++)
        item(user, i, thread);
}

// Parts of the step, until none is left.
static void take_parts(Team *t, int thread)
{
    int left = atomic_load(&t->n_left);
    while (left > 0) {
        if (!atomic_compare_exchange_weak(&t->n_left, &left, left - 1)) continue;
        int n_parts = t->n_parts, first = (n_parts - left) * t->grain, end = first + t->grain;
        run_items(t->item, t->user, first, end < t->n_items ? end : t->n_items, thread);
        if (atomic_fetch_add(&t->n_done, 1) + 1 == n_parts) wake(t);
        left = atomic_load(&t->n_left);
    }
}

static void *help(void *helper)
{
    Team *t = ((Helper *)helper)->team;
    while (!atomic_load(&t->ends)) {
        take_parts(t, ((Helper *)helper)->thread);
        wait_until(t, has_work);
    }
    return NULL;
}

// Signals are for the threads that expect them.
static void start_helpers(Team *t)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; i < t->n_threads - 1; i++) {
        Helper *h = &t->helpers[i];
        *h = (Helper){.team = t, .thread = i + 1};
        if (pthread_create(&h->handle, NULL, help, h) != 0) break;
        t->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    t->started = true;
}

Team *team_new(int n_threads)
{
    assert(n_threads >= 1);
    Team *t = aligned_alloc(CACHE_LINE, sizeof *t);
    if (!t) abort();
    *t = (Team){.n_threads = n_threads};
    t->helpers = mem_zero((size_t)n_threads * sizeof *t->helpers);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    return t;
}

void team_free(Team *team)
{
    if (!team) return;
    atomic_store(&team->ends, true);
    wake(team);
    for (int i = 0; i < team->n_started; i++)
        pthread_join(team->helpers[i].handle, NULL);
    pthread_cond_destroy(&team->changed);
    pthread_mutex_destroy(&team->lock);
    free(team->helpers);
    free(team);
}

void team_run(Team *team, int n, int grain, TeamItem *item, void *user)
{
    assert(grain >= 1);
    int n_parts = n / grain + (n % grain != 0);
    if (team->n_threads == 1 || n_parts <= 1) {
        run_items(item, user, 0, n, 0);
        return;
    }
    if (!team->started) start_helpers(team);
    team->item = item;
    team->user = user;
    team->n_items = n;
    team->grain = grain;
    team->n_parts = n_parts;
    atomic_store(&team->n_done, 0);
    atomic_store(&team->n_left, n_parts);
    wake(team);
    take_parts(team, 0);
    wait_until(team, is_done);
}
