// The scanners. Each one stands for the regular expression above it: first alternative that
// matches, not the longest; \s, \p{L} and the like mean Unicode's properties.
#include "pretokenize.h"

#include <assert.h>

#include "unicode.h"

static bool is_newline(uint32_t code)
{
    return code == '\r' || code == '\n';
}

// False for a byte that is not UTF-8.
static bool is_char(UniChar c)
{
    return c.code < 0x80 || c.n_bytes > 1;
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

// The letters of deepseek-llm: those that had case in the Unicode version it was made with.
static const uint32_t cased_letters[][2] = {
    {0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},
    {0xD8, 0xF6},       {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},
    {0x295, 0x2AF},     {0x370, 0x373},     {0x376, 0x376},     {0x377, 0x377},
    {0x37B, 0x37D},     {0x37F, 0x37F},     {0x386, 0x386},     {0x388, 0x38A},
    {0x38C, 0x38C},     {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},
    {0x48A, 0x52F},     {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},
    {0x13F8, 0x13FD},   {0x1C90, 0x1CBA},   {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},
    {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},   {0x1F18, 0x1F1D},
    {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},
    {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},
    {0x1FB6, 0x1FBC},   {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},
    {0x1FD0, 0x1FD3},   {0x1FD6, 0x1FDB},   {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},
    {0x1FF6, 0x1FFC},   {0x2102, 0x2102},   {0x2107, 0x2107},   {0x210A, 0x2113},
    {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},
    {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},
    {0x213C, 0x213F},   {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2183},
    {0x2184, 0x2184},   {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},   {0x2CEB, 0x2CEE},
    {0x2CF2, 0x2CF2},   {0x2CF3, 0x2CF3},   {0xA640, 0xA66D},   {0xA680, 0xA69B},
    {0xA722, 0xA76F},   {0xA771, 0xA787},   {0xA78B, 0xA78E},   {0xAB70, 0xABBF},
    {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},
    {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB}, {0x10C80, 0x10CB2},
    {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};

static bool is_cased(uint32_t code)
{
    size_t low = 0, high = sizeof cased_letters / sizeof *cased_letters;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code > cased_letters[middle][1])
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof cased_letters / sizeof *cased_letters && code >= cased_letters[low][0];
}

// \s?[cased letters]+
static size_t match_spaced_cased(Str text, size_t start)
{
    size_t at = skip_class(text, start, CHAR_SPACE, 1), end = at;
    for (UniChar c = unicode_at(text, end); c.n_bytes && is_char(c) && is_cased(c.code);
         c = unicode_at(text, end))
        end += c.n_bytes;
    return end > at ? end : start;
}

// [U+21-2F U+3A-7E U+FF01-FF0F U+FF1A-FF5E U+2018-201F U+3000-3002], ASCII letters included
static bool is_llm_sign(uint32_t code)
{
    return (code >= 0x21 && code <= 0x2F) || (code >= 0x3A && code <= 0x7E) ||
           (code >= 0xFF01 && code <= 0xFF0F) || (code >= 0xFF1A && code <= 0xFF5E) ||
           (code >= 0x2018 && code <= 0x201F) || (code >= 0x3000 && code <= 0x3002);
}

// \s?[signs]+
static size_t match_spaced_signs(Str text, size_t start)
{
    // U+3000 is both: the space is given back where no other sign follows it.
    for (size_t at = skip_class(text, start, CHAR_SPACE, 1);; at = start) {
        size_t end = at;
        for (UniChar c = unicode_at(text, end); c.n_bytes && is_char(c) && is_llm_sign(c.code);
             c = unicode_at(text, end))
            end += c.n_bytes;
        if (end > at || at == start) return end;
    }
}

// \s+$. A match that starts a piece is the whole piece, as the gap without it would be, so only a
// space after something else needs to be looked at; that keeps long white space linear.
static size_t match_last_spaces(Str text, size_t start)
{
    size_t before = start;
    while (before > 0 && start - before < 4) {
        UniChar c = unicode_at(text, --before);
        if (before + c.n_bytes != start) continue;
        if (c.kind == CHAR_SPACE) return start;
        break;
    }
    size_t end = skip_class(text, start, CHAR_SPACE, SIZE_MAX);
    return end == text.len ? end : start;
}

// \p{N}+
static size_t match_number(Str text, size_t start)
{
    return skip_class(text, start, CHAR_NUMBER, SIZE_MAX);
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
      {match_newline, match_spaced_letters, match_spaced_punct, match_asian, match_digit})         \
    X("deepseek-llm", false, false, 6,                                                             \
      {match_newline, match_spaced_cased, match_spaced_signs, match_last_spaces, match_asian,      \
       match_number})

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
