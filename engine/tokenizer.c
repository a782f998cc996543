// The tokenizer: special tokens cut a text into fragments, the pre-tokenizer cuts those into
// pieces, and merges make ids of a piece.
#include "tokenizer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bpe.h"
#include "pretokenize.h"
#include "special_tokens.h"
#include "vocab.h"

struct Tokenizer {
    Vocab vocab;
    Bpe bpe;
    const PreTokenizer *pre;
    SpecialTokens specials;
    bool *ends;             // [n_tokens]
    SpecialIndex user, all; // without and with control tokens
};

// --- opening
// --------------------------------------------------------------------------------------

static bool check_model(const Gguf *gguf, Error *err)
{
    Str model = {0};
    if (!gguf_read_str(gguf, "tokenizer.ggml.model", &model, err)) return false;
    if (str_equal(model, STR("gpt2"))) return true;
    return error_set(err, ERROR_UNSUPPORTED,
                     "tokenizer.ggml.model is '%.*s', wanted 'gpt2' (byte-level BPE)",
                     STR_FMT(str_slice(model, 0, 60)));
}

static const PreTokenizer *read_pre(const Gguf *gguf, Error *err)
{
    Str name = {0};
    if (!gguf_read_str(gguf, "tokenizer.ggml.pre", &name, err)) return NULL;
    const PreTokenizer *pre = pretokenize_find(name);
    if (!pre)
        error_set(err, ERROR_UNSUPPORTED, "tokenizer.ggml.pre is '%.*s', wanted one of %s",
                  STR_FMT(str_slice(name, 0, 60)), pretokenize_names());
    return pre;
}

// Special tokens come before the merges, which must not produce any of them.
static bool init(Tokenizer *t, const Gguf *gguf, Error *err)
{
    if (!check_model(gguf, err)) return false;
    t->pre = read_pre(gguf, err);
    if (!t->pre || !vocab_init(&t->vocab, gguf, err)) return false;
    t->ends = mem_zero((size_t)t->vocab.n_tokens * sizeof *t->ends);
    t->specials.add_bos = t->pre->adds_bos;
    return special_tokens_read(gguf, &t->vocab, &t->specials, t->ends, err) &&
           special_index_init(&t->user, &t->vocab, false, err) &&
           special_index_init(&t->all, &t->vocab, true, err) &&
           bpe_init(&t->bpe, gguf, &t->vocab, err);
}

Tokenizer *tokenizer_open(const Gguf *gguf, Error *err)
{
    Tokenizer *t = mem_zero(sizeof *t);
    if (init(t, gguf, err)) return t;
    tokenizer_close(t);
    return NULL;
}

void tokenizer_close(Tokenizer *tokenizer)
{
    if (!tokenizer) return;
    special_index_deinit(&tokenizer->user);
    special_index_deinit(&tokenizer->all);
    bpe_deinit(&tokenizer->bpe);
    vocab_deinit(&tokenizer->vocab);
    free(tokenizer->ends);
    free(tokenizer);
}

// --- encoding
// -------------------------------------------------------------------------------------

// What one call of tokenizer_encode needs.
typedef struct Encoding {
    const Tokenizer *tokenizer;
    IdSink sink;
    BpeScratch scratch;
    StrBuf mapped;
} Encoding;

// The token that is the whole piece, or -1.
static int find_whole(const Vocab *vocab, StrBuf *mapped, Str piece)
{
    strbuf_clear(mapped);
    strbuf_reserve(mapped, 2 * piece.len);
    int id = vocab_find(vocab, (Str){mapped->ptr, vocab_map_bytes(vocab, piece, mapped->ptr)});
    return id >= 0 && vocab->kinds[id] == TOKEN_KIND_NORMAL ? id : -1;
}

static void encode_piece(Encoding *e, Str piece)
{
    const Tokenizer *t = e->tokenizer;
    int whole = t->pre->ignore_merges ? find_whole(&t->vocab, &e->mapped, piece) : -1;
    if (whole >= 0) {
        idsink_put(&e->sink, whole);
        return;
    }
    for (size_t at = 0; at < piece.len; at += BPE_MAX_PIECE)
        bpe_encode(&t->bpe, &e->scratch, str_slice(piece, at, at + BPE_MAX_PIECE), &e->sink);
}

static void encode_fragment(Encoding *e, Str fragment)
{
    PreWalk walk = pretokenize_start(e->tokenizer->pre, fragment);
    for (Str piece; pretokenize_next(&walk, &piece);)
        encode_piece(e, piece);
}

size_t tokenizer_encode(const Tokenizer *tokenizer, Str text, bool parse_special, int *out,
                        size_t cap)
{
    const SpecialIndex *index = parse_special ? &tokenizer->all : &tokenizer->user;
    Encoding e = {.tokenizer = tokenizer, .sink = {out, cap, 0}};
    for (size_t at = 0; at < text.len;) {
        size_t end;
        int id = special_index_search(index, &tokenizer->vocab, text, at, &end);
        encode_fragment(&e, str_slice(text, at, end));
        at = end;
        if (id < 0) break;
        idsink_put(&e.sink, id);
        at += tokenizer->vocab.texts[id].len;
    }
    bpescratch_deinit(&e.scratch);
    strbuf_deinit(&e.mapped);
    return e.sink.n;
}

// --- facts about tokens
// ---------------------------------------------------------------------------

Str tokenizer_bytes(const Tokenizer *tokenizer, int id)
{
    return vocab_bytes(&tokenizer->vocab, id);
}

int tokenizer_n_vocab(const Tokenizer *tokenizer)
{
    return tokenizer->vocab.n_tokens;
}

bool tokenizer_is_control(const Tokenizer *tokenizer, int id)
{
    assert(id >= 0 && id < tokenizer->vocab.n_tokens);
    return special_is_control(&tokenizer->vocab, id);
}

bool tokenizer_is_end(const Tokenizer *tokenizer, int id)
{
    assert(id >= 0 && id < tokenizer->vocab.n_tokens);
    return tokenizer->ends[id];
}

int tokenizer_find(const Tokenizer *tokenizer, Str text)
{
    const Vocab *vocab = &tokenizer->vocab;
    // Special tokens stand in the file as they are, the others in their printable form.
    int id = vocab_find(vocab, text);
    if (id >= 0 && str_equal(vocab_bytes(vocab, id), text)) return id;
    StrBuf mapped = {0};
    strbuf_reserve(&mapped, 2 * text.len);
    id = vocab_find(vocab, (Str){mapped.ptr, vocab_map_bytes(vocab, text, mapped.ptr)});
    if (id >= 0 && !str_equal(vocab_bytes(vocab, id), text)) id = -1;
    strbuf_deinit(&mapped);
    return id;
}

const SpecialTokens *tokenizer_specials(const Tokenizer *tokenizer)
{
    return &tokenizer->specials;
}
