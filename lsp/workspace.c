// An index lives longer than its connection: threads end in their time. So a root is closed in
// steps (index, then watch, then its handle), and a question holds its own references.
#include "workspace.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "features/features.h"
#include "server_private.h"
#include "uri.h"
#include "watch.h"

enum { MEGABYTE = 1 << 20 };

struct Root {
    Root *next;
    Connection *conn;
    Index *index;
    Watch *watch;
    uv_async_t async;
    IndexState state; // as last seen
    bool closing, state_closed, was_noted;
    char *path;
};

typedef struct Asking {
    uv_work_t work;
    struct Asking *next; // of the connection's
    Connection *conn;    // NULL once it is gone
    uint64_t serial;
    Question question;
    void (*run)(Question *question);
    void (*done)(Request *request, Question *question);
} Asking;

// --- roots

static uv_loop_t *loop_of(const Connection *conn)
{
    return server_loop(conn->server);
}

static void on_root_closed(uv_handle_t *handle)
{
    Root *root = handle->data;
    Connection *conn = root->conn;
    Root **link = &conn->roots;
    while (*link != root)
        link = &(*link)->next;
    *link = root->next;
    index_release(root->index);
    free(root->path);
    free(root);
    connection_release(conn);
}

static void on_watch_closed(void *user)
{
    Root *root = user;
    uv_close((uv_handle_t *)&root->async, on_root_closed);
}

static void register_watchers(Connection *conn)
{
    if (!conn->caps.register_watchers || conn->watchers_registered) return;
    conn->watchers_registered = true;
    Json *params = json_object_new_object(), *item = json_object_new_object();
    json_object_array_add(types_put_array(params, "registrations"), item);
    types_put_text(item, "id", "r1ls.watch");
    types_put_text(item, "method", "workspace/didChangeWatchedFiles");
    Json *watcher = json_object_new_object();
    types_put_text(watcher, "globPattern", "**/*");
    json_object_array_add(types_put_array(types_put_object(item, "registerOptions"), "watchers"),
                          watcher);
    connection_call(conn, "client/registerCapability", params, NULL, 0);
}

static void on_watch_limited(void *user)
{
    Root *root = user;
    connection_log(root->conn, 2,
                   "%s: the system allows no more watches (fs.inotify.max_user_watches); changes "
                   "on the disk are looked for every 30 s",
                   root->path);
    register_watchers(root->conn);
}

static void on_file_changed(void *user, Str path)
{
    Root *root = user;
    if (!root->closing) projects_file_changed(root->conn, path);
}

static void take_news(Root *root)
{
    Arena *arena = arena_new();
    Str *folders;
    size_t n = index_take_folders(root->index, arena, &folders);
    for (size_t i = 0; i < n && root->watch; i++)
        watch_add(root->watch, folders[i]);
    arena_free(arena);
    IndexStatus status = index_status(root->index);
    if (status.note[0] && !root->was_noted)
        connection_log(root->conn, 2, "index of %s: %s", root->path, status.note);
    root->was_noted |= status.note[0] != '\0';
    if (status.state == INDEX_READY && root->state != INDEX_READY)
        log_info("indexed %zu files of %s (%zu from the store) in %.0f ms", status.n_files,
                 root->path, status.n_loaded, status.scan_ms);
    root->state = status.state;
}

static void on_news(uv_async_t *async)
{
    Root *root = async->data;
    if (!root->closing) {
        take_news(root);
        return;
    }
    if (uv_is_closing((uv_handle_t *)async) || index_status(root->index).state != INDEX_CLOSED)
        return;
    Watch *watch = root->watch;
    root->watch = NULL;
    if (watch)
        watch_close(watch, on_watch_closed);
    else if (!root->state_closed)
        on_watch_closed(root);
    root->state_closed = true;
}

static void wake_loop(void *user)
{
    Root *root = user;
    uv_async_send(&root->async);
}

// The process's limit leaves the index of a folder half of it.
static size_t choose_max_bytes(const Config *config)
{
    int megabytes = config->index_megabytes, half = config->memory_megabytes / 2;
    if (config->memory_megabytes && half < megabytes) megabytes = half ? half : 1;
    return (size_t)megabytes * MEGABYTE;
}

static IndexOptions make_options(const Config *config, const char *path)
{
    return (IndexOptions){.root = path,
                          .rules = {.globs = config->index_ignore,
                                    .max_bytes = (size_t)config->index_file_kilobytes * 1024,
                                    .max_files = (size_t)config->index_files},
                          .n_threads = config->index_threads,
                          .max_memory_bytes = choose_max_bytes(config),
                          .keep = config->index_store};
}

static void open_root(Connection *conn, Str path)
{
    Root *root = mem_zero(sizeof *root);
    root->conn = conn;
    root->path = mem_zero(path.len + 1);
    if (path.len) memcpy(root->path, path.ptr, path.len);
    uv_async_init(loop_of(conn), &root->async, on_news);
    root->async.data = root;
    conn->n_open++;
    IndexOptions options = make_options(&projects_around(conn, path)->config, root->path);
    root->index = index_open(&options, (IndexEvents){wake_loop, root});
    if (path.len)
        root->watch = watch_new(loop_of(conn), root->index,
                                (WatchEvents){on_watch_limited, on_file_changed, root});
    root->next = conn->roots;
    conn->roots = root;
}

static void close_root(Root *root)
{
    if (root->closing) return;
    root->closing = true;
    index_close(root->index);
}

static Root *find_root(const Connection *conn, Str path)
{
    for (Root *root = conn->roots; root; root = root->next)
        if (!root->closing && str_equal(str_from(root->path), path)) return root;
    return NULL;
}

static bool is_below(Str path, Str root)
{
    return root.len == 0 || (str_starts(path, root) && path.len > root.len &&
                             (path.ptr[root.len] == '/' || str_ends(root, STR("/"))));
}

// The innermost folder around path, else the documents of no folder.
static Root *root_of(const Connection *conn, Str path)
{
    Root *best = NULL;
    for (Root *root = conn->roots; root; root = root->next) {
        if (root->closing || !is_below(path, str_from(root->path))) continue;
        if (!best || strlen(root->path) > strlen(best->path)) best = root;
    }
    return best;
}

static char *copy_path(const Root *root)
{
    size_t n = strlen(root->path) + 1;
    return memcpy(mem_alloc(n), root->path, n);
}

static Str doc_path(const Document *doc)
{
    return str_from(doc->path[0] ? doc->path : doc->uri);
}

static void put_documents(Connection *conn)
{
    for (const Document *doc = conn->documents.first; doc; doc = doc->next)
        workspace_document_parsed(conn, doc);
}

void workspace_start(Connection *conn)
{
    if (conn->roots) return;
    open_root(conn, STR(""));
    if (conn->root[0]) open_root(conn, str_from(conn->root));
    for (size_t i = 0; i < conn->folders.n; i++)
        workspace_add_folder(conn, str_from(conn->folders.items[i]));
    put_documents(conn);
}

void workspace_add_folder(Connection *conn, Str path)
{
    if (path.len == 0 || find_root(conn, path)) return;
    open_root(conn, path);
    put_documents(conn);
}

// --- folders that are left alone for now

// Takes a folder that equals the path (or, with `around`, that it lies in) off the list.
static char *take_parked(Connection *conn, Str path, bool around)
{
    for (size_t i = 0; i < conn->parked.n; i++) {
        char *parked = conn->parked.items[i];
        if (!str_equal(str_from(parked), path) && !(around && is_below(path, str_from(parked))))
            continue;
        conn->parked.items[i] = conn->parked.items[--conn->parked.n];
        return parked;
    }
    return NULL;
}

static void reopen_around(Connection *conn, Str path)
{
    char *parked;
    while ((parked = take_parked(conn, path, true))) {
        workspace_add_folder(conn, str_from(parked));
        free(parked);
    }
}

static void reopen_all(Connection *conn)
{
    while (conn->parked.n > 0) {
        char *parked = conn->parked.items[--conn->parked.n];
        workspace_add_folder(conn, str_from(parked));
        free(parked);
    }
}

static bool has_document(const Root *root)
{
    for (const Document *doc = root->conn->documents.first; doc; doc = doc->next)
        if (root_of(root->conn, doc_path(doc)) == root) return true;
    return false;
}

bool workspace_park(Connection *conn)
{
    bool some = false;
    for (Root *root = conn->roots; root; root = root->next) {
        if (root->closing || !root->path[0] || has_document(root)) continue;
        VEC_PUSH(&conn->parked, copy_path(root));
        close_root(root);
        some = true;
    }
    return some;
}

void workspace_remove_folder(Connection *conn, Str path)
{
    free(take_parked(conn, path, false));
    Root *root = path.len ? find_root(conn, path) : NULL;
    if (!root) return;
    close_root(root);
    put_documents(conn); // what was below it belongs to the documents of no folder
}

void workspace_close(Connection *conn)
{
    for (Root *root = conn->roots; root; root = root->next)
        close_root(root);
    for (Asking *asking = conn->askings; asking; asking = asking->next) {
        asking->conn = NULL;
        atomic_store(&asking->question.cancelled, true);
    }
    conn->askings = NULL;
    for (size_t i = 0; i < conn->parked.n; i++)
        free(conn->parked.items[i]);
    VEC_FREE(&conn->parked);
}

void workspace_restart(Connection *conn, const char *path)
{
    VEC(char *) paths = {0};
    for (Root *root = conn->roots; root; root = root->next) {
        if (root->closing || (path && strcmp(root->path, path) != 0)) continue;
        VEC_PUSH(&paths, copy_path(root));
        close_root(root);
    }
    for (size_t i = 0; i < paths.n; i++) {
        open_root(conn, str_from(paths.items[i]));
        free(paths.items[i]);
    }
    VEC_FREE(&paths);
    put_documents(conn);
}

void workspace_document_parsed(Connection *conn, const Document *doc)
{
    reopen_around(conn, doc_path(doc));
    Root *root = root_of(conn, doc_path(doc));
    if (root && doc->syntax) index_put_open(root->index, doc_path(doc), doc->syntax);
}

void workspace_document_closed(Connection *conn, const Document *doc)
{
    for (Root *root = conn->roots; root; root = root->next) {
        if (root->closing) continue;
        index_drop_open(root->index, doc_path(doc));
        if (doc->path[0]) index_changed(root->index, str_from(doc->path));
    }
}

void workspace_file_changed(Connection *conn, Str path)
{
    Root *root = root_of(conn, path);
    if (root) index_changed(root->index, path);
    projects_file_changed(conn, path);
}

bool workspace_is_scanning(const Connection *conn)
{
    for (const Root *root = conn->roots; root; root = root->next) {
        IndexStatus status = index_status(root->index);
        if (!root->closing && (status.state < INDEX_RANKING || status.n_pending > 0)) return true;
    }
    return false;
}

bool workspace_is_filling(const Connection *conn)
{
    for (const Root *root = conn->roots; root; root = root->next)
        if (!root->closing && index_status(root->index).state < INDEX_RANKING) return true;
    return false;
}

static Json *new_status(const Root *root)
{
    static const char *const states[] = {"loading", "scanning", "ranking", "ready", "closed"};
    IndexStatus s = index_status(root->index);
    Json *value = json_object_new_object();
    types_put_text(value, "path", root->path);
    types_put_text(value, "state", states[s.state]);
    types_put_int(value, "files", (int64_t)s.n_files);
    types_put_int(value, "symbols", (int64_t)s.n_symbols);
    types_put_int(value, "names", (int64_t)s.n_names);
    types_put_int(value, "pending", (int64_t)s.n_pending);
    types_put_int(value, "loaded", (int64_t)s.n_loaded);
    types_put_int(value, "parsed", (int64_t)s.n_parsed);
    types_put_int(value, "ignored", (int64_t)s.n_ignored);
    types_put_int(value, "tooLarge", (int64_t)s.n_too_large);
    for (int i = TAGS_BINARY; i < TAGS_UNREADABLE; i++)
        types_put_int(value, tags_skip_text((TagsSkip)i), (int64_t)s.n_skipped[i]);
    types_put_int(value, "memoryBytes", (int64_t)s.memory_bytes);
    types_put_num(value, "loadMs", s.load_ms);
    types_put_num(value, "crawlMs", s.crawl_ms);
    types_put_num(value, "scanMs", s.scan_ms);
    types_put_num(value, "rankMs", s.rank_ms);
    types_put_num(value, "lastChangeMs", s.last_change_ms);
    types_put_bool(value, "full", s.is_full);
    types_put_bool(value, "stored", s.is_writer);
    types_put_text(value, "note", s.note);
    return value;
}

Json *workspace_status(const Connection *conn)
{
    Json *list = json_object_new_array();
    for (const Root *root = conn->roots; root; root = root->next)
        if (!root->closing) json_object_array_add(list, new_status(root));
    return list;
}

// --- questions

static void on_work(uv_work_t *work)
{
    Asking *asking = work->data;
    if (!atomic_load(&asking->question.cancelled)) asking->run(&asking->question);
}

static void free_asking(Asking *asking)
{
    Question *q = &asking->question;
    for (size_t i = 0; i < q->n_indexes; i++)
        index_release(q->indexes[i]);
    if (q->syntax) syntax_release(q->syntax);
    digest_release(q->digest);
    text_release(q->text);
    arena_free(q->arena);
    free(asking);
}

static void keep_digest(Document *doc, const Question *q)
{
    if (!doc || !q->digest || q->digest == doc->digest) return;
    digest_release(doc->digest);
    doc->digest = digest_retain(q->digest);
}

static void on_asked(uv_work_t *work, int status)
{
    Asking *asking = work->data;
    (void)status;
    Connection *conn = asking->conn;
    if (conn) {
        Asking **link = &conn->askings;
        while (*link != asking)
            link = &(*link)->next;
        *link = asking->next;
        Request *request = request_find(conn, asking->serial);
        asking->question.request = request;
        if (request) keep_digest(request->doc, &asking->question);
        if (request) asking->done(request, &asking->question);
    }
    free_asking(asking);
}

static void add_indexes(Question *q, const Connection *conn)
{
    size_t n = 0;
    for (const Root *root = conn->roots; root; root = root->next)
        n++;
    q->indexes = arena_array(q->arena, n, sizeof(Index *));
    Root *own = root_of(conn, q->path);
    if (own) q->indexes[q->n_indexes++] = index_retain(own->index);
    for (Root *root = conn->roots; root; root = root->next)
        if (root != own && !root->closing) q->indexes[q->n_indexes++] = index_retain(root->index);
}

void workspace_ask(Request *request, size_t byte_off, const Str params[QUESTION_PARAMS],
                   void (*run)(Question *question),
                   void (*done)(Request *request, Question *question))
{
    Connection *conn = request->conn;
    Document *doc = request->doc;
    if (!doc) reopen_all(conn);
    Asking *asking = mem_zero(sizeof *asking);
    Question *q = &asking->question;
    asking->work.data = asking;
    asking->conn = conn;
    asking->serial = request->serial;
    asking->run = run;
    asking->done = done;
    atomic_init(&q->cancelled, false);
    q->arena = arena_new();
    q->encoding = conn->encoding;
    q->byte_off = byte_off;
    for (int i = 0; params && i < QUESTION_PARAMS; i++)
        q->params[i] = arena_str(q->arena, params[i]);
    assert(!doc || byte_off <= text_n_bytes(doc->text));
    if (doc) {
        q->path = arena_str(q->arena, doc_path(doc));
        q->text = text_retain(doc->text);
        q->syntax = doc->syntax ? syntax_retain(doc->syntax) : NULL;
        q->digest = digest_retain(doc->digest);
        q->lang = doc->lang;
    }
    add_indexes(q, conn);
    asking->next = conn->askings;
    conn->askings = asking;
    uv_queue_work(loop_of(conn), &asking->work, on_work, on_asked);
}

void workspace_forget(const Request *request)
{
    for (Asking *asking = request->conn->askings; asking; asking = asking->next)
        if (asking->serial == request->serial) atomic_store(&asking->question.cancelled, true);
}

bool workspace_is_asked(Connection *conn, const Document *doc)
{
    for (const Asking *asking = conn->askings; asking; asking = asking->next) {
        const Request *request = request_find(conn, asking->serial);
        if (request && request->doc == doc) return true;
    }
    return false;
}

const Digest *question_digest(Question *q, bool with_semantics)
{
    if (!q->syntax) return NULL;
    Digest *digest = digest_new(q->syntax, q->digest, with_semantics);
    digest_release(q->digest);
    q->digest = digest;
    return digest;
}

void question_set_json(Question *q, Json *json)
{
    Str *kept = q->data = arena_alloc(q->arena, sizeof *kept);
    *kept = arena_str(q->arena, types_encode(json));
    json_object_put(json);
}

void question_answer_json(Request *request, Question *q)
{
    const Str *json = q->data;
    request_reply(request, json ? types_new_raw(*json) : NULL);
}

static int by_score(const void *a, const void *b)
{
    const IndexHit *x = a, *y = b;
    if (x->score < y->score || x->score > y->score) return x->score > y->score ? -1 : 1;
    return str_compare(x->path, y->path);
}

size_t question_find(const Question *q, Str name, IndexHit **out)
{
    VEC(IndexHit) all = {0};
    for (size_t i = 0; i < q->n_indexes; i++) {
        IndexHit *hits;
        size_t n = index_find(q->indexes[i], name, q->path, q->arena, &hits);
        for (size_t k = 0; k < n; k++)
            VEC_PUSH(&all, hits[k]);
    }
    if (all.n) qsort(all.items, all.n, sizeof *all.items, by_score);
    *out = arena_array(q->arena, all.n, sizeof **out);
    if (all.n) memcpy(*out, all.items, all.n * sizeof **out);
    size_t n = all.n;
    VEC_FREE(&all);
    return n;
}

static Syntax *find_open(const Question *q, Str path)
{
    if (str_equal(path, q->path) && q->syntax) return syntax_retain(q->syntax);
    for (size_t i = 0; i < q->n_indexes; i++) {
        Syntax *syntax = index_open_document(q->indexes[i], path);
        if (syntax) return syntax;
    }
    return NULL;
}

Syntax *question_read(const Question *q, Str path, Str word)
{
    Syntax *syntax = find_open(q, path);
    return syntax ? syntax : index_read_file(path, word);
}

TextSnap *question_text(const Question *q, Str path)
{
    Error err = {0};
    Syntax *syntax = find_open(q, path);
    if (!syntax) return text_read_file(arena_str(q->arena, path).ptr, SYNTAX_MAX_BYTES, &err);
    TextSnap *text = text_retain(syntax_text(syntax));
    syntax_release(syntax);
    return text;
}

Str question_peek(const Question *q, Str path, size_t byte_off, size_t n)
{
    Syntax *syntax = find_open(q, path);
    if (syntax) {
        Str all = text_str(syntax_text(syntax));
        Str bytes = arena_str(q->arena, str_slice(all, byte_off, byte_off + n));
        syntax_release(syntax);
        return bytes;
    }
    int file = open(arena_str(q->arena, path).ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return STR("");
    char *bytes = arena_alloc(q->arena, n + 1);
    ssize_t n_read = pread(file, bytes, n, (off_t)byte_off);
    close(file);
    return (Str){bytes, n_read > 0 ? (size_t)n_read : 0};
}

bool question_locate(const Question *q, const IndexHit *hit, FilePlace *out)
{
    TextSnap *text = question_text(q, hit->path);
    if (!text) return false;
    Str found = str_slice(text_str(text), hit->name_range.start, hit->name_range.end);
    bool ok = str_equal(found, hit->name);
    *out = (FilePlace){hit->path, position_from_range(text, hit->name_range, q->encoding),
                       position_from_range(text, hit->range, q->encoding)};
    text_release(text);
    return ok;
}

bool question_describe(const Question *q, const IndexHit *hit, Symbol *out)
{
    Syntax *syntax = question_read(q, hit->path, hit->name);
    bool found = syntax && symbols_describe(syntax, hit->name_range.start, q->arena, out) &&
                 str_equal(out->name, hit->name);
    if (syntax) syntax_release(syntax);
    return found;
}

void question_put_uri(const Request *request, Json *object, const char *key, Str path)
{
    const Document *doc = documents_find_path(&request->conn->documents, path);
    if (!doc) doc = documents_find(&request->conn->documents, path);
    if (doc)
        types_put_text(object, key, doc->uri);
    else
        types_put_str(object, key, uri_from_path(path, request->arena));
}
