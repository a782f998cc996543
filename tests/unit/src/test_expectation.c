// Ranking by kept logits, with an engine of bytes in place of the real one: these definitions win
// over the libraries', because an archive member is linked only for a name that is still missing.
#include "unit/unit.h"

#include <math.h>

#include "expectation.h"

enum { N_VOCAB = 256 };

struct Engine {
    EngineInfo info;
    char bytes[N_VOCAB];
};
static struct Engine the_engine = {.info = {.n_vocab = N_VOCAB}};

const EngineInfo *engine_info(const Engine *engine)
{
    return &engine->info;
}

size_t engine_tokenize(const Engine *engine, Str text, bool parse_special, int *out, size_t cap)
{
    (void)engine, (void)parse_special;
    for (size_t i = 0; i < text.len && i < cap; i++)
        out[i] = (unsigned char)text.ptr[i];
    return text.len;
}

Str engine_token_bytes(const Engine *engine, int id)
{
    (void)engine;
    the_engine.bytes[id] = (char)id;
    return (Str){&the_engine.bytes[id], 1};
}

// A step of which the two bytes have these probabilities, and the chosen one is the first.
static void add_step(Expectation *e, char chosen, double p, char other, double q)
{
    float logits[N_VOCAB];
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = -40;
    logits[(unsigned char)chosen] = (float)log(p);
    logits[(unsigned char)other] = (float)log(q);
    expectation_add(e, logits, N_VOCAB, (unsigned char)chosen, (Str){&chosen, 1});
}

static const Str text = {"x = ab", 6};
static const ByteRange word = {4, 4};

static bool rank(Expectation *e, const char *const *names, size_t n, float *scores)
{
    Str all[8];
    for (size_t i = 0; i < n; i++)
        all[i] = str_from(names[i]);
    Arena *arena = arena_new();
    bool ok = expectation_rank(e, &the_engine, STR("a.c"), text, word, all, n, arena, scores);
    arena_free(arena);
    return ok;
}

static void assert_close(float score, double prob)
{
    if (fabs((double)score - log(prob)) > 0.01)
        fail_msg("probability %.4f, wanted %.4f", exp((double)score), prob);
}

static void names_are_followed_along_the_path(void **state)
{
    (void)state;
    float scores[8];
    Expectation *e = expectation_new(NULL, NULL);
    expectation_begin(e, STR("a.c"), text, 4);
    add_step(e, 'a', 0.7, 'b', 0.3);
    add_step(e, 'b', 0.6, 'c', 0.4);
    static const char *const names[] = {"abc", "ac", "b"};
    assert_true(rank(e, names, 3, scores));
    assert_close(scores[0], 0.42);
    assert_close(scores[1], 0.28);
    assert_close(scores[2], 0.3);
    expectation_free(e);
}

static void names_that_leave_it_by_one_token_share(void **state)
{
    (void)state;
    float scores[8];
    Expectation *e = expectation_new(NULL, NULL);
    expectation_begin(e, STR("a.c"), text, 4);
    add_step(e, 'a', 0.7, 'b', 0.3);
    static const char *const names[] = {"bx", "by", "a"};
    assert_true(rank(e, names, 3, scores));
    assert_close(scores[0], 0.15);
    assert_close(scores[1], 0.15);
    assert_close(scores[2], 0.7);
    expectation_free(e);
}

static void a_name_that_is_the_beginning_of_another_ends_there(void **state)
{
    (void)state;
    float scores[8];
    Expectation *e = expectation_new(NULL, NULL);
    expectation_begin(e, STR("a.c"), text, 4);
    add_step(e, 'a', 1, 'b', 1e-9);
    add_step(e, '_', 0.8, ';', 0.2);
    static const char *const names[] = {"a", "a_x"};
    assert_true(rank(e, names, 2, scores));
    assert_close(scores[0], 0.2);
    assert_close(scores[1], 0.8);
    expectation_free(e);
}

static void what_stands_before_the_word_is_a_part_of_it(void **state)
{
    (void)state;
    float scores[8];
    Expectation *e = expectation_new(NULL, NULL);
    expectation_begin(e, STR("a.c"), text, 2); // "= " was taken back
    assert_int_equal(expectation_reach(e, STR("a.c"), text, word), EXPECTATION_ELSEWHERE);
    add_step(e, '=', 0.9, '-', 0.1);
    assert_int_equal(expectation_reach(e, STR("a.c"), text, word), EXPECTATION_BEFORE);
    add_step(e, ' ', 1, 'x', 1e-9);
    assert_int_equal(expectation_reach(e, STR("a.c"), text, word), EXPECTATION_BEFORE);
    add_step(e, 'a', 0.5, 'b', 0.5);
    assert_int_equal(expectation_reach(e, STR("a.c"), text, word), EXPECTATION_THERE);
    // What is typed of the word must be gone beyond.
    assert_int_equal(expectation_reach(e, STR("a.c"), text, (ByteRange){4, 5}), EXPECTATION_BEFORE);
    static const char *const names[] = {"a", "c"};
    assert_true(rank(e, names, 2, scores));
    assert_close(scores[0], 0.45);
    assert_true(scores[1] < -30);
    expectation_free(e);
}

static void another_text_is_another_place(void **state)
{
    (void)state;
    Expectation *e = expectation_new(NULL, NULL);
    expectation_begin(e, STR("a.c"), text, 4);
    add_step(e, 'a', 0.7, 'b', 0.3);
    assert_int_equal(expectation_reach(e, STR("a.c"), STR("x = c;"), word), EXPECTATION_THERE);
    assert_int_equal(expectation_reach(e, STR("a.c"), STR("y = a"), word), EXPECTATION_ELSEWHERE);
    assert_int_equal(expectation_reach(e, STR("b.c"), text, word), EXPECTATION_ELSEWHERE);
    assert_int_equal(expectation_reach(e, STR("a.c"), text, (ByteRange){3, 3}),
                     EXPECTATION_ELSEWHERE);
    // A few places are kept, those that were begun last.
    for (int i = 0; i < 2; i++) {
        expectation_begin(e, STR("b.c"), text, (size_t)i);
        add_step(e, 'a', 0.7, 'b', 0.3);
    }
    assert_int_equal(expectation_reach(e, STR("a.c"), text, word), EXPECTATION_THERE);
    expectation_begin(e, STR("b.c"), text, 3);
    add_step(e, 'a', 0.7, 'b', 0.3);
    assert_int_equal(expectation_reach(e, STR("a.c"), text, word), EXPECTATION_ELSEWHERE);
    expectation_free(e);
}

// A damaged model: no order, and no crash.
static void logits_that_are_no_numbers_rank_nothing(void **state)
{
    (void)state;
    float scores[8], logits[N_VOCAB];
    for (int i = 0; i < N_VOCAB; i++)
        logits[i] = NAN;
    Expectation *e = expectation_new(NULL, NULL);
    expectation_begin(e, STR("a.c"), text, 4);
    for (int i = 0; i < 20; i++) // more steps than are kept
        expectation_add(e, logits, N_VOCAB, 'a', STR("a"));
    static const char *const names[] = {"aa", "ab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    assert_true(rank(e, names, 3, scores));
    expectation_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_followed_along_the_path),
        cmocka_unit_test(names_that_leave_it_by_one_token_share),
        cmocka_unit_test(a_name_that_is_the_beginning_of_another_ends_there),
        cmocka_unit_test(what_stands_before_the_word_is_a_part_of_it),
        cmocka_unit_test(another_text_is_another_place),
        cmocka_unit_test(logits_that_are_no_numbers_rank_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
