// tokenizer.json and tokenizer_config.json of a model folder as GGUF metadata.
//
// Byte-level BPE alone; the pre-tokenizer is recognised by its expressions, never guessed.
#pragma once

#include "gguf_writer.h"

struct json_object;

// Texts and kinds for n_rows tokens (rows of the embedding), merges, special tokens and the chat
// template. pre: the pre-tokenizer's GGUF name, or NULL to recognise it. ERROR_NOT_FOUND without
// tokenizer.json, ERROR_UNSUPPORTED for other tokenizers, ERROR_DAMAGED for ids and texts that do
// not fit together.
bool hf_tokenizer_put(const char *folder, int n_rows, const char *pre, GgufWriter *writer,
                      Error *err);
// The same from parsed files, for folder's (settings may be NULL).
bool hf_tokenizer_put_objects(struct json_object *tokenizer, struct json_object *settings,
                              int n_rows, const char *pre, GgufWriter *writer, Error *err);
