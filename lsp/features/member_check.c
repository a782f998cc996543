// A wrong "it does not exist" costs a right suggestion, so a type is judged only if each file that
// defines it, among those that the document can see by its includes, shows all of it: no macro, no
// include and no error in its body, and the name nowhere in it. Of Python only `self` is judged,
// in a class without bases, and names that the whole project does not know.
#include "features/member_check.h"

#include <string.h>

#include "base/vec.h"
#include "features/members.h"
#include "workspace/node.h"

enum { MAX_SEEN = 64, MAX_MEMBERS = 48 };

typedef VEC(Str) Names;

// --- cheap, on the loop

static bool is_member_operator(Str text, size_t at)
{
    if (at >= 2 && text.ptr[at - 1] == '>' && text.ptr[at - 2] == '-') return true;
    if (at < 2 || text.ptr[at - 1] != '.') return false;
    char before = text.ptr[at - 2];
    return str_is_word_byte(before) || before == ']';
}

bool member_check_is_wanted(const Language *lang, const TextSnap *text, size_t byte_off, Str insert)
{
    if (!lang || (strcmp(lang->id, "c") != 0 && strcmp(lang->id, "python") != 0)) return false;
    Str before = str_slice(text_str(text), 0, byte_off);
    size_t at = before.len;
    while (at > 0 && str_is_word_byte(before.ptr[at - 1]))
        at--;
    if (insert.len && str_is_word_byte(insert.ptr[0]) && is_member_operator(before, at))
        return true;
    for (size_t i = 0; i < insert.len; i++)
        if (insert.ptr[i] == '.' || insert.ptr[i] == '>') return true;
    return false;
}

// --- what a document sees

// The files that the document includes, directly or by what it includes, and the document.
typedef struct Seen {
    const Question *q;
    Str paths[MAX_SEEN];
    size_t n;
    bool whole; // all includes between quotes were found
} Seen;

static bool has_path(const Seen *seen, Str path)
{
    for (size_t i = 0; i < seen->n; i++)
        if (str_equal(seen->paths[i], path)) return true;
    return false;
}

static void add_included(Seen *seen, Str name)
{
    bool found = false;
    for (size_t i = 0; i < seen->q->n_indexes; i++) {
        Str *paths;
        size_t n = index_files_ending(seen->q->indexes[i], name, MAX_SEEN, seen->q->arena, &paths);
        for (size_t k = 0; k < n; k++) {
            found = true;
            if (has_path(seen, paths[k])) continue;
            if (seen->n < MAX_SEEN)
                seen->paths[seen->n++] = paths[k];
            else
                seen->whole = false;
        }
    }
    seen->whole = seen->whole && found;
}

static void read_includes(Seen *seen, Str text)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = str_find(text, STR("\n"), at);
        Str line = str_trim(str_slice(text, at, end));
        at = end + 1;
        if (line.len == 0 || line.ptr[0] != '#') continue;
        line = str_trim(str_slice(line, 1, line.len));
        if (!str_starts(line, STR("include"))) continue;
        size_t open = str_find(line, STR("\""), 0), close = str_find(line, STR("\""), open + 1);
        if (close < line.len)
            add_included(seen, arena_str(seen->q->arena, str_slice(line, open + 1, close)));
    }
}

static void look_around(const Question *q, Seen *seen)
{
    *seen = (Seen){.q = q, .n = 1, .whole = true};
    seen->paths[0] = q->path;
    for (size_t i = 0; i < seen->n; i++) {
        TextSnap *text = question_text(q, seen->paths[i]);
        if (!text) continue;
        read_includes(seen, text_str(text));
        text_release(text);
    }
}

// --- what a type holds

static void add_name(Names *names, Str name)
{
    if (name.len && names->n < MAX_MEMBERS) VEC_PUSH(names, name);
}

// The name of a declarator, through pointers, arrays and functions.
static Str declared_name(Str text, TSNode node)
{
    for (int depth = 0; depth < 12 && !ts_node_is_null(node); depth++) {
        if (node_is(node, "field_identifier"))
            return str_slice(text, ts_node_start_byte(node), ts_node_end_byte(node));
        TSNode inner = node_field(node, "declarator");
        if (ts_node_is_null(inner) && node_is(node, "parenthesized_declarator"))
            inner = ts_node_named_child(node, 0);
        node = inner;
    }
    return STR("");
}

static bool are_known_rows(Str text, TSNode list, Names *names);

// FOO(x); is a macro, though it reads as a function; `int (*f)(void)` is a member.
static bool is_macro_call(TSNode declarator)
{
    while (node_is(declarator, "pointer_declarator") || node_is(declarator, "array_declarator"))
        declarator = node_field(declarator, "declarator");
    return node_is(declarator, "function_declarator") &&
           !node_is(node_field(declarator, "declarator"), "parenthesized_declarator");
}

// One row of a body. False: it may hold what cannot be seen.
static bool is_known_row(Str text, TSNode row, Names *names)
{
    const char *kind = ts_node_type(row);
    if (strstr(kind, "comment")) return true;
    if (strncmp(kind, "preproc_if", 10) == 0 || strncmp(kind, "preproc_el", 10) == 0)
        return are_known_rows(text, row, names); // what is switched off counts as being there
    if (!node_is(row, "field_declaration")) return false;
    TSNode type = node_field(row, "type");
    bool named = false;
    for (uint32_t i = 0; i < ts_node_child_count(row); i++) {
        const char *name = ts_node_field_name_for_child(row, i);
        if (!name || strcmp(name, "declarator") != 0) continue;
        Str member = declared_name(text, ts_node_child(row, i));
        if (member.len == 0 || is_macro_call(ts_node_child(row, i))) return false;
        add_name(names, member);
        named = true;
    }
    if (named) return true;
    // An anonymous struct or union gives its members; `struct tag;` may be an extension's base.
    TSNode body = node_field(type, "body");
    bool bits = ts_node_named_child_count(row) == 2 &&
                node_is(ts_node_named_child(row, 1), "bitfield_clause");
    if (bits) return true; // an unnamed bit-field
    return ts_node_is_null(node_field(type, "name")) && !ts_node_is_null(body) &&
           are_known_rows(text, body, names);
}

static bool are_known_rows(Str text, TSNode list, Names *names)
{
    if (ts_node_has_error(list)) return false;
    for (uint32_t i = 0; i < ts_node_child_count(list); i++) {
        TSNode row = ts_node_child(list, i);
        const char *name = ts_node_field_name_for_child(list, i);
        bool condition = name && (strcmp(name, "condition") == 0 || strcmp(name, "name") == 0);
        if (!ts_node_is_named(row) || condition) continue;
        if (!is_known_row(text, row, names)) return false;
    }
    return true;
}

// The struct or union with a body at or in the node.
static TSNode body_at(TSNode node)
{
    for (int depth = 0; depth < 3 && !ts_node_is_null(node); depth++) {
        TSNode body = node_field(node, "body");
        if (node_is(body, "field_declaration_list")) return body;
        node = node_field(node, "type");
    }
    return (TSNode){0};
}

typedef enum Finding { FINDING_NO_BODY, FINDING_LACKS, FINDING_UNKNOWN } Finding;

// What one definition of the type says of the name. Adds its members.
static Finding judge_at(const Question *q, const IndexHit *hit, Str name, Names *names)
{
    Syntax *syntax = question_read(q, hit->path, STR(""));
    if (!syntax) return FINDING_UNKNOWN;
    Str text = text_str(syntax_text(syntax));
    Finding finding = FINDING_UNKNOWN;
    if (hit->range.end <= text.len) {
        TSNode node = ts_node_descendant_for_byte_range(
            syntax_root(syntax), (uint32_t)hit->range.start, (uint32_t)hit->range.end);
        TSNode body = body_at(node);
        ByteRange r = ts_node_is_null(body) ? (ByteRange){0, 0} : syntax_range(body);
        size_t before = names->n;
        if (ts_node_is_null(body))
            finding = FINDING_NO_BODY;
        else if (are_known_rows(text, body, names) &&
                 !str_has_word(str_slice(text, r.start, r.end), name))
            finding = FINDING_LACKS;
        for (size_t i = before; i < names->n; i++)
            names->items[i] = arena_str(q->arena, names->items[i]);
    }
    syntax_release(syntax);
    return finding;
}

// A name that is some macro's stands for something else.
static bool is_macro(const Question *q, Str name)
{
    IndexHit *hits;
    size_t n = question_find(q, name, &hits);
    for (size_t i = 0; i < n; i++)
        if (hits[i].kind == SYMBOL_MACRO) return true;
    return false;
}

static bool type_lacks(const Question *q, Str type, Str name, Names *names)
{
    IndexHit *hits;
    size_t n = question_find(q, type, &hits), n_lacking = 0;
    Finding *findings = arena_array(q->arena, n ? n : 1, sizeof *findings);
    for (size_t i = 0; i < n; i++) {
        bool is_type = hits[i].kind == SYMBOL_STRUCT || hits[i].kind == SYMBOL_TYPE;
        findings[i] = is_type ? judge_at(q, &hits[i], name, names) : FINDING_NO_BODY;
        n_lacking += findings[i] == FINDING_LACKS;
    }
    if (n_lacking == 0) return false; // the usual case, before includes are read
    Seen seen;
    look_around(q, &seen);
    n_lacking = 0;
    for (size_t i = 0; i < n; i++) {
        if (findings[i] == FINDING_NO_BODY || !has_path(&seen, hits[i].path)) continue;
        if (findings[i] == FINDING_UNKNOWN) return false;
        n_lacking++;
    }
    return seen.whole && n_lacking > 0 && !is_macro(q, name);
}

// --- Python

static TSNode class_around(TSNode node)
{
    while (!ts_node_is_null(node) && !node_is(node, "class_definition"))
        node = ts_node_parent(node);
    return node;
}

static bool is_assigned(Str text, size_t end)
{
    while (end < text.len && text.ptr[end] == ' ')
        end++;
    Str rest = str_slice(text, end, text.len);
    return str_starts(rest, STR(":")) || str_starts(rest, STR(",")) ||
           (str_starts(rest, STR("=")) && !str_starts(rest, STR("==")));
}

// `self.name` at start, where nothing but the class itself can have given it the name.
static bool self_lacks(const Question *q, size_t start, Str name, Names *names)
{
    static const char *const dynamic[] = {"setattr",  "__getattr__", "__getattribute__",
                                          "__dict__", "__slots__",   "vars"};
    IndexHit *hits;
    Str text = text_str(q->text);
    if (start < 5 || !str_equal(str_slice(text, start - 5, start), STR("self."))) return false;
    if (start >= 6 && (str_is_word_byte(text.ptr[start - 6]) || text.ptr[start - 6] == '.'))
        return false;
    uint32_t at = (uint32_t)start;
    TSNode class = class_around(ts_node_descendant_for_byte_range(syntax_root(q->syntax), at, at));
    if (ts_node_is_null(class) || node_is(ts_node_parent(class), "decorated_definition"))
        return false;
    if (!ts_node_is_null(node_field(class, "superclasses"))) return false;
    if (str_starts(name, STR("__")) || is_assigned(text, start + name.len)) return false;
    ByteRange r = syntax_range(class);
    for (size_t i = 0; i < sizeof dynamic / sizeof *dynamic; i++)
        if (str_has_word(str_slice(text, r.start, r.end), str_from(dynamic[i]))) return false;
    bool elsewhere = str_has_word(str_slice(text, 0, start), name) ||
                     str_has_word(str_slice(text, start + name.len, text.len), name);
    if (elsewhere || question_find(q, name, &hits) > 0) return false;
    size_t n = members_find(q, start, &hits);
    for (size_t i = 0; i < n; i++)
        add_name(names, hits[i].name);
    return n > 0;
}

// --- the check

static bool has_lower(Str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] >= 'a' && name.ptr[i] <= 'z') return true;
    return false;
}

// Does the member at [start, end) of the text not exist?
static bool is_wrong(const Question *after, size_t start, size_t end, Names *names)
{
    Str name = str_slice(text_str(after->text), start, end), type;
    names->n = 0;
    if (!has_lower(name)) return false; // a macro's, as it looks
    if (strcmp(after->lang->id, "python") == 0) return self_lacks(after, start, name, names);
    type = members_receiver_type(after, start);
    return type.len && type_lacks(after, type, name, names);
}

// The members that begin with what stands before the insertion, without it.
static void keep_members(const Question *q, const Names *names, Str typed, WrongMember *out)
{
    out->members = arena_array(q->arena, names->n ? names->n : 1, sizeof *out->members);
    out->n_members = 0;
    for (size_t i = 0; i < names->n; i++) {
        Str name = names->items[i];
        if (str_starts(name, typed) && name.len > typed.len)
            out->members[out->n_members++] =
                arena_str(q->arena, str_slice(name, typed.len, name.len));
    }
}

bool member_check_find(const Question *q, Str insert, ByteRange replace, WrongMember *out)
{
    Error err = {0};
    TextChange change;
    TextSnap *text = text_edit(q->text, replace, insert, &change, &err);
    if (!text) return false;
    Question after = *q;
    after.text = text;
    bool is_parsed = q->syntax && syntax_text(q->syntax) == q->text;
    after.syntax = is_parsed ? syntax_reparse(q->syntax, text, &change, 1, &q->cancelled)
                             : syntax_parse(q->lang, text, &q->cancelled);
    Str all = text_str(text);
    Names names = {0};
    bool found = false;
    size_t last = replace.start + insert.len;
    for (size_t at = replace.start; after.syntax && at < last && !found; at++) {
        if (!str_is_word_byte(all.ptr[at])) continue;
        size_t start = at;
        while (start > 0 && str_is_word_byte(all.ptr[start - 1]))
            start--;
        while (at < all.len && str_is_word_byte(all.ptr[at]))
            at++;
        // A name that goes on behind the insertion is the user's too.
        if (at > last || !is_member_operator(all, start)) continue;
        found = is_wrong(&after, start, at, &names);
        if (!found) continue;
        size_t begins = start > replace.start ? start : replace.start;
        *out = (WrongMember){.begins = begins - replace.start, .ends = at - replace.start};
        keep_members(q, &names, str_slice(all, start, begins), out);
    }
    VEC_FREE(&names);
    if (after.syntax) syntax_release(after.syntax);
    text_release(text);
    return found;
}
