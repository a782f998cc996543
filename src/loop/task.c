// Finding places: the function around the cursor, the comment on its line, the call under it.
#include "loop/task.h"

#include <string.h>

#include "prompt/indent.h"
#include "workspace/queries.h"

static const char *const words[] = {
#define X(name, word, title, lack) word,
    TASK_KINDS(X)
#undef X
};
static const char *const titles[] = {
#define X(name, word, title, lack) title,
    TASK_KINDS(X)
#undef X
};

static const char *const lacks[] = {
#define X(name, word, title, lack) lack,
    TASK_KINDS(X)
#undef X
};

const char *task_word(TaskKind kind)
{
    return words[kind];
}

const char *task_title(TaskKind kind)
{
    return titles[kind];
}

const char *task_lack(TaskKind kind)
{
    return lacks[kind];
}

bool task_by_word(Str word, TaskKind *out)
{
    for (int i = 0; i < N_TASK_KINDS; i++) {
        if (!str_equal(word, str_from(words[i]))) continue;
        *out = (TaskKind)i;
        return true;
    }
    return false;
}

bool task_runs_tests(TaskKind kind)
{
    return kind == TASK_TESTS || kind == TASK_RUN;
}

// --- comments ------------------------------------------------------------------------------------

static bool is_comment(TSNode node)
{
    return strstr(ts_node_type(node), "comment") != NULL;
}

// The comment that fills the cursor's line, and nothing but blank lines or the end after it within
// its block: where code was asked for and none stands yet.
static bool find_comment_line(const Syntax *syntax, size_t byte_off, Task *out)
{
    const TextSnap *text = syntax_text(syntax);
    uint32_t row = text_point(text, byte_off).row;
    Str line = text_line(text, row), blanks = indent_blanks(line);
    if (blanks.len == line.len) return false;
    uint32_t at = (uint32_t)(text_line_start(text, row) + blanks.len);
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), at, at);
    if (!is_comment(node) || ts_node_start_point(node).row != row) return false;
    uint32_t end_row = text_point(text, syntax_range(node).end - 1).row;
    if (end_row + 1 < text_n_lines(text)) {
        Str next = text_line(text, end_row + 1), rest = str_trim(next);
        bool deeper = indent_blanks(next).len >= blanks.len;
        bool closes = rest.len && strchr("})]", rest.ptr[0]);
        if (rest.len && deeper && !closes) return false;
    }
    size_t end = text_line_end(text, end_row);
    out->replace = (ByteRange){end, end};
    return true;
}

// --- calls ---------------------------------------------------------------------------------------

static bool defines_name(const Syntax *syntax, Str name)
{
    const TSQuery *query = queries_get(syntax_language(syntax), QUERY_DEFINITIONS);
    if (!query) return true; // unknown: nothing is offered
    TSQueryCursor *cursor = ts_query_cursor_new();
    ts_query_cursor_exec(cursor, query, syntax_root(syntax));
    TSQueryMatch match;
    uint32_t i;
    bool found = false;
    while (!found && ts_query_cursor_next_capture(cursor, &match, &i)) {
        ByteRange range = syntax_range(match.captures[i].node);
        found = str_equal(str_slice(text_str(syntax_text(syntax)), range.start, range.end), name);
    }
    ts_query_cursor_delete(cursor);
    return found;
}

// A call of a plain name that this file does not define. Another file may: the caller, who knows
// the project's symbols, decides whether to offer it.
static bool find_missing_call(const Syntax *syntax, size_t byte_off, Task *out)
{
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), (uint32_t)byte_off,
                                                    (uint32_t)byte_off);
    for (int up = 0; up < 3 && !ts_node_is_null(node); up++, node = ts_node_parent(node)) {
        const char *type = ts_node_type(node);
        if (strcmp(type, "call_expression") != 0 && strcmp(type, "call") != 0) continue;
        TSNode callee = ts_node_child_by_field_name(node, "function", 8);
        if (ts_node_is_null(callee) || strcmp(ts_node_type(callee), "identifier") != 0)
            return false;
        ByteRange range = syntax_range(callee);
        out->name = str_slice(text_str(syntax_text(syntax)), range.start, range.end);
        return !defines_name(syntax, out->name);
    }
    return false;
}

size_t task_function_start(const SyntaxFunction *f)
{
    bool above = f->comment.end > f->comment.start && f->comment.start < f->whole.start;
    return above ? f->comment.start : f->whole.start;
}

// Where a new function goes: before the function that calls it, its comment included, so that C
// needs no declaration; Python resolves names when it runs, and reads as well that way.
static void place_before(const Syntax *syntax, Task *out)
{
    const TextSnap *text = syntax_text(syntax);
    size_t at = text_line_start(text, text_point(text, task_function_start(&out->function)).row);
    out->replace = (ByteRange){at, at};
}

// --- all -----------------------------------------------------------------------------------------

// Whole lines, so that an answer needs no fitting into a line.
static bool take_lines(const Syntax *syntax, ByteRange selection, Task *out)
{
    const TextSnap *text = syntax_text(syntax);
    if (selection.end <= selection.start) return false;
    uint32_t last = text_point(text, selection.end - 1).row;
    out->replace.start = text_line_start(text, text_point(text, selection.start).row);
    out->replace.end = text_line_end(text, last);
    return str_trim(str_slice(text_str(text), selection.start, selection.end)).len > 0;
}

bool task_find(const Syntax *syntax, TaskKind kind, ByteRange selection, Task *out)
{
    *out = (Task){.kind = kind};
    bool in_function = syntax_function_at(syntax, selection.start, &out->function);
    const SyntaxFunction *f = &out->function;
    out->name = f->name;
    switch (kind) {
    case TASK_BODY:
        out->replace = f->body;
        return in_function && f->body_is_empty && f->body.end > f->body.start;
    case TASK_CODE:
        return find_comment_line(syntax, selection.start, out);
    case TASK_FUNCTION:
        if (!in_function || !find_missing_call(syntax, selection.start, out)) return false;
        place_before(syntax, out);
        return true;
    case TASK_COMMENT:
        if (in_function) place_before(syntax, out);
        return in_function && !f->body_is_empty && f->comment.end == f->comment.start;
    case TASK_CONVERT:
        return take_lines(syntax, selection, out);
    case TASK_FIX:
    case TASK_TESTS:
    case TASK_WRITE_TESTS:
        out->replace = f->whole;
        return in_function && !f->body_is_empty;
    case TASK_EXPLAIN:
        return in_function;
    case TASK_RUN:
        return true;
    default:
        return false;
    }
}
