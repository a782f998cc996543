#include "audit/replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void replay_note(Replay *replay, const char *fmt, ...)
{
    char line[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
    strbuf_printf(&replay->differences, "%s\n", line);
    replay->n_differences++;
}

static void tell(Replay *replay, const char *what, int i, int n)
{
    char text[80];
    if (!replay->progress) return;
    snprintf(text, sizeof text, "%s %d of %d", what, i + 1, n);
    replay->progress(replay->user, 100 * i / n, str_from(text));
}

// --- files ---------------------------------------------------------------------------------------

void replay_files(Replay *replay)
{
    const AuditRecord *record = replay->record;
    const ProjectFiles *then = &record->project;
    if (then->n == 0) return;
    ProjectFiles now = files_of_project(record->request.root, replay->arena);
    size_t i = 0, j = 0;
    while (i < then->n || j < now.n) {
        int order = i == then->n ? 1
                    : j == now.n ? -1
                                 : str_compare(then->items[i].path, now.items[j].path);
        if (order < 0) {
            replay_note(replay, "the file %.*s is gone", STR_FMT(then->items[i].path));
            i++;
        } else if (order > 0) {
            replay_note(replay, "the file %.*s is new", STR_FMT(now.items[j].path));
            j++;
        } else {
            if (strcmp(then->items[i].hash, now.items[j].hash) != 0)
                replay_note(replay, "the file %.*s has changed", STR_FMT(then->items[i].path));
            i++, j++;
        }
    }
}

// --- samples -------------------------------------------------------------------------------------

typedef struct Compare {
    const LoopSample *sample;
    int at;        // index in sample->ids of the next token
    int differing; // the token found at `at` in its place; -1: none so far
} Compare;

// Stops where the recorded answer was stopped, and where the new one differs.
static bool on_token(void *user, const GeneratedToken *token)
{
    Compare *compare = user;
    const LoopSample *sample = compare->sample;
    if (compare->at >= sample->n_ids || sample->ids[compare->at] != token->id) {
        compare->differing = token->id;
        return false;
    }
    compare->at++;
    return compare->at < sample->n_ids ? compare->at != sample->n_thought : sample->ended;
}

static bool generate(Session *session, const GenerateOptions *options, bool batched,
                     EngineCancel cancel, GenerateStop *stop, Error *err)
{
    GenerateResult result = {0};
    BatchSequence sequence = {.generate = *options};
    bool ok = batched ? session_generate_batch(session, &sequence, 1, cancel, err)
                      : session_generate(session, options, &result, err);
    *stop = batched ? sequence.result.stop : result.stop;
    return ok;
}

static bool write_again(Replay *replay, Session *session, Compare *compare, GenerateStop *stop,
                        Error *err)
{
    const LoopSample *s = compare->sample;
    GenerateOptions options = {.sampler = s->sampler,
                               .max_tokens = s->max_tokens,
                               .forced = s->forced,
                               .speculate = !s->batched,
                               .on_token = on_token,
                               .user = compare};
    if (!s->batched) options.cancel = replay->cancel;
    bool ok = generate(session, &options, s->batched, replay->cancel, stop, err);
    if (!ok || s->n_thought == 0 || compare->at != s->n_thought) return ok;
    ok = session_append(session, s->ids[s->n_thought - 1], err);
    for (int i = 0; ok && i < s->n_bridge; i++)
        ok = session_append(session, s->bridge[i], err);
    options.sampler = s->answer_sampler;
    options.max_tokens = s->answer_max_tokens;
    return ok && generate(session, &options, s->batched, replay->cancel, stop, err);
}

static void judge_sample(Replay *replay, const Engine *engine, int number, const Compare *compare,
                         GenerateStop stop)
{
    const LoopSample *s = compare->sample;
    if (compare->differing >= 0) {
        Str then = compare->at < s->n_ids ? engine_token_bytes(engine, s->ids[compare->at])
                                          : STR("the end");
        Str now = engine_token_bytes(engine, compare->differing);
        replay_note(replay, "sample %d: token %d is '%.*s', recorded is '%.*s'", number,
                    compare->at + 1, STR_FMT(now), STR_FMT(then));
    } else if (compare->at < s->n_ids) {
        replay_note(replay, "sample %d: it ends after %d tokens, recorded are %d", number,
                    compare->at, s->n_ids);
    } else if (s->ended && stop != STOP_END_TOKEN) {
        replay_note(replay, "sample %d: it goes on after %d tokens, where it ended", number,
                    s->n_ids);
    } else {
        replay->n_same_samples++;
    }
}

static bool replay_one(Replay *replay, Engine *engine, Session *session, int i, Error *err)
{
    const LoopSample *s = &replay->record->samples[i];
    Compare compare = {.sample = s, .differing = -1};
    AdapterUse use = {engine_adapter(engine), 1};
    GenerateStop stop = STOP_CALLER;
    SyncStats sync;
    if (s->n_ids == 0 && !s->ended) return true; // it was stopped before its first token
    replay->n_samples++;
    if (s->prompt->n_ids == 0) {
        replay_note(replay, "sample %d: of its prompt only the hash was kept", i + 1);
        return true;
    }
    int n_vocab = engine_info(engine)->n_vocab;
    for (int k = 0; k < s->prompt->n_ids; k++)
        if (s->prompt->ids[k] < 0 || s->prompt->ids[k] >= n_vocab) {
            replay_note(replay, "sample %d: its prompt is of another vocabulary", i + 1);
            return true;
        }
    bool ok = session_use_adapters(session, &use, s->adapted && use.adapter ? 1 : 0, err) &&
              session_sync(session, s->prompt->ids, s->prompt->n_ids, replay->cancel, &sync, err) &&
              write_again(replay, session, &compare, &stop, err);
    if (ok) judge_sample(replay, engine, i + 1, &compare, stop);
    return ok;
}

bool replay_samples(Replay *replay, Engine *engine, Session *session, Error *err)
{
    int n = replay->record->n_samples;
    for (int i = 0; i < n; i++) {
        tell(replay, "writing sample", i, n);
        if (!replay_one(replay, engine, session, i, err)) return false;
    }
    return true;
}

// --- verdicts ------------------------------------------------------------------------------------

static TextSnap *find_document(const Replay *replay, Error *err)
{
    const AuditRecord *record = replay->record;
    char hash[SHA256_HEX + 1];
    if (record->has_document) return text_new(record->document, err);
    TextSnap *text = text_read_file(arena_str(replay->arena, record->request.file_path).ptr,
                                    TEXT_MAX_BYTES, err);
    if (!text) return NULL;
    sha256_of(text_str(text), hash);
    if (str_equal(str_from(hash), record->document_hash)) return text;
    text_release(text);
    error_set(err, ERROR_NOT_FOUND,
              "only the hash of the document was kept, and %.120s has changed since",
              arena_str(replay->arena, record->request.file_path).ptr);
    return NULL;
}

// What was refused before a compiler saw it, and what was not waited for, has no verdict to repeat.
static bool was_judged(const Candidate *c)
{
    return c->evidence.parse != VERDICT_SKIPPED && c->verdict != VERDICT_SKIPPED &&
           c->verdict != VERDICT_PENDING;
}

static void compare_verdict(Replay *replay, int number, const char *what, Verdict then, Verdict now,
                            Str note, bool *same)
{
    if (then == now) return;
    *same = false;
    replay_note(replay, "candidate %d: %s is %s, recorded is %s: %.*s", number, what,
                verdict_word(now), verdict_word(then), STR_FMT(note));
}

static void compare_candidate(Replay *replay, int number, const Candidate *then,
                              const Candidate *now)
{
    bool same = true;
    const Evidence *e = &now->evidence;
    compare_verdict(replay, number, "parsing", then->evidence.parse, e->parse, e->parse_note,
                    &same);
    compare_verdict(replay, number, "compiling", then->evidence.compile, e->compile,
                    e->compile_note, &same);
    compare_verdict(replay, number, "testing", then->tests, now->tests, now->test_note, &same);
    // Sanitizers and the proof are not run again, so a verdict that they gave is not repeated.
    bool upper = then->sanitized == VERDICT_FAIL || then->proof == VERDICT_FAIL;
    if (same && !upper)
        compare_verdict(replay, number, "the verdict", then->verdict, now->verdict, STR(""), &same);
    replay->n_verdicts++;
    replay->n_same_verdicts += same;
}

// The text as it was is the last one judged: did its tests fail then, and do they now?
static void compare_baseline(Replay *replay, const Candidate *now)
{
    bool fails = now->verdict == VERDICT_FAIL;
    replay->n_verdicts++;
    replay->n_same_verdicts += fails == replay->record->baseline_fails;
    if (fails != replay->record->baseline_fails)
        replay_note(replay, "the text without a change %s, recorded is that it %s",
                    fails ? "fails" : "passes", fails ? "passes" : "fails");
}

static bool judge_all(Replay *replay, const LoopRequest *request, Error *err)
{
    const AuditRecord *record = replay->record;
    size_t n_all = (size_t)record->n_candidates + 1;
    Candidate *again = arena_array(replay->arena, n_all, sizeof *again);
    int *numbers = arena_array(replay->arena, n_all, sizeof *numbers), n = 0;
    for (int i = 0; i < record->n_candidates; i++) {
        const Candidate *c = &record->candidates[i];
        if (!was_judged(c)) continue;
        if (c->replace.end > text_n_bytes(request->text))
            return error_set(err, ERROR_DAMAGED, "candidate %d lies outside of the document",
                             i + 1);
        numbers[n] = i;
        again[n++] =
            (Candidate){.proposer = c->proposer, .replace = c->replace, .insert = c->insert};
    }
    bool ended =
        !str_equal(record->outcome, STR("cancelled")) && !str_equal(record->outcome, STR("failed"));
    bool baseline = ended && request->trusted && request->test_command.len > 0;
    if (baseline) again[n++] = (Candidate){.proposer = "baseline"};
    if (!loop_judge(request, again, n, replay->cancel, replay->progress, replay->user,
                    replay->arena, err))
        return false;
    for (int i = 0; i < n - baseline; i++)
        compare_candidate(replay, numbers[i] + 1, &record->candidates[numbers[i]], &again[i]);
    if (baseline) compare_baseline(replay, &again[n - 1]);
    return true;
}

bool replay_verdicts(Replay *replay, bool trusted, Error *err)
{
    LoopRequest request = replay->record->request;
    const Language *lang = language_by_path(arena_str(replay->arena, request.file_path).ptr);
    if (!lang) return error_set(err, ERROR_UNSUPPORTED, "no grammar knows the document's name");
    TextSnap *text = find_document(replay, err);
    if (!text) return false;
    Syntax *syntax = syntax_parse(lang, text, NULL);
    if (request.trusted && !trusted)
        replay_note(replay, "the folder is not trusted now: candidates are only parsed");
    request.text = text;
    request.syntax = syntax;
    request.trusted = request.trusted && trusted;
    bool ok = syntax ? judge_all(replay, &request, err)
                     : error_set(err, ERROR_TOO_LARGE, "the document is too large to be parsed");
    syntax_release(syntax);
    text_release(text);
    return ok;
}
