// Hostile model files: what earlier readers of GGUF files and other formats failed at, and where it
// is tested here. The cases come from published advisories and fixes; those without a test of their
// own elsewhere are below.
//
//   case                                             test
//   counts of strings, pairs, tensors without bytes  test_gguf: huge_*_is_refused
//     behind them (CVE-2024-21802)
//   a sum of tensor sizes wraps (CVE-2025-53630)     test_gguf: sizes_whose_sum_wraps_are_refused
//   a token's length overflows (CVE-2025-49847)      odd_vocabularies_are_refused
//   dimension times stride wraps to 0                test_gguf: wrapping_size_is_refused
//   the element count wraps before its check         test_gguf: wrapping_product_is_refused
//   tensor count times overhead                      test_gguf: huge_tensor_count_is_refused
//   padding wraps, alignment is no u32               test_gguf: alignment_*, *_alignment_*
//   elements of an array are of another type         odd_vocabularies_are_refused
//   a byte token is none, its id negative            odd_vocabularies_are_refused,
//                                                    bytes_without_a_token_are_survived
//   ids of special tokens                            special_ids_are_checked
//   dimensions lie about the data (CVE-2026-7482)    every_dimension_is_checked
//   types lie about the data (CVE-2026-53923)        no_type_is_read_past_its_data
//   reservation of any count                         test_gguf: huge_*_is_refused
//   an endless loop on an unknown type               test_gguf: unknown_value_type_is_refused
//   one cursor, no read past the end                 test_gguf: every_truncation_is_refused,
//                                                    every_bit_flip_is_survived
//   dimensions 0, 2^31 and more, broken blocks       test_gguf: *_dimension_*, broken_block
//   unaligned, outside, overlapping tensors          test_gguf: misaligned, offset, overlap
//   numbers that do not fit each other, heads,       test_family: numbers_out_of_range_are_refused
//     experts, groups, rotary dimensions
//   merges of unknown tokens, lengths that differ    test_tokenizer:
//   damaged_vocabularies_are_refused repeated names, quadratic searches for them      test_gguf:
//   duplicate_*, many_names_* scales and weights that are no number
//   weights_that_are_no_number_choose_within_range,
//                                                    test_kernels: nan_*, test_model: nan_*
//   a chat template is code                          test_chat: unknown templates are refused
//   no regular file, a pipe that nobody writes       test_gguf: missing_and_odd_paths_are_named
//   shards that do not fit together                  test_gguf_shards
//   safetensors: the same                            test_safetensors, test_convert
//   session files: the same                          test_session_file
//   truncation while a file is mapped                none: SIGBUS (docs/engine.md)
#include "unit/family_model.h"

#include "engine/sampler.h"
#include "engine/tokenizer.h"

static const char *const models[] = {"qwen2",    "qwen3-yarn-tied", "llama-llama3",
                                     "qwen3moe", "deepseek-v1",     "v2-lite-half-joined",
                                     "v3"};
enum { N_MODELS = sizeof models / sizeof *models };

// --- directories ---------------------------------------------------------------------------------

// Where the directory says how many dimensions tensor i has; the dimensions and the type follow.
static char *find_entry(const StrBuf *image, json_object *tensor)
{
    StrBuf name = {0};
    build_text(&name, text_at(tensor, 0));
    size_t at = str_find(strbuf_str(image), strbuf_str(&name), 0);
    assert_true(at + name.len < image->len);
    at += name.len;
    strbuf_deinit(&name);
    return image->ptr + at;
}

static bool opens(Opened *o, Error *err)
{
    char *copy = build_copy(&o->image);
    Opened other = {.image = {.ptr = copy, .len = o->image.len}};
    bool ok = open_image(&other, kernels_find("ref"), err);
    other.image = (StrBuf){0};
    close_model(&other);
    free(copy);
    return ok;
}

static void every_dimension_is_checked(void **state)
{
    (void)state;
    int n_cases = 0;
    for (size_t m = 0; m < N_MODELS; m++) {
        json_object *model = find_model(models[m]), *tensors = get(model, "tensors");
        Opened o = {0};
        Error err = {0};
        build_model(model, TENSOR_F32, &o.image);
        bool tied = str_contains(str_from(models[m]), "tied");
        assert_ok(opens(&o, &err), err);
        for (size_t i = 0; i < json_object_array_length(tensors); i++) {
            json_object *tensor = at(tensors, i);
            char *entry = find_entry(&o.image, tensor);
            for (size_t d = 0; d < json_object_array_length(dims_of(tensor)); d++) {
                // How many rows a tied embedding has is nowhere else in the file.
                if (tied && d == 1 && strcmp(text_at(tensor, 0), "token_embd.weight") == 0)
                    continue;
                for (int change = -1; change <= 1; change += 2) {
                    uint64_t old, other;
                    memcpy(&old, entry + 4 + 8 * d, sizeof old);
                    other = old + (uint64_t)(int64_t)change;
                    memcpy(entry + 4 + 8 * d, &other, sizeof other);
                    err = (Error){0};
                    if (opens(&o, &err))
                        fail_msg("%s: %s with dimension %zu as %d was opened", models[m],
                                 text_at(tensor, 0), d, (int)other);
                    memcpy(entry + 4 + 8 * d, &old, sizeof old);
                    n_cases++;
                }
            }
        }
        close_model(&o);
    }
    printf("%d wrong dimensions refused\n", n_cases);
}

static void run_some_tokens(Opened *o)
{
    static const int ids[3] = {1, 2, 3};
    float *logits = mem_zero((size_t)o->shape.n_vocab * sizeof *logits);
    Pass pass = {.own = &o->kv, .ids = ids, .n = 3};
    forward_pass(&o->compute, &o->shape, &o->weights, &pass);
    forward_logits(&o->compute, &o->shape, &o->weights, 2, 1, logits);
    for (int i = 0; o->shape.n_experts && i < 3 * o->shape.n_experts_used; i++)
        assert_true(o->compute.pairs.expert_of[i] >= 0 &&
                    o->compute.pairs.expert_of[i] < o->shape.n_experts);
    Candidate *candidates = mem_zero((size_t)o->shape.n_vocab * sizeof *candidates);
    for (int draw = 0; draw < 4; draw++) {
        Sampler sampler;
        float prob;
        const SamplerOptions options = {.temperature = (float)draw / 2,
                                        .top_k = draw == 1 ? 5 : 0,
                                        .top_p = draw == 2 ? 0.5f : 1};
        for (int i = 0; i < o->shape.n_vocab; i++)
            candidates[i] = (Candidate){i, logits[i]};
        sampler_init(&sampler, &options);
        int id = sampler_choose(&sampler, candidates, o->shape.n_vocab, &prob);
        assert_true(id >= 0 && id < o->shape.n_vocab);
    }
    free(candidates);
    free(logits);
}

// A tensor under another type is refused or read within its bytes, of which AddressSanitizer knows.
static void no_type_is_read_past_its_data(void **state)
{
    (void)state;
    int n_refused = 0, n_run = 0;
    for (size_t m = 0; m < N_MODELS; m++) {
        json_object *model = find_model(models[m]), *tensors = get(model, "tensors");
        StrBuf image = {0};
        build_model(model, TENSOR_F32, &image);
        for (size_t i = 0; i < json_object_array_length(tensors); i++) {
            json_object *tensor = at(tensors, i);
            char *type = find_entry(&image, tensor) + 4;
            type += 8 * json_object_array_length(dims_of(tensor));
            for (uint32_t t = 1; t < 40; t++) {
                Error err = {0};
                uint32_t old;
                memcpy(&old, type, sizeof old);
                memcpy(type, &t, sizeof t);
                char *copy = build_copy(&image);
                Opened o = {.image = {.ptr = copy, .len = image.len}};
                if (open_image(&o, kernels_find("ref"), &err)) {
                    run_some_tokens(&o);
                    n_run++;
                } else {
                    n_refused++;
                }
                o.image = (StrBuf){0};
                close_model(&o);
                free(copy);
                memcpy(type, &old, sizeof old);
            }
        }
        strbuf_deinit(&image);
    }
    printf("%d types refused, %d run\n", n_refused, n_run);
    assert_true(n_refused > n_run && n_run > 0);
}

static void weights_that_are_no_number_choose_within_range(void **state)
{
    (void)state;
    static const char *const tables[] = {"ref", "exact", "avx2", "avx512"};
    static const TensorType types[] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_Q8_0};
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        for (size_t m = 0; kernels_find(tables[k]) && m < N_MODELS; m++) {
            for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
                Opened o;
                open_model(find_model(models[m]), types[t], kernels_find(tables[k]), &o);
                // All ones is no number in any of these types, and as a scale of Q8_0.
                const GgufTensor *first = gguf_tensor(o.gguf, 0);
                for (size_t i = 1; i < gguf_n_tensors(o.gguf); i++)
                    if (gguf_tensor(o.gguf, i)->data < first->data) first = gguf_tensor(o.gguf, i);
                size_t at0 = (size_t)((const char *)first->data - o.image.ptr);
                memset(o.image.ptr + at0, 0xFF, o.image.len - at0);
                run_some_tokens(&o);
                close_model(&o);
            }
        }
    }
}

// --- vocabularies --------------------------------------------------------------------------------

enum { MAX_PAIRS = 12 };

// Pairs of a sound vocabulary; `key` names the one that `other` stands for (or is added).
typedef struct Pair {
    const char *key;
    StrBuf bytes;
} Pair;

static void add_strings(StrBuf *b, const char *key, const char *texts)
{
    const char *list[16];
    char copy[160], *rest = copy;
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", texts);
    for (char *text; (text = strsep(&rest, "|"));)
        list[n++] = text;
    build_texts(b, key, list, n);
}

static void add_ints(StrBuf *b, const char *key, GgufValueType type, const char *digits)
{
    build_array(b, key, type, strlen(digits));
    for (const char *c = digits; *c; c++) {
        int32_t i = *c - '0';
        float f = (float)-i;
        if (type == GGUF_F32)
            build_bytes(b, &f, 4);
        else
            build_bytes(b, &i, type == GGUF_U8 ? 1 : 4);
    }
}

static Pair *add_pair(Pair *pairs, int *n, const char *key)
{
    for (int i = 0; i < *n; i++)
        if (strcmp(pairs[i].key, key) == 0) {
            strbuf_clear(&pairs[i].bytes);
            return &pairs[i];
        }
    assert_true(*n < MAX_PAIRS);
    pairs[*n] = (Pair){.key = key};
    return &pairs[(*n)++];
}

#define KEY(name) "tokenizer.ggml." name

static int make_pairs(Pair *pairs, bool sentencepiece)
{
    int n = 0;
    build_pair_text(&add_pair(pairs, &n, KEY("model"))->bytes, KEY("model"),
                    sentencepiece ? "llama" : "gpt2");
    build_pair_text(&add_pair(pairs, &n, KEY("pre"))->bytes, KEY("pre"), "qwen2");
    add_strings(&add_pair(pairs, &n, KEY("tokens"))->bytes, KEY("tokens"),
                sentencepiece ? "<unk>|<s>|</s>|<0x0A>|a|b|ab" : "x|<s>|</s>|c|a|b|ab");
    add_ints(&add_pair(pairs, &n, KEY("token_type"))->bytes, KEY("token_type"), GGUF_I32,
             sentencepiece ? "2336111" : "1331111");
    if (sentencepiece)
        add_ints(&add_pair(pairs, &n, KEY("scores"))->bytes, KEY("scores"), GGUF_F32, "0000123");
    else
        add_strings(&add_pair(pairs, &n, KEY("merges"))->bytes, KEY("merges"), "a b");
    return n;
}

static Tokenizer *open_pairs(Pair *pairs, int n, Gguf **gguf, StrBuf *image, Error *err)
{
    *image = (StrBuf){0};
    build_header(image, 3, 0, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        strbuf_append(image, strbuf_str(&pairs[i].bytes));
        strbuf_deinit(&pairs[i].bytes);
    }
    build_padding(image, 32);
    *gguf = gguf_open_image(image->ptr, image->len, err);
    return *gguf ? tokenizer_open(*gguf, err) : NULL;
}

static void refuse_pairs(Pair *pairs, int n, const char *word)
{
    Error err = {0};
    Gguf *gguf;
    StrBuf image;
    if (open_pairs(pairs, n, &gguf, &image, &err)) fail_msg("%s was not refused", word);
    if (err.code != ERROR_DAMAGED || !strstr(err.text, word))
        fail_msg("'%s', wanted '%s'", err.text, word);
    gguf_close(gguf);
    strbuf_deinit(&image);
}

static void odd_vocabularies_are_refused(void **state)
{
    (void)state;
    Pair pairs[MAX_PAIRS];
    int n;
    char *longest = mem_alloc((1 << 14) + 2);
    memset(longest, 'a', (1 << 14) + 1);
    longest[(1 << 14) + 1] = '\0';
#define REFUSED(sentencepiece, name, word, ...)                                                    \
    do {                                                                                           \
        n = make_pairs(pairs, sentencepiece);                                                      \
        StrBuf *b = &add_pair(pairs, &n, KEY(name))->bytes;                                        \
        const char *key = KEY(name);                                                               \
        __VA_ARGS__;                                                                               \
        refuse_pairs(pairs, n, word);                                                              \
    } while (0)
    for (int spm = 0; spm < 2; spm++) {
        REFUSED(spm, "tokens", "of another type", add_ints(b, key, GGUF_I32, "1234567"));
        REFUSED(spm, "tokens", "of another type", build_pair_text(b, key, "a"));
        REFUSED(spm, "tokens", "0 tokens", build_array(b, key, GGUF_STRING, 0));
        REFUSED(spm, "tokens", "16385 bytes", build_texts(b, key, (const char *[]){longest}, 1));
        REFUSED(spm, "token_type", "7 elements", add_ints(b, key, GGUF_U8, "1331111"));
        REFUSED(spm, "token_type", "7 elements", add_ints(b, key, GGUF_F32, "1331111"));
        REFUSED(spm, "token_type", "6 elements", add_ints(b, key, GGUF_I32, "133111"));
        REFUSED(spm, "token_type", "8 elements", add_ints(b, key, GGUF_I32, "13311111"));
        REFUSED(spm, "token_type", "is 7", add_ints(b, key, GGUF_I32, "1337111"));
        REFUSED(spm, "token_type", "token_type", build_pair_u32(b, key, 1));
    }
    REFUSED(true, "scores", "another type", add_ints(b, key, GGUF_U8, "0000123"));
    REFUSED(true, "scores", "another type", add_ints(b, key, GGUF_I32, "0000123"));
    REFUSED(true, "scores", "length", add_ints(b, key, GGUF_F32, "000012"));
    REFUSED(true, "scores", "length", add_ints(b, key, GGUF_F32, "00001234"));
    REFUSED(true, "scores", "scores", build_pair_u32(b, key, 1));
    REFUSED(true, "tokens", "byte token 3", add_strings(b, key, "<unk>|<s>|</s>|<0xZZ>|a|b|ab"));
    REFUSED(true, "tokens", "byte token 3", add_strings(b, key, "<unk>|<s>|</s>|<0x0>|a|b|ab"));
    REFUSED(true, "tokens", "byte token 3", add_strings(b, key, "<unk>|<s>|</s>|<0x-1>|a|b|ab"));
    REFUSED(true, "tokens", "byte token 3", add_strings(b, key, "<unk>|<s>|</s>||a|b|ab"));
    REFUSED(false, "merges", "merges", add_ints(b, key, GGUF_I32, "12"));
    REFUSED(false, "merges", "merges", build_pair_text(b, key, "a b"));
    REFUSED(false, "merges", "merge 0", add_strings(b, key, "a ab"));
#undef REFUSED
    free(longest);
}

static void special_ids_are_checked(void **state)
{
    (void)state;
    static const char *const keys[] = {
        KEY("bos_token_id"),     KEY("eos_token_id"),     KEY("eot_token_id"),
        KEY("eom_token_id"),     KEY("fim_pre_token_id"), KEY("fim_suf_token_id"),
        KEY("fim_mid_token_id"), KEY("fim_pad_token_id"), KEY("fim_rep_token_id"),
        KEY("fim_sep_token_id"), KEY("prefix_token_id"),  KEY("suffix_token_id"),
        KEY("middle_token_id")};
    static const int64_t ids[] = {7, -1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1LL << 32};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
            Pair pairs[MAX_PAIRS];
            int n = make_pairs(pairs, k % 2);
            StrBuf *b = &add_pair(pairs, &n, keys[k])->bytes;
            build_key(b, keys[k], GGUF_I64);
            build_bytes(b, &ids[i], sizeof ids[i]);
            refuse_pairs(pairs, n, keys[k]);
        }
        Pair pairs[MAX_PAIRS];
        int n = make_pairs(pairs, k % 2);
        build_pair_text(&add_pair(pairs, &n, keys[k])->bytes, keys[k], "6");
        refuse_pairs(pairs, n, keys[k]);
    }
}

static void bytes_without_a_token_are_survived(void **state)
{
    (void)state;
    for (int spm = 0; spm < 2; spm++) {
        Pair pairs[MAX_PAIRS];
        Error err = {0};
        Gguf *gguf;
        StrBuf image;
        int n = make_pairs(pairs, spm), ids[600];
        Tokenizer *t = open_pairs(pairs, n, &gguf, &image, &err);
        assert_ok(t, err);
        char all[256];
        for (int byte = 0; byte < 256; byte++)
            all[byte] = (char)byte;
        size_t n_ids = tokenizer_encode(t, (Str){all, sizeof all}, true, ids, 600);
        for (size_t i = 0; i < n_ids && i < 600; i++)
            assert_true(ids[i] >= 0 && ids[i] < 7);
        tokenizer_close(t);
        gguf_close(gguf);
        strbuf_deinit(&image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dimension_is_checked),
        cmocka_unit_test(no_type_is_read_past_its_data),
        cmocka_unit_test(weights_that_are_no_number_choose_within_range),
        cmocka_unit_test(odd_vocabularies_are_refused),
        cmocka_unit_test(special_ids_are_checked),
        cmocka_unit_test(bytes_without_a_token_are_survived),
    };
    return cmocka_run_group_tests(tests, load_golden, free_golden);
}
