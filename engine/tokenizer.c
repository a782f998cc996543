// Vocabulary, merges and special tokens.
//
//   texts   the file's token texts, where each byte stands as a printable character
//   bytes   what they stand for, in one block, bytes_at[id] .. bytes_at[id + 1]
//   by_text open addressing: id + 1 by hash of the text
//   merges  open addressing: (left id, right id) -> rank and merged id
#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bpe.h"
#include "pretokenize.h"
#include "unicode.h"

enum { MAX_VOCAB = 1 << 24, TYPE_CONTROL = 3, TYPE_USER_DEFINED = 4 };
enum { FLAG_CONTROL = 1, FLAG_END = 2, FLAG_SPECIAL = 4 };

struct Tokenizer {
    int n_vocab;
    Str *texts;
    char *bytes;
    size_t *bytes_at;
    unsigned char *flags;
    uint32_t *by_text;
    size_t n_slots;
    Bpe bpe;
    Pretokenizer pre;
    bool whole_pieces; // a piece that is a token is taken as such (llama-bpe)
    uint32_t char_of[256];
    SpecialTokens specials;
    // Control and user-defined tokens by first byte, longest first.
    int *special_ids, special_starts[257];
};

// --- the byte map
// ---------------------------------------------------------------------------------

static bool is_printable(int byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// GPT-2's map: printable bytes stand for themselves, the other 68 for U+0100 and up, in order.
static void byte_to_char(uint32_t map[256])
{
    uint32_t next = 0x100;
    for (int b = 0; b < 256; b++)
        map[b] = is_printable(b) ? (uint32_t)b : next++;
}

static void invert(const uint32_t map[256], int16_t *byte_of, size_t n)
{
    for (size_t cp = 0; cp < n; cp++)
        byte_of[cp] = -1;
    for (int b = 0; b < 256; b++)
        byte_of[map[b]] = (int16_t)b;
}

enum { MAP_CHARS = 0x144 }; // the map's characters are below this

// Appends the bytes of a token; characters outside the map stand for their own UTF-8.
static size_t decode_text(Str text, const int16_t *byte_of, char *out)
{
    size_t len = 0, n;
    for (size_t at = 0; at < text.len; at += n) {
        uint32_t cp = unicode_next(str_slice(text, at, text.len), &n);
        if (cp < MAP_CHARS && byte_of[cp] >= 0) {
            out[len++] = (char)byte_of[cp];
            continue;
        }
        memcpy(out + len, text.ptr + at, n);
        len += n;
    }
    return len;
}

// --- lookup
// ---------------------------------------------------------------------------------------

static size_t text_slot(const Tokenizer *t, Str text)
{
    size_t i = (size_t)str_hash(text, 0) & (t->n_slots - 1);
    while (t->by_text[i] && !str_equal(t->texts[t->by_text[i] - 1], text))
        i = (i + 1) & (t->n_slots - 1);
    return i;
}

int tokenizer_find(const Tokenizer *tokenizer, Str text)
{
    return (int)tokenizer->by_text[text_slot(tokenizer, text)] - 1;
}

// --- opening
// --------------------------------------------------------------------------------------

static const GgufValue *find_array(const Gguf *gguf, const char *key, GgufValueType elem,
                                   Error *err)
{
    const GgufValue *v = gguf_find(gguf, key);
    if (v && (v->type != GGUF_ARRAY || v->elem_type != elem)) {
        error_set(err, ERROR_DAMAGED, "%s is no array of %s", key,
                  elem == GGUF_STRING ? "strings" : "whole numbers");
        return NULL;
    }
    return v;
}

static bool read_texts(Tokenizer *t, const Gguf *gguf, Error *err)
{
    const GgufValue *tokens = find_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, err);
    if (!tokens) return error_set(err, ERROR_DAMAGED, "tokenizer.ggml.tokens is missing");
    if (tokens->count < 1 || tokens->count > MAX_VOCAB)
        return error_set(err, ERROR_DAMAGED,
                         "tokenizer.ggml.tokens has %llu entries, wanted 1 to %d",
                         (unsigned long long)tokens->count, MAX_VOCAB);
    t->n_vocab = (int)tokens->count;
    t->texts = mem_zero((size_t)t->n_vocab * sizeof *t->texts);
    t->n_slots = 16;
    while (t->n_slots < (size_t)t->n_vocab * 2)
        t->n_slots *= 2;
    t->by_text = mem_zero(t->n_slots * sizeof *t->by_text);
    size_t cursor = 0;
    for (int id = 0; id < t->n_vocab; id++) {
        gguf_next_string(tokens, &cursor, &t->texts[id]);
        size_t slot = text_slot(t, t->texts[id]);
        if (!t->by_text[slot]) t->by_text[slot] = (uint32_t)id + 1; // twins: the first id
    }
    return true;
}

static bool read_types(Tokenizer *t, const Gguf *gguf, Error *err)
{
    const GgufValue *types = find_array(gguf, "tokenizer.ggml.token_type", GGUF_I32, err);
    if (err->code) return false;
    if (types && types->count != (uint64_t)t->n_vocab)
        return error_set(err, ERROR_DAMAGED,
                         "tokenizer.ggml.token_type has %llu entries, wanted %d",
                         (unsigned long long)types->count, t->n_vocab);
    t->flags = mem_zero((size_t)t->n_vocab);
    for (int id = 0; types && id < t->n_vocab; id++) {
        int32_t type;
        memcpy(&type, types->data.ptr + 4 * (size_t)id, sizeof type);
        if (type == TYPE_CONTROL) t->flags[id] = FLAG_CONTROL | FLAG_SPECIAL;
        if (type == TYPE_USER_DEFINED) t->flags[id] = FLAG_SPECIAL;
    }
    return true;
}

static void decode_all(Tokenizer *t, const uint32_t map[256])
{
    int16_t byte_of[MAP_CHARS];
    size_t total = 0, len = 0;
    invert(map, byte_of, MAP_CHARS);
    for (int id = 0; id < t->n_vocab; id++)
        total += t->texts[id].len;
    t->bytes = mem_alloc(total);
    t->bytes_at = mem_alloc(((size_t)t->n_vocab + 1) * sizeof *t->bytes_at);
    for (int id = 0; id < t->n_vocab; id++) {
        t->bytes_at[id] = len;
        if (t->flags[id] & FLAG_SPECIAL) { // literal
            memcpy(t->bytes + len, t->texts[id].ptr, t->texts[id].len);
            len += t->texts[id].len;
        } else {
            len += decode_text(t->texts[id], byte_of, t->bytes + len);
        }
    }
    t->bytes_at[t->n_vocab] = len;
}

static bool find_byte_tokens(Tokenizer *t, const uint32_t map[256], Error *err)
{
    for (int b = 0; b < 256; b++) {
        char text[2] = {(char)map[b], 0};
        size_t len = 1;
        if (map[b] >= 0x80) {
            text[0] = (char)(0xC0 | map[b] >> 6);
            text[1] = (char)(0x80 | (map[b] & 0x3F));
            len = 2;
        }
        int id = tokenizer_find(t, (Str){text, len});
        if (id < 0)
            return error_set(err, ERROR_DAMAGED, "the vocabulary has no token for byte 0x%02x", b);
        t->bpe.byte_ids[b] = id;
    }
    return true;
}

static bool add_merge(Tokenizer *t, Str merge, int rank, char *joined, Error *err)
{
    size_t gap = str_find(merge, STR(" "), 1), tail = merge.len - gap;
    int left = tokenizer_find(t, str_slice(merge, 0, gap));
    int right = gap < merge.len ? tokenizer_find(t, str_slice(merge, gap + 1, merge.len)) : -1;
    if (left >= 0 && right >= 0) {
        memcpy(joined, merge.ptr, gap);
        memcpy(joined + gap, merge.ptr + gap + 1, tail - 1);
    }
    int whole = left >= 0 && right >= 0 ? tokenizer_find(t, (Str){joined, merge.len - 1}) : -1;
    if (whole < 0)
        return error_set(err, ERROR_DAMAGED, "merge %d '%.*s' names an unknown token", rank,
                         STR_FMT(str_slice(merge, 0, 60)));
    bpe_add(&t->bpe, left, right, rank, whole);
    return true;
}

static bool read_merges(Tokenizer *t, const Gguf *gguf, Error *err)
{
    const GgufValue *merges = find_array(gguf, "tokenizer.ggml.merges", GGUF_STRING, err);
    if (!merges) return error_set(err, ERROR_DAMAGED, "tokenizer.ggml.merges is missing");
    if (merges->count > MAX_VOCAB)
        return error_set(err, ERROR_DAMAGED, "tokenizer.ggml.merges has %llu entries, at most %d",
                         (unsigned long long)merges->count, MAX_VOCAB);
    bpe_init(&t->bpe, (size_t)merges->count);
    size_t cursor = 0, cap = 0;
    char *joined = NULL;
    Str merge;
    bool ok = true;
    for (int rank = 0; ok && gguf_next_string(merges, &cursor, &merge); rank++) {
        if (merge.len > cap) joined = mem_resize(joined, cap = merge.len * 2);
        ok = add_merge(t, merge, rank, joined, err);
    }
    free(joined);
    return ok;
}

// --- special tokens
// -------------------------------------------------------------------------------

static bool read_id(Tokenizer *t, const Gguf *gguf, const char *name, const char *const *texts,
                    int *out, Error *err)
{
    char key[64];
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", name);
    *out = -1;
    const GgufValue *v = gguf_find(gguf, key);
    bool none = v && v->u == UINT32_MAX; // some writers' way to say "none"
    if (!none && !gguf_read_int(gguf, key, -1, INT32_MAX, out, err)) return false;
    if (*out >= t->n_vocab)
        return error_set(err, ERROR_DAMAGED, "%s is %d, wanted less than %d", key, *out,
                         t->n_vocab);
    for (size_t i = 0; *out < 0 && texts && texts[i]; i++)
        *out = tokenizer_find(t, str_from(texts[i]));
    return true;
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool read_specials(Tokenizer *t, const Gguf *gguf, Error *err)
{
    SpecialTokens *s = &t->specials;
    s->add_bos = false;
    return read_id(t, gguf, "bos", NULL, &s->bos, err) &&
           read_id(t, gguf, "eos", NULL, &s->eos, err) &&
           read_id(t, gguf, "eot", NULL, &s->eot, err) &&
           read_id(t, gguf, "fim_pre",
                   TEXTS("<|fim_prefix|>", "<｜fim▁begin｜>", "<fim_prefix>", "▁<PRE>"),
                   &s->fim_prefix, err) &&
           read_id(t, gguf, "fim_suf",
                   TEXTS("<|fim_suffix|>", "<｜fim▁hole｜>", "<fim_suffix>", "▁<SUF>"),
                   &s->fim_suffix, err) &&
           read_id(t, gguf, "fim_mid",
                   TEXTS("<|fim_middle|>", "<｜fim▁end｜>", "<fim_middle>", "▁<MID>"),
                   &s->fim_middle, err) &&
           read_id(t, gguf, "fim_sep", TEXTS("<|file_sep|>", "<file_sep>"), &s->file_sep, err) &&
           read_id(t, gguf, "fim_rep", TEXTS("<|repo_name|>", "<repo_name>", "<reponame>"),
                   &s->repo_name, err) &&
           gguf_read_bool(gguf, "tokenizer.ggml.add_bos_token", &s->add_bos, err);
}

// What ends a generation: the file's own ids and tokens known by their texts. A FIM marker in an
// answer means that the model has begun another document.
static bool mark_ends(Tokenizer *t, const Gguf *gguf, Error *err)
{
    static const char *const texts[] = {
        "<|im_end|>",  "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>",
        "<EOT>",       "▁<EOT>",        "<|end|>",         "<|EOT|>",    "<｜end▁of▁sentence｜>",
        "<|fim_pad|>", "<fim_pad>"};
    const SpecialTokens *s = &t->specials;
    int eom, pad;
    if (!read_id(t, gguf, "eom", NULL, &eom, err) || !read_id(t, gguf, "fim_pad", NULL, &pad, err))
        return false;
    int ids[] = {s->eos,       s->eot,        eom,           pad,          s->file_sep,
                 s->repo_name, s->fim_prefix, s->fim_suffix, s->fim_middle};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i] >= 0) t->flags[ids[i]] |= FLAG_END | FLAG_CONTROL;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int id = tokenizer_find(t, str_from(texts[i]));
        if (id >= 0) t->flags[id] |= FLAG_END | FLAG_CONTROL;
    }
    return true;
}

typedef struct SpecialText {
    Str text;
    int id;
} SpecialText;

static int by_first_byte_longest(const void *a, const void *b)
{
    const SpecialText *x = a, *y = b;
    int first = (unsigned char)x->text.ptr[0] - (unsigned char)y->text.ptr[0];
    if (first) return first;
    if (x->text.len != y->text.len) return x->text.len < y->text.len ? 1 : -1;
    return x->id - y->id;
}

static void index_specials(Tokenizer *t)
{
    SpecialText *list = mem_alloc((size_t)t->n_vocab * sizeof *list);
    int n = 0;
    for (int id = 0; id < t->n_vocab; id++)
        if ((t->flags[id] & (FLAG_SPECIAL | FLAG_CONTROL)) && t->texts[id].len)
            list[n++] = (SpecialText){t->texts[id], id};
    if (n) qsort(list, (size_t)n, sizeof *list, by_first_byte_longest);
    t->special_ids = mem_alloc((size_t)n * sizeof *t->special_ids);
    int at = 0;
    for (int b = 0; b <= 256; b++) {
        while (at < n && (unsigned char)list[at].text.ptr[0] < b)
            at++;
        t->special_starts[b] = b == 256 ? n : at;
    }
    for (int i = 0; i < n; i++)
        t->special_ids[i] = list[i].id;
    free(list);
}

static bool open_all(Tokenizer *t, const Gguf *gguf, Error *err)
{
    Str model = {0}, pre = {0};
    uint32_t *map = t->char_of;
    byte_to_char(map);
    if (!gguf_read_str(gguf, "tokenizer.ggml.model", &model, err) ||
        !gguf_read_str(gguf, "tokenizer.ggml.pre", &pre, err))
        return false;
    if (!str_equal(model, STR("gpt2")))
        return error_set(err, ERROR_UNSUPPORTED, "tokenizer.ggml.model is '%.*s', wanted gpt2",
                         STR_FMT(str_slice(model, 0, 40)));
    if (!pretokenizer_find(pre, &t->pre))
        return error_set(err, ERROR_UNSUPPORTED, "tokenizer.ggml.pre is '%.*s', wanted %s",
                         STR_FMT(str_slice(pre, 0, 40)), pretokenizer_names());
    t->whole_pieces = t->pre == PRE_LLAMA_BPE;
    if (!read_texts(t, gguf, err) || !read_types(t, gguf, err) || !read_merges(t, gguf, err) ||
        !find_byte_tokens(t, map, err) || !read_specials(t, gguf, err) || !mark_ends(t, gguf, err))
        return false;
    decode_all(t, map);
    index_specials(t);
    return true;
}

Tokenizer *tokenizer_open(const Gguf *gguf, Error *err)
{
    Tokenizer *t = mem_zero(sizeof *t);
    if (open_all(t, gguf, err)) return t;
    tokenizer_close(t);
    return NULL;
}

void tokenizer_close(Tokenizer *tokenizer)
{
    if (!tokenizer) return;
    bpe_deinit(&tokenizer->bpe);
    free(tokenizer->texts);
    free(tokenizer->bytes);
    free(tokenizer->bytes_at);
    free(tokenizer->flags);
    free(tokenizer->by_text);
    free(tokenizer->special_ids);
    free(tokenizer);
}

// --- encoding
// -------------------------------------------------------------------------------------

// The special token at the start of text: user-defined ones always, control ones if asked for.
static int match_special(const Tokenizer *t, Str text, bool control)
{
    unsigned char first = (unsigned char)text.ptr[0];
    for (int i = t->special_starts[first]; i < t->special_starts[first + 1]; i++) {
        int id = t->special_ids[i];
        bool allowed = control || !(t->flags[id] & FLAG_CONTROL);
        if (allowed && str_starts(text, t->texts[id])) return id;
    }
    return -1;
}

// The token whose bytes are the whole piece, or -1; pieces over 64 bytes are not looked for.
static int find_piece(const Tokenizer *t, Str piece)
{
    char text[128];
    size_t len = 0;
    if (piece.len > sizeof text / 2) return -1;
    for (size_t i = 0; i < piece.len; i++) {
        uint32_t cp = t->char_of[(unsigned char)piece.ptr[i]];
        if (cp >= 0x80) text[len++] = (char)(0xC0 | cp >> 6);
        text[len++] = (char)(cp >= 0x80 ? 0x80 | (cp & 0x3F) : cp);
    }
    return tokenizer_find(t, (Str){text, len});
}

static void encode_plain(const Tokenizer *t, BpeWork *work, Str text, BpeOut *out)
{
    while (text.len) {
        size_t n = pretokenize_next(t->pre, text);
        Str piece = str_slice(text, 0, n);
        int id = t->whole_pieces ? find_piece(t, piece) : -1;
        if (id >= 0)
            bpe_emit(out, id);
        else
            bpe_encode(&t->bpe, work, piece, out);
        text = str_slice(text, n, text.len);
    }
}

size_t tokenizer_encode(const Tokenizer *tokenizer, Str text, bool parse_special, int *out,
                        size_t cap)
{
    BpeOut ids = {.ids = out, .cap = cap};
    BpeWork work = {0};
    size_t plain = 0;
    for (size_t at = 0; at < text.len;) {
        int id = match_special(tokenizer, str_slice(text, at, text.len), parse_special);
        if (id < 0) {
            at++;
            continue;
        }
        encode_plain(tokenizer, &work, str_slice(text, plain, at), &ids);
        bpe_emit(&ids, id);
        at += tokenizer->texts[id].len;
        plain = at;
    }
    encode_plain(tokenizer, &work, str_slice(text, plain, text.len), &ids);
    bpe_work_deinit(&work);
    return ids.n;
}

Str tokenizer_bytes(const Tokenizer *tokenizer, int id)
{
    if (id < 0 || id >= tokenizer->n_vocab) return (Str){NULL, 0};
    size_t start = tokenizer->bytes_at[id];
    return (Str){tokenizer->bytes + start, tokenizer->bytes_at[id + 1] - start};
}

int tokenizer_n_vocab(const Tokenizer *tokenizer)
{
    return tokenizer->n_vocab;
}

bool tokenizer_is_control(const Tokenizer *tokenizer, int id)
{
    return id < 0 || id >= tokenizer->n_vocab || (tokenizer->flags[id] & FLAG_CONTROL);
}

bool tokenizer_is_end(const Tokenizer *tokenizer, int id)
{
    return id >= 0 && id < tokenizer->n_vocab && (tokenizer->flags[id] & FLAG_END);
}

const SpecialTokens *tokenizer_specials(const Tokenizer *tokenizer)
{
    return &tokenizer->specials;
}
