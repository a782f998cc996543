// A scan is one work item at a time: first the list of files, then batches of them. One at a time,
// so that the pool keeps workers free for the document in front of the user.
#include "scan.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

enum { BATCH_FILES = 24, MAX_DEPTH = 32, MAX_FILE_BYTES = 1 << 20, MAX_SEEN = 200000 };

typedef VEC(char *) Paths;

typedef struct ScannedFile {
    const char *path; // of Scan.paths
    Symbol *symbols;
    size_t n_symbols;
} ScannedFile;

typedef struct Scan {
    uv_work_t work;
    Connection *conn; // NULL once nobody waits
    atomic_bool cancelled;
    char *root;
    size_t max_files, n_seen;
    Paths paths; // written by the first work item only
    bool listed;
    size_t n_done;
    double start_ms;
    // The running batch.
    Arena *arena;
    ScannedFile files[BATCH_FILES];
    size_t n_files;
} Scan;

// --- worker: listing

// Simple rules instead of .gitignore: hidden folders, and those that hold other people's or
// machines' code under every tool's default names.
static bool is_ignored_folder(const char *name)
{
    static const char *const names[] = {"node_modules",  "build",      "out",    "dist",
                                        "target",        "vendor",     "_build", "venv",
                                        "site-packages", "__pycache__"};
    if (name[0] == '.') return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

static bool is_full(const Scan *scan)
{
    return atomic_load(&scan->cancelled) || scan->paths.n >= scan->max_files ||
           scan->n_seen >= MAX_SEEN;
}

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(mem_alloc(n), text, n);
}

static char *join(const char *folder, const char *name)
{
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = mem_alloc(n);
    snprintf(path, n, "%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", name);
    return path;
}

static bool is_wanted_file(const char *path, const struct stat *info)
{
    return S_ISREG(info->st_mode) && info->st_size <= MAX_FILE_BYTES && language_by_path(path);
}

// Adds a file to the paths or a folder to the folders still to read. Symbolic links are not
// followed, so there are no cycles.
static void visit(Scan *scan, char *path, const char *name, Paths *folders, int depth)
{
    struct stat info;
    scan->n_seen++;
    bool keep = false;
    if (lstat(path, &info) == 0) {
        keep = is_wanted_file(path, &info);
        if (keep) VEC_PUSH(&scan->paths, path);
        if (S_ISDIR(info.st_mode) && depth < MAX_DEPTH && !is_ignored_folder(name)) {
            VEC_PUSH(folders, path);
            keep = true;
        }
    }
    if (!keep) free(path);
}

static void read_folder(Scan *scan, const char *folder, Paths *folders, int depth)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && !is_full(scan) && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        visit(scan, join(folder, entry->d_name), entry->d_name, folders, depth);
    }
    if (dir) closedir(dir);
}

// Breadth first: what lies near the root is found before the limit is reached.
static void list_files(Scan *scan)
{
    Paths level = {0};
    VEC_PUSH(&level, copy_text(scan->root));
    for (int depth = 0; level.n > 0; depth++) {
        Paths next = {0};
        for (size_t i = 0; i < level.n; i++) {
            read_folder(scan, level.items[i], &next, depth);
            free(level.items[i]);
        }
        VEC_FREE(&level);
        level = next;
    }
    VEC_FREE(&level);
    scan->listed = true;
}

// --- worker: reading

static void read_symbols(Scan *scan, ScannedFile *file)
{
    Error err = {0};
    TextSnap *text = text_read_file(file->path, MAX_FILE_BYTES, &err);
    if (!text) return;
    Syntax *syntax = syntax_parse(language_by_path(file->path), text, &scan->cancelled);
    if (syntax) {
        file->n_symbols = symbols_collect(syntax, scan->arena, &file->symbols);
        syntax_release(syntax);
    }
    text_release(text);
}

static void work_once(uv_work_t *request)
{
    Scan *scan = request->data;
    if (!scan->listed) {
        list_files(scan);
        return;
    }
    scan->n_files = 0;
    while (scan->n_files < BATCH_FILES && scan->n_done < scan->paths.n &&
           !atomic_load(&scan->cancelled)) {
        ScannedFile *file = &scan->files[scan->n_files++];
        *file = (ScannedFile){.path = scan->paths.items[scan->n_done++]};
        read_symbols(scan, file);
    }
}

// --- loop thread

static void free_scan(Scan *scan)
{
    for (size_t i = 0; i < scan->paths.n; i++)
        free(scan->paths.items[i]);
    VEC_FREE(&scan->paths);
    arena_free(scan->arena);
    free(scan->root);
    free(scan);
}

// An open document knows better than the disk.
static void take_batch(Scan *scan)
{
    for (size_t i = 0; i < scan->n_files; i++) {
        const ScannedFile *file = &scan->files[i];
        Str path = str_from(file->path);
        if (documents_find_path(&scan->conn->documents, path)) continue;
        symbol_index_put(scan->conn->symbols, path, file->symbols, file->n_symbols);
    }
    scan->n_files = 0;
    arena_free(scan->arena);
    scan->arena = arena_new();
}

static void on_worked(uv_work_t *request, int status)
{
    Scan *scan = request->data;
    (void)status;
    if (!scan->conn) {
        free_scan(scan);
        return;
    }
    take_batch(scan);
    if (scan->n_done < scan->paths.n) {
        uv_queue_work(scan->conn->push_timer.loop, &scan->work, work_once, on_worked);
        return;
    }
    log_info("scanned %zu files for symbols in %.0f ms", scan->paths.n,
             clock_ms() - scan->start_ms);
    scan->conn->scan = NULL;
    free_scan(scan);
}

void scan_start(Connection *conn)
{
    if (conn->scan || !conn->root[0] || conn->config.index_files <= 0) return;
    Scan *scan = mem_zero(sizeof *scan);
    scan->work.data = scan;
    scan->conn = conn;
    atomic_init(&scan->cancelled, false);
    scan->root = copy_text(conn->root);
    scan->max_files = (size_t)conn->config.index_files;
    scan->arena = arena_new();
    scan->start_ms = clock_ms();
    conn->scan = scan;
    uv_queue_work(conn->push_timer.loop, &scan->work, work_once, on_worked);
}

void scan_stop(Connection *conn)
{
    if (!conn->scan) return;
    atomic_store(&conn->scan->cancelled, true);
    conn->scan->conn = NULL;
    conn->scan = NULL;
}
