// The vocabulary of a model: texts, kinds, and what the tokens decode to.
//
// In the file a token's text is printable. Byte-level BPE writes each of the 256 bytes as one code
// point (GPT-2's map; a space is U+0120), SentencePiece writes a space as U+2581 and single bytes
// as <0xNN>. Control and user-defined tokens are written literally. Owns its tables, borrows the
// texts from the Gguf. Immutable after vocab_init: any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "gguf.h"

// As in tokenizer.ggml.token_type.
typedef enum TokenKind {
    TOKEN_KIND_NORMAL = 1,
    TOKEN_KIND_UNKNOWN,
    TOKEN_KIND_CONTROL,
    TOKEN_KIND_USER,
    TOKEN_KIND_UNUSED,
    TOKEN_KIND_BYTE,
    TOKEN_KIND_MARK, // none of a file's: one that the model writes and a text never becomes
} TokenKind;

// How texts are written.
typedef enum VocabForm {
    VOCAB_BYTE_LEVEL,
    VOCAB_SENTENCEPIECE,
} VocabForm;

#define VOCAB_SPACE "\xE2\x96\x81" // U+2581, a space in SentencePiece's texts

typedef struct Vocab {
    VocabForm form;
    int n_tokens;
    bool has_kinds;             // false: the file has no token types, all count as normal
    Str *texts;                 // [n_tokens] as in the file
    unsigned char *kinds;       // [n_tokens] TokenKind
    char *bytes;                // what the tokens decode to, one after the other
    uint32_t *bytes_at;         // [n_tokens + 1] offsets into bytes
    uint64_t *slots;            // open addressing: high half of the hash, id + 1; 0 empty
    size_t n_slots;             // a power of two
    unsigned char map_len[256]; // the byte map: 1 or 2 bytes of UTF-8
    char map_text[256][2];
} Vocab;

// Reads tokenizer.ggml.tokens and .token_type. On failure nothing needs vocab_deinit, but it is
// allowed.
bool vocab_init(Vocab *vocab, const Gguf *gguf, VocabForm form, Error *err);
void vocab_deinit(Vocab *vocab);
// The first token whose text in the file is a followed by b, or -1. O(1).
int vocab_find_joined(const Vocab *vocab, Str a, Str b);
// The first token whose text in the file is text, or -1. O(1).
int vocab_find(const Vocab *vocab, Str text);
// The printable form of bytes (byte-level); out has room for 2 * bytes.len. Returns its length.
size_t vocab_map_bytes(const Vocab *vocab, Str bytes, char *out);
// What a token (0 <= id < n_tokens) decodes to.
Str vocab_bytes(const Vocab *vocab, int id);
