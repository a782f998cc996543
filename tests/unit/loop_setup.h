// A document with a place in it, a model of words that answers as it was told, and the loop's
// request.
#pragma once

#include <stdio.h>
#include <unistd.h>

#include "loop/loop.h"
#include "unit/unit.h"
#include "unit/word_engine.h"

typedef struct Setup {
    Engine *engine;
    Session *session;
    Arena *arena;
    TextSnap *text;
    Syntax *syntax;
    LoopRequest request;
    LoopResult result;
    Error err;
    int n_progress, last_pct;
} Setup;

// The request is at "<|>" in `document`.
static void set_up(Setup *s, const char *lang, const char *document)
{
    *s = (Setup){.engine = word_engine_new(FIM_SUFFIX_FIRST), .arena = arena_new()};
    s->session = session_new(s->engine, 0, &s->err);
    Str whole = str_from(document);
    size_t at = str_find(whole, STR("<|>"), 0);
    s->text =
        text_new(arena_printf(s->arena, "%.*s%s", (int)at, document, document + at + 3), &s->err);
    s->syntax = syntax_parse(language_by_id(lang), s->text, NULL);
    s->request = (LoopRequest){
        .text = s->text,
        .syntax = s->syntax,
        .path = STR("a.c"),
        .file_path = STR("/nonexistent/a.c"),
        .root = STR("/nonexistent"),
        .kind = TASK_BODY,
        .selection = {at, at},
        .trusted = true,
        // Machines where bubblewrap cannot work have a test of their own for that.
        .sandbox = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS,
        .budget = {.rounds = 1, .candidates = 4, .tokens = 200, .prompt_tokens = 512}};
}

static void tear_down(Setup *s)
{
    syntax_release(s->syntax);
    text_release(s->text);
    session_free(s->session);
    free(s->engine);
    arena_free(s->arena);
}

static void on_progress(void *user, int pct, Str text)
{
    Setup *s = user;
    assert_true(text.len > 0 && pct >= s->last_pct && pct <= 100);
    s->last_pct = pct;
    s->n_progress++;
}

static bool run(Setup *s, const char *const *answers, int n, EngineCancel cancel)
{
    word_engine_script(s->engine, answers, n);
    s->last_pct = s->n_progress = 0;
    return loop_run(s->engine, s->session, &s->request, cancel, on_progress, s, s->arena,
                    &s->result, &s->err);
}

static Str applied(Setup *s)
{
    Str all = text_str(s->text);
    ByteRange r = s->result.replace;
    return arena_printf(s->arena, "%.*s%.*s%.*s", STR_FMT(str_slice(all, 0, r.start)),
                        STR_FMT(s->result.insert), STR_FMT(str_slice(all, r.end, all.len)));
}

static void assert_str(Str found, const char *wanted)
{
    if (!str_equal(found, str_from(wanted)))
        fail_msg("found:\n%.*s\nwanted:\n%s", STR_FMT(found), wanted);
}

// A poll that leaves what is verified its time.
static bool wait_a_moment(void *user)
{
    (void)user;
    usleep(5000);
    return false;
}

// Of an answer that would go on for long.
enum { N_WORDS = 3000 };

// To be freed.
static char *repeat(const char *word, size_t n)
{
    size_t len = strlen(word);
    char *text = malloc(n * len + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, word, len + 1);
    return text;
}
