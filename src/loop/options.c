// What a caller asks for and is told, in words.
#include "loop/loop.h"

bool loop_read_proposers(Str words, unsigned *out, Error *err)
{
    static const struct {
        unsigned bit;
        Str word;
    } rows[] = {
#define X(bit, name, word) {1u << (bit), STR(word)},
        PROPOSERS(X)
#undef X
            {PROPOSE_SAMPLE, STR("sample")},
        {PROPOSE_ALL, STR("all")},
    };
    *out = 0;
    while (words.len) {
        size_t comma = str_find(words, STR(","), 0), i = 0;
        Str word = str_trim(str_slice(words, 0, comma));
        while (i < sizeof rows / sizeof *rows && !str_equal(rows[i].word, word))
            i++;
        if (i == sizeof rows / sizeof *rows)
            return error_set(
                err, ERROR_INVALID,
                "proposer '%.*s', wanted sample (chat, argued, middle, led), mutant, mend, "
                "refill, branch, known or all",
                (int)(word.len < 60 ? word.len : 60), word.ptr);
        *out |= rows[i].bit;
        words = str_slice(words, comma + 1, words.len);
    }
    if (*out == 0) *out = PROPOSE_ALL;
    return true;
}

bool loop_configure(const Config *config, Arena *arena, LoopRequest *out, Error *err)
{
    out->test_command = arena_str(arena, str_from(config->test_command));
    out->find_tests = config->find_tests;
    out->trusted = config->trusted;
    out->sanitizers = config->sanitizers;
    out->prove = config->prove;
    // The program's path lives as long as the request.
    Str prover = arena_str(arena, str_from(config->prover));
    if (!formal_read_prover(prover, &out->prover, err)) return false;
    if (!sandbox_read_mode(str_from(config->sandbox), &out->sandbox, err)) return false;
    out->budget = (LoopBudget){.rounds = config->rounds,
                               .candidates = config->candidates,
                               .tokens = config->answer_tokens,
                               .thinking_tokens = config->thinking_tokens,
                               .prompt_tokens = config->prompt_tokens,
                               .ms = config->generate_budget_ms};
    return loop_read_proposers(str_from(config->proposers), &out->proposers, err);
}

const char *loop_level_word(LoopLevel level)
{
    static const char *const words[] = {
#define X(name, word, text) word,
        LOOP_LEVELS(X)
#undef X
    };
    return words[level];
}

const char *loop_level_text(LoopLevel level)
{
    static const char *const texts[] = {
#define X(name, word, text) text,
        LOOP_LEVELS(X)
#undef X
    };
    return texts[level];
}
