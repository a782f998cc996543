// SMT-LIB 2 out and in: a script of one assertion, and the values of a model.
#include <stdlib.h>
#include <string.h>

#include "formal/term_node.h"

// --- printing ------------------------------------------------------------------------------------

static const char *const functions[] = {
#define X(name, smt) smt,
    TERM_OPS(X)
#undef X
};

static void print_sort(const TermNode *n, StrBuf *out)
{
    if (n->is_array)
        strbuf_printf(out, "(Array (_ BitVec 64) (_ BitVec %d))", n->width);
    else if (n->width == 0)
        strbuf_append(out, STR("Bool"));
    else
        strbuf_printf(out, "(_ BitVec %d)", n->width);
}

static void print_const(const TermNode *n, StrBuf *out)
{
    if (n->width == 0)
        strbuf_append(out, n->value ? STR("true") : STR("false"));
    else
        strbuf_printf(out, "(_ bv%llu %d)", (unsigned long long)n->value, n->width);
}

static void print_operand(const Terms *terms, Term a, StrBuf *out)
{
    const TermNode *n = &terms->nodes.items[a];
    if (n->op == TERM_CONST)
        print_const(n, out);
    else
        strbuf_printf(out, "t%u", a);
}

// The exact sum in a wider vector differs from the one that is cut. For products the solver's own
// predicates are far faster than that: too large, too small.
static void print_overflow(const Terms *terms, const TermNode *n, StrBuf *out)
{
    StrBuf a = {0}, b = {0};
    print_operand(terms, n->a, &a);
    print_operand(terms, n->b, &b);
    const char *op = n->op == TERM_ADD_OVERFLOWS ? "bvadd" : "bvsub";
    int top = terms->nodes.items[n->a].width - 1;
    if (n->op == TERM_MUL_OVERFLOWS)
        strbuf_printf(out, "(not (and (bvsmul_noovfl %s %s) (bvsmul_noudfl %s %s)))", a.ptr, b.ptr,
                      a.ptr, b.ptr);
    else
        strbuf_printf(out,
                      "(let ((w (%s ((_ sign_extend 1) %s) ((_ sign_extend 1) %s)))) "
                      "(not (= w ((_ sign_extend 1) ((_ extract %d 0) w)))))",
                      op, a.ptr, b.ptr, top);
    strbuf_deinit(&a);
    strbuf_deinit(&b);
}

static void print_node(const Terms *terms, const TermNode *n, StrBuf *out)
{
    int from = n->a == UINT32_MAX ? 0 : terms->nodes.items[n->a].width;
    if (n->op >= TERM_ADD_OVERFLOWS) {
        print_overflow(terms, n, out);
        return;
    }
    if (n->op == TERM_ZEXT || n->op == TERM_SEXT)
        strbuf_printf(out, "((_ %s_extend %d)", n->op == TERM_ZEXT ? "zero" : "sign",
                      n->width - from);
    else if (n->op == TERM_TRUNC)
        strbuf_printf(out, "((_ extract %d 0)", n->width - 1);
    else if (n->op == TERM_ARRAY_CONST) {
        strbuf_append(out, STR("((as const "));
        print_sort(n, out);
        strbuf_append_char(out, ')');
    } else {
        strbuf_printf(out, "(%s", functions[n->op]);
    }
    const Term operands[] = {n->a, n->b, n->c};
    for (int i = 0; i < 3 && operands[i] != UINT32_MAX; i++) {
        strbuf_append_char(out, ' ');
        print_operand(terms, operands[i], out);
    }
    strbuf_append_char(out, ')');
}

// Operands have lower numbers: one pass from above finds all that is needed.
static bool *mark_needed(const Terms *terms, Term goal, const Term *wanted, int n_wanted)
{
    bool *needed = mem_zero(terms->nodes.n);
    needed[goal] = true;
    for (int i = 0; i < n_wanted; i++)
        needed[wanted[i]] = true;
    for (Term i = (Term)terms->nodes.n; i-- > 0;) {
        const TermNode *n = &terms->nodes.items[i];
        if (!needed[i]) continue;
        if (n->a != UINT32_MAX) needed[n->a] = true;
        if (n->b != UINT32_MAX) needed[n->b] = true;
        if (n->c != UINT32_MAX) needed[n->c] = true;
    }
    return needed;
}

void terms_print(const Terms *terms, Term goal, const Term *wanted, int n_wanted, StrBuf *out)
{
    bool *needed = mark_needed(terms, goal, wanted, n_wanted);
    strbuf_append(out, STR("(set-option :produce-models true)\n(set-logic ALL)\n"));
    for (Term i = 0; i < terms->nodes.n; i++) {
        const TermNode *n = &terms->nodes.items[i];
        if (!needed[i] || n->op == TERM_CONST) continue;
        bool is_var = n->op == TERM_VAR || n->op == TERM_ARRAY_VAR;
        strbuf_printf(out, "(%s t%u () ", is_var ? "declare-fun" : "define-fun", i);
        print_sort(n, out);
        strbuf_append_char(out, ' ');
        if (!is_var) print_node(terms, n, out);
        strbuf_append(out, STR(")\n"));
    }
    free(needed);
    strbuf_append(out, STR("(assert "));
    print_operand(terms, goal, out);
    strbuf_append(out, STR(")\n(check-sat)\n"));
    if (n_wanted == 0) return;
    strbuf_append(out, STR("(get-value ("));
    for (int i = 0; i < n_wanted; i++)
        strbuf_printf(out, " t%u", wanted[i]);
    strbuf_append(out, STR("))\n"));
}

// --- reading -------------------------------------------------------------------------------------

typedef struct Reader {
    Str rest;
    bool failed;
} Reader;

// The next parenthesis or word; empty at the end.
static Str next_word(Reader *r)
{
    r->rest = str_trim(r->rest);
    size_t n = 0;
    while (n < r->rest.len && !strchr("() \t\r\n", r->rest.ptr[n]))
        n++;
    if (n == 0 && r->rest.len) n = 1;
    Str word = str_slice(r->rest, 0, n);
    r->rest = str_slice(r->rest, n, r->rest.len);
    return word;
}

static void expect(Reader *r, const char *wanted)
{
    if (!str_equal(next_word(r), str_from(wanted))) r->failed = true;
}

// #x2a, #b01, true or false.
static uint64_t read_bits(Reader *r)
{
    Str word = next_word(r);
    if (str_equal(word, STR("true"))) return 1;
    if (str_equal(word, STR("false"))) return 0;
    int base = str_starts(word, STR("#x")) ? 16 : str_starts(word, STR("#b")) ? 2 : 0;
    char digits[80] = "";
    if (base == 0 || word.len - 2 >= sizeof digits) {
        r->failed = true;
        return 0;
    }
    memcpy(digits, word.ptr + 2, word.len - 2);
    return strtoull(digits, NULL, base);
}

// ((as const SORT) value) or (store array index value), from the inside out.
static void read_array(Reader *r, Term array, TermModel *model, int depth)
{
    expect(r, "(");
    Str word = next_word(r);
    if (r->failed || depth > 10000) {
        r->failed = true;
    } else if (str_equal(word, STR("store"))) {
        read_array(r, array, model, depth + 1);
        uint64_t index = read_bits(r), value = read_bits(r);
        term_model_put(model, array, index, value);
        expect(r, ")");
    } else if (str_equal(word, STR("("))) {
        expect(r, "as");
        expect(r, "const");
        for (int open = 1; open > 0 && !r->failed;) {
            word = next_word(r);
            open += str_equal(word, STR("(")) - str_equal(word, STR(")"));
            if (word.len == 0) r->failed = true;
        }
        term_model_fill(model, array, read_bits(r));
        expect(r, ")");
    } else {
        r->failed = true;
    }
}

SolverAnswer terms_read(const Terms *terms, Str output, TermModel *model)
{
    Reader r = {output, false};
    Str answer = next_word(&r);
    if (str_equal(answer, STR("unsat"))) return SOLVER_UNSAT;
    if (!str_equal(answer, STR("sat"))) return SOLVER_UNKNOWN;
    if (str_trim(r.rest).len == 0) return SOLVER_SAT; // no values were asked for
    expect(&r, "(");
    while (!r.failed) {
        if (!str_equal(next_word(&r), STR("("))) break;
        Str name = next_word(&r);
        char *end = NULL;
        Term var = name.len > 1 ? (Term)strtoul(name.ptr + 1, &end, 10) : UINT32_MAX;
        if (var >= terms->nodes.n) return SOLVER_UNKNOWN;
        if (terms->nodes.items[var].is_array)
            read_array(&r, var, model, 0);
        else
            term_model_set(model, var, read_bits(&r));
        expect(&r, ")");
    }
    return r.failed ? SOLVER_UNKNOWN : SOLVER_SAT;
}
