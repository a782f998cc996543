// Models answer with a function, with a file, or with a function among explanations: the function
// is looked for by name in the syntax tree of what they wrote.
#include "loop/answer.h"

#include <string.h>

#include "loop/imports.h"
#include "prompt/indent.h"

// --- the code block ------------------------------------------------------------------------------

static size_t line_end(Str s, size_t at)
{
    return str_find(s, STR("\n"), at);
}

// The offset of the next line that starts with a fence, or s.len.
static size_t find_fence(Str s, size_t from)
{
    for (size_t at = from; at < s.len; at = line_end(s, at) + 1) {
        Str line = str_slice(s, at, line_end(s, at));
        if (str_starts(str_trim(line), STR("```"))) return at;
    }
    return s.len;
}

Str answer_code(Str answer, bool *closed)
{
    size_t fence = find_fence(answer, 0);
    *closed = false;
    if (fence == answer.len) return str_trim(answer);
    size_t start = line_end(answer, fence) + 1;
    if (start > answer.len) start = answer.len;
    size_t end = find_fence(answer, start);
    *closed = end < answer.len;
    return str_slice(answer, start, end);
}

// --- fitting -------------------------------------------------------------------------------------

// The code with its first line's blanks replaced by `base` on every line.
static Str reindent(Str code, Str base, Arena *arena)
{
    size_t first = 0;
    while (first < code.len && str_trim(str_slice(code, first, line_end(code, first))).len == 0)
        first = line_end(code, first) + 1;
    if (first >= code.len) return (Str){0};
    code = str_slice(code, first, code.len);
    size_t old = indent_blanks(str_slice(code, 0, line_end(code, 0))).len;
    if (old == base.len) return code;
    StrBuf out = {0};
    for (size_t at = 0; at < code.len; at = line_end(code, at) + 1) {
        Str line = str_slice(code, at, line_end(code, at));
        size_t blanks = indent_blanks(line).len, drop = blanks < old ? blanks : old;
        if (out.len) strbuf_append_char(&out, '\n');
        if (str_trim(line).len == 0) continue;
        strbuf_append(&out, base);
        strbuf_append(&out, str_slice(line, drop, line.len));
    }
    Str fitted = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return fitted;
}

// The function of that name anywhere in the code, or the only one if none has the name.
static bool find_function(const Syntax *syntax, Str name, SyntaxFunction *out)
{
    const TextSnap *text = syntax_text(syntax);
    size_t n = 0, last = SIZE_MAX;
    SyntaxFunction f, only = {0};
    for (uint32_t row = 0; row < text_n_lines(text); row++) {
        size_t at = text_line_start(text, row) + indent_blanks(text_line(text, row)).len;
        if (!syntax_function_at(syntax, at, &f) || f.whole.start == last) continue;
        last = f.whole.start;
        if (str_equal(f.name, name)) {
            *out = f;
            return true;
        }
        only = f;
        n++;
    }
    *out = only;
    return n == 1 && name.len == 0;
}

static bool has_docstring(const SyntaxFunction *f)
{
    return f->comment.end > f->comment.start && f->comment.start >= f->body.start;
}

// --- functions -----------------------------------------------------------------------------------

static Str indentation_of(const TextSnap *text, size_t at)
{
    return indent_blanks(text_line(text, text_point(text, at).row));
}

// The answer's function, with the docstring of the document where it has none.
static Str keep_docstring(const Syntax *syntax, const Task *task, const SyntaxFunction *f, Str all,
                          Arena *arena)
{
    Str whole = str_slice(all, f->whole.start, f->whole.end);
    const SyntaxFunction *old = &task->function;
    if (!has_docstring(old) || has_docstring(f)) return whole;
    const TextSnap *text = syntax_text(syntax);
    size_t body = f->body.start;
    size_t row_start = body;
    while (row_start > f->whole.start && all.ptr[row_start - 1] != '\n')
        row_start--;
    Str blanks = str_slice(all, row_start, body);
    if (str_trim(blanks).len) return whole; // "def f(): return 1" stays as it is
    Str said = str_slice(text_str(text), old->comment.start, old->comment.end);
    return arena_printf(arena, "%.*s%.*s\n%.*s%.*s", (int)(body - f->whole.start),
                        all.ptr + f->whole.start, STR_FMT(said), STR_FMT(blanks),
                        STR_FMT(str_slice(all, body, f->whole.end)));
}

static AnswerEdit place_function(const Syntax *syntax, const Task *task, const Syntax *answered,
                                 Arena *arena)
{
    SyntaxFunction f;
    const TextSnap *text = syntax_text(syntax);
    Str all = text_str(syntax_text(answered));
    if (!find_function(answered, task->name, &f))
        return (AnswerEdit){.flaw = "the answer has no function of that name"};
    if (f.body_is_empty) return (AnswerEdit){.flaw = "it does nothing"};
    bool is_new = task->kind == TASK_FUNCTION;
    ByteRange replace = is_new ? task->replace : task->function.whole;
    Str whole = is_new ? str_slice(all, f.whole.start, f.whole.end)
                       : keep_docstring(syntax, task, &f, all, arena);
    // The first line's blanks stand before the function in the document and in the answer.
    Str base = indentation_of(text, is_new ? task->function.whole.start : replace.start);
    size_t start = f.whole.start;
    while (start > 0 && strchr(" \t", all.ptr[start - 1]))
        start--;
    Str lead = str_slice(all, start, f.whole.start);
    Str fitted =
        reindent(arena_printf(arena, "%.*s%.*s", STR_FMT(lead), STR_FMT(whole)), base, arena);
    AnswerEdit edit = {replace, str_slice(fitted, is_new ? 0 : base.len, fitted.len), NULL};
    if (is_new) edit.insert = arena_printf(arena, "%.*s\n\n", STR_FMT(fitted));
    Str brought = imports_new(text_str(text), all, f.whole.start, arena);
    Str forgotten =
        imports_missing(syntax_language(syntax), text_str(text), brought, edit.insert, arena);
    imports_add(text, arena_printf(arena, "%.*s%.*s", STR_FMT(brought), STR_FMT(forgotten)),
                &edit.replace, &edit.insert, arena);
    return edit;
}

static AnswerEdit edit_function(const Syntax *syntax, const Task *task, Str code, Arena *arena)
{
    Error err = {0};
    AnswerEdit edit = {.flaw = "the answer is too large"};
    TextSnap *text = text_new(reindent(code, STR(""), arena), &err);
    Syntax *answered = text ? syntax_parse(syntax_language(syntax), text, NULL) : NULL;
    if (answered) edit = place_function(syntax, task, answered, arena);
    // The insert may be a slice of the snapshot.
    edit.insert = arena_str(arena, edit.insert);
    syntax_release(answered);
    text_release(text);
    return edit;
}

// --- the others ----------------------------------------------------------------------------------

// A comment before the function: only the comment lines of the answer count.
static AnswerEdit edit_comment(const Syntax *syntax, const Task *task, Str code, Arena *arena)
{
    const Language *lang = syntax_language(syntax);
    StrBuf out = {0};
    Str base = indentation_of(syntax_text(syntax), task->function.whole.start);
    bool in_block = false;
    for (size_t at = 0; at < code.len; at = line_end(code, at) + 1) {
        Str line = str_trim(str_slice(code, at, line_end(code, at)));
        bool opens = lang->block_open && str_starts(line, str_from(lang->block_open));
        bool is_line = lang->line_comment && str_starts(line, str_from(lang->line_comment));
        if (!in_block && !opens && !is_line && out.len) break;
        if (!in_block && !opens && !is_line) continue;
        bool star = in_block && str_starts(line, STR("*"));
        strbuf_printf(&out, "%.*s%s%.*s\n", STR_FMT(base), star ? " " : "", STR_FMT(line));
        in_block =
            (in_block || opens) && str_find(line, str_from(lang->block_close), 0) == line.len;
    }
    AnswerEdit edit = {task->replace, arena_str(arena, strbuf_str(&out)), NULL};
    if (out.len == 0 || in_block) edit.flaw = "the answer has no whole comment";
    strbuf_deinit(&out);
    return edit;
}

static AnswerEdit edit_lines(const Syntax *syntax, const Task *task, Str code, Arena *arena)
{
    const TextSnap *text = syntax_text(syntax);
    bool after_comment = task->kind == TASK_CODE;
    Str base = indentation_of(text, task->replace.start);
    Str fitted = str_trim_end(reindent(code, base, arena));
    if (fitted.len == 0) return (AnswerEdit){.flaw = "the answer has no code"};
    return (AnswerEdit){task->replace,
                        arena_printf(arena, "%s%.*s", after_comment ? "\n" : "", STR_FMT(fitted)),
                        NULL};
}

AnswerEdit answer_edit(const Syntax *syntax, const Task *task, Str code, Arena *arena)
{
    if (str_trim(code).len == 0) return (AnswerEdit){.flaw = "the answer has no code"};
    switch (task->kind) {
    case TASK_BODY:
    case TASK_FIX:
    case TASK_FUNCTION:
        return edit_function(syntax, task, code, arena);
    case TASK_COMMENT:
        return edit_comment(syntax, task, code, arena);
    case TASK_CODE:
    case TASK_CONVERT:
        return edit_lines(syntax, task, code, arena);
    default:
        return (AnswerEdit){.flaw = "this task takes no edit"};
    }
}
