// The table of languages. Query lists name the files that apply, in order: C++ reads C's too,
// TypeScript JavaScript's.
#include "languages.h"

#include <string.h>
#include <strings.h>

#include "queries.h"

const TSLanguage *tree_sitter_c(void), *tree_sitter_cpp(void), *tree_sitter_python(void),
    *tree_sitter_javascript(void), *tree_sitter_typescript(void), *tree_sitter_tsx(void),
    *tree_sitter_go(void), *tree_sitter_rust(void), *tree_sitter_java(void),
    *tree_sitter_bash(void), *tree_sitter_json(void), *tree_sitter_yaml(void),
    *tree_sitter_toml(void), *tree_sitter_lua(void), *tree_sitter_ruby(void),
    *tree_sitter_php(void), *tree_sitter_c_sharp(void), *tree_sitter_html(void),
    *tree_sitter_css(void), *tree_sitter_markdown(void), *tree_sitter_make(void);

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

// clang-format off: one row a language
static const Language table[] = {
    {.id = "c",
     .title = "C",
     .extensions = LIST(".c", ".h"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_c,
     .queries = {LIST(query_c_definitions, query_c_imports), LIST(query_c_references),
                 LIST(query_c_scopes), LIST(query_c_bodies),
                 LIST(query_c_family_rules, query_c_rules), .highlights = LIST(query_c_highlights),
                 .snippets = LIST(query_c_family_snippets, query_c_snippets)}},
    {.id = "cpp",
     .title = "C++",
     .extensions = LIST(".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx", ".ipp", ".inl"),
     .file_names = NONE,
     .aliases = LIST("c++", "cuda-cpp"),
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_cpp,
     .queries = {LIST(query_c_definitions, query_c_imports, query_cpp_definitions),
                 LIST(query_c_references), LIST(query_c_scopes, query_cpp_scopes),
                 LIST(query_c_bodies, query_cpp_bodies),
                 LIST(query_c_family_rules, query_cpp_rules),
                 .highlights = LIST(query_c_highlights, query_cpp_highlights),
                 .snippets = LIST(query_c_family_snippets, query_cpp_snippets)}},
    {.id = "python",
     .title = "Python",
     .extensions = LIST(".py", ".pyi", ".pyw"),
     .file_names = LIST("SConstruct", "SConscript", "wscript"),
     .aliases = NONE,
     .line_comment = "#",
     .indent_width = 4,
     .grammar = tree_sitter_python,
     .queries = {LIST(query_python_definitions, query_python_imports),
                 LIST(query_python_references), LIST(query_python_scopes),
                 LIST(query_python_bodies), LIST(query_python_rules),
                 .highlights = LIST(query_python_highlights),
                 .snippets = LIST(query_python_snippets)}},
    {.id = "javascript",
     .title = "JavaScript",
     .extensions = LIST(".js", ".mjs", ".cjs", ".jsx"),
     .file_names = NONE,
     .aliases = LIST("javascriptreact"),
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_javascript,
     .queries = {LIST(query_javascript_definitions, query_javascript_fields,
                      query_javascript_imports),
                 LIST(query_javascript_references),
                 LIST(query_javascript_scopes, query_ecma_params_scopes),
                 LIST(query_javascript_bodies), LIST(query_javascript_rules),
                 .highlights = LIST(query_javascript_highlights),
                 .snippets = LIST(query_javascript_snippets)}},
    {.id = "typescript",
     .title = "TypeScript",
     .extensions = LIST(".ts", ".mts", ".cts"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_typescript,
     .queries = {LIST(query_javascript_definitions, query_javascript_imports,
                      query_typescript_definitions),
                 LIST(query_javascript_references),
                 LIST(query_javascript_scopes, query_typescript_scopes),
                 LIST(query_javascript_bodies), LIST(query_javascript_rules),
                 .highlights = LIST(query_javascript_highlights, query_typescript_highlights),
                 .snippets = LIST(query_javascript_snippets, query_typescript_snippets)}},
    {.id = "typescriptreact",
     .title = "TSX",
     .extensions = LIST(".tsx"),
     .file_names = NONE,
     .aliases = LIST("tsx"),
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_tsx,
     .queries = {LIST(query_javascript_definitions, query_javascript_imports,
                      query_typescript_definitions),
                 LIST(query_javascript_references),
                 LIST(query_javascript_scopes, query_typescript_scopes),
                 LIST(query_javascript_bodies), LIST(query_javascript_rules),
                 .highlights = LIST(query_javascript_highlights, query_typescript_highlights),
                 .snippets = LIST(query_javascript_snippets, query_typescript_snippets)}},
    {.id = "go",
     .title = "Go",
     .extensions = LIST(".go"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .indent_tabs = 1,
     .grammar = tree_sitter_go,
     .queries = {LIST(query_go_definitions, query_go_imports), LIST(query_go_references),
                 LIST(query_go_scopes), LIST(query_go_bodies), LIST(query_go_rules),
                 .highlights = LIST(query_go_highlights), .snippets = LIST(query_go_snippets)}},
    {.id = "rust",
     .title = "Rust",
     .extensions = LIST(".rs"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_rust,
     .queries = {LIST(query_rust_definitions, query_rust_imports), LIST(query_rust_references),
                 LIST(query_rust_scopes), LIST(query_rust_bodies), LIST(query_rust_rules),
                 .highlights = LIST(query_rust_highlights), .snippets = LIST(query_rust_snippets)}},
    {.id = "java",
     .title = "Java",
     .extensions = LIST(".java"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_java,
     .queries = {LIST(query_java_definitions, query_java_imports), LIST(query_java_references),
                 LIST(query_java_scopes), LIST(query_java_bodies),
                 .highlights = LIST(query_java_highlights), .snippets = LIST(query_java_snippets)}},
    {.id = "shellscript",
     .title = "Bash",
     .extensions = LIST(".sh", ".bash"),
     .file_names = LIST(".bashrc", ".profile"),
     .aliases = LIST("bash", "sh"),
     .line_comment = "#",
     .indent_width = 4,
     .no_issues = true,
     .grammar = tree_sitter_bash,
     .queries = {LIST(query_bash_definitions), NONE, NONE, LIST(query_bash_bodies),
                 .highlights = LIST(query_bash_highlights)}},
    {.id = "json",
     .title = "JSON",
     .extensions = LIST(".json", ".jsonc"),
     .file_names = NONE,
     .aliases = LIST("jsonc"),
     .indent_width = 2,
     .grammar = tree_sitter_json,
     .queries = {LIST(query_json_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_json_highlights)}},
    {.id = "yaml",
     .title = "YAML",
     .extensions = LIST(".yaml", ".yml"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "#",
     .indent_width = 2,
     .grammar = tree_sitter_yaml,
     .queries = {LIST(query_yaml_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_yaml_highlights)}},
    {.id = "toml",
     .title = "TOML",
     .extensions = LIST(".toml"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "#",
     .indent_width = 2,
     .grammar = tree_sitter_toml,
     .queries = {LIST(query_toml_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_toml_highlights)}},
    {.id = "lua",
     .title = "Lua",
     .extensions = LIST(".lua"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "--",
     .block_open = "--[[",
     .block_close = "]]",
     .indent_width = 2,
     .grammar = tree_sitter_lua,
     .queries = {LIST(query_lua_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_lua_highlights)}},
    {.id = "ruby",
     .title = "Ruby",
     .extensions = LIST(".rb", ".rake"),
     .file_names = LIST("Gemfile", "Rakefile"),
     .aliases = NONE,
     .line_comment = "#",
     .indent_width = 2,
     .grammar = tree_sitter_ruby,
     .queries = {LIST(query_ruby_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_ruby_highlights)}},
    {.id = "php",
     .title = "PHP",
     .extensions = LIST(".php"),
     .file_names = NONE,
     .aliases = NONE,
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_php,
     .queries = {LIST(query_php_definitions), NONE, NONE, LIST(query_php_bodies),
                 .highlights = LIST(query_php_highlights)}},
    {.id = "csharp",
     .title = "C#",
     .extensions = LIST(".cs"),
     .file_names = NONE,
     .aliases = LIST("c#"),
     .line_comment = "//",
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 4,
     .grammar = tree_sitter_c_sharp,
     .queries = {LIST(query_csharp_definitions), NONE, NONE, LIST(query_csharp_bodies),
                 .highlights = LIST(query_csharp_highlights)}},
    {.id = "html",
     .title = "HTML",
     .extensions = LIST(".html", ".htm"),
     .file_names = NONE,
     .aliases = NONE,
     .block_open = "<!--",
     .block_close = "-->",
     .indent_width = 2,
     .grammar = tree_sitter_html,
     .queries = {NONE, NONE, NONE, NONE, .highlights = LIST(query_html_highlights)}},
    {.id = "css",
     .title = "CSS",
     .extensions = LIST(".css"),
     .file_names = NONE,
     .aliases = NONE,
     .block_open = "/*",
     .block_close = "*/",
     .indent_width = 2,
     .grammar = tree_sitter_css,
     .queries = {LIST(query_css_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_css_highlights)}},
    {.id = "markdown",
     .title = "Markdown",
     .extensions = LIST(".md", ".markdown"),
     .file_names = NONE,
     .aliases = NONE,
     .block_open = "<!--",
     .block_close = "-->",
     .indent_width = 2,
     .no_issues = true,
     .grammar = tree_sitter_markdown,
     .queries = {LIST(query_markdown_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_markdown_highlights)}},
    {.id = "makefile",
     .title = "Make",
     .extensions = LIST(".mk", ".mak"),
     .file_names = LIST("Makefile", "makefile", "GNUmakefile"),
     .aliases = LIST("make"),
     .line_comment = "#",
     .indent_width = 8,
     .indent_tabs = 1,
     .no_issues = true,
     .grammar = tree_sitter_make,
     .queries = {LIST(query_make_definitions), NONE, NONE, NONE,
                 .highlights = LIST(query_make_highlights)}},
};
// clang-format on

const Language *languages(size_t *n)
{
    *n = sizeof table / sizeof *table;
    return table;
}

static bool contains(const char *const *list, const char *text)
{
    for (; *list; list++)
        if (strcmp(*list, text) == 0) return true;
    return false;
}

const Language *language_by_id(const char *id)
{
    size_t n;
    const Language *all = languages(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].id, id) == 0) return &all[i];
    for (size_t i = 0; i < n; i++)
        if (contains(all[i].aliases, id)) return &all[i];
    return NULL;
}

static bool has_extension(const Language *lang, const char *extension)
{
    for (const char *const *e = lang->extensions; *e; e++)
        if (strcasecmp(*e, extension) == 0) return true;
    return false;
}

const Language *language_by_path(const char *path)
{
    size_t n;
    const Language *all = languages(&n);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *extension = strrchr(name, '.');
    for (size_t i = 0; i < n; i++)
        if (contains(all[i].file_names, name)) return &all[i];
    for (size_t i = 0; extension && i < n; i++)
        if (has_extension(&all[i], extension)) return &all[i];
    return NULL;
}

int language_family(const Language *lang)
{
    if (!lang) return 0;
    const char *id = lang->id;
    if (strcmp(id, "cpp") == 0) id = "c";
    if (strncmp(id, "typescript", strlen("typescript")) == 0) id = "javascript";
    return (int)(language_by_id(id) - table) + 1;
}

bool language_families_mix(int a, int b)
{
    return a == 0 || b == 0 || a == b;
}

// A word at the start of a line that C has no use for.
static bool looks_like_cpp(const char *text, size_t n)
{
    static const char *const starts[] = {"namespace ",       "template <", "template<", "class ",
                                         "using namespace ", "public:",    "private:"};
    for (size_t at = 0; at < n;) {
        while (at < n && (text[at] == ' ' || text[at] == '\t'))
            at++;
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            size_t len = strlen(starts[i]);
            if (n - at >= len && memcmp(text + at, starts[i], len) == 0) return true;
        }
        const char *end = memchr(text + at, '\n', n - at);
        if (!end) return false;
        at = (size_t)(end - text) + 1;
    }
    return false;
}

const Language *language_by_content(const char *path, const char *text, size_t n)
{
    const Language *lang = language_by_path(path);
    size_t len = strlen(path);
    bool header = len > 2 && strcmp(path + len - 2, ".h") == 0;
    return header && looks_like_cpp(text, n) ? language_by_id("cpp") : lang;
}

#ifdef __SANITIZE_THREAD__
// Threads share trees by tree-sitter's atomic counts, which ThreadSanitizer does not see: the core
// is built without it. So it takes a tree's end in one thread for a race with a copy that another
// made of it before.
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:^ts_subtree_release\n";
}
#endif
