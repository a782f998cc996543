// Byte-level BPE: bytes to ids and back, as the model's file describes it (docs/engine.md).
//
// Owns the vocabulary index and the merge table; borrows token texts from the open Gguf.
// Immutable once open: any thread may use it. Unknown tokenizer models and pre-tokenizers are
// refused (ERROR_UNSUPPORTED) rather than guessed.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "gguf.h"

typedef struct Tokenizer Tokenizer;

// Reads tokenizer.ggml.*; checks that arrays agree in length and type, that merges name known
// tokens and that special ids are < n_vocab. The Gguf must outlive the Tokenizer.
Tokenizer *tokenizer_open(const Gguf *gguf, Error *err);
void tokenizer_close(Tokenizer *tokenizer);

// See engine_tokenize in engine.h: same contract.
size_t tokenizer_encode(const Tokenizer *tokenizer, Str text, bool parse_special, int *out,
                        size_t cap);
// The token's bytes after inverting the byte map; control tokens give their literal text.
Str tokenizer_bytes(const Tokenizer *tokenizer, int id);
int tokenizer_n_vocab(const Tokenizer *tokenizer);
bool tokenizer_is_control(const Tokenizer *tokenizer, int id);
// End of generation: eos, eot, eom, the FIM pad/rep/sep ids and their well-known texts.
bool tokenizer_is_end(const Tokenizer *tokenizer, int id);
// The id of a token with exactly this text (special or not), or -1.
int tokenizer_find(const Tokenizer *tokenizer, Str text);

// Ids from the metadata, else found by their well-known texts; -1 where absent.
typedef struct SpecialTokens {
    int bos, eos, eot, fim_prefix, fim_suffix, fim_middle, file_sep, repo_name;
    bool add_bos;
} SpecialTokens;
const SpecialTokens *tokenizer_specials(const Tokenizer *tokenizer);
