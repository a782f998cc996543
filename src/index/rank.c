// The votes are collected once, as rows of a sparse matrix; iterations over them are cheap.
#include "index/rank.h"

#include <string.h>

enum { MAX_VOTES = 64, MAX_DEFINERS = 12, MIN_NAME = 3, N_ITERATIONS = 20 };
static const float DAMPING = 0.85F;

struct RankRun {
    size_t n_files, n_collected;
    int n_iterations;
    uint32_t *row_ends; // of n_files
    VEC(RankVote) votes;
    float *rank, *next, *scratch;
};

RankRun *rank_begin(const Table *table)
{
    RankRun *run = mem_zero(sizeof *run);
    run->n_files = table->n_files;
    run->row_ends = mem_zero((run->n_files + 1) * sizeof *run->row_ends);
    run->rank = mem_zero((run->n_files + 1) * sizeof *run->rank);
    run->next = mem_zero((run->n_files + 1) * sizeof *run->next);
    run->scratch = mem_zero((run->n_files + 1) * sizeof *run->scratch);
    for (size_t i = 0; i < run->n_files; i++)
        run->rank[i] = 1;
    return run;
}

static int by_weight(const void *a, const void *b)
{
    const RankVote *x = a, *y = b;
    if (x->weight < y->weight || x->weight > y->weight) return x->weight > y->weight ? -1 : 1;
    return (x->file > y->file) - (x->file < y->file);
}

// Those that define a name, unless they are so many that it says nothing, or the file itself does.
static size_t find_definers(const Table *table, uint32_t name, uint32_t self, uint32_t *out)
{
    size_t n = 0;
    if (names_text(&table->names, name).len < MIN_NAME) return 0;
    for (const Posting *p = table_first(table, name); p; p = table_next(table, p)) {
        if (n == MAX_DEFINERS || p->file == self) return 0;
        out[n++] = p->file;
    }
    return n;
}

size_t rank_votes(const Table *table, uint32_t file, float *scratch, RankVote *out, size_t max)
{
    const TableFile *entry = &table->files[file];
    const uint32_t *names = table_file_names(entry);
    VEC(RankVote) found = {0};
    uint32_t definers[MAX_DEFINERS];
    for (uint32_t i = 0; i < entry->n_names; i++) {
        size_t n = find_definers(table, names[i], file, definers);
        for (size_t k = 0; k < n; k++) {
            if (!(scratch[definers[k]] > 0)) VEC_PUSH(&found, (RankVote){.file = definers[k]});
            scratch[definers[k]] += 1.0F / (float)n;
        }
    }
    for (size_t i = 0; i < found.n; i++) {
        found.items[i].weight = scratch[found.items[i].file];
        scratch[found.items[i].file] = 0;
    }
    if (found.n) qsort(found.items, found.n, sizeof *found.items, by_weight);
    size_t n = found.n < max ? found.n : max;
    if (n) memcpy(out, found.items, n * sizeof *out);
    VEC_FREE(&found);
    return n;
}

static void collect(RankRun *run, const Table *table)
{
    RankVote votes[MAX_VOTES];
    uint32_t file = (uint32_t)run->n_collected;
    size_t n = 0;
    if (table->files[file].exists) n = rank_votes(table, file, run->scratch, votes, MAX_VOTES);
    for (size_t i = 0; i < n; i++)
        // A file that came after the run began has no place in it.
        if (votes[i].file < run->n_files) VEC_PUSH(&run->votes, votes[i]);
    run->row_ends[file] = (uint32_t)run->votes.n;
    run->n_collected++;
}

static void iterate(RankRun *run)
{
    double lost = 0; // of files without a vote; it is everybody's
    memset(run->next, 0, run->n_files * sizeof *run->next);
    for (size_t i = 0, at = 0; i < run->n_files; i++) {
        float total = 0;
        for (size_t k = at; k < run->row_ends[i]; k++)
            total += run->votes.items[k].weight;
        if (!(total > 0)) lost += (double)run->rank[i];
        for (; at < run->row_ends[i]; at++) {
            RankVote vote = run->votes.items[at];
            run->next[vote.file] += run->rank[i] * vote.weight / total;
        }
    }
    float share = (float)(lost / (double)run->n_files);
    for (size_t i = 0; i < run->n_files; i++)
        run->rank[i] = 1 - DAMPING + DAMPING * (run->next[i] + share);
    run->n_iterations++;
}

bool rank_step(RankRun *run, const Table *table, size_t n_files)
{
    if (run->n_files == 0) return true;
    if (run->n_collected < run->n_files) {
        // A file whose names are not in the table any more was stored anew: its scratch fits still.
        if (table->n_files > run->n_files) {
            size_t more = table->n_files + 1;
            run->scratch = mem_resize(run->scratch, more * sizeof *run->scratch);
            memset(run->scratch, 0, more * sizeof *run->scratch);
        }
        for (size_t i = 0; i < n_files && run->n_collected < run->n_files; i++)
            collect(run, table);
        return false;
    }
    iterate(run);
    return run->n_iterations >= N_ITERATIONS;
}

void rank_end(RankRun *run, Table *table)
{
    if (!run) return;
    for (size_t i = 0; table && i < run->n_files; i++)
        table->files[i].rank = run->rank[i];
    VEC_FREE(&run->votes);
    free(run->row_ends);
    free(run->rank);
    free(run->next);
    free(run->scratch);
    free(run);
}
