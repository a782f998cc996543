// Short questions: small models lose the thread of long ones, and every token costs a hundredth of
// a second on two cores.
#include "loop/ask.h"

#include <string.h>

#include "loop/framework.h"

enum { CONTEXT_BYTES = 1600, MESSAGE_BYTES = 800 };

static Str clip(Str s, size_t max)
{
    return str_trim(str_slice(s, 0, max));
}

// The document before `end`, from a line's start on, as much as is allowed.
static Str context_before(const LoopRun *run, size_t end)
{
    Str all = text_str(run->request->text);
    size_t start = end > CONTEXT_BYTES ? end - CONTEXT_BYTES : 0;
    if (start > 0) start = str_find(all, STR("\n"), start) + 1;
    return start < end ? str_trim(str_slice(all, start, end)) : STR("");
}

static Str fence(const LoopRun *run)
{
    return arena_printf(run->arena, "```%s\n", syntax_language(run->request->syntax)->id);
}

static void put_block(const LoopRun *run, StrBuf *out, Str code)
{
    strbuf_printf(out, "%.*s%.*s\n```\n", STR_FMT(fence(run)), STR_FMT(code));
}

static void put_context(const LoopRun *run, StrBuf *out, size_t end)
{
    Str before = context_before(run, end);
    if (before.len == 0) return;
    strbuf_printf(out, "The file %.*s begins with\n", STR_FMT(run->request->path));
    put_block(run, out, before);
}

static void put_examples(const LoopRun *run, StrBuf *out)
{
    const Examples *e = &run->examples;
    if (e->path.len == 0) return;
    strbuf_printf(out, "The tests in %.*s:\n", STR_FMT(e->path));
    put_block(run, out, str_trim_end(e->code));
}

static Str function_text(const LoopRun *run)
{
    const SyntaxFunction *f = &run->task.function;
    return str_slice(text_str(run->request->text), task_function_start(f), f->whole.end);
}

static void put_fix(const LoopRun *run, StrBuf *out)
{
    Str said = run->request->message.len ? run->request->message : run->result->baseline;
    put_context(run, out, task_function_start(&run->task.function));
    strbuf_printf(out, "The function `%.*s` has a bug:\n", STR_FMT(run->task.name));
    put_block(run, out, function_text(run));
    put_examples(run, out);
    if (said.len)
        strbuf_printf(out, "What fails:\n```\n%.*s\n```\n", STR_FMT(clip(said, MESSAGE_BYTES)));
    strbuf_printf(out,
                  "Find the bug and write the whole corrected function `%.*s` in one code block. "
                  "Change only what is wrong; the corrected function must differ from the one "
                  "above.",
                  STR_FMT(run->task.name));
}

static void put_body(const LoopRun *run, StrBuf *out)
{
    put_context(run, out, task_function_start(&run->task.function));
    put_examples(run, out);
    strbuf_printf(out, "Write the function `%.*s` as its comment says, in one code block:\n",
                  STR_FMT(run->task.name));
    put_block(run, out, function_text(run));
}

static void put_missing(const LoopRun *run, StrBuf *out)
{
    put_context(run, out, run->task.replace.start);
    strbuf_printf(out, "This function calls `%.*s`, which does not exist yet:\n",
                  STR_FMT(run->task.name));
    put_block(run, out, function_text(run));
    put_examples(run, out);
    strbuf_printf(out, "Write the function `%.*s`, and nothing else, in one code block.",
                  STR_FMT(run->task.name));
}

static void put_lines(const LoopRun *run, StrBuf *out)
{
    const LoopRequest *r = run->request;
    Str all = text_str(r->text);
    ByteRange lines = run->task.replace;
    if (run->task.kind == TASK_CODE) {
        put_context(run, out, lines.end);
        strbuf_append(out, STR("Write the code that belongs after the last comment, as that "
                               "comment asks. Answer with this code alone, in one code block."));
        return;
    }
    put_context(run, out, lines.start);
    strbuf_append(out, STR("Here are some lines of it:\n"));
    put_block(run, out, str_slice(all, lines.start, lines.end));
    strbuf_printf(out, "Rewrite these lines: %.*s\nAnswer with the new lines in one code block.",
                  STR_FMT(clip(r->instruction, MESSAGE_BYTES)));
}

static void put_explain(const LoopRun *run, StrBuf *out)
{
    Str said = run->request->message.len ? run->request->message : run->result->baseline;
    put_block(run, out, function_text(run));
    strbuf_printf(out,
                  "This fails:\n```\n%.*s\n```\nExplain in at most four short sentences why "
                  "it fails and what to change. Write no code block.",
                  STR_FMT(clip(said, MESSAGE_BYTES)));
}

static void put_tests(const LoopRun *run, StrBuf *out)
{
    const TestPlan *plan = run->plan;
    put_context(run, out, task_function_start(&run->task.function));
    put_block(run, out, function_text(run));
    strbuf_printf(
        out,
        "Write unit tests for the function `%.*s` with %s, in one code block. Each "
        "assertion stands on one line and has concrete values, like\n`%.*s`\nTest "
        "ordinary values, limits and special cases, ten assertions in all. Work out every "
        "expected value from the code.",
        STR_FMT(run->task.name), plan->framework->name,
        STR_FMT(framework_fill(plan, plan->framework->example, run->arena)));
}

static void put_failure(const LoopRun *run, StrBuf *out, const Candidate *failure)
{
    Str note = loop_failure_message(failure);
    if (str_equal(note, STR("it changes nothing"))) {
        strbuf_append(out,
                      STR("\n\nAn earlier answer repeated the function unchanged, with its bug. "
                          "Think about what fails, and change the line that causes it."));
        return;
    }
    strbuf_append(out, STR("\n\nThis attempt was wrong:\n"));
    put_block(run, out, str_trim(failure->insert));
    strbuf_printf(out, "It gives:\n```\n%.*s\n```\nWrite it differently, so that this is right.",
                  STR_FMT(clip(note, MESSAGE_BYTES)));
}

Str ask_function_head(const LoopRun *run)
{
    const SyntaxFunction *f = &run->task.function;
    bool docstring = f->comment.end > f->comment.start && f->comment.start >= f->body.start;
    size_t end = docstring ? f->comment.end : f->body.start;
    return str_trim_end(str_slice(text_str(run->request->text), f->whole.start, end));
}

// The answer as far as a comment at the start of the function's body: a model that has learned to
// think no other way thinks there, and code has to follow. Asked for words in front of the code, a
// small model stops after them.
static Str open_argued(const LoopRun *run)
{
    const SyntaxFunction *f = &run->task.function;
    Str all = text_str(run->request->text), head = ask_function_head(run);
    const char *sign = syntax_language(run->request->syntax)->line_comment;
    bool braces = f->body.start < all.len && all.ptr[f->body.start] == '{';
    bool fix = run->task.kind == TASK_FIX;
    return arena_printf(run->arena, "%.*s%.*s\n%s    %s %s:", STR_FMT(fence(run)), STR_FMT(head),
                        braces ? "{\n" : "", sign, fix ? "Corrected" : "Special cases");
}

Ask ask_make(const LoopRun *run, const Candidate *failure, bool argued)
{
    StrBuf user = {0};
    switch (run->task.kind) {
    case TASK_FIX:
        put_fix(run, &user);
        break;
    case TASK_BODY:
        put_body(run, &user);
        break;
    case TASK_FUNCTION:
        put_missing(run, &user);
        break;
    case TASK_COMMENT:
        put_block(run, &user, function_text(run));
        strbuf_append(&user, STR("Write the documentation comment that belongs above this "
                                 "function, and nothing else, in one code block."));
        break;
    case TASK_EXPLAIN:
        put_explain(run, &user);
        break;
    case TASK_WRITE_TESTS:
        put_tests(run, &user);
        break;
    default:
        put_lines(run, &user);
    }
    if (failure) put_failure(run, &user, failure);
    Str opening = run->task.kind == TASK_EXPLAIN ? STR("") : fence(run);
    if (argued) opening = open_argued(run);
    Ask ask = {.system = STR("You are a careful programmer."),
               .user = arena_str(run->arena, strbuf_str(&user)),
               .opening = opening};
    strbuf_deinit(&user);
    if (run->task.kind == TASK_WRITE_TESTS)
        ask.opening = arena_printf(
            run->arena, "%.*s%.*s", STR_FMT(ask.opening),
            STR_FMT(framework_fill(run->plan, run->plan->framework->opening, run->arena)));
    return ask;
}
