// The scanners. Each one stands for the regular expression above it: first alternative that
// matches, not the longest; \s, \p{L} and the like mean Unicode's properties.
#include "pretokenize.h"

#include <assert.h>

#include "unicode.h"

static bool is_newline(uint32_t code)
{
    return code == '\r' || code == '\n';
}

// Past up to max_chars characters of one class.
static size_t skip_class(Str text, size_t at, CharClass kind, size_t max_chars)
{
    UniChar c = unicode_at(text, at);
    for (; c.n_bytes && c.kind == kind && max_chars > 0; max_chars--) {
        at += c.n_bytes;
        c = unicode_at(text, at);
    }
    return at;
}

// Past the bytes \r and \n.
static size_t skip_newlines(Str text, size_t at)
{
    while (at < text.len && is_newline((unsigned char)text.ptr[at]))
        at++;
    return at;
}

// [^\s\p{L}\p{N}]
static bool is_other(UniChar c)
{
    return c.n_bytes && c.kind != CHAR_SPACE && c.kind != CHAR_LETTER && c.kind != CHAR_NUMBER;
}

static size_t skip_others(Str text, size_t at)
{
    for (UniChar c = unicode_at(text, at); is_other(c); c = unicode_at(text, at))
        at += c.n_bytes;
    return at;
}

// \s+(?!\S)|\s+: white space without its last character if something follows it.
static size_t match_spaces(Str text, size_t start)
{
    size_t at = start, last = start;
    for (UniChar c = unicode_at(text, at); c.n_bytes && c.kind == CHAR_SPACE;
         c = unicode_at(text, at)) {
        last = at;
        at += c.n_bytes;
    }
    return at == text.len || last == start ? at : last;
}

// \s*[\r\n]+: white space up to and with its last newline.
static size_t match_lines(Str text, size_t start)
{
    size_t at = start, end = start;
    for (UniChar c = unicode_at(text, at); c.n_bytes && c.kind == CHAR_SPACE;
         c = unicode_at(text, at)) {
        at += c.n_bytes;
        if (is_newline(c.code)) end = at;
    }
    return end;
}

// 's|'t|'re|'ve|'m|'ll|'d, in small letters or, with fold, in any. U+017F folds to s, as the
// expressions' engines do it.
static size_t match_contraction(Str text, size_t start, bool fold)
{
    static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (unicode_at(text, start).code != '\'') return start;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t at = start + 1;
        const char *wanted = endings[i];
        for (; *wanted; wanted++) {
            UniChar c = unicode_at(text, at);
            if (fold && c.code >= 'A' && c.code <= 'Z') c.code += 'a' - 'A';
            if (fold && c.code == 0x17F) c.code = 's';
            if (c.n_bytes == 0 || c.code != (unsigned char)*wanted) break;
            at += c.n_bytes;
        }
        if (!*wanted) return at;
    }
    return start;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
static size_t match_gpt2(Str text, size_t start)
{
    size_t end = match_contraction(text, start, false);
    if (end > start) return end;
    UniChar c = unicode_at(text, start);
    size_t at = start;
    if (c.code == ' ' && start + 1 < text.len) {
        at++;
        c = unicode_at(text, at);
    }
    if (c.kind == CHAR_LETTER || c.kind == CHAR_NUMBER)
        return skip_class(text, at, c.kind, SIZE_MAX);
    return is_other(c) ? skip_others(text, at) : match_spaces(text, start);
}

// [^\r\n\p{L}\p{N}]?\p{L}+
static size_t match_word(Str text, size_t start)
{
    UniChar c = unicode_at(text, start);
    size_t at = start;
    if (c.kind != CHAR_LETTER && c.kind != CHAR_NUMBER && !is_newline(c.code)) at += c.n_bytes;
    size_t end = skip_class(text, at, CHAR_LETTER, SIZE_MAX);
    return end > at ? end : start;
}

// The expression of llama-bpe, with \p{N}{1,max_digits}:
// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
// \s*[\r\n]+|\s+(?!\S)|\s+
static size_t match_llama(Str text, size_t start, size_t max_digits)
{
    size_t end = match_contraction(text, start, true);
    if (end == start) end = match_word(text, start);
    if (end == start) end = skip_class(text, start, CHAR_NUMBER, max_digits);
    if (end > start) return end;
    size_t at = start + (unicode_at(text, start).code == ' ');
    end = skip_others(text, at);
    if (end > at) return skip_newlines(text, end);
    end = match_lines(text, start);
    return end > start ? end : match_spaces(text, start);
}

static size_t match_llama3(Str text, size_t start)
{
    return match_llama(text, start, 3);
}

static size_t match_qwen2(Str text, size_t start)
{
    return match_llama(text, start, 1);
}

// \p{N}
static size_t match_digit(Str text, size_t start)
{
    return skip_class(text, start, CHAR_NUMBER, 1);
}

// \p{N}{1,3}
static size_t match_digits(Str text, size_t start)
{
    return skip_class(text, start, CHAR_NUMBER, 3);
}

// [U+4E00-9FA5 U+3040-309F U+30A0-30FF]+
static size_t match_kana(Str text, size_t at)
{
    for (;; at += unicode_at(text, at).n_bytes) {
        UniChar c = unicode_at(text, at);
        bool inside =
            (c.code >= 0x4E00 && c.code <= 0x9FA5) || (c.code >= 0x3040 && c.code <= 0x30FF);
        if (c.n_bytes < 3 || !inside) return at;
    }
}

// [punctuation of ASCII][A-Za-z]+
static size_t match_ascii_word(Str text, size_t start)
{
    UniChar c = unicode_at(text, start);
    bool opens = c.code < 0x7F && (c.kind == CHAR_PUNCT || c.kind == CHAR_SYMBOL);
    size_t at = start + 1;
    while (opens && at < text.len && (text.ptr[at] | 32) >= 'a' && (text.ptr[at] | 32) <= 'z')
        at++;
    return opens && at > start + 1 ? at : start;
}

// [\p{L}\p{M}]+
static size_t skip_marked_letters(Str text, size_t at)
{
    for (UniChar c = unicode_at(text, at); c.kind == CHAR_LETTER || c.kind == CHAR_MARK;
         c = unicode_at(text, at))
        at += c.n_bytes;
    return at;
}

// [\p{P}\p{S}]+
static size_t skip_signs(Str text, size_t at)
{
    for (UniChar c = unicode_at(text, at); c.kind == CHAR_PUNCT || c.kind == CHAR_SYMBOL;
         c = unicode_at(text, at))
        at += c.n_bytes;
    return at;
}

// [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
static size_t match_marked_word(Str text, size_t start)
{
    UniChar c = unicode_at(text, start);
    bool leads = c.kind != CHAR_LETTER && c.kind != CHAR_PUNCT && c.kind != CHAR_SYMBOL &&
                 !is_newline(c.code);
    size_t at = leads ? start + c.n_bytes : start, end = skip_marked_letters(text, at);
    if (end > at) return end;
    // The optional character is given back: a lone mark is a word of its own.
    return skip_marked_letters(text, start);
}

// The ASCII words and the marked words above, then
//  ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
static size_t match_deepseek3(Str text, size_t start)
{
    size_t end = match_ascii_word(text, start);
    if (end == start) end = match_marked_word(text, start);
    if (end > start) return end;
    size_t at = start + (unicode_at(text, start).code == ' ');
    end = skip_signs(text, at);
    if (end > at) return skip_newlines(text, end);
    end = match_lines(text, start);
    return end > start ? end : match_spaces(text, start);
}

// [\r\n]
static size_t match_newline(Str text, size_t start)
{
    return start + (start < text.len && is_newline((unsigned char)text.ptr[start]));
}

// \s?\p{..}+
static size_t match_spaced(Str text, size_t start, CharClass kind)
{
    size_t at = skip_class(text, start, CHAR_SPACE, 1);
    size_t end = skip_class(text, at, kind, SIZE_MAX);
    return end > at ? end : start;
}

static size_t match_spaced_letters(Str text, size_t start)
{
    return match_spaced(text, start, CHAR_LETTER);
}

static size_t match_spaced_punct(Str text, size_t start)
{
    return match_spaced(text, start, CHAR_PUNCT);
}

// [U+4E00-9FA5 U+0800-4E00 U+AC00-D7FF]+
static size_t match_asian(Str text, size_t at)
{
    for (;; at += unicode_at(text, at).n_bytes) {
        UniChar c = unicode_at(text, at);
        bool inside =
            (c.code >= 0x800 && c.code <= 0x9FA5) || (c.code >= 0xAC00 && c.code <= 0xD7FF);
        if (c.n_bytes < 3 || !inside) return at;
    }
}

// X(name, a piece that is a token stays whole, adds BOS by default, passes...)
#define PRETOKENIZERS(X)                                                                           \
    X("qwen2", false, false, 1, {match_qwen2})                                                     \
    X("deepseek-r1-qwen", false, false, 1, {match_qwen2})                                          \
    X("gpt-2", false, false, 1, {match_gpt2})                                                      \
    X("starcoder", false, false, 2, {match_digit, match_gpt2})                                     \
    X("refact", false, false, 2, {match_digit, match_gpt2})                                        \
    X("smollm", false, false, 2, {match_digit, match_gpt2})                                        \
    X("llama-bpe", true, true, 1, {match_llama3})                                                  \
    X("deepseek-v3", false, false, 3, {match_digits, match_kana, match_deepseek3})                 \
    X("deepseek-coder", false, false, 5,                                                           \
      {match_newline, match_spaced_letters, match_spaced_punct, match_asian, match_digit})

const PreTokenizer *pretokenize_find(Str name)
{
    static const PreTokenizer known[] = {
#define X(...) {__VA_ARGS__},
        PRETOKENIZERS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_equal(name, str_from(known[i].name))) return &known[i];
    return NULL;
}

const char *pretokenize_names(void)
{
#define X(name, ...) ", " name
    static const char names[] = PRETOKENIZERS(X);
#undef X
    return names + 2;
}

PreWalk pretokenize_start(const PreTokenizer *pre, Str text)
{
    return (PreWalk){.pre = pre, .text = text};
}

// The end of the piece that starts at walk->at: a match, or the gap up to the next one.
static size_t find_piece_end(const PreWalk *walk, PreMatcher match, size_t limit)
{
    Str text = str_slice(walk->text, 0, limit);
    size_t end = match(text, walk->at);
    if (end > walk->at) return end;
    for (end = walk->at + unicode_at(text, walk->at).n_bytes; end < limit;
         end += unicode_at(text, end).n_bytes)
        if (match(text, end) > end) break;
    return end;
}

bool pretokenize_next(PreWalk *walk, Str *piece)
{
    if (walk->at >= walk->text.len) return false;
    size_t limit = walk->text.len;
    for (int i = 0; i < walk->pre->n_passes; i++) {
        if (walk->ends[i] <= walk->at)
            walk->ends[i] = find_piece_end(walk, walk->pre->passes[i], limit);
        limit = walk->ends[i];
    }
    assert(limit > walk->at && limit <= walk->text.len);
    *piece = str_slice(walk->text, walk->at, limit);
    walk->at = limit;
    return true;
}
