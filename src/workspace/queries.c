// Compiling takes 5 to 20 ms and the result never changes, so it is done at first use and kept: the
// program's one cache behind a lock of its own, held only while compiling.
#include "workspace/queries.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

enum { MAX_LANGUAGES = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(TSQuery *) cache[MAX_LANGUAGES][QUERY_KINDS]; // written under the lock

static atomic_bool ready[MAX_LANGUAGES];

static size_t row_of(const Language *lang)
{
    size_t n;
    size_t row = (size_t)(lang - languages(&n));
    assert(row < n && n <= MAX_LANGUAGES);
    return row;
}

static TSQuery *compile(const Language *lang, const char *const *sources)
{
    StrBuf text = {0};
    uint32_t at = 0;
    TSQueryError kind = TSQueryErrorNone;
    for (; sources && *sources; sources++)
        strbuf_append(&text, str_from(*sources));
    if (text.len == 0) return NULL;
    TSQuery *query = ts_query_new(lang->grammar(), text.ptr, (uint32_t)text.len, &at, &kind);
    if (!query) {
        fprintf(stderr, "r1ls: query of %s, error %d at: %.60s\n", lang->id, (int)kind,
                text.ptr + at);
        abort();
    }
    strbuf_deinit(&text);
    return query;
}

// The packages' highlight queries guess from a name's look what it is.
static void disable_guesses(TSQuery *query)
{
    for (uint32_t i = 0; query && i < ts_query_pattern_count(query); i++) {
        uint32_t n_steps;
        ts_query_predicates_for_pattern(query, i, &n_steps);
        if (n_steps) ts_query_disable_pattern(query, i);
    }
}

const TSQuery *queries_get(const Language *lang, QueryKind kind)
{
    size_t row = row_of(lang);
    const char *const *lists[QUERY_KINDS] = {lang->queries.definitions, lang->queries.references,
                                             lang->queries.scopes,      lang->queries.bodies,
                                             lang->queries.rules,       lang->queries.highlights};
    TSQuery *query = atomic_load_explicit(&cache[row][kind], memory_order_acquire);
    if (query) return query;
    pthread_mutex_lock(&lock);
    query = atomic_load_explicit(&cache[row][kind], memory_order_relaxed);
    if (!query) {
        query = compile(lang, lists[kind]);
        if (kind == QUERY_HIGHLIGHTS) disable_guesses(query);
        atomic_store_explicit(&cache[row][kind], query, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return query;
}

void queries_prepare(const Language *lang)
{
    for (int kind = 0; kind < QUERY_KINDS; kind++)
        queries_get(lang, (QueryKind)kind);
    atomic_store(&ready[row_of(lang)], true);
}

bool queries_are_ready(const Language *lang)
{
    return atomic_load(&ready[row_of(lang)]);
}
