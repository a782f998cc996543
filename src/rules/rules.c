// Runs the rules' query over a tree: predicates first, then the directives of the matched pattern.
#include "rules/rules.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "rules/predicates.h"
#include "workspace/queries.h"

typedef VEC(RuleFinding) FindingVec;

// The directives of one pattern.
typedef struct Directives {
    Str rule, severity, message, at, fix, fix_at, fix_title;
    bool first_line, unnecessary, has_fix;
} Directives;

// --- predicates and directives of a pattern ------------------------------------------------------

static Str string_of(const TSQuery *query, uint32_t id)
{
    uint32_t len;
    const char *text = ts_query_string_value_for_id(query, id, &len);
    return (Str){text, len};
}

static void set_directive(Directives *d, Str key, Str value)
{
    const struct {
        Str key;
        Str *text;
        bool *flag;
    } rows[] = {{STR("rule"), &d->rule, NULL},
                {STR("severity"), &d->severity, NULL},
                {STR("message"), &d->message, NULL},
                {STR("at"), &d->at, NULL},
                {STR("fix"), &d->fix, &d->has_fix},
                {STR("fix-at"), &d->fix_at, NULL},
                {STR("fix-title"), &d->fix_title, NULL},
                {STR("at-first-line"), NULL, &d->first_line},
                {STR("unnecessary"), NULL, &d->unnecessary}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_equal(rows[i].key, key)) continue;
        if (rows[i].text) *rows[i].text = value;
        if (rows[i].flag) *rows[i].flag = true;
        return;
    }
    assert(!"a directive that rules.h does not know");
}

// The end of the predicate that begins at step i: its DONE step.
static uint32_t end_of(const TSQueryPredicateStep *steps, uint32_t i)
{
    while (steps[i].type != TSQueryPredicateStepTypeDone)
        i++;
    return i;
}

static Directives read_directives(const TSQuery *query, uint32_t pattern)
{
    Directives d = {0};
    uint32_t n;
    const TSQueryPredicateStep *steps = ts_query_predicates_for_pattern(query, pattern, &n);
    for (uint32_t i = 0; i < n; i = end_of(steps, i) + 1) {
        if (!str_equal(string_of(query, steps[i].value_id), STR("set!"))) continue;
        set_directive(&d, string_of(query, steps[i + 1].value_id),
                      string_of(query, steps[i + 2].value_id));
    }
    assert(d.rule.len && d.message.len);
    return d;
}

static RuleSeverity severity_of(Str word)
{
    if (str_equal(word, STR("error"))) return SEVERITY_ERROR;
    if (str_equal(word, STR("warning"))) return SEVERITY_WARNING;
    return str_equal(word, STR("hint")) ? SEVERITY_HINT : SEVERITY_INFORMATION;
}

static Str node_text(const RuleMatch *m, TSNode node)
{
    return str_slice(m->text, ts_node_start_byte(node), ts_node_end_byte(node));
}

static bool capture_by_id(const RuleMatch *m, uint32_t id, TSNode *out)
{
    for (uint16_t i = 0; i < m->match->capture_count; i++) {
        if (m->match->captures[i].index != id) continue;
        *out = m->match->captures[i].node;
        return true;
    }
    return false;
}

static bool capture_by_name(const RuleMatch *m, Str name, TSNode *out)
{
    for (uint16_t i = 0; i < m->match->capture_count; i++) {
        uint32_t len;
        const char *text =
            ts_query_capture_name_for_id(m->query, m->match->captures[i].index, &len);
        if (!str_equal((Str){text, len}, name)) continue;
        *out = m->match->captures[i].node;
        return true;
    }
    return false;
}

static bool holds(const RuleMatch *m, const TSQueryPredicateStep *steps, uint32_t n)
{
    RuleArgument arguments[RULE_MAX_ARGUMENTS];
    Str name = string_of(m->query, steps[0].value_id);
    if (str_equal(name, STR("set!"))) return true;
    assert(n - 1 <= RULE_MAX_ARGUMENTS);
    for (uint32_t i = 1; i < n; i++) {
        RuleArgument *a = &arguments[i - 1];
        *a = (RuleArgument){.is_node = steps[i].type == TSQueryPredicateStepTypeCapture};
        if (!a->is_node)
            a->text = string_of(m->query, steps[i].value_id);
        else if (!capture_by_id(m, steps[i].value_id, &a->node))
            return false;
        else
            a->text = node_text(m, a->node);
    }
    return predicate_holds(m, name, arguments, n - 1);
}

static bool all_hold(const RuleMatch *m)
{
    uint32_t n, end;
    const TSQueryPredicateStep *steps =
        ts_query_predicates_for_pattern(m->query, m->match->pattern_index, &n);
    for (uint32_t i = 0; i < n; i = end + 1) {
        end = end_of(steps, i);
        if (!holds(m, steps + i, end - i)) return false;
    }
    return true;
}

// --- findings ------------------------------------------------------------------------------------

// The text with {capture} replaced by what was captured, on one line.
static Str expand(const RuleMatch *m, Str text, Arena *arena)
{
    StrBuf out = {0};
    for (size_t at = 0; at < text.len;) {
        size_t open = str_find(text, STR("{"), at), close = str_find(text, STR("}"), open);
        TSNode node;
        strbuf_append(&out, str_slice(text, at, open));
        if (open < text.len && close < text.len &&
            capture_by_name(m, str_slice(text, open + 1, close), &node)) {
            strbuf_append(&out, node_text(m, node));
            at = close + 1;
        } else {
            strbuf_append(&out, str_slice(text, open, open + 1));
            at = open + 1;
        }
    }
    Str result = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return result;
}

static TSNode captured(const RuleMatch *m, Str name, Str other)
{
    TSNode node;
    if (name.len && capture_by_name(m, name, &node)) return node;
    bool found = capture_by_name(m, other, &node);
    assert(found);
    (void)found;
    return node;
}

static ByteRange first_line(const RuleMatch *m, ByteRange range)
{
    Str text = str_slice(m->text, range.start, range.end);
    size_t end = range.start + str_find(text, STR("\n"), 0);
    while (end > range.start + 1 && strchr(" \t\r", m->text.ptr[end - 1]))
        end--;
    return (ByteRange){range.start, end};
}

static RuleFinding make_finding(const RuleMatch *m, const Directives *d, Arena *arena)
{
    RuleFinding f = {.rule = d->rule,
                     .severity = severity_of(d->severity),
                     .unnecessary = d->unnecessary,
                     .has_fix = d->has_fix};
    Str at = d->at.len ? d->at : STR("at");
    f.range = syntax_range(captured(m, at, at));
    if (d->first_line) f.range = first_line(m, f.range);
    f.message = expand(m, d->message, arena);
    for (size_t i = 0; i < f.message.len; i++) // captures may hold line breaks; the copy is ours
        if (strchr("\r\n\t", f.message.ptr[i])) ((char *)f.message.ptr)[i] = ' ';
    if (!f.has_fix) return f;
    f.fix_range = syntax_range(captured(m, d->fix_at, at));
    f.fix = expand(m, d->fix, arena);
    f.fix_title = expand(m, d->fix_title, arena);
    return f;
}

bool rules_is_listed(Str list, Str rule)
{
    for (size_t at = 0; at < list.len;) {
        size_t end = at;
        while (end < list.len && !strchr(", \t\r\n", list.ptr[end]))
            end++;
        Str word = str_slice(list, at, end);
        if (str_equal(word, rule) || str_equal(word, STR("all"))) return true;
        at = end + 1;
    }
    return false;
}

// Comments that switch rules off; others' marks count, because they were put there on purpose.
static bool is_ignored(const RuleMatch *m, size_t start)
{
    const TextSnap *text = syntax_text(m->syntax);
    uint32_t row = text_point(text, start).row;
    size_t at = text_line_start(text, row);
    Str line = str_slice(m->text, at, text_line_end(text, row));
    if (str_contains(line, "r1ls-ignore") || str_contains(line, "NOLINT") ||
        str_contains(line, "noqa"))
        return true;
    if (row == 0) return false;
    Str above =
        str_trim(str_slice(m->text, text_line_start(text, row - 1), text_line_end(text, row - 1)));
    return str_contains(above, "r1ls-ignore") && above.len && strchr("/#-*", above.ptr[0]);
}

static int by_place(const void *a, const void *b)
{
    const RuleFinding *x = a, *y = b;
    if (x->range.start != y->range.start) return x->range.start < y->range.start ? -1 : 1;
    return str_compare(x->rule, y->rule);
}

// Several patterns of a rule may see the same place.
static size_t sort_once(RuleFinding *items, size_t n)
{
    size_t kept = 0;
    if (n) qsort(items, n, sizeof *items, by_place);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_place(&items[kept - 1], &items[i]) != 0) items[kept++] = items[i];
    return kept;
}

size_t rules_find(const Syntax *syntax, Str path, size_t max, Arena *arena, RuleFinding **out)
{
    const TSQuery *query = queries_get(syntax_language(syntax), QUERY_RULES);
    FindingVec found = {0};
    *out = NULL;
    if (!query) return 0;
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    RuleMatch m = {.syntax = syntax,
                   .text = text_str(syntax_text(syntax)),
                   .path = path,
                   .query = query,
                   .match = &match};
    ts_query_cursor_exec(cursor, query, syntax_root(syntax));
    while (ts_query_cursor_next_match(cursor, &match)) {
        if (!all_hold(&m)) continue;
        Directives d = read_directives(query, match.pattern_index);
        RuleFinding finding = make_finding(&m, &d, arena);
        if (finding.range.end > finding.range.start && !is_ignored(&m, finding.range.start))
            VEC_PUSH(&found, finding);
    }
    ts_query_cursor_delete(cursor);
    size_t n = sort_once(found.items, found.n);
    if (n > max) n = max;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    if (n) memcpy(*out, found.items, n * sizeof **out);
    VEC_FREE(&found);
    return n;
}

// --- the list ------------------------------------------------------------------------------------

typedef VEC(RuleInfo) RuleInfoVec;

static void add_once(RuleInfoVec *list, const Directives *d)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_equal(list->items[i].id, d->rule)) return;
    VEC_PUSH(list, (RuleInfo){d->rule, d->message, severity_of(d->severity)});
}

bool rules_is_known(Str id)
{
    char directive[80];
    size_t n;
    const Language *all = languages(&n);
    if (snprintf(directive, sizeof directive, "(#set! rule \"%.*s\")", STR_FMT(id)) >=
        (int)sizeof directive)
        return false;
    for (size_t l = 0; l < n; l++)
        for (const char *const *source = all[l].queries.rules; source && *source; source++)
            if (strstr(*source, directive)) return true;
    return false;
}

size_t rules_list(Arena *arena, RuleInfo **out)
{
    size_t n_languages;
    const Language *all = languages(&n_languages);
    RuleInfoVec list = {0};
    for (size_t l = 0; l < n_languages; l++) {
        const TSQuery *query = queries_get(&all[l], QUERY_RULES);
        uint32_t n = query ? ts_query_pattern_count(query) : 0;
        for (uint32_t p = 0; p < n; p++) {
            Directives d = read_directives(query, p);
            add_once(&list, &d);
        }
    }
    size_t n = list.n;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    if (n) memcpy(*out, list.items, n * sizeof **out);
    VEC_FREE(&list);
    return n;
}
