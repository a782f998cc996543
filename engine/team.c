// A step's parts are dealt to the threads, and who has done his own takes those of others: a thread
// that comes late, or not at all, is not waited for. A slot has what one thread was dealt and is
// otherwise touched by thieves alone, because a cache line that goes from core to core costs as
// much as a small part.
//
// A part is taken by counting a slot's `left` down, and the step's description is read after that.
// It stays until the part is counted as done: a helper that comes late finds no part and reads
// nothing, whatever step runs by then.
#include "team.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// Some 50 microseconds: the gaps between the steps of a pass are shorter, those between passes
// are often longer.
enum { SPINS = 2000, CACHE_LINE = 64 };

typedef struct Helper {
    Team *team;
    int thread;
    pthread_t handle;
} Helper;

// What a thread was dealt of a step: the parts before end_part, of `grain` items each.
typedef struct Slot {
    _Alignas(CACHE_LINE) atomic_int left; // parts that nobody has taken
    int end_part;
    int n_items, grain;
    TeamItem *item;
    void *user;
    _Alignas(CACHE_LINE) atomic_uint n_done; // parts that this thread did, of all steps
} Slot;

struct Team {
    Slot *slots;     // [n_threads]
    Helper *helpers; // [n_threads - 1]
    int n_threads, n_started;
    bool started;
    unsigned n_dealt; // parts of all steps: what the slots' n_done come to after the last

    _Alignas(CACHE_LINE) atomic_int n_asleep;
    atomic_bool ends;
    pthread_mutex_t lock;   // of falling asleep and being woken
    pthread_cond_t changed; // a slot's left or n_done, or ends
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

// Returns once the condition holds for the thread. It is looked at after n_asleep has been raised,
// and wake looks at n_asleep after the condition has been made true: one of the two sees the other.
static void wait_until(Team *t, bool (*holds)(Team *t, int thread), int thread)
{
    for (int i = 0; i < SPINS; i++) {
        if (holds(t, thread)) return;
        relax();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->n_asleep, 1);
    while (!holds(t, thread))
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

static bool has_work(Team *t, int thread)
{
    return atomic_load(&t->slots[thread].left) > 0 || atomic_load(&t->ends);
}

static bool is_done(Team *t, int thread)
{
    unsigned n_done = 0;
    (void)thread;
    for (int i = 0; i < t->n_threads; i++)
        n_done += atomic_load(&t->slots[i].n_done);
    return n_done == t->n_dealt;
}

// --- steps ---------------------------------------------------------------------------------------

static void run_items(TeamItem *item, void *user, int first, int end, int thread)
{
    for (int i = first; i < end; i++)
        item(user, i, thread);
}

// Parts of a slot, until none is left; returns how many.
static unsigned take_parts(Slot *s, int thread)
{
    unsigned n_taken = 0;
    int left = atomic_load_explicit(&s->left, memory_order_relaxed);
    while (left > 0) {
        if (!atomic_compare_exchange_weak(&s->left, &left, left - 1)) continue;
        int first = (s->end_part - left) * s->grain, end = first + s->grain;
        run_items(s->item, s->user, first, end < s->n_items ? end : s->n_items, thread);
        n_taken++;
        left = atomic_load_explicit(&s->left, memory_order_relaxed);
    }
    return n_taken;
}

// The thread's own parts, then those of the others. What was done is told at once after each slot:
// the caller may wait for nothing else.
static void take_all(Team *t, int thread)
{
    for (int i = 0; i < t->n_threads; i++) {
        Slot *own = &t->slots[thread];
        unsigned n_taken = take_parts(&t->slots[(thread + i) % t->n_threads], thread);
        if (n_taken > 0) atomic_fetch_add(&own->n_done, n_taken);
    }
}

static void *help(void *helper)
{
    Team *t = ((Helper *)helper)->team;
    int thread = ((Helper *)helper)->thread;
    while (!atomic_load(&t->ends)) {
        take_all(t, thread);
        wake(t);
        wait_until(t, has_work, thread);
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
    t->slots = aligned_alloc(CACHE_LINE, (size_t)n_threads * sizeof *t->slots);
    if (!t->slots) abort();
    memset(t->slots, 0, (size_t)n_threads * sizeof *t->slots);
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
    free(team->slots);
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
    for (int i = team->n_threads - 1; i >= 0; i--) { // the caller's, who is there already, last
        Slot *slot = &team->slots[i];
        int first = (int)((long)n_parts * (team->n_threads - 1 - i) / team->n_threads);
        slot->end_part = (int)((long)n_parts * (team->n_threads - i) / team->n_threads);
        slot->n_items = n;
        slot->grain = grain;
        slot->item = item;
        slot->user = user;
        atomic_store(&slot->left, slot->end_part - first);
    }
    team->n_dealt += (unsigned)n_parts;
    wake(team);
    take_all(team, 0);
    wait_until(team, is_done, 0);
}
