// A few places under a lock: the engine thread adds steps to the newest, others read them.
#include "expectation.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// A prompt ends at the start of the cursor's word or a token before it.
enum { MAX_STEPS = 8, MAX_HELD = 64, MAX_NAME_IDS = 64 };
// The cursor's, that after the suggestion there (worked out ahead), and one of another window.
enum { N_PLACES = 3 };

typedef struct Step {
    float *logits; // [n_vocab]
    int id;        // that was chosen
    double log_sum;
} Step;

typedef struct Place {
    unsigned long long path, before; // hashes of the document's path and of its text up to byte_off
    size_t byte_off, n_bytes;        // where the prompt ends; bytes of the steps' tokens
    unsigned begun;                  // the higher, the newer
    int n_steps;
    Step steps[MAX_STEPS];
} Place;

struct Expectation {
    void (*changed)(void *user);
    void *user;
    pthread_mutex_t lock; // of all below
    int n_vocab;
    unsigned n_begun;
    Place places[N_PLACES], *newest;
};

static void free_rows(Expectation *e)
{
    for (Place *place = e->places; place < e->places + N_PLACES; place++) {
        place->n_steps = 0;
        for (int i = 0; i < MAX_STEPS; i++) {
            free(place->steps[i].logits);
            place->steps[i].logits = NULL;
        }
    }
}

Expectation *expectation_new(void (*changed)(void *user), void *user)
{
    Expectation *e = mem_zero(sizeof *e);
    e->changed = changed;
    e->user = user;
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

void expectation_free(Expectation *e)
{
    if (!e) return;
    pthread_mutex_destroy(&e->lock);
    free_rows(e);
    free(e);
}

void expectation_forget(Expectation *e)
{
    pthread_mutex_lock(&e->lock);
    free_rows(e);
    pthread_mutex_unlock(&e->lock);
}

void expectation_begin(Expectation *e, Str path, Str text, size_t byte_off)
{
    unsigned long long hash = str_hash(path, 0), before = str_hash(str_slice(text, 0, byte_off), 0);
    pthread_mutex_lock(&e->lock);
    Place *place = &e->places[0];
    for (Place *other = e->places; other < e->places + N_PLACES; other++) {
        bool same = other->path == hash && other->before == before && other->byte_off == byte_off;
        if (same || other->begun < place->begun) place = other;
        if (same) break;
    }
    place->path = hash;
    place->before = before;
    place->byte_off = byte_off;
    place->n_steps = 0;
    place->n_bytes = 0;
    place->begun = ++e->n_begun;
    e->newest = place;
    pthread_mutex_unlock(&e->lock);
}

static double sum_logits(const float *logits, int n)
{
    float max = logits[0];
    double sum = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > max) max = logits[i];
    for (int i = 0; i < n; i++)
        sum += (double)expf(logits[i] - max);
    return sum > 0 ? (double)max + log(sum) : 0; // of numbers that are none
}

static void add(Expectation *e, const float *logits, int n_vocab, int id, Str bytes, double log_sum)
{
    if (e->n_vocab != n_vocab) free_rows(e); // of another model
    e->n_vocab = n_vocab;
    Place *place = e->newest;
    Step *step = &place->steps[place->n_steps++];
    if (!step->logits) step->logits = mem_alloc((size_t)n_vocab * sizeof *step->logits);
    memcpy(step->logits, logits, (size_t)n_vocab * sizeof *step->logits);
    step->id = id;
    step->log_sum = log_sum;
    place->n_bytes += bytes.len;
}

void expectation_add(Expectation *e, const float *logits, int n_vocab, int id, Str bytes)
{
    assert(e->newest);
    if (e->newest->n_steps == MAX_STEPS) return; // this thread alone writes it
    double log_sum = sum_logits(logits, n_vocab);
    pthread_mutex_lock(&e->lock);
    add(e, logits, n_vocab, id, bytes, log_sum);
    pthread_mutex_unlock(&e->lock);
    if (e->changed) e->changed(e->user);
}

// Under the lock. NULL: nothing is known.
static const Place *find_place(const Expectation *e, Str path, Str text, ByteRange word,
                               ExpectationReach *reach)
{
    const Place *best = NULL;
    unsigned long long hash = str_hash(path, 0);
    *reach = EXPECTATION_ELSEWHERE;
    for (const Place *place = e->places; place < e->places + N_PLACES; place++) {
        bool near = place->n_steps > 0 && place->path == hash && place->byte_off <= word.start &&
                    word.start - place->byte_off <= MAX_HELD;
        if (!near || place->before != str_hash(str_slice(text, 0, place->byte_off), 0)) continue;
        bool there = place->n_bytes > word.end - place->byte_off || place->n_steps == MAX_STEPS;
        ExpectationReach found = there ? EXPECTATION_THERE : EXPECTATION_BEFORE;
        if (best && (found < *reach || (found == *reach && place->begun < best->begun))) continue;
        best = place;
        *reach = found;
    }
    return best;
}

ExpectationReach expectation_reach(Expectation *e, Str path, Str text, ByteRange word)
{
    ExpectationReach reach;
    pthread_mutex_lock(&e->lock);
    find_place(e, path, text, word, &reach);
    pthread_mutex_unlock(&e->lock);
    return reach;
}

// Where what is known of a name ends: at a step, by a token.
typedef struct Leaf {
    int step, id;
} Leaf;

// How probable it is that the word ends before a step: no token there goes on with it.
static double end_of_word(const Step *step, const Engine *engine, int n_vocab)
{
    double sum = 0;
    for (int id = 0; id < n_vocab; id++) {
        Str bytes = engine_token_bytes(engine, id);
        if (bytes.len && str_is_word_byte(bytes.ptr[0]))
            sum += exp((double)step->logits[id] - step->log_sum);
    }
    return sum < 1 ? 1 - sum : 0;
}

static float follow(const Place *place, const Engine *engine, int n_vocab, const int *ids, int n,
                    Leaf *leaf)
{
    double sum = 0;
    int k = 0;
    for (; k < n && k < place->n_steps; k++) {
        const Step *step = &place->steps[k];
        sum += (double)step->logits[ids[k]] - step->log_sum;
        *leaf = (Leaf){k, ids[k]};
        if (ids[k] != step->id) return (float)sum;
    }
    if (k == place->n_steps) return (float)sum;
    leaf->id = -1 - leaf->id; // known whole: it shares with none
    return (float)(sum + log(end_of_word(&place->steps[k], engine, n_vocab) + 1e-6));
}

// Of names that leave the path by one token none is known to be likelier than another.
static void share(const Leaf *leaves, size_t n, float *scores)
{
    for (size_t i = 0; i < n; i++) {
        int n_same = 1; // itself
        for (size_t j = 0; j < n; j++)
            n_same += j != i && leaves[j].step == leaves[i].step && leaves[j].id == leaves[i].id;
        scores[i] -= logf((float)n_same);
    }
}

bool expectation_rank(Expectation *e, const Engine *engine, Str path, Str text, ByteRange at,
                      const Str *names, size_t n, Arena *arena, float *scores)
{
    ExpectationReach reach;
    int ids[MAX_NAME_IDS];
    Leaf *leaves = arena_array(arena, n + 1, sizeof *leaves);
    StrBuf word = {0};
    pthread_mutex_lock(&e->lock);
    const Place *place = find_place(e, path, text, at, &reach);
    bool there = reach == EXPECTATION_THERE && e->n_vocab == engine_info(engine)->n_vocab;
    for (size_t i = 0; there && i < n; i++) {
        strbuf_clear(&word);
        strbuf_append(&word, str_slice(text, place->byte_off, at.start));
        strbuf_append(&word, names[i]);
        size_t n_ids = engine_tokenize(engine, strbuf_str(&word), false, ids, MAX_NAME_IDS);
        int n_read = (int)(n_ids < MAX_NAME_IDS ? n_ids : MAX_NAME_IDS);
        scores[i] = follow(place, engine, e->n_vocab, ids, n_read, &leaves[i]);
    }
    pthread_mutex_unlock(&e->lock);
    strbuf_deinit(&word);
    if (there) share(leaves, n, scores);
    return there;
}
