// The tokenizer against reference encodings (tests/golden/README.md) and on damaged vocabularies.
#include "unit/unit.h"

#include <json-c/json.h>

#include "base/clock.h"
#include "engine/models/embedded.h"
#include "engine/pretokenize.h"
#include "engine/tokenizer.h"
#include "unit/gguf_builder.h"

enum { MAX_IDS = 1 << 16, FIM_PREFIX = 1, FILE_SEP = 4, FIM_END = 5 };

static Gguf *embedded;
static Tokenizer *mini;

static int open_mini(void **state)
{
    (void)state;
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    Error err = {0};
    embedded = gguf_open_image(image, n_bytes, &err);
    mini = embedded ? tokenizer_open(embedded, &err) : NULL;
    if (!mini) fprintf(stderr, "%s\n", err.text);
    return mini ? 0 : -1;
}

static int close_mini(void **state)
{
    (void)state;
    tokenizer_close(mini);
    gguf_close(embedded);
    return 0;
}

// --- reference encodings -------------------------------------------------------------------------

static json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value)) fail_msg("golden file lacks %s", key);
    return value;
}

static Str get_text(json_object *object)
{
    json_object *text = get(object, "text");
    return (Str){json_object_get_string(text), (size_t)json_object_get_string_len(text)};
}

// Some vocabularies lack bytes that their training text did not hold; the reference drops them too.
static bool has_all_bytes(const Tokenizer *t)
{
    for (int byte = 0; byte < 256; byte++)
        if (tokenizer_find(t, (Str){&(char){(char)byte}, 1}) < 0) return false;
    return true;
}

// The text gives these ids, and they give the text back.
static void check_encoding(const Tokenizer *t, Str text, bool special, json_object *wanted)
{
    static int ids[MAX_IDS];
    size_t n = tokenizer_encode(t, text, special, ids, MAX_IDS);
    size_t n_wanted = json_object_array_length(wanted);
    for (size_t i = 0; i < n && i < n_wanted; i++) {
        int id = json_object_get_int(json_object_array_get_idx(wanted, i));
        if (ids[i] != id) fail_msg("'%.*s': id %zu is %d, wanted %d", STR_FMT(text), i, ids[i], id);
    }
    if (n != n_wanted) fail_msg("'%.*s': %zu ids, wanted %zu", STR_FMT(text), n, n_wanted);
    StrBuf back = {0};
    for (size_t i = 0; i < n; i++)
        strbuf_append(&back, tokenizer_bytes(t, ids[i]));
    if (has_all_bytes(t)) assert_true(str_equal(strbuf_str(&back), text));
    strbuf_deinit(&back);
}

static void embedded_model_gives_the_reference_ids(void **state)
{
    (void)state;
    json_object *file = json_object_from_file(SOURCE_DIR "/tests/golden/r1ls-mini.json");
    assert_non_null(file);
    json_object *texts = get(file, "tokenize"), *greedy = get(get(file, "strict_f32"), "greedy");
    assert_int_equal(json_object_array_length(texts), 50);
    for (size_t i = 0; i < json_object_array_length(texts); i++) {
        json_object *one = json_object_array_get_idx(texts, i);
        check_encoding(mini, get_text(one), false, get(one, "ids"));
    }
    for (size_t i = 0; i < json_object_array_length(greedy); i++) {
        json_object *one = json_object_array_get_idx(greedy, i);
        bool special = json_object_get_boolean(get(one, "parse_special"));
        check_encoding(mini, get_text(one), special, get(one, "prompt_ids"));
    }
    json_object_put(file);
}

static void pre_tokenizers_cut_as_the_reference(void **state)
{
    (void)state;
    json_object *cases = json_object_from_file(SOURCE_DIR "/tests/golden/pretokenize.json");
    assert_non_null(cases);
    size_t n_cases = json_object_array_length(cases);
    assert_true(n_cases > 200);
    for (size_t i = 0; i < n_cases; i++) {
        json_object *one = json_object_array_get_idx(cases, i), *cuts = get(one, "cuts");
        const char *name = json_object_get_string(get(one, "pre"));
        Str text = get_text(one);
        PreWalk walk = pretokenize_start(pretokenize_find(str_from(name)), text);
        size_t n = 0;
        for (Str piece; pretokenize_next(&walk, &piece); n++) {
            int wanted = json_object_get_int(json_object_array_get_idx(cuts, n));
            if ((size_t)wanted != piece.len)
                fail_msg("%s on '%.*s': piece %zu is '%.*s', wanted %d bytes", name, STR_FMT(text),
                         n, STR_FMT(piece), wanted);
        }
        assert_int_equal(n, json_object_array_length(cuts));
    }
    json_object_put(cases);
}

// Where ./dev model puts the models, or $R1LS_VOCABS.
static Gguf *open_installed(const char *name)
{
    char path[600];
    const char *vocabs = getenv("R1LS_VOCABS");
    snprintf(path, sizeof path, "%s/%s.gguf", vocabs ? vocabs : "", name);
    Gguf *vocabulary = vocabs ? gguf_open(path, &(Error){0}) : NULL;
    if (vocabulary) return vocabulary;
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0])
        snprintf(path, sizeof path, "%s/r1ls/models/%s.gguf", cache, name);
    else
        snprintf(path, sizeof path, "%s/.cache/r1ls/models/%s.gguf", home ? home : "", name);
    return gguf_open(path, &(Error){0});
}

static void check_installed(const char *name)
{
    Gguf *gguf = open_installed(name);
    if (!gguf) {
        print_message("model %s is not installed (./dev model %s)\n", name, name);
        skip();
    }
    Error err = {0};
    double start_ms = clock_ms();
    Tokenizer *t = tokenizer_open(gguf, &err);
    assert_ok(t, err);
    print_message("%s: %d tokens opened in %.1f ms, %s\n", name, tokenizer_n_vocab(t),
                  clock_ms() - start_ms, has_all_bytes(t) ? "all bytes known" : "some bytes lost");
    json_object *cases = json_object_from_file(SOURCE_DIR "/tests/golden/tokenizer.json");
    assert_non_null(cases);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        json_object *one = json_object_array_get_idx(cases, i);
        if (strcmp(json_object_get_string(get(one, "model")), name) == 0)
            check_encoding(t, get_text(one), false, get(one, "ids"));
    }
    json_object_put(cases);
    tokenizer_close(t);
    gguf_close(gguf);
}

static void coder_gives_the_reference_ids(void **state)
{
    (void)state;
    check_installed("coder-0.5b");
}

static void smollm2_gives_the_reference_ids(void **state)
{
    (void)state;
    check_installed("smollm2");
}

// --- SentencePiece -------------------------------------------------------------------------------

static json_object *at_index(json_object *array, size_t i)
{
    return json_object_array_get_idx(array, i);
}

// A model of spm.json as a file's image; the caller frees it after the Gguf.
static StrBuf build_spm(json_object *model)
{
    json_object *tokens = get(model, "tokens");
    size_t n = json_object_array_length(tokens);
    StrBuf b = {0};
    build_header(&b, 3, 0, 5);
    build_pair_text(&b, "tokenizer.ggml.model", "llama");
    build_key(&b, "tokenizer.ggml.add_space_prefix", GGUF_BOOL);
    strbuf_append_char(&b, (char)json_object_get_boolean(get(model, "add_space_prefix")));
    build_array(&b, "tokenizer.ggml.tokens", GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        build_text(&b, json_object_get_string(at_index(tokens, i)));
    build_array(&b, "tokenizer.ggml.token_type", GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        build_u32(&b, (uint32_t)json_object_get_int(at_index(get(model, "kinds"), i)));
    build_array(&b, "tokenizer.ggml.scores", GGUF_F32, n);
    for (size_t i = 0; i < n; i++) {
        float score = (float)json_object_get_double(at_index(get(model, "scores"), i));
        build_bytes(&b, &score, sizeof score);
    }
    return b;
}

static void check_spm_bytes(const Tokenizer *t, bool prefix)
{
    unsigned seed = 7;
    char bytes[100];
    int ids[400];
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)((seed = seed * 1664525 + 1013904223) >> (round % 2 ? 24 : 25));
        size_t n = tokenizer_encode(t, (Str){bytes, sizeof bytes}, false, ids, 400);
        assert_true(n <= 400);
        StrBuf back = {0};
        for (size_t i = 0; i < n; i++)
            strbuf_append(&back, tokenizer_bytes(t, ids[i]));
        assert_true(
            str_equal(str_slice(strbuf_str(&back), prefix, back.len), (Str){bytes, sizeof bytes}));
        strbuf_deinit(&back);
    }
}

static void check_spm_model(json_object *model)
{
    StrBuf image = build_spm(model);
    Error err = {0};
    Gguf *gguf = gguf_open_image(image.ptr, image.len, &err);
    assert_ok(gguf, err);
    Tokenizer *t = tokenizer_open(gguf, &err);
    assert_ok(t, err);
    json_object *cases = get(model, "cases");
    assert_true(json_object_array_length(cases) > 150);
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        json_object *one = at_index(cases, i), *wanted = get(one, "ids");
        int ids[4096];
        Str text = get_text(one);
        size_t n = tokenizer_encode(t, text, false, ids, 4096);
        for (size_t k = 0; k < n && k < json_object_array_length(wanted); k++)
            if (ids[k] != json_object_get_int(at_index(wanted, k)))
                fail_msg("'%.*s': id %zu is %d, wanted %d", STR_FMT(text), k, ids[k],
                         json_object_get_int(at_index(wanted, k)));
        assert_int_equal(n, json_object_array_length(wanted));
    }
    check_spm_bytes(t, json_object_get_boolean(get(model, "add_space_prefix")));
    assert_int_equal(tokenizer_find(t, STR("\n")), 3 + 3 + '\n');
    assert_int_equal(tokenizer_find(t, STR("<s>")), 1);
    assert_int_equal(tokenizer_encode(t, STR("<s>"), true, NULL, 0), 1);
    assert_true(tokenizer_encode(t, STR("<s>"), false, NULL, 0) > 1);
    assert_true(tokenizer_specials(t)->add_bos == (tokenizer_specials(t)->bos >= 0));
    tokenizer_close(t);
    gguf_close(gguf);
    strbuf_deinit(&image);
}

static void sentencepiece_models_give_the_reference_ids(void **state)
{
    (void)state;
    json_object *models = json_object_from_file(SOURCE_DIR "/tests/golden/spm.json");
    assert_non_null(models);
    assert_int_equal(json_object_array_length(models), 2);
    for (size_t i = 0; i < 2; i++)
        check_spm_model(at_index(models, i));
    json_object_put(models);
}

// --- families ------------------------------------------------------------------------------------

// FNV-1a over the ids as 32-bit numbers, and one more for the end of a text.
static uint64_t hash_ids(const int *ids, size_t n, uint64_t hash)
{
    for (size_t i = 0; i <= n; i++) {
        uint32_t id = i < n ? (uint32_t)ids[i] : UINT32_MAX;
        for (int byte = 0; byte < 4; byte++)
            hash = (hash ^ (id >> 8 * byte & 0xFF)) * 0x100000001b3ull;
    }
    return hash;
}

// What is hashed of one family, text by text.
typedef struct FamilySum {
    const Tokenizer *tokenizer;
    bool special;
    uint64_t hash;
    int64_t n_ids;
} FamilySum;

static void add_text(FamilySum *sum, Str text)
{
    size_t cap = text.len + 2;
    int *ids = malloc(cap * sizeof *ids);
    size_t n = tokenizer_encode(sum->tokenizer, text, sum->special, ids, cap);
    assert_true(n < cap);
    sum->hash = hash_ids(ids, n, sum->hash);
    sum->n_ids += (int64_t)n;
    free(ids);
}

static void put_times(StrBuf *out, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        strbuf_append(out, str_from(text));
}

// Every line of texts.txt, the whole, the whole without its line ends, and long runs, as
// tokenizer_families.py reads them.
static void add_texts(FamilySum *sum, Str all)
{
    StrBuf one_line = {0}, runs = {0};
    for (size_t at = 0; at < all.len;) {
        size_t end = str_find(all, STR("\n"), at);
        add_text(sum, str_slice(all, at, end + 1));
        strbuf_append(&one_line, str_slice(all, at, end));
        at = end + 1;
    }
    add_text(sum, all);
    add_text(sum, strbuf_str(&one_line));
    put_times(&runs, "a", 5000);
    put_times(&runs, " ", 5000);
    put_times(&runs, "日本", 2000);
    put_times(&runs, "9", 3000);
    add_text(sum, strbuf_str(&runs));
    strbuf_deinit(&one_line);
    strbuf_deinit(&runs);
}

static Str read_texts(void)
{
    static char bytes[1 << 18];
    FILE *file = fopen(SOURCE_DIR "/tests/golden/texts.txt", "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(n > 100000 && n < sizeof bytes);
    return (Str){bytes, n};
}

static bool check_family(json_object *family, Str texts)
{
    const char *name = json_object_get_string(get(family, "name"));
    Gguf *gguf = open_installed(name);
    if (!gguf) return false;
    Error err = {0};
    Tokenizer *t = tokenizer_open(gguf, &err);
    assert_ok(t, err);
    FamilySum sum = {t, json_object_get_boolean(get(family, "parse_special")),
                     0xcbf29ce484222325ull, 0};
    add_texts(&sum, texts);
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)sum.hash);
    if (strcmp(hash, json_object_get_string(get(family, "hash"))) != 0)
        fail_msg(
            "%s: %lld ids, hash %s; wanted %lld, %s (tokenizer_families.py compare tells more)",
            name, (long long)sum.n_ids, hash,
            (long long)json_object_get_int64(get(family, "n_ids")),
            json_object_get_string(get(family, "hash")));
    print_message("%s: %lld ids as the reference\n", name, (long long)sum.n_ids);
    tokenizer_close(t);
    gguf_close(gguf);
    return true;
}

static void families_give_the_reference_ids(void **state)
{
    (void)state;
    json_object *families = json_object_from_file(SOURCE_DIR "/tests/golden/families.json");
    assert_non_null(families);
    Str texts = read_texts();
    size_t n = json_object_array_length(families), n_there = 0;
    assert_true(n >= 10);
    for (size_t i = 0; i < n; i++) {
        json_object *family = json_object_array_get_idx(families, i);
        bool there = check_family(family, texts);
        if (!there)
            print_message("vocabulary %s is neither in $R1LS_VOCABS nor installed\n",
                          json_object_get_string(get(family, "name")));
        n_there += there;
    }
    json_object_put(families);
    if (n_there == 0) skip();
}

// --- contracts -----------------------------------------------------------------------------------

static void roles_and_ends_are_found(void **state)
{
    (void)state;
    const SpecialTokens *s = tokenizer_specials(mini);
    assert_int_equal(s->fim_prefix, FIM_PREFIX);
    assert_int_equal(s->fim_suffix, 2);
    assert_int_equal(s->fim_middle, 3);
    assert_int_equal(s->file_sep, FILE_SEP);
    assert_int_equal(s->repo_name, -1);
    assert_false(s->add_bos);
    for (int id = 0; id < tokenizer_n_vocab(mini); id++)
        assert_int_equal(tokenizer_is_end(mini, id), id == 0 || id == FILE_SEP || id == FIM_END);
}

static void plain_text_never_gives_control_tokens(void **state)
{
    (void)state;
    static int ids[256];
    for (int id = 0; id < tokenizer_n_vocab(mini); id++) {
        if (!tokenizer_is_control(mini, id)) continue;
        Str text = tokenizer_bytes(mini, id);
        assert_int_equal(tokenizer_encode(mini, text, true, ids, 256), 1);
        assert_int_equal(ids[0], id);
        size_t n = tokenizer_encode(mini, text, false, ids, 256);
        assert_true(n > 1);
        for (size_t i = 0; i < n; i++)
            assert_false(tokenizer_is_control(mini, ids[i]));
    }
}

static void find_takes_literal_bytes(void **state)
{
    (void)state;
    assert_int_equal(tokenizer_find(mini, STR("<|fim_prefix|>")), FIM_PREFIX);
    assert_int_equal(tokenizer_find(mini, STR("no such token at all")), -1);
    assert_int_equal(tokenizer_find(mini, STR("")), -1);
    int n_found = 0;
    for (int id = 0; id < tokenizer_n_vocab(mini); id++)
        n_found += tokenizer_find(mini, tokenizer_bytes(mini, id)) == id;
    assert_int_equal(n_found, tokenizer_n_vocab(mini));
}

static void nothing_is_written_past_cap(void **state)
{
    (void)state;
    int ids[4] = {-5, -5, -5, -5};
    Str text = STR("int main(int argc, char **argv)");
    size_t n = tokenizer_encode(mini, text, false, NULL, 0);
    assert_true(n > 3);
    assert_int_equal(tokenizer_encode(mini, text, false, ids, 3), n);
    assert_true(ids[2] >= 0 && ids[3] == -5);
    assert_int_equal(tokenizer_encode(mini, (Str){NULL, 0}, true, ids, 3), 0);
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    unsigned seed = 1;
    char bytes[200];
    int ids[200];
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
        size_t n = tokenizer_encode(mini, (Str){bytes, sizeof bytes}, false, ids, 200), at = 0;
        assert_true(n <= sizeof bytes);
        for (size_t i = 0; i < n; i++) {
            Str part = tokenizer_bytes(mini, ids[i]);
            assert_true(at + part.len <= sizeof bytes);
            assert_memory_equal(bytes + at, part.ptr, part.len);
            at += part.len;
        }
        assert_int_equal(at, sizeof bytes);
    }
}

// A quadratic merge would need 10^12 steps here.
static void long_words_are_not_quadratic(void **state)
{
    (void)state;
    static const char *const units[] = {"a", "ab", " ", "'", " \n", "9", "\xff", "<|fim"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        StrBuf text = {0};
        while (text.len < 1 << 20)
            strbuf_append(&text, str_from(units[i]));
        double start_ms = clock_ms();
        assert_true(tokenizer_encode(mini, strbuf_str(&text), true, NULL, 0) > 0);
        assert_true(clock_ms() - start_ms < 20000);
        strbuf_deinit(&text);
    }
}

// --- damaged vocabularies ------------------------------------------------------------------------

// What a small model's file says; the tests change one field each.
typedef struct Recipe {
    const char *model, *pre;
    const char *tokens[8];
    size_t n_tokens;
    int32_t types[8];
    size_t n_types;
    GgufValueType type_kind;
    const char *merges[4];
    size_t n_merges;
    uint32_t eos;
} Recipe;

static Recipe make_recipe(void)
{
    return (Recipe){.model = "gpt2",
                    .pre = "gpt-2",
                    .tokens = {"a", "b", "c", "ab", "abc", "<|endoftext|>", "\xc4\xa0", "<user>"},
                    .n_tokens = 8,
                    .types = {1, 1, 1, 1, 1, 3, 1, 4},
                    .n_types = 8,
                    .type_kind = GGUF_I32,
                    .merges = {"a b", "ab c"},
                    .n_merges = 2,
                    .eos = 5};
}

static StrBuf build_recipe(const Recipe *r)
{
    StrBuf b = {0};
    build_header(&b, 3, 0, 6);
    build_pair_text(&b, "tokenizer.ggml.model", r->model);
    build_pair_text(&b, "tokenizer.ggml.pre", r->pre);
    build_texts(&b, "tokenizer.ggml.tokens", r->tokens, r->n_tokens);
    build_array(&b, "tokenizer.ggml.token_type", r->type_kind, r->n_types);
    build_bytes(&b, r->types, r->n_types * (r->type_kind == GGUF_U8 ? 1 : 4));
    build_texts(&b, "tokenizer.ggml.merges", r->merges, r->n_merges);
    build_pair_u32(&b, "tokenizer.ggml.eos_token_id", r->eos);
    build_padding(&b, 32);
    return b;
}

// Opens the recipe; expects failure with this code and a text that names `word`, or ERROR_NONE.
static void expect(const Recipe *recipe, ErrorCode wanted, const char *word)
{
    StrBuf b = build_recipe(recipe);
    Error err = {0};
    Gguf *gguf = gguf_open_image(b.ptr, b.len, &err);
    assert_ok(gguf, err);
    Tokenizer *t = tokenizer_open(gguf, &err);
    assert_int_equal(t == NULL, wanted != ERROR_NONE);
    if (err.code != wanted || !strstr(err.text, word))
        fail_msg("'%s' (code %d), wanted code %d and '%s'", err.text, err.code, wanted, word);
    tokenizer_close(t);
    gguf_close(gguf);
    strbuf_deinit(&b);
}

static void damaged_vocabularies_are_refused(void **state)
{
    (void)state;
    Recipe r = make_recipe();
    expect(&r, ERROR_NONE, "");
#define REFUSED(change, code, word)                                                                \
    do {                                                                                           \
        r = make_recipe();                                                                         \
        change;                                                                                    \
        expect(&r, code, word);                                                                    \
    } while (0)
    REFUSED(r.model = "bert", ERROR_UNSUPPORTED, "'bert', wanted 'gpt2'");
    REFUSED(r.model = "llama", ERROR_DAMAGED, "scores is absent");
    REFUSED(r.pre = "tekken", ERROR_UNSUPPORTED, "'tekken', wanted one of qwen2");
    REFUSED(r.n_tokens = 0, ERROR_DAMAGED, "tokens");
    REFUSED(r.n_types = 7, ERROR_DAMAGED, "token_type");
    REFUSED(r.type_kind = GGUF_F32, ERROR_DAMAGED, "token_type");
    REFUSED(r.type_kind = GGUF_U8, ERROR_DAMAGED, "token_type");
    REFUSED(r.types[2] = 7, ERROR_DAMAGED, "token_type of token 2 is 7");
    REFUSED(r.types[2] = -1, ERROR_DAMAGED, "token_type of token 2 is -1");
    REFUSED(r.eos = 8, ERROR_DAMAGED, "eos_token_id is 8, wanted 0 to 7");
    REFUSED(r.eos = UINT32_MAX, ERROR_DAMAGED, "eos_token_id");
    REFUSED(r.merges[0] = "a", ERROR_DAMAGED, "merge 0");
    REFUSED(r.merges[0] = "", ERROR_DAMAGED, "merge 0");
    REFUSED(r.merges[0] = " ", ERROR_DAMAGED, "merge 0");
    REFUSED(r.merges[0] = "a x", ERROR_DAMAGED, "unknown right");
    REFUSED(r.merges[0] = "x a", ERROR_DAMAGED, "unknown left");
    REFUSED(r.merges[1] = "b c", ERROR_DAMAGED, "merge 1");
    REFUSED(r.types[4] = 3, ERROR_DAMAGED, "control token");
#undef REFUSED
}

static void merges_follow_their_ranks(void **state)
{
    (void)state;
    Recipe r = make_recipe();
    StrBuf b = build_recipe(&r);
    Error err = {0};
    Gguf *gguf = gguf_open_image(b.ptr, b.len, &err);
    Tokenizer *t = tokenizer_open(gguf, &err);
    assert_ok(t, err);
    int ids[8];
    // User-defined tokens are found in plain text, control ones only where they may be; bytes that
    // the vocabulary lacks disappear.
    assert_int_equal(tokenizer_encode(t, STR("abcab<user>z<|endoftext|> b"), true, ids, 8), 6);
    static const int wanted[] = {4, 3, 7, 5, 6, 1};
    assert_memory_equal(ids, wanted, sizeof wanted);
    assert_int_equal(tokenizer_encode(t, STR("b<user>"), false, ids, 8), 2);
    assert_int_equal(ids[1], 7);
    assert_int_equal(tokenizer_bytes(t, 6).len, 1);
    assert_true(tokenizer_is_end(t, 5) && tokenizer_is_control(t, 5));
    assert_false(tokenizer_is_control(t, 7));
    tokenizer_close(t);
    gguf_close(gguf);
    strbuf_deinit(&b);
}

static void flipped_vocabularies_are_survived(void **state)
{
    (void)state;
    Recipe r = make_recipe();
    StrBuf b = build_recipe(&r);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
        char *copy = build_copy(&b);
        Gguf *gguf = gguf_open_image(copy, b.len, &(Error){0});
        Tokenizer *t = gguf ? tokenizer_open(gguf, &(Error){0}) : NULL;
        if (t) tokenizer_encode(t, STR("abcab<user>z<|endoftext|> b"), bit % 2, NULL, 0);
        tokenizer_close(t);
        gguf_close(gguf);
        free(copy);
        b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
    }
    strbuf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedded_model_gives_the_reference_ids),
        cmocka_unit_test(pre_tokenizers_cut_as_the_reference),
        cmocka_unit_test(coder_gives_the_reference_ids),
        cmocka_unit_test(smollm2_gives_the_reference_ids),
        cmocka_unit_test(sentencepiece_models_give_the_reference_ids),
        cmocka_unit_test(families_give_the_reference_ids),
        cmocka_unit_test(roles_and_ends_are_found),
        cmocka_unit_test(plain_text_never_gives_control_tokens),
        cmocka_unit_test(find_takes_literal_bytes),
        cmocka_unit_test(nothing_is_written_past_cap),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(long_words_are_not_quadratic),
        cmocka_unit_test(damaged_vocabularies_are_refused),
        cmocka_unit_test(merges_follow_their_ranks),
        cmocka_unit_test(flipped_vocabularies_are_survived),
    };
    return cmocka_run_group_tests(tests, open_mini, close_mini);
}
