// The tokenizer: special tokens cut a text into fragments. Byte-level BPE cuts those into pieces
// (the pre-tokenizer), and merges make ids of a piece; SentencePiece merges in the fragment.
#include "tokenizer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bpe.h"
#include "pretokenize.h"
#include "special_tokens.h"
#include "spm.h"
#include "vocab.h"

struct Tokenizer {
    Vocab vocab;
    const PreTokenizer *pre; // NULL: SentencePiece
    Bpe bpe;                 // with a pre-tokenizer
    Spm spm;                 // without
    SpecialTokens specials;
    bool *ends;          // [n_tokens]
    SpecialIndex user;   // tokens that any text may have
    SpecialIndex parsed; // with a pre-tokenizer those and control tokens, without these alone
};

// --- opening -------------------------------------------------------------------------------------

static bool read_form(const Gguf *gguf, VocabForm *form, Error *err)
{
    Str model = {0};
    if (!gguf_read_str(gguf, "tokenizer.ggml.model", &model, err)) return false;
    *form = str_equal(model, STR("llama")) ? VOCAB_SENTENCEPIECE : VOCAB_BYTE_LEVEL;
    if (*form == VOCAB_SENTENCEPIECE || str_equal(model, STR("gpt2"))) return true;
    return error_set(err, ERROR_UNSUPPORTED,
                     "tokenizer.ggml.model is '%.*s', wanted 'gpt2' (byte-level BPE) or 'llama' "
                     "(SentencePiece)",
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
    VocabForm form;
    if (!read_form(gguf, &form, err)) return false;
    bool pieces = form == VOCAB_BYTE_LEVEL;
    t->pre = pieces ? read_pre(gguf, err) : NULL;
    if ((pieces && !t->pre) || !vocab_init(&t->vocab, gguf, form, err)) return false;
    t->ends = mem_zero((size_t)t->vocab.n_tokens * sizeof *t->ends);
    t->specials.add_bos = pieces ? t->pre->adds_bos : true;
    return special_tokens_read(gguf, &t->vocab, &t->specials, t->ends, err) &&
           special_index_init(&t->user, &t->vocab, SPECIAL_USER, err) &&
           special_index_init(&t->parsed, &t->vocab, SPECIAL_CONTROL | (pieces ? SPECIAL_USER : 0),
                              err) &&
           (pieces ? bpe_init(&t->bpe, gguf, &t->vocab, err)
                   : spm_init(&t->spm, gguf, &t->vocab, err));
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
    special_index_deinit(&tokenizer->parsed);
    bpe_deinit(&tokenizer->bpe);
    spm_deinit(&tokenizer->spm);
    vocab_deinit(&tokenizer->vocab);
    free(tokenizer->ends);
    free(tokenizer);
}

// --- encoding ------------------------------------------------------------------------------------

// What one call of tokenizer_encode needs.
typedef struct Encoding {
    const Tokenizer *tokenizer;
    IdSink sink;
    BpeScratch bpe;
    SpmScratch spm;
    StrBuf written; // a part of the text as the vocabulary writes it
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
    int whole = t->pre->ignore_merges ? find_whole(&t->vocab, &e->written, piece) : -1;
    if (whole >= 0) {
        idsink_put(&e->sink, whole);
        return;
    }
    for (size_t at = 0; at < piece.len; at += BPE_MAX_PIECE)
        bpe_encode(&t->bpe, &e->bpe, str_slice(piece, at, at + BPE_MAX_PIECE), &e->sink);
}

static void encode_fragment(Encoding *e, Str fragment)
{
    PreWalk walk = pretokenize_start(e->tokenizer->pre, fragment);
    for (Str piece; pretokenize_next(&walk, &piece);)
        encode_piece(e, piece);
}

static void encode_byte_level(Encoding *e, Str text, bool parse_special)
{
    const Tokenizer *t = e->tokenizer;
    const SpecialIndex *index = parse_special ? &t->parsed : &t->user;
    for (size_t at = 0; at < text.len;) {
        size_t end;
        int id = special_index_search(index, &t->vocab, text, at, &end);
        encode_fragment(e, str_slice(text, at, end));
        if (id < 0) break;
        idsink_put(&e->sink, id);
        at = end + t->vocab.texts[id].len;
    }
}

static void encode_escaped(Encoding *e, Str fragment)
{
    const Tokenizer *t = e->tokenizer;
    strbuf_clear(&e->written);
    spm_escape(fragment, &e->written);
    Str text = strbuf_str(&e->written);
    for (size_t at = 0; at < text.len; at += SPM_MAX_TEXT)
        spm_encode(&t->spm, &t->vocab, &e->spm, str_slice(text, at, at + SPM_MAX_TEXT), &e->sink);
}

// Between two control tokens. User-defined tokens are looked for after the space has been put
// before it, and may take it.
static void encode_segment(Encoding *e, Str segment)
{
    const Tokenizer *t = e->tokenizer;
    StrBuf plain = {0};
    if (segment.len && t->spm.adds_space) strbuf_append_char(&plain, ' ');
    spm_unescape(segment, &plain);
    Str text = strbuf_str(&plain);
    for (size_t at = 0; at < text.len;) {
        size_t end;
        int id = special_index_search(&t->user, &t->vocab, text, at, &end);
        encode_escaped(e, str_slice(text, at, end));
        if (id < 0) break;
        idsink_put(&e->sink, id);
        at = end + vocab_bytes(&t->vocab, id).len;
    }
    strbuf_deinit(&plain);
}

static void encode_sentencepiece(Encoding *e, Str text, bool parse_special)
{
    const Tokenizer *t = e->tokenizer;
    for (size_t at = 0; at < text.len;) {
        size_t end = text.len;
        int id = parse_special ? special_index_search(&t->parsed, &t->vocab, text, at, &end) : -1;
        encode_segment(e, str_slice(text, at, end));
        if (id < 0) break;
        idsink_put(&e->sink, id);
        at = end + vocab_bytes(&t->vocab, id).len;
    }
}

size_t tokenizer_encode(const Tokenizer *tokenizer, Str text, bool parse_special, int *out,
                        size_t cap)
{
    Encoding e = {.tokenizer = tokenizer, .sink = {out, cap, 0}};
    if (tokenizer->pre)
        encode_byte_level(&e, text, parse_special);
    else
        encode_sentencepiece(&e, text, parse_special);
    bpescratch_deinit(&e.bpe);
    spmscratch_deinit(&e.spm);
    strbuf_deinit(&e.written);
    return e.sink.n;
}

// --- facts about tokens --------------------------------------------------------------------------

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

// The token whose text in the file is bytes as the vocabulary writes them, or -1.
static int find_written(const Tokenizer *t, Str bytes)
{
    StrBuf written = {0};
    if (t->pre) {
        strbuf_reserve(&written, 2 * bytes.len);
        written.len = vocab_map_bytes(&t->vocab, bytes, written.ptr);
    } else {
        spm_escape(bytes, &written);
    }
    int id = vocab_find(&t->vocab, strbuf_str(&written));
    if (id < 0 && !t->pre && bytes.len == 1) id = t->spm.byte_ids[(unsigned char)bytes.ptr[0]];
    strbuf_deinit(&written);
    return id;
}

int tokenizer_find(const Tokenizer *tokenizer, Str text)
{
    const Vocab *vocab = &tokenizer->vocab;
    // Special tokens stand in the file as they are.
    int id = vocab_find(vocab, text);
    if (id >= 0 && str_equal(vocab_bytes(vocab, id), text)) return id;
    id = find_written(tokenizer, text);
    return id >= 0 && str_equal(vocab_bytes(vocab, id), text) ? id : -1;
}

const SpecialTokens *tokenizer_specials(const Tokenizer *tokenizer)
{
    return &tokenizer->specials;
}
