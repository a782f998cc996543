// The vocabulary becomes an array by id; what no file names becomes unused tokens.
#include "hf_tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "engine/vocab.h"
#include "json_file.h"

static const size_t MAX_FILE_BYTES = (size_t)256 << 20;
enum { MAX_EXPRESSIONS = 8 };

typedef struct Reader {
    struct json_object *tokenizer, *settings; // settings: tokenizer_config.json or NULL
    int n_rows;
    Str *texts;     // [n_rows], ptr NULL: nothing has that id
    int32_t *kinds; // [n_rows]
    Arena *arena;
    GgufWriter *writer;
    Error *err;
} Reader;

// --- pre-tokenizer -------------------------------------------------------------------------------

#define LLAMA(digits)                                                                              \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                           \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

// Expressions in the order in which they cut; one that ends in * is a beginning.
static const struct {
    const char *name;
    const char *expressions[MAX_EXPRESSIONS];
} known[] = {
    {"qwen2", {LLAMA("\\p{N}")}},
    {"llama-bpe", {LLAMA("\\p{N}{1,3}")}},
    {"gpt-2", {GPT2}},
    {"smollm", {"\\p{N}", GPT2}},
    {"deepseek-v3",
     {"\\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
      "[!\"#$%&'()*+,\\-./"
      ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
      "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
    {"deepseek-coder", {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-*", "\\p{N}"}},
    {"deepseek-llm",
     {"[\\r\\n]", "\\s?[A-Za-zµÀ*", "\\s?[!-/:-~！-／：-～*", "\\s+$", "[一-龥ࠀ-一가-*", "\\p{N}"}},
};

typedef struct Expressions {
    Str items[MAX_EXPRESSIONS];
    int n;
    bool is_byte_level, too_many;
} Expressions;

static void add_expression(Expressions *all, Str expression)
{
    if (all->n == MAX_EXPRESSIONS)
        all->too_many = true;
    else
        all->items[all->n++] = expression;
}

static void collect_expressions(struct json_object *pre, int depth, Expressions *all)
{
    struct json_object *parts = json_get(pre, "pretokenizers"), *pattern = json_get(pre, "pattern");
    Str type = json_str(json_get(pre, "type"));
    if (str_equal(type, STR("Sequence")) && json_object_is_type(parts, json_type_array) &&
        depth < 4) {
        for (size_t i = 0; i < json_object_array_length(parts); i++)
            collect_expressions(json_object_array_get_idx(parts, i), depth + 1, all);
    } else if (str_equal(type, STR("Split"))) {
        add_expression(all, json_str(json_get(pattern, "Regex")));
    } else if (str_equal(type, STR("Digits"))) {
        add_expression(all, json_object_get_boolean(json_get(pre, "individual_digits"))
                                ? STR("\\p{N}")
                                : STR("\\p{N}+"));
    } else if (str_equal(type, STR("ByteLevel"))) {
        struct json_object *regex = json_get(pre, "use_regex");
        all->is_byte_level = true;
        if (!regex || json_object_get_boolean(regex)) add_expression(all, STR(GPT2));
    } else {
        all->too_many = true; // of a kind that none of the known ones has
    }
}

static bool matches(Str found, const char *wanted)
{
    Str w = str_from(wanted);
    if (w.len && w.ptr[w.len - 1] == '*' && w.ptr[w.len - 2] != ']')
        return str_starts(found, str_slice(w, 0, w.len - 1));
    return str_equal(found, w);
}

static const char *find_pre(struct json_object *tokenizer)
{
    Expressions all = {0};
    collect_expressions(json_get(tokenizer, "pre_tokenizer"), 0, &all);
    if (!all.is_byte_level || all.too_many) return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool same = true;
        for (int k = 0; same && k < MAX_EXPRESSIONS; k++) {
            const char *wanted = known[i].expressions[k];
            same = wanted ? k < all.n && matches(all.items[k], wanted) : k >= all.n;
        }
        if (same) return known[i].name;
    }
    return NULL;
}

// --- vocabulary ----------------------------------------------------------------------------------

static bool put_token(Reader *r, struct json_object *id_value, Str text, TokenKind kind)
{
    int64_t id = json_object_get_int64(id_value);
    if (!json_object_is_type(id_value, json_type_int) || id < 0 || id >= r->n_rows)
        return error_set(r->err, ERROR_DAMAGED, "token '%.*s' has the id %.40s, wanted 0 to %d",
                         STR_FMT(str_slice(text, 0, 60)), json_object_to_json_string(id_value),
                         r->n_rows - 1);
    if (r->texts[id].ptr && !str_equal(r->texts[id], text))
        return error_set(r->err, ERROR_DAMAGED, "id %d is '%.*s' and '%.*s'", (int)id,
                         STR_FMT(str_slice(r->texts[id], 0, 60)), STR_FMT(str_slice(text, 0, 60)));
    r->texts[id] = text;
    r->kinds[id] = kind;
    return true;
}

static bool read_vocabulary(Reader *r)
{
    struct json_object *model = json_get(r->tokenizer, "model"), *vocab = json_get(model, "vocab");
    struct json_object *added = json_get(r->tokenizer, "added_tokens");
    if (!json_object_is_type(vocab, json_type_object))
        return error_set(r->err, ERROR_DAMAGED, "tokenizer.json has no model.vocab object");
    json_object_object_foreach(vocab, text, id_of_text)
    {
        if (!put_token(r, id_of_text, str_from(text), TOKEN_KIND_NORMAL)) return false;
    }
    size_t n = json_object_is_type(added, json_type_array) ? json_object_array_length(added) : 0;
    for (size_t i = 0; i < n; i++) {
        struct json_object *token = json_object_array_get_idx(added, i);
        bool special = json_object_get_boolean(json_get(token, "special"));
        if (!put_token(r, json_get(token, "id"), json_str(json_get(token, "content")),
                       special ? TOKEN_KIND_CONTROL : TOKEN_KIND_USER))
            return false;
    }
    for (int id = 0; id < r->n_rows; id++) {
        if (r->texts[id].ptr) continue;
        r->texts[id] = arena_printf(r->arena, "[PAD%d]", id);
        r->kinds[id] = TOKEN_KIND_UNUSED;
    }
    return true;
}

// "left right" in one string, or a pair of strings.
static Str read_merge(Reader *r, struct json_object *merge)
{
    if (!json_object_is_type(merge, json_type_array)) return json_str(merge);
    Str left = json_str(json_object_array_get_idx(merge, 0));
    Str right = json_str(json_object_array_get_idx(merge, 1));
    if (json_object_array_length(merge) != 2 || !left.len || !right.len) return (Str){0};
    return arena_printf(r->arena, "%.*s %.*s", STR_FMT(left), STR_FMT(right));
}

static bool put_merges(Reader *r)
{
    struct json_object *merges = json_get(json_get(r->tokenizer, "model"), "merges");
    if (!json_object_is_type(merges, json_type_array))
        return error_set(r->err, ERROR_DAMAGED, "tokenizer.json has no model.merges array");
    size_t n = json_object_array_length(merges);
    Str *texts = arena_array(r->arena, n + 1, sizeof *texts);
    for (size_t i = 0; i < n; i++) {
        texts[i] = read_merge(r, json_object_array_get_idx(merges, i));
        size_t space = texts[i].len ? str_find(texts[i], STR(" "), 0) : 0;
        if (space == 0 || space + 1 >= texts[i].len)
            return error_set(r->err, ERROR_DAMAGED, "merge %zu is %.60s, wanted two tokens", i,
                             json_object_to_json_string(json_object_array_get_idx(merges, i)));
    }
    writer_put_strs(r->writer, "tokenizer.ggml.merges", texts, n);
    return true;
}

// --- special tokens ------------------------------------------------------------------------------

static int find_text(const Reader *r, Str text)
{
    for (int id = 0; text.len && id < r->n_rows; id++)
        if (str_equal(r->texts[id], text)) return id;
    return -1;
}

static void put_special(Reader *r, const char *setting, const char *key)
{
    struct json_object *value = json_get(r->settings, setting);
    if (json_object_is_type(value, json_type_object)) value = json_get(value, "content");
    int id = find_text(r, json_str(value));
    if (id >= 0) writer_put_u32(r->writer, key, (uint32_t)id);
}

// TemplateProcessing, alone or in a Sequence, whose text starts with a special token.
static bool starts_with_special(struct json_object *processor, int depth)
{
    struct json_object *parts = json_get(processor, "processors"),
                       *single = json_get(processor, "single");
    if (json_object_is_type(parts, json_type_array) && depth < 4)
        for (size_t i = 0; i < json_object_array_length(parts); i++)
            if (starts_with_special(json_object_array_get_idx(parts, i), depth + 1)) return true;
    return json_object_is_type(single, json_type_array) && json_object_array_length(single) > 0 &&
           json_get(json_object_array_get_idx(single, 0), "SpecialToken");
}

static bool put_specials(Reader *r)
{
    bool add_bos = starts_with_special(json_get(r->tokenizer, "post_processor"), 0);
    if (!json_get_bool(r->settings, "add_bos_token", &add_bos, r->err)) return false;
    put_special(r, "bos_token", "tokenizer.ggml.bos_token_id");
    put_special(r, "eos_token", "tokenizer.ggml.eos_token_id");
    put_special(r, "pad_token", "tokenizer.ggml.padding_token_id");
    writer_put_bool(r->writer, "tokenizer.ggml.add_bos_token", add_bos);
    return true;
}

static void put_template(Reader *r)
{
    struct json_object *value = json_get(r->settings, "chat_template");
    Str text = json_str(value);
    if (json_object_is_type(value, json_type_array)) // [{"name", "template"}, ...]
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *entry = json_object_array_get_idx(value, i);
            if (str_equal(json_str(json_get(entry, "name")), STR("default")))
                text = json_str(json_get(entry, "template"));
        }
    if (text.len) writer_put_str(r->writer, "tokenizer.chat_template", text);
}

static bool put_all(Reader *r, const char *pre)
{
    struct json_object *model = json_get(r->tokenizer, "model");
    Str type = json_str(json_get(model, "type"));
    if ((type.len && !str_equal(type, STR("BPE"))) ||
        json_object_get_boolean(json_get(model, "byte_fallback")))
        return error_set(
            r->err, ERROR_UNSUPPORTED, "the tokenizer is %.*s%s, wanted byte-level BPE",
            STR_FMT(str_slice(type, 0, 40)),
            json_object_get_boolean(json_get(model, "byte_fallback")) ? " with fall-back to bytes"
                                                                      : "");
    if (!pre) pre = find_pre(r->tokenizer);
    if (!pre)
        return error_set(
            r->err, ERROR_UNSUPPORTED,
            "the pre-tokenizer of tokenizer.json is none that is known, wanted that of "
            "Qwen2, Llama 3, GPT-2, SmolLM or DeepSeek, or its name (--pre)");
    if (!read_vocabulary(r)) return false;
    writer_put_str(r->writer, "tokenizer.ggml.model", STR("gpt2"));
    writer_put_str(r->writer, "tokenizer.ggml.pre", str_from(pre));
    writer_put_strs(r->writer, "tokenizer.ggml.tokens", r->texts, (size_t)r->n_rows);
    writer_put_i32s(r->writer, "tokenizer.ggml.token_type", r->kinds, (size_t)r->n_rows);
    if (!put_merges(r) || !put_specials(r)) return false;
    put_template(r);
    return true;
}

bool hf_tokenizer_put_objects(struct json_object *tokenizer, struct json_object *settings,
                              int n_rows, const char *pre, GgufWriter *writer, Error *err)
{
    Reader r = {.tokenizer = tokenizer, .settings = settings, .n_rows = n_rows, .writer = writer};
    r.err = err;
    r.arena = arena_new();
    r.texts = arena_array(r.arena, (size_t)n_rows, sizeof *r.texts);
    r.kinds = arena_array(r.arena, (size_t)n_rows, sizeof *r.kinds);
    bool ok = put_all(&r, pre);
    arena_free(r.arena);
    return ok;
}

// A template in a file of its own, as transformers 5 writes it, counts where the settings have
// none.
static void add_template_file(const char *folder, struct json_object *settings)
{
    char path[4096];
    Error none = {0};
    if (!settings || json_get(settings, "chat_template")) return;
    if (snprintf(path, sizeof path, "%s/chat_template.jinja", folder) >= (int)sizeof path) return;
    TextSnap *text = text_read_file(path, MAX_FILE_BYTES, &none);
    if (!text) return;
    json_object_object_add(settings, "chat_template",
                           json_object_new_string_len(text_str(text).ptr, (int)text_n_bytes(text)));
    text_release(text);
}

bool hf_tokenizer_put(const char *folder, int n_rows, const char *pre, GgufWriter *writer,
                      Error *err)
{
    Error none = {0};
    struct json_object *tokenizer = json_read_object(folder, "tokenizer.json", MAX_FILE_BYTES, err);
    struct json_object *settings =
        json_read_object(folder, "tokenizer_config.json", MAX_FILE_BYTES, &none);
    bool ok = tokenizer != NULL;
    if (ok && !settings && none.code != ERROR_NOT_FOUND)
        ok = error_set(err, none.code, "%s", none.text);
    if (ok && !settings) settings = json_object_new_object();
    add_template_file(folder, settings);
    ok = ok && hf_tokenizer_put_objects(tokenizer, settings, n_rows, pre, writer, err);
    json_object_put(tokenizer);
    json_object_put(settings);
    return ok;
}
