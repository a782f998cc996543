// Fixes that need no model: a token that the parser misses, what a rule proposes, and what the
// compiler does ("did you mean 'length'?"). Where no test decides, a rule's may compile and mend
// nothing, so that only those of what does not compile are tried.
#include <unistd.h>

#include "loop/run.h"
#include "verify/compiler.h"
#include "workspace/fixes.h"

enum { MAX_KNOWN = 64, POLL_US = 2000 };

static bool is_inside(const LoopRun *run, ByteRange range)
{
    ByteRange f = run->task.function.whole;
    return range.start <= f.end && range.end >= f.start;
}

static bool offer(LoopRun *run, ByteRange range, Str insert)
{
    Candidate c = {.proposer = "known", .replace = range, .insert = insert};
    return !is_inside(run, range) || loop_offer(run, &c, NULL);
}

static bool offer_syntax(LoopRun *run)
{
    SyntaxIssue *issues;
    const Syntax *syntax = run->request->syntax;
    size_t n = syntax_issues(syntax, MAX_KNOWN, run->arena, &issues);
    bool more = true;
    for (size_t i = 0; i < n && more; i++) {
        SyntaxFix fix;
        if (is_inside(run, issues[i].range) && fix_find(syntax, &issues[i], run->arena, &fix))
            more = offer(run, (ByteRange){fix.at, fix.at}, fix.insert);
    }
    return more;
}

static bool offer_rules(LoopRun *run)
{
    RuleFinding *found;
    bool more = true;
    size_t n = rules_find(run->request->syntax, run->request->path, MAX_KNOWN, run->arena, &found);
    for (size_t i = 0; i < n && more; i++)
        if (found[i].has_fix) more = offer(run, found[i].fix_range, found[i].fix);
    return more;
}

static bool offer_compiler(LoopRun *run)
{
    const LoopRequest *r = run->request;
    CompilerInput input = {r->text, syntax_language(r->syntax), r->file_path, r->root};
    Str why;
    CompilerIssue *issues;
    bool ok, more = true;
    Compiler *compiler = compiler_start(&input, run->arena, &why);
    if (!compiler) return true;
    while (!compiler_poll(compiler) && loop_wants_more(run))
        usleep(POLL_US);
    size_t n = loop_wants_more(run) ? compiler_issues(compiler, MAX_KNOWN, &issues, &ok) : 0;
    for (size_t i = 0; i < n && more; i++) {
        bool counts = issues[i].is_error || run->has_tests;
        if (issues[i].n_fixes == 1 && counts)
            more = offer(run, issues[i].fix_range, arena_str(run->arena, issues[i].fix));
    }
    compiler_free(compiler);
    return more;
}

bool propose_known(LoopRun *run, Error *err)
{
    (void)err;
    loop_tell(run, "trying what the compiler and rules propose");
    bool more = offer_syntax(run);
    if (more && run->has_tests) more = offer_rules(run);
    if (more && run->request->trusted) offer_compiler(run);
    return true;
}
