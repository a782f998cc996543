// Index: what is known of the files of one root, kept up to date by threads of its own.
//
//   loop thread --index_changed, index_put_open--> owner thread (the only writer; table and store)
//   owner --paths--> parser threads (low priority; read, parse, rank) --tags--> owner
//   pool workers --index_find and the other questions, under the read lock--> table
//
// Everything may be called from any thread unless stated. Questions wait for the owner's writes,
// which take milliseconds: the loop thread asks through a pool worker. Results lie in the arena.
// Paths are absolute. Open documents override the disk.
#pragma once

#include "base/error.h"
#include "index/crawl.h"
#include "index/tags.h"

typedef struct Index Index;

typedef struct IndexOptions {
    const char *root; // absolute, without '/' at the end; "": open documents only
    CrawlRules rules; // max_files 0: open documents only
    int n_threads;    // parsers; 0: one for each core, at most four
    size_t max_memory_bytes;
    bool keep; // in the user's cache folder
} IndexOptions;

// Called from the index's threads when index_status or index_take_folders have something new, and
// last of all when index_close has been done (status.state is INDEX_CLOSED).
typedef struct IndexEvents {
    void (*news)(void *user);
    void *user;
} IndexEvents;

// Starts the threads. Options are copied. The caller has one reference and must close before it
// releases.
Index *index_open(const IndexOptions *options, IndexEvents events);
Index *index_retain(Index *index);
void index_release(Index *index);
// Ends the threads soon, without waiting for them.
void index_close(Index *index);

// --- what has changed

// Something at this path was made, changed or removed: a file or a folder.
void index_changed(Index *index, Str path);
// Everything may have changed.
void index_rescan(Index *index);
// An open document's text; path is absolute or, without a file, its URI. syntax is retained.
void index_put_open(Index *index, Str path, const Syntax *syntax);
// It is closed: the disk counts again.
void index_drop_open(Index *index, Str path);

// --- state

typedef enum IndexState {
    INDEX_LOADING, // the store
    INDEX_SCANNING,
    INDEX_RANKING,
    INDEX_READY,
    INDEX_CLOSED,
} IndexState;

typedef struct IndexStatus {
    IndexState state;
    size_t n_files, n_symbols, n_names, n_pending; // pending: changes that are not in yet
    size_t n_ignored, n_too_large, n_skipped[TAGS_SKIPS], n_folders;
    size_t n_loaded, n_parsed; // files from the store; parsed since the start
    size_t memory_bytes;
    double load_ms, crawl_ms, scan_ms, rank_ms; // scan: from the start until all files were in
    double last_change_ms;                      // CPU of the last file's parse and update
    bool is_full, is_writer;                    // a limit was reached; the store is ours
    char note[300];                             // what to tell the user; "" for nothing
} IndexStatus;
IndexStatus index_status(Index *index);
// Folders (absolute) that were found since the last call, for a watcher.
size_t index_take_folders(Index *index, Arena *arena, Str **out);

// --- questions

typedef struct IndexHit {
    Str name, container; // container: the type or class around it; may be empty
    SymbolKind kind;
    Str path;
    ByteRange range, name_range;
    bool is_declaration, is_private;
    double score; // larger is better
} IndexHit;

// Where near_path names a file or an open document, what languages define that its own one cannot
// name is left out.
// Definitions and declarations of exactly this name, the best first. near_path may be empty.
size_t index_find(Index *index, Str name, Str near_path, Arena *arena, IndexHit **out);
typedef enum IndexMatch { INDEX_PREFIX, INDEX_FUZZY } IndexMatch;
// The best names that begin with the query (with its case first), or have its letters in order;
// INDEX_PREFIX gives each name once.
size_t index_search(Index *index, Str query, IndexMatch match, Str near_path, size_t max,
                    Arena *arena, IndexHit **out);
// What belongs to a type or class of this name: what is defined directly within it, and methods
// that stand elsewhere in its folder. In document order.
size_t index_members(Index *index, Str container, Str near_path, Arena *arena, IndexHit **out);
// What is defined in a file of this path, in document order.
size_t index_definitions(Index *index, Str path, Arena *arena, IndexHit **out);
// Files that may mention a name, the best ranked first.
size_t index_mentions(Index *index, Str name, Str near_path, Arena *arena, Str **out);
// Files that import something of which a part (of a path or a dotted name) is one of the words.
size_t index_importers(Index *index, const Str *words, size_t n_words, Arena *arena, Str **out);
// Files that mention most of the names, the rarer ones counting more; the best first.
size_t index_mention_most(Index *index, const Str *names, size_t n_names, size_t max, Arena *arena,
                          Str **out);
// Files that a file stands closest to: its header or source, what it imports, what defines the
// names that it mentions. The best first.
size_t index_neighbours(Index *index, Str path, size_t max, Arena *arena, Str **out);
// Paths that end with `/suffix` or are root/suffix: an include, a module's file.
size_t index_files_ending(Index *index, Str suffix, size_t max, Arena *arena, Str **out);
// Paths that contain `part`, the best ranked first.
size_t index_files_containing(Index *index, Str part, size_t max, Arena *arena, Str **out);
// An open document's text and tree, or NULL. The caller releases it.
Syntax *index_open_document(Index *index, Str path);
// The disk's. word: outline_parse's, where places of nothing else are wanted; empty: the whole
// tree. NULL if it cannot be read or has no language. The caller releases it.
Syntax *index_read_file(Str path, Str word);
// Signature and comment of a hit, from its file. False if it is not there any more.
bool index_describe(Index *index, const IndexHit *hit, Arena *arena, Symbol *out);
