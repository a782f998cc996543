// A folder's rules are a chain: its own two files, its parent's, and so on up to the repository's
// top, which may lie above the root. The rules of a file hold for paths relative to its folder.
#include "index/crawl.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/vec.h"
#include "index/ignore.h"
#include "index/tags.h"

enum { MAX_DEPTH = 48, MAX_IGNORE_BYTES = 1 << 20 };

// What no .gitignore needs to say. A `!name/` of any of the other lists takes it back.
static const char BUILT_IN[] =
    ".*/\nnode_modules/\nbower_components/\nbuild/\n_build/\nout/\ndist/\n"
    "target/\nvendor/\nthird_party/\nvenv/\nsite-packages/\n__pycache__/\n"
    "*.min.js\n*.min.css\n";

typedef struct Scope {
    const struct Scope *up;       // of the folder above; NULL at the top
    Str folder;                   // absolute, of the rules
    const IgnoreRules *git, *own; // NULL: no such file
} Scope;

typedef struct Crawler {
    const char *root;
    const CrawlRules *limits;
    const atomic_bool *cancelled; // may be NULL
    Arena *arena;
    const IgnoreRules *built_in, *globs, *exclude;
    Str repository; // absolute; "" if the root lies in none
    VEC(CrawledFile) files;
    VEC(Str) folders;
    Crawl result;
} Crawler;

static const IgnoreRules *read_rules(Crawler *c, Str folder, const char *name)
{
    Error err = {0};
    Str path = arena_printf(c->arena, "%.*s/%s", STR_FMT(folder), name);
    TextSnap *text = text_read_file(path.ptr, MAX_IGNORE_BYTES, &err);
    if (!text) return NULL;
    const IgnoreRules *rules = ignore_parse(text_str(text), c->arena);
    text_release(text);
    return rules;
}

static const Scope *open_scope(Crawler *c, const Scope *up, Str folder)
{
    const IgnoreRules *git = read_rules(c, folder, ".gitignore");
    const IgnoreRules *own = read_rules(c, folder, ".r1lsignore");
    if (!git && !own && up) return up;
    Scope *scope = arena_alloc(c->arena, sizeof *scope);
    *scope = (Scope){up, arena_str(c->arena, folder), git, own};
    return scope;
}

static Str parent_of(Str path)
{
    while (path.len && path.ptr[path.len - 1] != '/')
        path.len--;
    return path.len ? str_slice(path, 0, path.len - 1) : path;
}

static void find_repository(Crawler *c)
{
    struct stat info;
    for (Str at = str_from(c->root); at.len; at = parent_of(at)) {
        Str path = arena_printf(c->arena, "%.*s/.git", STR_FMT(at));
        if (lstat(path.ptr, &info) != 0) continue;
        c->repository = at;
        c->exclude = read_rules(c, at, ".git/info/exclude");
        return;
    }
}

// The scopes from the repository's top down to folder (absolute).
static const Scope *open_scopes(Crawler *c, Str folder)
{
    Str top = c->repository.len ? c->repository : str_from(c->root);
    const Scope *up = NULL;
    if (folder.len > top.len) up = open_scopes(c, parent_of(folder));
    return open_scope(c, up, folder);
}

static Str relative_to(Str folder, Str path)
{
    return str_slice(path, folder.len + 1, path.len);
}

// path: absolute, its folders are not ignored.
static bool is_ignored(const Crawler *c, const Scope *scope, Str path, bool is_folder)
{
    IgnoreVerdict verdict = ignore_match(c->globs, relative_to(str_from(c->root), path), is_folder);
    for (; verdict == IGNORE_SILENT && scope; scope = scope->up) {
        Str name = relative_to(scope->folder, path);
        if (scope->own) verdict = ignore_match(scope->own, name, is_folder);
        if (scope->git && verdict == IGNORE_SILENT)
            verdict = ignore_match(scope->git, name, is_folder);
    }
    if (verdict == IGNORE_SILENT && c->exclude)
        verdict = ignore_match(c->exclude, relative_to(c->repository, path), is_folder);
    if (verdict == IGNORE_SILENT)
        verdict = ignore_match(c->built_in, relative_to(str_from(c->root), path), is_folder);
    return verdict == IGNORE_EXCLUDED;
}

static void crawler_init(Crawler *c, const char *root, const CrawlRules *limits, Arena *arena)
{
    *c = (Crawler){.root = root, .limits = limits, .arena = arena};
    c->built_in = ignore_parse(str_from(BUILT_IN), arena);
    Str globs = arena_str(arena, str_from(limits->globs));
    for (size_t i = 0; i < globs.len; i++) // patterns stand on lines
        if (globs.ptr[i] == ' ' || globs.ptr[i] == ',') ((char *)(uintptr_t)globs.ptr)[i] = '\n';
    c->globs = ignore_parse(globs, arena);
    find_repository(c);
}

// --- walking

typedef struct Folder {
    Str path; // relative to the root
    const Scope *scope;
} Folder;

typedef VEC(Folder) Folders;

static bool should_stop(const Crawler *c)
{
    return c->result.is_full || (c->cancelled && atomic_load(c->cancelled));
}

static void visit_file(Crawler *c, Str path, const struct stat *info)
{
    if (!tags_wants(language_by_path(path.ptr))) return;
    if ((size_t)info->st_size > c->limits->max_bytes) {
        c->result.n_too_large++;
        return;
    }
    if (c->files.n >= c->limits->max_files) {
        c->result.is_full = true;
        return;
    }
    uint64_t mtime_ns =
        (uint64_t)info->st_mtim.tv_sec * 1000000000u + (uint64_t)info->st_mtim.tv_nsec;
    VEC_PUSH(&c->files, (CrawledFile){path, (uint64_t)info->st_size, mtime_ns});
}

static void visit(Crawler *c, DIR *dir, const Folder *folder, const char *name, int type,
                  Folders *next)
{
    struct stat info; // looked at only where it can matter
    if (type == DT_REG && !tags_wants(language_by_path(name))) return;
    if (fstatat(dirfd(dir), name, &info, AT_SYMLINK_NOFOLLOW) != 0) return;
    bool is_folder = S_ISDIR(info.st_mode);
    if (!is_folder && !S_ISREG(info.st_mode)) return;
    Str path = arena_printf(c->arena, "%s%s%s", folder->path.len ? folder->path.ptr : "",
                            folder->path.len ? "/" : "", name);
    Str absolute = arena_printf(c->arena, "%s/%s", c->root, path.ptr);
    if (is_ignored(c, folder->scope, absolute, is_folder))
        c->result.n_ignored++;
    else if (is_folder)
        VEC_PUSH(next, (Folder){path, folder->scope});
    else
        visit_file(c, path, &info);
}

static void read_folder(Crawler *c, Folder *folder, Folders *next)
{
    struct dirent *entry;
    Str absolute = folder->path.len ? arena_printf(c->arena, "%s/%s", c->root, folder->path.ptr)
                                    : str_from(c->root);
    DIR *dir = opendir(absolute.ptr);
    if (!dir) return;
    folder->scope = open_scope(c, folder->scope, absolute);
    VEC_PUSH(&c->folders, folder->path);
    while (!should_stop(c) && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        visit(c, dir, folder, entry->d_name, entry->d_type, next);
    }
    closedir(dir);
}

static void walk(Crawler *c, Folder first)
{
    Folders level = {0};
    VEC_PUSH(&level, first);
    for (int depth = 0; level.n > 0 && depth < MAX_DEPTH; depth++) {
        Folders next = {0};
        for (size_t i = 0; i < level.n && !should_stop(c); i++)
            read_folder(c, &level.items[i], &next);
        VEC_FREE(&level);
        level = next;
    }
    VEC_FREE(&level);
}

Crawl crawl_folder(const char *root, Str under, const CrawlRules *rules,
                   const atomic_bool *cancelled, Arena *arena)
{
    Crawler c;
    crawler_init(&c, root, rules, arena);
    c.cancelled = cancelled;
    Str absolute =
        under.len ? arena_printf(arena, "%s/%.*s", root, STR_FMT(under)) : str_from(root);
    const Scope *above = NULL; // the folder's own rules are read when it is
    bool has_above = under.len > 0 || absolute.len > c.repository.len;
    if (has_above && (under.len || c.repository.len)) above = open_scopes(&c, parent_of(absolute));
    walk(&c, (Folder){arena_str(arena, under), above});
    Crawl result = c.result;
    result.n_files = c.files.n;
    result.n_folders = c.folders.n;
    result.files = arena_array(arena, c.files.n, sizeof *result.files);
    result.folders = arena_array(arena, c.folders.n, sizeof *result.folders);
    if (c.files.n) memcpy(result.files, c.files.items, c.files.n * sizeof *result.files);
    if (c.folders.n) memcpy(result.folders, c.folders.items, c.folders.n * sizeof *result.folders);
    VEC_FREE(&c.files);
    VEC_FREE(&c.folders);
    return result;
}

bool crawl_wants(const char *root, Str path, bool is_folder, const CrawlRules *rules)
{
    Arena *arena = arena_new();
    Crawler c;
    crawler_init(&c, root, rules, arena);
    path = arena_str(arena, path);
    bool wanted = is_folder || tags_wants(language_by_path(path.ptr));
    const Scope *scope = open_scopes(&c, str_from(root));
    for (size_t end = 0; wanted && end < path.len;) { // folder by folder
        end = str_find(path, STR("/"), end + 1);
        Str part = arena_printf(arena, "%s/%.*s", root, (int)end, path.ptr);
        bool last = end == path.len;
        wanted = !is_ignored(&c, scope, part, !last || is_folder);
        if (wanted && !last) scope = open_scope(&c, scope, part);
    }
    arena_free(arena);
    return wanted;
}
