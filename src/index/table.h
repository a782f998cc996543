// Table: the files of one root and what their tags say, as numbers.
//
//   Table -- files[path id] -- one block: PackedDef x n_defs | names x n_names | imports x
//   n_imports
//         -- names: strings <-> numbers      -- postings: name -> files that define it
//
// One writer; readers may share it while nobody writes (index.c has the lock).
#pragma once

#include "base/vec.h"
#include "index/names.h"
#include "index/tags.h"

typedef struct PackedDef {
    uint32_t name, container;   // of Table.names; container NAMES_NONE: none
    uint32_t start, name_start; // byte offsets
    uint32_t n_bytes : 24, kind : 5, is_declaration : 1, is_private : 1;
} PackedDef;

// What says that a file has not changed.
typedef struct FileStamp {
    uint64_t n_bytes, mtime_ns, hash;
} FileStamp;

typedef struct TableFile {
    bool exists;
    unsigned char family; // of its language
    TagsSkip skip;        // then there are no tags
    FileStamp stamp;
    PackedDef *defs; // the block
    uint32_t n_defs, n_names, n_imports;
    float rank;     // of all files the mean is 1
    uint32_t epoch; // of the crawl that has seen it
} TableFile;

typedef struct Posting {
    uint32_t file, next; // next: 1 + index; 0: the last
} Posting;

typedef struct Table {
    // Read-only outside table.c.
    Names names, paths; // a file's number is its path's
    TableFile *files;
    size_t n_files, cap_files; // n_files == paths.n
    size_t n_existing, n_defs, block_bytes;
    uint32_t *heads; // of names.n: 1 + index into postings
    size_t n_heads, cap_heads;
    VEC(Posting) postings;
    uint32_t free_posting;
} Table;

// Zero-initialise.
void table_clear(Table *table);
// language_family of a file with this path.
int table_family(Str path);
// The number of a path's file; NAMES_NONE if it is unknown.
uint32_t table_find(const Table *table, Str path);
// Replaces what is known of path (relative to the root). tags NULL: passed over for `skip`.
uint32_t table_put(Table *table, Str path, FileStamp stamp, const Tags *tags, TagsSkip skip);
// The file is gone.
void table_remove(Table *table, uint32_t file);
// A stored file: block as table_block gives it. False if a number in it is out of range: then
// nothing has changed.
bool table_restore(Table *table, Str path, FileStamp stamp, TagsSkip skip, float rank,
                   const uint32_t counts[3], Str block);
// The file's block for storing.
Str table_block(const TableFile *file);
const uint32_t *table_file_names(const TableFile *file);
const uint32_t *table_file_imports(const TableFile *file);
// The first posting of a name, or NULL; table_next the one after it, or NULL.
const Posting *table_first(const Table *table, uint32_t name);
const Posting *table_next(const Table *table, const Posting *posting);
// Heap bytes.
size_t table_memory(const Table *table);
