// Rank: PageRank over the files of a table. A file votes for those that define what it mentions,
// the more for a name the fewer define it.
//
// Runs in steps of a bounded number of files, so that whoever holds the table's lock for reading
// lets it go in between; files that are added meanwhile count in the next run.
// Source: Page, Brin, Motwani, Winograd, "The PageRank Citation Ranking" (1999), damping 0.85.
#pragma once

#include "index/table.h"

typedef struct RankRun RankRun;

RankRun *rank_begin(const Table *table);
// True when the ranks are done. n_files: how many files' votes are collected in this step.
bool rank_step(RankRun *run, const Table *table, size_t n_files);
// Writes the ranks (mean 1) and frees the run; table NULL only frees.
void rank_end(RankRun *run, Table *table);

typedef struct RankVote {
    uint32_t file;
    float weight;
} RankVote;
// The files that `file` votes for, the heaviest first, at most max; n_files scratch weights, all
// zero before and after.
size_t rank_votes(const Table *table, uint32_t file, float *scratch, RankVote *out, size_t max);
