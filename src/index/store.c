// names are stored in chunks of CHUNK_NAMES by number, each [u16 length, bytes]...; only the last
// chunk ever grows. A file's row has its block as it lies in memory. A transaction stores names
// before blocks that mention them, so a reader's snapshot is whole.
#include "index/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "folders.h"

enum { APPLICATION_ID = 0x72316c73, SCHEMA = 1, CHUNK_NAMES = 4096, BUSY_MS = 5000 };
enum { LOCK_TRIES = 10, LOCK_WAIT_US = 30000 };

// Blocks are stored as they are; a file of a machine of the other byte order is another schema.
static int schema_number(void)
{
    const uint16_t probe = 1;
    return 2 * SCHEMA + *(const uint8_t *)&probe;
}

static const char TABLES[] =
    "CREATE TABLE root(path TEXT NOT NULL);"
    "CREATE TABLE names(chunk INTEGER PRIMARY KEY, n INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "CREATE TABLE files(path TEXT PRIMARY KEY, n_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
    " hash INTEGER NOT NULL, skip INTEGER NOT NULL, n_defs INTEGER NOT NULL,"
    " n_names INTEGER NOT NULL, n_imports INTEGER NOT NULL, block BLOB NOT NULL);"
    "CREATE TABLE ranks(path TEXT PRIMARY KEY, rank REAL NOT NULL) WITHOUT ROWID;";

struct Store {
    sqlite3 *db; // NULL: given up
    char *root, *path;
    int lock_fd;
    bool is_writer;
    uint32_t n_stored_names;
    char note[300];
};

// --- paths

Str store_path(const char *root, Arena *arena)
{
    const char *slash = strrchr(root, '/');
    Str cache = folder_cache(arena);
    if (cache.len == 0) return cache;
    return arena_printf(arena, "%s/index/%.60s-%016llx.db", cache.ptr, slash ? slash + 1 : root,
                        str_hash(str_from(root), 0));
}

// --- statements

static bool fail(const Store *store, Error *err)
{
    return error_set(err, ERROR_IO, "%.150s: %.60s", store->path, sqlite3_errmsg(store->db));
}

static bool run(Store *store, const char *sql, Error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(store, err);
}

static sqlite3_stmt *prepare(Store *store, const char *sql, Error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) fail(store, err);
    return statement;
}

static void bind_text(sqlite3_stmt *statement, int at, Str text)
{
    sqlite3_bind_text(statement, at, text.ptr ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *statement, int at, Str bytes)
{
    if (bytes.len == 0)
        sqlite3_bind_zeroblob(statement, at, 0);
    else
        sqlite3_bind_blob(statement, at, bytes.ptr, (int)bytes.len, SQLITE_STATIC);
}

// Runs a statement that gives no rows and makes it ready for the next time.
static bool step_once(Store *store, sqlite3_stmt *statement, Error *err)
{
    bool ok = sqlite3_step(statement) == SQLITE_DONE || fail(store, err);
    sqlite3_reset(statement);
    return ok;
}

static Str column_blob(sqlite3_stmt *statement, int at)
{
    const char *bytes = sqlite3_column_blob(statement, at);
    return (Str){bytes, bytes ? (size_t)sqlite3_column_bytes(statement, at) : 0};
}

static int64_t read_number(Store *store, const char *sql)
{
    Error err = {0};
    int64_t number = -1;
    sqlite3_stmt *statement = prepare(store, sql, &err);
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

// --- opening

static bool has_root(Store *store)
{
    Error err = {0};
    sqlite3_stmt *statement = prepare(store, "SELECT path FROM root", &err);
    bool same = false;
    if (statement && sqlite3_step(statement) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        same = text && strcmp(text, store->root) == 0;
    }
    sqlite3_finalize(statement);
    return same;
}

static bool create(Store *store, Error *err)
{
    char sql[120];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d; BEGIN",
             APPLICATION_ID, schema_number());
    if (!run(store, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL", err)) return false;
    if (!run(store, sql, err) || !run(store, TABLES, err)) return false;
    sqlite3_stmt *statement = prepare(store, "INSERT INTO root VALUES(?)", err);
    if (!statement) return false;
    bind_text(statement, 1, str_from(store->root));
    bool ok = step_once(store, statement, err);
    sqlite3_finalize(statement);
    return ok && run(store, "COMMIT", err);
}

static bool open_file(Store *store, Error *err)
{
    int flags =
        store->is_writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK) return fail(store, err);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    bool is_new = read_number(store, "SELECT count(*) FROM sqlite_master") == 0 &&
                  read_number(store, "PRAGMA application_id") == 0;
    if (is_new && store->is_writer) {
        if (!create(store, err)) return false;
    } else if (read_number(store, "PRAGMA application_id") != APPLICATION_ID ||
               read_number(store, "PRAGMA user_version") != schema_number() || !has_root(store)) {
        return error_set(err, ERROR_DAMAGED, "%.150s: no index of %.60s of this version",
                         store->path, store->root);
    }
    return run(store, "PRAGMA synchronous=NORMAL; PRAGMA mmap_size=1073741824", err);
}

static void close_file(Store *store)
{
    sqlite3_close(store->db);
    store->db = NULL;
}

static void remove_files(const Store *store)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        unlink(arena_printf(arena, "%s%s", store->path, ends[i]).ptr);
    arena_free(arena);
}

// Begins afresh after `why`. A process that does not write goes on without a file.
static bool replace(Store *store, const Error *why, Error *err)
{
    close_file(store);
    snprintf(store->note, sizeof store->note, "the stored index is %s (%.200s)",
             store->is_writer ? "replaced" : "not used", why->text);
    store->n_stored_names = 0;
    if (!store->is_writer) return true;
    remove_files(store);
    return open_file(store, err);
}

static void take_lock(Store *store)
{
    Arena *arena = arena_new();
    const char *path = arena_printf(arena, "%s.lock", store->path).ptr;
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    // An index of ours that is just ending (other settings, a restarted editor) lets go in a
    // moment.
    for (int i = 0; i < LOCK_TRIES && store->lock_fd >= 0 && !store->is_writer; i++) {
        if (i > 0) usleep(LOCK_WAIT_US);
        store->is_writer = flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0;
    }
    arena_free(arena);
}

static char *copy_str(Str s)
{
    char *out = mem_zero(s.len + 1);
    if (s.len) memcpy(out, s.ptr, s.len);
    return out;
}

Store *store_open(const char *root, Error *err)
{
    Arena *arena = arena_new();
    Error why = {0};
    Str path = store_path(root, arena);
    bool ok = path.len > 0 || error_set(err, ERROR_NOT_FOUND, "no cache folder: HOME is not set");
    Store *store = mem_zero(sizeof *store);
    store->root = copy_str(str_from(root));
    store->path = copy_str(path);
    store->lock_fd = -1;
    ok = ok && folder_make(str_slice(path, 0, strrchr(path.ptr, '/') - path.ptr), err);
    if (ok) take_lock(store);
    if (ok && !open_file(store, &why)) ok = replace(store, &why, err);
    arena_free(arena);
    if (ok) return store;
    store_close(store);
    return NULL;
}

void store_close(Store *store)
{
    if (!store) return;
    close_file(store);
    if (store->lock_fd >= 0) close(store->lock_fd);
    free(store->root);
    free(store->path);
    free(store);
}

bool store_is_writer(const Store *store)
{
    return store->is_writer;
}

const char *store_note(const Store *store)
{
    return store->note;
}

// --- loading

static bool add_names(Table *table, Str bytes, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint16_t len;
        if (bytes.len < sizeof len) return false;
        memcpy(&len, bytes.ptr, sizeof len);
        if (bytes.len - sizeof len < len) return false;
        names_append(&table->names, str_slice(bytes, sizeof len, sizeof len + len));
        bytes = str_slice(bytes, sizeof len + len, bytes.len);
    }
    return bytes.len == 0;
}

static bool load_names(Store *store, Table *table, Error *err)
{
    sqlite3_stmt *rows = prepare(store, "SELECT chunk, n, bytes FROM names ORDER BY chunk", err);
    if (!rows) return false;
    int64_t chunk = 0;
    bool sound = true;
    int rc;
    while (sound && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        sound = sqlite3_column_int64(rows, 0) == chunk && table->names.n == chunk * CHUNK_NAMES &&
                add_names(table, column_blob(rows, 2), sqlite3_column_int64(rows, 1));
        chunk++;
    }
    sqlite3_finalize(rows);
    if (!sound) return error_set(err, ERROR_DAMAGED, "its names do not fit together");
    if (rc != SQLITE_DONE) return fail(store, err);
    names_sort(&table->names);
    store->n_stored_names = table->names.n;
    return true;
}

static bool restore_row(Table *table, sqlite3_stmt *row)
{
    FileStamp stamp = {(uint64_t)sqlite3_column_int64(row, 1),
                       (uint64_t)sqlite3_column_int64(row, 2),
                       (uint64_t)sqlite3_column_int64(row, 3)};
    uint32_t counts[3];
    int64_t skip = sqlite3_column_int64(row, 4);
    for (int i = 0; i < 3; i++)
        counts[i] = (uint32_t)sqlite3_column_int64(row, 5 + i);
    Str path = {(const char *)sqlite3_column_text(row, 0), (size_t)sqlite3_column_bytes(row, 0)};
    float rank = (float)sqlite3_column_double(row, 9);
    if (!(rank > 0)) rank = 1;
    return path.len > 0 && skip >= 0 && skip < TAGS_SKIPS &&
           table_restore(table, path, stamp, (TagsSkip)skip, rank, counts, column_blob(row, 8));
}

static bool load_files(Store *store, Table *table, Error *err)
{
    sqlite3_stmt *rows =
        prepare(store,
                "SELECT path, n_bytes, mtime_ns, hash, skip, n_defs, n_names, n_imports, block,"
                " rank FROM files LEFT JOIN ranks USING(path)",
                err);
    if (!rows) return false;
    bool sound = true;
    int rc;
    while (sound && (rc = sqlite3_step(rows)) == SQLITE_ROW)
        sound = restore_row(table, rows);
    sqlite3_finalize(rows);
    if (!sound) return error_set(err, ERROR_DAMAGED, "a file's row is not sound");
    return rc == SQLITE_DONE || fail(store, err);
}

void store_load(Store *store, Table *table)
{
    Error err = {0}, open_err = {0};
    if (!store->db) return;
    bool ok = run(store, "BEGIN", &err) && load_names(store, table, &err) &&
              load_files(store, table, &err);
    sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    if (ok) return;
    table_clear(table);
    if (!replace(store, &err, &open_err)) close_file(store);
}

// --- saving

static bool save_names(Store *store, const Table *table, Error *err)
{
    sqlite3_stmt *put = prepare(store, "INSERT OR REPLACE INTO names VALUES(?, ?, ?)", err);
    if (!put) return false;
    StrBuf bytes = {0};
    bool ok = true;
    uint32_t n_names = table->names.n, first = store->n_stored_names / CHUNK_NAMES * CHUNK_NAMES;
    for (; ok && store->n_stored_names < n_names && first < n_names; first += CHUNK_NAMES) {
        uint32_t n = n_names - first < CHUNK_NAMES ? n_names - first : CHUNK_NAMES;
        strbuf_clear(&bytes);
        for (uint32_t id = first; id < first + n; id++) {
            Str name = names_text(&table->names, id);
            uint16_t len = (uint16_t)name.len; // at most 256: tags.c
            strbuf_append(&bytes, (Str){(const char *)&len, sizeof len});
            strbuf_append(&bytes, name);
        }
        sqlite3_bind_int64(put, 1, first / CHUNK_NAMES);
        sqlite3_bind_int64(put, 2, n);
        bind_blob(put, 3, strbuf_str(&bytes));
        ok = step_once(store, put, err);
    }
    sqlite3_finalize(put);
    strbuf_deinit(&bytes);
    return ok;
}

static void bind_file(sqlite3_stmt *put, const TableFile *file)
{
    sqlite3_bind_int64(put, 2, (sqlite3_int64)file->stamp.n_bytes);
    sqlite3_bind_int64(put, 3, (sqlite3_int64)file->stamp.mtime_ns);
    sqlite3_bind_int64(put, 4, (sqlite3_int64)file->stamp.hash);
    sqlite3_bind_int64(put, 5, file->skip);
    sqlite3_bind_int64(put, 6, file->n_defs);
    sqlite3_bind_int64(put, 7, file->n_names);
    sqlite3_bind_int64(put, 8, file->n_imports);
    bind_blob(put, 9, table_block(file));
}

static bool save_files(Store *store, const Table *table, const uint32_t *files, size_t n,
                       Error *err)
{
    sqlite3_stmt *put =
        prepare(store, "INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", err);
    sqlite3_stmt *drop = prepare(store, "DELETE FROM files WHERE path = ?", err);
    bool ok = put && drop;
    for (size_t i = 0; ok && i < n; i++) {
        const TableFile *file = &table->files[files[i]];
        sqlite3_stmt *statement = file->exists ? put : drop;
        bind_text(statement, 1, names_text(&table->paths, files[i]));
        if (file->exists) bind_file(put, file);
        ok = step_once(store, statement, err);
    }
    sqlite3_finalize(put);
    sqlite3_finalize(drop);
    return ok;
}

static bool save_all_ranks(Store *store, const Table *table, Error *err)
{
    sqlite3_stmt *put = prepare(store, "INSERT OR REPLACE INTO ranks VALUES(?, ?)", err);
    bool ok = put != NULL;
    for (uint32_t i = 0; ok && i < table->n_files; i++) {
        if (!table->files[i].exists) continue;
        bind_text(put, 1, names_text(&table->paths, i));
        sqlite3_bind_double(put, 2, (double)table->files[i].rank);
        ok = step_once(store, put, err);
    }
    sqlite3_finalize(put);
    return ok;
}

static bool end(Store *store, bool ok, Error *err)
{
    if (ok && run(store, "COMMIT", err)) return true;
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

bool store_save(Store *store, const Table *table, const uint32_t *files, size_t n, Error *err)
{
    if (!store->db || !store->is_writer || n == 0) return true;
    if (!run(store, "BEGIN IMMEDIATE", err)) return false;
    bool ok = save_names(store, table, err) && save_files(store, table, files, n, err);
    if (!end(store, ok, err)) return false;
    store->n_stored_names = table->names.n;
    return true;
}

bool store_save_ranks(Store *store, const Table *table, Error *err)
{
    if (!store->db || !store->is_writer) return true;
    if (!run(store, "BEGIN IMMEDIATE", err)) return false;
    return end(store, save_all_ranks(store, table, err), err);
}
