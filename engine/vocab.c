// Reading and indexing of the vocabulary. Texts are decoded once, into one block, at open.
#include "vocab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unicode.h"

// A million tokens is four times the largest vocabulary in use; the longest real tokens are runs of
// some hundred blanks.
enum { MAX_TOKENS = 1 << 22, MAX_TOKEN_BYTES = 1 << 14, FIRST_MAPPED = 0x100, N_MAPPED = 68 };

// --- the byte map --------------------------------------------------------------------------------

static bool maps_to_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// Fills the map; unmapped[i] becomes the byte that U+0100 + i stands for.
static void make_byte_map(Vocab *vocab, unsigned char unmapped[N_MAPPED])
{
    unsigned n = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned code = byte;
        if (!maps_to_itself(byte)) {
            unmapped[n] = (unsigned char)byte;
            code = FIRST_MAPPED + n++;
        }
        char text[4];
        vocab->map_len[byte] = (unsigned char)unicode_put(code, text);
        memcpy(vocab->map_text[byte], text, 2);
    }
    assert(n == N_MAPPED);
}

size_t vocab_map_bytes(const Vocab *vocab, Str bytes, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        memcpy(out + n, vocab->map_text[byte], vocab->map_len[byte]);
        n += vocab->map_len[byte];
    }
    return n;
}

// Inverts the map; characters that stand for no byte are kept as they are.
static size_t unmap_text(Str text, const unsigned char unmapped[N_MAPPED], char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < text.len;) {
        UniChar c = unicode_at(text, at);
        bool is_char = c.n_bytes > 1 || c.code < 0x80;
        if (is_char && c.code < FIRST_MAPPED && maps_to_itself(c.code)) {
            out[n++] = (char)c.code;
        } else if (is_char && c.code >= FIRST_MAPPED && c.code < FIRST_MAPPED + N_MAPPED) {
            out[n++] = (char)unmapped[c.code - FIRST_MAPPED];
        } else {
            memcpy(out + n, text.ptr + at, c.n_bytes);
            n += c.n_bytes;
        }
        at += c.n_bytes;
    }
    return n;
}

// --- reading -------------------------------------------------------------------------------------

static bool read_texts(Vocab *vocab, const Gguf *gguf, Error *err)
{
    const char *key = "tokenizer.ggml.tokens";
    const GgufValue *tokens = gguf_find(gguf, key);
    if (!tokens || tokens->type != GGUF_ARRAY || tokens->elem_type != GGUF_STRING)
        return error_set(err, ERROR_DAMAGED, "%s is %s, wanted an array of strings", key,
                         tokens ? "of another type" : "absent");
    if (tokens->count < 1 || tokens->count > MAX_TOKENS || tokens->data.len > UINT32_MAX)
        return error_set(err, ERROR_DAMAGED, "%s has %llu tokens in %zu bytes, wanted 1 to %d", key,
                         (unsigned long long)tokens->count, tokens->data.len, MAX_TOKENS);
    vocab->texts = mem_alloc((size_t)tokens->count * sizeof *vocab->texts);
    size_t cursor = 0;
    int n = 0;
    for (Str text; gguf_next_string(tokens, &cursor, &text); n++) {
        if (text.len > MAX_TOKEN_BYTES)
            return error_set(err, ERROR_DAMAGED, "token %d has %zu bytes, wanted at most %d", n,
                             text.len, MAX_TOKEN_BYTES);
        vocab->texts[n] = text;
    }
    assert((uint64_t)n == tokens->count);
    vocab->n_tokens = n;
    return true;
}

static bool read_kinds(Vocab *vocab, const Gguf *gguf, Error *err)
{
    const char *key = "tokenizer.ggml.token_type";
    const GgufValue *types = gguf_find(gguf, key);
    vocab->kinds = mem_alloc((size_t)vocab->n_tokens);
    memset(vocab->kinds, TOKEN_KIND_NORMAL, (size_t)vocab->n_tokens);
    if (!types && vocab->form == VOCAB_SENTENCEPIECE)
        return error_set(err, ERROR_DAMAGED, "%s is absent, wanted an array of integers", key);
    if (!types) return true;
    bool is_int32 = types->elem_type == GGUF_I32 || types->elem_type == GGUF_U32;
    if (types->type != GGUF_ARRAY || !is_int32 || types->count != (uint64_t)vocab->n_tokens)
        return error_set(
            err, ERROR_DAMAGED, "%s has %llu elements of type %d, wanted %d of type %d", key,
            (unsigned long long)types->count, types->elem_type, vocab->n_tokens, GGUF_I32);
    vocab->has_kinds = true;
    for (int id = 0; id < vocab->n_tokens; id++) {
        int32_t kind;
        memcpy(&kind, types->data.ptr + (size_t)id * sizeof kind, sizeof kind);
        if (kind < 0 || kind > TOKEN_KIND_BYTE)
            return error_set(err, ERROR_DAMAGED, "%s of token %d is %d, wanted 0 to %d", key, id,
                             kind, TOKEN_KIND_BYTE);
        vocab->kinds[id] = (unsigned char)kind;
    }
    return true;
}

// SentencePiece: spaces for U+2581.
static size_t unescape_text(Str text, char *out)
{
    const Str space = STR(VOCAB_SPACE);
    size_t n = 0;
    for (size_t at = 0; at < text.len;) {
        size_t end = str_find(text, space, at);
        memcpy(out + n, text.ptr + at, end - at);
        n += end - at;
        if (end < text.len) out[n++] = ' ';
        at = end + space.len;
    }
    return n;
}

// "<0x0A>"
static bool read_byte_text(Str text, char *out)
{
    unsigned byte = 0;
    if (text.len != 6 || !str_starts(text, STR("<0x")) || text.ptr[5] != '>') return false;
    for (int i = 3; i < 5; i++) {
        const char *digits = "0123456789ABCDEFabcdef", *digit = strchr(digits, text.ptr[i]);
        if (!digit || !*digit) return false;
        unsigned value = (unsigned)(digit - digits);
        byte = byte << 4 | (value < 16 ? value : value - 6);
    }
    *out = (char)byte;
    return true;
}

// Returns the length, SIZE_MAX where the text is not one of its kind.
static size_t decode_text(const Vocab *vocab, int id, const unsigned char unmapped[N_MAPPED],
                          char *out)
{
    Str text = vocab->texts[id];
    unsigned char kind = vocab->kinds[id];
    if (vocab->form == VOCAB_SENTENCEPIECE) {
        if (kind == TOKEN_KIND_BYTE) return read_byte_text(text, out) ? 1 : SIZE_MAX;
        return unescape_text(text, out);
    }
    if (kind == TOKEN_KIND_NORMAL) return unmap_text(text, unmapped, out);
    if (text.len) memcpy(out, text.ptr, text.len);
    return text.len;
}

static bool decode_texts(Vocab *vocab, const unsigned char unmapped[N_MAPPED], Error *err)
{
    size_t room = 0, n = 0;
    for (int id = 0; id < vocab->n_tokens; id++)
        room += vocab->texts[id].len;
    vocab->bytes = mem_alloc(room);
    vocab->bytes_at = mem_alloc(((size_t)vocab->n_tokens + 1) * sizeof *vocab->bytes_at);
    for (int id = 0; id < vocab->n_tokens; id++) {
        size_t n_bytes = decode_text(vocab, id, unmapped, vocab->bytes + n);
        if (n_bytes == SIZE_MAX)
            return error_set(err, ERROR_DAMAGED, "byte token %d is '%.*s', wanted <0x00> to <0xFF>",
                             id, STR_FMT(str_slice(vocab->texts[id], 0, 40)));
        vocab->bytes_at[id] = (uint32_t)n;
        n += n_bytes;
    }
    vocab->bytes_at[vocab->n_tokens] = (uint32_t)n;
    return true;
}

// --- the index -----------------------------------------------------------------------------------

// FNV-1a leaves its low bits weak for short strings; the multiplication spreads them upwards.
static uint64_t hash_joined(Str a, Str b)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < a.len; i++)
        hash = (hash ^ (unsigned char)a.ptr[i]) * 0x100000001b3ull;
    for (size_t i = 0; i < b.len; i++)
        hash = (hash ^ (unsigned char)b.ptr[i]) * 0x100000001b3ull;
    return hash * 0x9E3779B97F4A7C15ull;
}

static bool equals_joined(Str text, Str a, Str b)
{
    return text.len == a.len + b.len && str_equal(str_slice(text, 0, a.len), a) &&
           str_equal(str_slice(text, a.len, text.len), b);
}

// The slot of a text: its own or the empty one where it belongs. The tag, half of the hash, saves
// nearly all comparisons of texts, which lie scattered over the file.
static size_t find_slot(const Vocab *vocab, uint64_t tag, Str a, Str b)
{
    size_t i = (size_t)(tag >> 32) * vocab->n_slots >> 32;
    for (; vocab->slots[i]; i = (i + 1) & (vocab->n_slots - 1)) {
        uint64_t slot = vocab->slots[i];
        if ((slot ^ tag) >> 32 == 0 && equals_joined(vocab->texts[(uint32_t)slot - 1], a, b)) break;
    }
    return i;
}

static void index_texts(Vocab *vocab)
{
    vocab->n_slots = 16;
    while (vocab->n_slots < (size_t)vocab->n_tokens * 2)
        vocab->n_slots *= 2;
    vocab->slots = mem_zero(vocab->n_slots * sizeof *vocab->slots);
    for (int id = 0; id < vocab->n_tokens; id++) {
        Str text = vocab->texts[id];
        uint64_t tag = hash_joined(text, (Str){0}) & 0xFFFFFFFF00000000ull;
        size_t slot = find_slot(vocab, tag, text, (Str){0});
        if (!vocab->slots[slot]) vocab->slots[slot] = tag | (uint64_t)(id + 1);
    }
}

int vocab_find_joined(const Vocab *vocab, Str a, Str b)
{
    uint64_t tag = hash_joined(a, b) & 0xFFFFFFFF00000000ull;
    return (int)(uint32_t)vocab->slots[find_slot(vocab, tag, a, b)] - 1;
}

int vocab_find(const Vocab *vocab, Str text)
{
    return vocab_find_joined(vocab, text, (Str){0});
}

Str vocab_bytes(const Vocab *vocab, int id)
{
    assert(id >= 0 && id < vocab->n_tokens);
    uint32_t start = vocab->bytes_at[id];
    return (Str){vocab->bytes + start, vocab->bytes_at[id + 1] - start};
}

bool vocab_init(Vocab *vocab, const Gguf *gguf, VocabForm form, Error *err)
{
    unsigned char unmapped[N_MAPPED];
    *vocab = (Vocab){.form = form};
    make_byte_map(vocab, unmapped);
    if (!read_texts(vocab, gguf, err) || !read_kinds(vocab, gguf, err) ||
        !decode_texts(vocab, unmapped, err)) {
        vocab_deinit(vocab);
        return false;
    }
    index_texts(vocab);
    return true;
}

void vocab_deinit(Vocab *vocab)
{
    free(vocab->texts);
    free(vocab->kinds);
    free(vocab->bytes);
    free(vocab->bytes_at);
    free(vocab->slots);
    *vocab = (Vocab){0};
}
