// A suite that does not notice when the function is changed does not check it: that it passes then
// says little. The changes are a sample over the whole function of those that seldom leave it
// the same: operators, constants, conditions, statements.
#include "loop/challenge.h"

#include <string.h>

#include "base/clock.h"
#include "loop/choice.h"
#include "loop/mutate.h"
#include "loop/probe.h"
#include "loop/search.h"

enum {
    MAX_LISTED = 400,
    N_CHALLENGES = 16,
    MIN_CHALLENGES = 3,
    MANY_CHALLENGES = 8,
    MIN_REPEATS = 2,
    MIN_AGAINST = 2, // that agree, where another does otherwise
    MAX_OF_ORIGIN = 2,
    MANY_TRIED = 32,
    MAX_COMPARED = 6
};
static const double CHALLENGE_MS = 8000, MIN_NOTICED = 0.5, STRICT = 0.9, MIN_PASSING = 0.2;
#define NO_SECOND "no second answer was found that passes and does the same"
// Of the budget, what goes into an answer that crashes nowhere.
static const double MEND_SHARE = 0.3;

// --- what the tests notice -----------------------------------------------------------------------

static bool is_telling(const Mutant *m)
{
    static const char *const kinds[] = {"operator", "constant", "operand dropped", "negated",
                                        "statement dropped"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(m->what, kinds[i]) == 0) return true;
    return false;
}

bool loop_find_function(const LoopRun *run, const Syntax *syntax, const Candidate *c,
                        ByteRange *out)
{
    const TextSnap *text = syntax_text(syntax);
    size_t end = c->replace.start + c->insert.len;
    SyntaxFunction f;
    for (uint32_t row = text_point(text, c->replace.start).row; row < text_n_lines(text); row++) {
        if (text_line_start(text, row) > end) break;
        if (!syntax_function_at(syntax, text_line_end(text, row), &f)) continue;
        if (!str_equal(f.name, run->task.name)) continue;
        *out = f.whole;
        return true;
    }
    return false;
}

static size_t pick(Mutant *mutants, size_t n)
{
    size_t n_telling = 0;
    for (size_t i = 0; i < n; i++)
        if (is_telling(&mutants[i])) mutants[n_telling++] = mutants[i];
    if (n_telling <= N_CHALLENGES) return n_telling;
    for (size_t i = 0; i < N_CHALLENGES; i++)
        mutants[i] = mutants[i * n_telling / N_CHALLENGES];
    return N_CHALLENGES;
}

static void try_changes(LoopRun *run, const TextSnap *text, const Mutant *mutants, size_t n)
{
    Str all = text_str(text);
    ByteRange whole = {0, text_n_bytes(run->request->text)};
    run->keep_going = true;
    for (size_t i = 0; i < n && loop_wants_more(run); i++) {
        const Mutant *m = &mutants[i];
        Str changed =
            arena_printf(run->arena, "%.*s%.*s%.*s", STR_FMT(str_slice(all, 0, m->replace.start)),
                         STR_FMT(m->insert), STR_FMT(str_slice(all, m->replace.end, all.len)));
        Candidate c = {.proposer = "change", .replace = whole, .insert = changed};
        loop_tell(run, "do its tests notice changes: %zu of %zu", i + 1, n);
        loop_offer(run, &c, NULL);
    }
    loop_drain(run);
    run->keep_going = false;
}

static void count(LoopRun *run, size_t first)
{
    LoopResult *r = run->result;
    for (size_t i = first; i < run->candidates.n; i++) {
        Verdict tests = run->candidates.items[i].tests;
        r->n_noticed += tests == VERDICT_FAIL;
        r->n_changes += tests == VERDICT_FAIL || tests == VERDICT_PASS;
    }
    run->candidates.n = first; // they are no candidates
}

static void challenge_tests(LoopRun *run)
{
    const Candidate chosen = run->candidates.items[run->passed];
    if (run->challenged == run->passed + 1) return;
    run->challenged = run->passed + 1;
    run->result->n_noticed = run->result->n_changes = 0;
    TextSnap *text = loop_apply(run, &chosen);
    Syntax *syntax = text ? syntax_parse(syntax_language(run->request->syntax), text, NULL) : NULL;
    ByteRange function;
    if (syntax && loop_find_function(run, syntax, &chosen, &function)) {
        Mutant *mutants;
        size_t n = mutate_list(syntax, function, MUTATE_TESTS, MAX_LISTED, run->arena, &mutants);
        size_t first = run->candidates.n;
        int passed = run->passed;
        run->deadline_ms = clock_ms() + CHALLENGE_MS;
        try_changes(run, text, mutants, pick(mutants, n));
        loop_end_trials(run);
        run->deadline_ms = 0;
        run->passed = passed;
        count(run, first);
    }
    syntax_release(syntax);
    text_release(text);
}

// --- other answers -------------------------------------------------------------------------------

// The answer that a candidate comes from by small changes.
static size_t find_origin(const LoopRun *run, size_t candidate)
{
    while (run->candidates.items[candidate].changes)
        candidate = (size_t)run->candidates.items[candidate].changes - 1;
    return candidate;
}

static int count_of_origin(const LoopRun *run, const size_t *which, int n, size_t origin)
{
    int n_of = 0;
    for (int i = 0; i < n; i++)
        n_of += find_origin(run, which[i]) == origin;
    return n_of;
}

// Two changes at once say nothing of one that does it alone.
static bool may_speak(const LoopRun *run, const Candidate *other)
{
    return !other->paired || !search_is_plain(&run->candidates.items[run->passed]);
}

// The texts with the chosen candidate and with the others that pass, which[i] their candidates.
static int collect_versions(LoopRun *run, Str *versions, size_t *which)
{
    int n = 0;
    for (size_t i = 0; i <= run->candidates.n && n < MAX_COMPARED; i++) {
        size_t at = i == 0 ? (size_t)run->passed : i - 1;
        const Candidate *c = &run->candidates.items[at];
        bool other = i > 0 && at != (size_t)run->passed;
        if (i > 0 && (!other || c->verdict != VERDICT_PASS || !may_speak(run, c))) continue;
        if (count_of_origin(run, which, n, find_origin(run, at)) == MAX_OF_ORIGIN) continue;
        TextSnap *text = loop_apply(run, c);
        if (!text) continue;
        versions[n] = arena_str(run->arena, text_str(text));
        which[n++] = at;
        text_release(text);
    }
    return n;
}

static int count_agreeing(const Probe *probe, int n)
{
    int n_agreeing = 0;
    for (int i = 1; i < n; i++)
        n_agreeing += !probe->differs[i];
    return n_agreeing;
}

static bool is_unasked_sample(const LoopRun *run, size_t origin)
{
    return loop_is_unasked(run) && strcmp(run->candidates.items[origin].proposer, "sample") == 0;
}

// Small changes of the text as it was are many tries of one kind, and so is what was written
// without a question.
static bool have_one_origin(const LoopRun *run, size_t a, size_t b)
{
    const Candidate *x = &run->candidates.items[a], *y = &run->candidates.items[b];
    bool both = loop_is_small_change(x) && loop_is_small_change(y);
    size_t from_a = find_origin(run, a), from_b = find_origin(run, b);
    return from_a == from_b || (both && !x->changes && !y->changes) ||
           (is_unasked_sample(run, from_a) && is_unasked_sample(run, from_b));
}

// Changes of the same answer bear out nothing: they were made until the tests passed.
static bool is_borne_out(const LoopRun *run, const Probe *probe, const size_t *which, int n)
{
    for (int i = 1; i < n; i++)
        if (!probe->differs[i] && !have_one_origin(run, which[i], which[0])) return true;
    return false;
}

// The first that does otherwise and took no more steps than the chosen one; n: none.
static int find_rival(const LoopRun *run, const Probe *probe, const size_t *which, int n)
{
    bool plain = search_is_plain(&run->candidates.items[which[0]]);
    int i = 1;
    while (i < n &&
           (!probe->differs[i] || (plain && !search_is_plain(&run->candidates.items[which[i]]))))
        i++;
    return i;
}

// Where most of the others do otherwise, one of them is taken in the chosen one's place.
static void probe_versions(LoopRun *run, Probe *probe, int *n_agreeing, int *n, bool *borne_out)
{
    Str versions[PROBE_MAX_VERSIONS];
    size_t which[PROBE_MAX_VERSIONS];
    *n = collect_versions(run, versions, which);
    *n_agreeing = 0;
    *borne_out = false;
    if (*n == 0) return;
    probe_run(run, versions, *n, -1, probe);
    if (probe->n_inputs == 0) return;
    *n_agreeing = count_agreeing(probe, *n);
    *borne_out = is_borne_out(run, probe, which, *n);
    if (2 * (*n_agreeing + 1) >= *n) return;
    int rival = find_rival(run, probe, which, *n);
    if (rival == *n) return;
    Str first = versions[0];
    versions[0] = versions[rival];
    versions[rival] = first;
    Probe other;
    probe_run(run, versions, *n, -1, &other);
    if (other.n_inputs == 0 || count_agreeing(&other, *n) <= *n_agreeing) return;
    size_t chosen = which[rival];
    which[rival] = which[0];
    which[0] = chosen;
    run->passed = (int)chosen;
    *borne_out = is_borne_out(run, &other, which, *n);
    *probe = other;
    *n_agreeing = count_agreeing(&other, *n);
}

// How often the chosen answer was written again, word for word.
static int count_repeats(const LoopRun *run)
{
    const Candidate *chosen = &run->candidates.items[run->passed];
    int n = 0;
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        n += c != chosen && c->repeats && str_equal(c->insert, chosen->insert);
    }
    return n;
}

static bool repeats_a_pass(const LoopRun *run, const Candidate *c)
{
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *o = &run->candidates.items[i];
        if (o->verdict == VERDICT_PASS && str_equal(o->insert, c->insert)) return true;
    }
    return false;
}

// True if enough other answers do the same. *open: what speaks against it, one more may settle.
static bool challenge_behaviour(LoopRun *run, bool *open)
{
    LoopResult *r = run->result;
    Probe probe = {0};
    int n, n_agreeing;
    bool agreed;
    probe_versions(run, &probe, &n_agreeing, &n, &agreed);
    Str slip = run->candidates.items[run->passed].slip;
    r->n_inputs = probe.n_inputs;
    r->n_agreeing = n_agreeing;
    // So does an answer that was changed until the tests passed.
    bool writes = loop_needs_agreement(run) || run->candidates.items[run->passed].changes;
    agreed = agreed || count_repeats(run) >= MIN_REPEATS;
    // Of two against one the two may have made the same mistake.
    bool few = 2 * (n_agreeing + 1) <= n || (loop_needs_agreement(run) && n_agreeing < MIN_AGAINST);
    if (probe.difference.len && few)
        r->doubt = arena_printf(run->arena, "another answer that passes does otherwise: %.*s",
                                STR_FMT(probe.difference));
    else if (slip.len)
        r->doubt = slip;
    else if (writes && !agreed)
        r->doubt = STR(NO_SECOND);
    *open = r->doubt.len > 0;
    return agreed;
}

// A suite of few cases lets one of many pass by chance; one that notices nearly every small change
// does not.
static bool challenge_luck(LoopRun *run, bool agreed)
{
    LoopResult *r = run->result;
    bool strict = r->n_changes >= MANY_CHALLENGES && r->n_noticed >= STRICT * r->n_changes;
    // Lines written anew are freer than a small change, and many were tried.
    bool free = strcmp(run->candidates.items[run->passed].proposer, "refill") == 0;
    bool lucky = run->passed >= MANY_TRIED && !agreed && (!strict || free);
    if (lucky) r->doubt = STR(NO_SECOND);
    return lucky;
}

// A model that knows what is wanted mostly gets it right: where few of its answers pass, those that
// do are picked by tests of a few cases, which pass by chance.
static void challenge_share(LoopRun *run)
{
    LoopResult *r = run->result;
    int n = 0, n_pass = 0;
    if (r->doubt.len || !loop_needs_agreement(run)) return;
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (strcmp(c->proposer, "sample") != 0) continue;
        n++;
        n_pass += c->verdict == VERDICT_PASS || (c->repeats && repeats_a_pass(run, c));
    }
    if (n_pass < MIN_PASSING * n)
        r->doubt = arena_printf(run->arena, "only %d of the model's %d answers pass%s", n_pass, n,
                                n_pass == 1 ? "es" : "");
}

static void challenge_strength(LoopRun *run)
{
    LoopResult *r = run->result;
    if (r->doubt.len || r->n_changes < MIN_CHALLENGES || r->n_noticed >= MIN_NOTICED * r->n_changes)
        return;
    r->doubt = arena_printf(run->arena, "the tests notice only %d of %d small changes of it",
                            r->n_noticed, r->n_changes);
}

// An answer that crashes nowhere goes before one that does, and one that passes as it was written
// before one that was changed until it did.
static int worth_of(const Candidate *c)
{
    bool written = !c->changes && strcmp(c->proposer, "sample") == 0;
    return 2 * !c->slip.len + written;
}

static void choose_worthiest(LoopRun *run)
{
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (c->verdict == VERDICT_PASS &&
            worth_of(c) > worth_of(&run->candidates.items[run->passed]))
            run->passed = (int)i;
    }
}

// Those that came when the time for others was over are tried all the same. A fix may have to crash
// where the function always did.
static void probe_passed(LoopRun *run)
{
    bool fix = run->task.kind == TASK_FIX;
    double deadline_ms = run->deadline_ms;
    run->deadline_ms = 0;
    for (size_t i = 0; i < run->candidates.n && !loop_is_out_of_time(run); i++) {
        Candidate *c = &run->candidates.items[i];
        if (c->verdict != VERDICT_PASS || c->probed) continue;
        Probe probe = {0};
        TextSnap *text = loop_apply(run, c);
        Str versions[2] = {text ? text_str(text) : STR(""), text_str(run->request->text)};
        c->probed = true;
        if (text) probe_run(run, versions, 1 + fix, fix ? 1 : -1, &probe);
        c->slip = probe.slip;
        text_release(text);
    }
    run->deadline_ms = deadline_ms;
}

void challenge_edges(LoopRun *run)
{
    if (run->passed < 0) return;
    probe_passed(run);
    choose_worthiest(run);
    // What a crash tells is worth an answer to it.
    double budget = run->request->budget.ms, more = clock_ms() + MEND_SHARE * budget;
    if (!run->candidates.items[run->passed].slip.len || budget <= 0 || run->mends) return;
    run->mends = true;
    if (run->hurry_ms < more) run->deadline_ms = run->hurry_ms = more;
}

// A sample reads like what people write; a small change that came late has but passed. A model that
// could not be asked for a fix has written the function without having seen what is wrong with it:
// there a small change, which is made of the function, goes before what was written.
static void prefer_proposer(LoopRun *run)
{
    const Candidate *chosen = &run->candidates.items[run->passed];
    bool small = loop_is_small_change(chosen), change = small && !chosen->changes;
    if (run->chat ? run->passed < MANY_TRIED || !small : change) return;
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (c->verdict != VERDICT_PASS || c->slip.len) continue;
        bool better =
            run->chat ? strcmp(c->proposer, "sample") == 0 : loop_is_small_change(c) && !c->changes;
        if (!better) continue;
        run->passed = (int)i;
        return;
    }
}

// Of fixes too, the first that crashes on no edge goes before one that does.
static void prefer_sound(LoopRun *run)
{
    probe_passed(run);
    if (!run->candidates.items[run->passed].slip.len) return;
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (c->verdict != VERDICT_PASS || !c->probed || c->slip.len) continue;
        run->passed = (int)i;
        return;
    }
}

bool challenge_chosen(LoopRun *run)
{
    LoopResult *r = run->result;
    run->deadline_ms = 0; // others are not waited for any more
    r->doubt = STR("");
    if (loop_needs_agreement(run)) {
        challenge_edges(run);
    } else {
        prefer_proposer(run);
        prefer_sound(run);
        choice_by_behaviour(run);
    }
    bool open, agreed = challenge_behaviour(run, &open);
    if (!loop_is_cancelled(run)) challenge_tests(run);
    challenge_strength(run);
    challenge_share(run);
    if (!r->doubt.len) open = challenge_luck(run, agreed);
    // Beside what was written by a model that could not be asked, a small change may still pass.
    bool written = !loop_is_small_change(&run->candidates.items[run->passed]);
    return !open && !(r->doubt.len && written && loop_is_unasked(run));
}
