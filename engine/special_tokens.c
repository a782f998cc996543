// Roles of special tokens and the search for them.
#include "special_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// Longer ones would make the search in hostile files slow; real ones have some 30 bytes.
enum { MAX_SPECIAL_BYTES = 256, MAX_KEYS = 2, MAX_TEXTS = 8 };

// A role of a token. Not all have a field in SpecialTokens.
typedef struct Role {
    const char *keys[MAX_KEYS]; // after "tokenizer.ggml.", the current name first
    bool ends;                  // generation stops at it
    bool is_fim;                // its texts are too odd to be anything else, whatever their kind
    const char *texts[MAX_TEXTS];
} Role;

typedef enum RoleId {
    ROLE_BOS,
    ROLE_EOS,
    ROLE_EOT,
    ROLE_EOM,
    ROLE_FIM_PREFIX,
    ROLE_FIM_SUFFIX,
    ROLE_FIM_MIDDLE,
    ROLE_FIM_PAD,
    ROLE_REPO_NAME,
    ROLE_FILE_SEP,
    ROLE_CHAT,
    ROLE_THINK,
    N_ROLES,
} RoleId;

// U+FF5C and U+2581 in DeepSeek's names are no ASCII bar and underscore.
static const Role roles[N_ROLES] = {
    [ROLE_BOS] = {{"bos_token_id"}, false, false, {"<｜begin▁of▁sentence｜>", "<|begin_of_text|>"}},
    [ROLE_EOS] = {{"eos_token_id"},
                  true,
                  false,
                  {"<｜end▁of▁sentence｜>", "<|endoftext|>", "<|end_of_text|>", "</s>"}},
    [ROLE_EOT] = {{"eot_token_id"},
                  true,
                  false,
                  {"<|im_end|>", "<|eot_id|>", "<|EOT|>", "<|end|>", "<EOT>", "▁<EOT>"}},
    [ROLE_EOM] = {{"eom_token_id"}, true, false, {"<|eom_id|>"}},
    [ROLE_FIM_PREFIX] = {{"fim_pre_token_id", "prefix_token_id"},
                         false,
                         true,
                         {"<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<｜fim▁begin｜>",
                          "▁<PRE>"}},
    [ROLE_FIM_SUFFIX] = {{"fim_suf_token_id", "suffix_token_id"},
                         false,
                         true,
                         {"<|fim_suffix|>", "<fim_suffix>", "<fim-suffix>", "<｜fim▁hole｜>",
                          "▁<SUF>"}},
    [ROLE_FIM_MIDDLE] = {{"fim_mid_token_id", "middle_token_id"},
                         false,
                         true,
                         {"<|fim_middle|>", "<fim_middle>", "<fim-middle>", "<｜fim▁end｜>",
                          "▁<MID>"}},
    [ROLE_FIM_PAD] = {{"fim_pad_token_id"}, true, true, {"<|fim_pad|>", "<fim_pad>", "<fim-pad>"}},
    [ROLE_REPO_NAME] = {{"fim_rep_token_id"},
                        true,
                        true,
                        {"<|repo_name|>", "<repo_name>", "<reponame>", "<|reponame|>"}},
    [ROLE_FILE_SEP] = {{"fim_sep_token_id"}, true, true, {"<|file_sep|>", "<file_sep>"}},
    // Files often type these as user-defined: a question that quotes them would forge a turn.
    [ROLE_CHAT] = {{NULL},
                   false,
                   false,
                   {"<|im_start|>", "<｜User｜>", "<｜Assistant｜>", "<|start_header_id|>",
                    "<|end_header_id|>"}},
    [ROLE_THINK] = {{NULL}, false, false, {"<think>", "</think>"}},
};

bool special_is_control(const Vocab *vocab, int id)
{
    return vocab->kinds[id] == TOKEN_KIND_CONTROL || vocab->kinds[id] == TOKEN_KIND_UNKNOWN;
}

// --- roles ---------------------------------------------------------------------------------------

static bool read_id(const Gguf *gguf, const Vocab *vocab, const char *name, int *id, Error *err)
{
    char key[80];
    snprintf(key, sizeof key, "tokenizer.ggml.%s", name);
    return gguf_read_int(gguf, key, 0, vocab->n_tokens - 1, id, err);
}

// Every text of a role counts: a model may end its answers with any of them. The first one found
// plays the role if the metadata names none.
static int find_texts(Vocab *vocab, const Role *role, unsigned char kind, bool *ends)
{
    int first = -1;
    for (int i = 0; i < MAX_TEXTS && role->texts[i]; i++) {
        int id = vocab_find(vocab, str_from(role->texts[i]));
        // "</s>" may be an ordinary token of a vocabulary made from code.
        bool plain = id >= 0 && vocab->kinds[id] == TOKEN_KIND_NORMAL;
        if (id < 0 || (plain && !role->is_fim && vocab->has_kinds)) continue;
        vocab->kinds[id] = kind;
        if (role->ends) ends[id] = true;
        if (first < 0) first = id;
    }
    return first;
}

static bool read_role(const Gguf *gguf, Vocab *vocab, const Role *role, int *id, bool *ends,
                      Error *err)
{
    // A thought's marks stand in what the model writes, where control tokens never do.
    unsigned char kind = role == &roles[ROLE_THINK] ? TOKEN_KIND_MARK : TOKEN_KIND_CONTROL;
    int by_text = find_texts(vocab, role, kind, ends);
    *id = -1;
    for (int i = 0; i < MAX_KEYS && role->keys[i] && *id < 0; i++)
        if (!read_id(gguf, vocab, role->keys[i], id, err)) return false;
    if (*id < 0) *id = by_text;
    if (*id < 0) return true;
    if (role->is_fim) vocab->kinds[*id] = TOKEN_KIND_CONTROL;
    if (role->ends) ends[*id] = true;
    return true;
}

bool special_tokens_read(const Gguf *gguf, Vocab *vocab, SpecialTokens *out, bool *ends, Error *err)
{
    int ids[N_ROLES];
    memset(ends, 0, (size_t)vocab->n_tokens * sizeof *ends);
    for (int i = 0; i < N_ROLES; i++)
        if (!read_role(gguf, vocab, &roles[i], &ids[i], ends, err)) return false;
    bool add_bos = out->add_bos;
    if (!gguf_read_bool(gguf, "tokenizer.ggml.add_bos_token", &add_bos, err)) return false;
    *out = (SpecialTokens){.bos = ids[ROLE_BOS],
                           .eos = ids[ROLE_EOS],
                           .eot = ids[ROLE_EOT],
                           .fim_prefix = ids[ROLE_FIM_PREFIX],
                           .fim_suffix = ids[ROLE_FIM_SUFFIX],
                           .fim_middle = ids[ROLE_FIM_MIDDLE],
                           .file_sep = ids[ROLE_FILE_SEP],
                           .repo_name = ids[ROLE_REPO_NAME],
                           .add_bos = add_bos && ids[ROLE_BOS] >= 0};
    return true;
}

// --- search --------------------------------------------------------------------------------------

typedef struct Entry {
    Str text;
    int id;
} Entry;

static int compare_entries(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    int order = str_compare(x->text, y->text);
    return order ? order : (x->id > y->id) - (x->id < y->id);
}

static bool stands_for_itself(const Vocab *vocab, int id, int kinds)
{
    bool wanted = ((kinds & SPECIAL_USER) && vocab->kinds[id] == TOKEN_KIND_USER) ||
                  ((kinds & SPECIAL_CONTROL) &&
                   (special_is_control(vocab, id) || vocab->kinds[id] == TOKEN_KIND_MARK));
    return wanted && vocab_bytes(vocab, id).len > 0;
}

bool special_index_init(SpecialIndex *index, const Vocab *vocab, int kinds, Error *err)
{
    *index = (SpecialIndex){0};
    size_t n = 0;
    for (int id = 0; id < vocab->n_tokens; id++)
        n += stands_for_itself(vocab, id, kinds);
    Entry *entries = mem_alloc(n * sizeof *entries);
    bool ok = true;
    for (int id = 0; ok && id < vocab->n_tokens; id++) {
        Str text = vocab_bytes(vocab, id);
        if (!stands_for_itself(vocab, id, kinds)) continue;
        entries[index->n++] = (Entry){text, id};
        index->first[(unsigned char)text.ptr[0]] = true;
        if (text.len > MAX_SPECIAL_BYTES)
            ok = error_set(err, ERROR_DAMAGED, "special token %d has %zu bytes, wanted at most %d",
                           id, text.len, MAX_SPECIAL_BYTES);
    }
    if (ok && n) qsort(entries, n, sizeof *entries, compare_entries);
    index->ids = mem_alloc(n * sizeof *index->ids);
    for (size_t i = 0; ok && i < n; i++)
        index->ids[i] = entries[i].id;
    free(entries);
    if (!ok) special_index_deinit(index);
    return ok;
}

void special_index_deinit(SpecialIndex *index)
{
    free(index->ids);
    *index = (SpecialIndex){0};
}

// The first of ids[low, high), which agree in `depth` bytes and are longer, whose next byte is at
// least `byte`.
static size_t lower_bound(const SpecialIndex *index, const Vocab *vocab, size_t low, size_t high,
                          size_t depth, int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)vocab_bytes(vocab, index->ids[middle]).ptr[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The longest token that text starts with, or -1: the range of candidates narrows byte by byte.
static int match_longest(const SpecialIndex *index, const Vocab *vocab, Str text)
{
    size_t low = 0, high = index->n;
    int best = -1;
    for (size_t depth = 0; low < high; depth++) {
        if (depth && vocab_bytes(vocab, index->ids[low]).len == depth) best = index->ids[low];
        while (low < high && vocab_bytes(vocab, index->ids[low]).len == depth)
            low++;
        if (depth == text.len) break;
        int byte = (unsigned char)text.ptr[depth];
        low = lower_bound(index, vocab, low, high, depth, byte);
        high = lower_bound(index, vocab, low, high, depth, byte + 1);
    }
    return best;
}

int special_index_search(const SpecialIndex *index, const Vocab *vocab, Str text, size_t from,
                         size_t *byte_off)
{
    for (size_t at = from; index->n && at < text.len; at++) {
        if (!index->first[(unsigned char)text.ptr[at]]) continue;
        int id = match_longest(index, vocab, str_slice(text, at, text.len));
        if (id < 0) continue;
        *byte_off = at;
        return id;
    }
    *byte_off = text.len;
    return -1;
}
