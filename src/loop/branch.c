// Branches off the function: another token at a place where the model doubts, and then what it
// writes from there, until it is back at the function's own text. A model that is asked to correct
// a function mostly copies it; this makes it leave the copy once, where it is nearest to leaving.
#include <string.h>

#include "loop/answer.h"
#include "loop/doubt.h"
#include "loop/trace.h"

enum { BRANCH_TOKENS = 96 };

typedef struct Growth {
    LoopRun *run;
    const Doubts *doubts;
    const Branch *branch;
    LoopSample *sample;
    StrBuf text; // the whole function, as far as it is written
    size_t rest; // of the code, where it is back; the code's length: it is not
    bool back;
    int n_tokens;
    double prob_sum;
} Growth;

static size_t line_start(Str s, size_t at)
{
    while (at > 0 && s.ptr[at - 1] != '\n')
        at--;
    return at;
}

// Is the line that has just ended one of the code's from the branch's on? Closing brackets alone
// say nothing.
static bool is_back(Growth *g)
{
    Str text = strbuf_str(&g->text), code = g->doubts->code;
    size_t end = text.len - 1, start = line_start(text, end);
    Str line = str_trim(str_slice(text, start, end));
    size_t first = line_start(code, g->branch->byte_off);
    if (line.len < 3 || start < first) return false;
    for (size_t at = first; at < code.len; at = str_find(code, STR("\n"), at) + 1) {
        Str old = str_slice(code, at, str_find(code, STR("\n"), at));
        if (!str_equal(str_slice(text, start, end), old)) continue;
        if (start == first && at == first) continue; // the same line at the same place
        g->text.len = start;
        g->rest = at;
        return true;
    }
    return false;
}

static bool on_token(void *user, const GeneratedToken *token)
{
    Growth *g = user;
    g->n_tokens++;
    g->prob_sum += (double)token->prob;
    g->run->result->generated_tokens++;
    trace_token(g->run, g->sample, token->id);
    for (size_t i = 0; i < token->bytes.len && !g->back; i++) {
        strbuf_append_char(&g->text, token->bytes.ptr[i]);
        Str text = strbuf_str(&g->text);
        if (str_ends(text, STR("```"))) {
            g->text.len -= 3;
            return false;
        }
        g->back = token->bytes.ptr[i] == '\n' && is_back(g);
    }
    return !g->back && loop_wants_tokens(g->run);
}

static bool write_branch(Growth *g, Error *err)
{
    LoopRun *run = g->run;
    const Doubts *d = g->doubts;
    int n = g->branch->place + 1;
    int *ids = arena_array(run->arena, (size_t)n, sizeof *ids);
    memcpy(ids, d->ids, (size_t)n * sizeof *ids);
    ids[n - 1] = g->branch->id;
    GenerateOptions options = {.max_tokens = BRANCH_TOKENS,
                               .speculate = true,
                               .reference = d->ids + d->n_prompt,
                               .n_reference = d->n_ids - d->n_prompt,
                               .on_token = on_token,
                               .user = g,
                               .cancel = run->cancel};
    SyncStats sync;
    GenerateResult generated;
    g->sample = trace_start(run, trace_prompt(run, ids, n), &options);
    bool ok = session_sync(run->session, ids, n, run->cancel, &sync, err) &&
              session_generate(run->session, &options, &generated, err);
    if (ok) g->sample->ended = generated.stop == STOP_END_TOKEN;
    return ok;
}

// The model may go on after the function's end: what counts is the function alone.
static void offer_branch(Growth *g)
{
    LoopRun *run = g->run;
    const Doubts *d = g->doubts;
    if (g->back) strbuf_append(&g->text, str_slice(d->code, g->rest, d->code.len));
    AnswerEdit edit =
        answer_edit(run->request->syntax, &run->task, strbuf_str(&g->text), run->arena);
    Candidate c = {.proposer = "branch",
                   .replace = edit.flaw ? run->task.replace : edit.replace,
                   .insert = edit.flaw ? arena_str(run->arena, strbuf_str(&g->text)) : edit.insert,
                   .n_tokens = g->n_tokens,
                   .sample = g->sample,
                   .confidence = g->n_tokens ? g->prob_sum / g->n_tokens : 0};
    loop_offer(run, &c, edit.flaw);
}

bool propose_branch(LoopRun *run, int i, Error *err)
{
    const Doubts *doubts = run->doubts;
    const Branch *b = &doubts->branches[i];
    Growth g = {.run = run, .doubts = doubts, .branch = b};
    loop_tell(run, "branching off at %d of %d places", i + 1, doubts->n_branches);
    strbuf_append(&g.text, str_slice(doubts->code, 0, b->byte_off));
    strbuf_append(&g.text, engine_token_bytes(run->engine, b->id));
    bool ok = write_branch(&g, err);
    if (ok && (g.back || !loop_is_out_of_time(run))) offer_branch(&g);
    strbuf_deinit(&g.text);
    return ok;
}
