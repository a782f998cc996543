#include "features/dotted.h"

#include <stdint.h>

static size_t skip_blanks(Str text, size_t at)
{
    while (at > 0 && (text.ptr[at - 1] == ' ' || text.ptr[at - 1] == '\t'))
        at--;
    return at;
}

// A chain may go on below: `a.b()` and in the next line `.c()`.
static size_t skip_space(Str text, size_t at)
{
    return str_trim_end(str_slice(text, 0, at)).len;
}

size_t dotted_operator(Str text, size_t at, bool *scope)
{
    Str before = str_slice(text, 0, at);
    *scope = str_ends(before, STR("::"));
    if (*scope || str_ends(before, STR("->")) || str_ends(before, STR("?."))) return 2;
    bool dot = str_ends(before, STR(".")) && !str_ends(before, STR(".."));
    return dot ? 1 : 0;
}

// Where the bracket opens that closes before `at`; SIZE_MAX: not within reach.
static size_t skip_group(Str text, size_t at)
{
    enum { MAX_BYTES = 4000 };
    size_t last = at > MAX_BYTES ? at - MAX_BYTES : 0;
    int depth = 0;
    char quote = 0;
    for (; at > last; at--) {
        char c = text.ptr[at - 1];
        if (quote) {
            if (c == quote || c == '\n') quote = 0;
            continue;
        }
        if (c == '"' || c == '`') quote = c;
        if (c == ')' || c == ']' || c == '}') depth++;
        if ((c == '(' || c == '[' || c == '{') && --depth == 0) return at - 1;
    }
    return SIZE_MAX;
}

// What follows a name: `(...)`, `[...]`, `{...}`, `?`, `!`, from behind. False: it is not closed.
static bool read_suffixes(Str text, size_t *at, DottedPart *part)
{
    while (*at > 0) {
        char c = text.ptr[*at - 1];
        if (c == '?' || c == '!') {
            part->tried = true;
            --*at;
            continue;
        }
        if (c != ')' && c != ']' && c != '}') return true;
        if (c == '}' && part->called) return false;
        if ((*at = skip_group(text, *at)) == SIZE_MAX) return false;
        part->called |= c == ')';
        part->indexed |= c == ']';
        part->literal |= c == '}';
        *at = skip_blanks(text, *at);
    }
    return true;
}

static bool read_name(Str text, size_t *at, DottedPart *part)
{
    size_t end = *at;
    while (*at > 0 && str_is_word_byte(text.ptr[*at - 1]))
        --*at;
    part->name = str_slice(text, *at, end);
    part->off = *at;
    return str_is_name(part->name);
}

static bool is_inner(Str text, size_t open, size_t at)
{
    Str before = str_trim(str_slice(text, open + 1, at));
    while (before.len && (before.ptr[0] == '*' || before.ptr[0] == '&'))
        before = str_trim(str_slice(before, 1, before.len));
    return before.len == 0 || str_equal(before, STR("await"));
}

static void turn_round(Dotted *dotted)
{
    for (size_t i = 0; i < dotted->n / 2; i++) {
        DottedPart part = dotted->parts[i];
        dotted->parts[i] = dotted->parts[dotted->n - 1 - i];
        dotted->parts[dotted->n - 1 - i] = part;
    }
}

// Goes over the operator that ends at `at`, if there is one, and tells the part before it.
static bool take_operator(Str text, size_t *at, DottedPart *before)
{
    bool scope;
    size_t n = dotted_operator(text, skip_space(text, *at), &scope);
    if (n == 0) return false;
    *at = skip_space(text, *at) - n;
    *before = (DottedPart){.scoped = scope, .tried = text.ptr[*at] == '?'};
    *at = skip_space(text, *at);
    return true;
}

// The parts that end at `at`, from behind; *at becomes where the first begins. What the operator
// behind says of the first one read stands in its part already.
static bool read_parts(Str text, size_t *at, Dotted *dotted)
{
    while (dotted->n < DOTTED_MAX) {
        DottedPart *part = &dotted->parts[dotted->n];
        size_t end = *at;
        if (!read_suffixes(text, at, part)) return false;
        if (*at == 0 || !read_name(text, at, part)) {
            // `(*p).`: what stands in the brackets, if that is all of it.
            bool brackets = part->called && text.ptr[end - 1] == ')';
            size_t open = brackets ? skip_group(text, end) : SIZE_MAX, inner = end - 1;
            if (open == SIZE_MAX) return false;
            *part = (DottedPart){.scoped = part->scoped};
            if (!read_parts(text, &inner, dotted) || !is_inner(text, open, inner)) return false;
            Str before = str_slice(text, open, inner);
            dotted->waits = str_find(before, STR("await"), 0) < before.len;
            *at = open;
            return true;
        }
        dotted->n++;
        DottedPart next;
        if (!take_operator(text, at, &next)) return true;
        if (dotted->n < DOTTED_MAX) dotted->parts[dotted->n] = next;
    }
    return false;
}

bool dotted_before(Str text, size_t at, Dotted *out)
{
    *out = (Dotted){0};
    at = skip_blanks(text, at);
    if (!take_operator(text, &at, &out->parts[0])) return false;
    bool found = read_parts(text, &at, out) && out->n > 0;
    turn_round(out);
    return found;
}

bool dotted_of(Str text, size_t start, size_t end, Dotted *out)
{
    *out = (Dotted){0};
    while (end > start && skip_space(text, end) < end)
        end = skip_space(text, end);
    size_t at = end;
    bool found = end > start && read_parts(text, &at, out) && out->n > 0 && at >= start;
    turn_round(out);
    if (!found) return false;
    Str before = str_trim(str_slice(text, start, at));
    while (before.len && (before.ptr[0] == '*' || before.ptr[0] == '&'))
        before = str_trim(str_slice(before, 1, before.len));
    out->waits |= str_equal(before, STR("await"));
    return before.len == 0 || out->waits || str_equal(before, STR("new")) ||
           str_equal(before, STR("mut"));
}
