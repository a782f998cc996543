// Candidates come from trees: that of the text before the edit says what was changed, that of the
// current text where else it stands.
#include "nextedit/next_edit.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "index/symbols.h"
#include "nextedit/signature.h"
#include "workspace/node.h"
#include "workspace/target.h"

// --- what was changed ----------------------------------------------------------------------------

Change next_edit_change(const Edits *edits, size_t i, const TextSnap *now)
{
    const Edit *edit = &edits->items[i];
    Str before = text_str(edit->before), after = text_str(edits_after(edits, i, now));
    Change c = {.start = edit->start, .old_end = edit->old_end, .new_end = edit->new_end};
    // What is the same on both sides was typed again.
    while (c.start < c.old_end && c.start < c.new_end && before.ptr[c.start] == after.ptr[c.start])
        c.start++;
    while (c.old_end > c.start && c.new_end > c.start &&
           before.ptr[c.old_end - 1] == after.ptr[c.new_end - 1]) {
        c.old_end--;
        c.new_end--;
    }
    c.empty = c.start == c.old_end && c.start == c.new_end;
    c.before = before;
    c.after = after;
    c.old_text = str_slice(before, c.start, c.old_end);
    c.new_text = str_slice(after, c.start, c.new_end);
    return c;
}

static bool touches_word(Str s, size_t start, size_t end)
{
    return start == end || str_is_word_byte(s.ptr[start]) || str_is_word_byte(s.ptr[end - 1]);
}

// The change as one of whole words.
static Change whole_words(Change c)
{
    if (!touches_word(c.before, c.start, c.old_end) || !touches_word(c.after, c.start, c.new_end))
        return c;
    while (c.start > 0 && str_is_word_byte(c.before.ptr[c.start - 1]))
        c.start--;
    while (c.old_end < c.before.len && str_is_word_byte(c.before.ptr[c.old_end])) {
        c.old_end++;
        c.new_end++;
    }
    c.old_text = str_slice(c.before, c.start, c.old_end);
    c.new_text = str_slice(c.after, c.start, c.new_end);
    return c;
}

// Where a place of the text before edit number `first` is after all edits.
static size_t move(const Edits *edits, size_t first, size_t at)
{
    for (size_t i = first; i < edits->n; i++) {
        const Edit *edit = &edits->items[i];
        if (at >= edit->old_end)
            at = at - edit->old_end + edit->new_end;
        else if (at > edit->start)
            at = edit->start;
    }
    return at;
}

typedef VEC(NextEdit) NextEditVec;

typedef struct Finder {
    const NextEditRequest *request;
    Arena *arena;
    NextEditVec found;
} Finder;

static void add(Finder *f, NextEdit edit)
{
    VEC_PUSH(&f->found, edit);
}

// --- rename --------------------------------------------------------------------------------------

// Is the changed name where the file defines it? Of a local: where its scope declares it.
static bool is_declaration(const Syntax *before, const Target *target, Arena *arena)
{
    if (target->is_local)
        return target->declared.start == target->range.start &&
               target->declared.end == target->range.end;
    Symbol *symbols;
    size_t n = symbols_named(before, target->name, arena, &symbols);
    for (size_t i = 0; i < n; i++)
        if (symbols[i].name_range.start == target->range.start) return true;
    return false;
}

// Places of the old name in the current tree that were the target's in the old one.
static void add_old_places(Finder *f, const Syntax *before, const Target *target, size_t first,
                           const Change *c)
{
    const Edits *edits = f->request->edits;
    Str now = text_str(syntax_text(f->request->syntax));
    TargetPlace *places;
    size_t n = target_places(before, target, f->arena, &places);
    // Other types may have a member of the name.
    NextEditHow how = target->is_member ? NEXT_EDIT_LIKELY : NEXT_EDIT_CERTAIN;
    for (size_t i = 0; i < n; i++) {
        size_t at = move(edits, first, places[i].range.start);
        ByteRange range = {at, at + target->name.len};
        bool word_ends = range.end >= now.len || !str_is_word_byte(now.ptr[range.end]);
        if (str_equal(str_slice(now, range.start, range.end), target->name) && word_ends)
            add(f, (NextEdit){.range = range, .how = how, .text = c->new_text});
    }
}

// Of another document, which must not define the name itself.
static void add_places_elsewhere(Finder *f, const Target *target, const Change *c)
{
    Symbol *symbols;
    size_t n_symbols = symbols_named(f->request->syntax, target->name, f->arena, &symbols);
    for (size_t i = 0; i < n_symbols; i++)
        if (!symbols[i].is_declaration) return;
    TargetPlace *places;
    size_t n = target_places(f->request->syntax, target, f->arena, &places);
    for (size_t i = 0; i < n; i++)
        if (!places[i].declares) add(f, (NextEdit){.range = places[i].range, .text = c->new_text});
}

// A keyword in its place is no name.
static bool is_name_node(const Syntax *syntax, size_t start, size_t end)
{
    TSNode node =
        ts_node_descendant_for_byte_range(syntax_root(syntax), (uint32_t)start, (uint32_t)end);
    return ts_node_start_byte(node) == start && ts_node_end_byte(node) == end &&
           strstr(ts_node_type(node), "identifier");
}

// Of edit number i. True: it declared a name anew, whether or not places are left.
static bool find_rename(Finder *f, size_t i)
{
    const NextEditRequest *request = f->request;
    const Edits *edits = request->edits;
    Change c = whole_words(next_edit_change(edits, i, request->edited));
    if (!str_is_name(c.old_text) || !str_is_name(c.new_text)) return false;
    size_t now = move(edits, i + 1, c.start);
    if (request->same && !is_name_node(request->syntax, now, now + c.new_text.len)) return false;
    Syntax *before = syntax_parse(request->lang, edits->items[i].before, NULL);
    Target target;
    bool declared = before && target_find(before, c.start, &target) &&
                    target.range.start == c.start && is_declaration(before, &target, f->arena);
    if (declared && request->same)
        add_old_places(f, before, &target, i, &c);
    else if (declared && !target.is_local && !target.is_member)
        add_places_elsewhere(f, &target, &c);
    syntax_release(before);
    return declared;
}

// --- repeat --------------------------------------------------------------------------------------

enum { MAX_CONTEXT = 24, MIN_CONTEXT = 4 };

static size_t same_before(const Change *a, const Change *b)
{
    size_t n = 0;
    while (n < a->start && n < b->start && n < MAX_CONTEXT &&
           a->before.ptr[a->start - 1 - n] == b->before.ptr[b->start - 1 - n] &&
           a->before.ptr[a->start - 1 - n] != '\n')
        n++;
    return n;
}

static size_t same_after(const Change *a, const Change *b)
{
    size_t n = 0, x = a->old_end, y = b->old_end;
    while (x + n < a->before.len && y + n < b->before.len && n < MAX_CONTEXT &&
           a->before.ptr[x + n] == b->before.ptr[y + n] && a->before.ptr[x + n] != '\n')
        n++;
    return n;
}

static bool has_letter(Str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (str_is_word_byte(s.ptr[i])) return true;
    return false;
}

// What was changed twice with the same around it is offered where that stands; the model decides.
static void find_repeat(Finder *f)
{
    const NextEditRequest *request = f->request;
    size_t n = request->edits->n;
    if (n < 2) return;
    Change newest = whole_words(next_edit_change(request->edits, n - 1, request->edited));
    Change other = whole_words(next_edit_change(request->edits, n - 2, request->edited));
    const Change *last = &newest;
    if (last->empty || !str_equal(other.old_text, last->old_text) ||
        !str_equal(other.new_text, last->new_text))
        return;
    size_t left = same_before(last, &other), right = same_after(last, &other);
    Str pattern = str_slice(last->before, last->start - left, last->old_end + right);
    Str now = text_str(syntax_text(request->syntax));
    if (pattern.len < MIN_CONTEXT || !has_letter(pattern)) return;
    // An empty text cannot be asked for: then it goes on to the end of what follows.
    size_t tail = 0;
    bool is_empty = last->old_text.len == 0 || last->new_text.len == 0;
    while (is_empty && tail < right &&
           (tail == 0 || str_is_word_byte(last->before.ptr[last->old_end + tail])))
        tail++;
    for (size_t at = 0; (at = str_find(now, pattern, at)) < now.len; at += pattern.len) {
        ByteRange range = {at + left, at + left + last->old_text.len + tail};
        bool inside =
            at > 0 && str_is_word_byte(pattern.ptr[0]) && str_is_word_byte(now.ptr[at - 1]);
        Str after = str_slice(last->before, last->old_end, last->old_end + tail);
        if (!inside && range.end > range.start)
            add(f, (NextEdit){.range = range,
                              .how = NEXT_EDIT_LIKELY,
                              .text = arena_printf(f->arena, "%.*s%.*s", STR_FMT(last->new_text),
                                                   STR_FMT(after))});
    }
}

// --- signature -----------------------------------------------------------------------------------

// Before two whole files are parsed: does the change look like one of a list?
static bool may_be_list(const Change *c)
{
    return memchr(c->old_text.ptr, ',', c->old_text.len) ||
           memchr(c->new_text.ptr, ',', c->new_text.len) ||
           (c->start > 0 && c->before.ptr[c->start - 1] == '(');
}

// Of edit number i.
static void find_signature(Finder *f, size_t i)
{
    const NextEditRequest *request = f->request;
    Change c = next_edit_change(request->edits, i, request->edited);
    if (!may_be_list(&c)) return;
    Syntax *before = syntax_parse(request->lang, request->edits->items[i].before, NULL);
    Syntax *after =
        syntax_parse(request->lang, edits_after(request->edits, i, request->edited), NULL);
    SignatureChange change;
    NextEdit *found;
    if (before && after && signature_find(before, after, &c, f->arena, &change)) {
        size_t n = signature_places(request->syntax, &change, f->arena, &found);
        for (size_t k = 0; k < n; k++)
            add(f, found[k]);
    }
    syntax_release(before);
    syntax_release(after);
}

// --- the order -----------------------------------------------------------------------------------

static int by_place(const void *a, const void *b)
{
    const NextEdit *x = a, *y = b;
    return (x->range.start > y->range.start) - (x->range.start < y->range.start);
}

// Does an older edit make the same of the same, or is this one nothing?
static bool is_later_step(const NextEditRequest *request, size_t i)
{
    Change c = whole_words(next_edit_change(request->edits, i, request->edited));
    for (size_t k = 0; k < i && !c.empty; k++) {
        Change older = whole_words(next_edit_change(request->edits, k, request->edited));
        if (str_equal(older.old_text, c.old_text) && str_equal(older.new_text, c.new_text))
            return true;
    }
    return c.empty;
}

size_t next_edit_find(const NextEditRequest *request, Arena *arena, NextEdit **out)
{
    Finder f = {.request = request, .arena = arena};
    *out = NULL;
    if (request->edits->n == 0 || !request->lang || !request->syntax) return 0;
    // What an older edit left to be done is still to be done.
    bool renamed = false;
    for (size_t i = request->edits->n; i-- > 0 && f.found.n == 0;) {
        if (is_later_step(request, i)) continue;
        if (find_rename(&f, i))
            renamed = true;
        else
            find_signature(&f, i);
    }
    // The steps of a rename repeat each other, but end with its scope.
    if (f.found.n == 0 && !renamed) find_repeat(&f);
    size_t n = f.found.n, first = 0;
    if (n) qsort(f.found.items, n, sizeof *f.found.items, by_place);
    while (first < n && f.found.items[first].range.start < request->byte_off)
        first++;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = f.found.items[(first + i) % n];
        (*out)[i].text = arena_str(arena, (*out)[i].text);
    }
    VEC_FREE(&f.found);
    return n < NEXT_EDIT_MAX ? n : NEXT_EDIT_MAX;
}

// --- the model -----------------------------------------------------------------------------------

bool next_edit_ask(const Syntax *syntax, const NextEdit *edit, Arena *arena, CompleteRequest *out,
                   Error *err)
{
    const TextSnap *now = syntax_text(syntax);
    bool written = edit->how == NEXT_EDIT_WRITTEN;
    Str old = str_slice(text_str(now), edit->range.start, edit->range.end);
    Str hole = written
                   ? arena_printf(arena, "%.*s%.*s", STR_FMT(edit->before), STR_FMT(edit->after))
                   : STR("");
    TextSnap *text = text_edit(now, edit->range, hole, NULL, err);
    if (!text) return false;
    *out = (CompleteRequest){.text = text,
                             .lang = syntax_language(syntax),
                             .byte_off = edit->range.start + edit->before.len,
                             .gate = 0};
    if (written) return true;
    Str *choices = arena_array(arena, 2, sizeof *choices);
    choices[0] = old; // where both are as likely it stays
    choices[1] = edit->text;
    out->choices = choices;
    out->n_choices = 2;
    return true;
}

// The beginning of s that is one argument: to a comma or closer that is not within brackets.
static Str first_argument(Str s)
{
    int depth = 0;
    char quote = '\0';
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\n') return str_slice(s, 0, i);
        if (quote) {
            if (c == '\\') i++;
            if (c == quote) quote = '\0';
            continue;
        }
        if (c == '"' || c == '\'') quote = c;
        if (strchr("([{", c)) depth++;
        if (depth == 0 && strchr(",)]};", c)) return str_slice(s, 0, i);
        if (strchr(")]}", c)) depth--;
    }
    return s;
}

bool next_edit_take(const Syntax *syntax, NextEdit *edit, const CompleteResult *result,
                    Arena *arena)
{
    Str old = str_slice(text_str(syntax_text(syntax)), edit->range.start, edit->range.end);
    if (edit->how == NEXT_EDIT_WRITTEN) {
        enum { MIN_SURE_PCT = 50 };
        Str argument = str_trim(first_argument(result->raw));
        if (argument.len == 0 || result->confidence * 100 < MIN_SURE_PCT) return false;
        edit->text = arena_printf(arena, "%.*s%.*s%.*s", STR_FMT(edit->before), STR_FMT(argument),
                                  STR_FMT(edit->after));
        return true;
    }
    // The answer begins with the choice; the longer one may begin with the shorter.
    bool is_new = str_starts(result->raw, edit->text);
    bool is_old = str_starts(result->raw, old);
    return is_new && (!is_old || edit->text.len > old.len);
}

bool next_edit_adds_error(const Syntax *syntax, const NextEdit *edit)
{
    Error err = {0};
    TextChange change;
    const ByteRange all = {0, SIZE_MAX};
    TextSnap *text = text_edit(syntax_text(syntax), edit->range, edit->text, &change, &err);
    Syntax *after = text ? syntax_reparse(syntax, text, &change, 1, NULL) : NULL;
    bool worse = !after || syntax_error_count(after, all) > syntax_error_count(syntax, all);
    if (after) syntax_release(after);
    text_release(text);
    return worse;
}
