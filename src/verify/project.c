// One function for each build system, asked in the order of one table: the first that has tests
// wins, else the first that builds.
#include "verify/project.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workspace/files.h"

enum { MAX_FILE = 1 << 20, MAX_PATH_BYTES = 4096 };

// Our own build folder in the copy; hidden, so that nothing takes it for sources.
#define BUILD_FOLDER ".r1ls-build"

typedef struct Search {
    Str folder; // absolute
    bool may_mount;
    Arena *arena;
    Str *files; // below the folder
    size_t n_files;
} Search;

typedef bool (*Finder)(const Search *s, Project *out);

static bool has(const Search *s, const char *name)
{
    return files_exists(s->folder, str_from(name), false, s->arena);
}

static Str read_text(const Search *s, Str name)
{
    return files_read(s->folder, name, MAX_FILE, s->arena);
}

static bool put(Project *out, bool tests, Str command, Str why)
{
    *out = (Project){.command = command, .tests = tests, .why = why};
    return true;
}

// Found, but not to be used: why it has no command.
static bool lack(Project *out, Str why)
{
    *out = (Project){.why = why};
    return false;
}

bool project_has_program(const char *name)
{
    char file[MAX_PATH_BYTES];
    Str path = str_from(getenv("PATH"));
    for (size_t start = 0; start < path.len;) {
        size_t end = str_find(path, STR(":"), start);
        int n = snprintf(file, sizeof file, "%.*s/%s", STR_FMT(str_slice(path, start, end)), name);
        if (n > 0 && (size_t)n < sizeof file && access(file, X_OK) == 0) return true;
        start = end + 1;
    }
    return false;
}

bool project_is_test_file(Str path)
{
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    Str folder = str_slice(path, 0, slash), name = str_slice(path, slash, path.len);
    size_t dot = str_find(name, STR("."), 0);
    Str stem = str_slice(name, 0, dot);
    static const char *const folders[] = {"test/", "tests/", "__tests__/", NULL};
    for (int i = 0; folders[i]; i++) {
        size_t at = str_find(folder, str_from(folders[i]), 0);
        if (at < folder.len && (at == 0 || folder.ptr[at - 1] == '/')) return true;
    }
    return str_starts(name, STR("test_")) || str_starts(name, STR("check_")) ||
           str_equal(stem, STR("test")) || str_equal(stem, STR("tests")) ||
           str_ends(stem, STR("_test")) || str_ends(stem, STR("_tests")) ||
           str_contains(name, ".test.") || str_contains(name, ".spec.");
}

// The first test file with this ending that contains `sign` (NULL: any); empty: none.
static Str find_test_file(const Search *s, const char *ending, const char *sign)
{
    for (size_t i = 0; i < s->n_files; i++) {
        Str file = s->files[i];
        if (!str_ends(file, str_from(ending)) || !project_is_test_file(file)) continue;
        if (!sign || str_contains(read_text(s, file), sign)) return file;
    }
    return STR("");
}

// --- C and C++ -----------------------------------------------------------------------------------

// A build folder that CMake has configured for exactly this root.
static Str find_cmake_folder(const Search *s)
{
    static const char *const names[] = {"build", "build/release",     "build/debug",
                                        "out",   "cmake-build-debug", "cmake-build-release",
                                        NULL};
    Str wanted = arena_printf(s->arena, "CMAKE_HOME_DIRECTORY:INTERNAL=%.*s\n", STR_FMT(s->folder));
    for (int i = 0; names[i]; i++) {
        Str cache = read_text(s, arena_printf(s->arena, "%s/CMakeCache.txt", names[i]));
        if (str_find(cache, wanted, 0) < cache.len) return str_from(names[i]);
    }
    return STR("");
}

static bool find_cmake(const Search *s, Project *out)
{
    Str lists = read_text(s, STR("CMakeLists.txt"));
    if (!str_contains(lists, "project(") && !str_contains(lists, "project (")) return false;
    if (!project_has_program("cmake"))
        return lack(out, STR("CMakeLists.txt, but no cmake in PATH"));
    bool tests = str_contains(lists, "enable_testing") || str_contains(lists, "include(CTest)");
    Str folder = s->may_mount ? find_cmake_folder(s) : STR("");
    bool own = folder.len == 0;
    if (own) folder = STR(BUILD_FOLDER);
    Str configure = own ? STR("cmake -S . -B " BUILD_FOLDER " >/dev/null && ") : STR("");
    Str run = tests ? arena_printf(s->arena,
                                   " && ctest --test-dir %.*s --output-on-failure "
                                   "--no-tests=error",
                                   STR_FMT(folder))
                    : STR("");
    put(out, tests,
        arena_printf(s->arena, "%.*scmake --build %.*s -j 2%.*s", STR_FMT(configure),
                     STR_FMT(folder), STR_FMT(run)),
        arena_printf(s->arena, "CMakeLists.txt %s; %s%.*s",
                     tests ? "enables tests" : "enables no tests, so it is built",
                     own ? "a build folder of our own" : "a copy of the build folder ",
                     STR_FMT(own ? STR("") : folder)));
    out->at_root = !own;
    return true;
}

// A rule's line: words, a colon, no assignment.
static bool is_rule_of(Str line, Str target)
{
    if (line.len == 0 || strchr("\t #.", line.ptr[0])) return false;
    size_t colon = str_find(line, STR(":"), 0);
    if (colon == line.len || (colon + 1 < line.len && line.ptr[colon + 1] == '=')) return false;
    for (size_t at = 0; at < colon;) {
        size_t end = str_find(str_slice(line, 0, colon), STR(" "), at);
        if (str_equal(str_trim(str_slice(line, at, end)), target)) return true;
        at = end + 1;
    }
    return false;
}

static bool has_rule(Str makefile, Str target)
{
    for (size_t at = 0; at < makefile.len; at = str_find(makefile, STR("\n"), at) + 1)
        if (is_rule_of(str_slice(makefile, at, str_find(makefile, STR("\n"), at)), target))
            return true;
    return false;
}

static bool find_make(const Search *s, Project *out)
{
    static const char *const names[] = {"GNUmakefile", "makefile", "Makefile", NULL};
    static const char *const targets[] = {"test", "check", "tests", NULL};
    int i = 0;
    while (names[i] && !has(s, names[i]))
        i++;
    if (!names[i]) return false;
    if (!project_has_program("make"))
        return lack(out, arena_printf(s->arena, "%s, but no make in PATH", names[i]));
    Str makefile = read_text(s, str_from(names[i]));
    for (int k = 0; targets[k]; k++)
        if (has_rule(makefile, str_from(targets[k])))
            return put(out, true, arena_printf(s->arena, "make -s %s", targets[k]),
                       arena_printf(s->arena, "%s has a target '%s'", names[i], targets[k]));
    return put(out, false, STR("make -s"),
               arena_printf(s->arena, "%s has no target test or check, so it is built", names[i]));
}

static bool find_meson(const Search *s, Project *out)
{
    Str build = read_text(s, STR("meson.build"));
    if (!str_contains(build, "project(")) return false;
    if (!project_has_program("meson")) return lack(out, STR("meson.build, but no meson in PATH"));
    bool tests = false;
    for (size_t i = 0; i < s->n_files && !tests; i++)
        tests = str_ends(s->files[i], STR("meson.build")) &&
                str_contains(read_text(s, s->files[i]), "test(");
    const char *setup = "{ [ -d " BUILD_FOLDER " ] || meson setup " BUILD_FOLDER " >/dev/null; }";
    return put(out, tests,
               arena_printf(s->arena, "%s && %s", setup,
                            tests ? "meson test -C " BUILD_FOLDER " --print-errorlogs"
                                  : "meson compile -C " BUILD_FOLDER),
               tests ? STR("meson.build has tests")
                     : STR("meson.build has no tests, so it is built"));
}

// --- the others ----------------------------------------------------------------------------------

static bool find_cargo(const Search *s, Project *out)
{
    if (!has(s, "Cargo.toml")) return false;
    if (!project_has_program("cargo")) return lack(out, STR("Cargo.toml, but no cargo in PATH"));
    bool tests = false;
    for (size_t i = 0; i < s->n_files && !tests; i++)
        tests =
            str_ends(s->files[i], STR(".rs")) && str_contains(read_text(s, s->files[i]), "#[test]");
    return put(out, tests, tests ? STR(PROJECT_CARGO_TESTS) : STR("cargo build -q --offline"),
               tests ? STR("Cargo.toml, and sources with #[test]")
                     : STR("Cargo.toml, but no #[test], so it is built"));
}

static bool find_go(const Search *s, Project *out)
{
    if (!has(s, "go.mod")) return false;
    if (!project_has_program("go")) return lack(out, STR("go.mod, but no go in PATH"));
    bool tests = false;
    for (size_t i = 0; i < s->n_files && !tests; i++)
        tests = str_ends(s->files[i], STR("_test.go"));
    return put(out, tests, tests ? STR(PROJECT_GO_TESTS) : STR(PROJECT_GO "build ./..."),
               tests ? STR("go.mod, and files named _test.go")
                     : STR("go.mod, but no file named _test.go, so it is built"));
}

// The value of "test" in "scripts" of a package.json; it is only looked at, npm reads it itself.
static Str find_test_script(Str json)
{
    size_t scripts = str_find(json, STR("\"scripts\""), 0);
    size_t end = str_find(json, STR("}"), scripts), key = str_find(json, STR("\"test\""), scripts);
    if (key >= end) return STR("");
    size_t open = str_find(json, STR("\""), str_find(json, STR(":"), key));
    return str_slice(json, open + 1, str_find(json, STR("\""), open + 1));
}

static bool find_node(const Search *s, Project *out)
{
    if (!has(s, "package.json")) return false;
    Str script = find_test_script(read_text(s, STR("package.json")));
    if (script.len && !str_contains(script, "no test specified")) {
        if (!project_has_program("npm")) return lack(out, STR("package.json, but no npm in PATH"));
        return put(
            out, true, STR("npm test --silent"),
            arena_printf(s->arena, "package.json has the script 'test': %.*s", STR_FMT(script)));
    }
    static const char *const endings[] = {".js", ".mjs", ".cjs", NULL};
    Str file = {0};
    for (int i = 0; endings[i] && file.len == 0; i++)
        file = find_test_file(s, endings[i], "node:test");
    if (file.len == 0) return lack(out, STR("package.json without a script 'test'"));
    if (!project_has_program("node")) return lack(out, STR("package.json, but no node in PATH"));
    return put(out, true, STR("node --test"),
               arena_printf(s->arena, "%.*s uses node:test", STR_FMT(file)));
}

static Str folder_of(Str file)
{
    size_t slash = file.len;
    while (slash > 0 && file.ptr[slash - 1] != '/')
        slash--;
    return str_slice(file, 0, slash ? slash - 1 : 0);
}

// unittest needs nothing but Python; pytest runs both kinds.
static bool find_python(const Search *s, Project *out)
{
    Str cases = find_test_file(s, ".py", "unittest"), any = find_test_file(s, ".py", "def test");
    if (any.len == 0) {
        bool named = has(s, "pyproject.toml") || has(s, "setup.cfg") || has(s, "setup.py");
        return named && lack(out, STR("a Python project without test files"));
    }
    if (!project_has_program("python3"))
        return lack(out, STR("test files, but no python3 in PATH"));
    const char *path = files_exists(s->folder, STR("src"), true, s->arena)
                           ? "PYTHONPATH=\"$PWD/src:$PWD\" "
                           : "PYTHONPATH=\"$PWD\" ";
    bool configured = str_contains(read_text(s, STR("pyproject.toml")), "pytest") ||
                      str_contains(read_text(s, STR("setup.cfg")), "pytest") ||
                      has(s, "pytest.ini") || has(s, "conftest.py");
    Str plain = find_test_file(s, ".py", "\ndef test"),
        wants = find_test_file(s, ".py", "import pytest");
    bool pytest = configured || plain.len || wants.len;
    if (pytest && project_has_program("pytest"))
        return put(
            out, true, arena_printf(s->arena, "%spython3 -m pytest -q", path),
            arena_printf(s->arena, "%.*s has tests for pytest", STR_FMT(plain.len ? plain : any)));
    if (cases.len == 0)
        return lack(out,
                    arena_printf(s->arena, "%.*s has tests, but no pytest in PATH", STR_FMT(any)));
    Str folder = folder_of(cases);
    return put(out, true,
               arena_printf(s->arena, "%spython3 -m unittest discover -s %.*s -p '*test*.py'", path,
                            STR_FMT(folder.len ? folder : STR("."))),
               arena_printf(s->arena, "%.*s has tests for unittest", STR_FMT(cases)));
}

bool project_may_have_tests(Str root)
{
    static const char *const names[] = {
        "CMakeLists.txt", "Makefile",     "makefile",   "GNUmakefile",    "meson.build",
        "go.mod",         "package.json", "Cargo.toml", "pyproject.toml", "setup.py",
        "setup.cfg",      "pytest.ini",   "tests",      "test",           NULL};
    char path[MAX_PATH_BYTES];
    for (int i = 0; names[i]; i++) {
        int n = snprintf(path, sizeof path, "%.*s/%s", STR_FMT(root), names[i]);
        if (n > 0 && (size_t)n < sizeof path && access(path, R_OK) == 0) return true;
    }
    return false;
}

// --- all -----------------------------------------------------------------------------------------

// Make stands before CMake only where it has tests and CMake has none.
static const Finder finders[] = {find_cmake, find_make, find_meson, find_cargo,
                                 find_go,    find_node, find_python};

static Project search(Str folder, bool may_mount, Arena *arena)
{
    Search s = {.folder = folder, .may_mount = may_mount, .arena = arena};
    s.n_files = files_list(folder, PROJECT_MAX_FILES, arena, &s.files);
    Project best = {.why = STR("no build file and no test file that is known here")};
    for (size_t i = 0; i < sizeof finders / sizeof *finders; i++) {
        Project found = {0};
        bool ok = finders[i](&s, &found);
        if (ok && found.tests) return found;
        if (best.command.len == 0 && found.why.len) best = found;
    }
    return best;
}

static Str quote(Str text, Arena *arena)
{
    StrBuf out = {0};
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\'')
            strbuf_append(&out, STR("'\\''"));
        else
            strbuf_append_char(&out, text.ptr[i]);
    Str quoted = arena_printf(arena, "'%.*s'", STR_FMT(strbuf_str(&out)));
    strbuf_deinit(&out);
    return quoted;
}

Project project_find(Str root, Str path, bool may_mount, Arena *arena)
{
    while (root.len > 1 && str_ends(root, STR("/")))
        root.len--;
    Project best = search(root, may_mount, arena);
    for (Str folder = folder_of(path); folder.len && !best.tests; folder = folder_of(folder)) {
        if (folder.ptr[0] == '/' || str_contains(folder, "..")) break;
        Project found = search(files_path(root, folder, arena), may_mount, arena);
        if (!found.tests && (best.command.len || !found.command.len)) continue;
        best = found;
        best.command = arena_printf(arena, "cd %.*s && %.*s", STR_FMT(quote(folder, arena)),
                                    STR_FMT(found.command));
        best.why = arena_printf(arena, "in %.*s: %.*s", STR_FMT(folder), STR_FMT(found.why));
    }
    best.command = arena_str(arena, best.command);
    return best;
}
