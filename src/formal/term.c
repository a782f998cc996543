// Folding goes as far as loops with constant bounds need to be unrolled without a solver, and as
// truth values that pass through C's int need to come out as truth values again.
#include "formal/term.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "formal/term_node.h"

static const Term NONE = UINT32_MAX;

// --- arithmetic of constants ---------------------------------------------------------------------

static uint64_t mask(int width)
{
    return width == 64 ? UINT64_MAX : ((uint64_t)1 << (width ? width : 1)) - 1;
}

static int64_t as_signed(uint64_t value, int width)
{
    uint64_t sign = (uint64_t)1 << (width - 1);
    return (int64_t)((value ^ sign) - sign);
}

static bool overflows(TermOp op, uint64_t a, uint64_t b, int width)
{
    int64_t x = as_signed(a, width), y = as_signed(b, width), out;
    bool wide = op == TERM_ADD_OVERFLOWS   ? __builtin_add_overflow(x, y, &out)
                : op == TERM_SUB_OVERFLOWS ? __builtin_sub_overflow(x, y, &out)
                                           : __builtin_mul_overflow(x, y, &out);
    return wide || as_signed((uint64_t)out & mask(width), width) != out;
}

// The cases of SMT-LIB's definition by bvudiv and bvurem, division by zero included.
static uint64_t divide(TermOp op, uint64_t a, uint64_t b, int width)
{
    bool is_signed = op == TERM_SDIV || op == TERM_SREM;
    bool quotient = op == TERM_SDIV || op == TERM_UDIV;
    uint64_t m = mask(width);
    bool minus_a = is_signed && as_signed(a, width) < 0;
    bool minus_b = is_signed && as_signed(b, width) < 0;
    uint64_t x = minus_a ? (0 - a) & m : a, y = minus_b ? (0 - b) & m : b;
    uint64_t out = y == 0 ? (quotient ? m : x) : quotient ? x / y : x % y;
    bool minus = quotient ? minus_a != minus_b : minus_a;
    return minus ? (0 - out) & m : out;
}

static uint64_t shift(TermOp op, uint64_t a, uint64_t b, int width)
{
    bool minus = op == TERM_ASHR && as_signed(a, width) < 0;
    if (b >= (uint64_t)width) return minus ? mask(width) : 0;
    if (op == TERM_SHL) return a << b;
    return op == TERM_LSHR ? a >> b : (uint64_t)(as_signed(a, width) >> b);
}

// Of two operands of `width`, in the width of the result.
static uint64_t compute(TermOp op, uint64_t a, uint64_t b, int width)
{
    switch (op) {
    case TERM_AND:
    case TERM_BVAND:
        return a & b;
    case TERM_OR:
    case TERM_BVOR:
        return a | b;
    case TERM_BVXOR:
        return a ^ b;
    case TERM_NOT:
        return !a;
    case TERM_BVNOT:
        return ~a & mask(width);
    case TERM_EQ:
        return a == b;
    case TERM_ULT:
        return a < b;
    case TERM_SLT:
        return as_signed(a, width) < as_signed(b, width);
    case TERM_BVADD:
        return (a + b) & mask(width);
    case TERM_BVSUB:
        return (a - b) & mask(width);
    case TERM_BVMUL:
        return (a * b) & mask(width);
    case TERM_SHL:
    case TERM_LSHR:
    case TERM_ASHR:
        return shift(op, a, b, width) & mask(width);
    case TERM_UDIV:
    case TERM_UREM:
    case TERM_SDIV:
    case TERM_SREM:
        return divide(op, a, b, width);
    default:
        return overflows(op, a, b, width);
    }
}

static uint64_t resize(TermOp op, uint64_t a, int from, int to)
{
    return (op == TERM_SEXT ? (uint64_t)as_signed(a, from) : a) & mask(to);
}

// --- the graph -----------------------------------------------------------------------------------

Terms *terms_new(void)
{
    Terms *terms = mem_zero(sizeof *terms);
    terms->n_buckets = 1024;
    terms->buckets = mem_alloc(terms->n_buckets * sizeof *terms->buckets);
    memset(terms->buckets, 0xff, terms->n_buckets * sizeof *terms->buckets);
    terms->f = term_const(terms, 0, 0);
    terms->t = term_const(terms, 0, 1);
    return terms;
}

void terms_free(Terms *terms)
{
    if (!terms) return;
    VEC_FREE(&terms->nodes);
    free(terms->buckets);
    free(terms);
}

bool terms_is_full(const Terms *terms)
{
    return terms->is_full;
}

static size_t hash_node(const TermNode *n)
{
    uint64_t h = n->op * 31u + n->width;
    const uint64_t parts[] = {n->a, n->b, n->c, n->value};
    for (size_t i = 0; i < 4; i++)
        h = (h ^ parts[i]) * 0x9E3779B97F4A7C15u, h ^= h >> 29;
    return (size_t)h;
}

static bool is_equal(const TermNode *x, const TermNode *y)
{
    return x->op == y->op && x->width == y->width && x->is_array == y->is_array && x->a == y->a &&
           x->b == y->b && x->c == y->c && x->value == y->value;
}

static void rehash(Terms *terms)
{
    terms->n_buckets *= 2;
    terms->buckets = mem_resize(terms->buckets, terms->n_buckets * sizeof *terms->buckets);
    memset(terms->buckets, 0xff, terms->n_buckets * sizeof *terms->buckets);
    for (Term i = 0; i < terms->nodes.n; i++) {
        TermNode *n = &terms->nodes.items[i];
        Term *bucket = &terms->buckets[hash_node(n) & (terms->n_buckets - 1)];
        n->next = *bucket;
        *bucket = i;
    }
}

static Term add(Terms *terms, TermNode node)
{
    size_t slot = hash_node(&node) & (terms->n_buckets - 1);
    for (Term i = terms->buckets[slot]; i != NONE; i = terms->nodes.items[i].next)
        if (is_equal(&terms->nodes.items[i], &node)) return i;
    if (terms->nodes.n >= TERMS_MAX) terms->is_full = true;
    if (terms->nodes.n >= TERMS_MAX + 1000) return terms->nodes.n ? (Term)terms->nodes.n - 1 : 0;
    node.next = terms->buckets[slot];
    terms->buckets[slot] = (Term)terms->nodes.n;
    VEC_PUSH(&terms->nodes, node);
    if (terms->nodes.n > terms->n_buckets) rehash(terms);
    return (Term)terms->nodes.n - 1;
}

static const TermNode *get(const Terms *terms, Term a)
{
    return &terms->nodes.items[a];
}

Term term_const(Terms *terms, int width, uint64_t value)
{
    return add(terms, (TermNode){.op = TERM_CONST,
                                 .width = (uint8_t)width,
                                 .a = NONE,
                                 .b = NONE,
                                 .c = NONE,
                                 .value = value & mask(width)});
}

Term term_bool(Terms *terms, bool value)
{
    return value ? terms->t : terms->f;
}

static Term add_var(Terms *terms, TermOp op, int width)
{
    uint64_t number = terms->n_vars++; // keeps them apart
    return add(terms, (TermNode){.op = (uint8_t)op,
                                 .width = (uint8_t)width,
                                 .is_array = op == TERM_ARRAY_VAR,
                                 .a = NONE,
                                 .b = NONE,
                                 .c = NONE,
                                 .value = number});
}

Term term_var(Terms *terms, int width)
{
    return add_var(terms, TERM_VAR, width);
}

Term term_array_var(Terms *terms, int elem_width)
{
    return add_var(terms, TERM_ARRAY_VAR, elem_width);
}

static Term add_op(Terms *terms, TermOp op, int width, Term a, Term b, Term c)
{
    bool is_array =
        op == TERM_ARRAY_CONST || op == TERM_STORE || (op == TERM_ITE && get(terms, b)->is_array);
    return add(terms, (TermNode){.op = (uint8_t)op,
                                 .width = (uint8_t)width,
                                 .is_array = is_array,
                                 .a = a,
                                 .b = b,
                                 .c = c});
}

Term term_array_const(Terms *terms, Term elem)
{
    return add_op(terms, TERM_ARRAY_CONST, term_width(terms, elem), elem, NONE, NONE);
}

int term_width(const Terms *terms, Term a)
{
    return get(terms, a)->width;
}

bool term_is_const(const Terms *terms, Term a, uint64_t *value)
{
    const TermNode *n = get(terms, a);
    if (n->op == TERM_CONST) *value = n->value;
    return n->op == TERM_CONST;
}

bool term_is_true(const Terms *terms, Term a)
{
    return a == terms->t;
}

bool term_is_false(const Terms *terms, Term a)
{
    return a == terms->f;
}

// --- folding -------------------------------------------------------------------------------------

static bool is_const_node(const Terms *terms, Term a)
{
    return get(terms, a)->op == TERM_CONST;
}

// An if-then-else of two constants, which is how C's comparisons become ints.
static bool is_choice(const Terms *terms, Term a)
{
    const TermNode *n = get(terms, a);
    return n->op == TERM_ITE && !n->is_array && is_const_node(terms, n->b) &&
           is_const_node(terms, n->c);
}

static bool is_negation(const Terms *terms, Term a, Term b)
{
    return (get(terms, a)->op == TERM_NOT && get(terms, a)->a == b) ||
           (get(terms, b)->op == TERM_NOT && get(terms, b)->a == a);
}

static Term fold_logic(Terms *terms, TermOp op, Term a, Term b)
{
    Term neutral = op == TERM_AND ? terms->t : terms->f;
    Term zero = op == TERM_AND ? terms->f : terms->t;
    if (a == neutral || a == b) return b;
    if (b == neutral) return a;
    if (a == zero || b == zero || is_negation(terms, a, b)) return zero;
    // A path condition grows at its end: what it implies already adds nothing.
    const TermNode *n = get(terms, a);
    if (n->op == op && (n->b == b || n->a == b)) return a;
    if (n->op == op && (is_negation(terms, n->b, b) || is_negation(terms, n->a, b))) return zero;
    return add_op(terms, op, 0, a, b, NONE);
}

static Term fold_equal(Terms *terms, Term a, Term b)
{
    if (a == b) return terms->t;
    if (is_const_node(terms, a)) {
        Term swap = a;
        a = b;
        b = swap;
    }
    if (get(terms, a)->width == 0 && !get(terms, a)->is_array) {
        if (b == terms->t) return a;
        if (b == terms->f) return term_not(terms, a);
    }
    if (is_const_node(terms, b) && is_choice(terms, a)) {
        TermNode n = *get(terms, a);
        return term_ite(terms, n.a, term_bool(terms, n.b == b), term_bool(terms, n.c == b));
    }
    return add_op(terms, TERM_EQ, 0, a, b, NONE);
}

// Stores at other constant places are passed by.
static Term fold_select(Terms *terms, Term array, Term index)
{
    while (true) {
        const TermNode *n = get(terms, array);
        if (n->op == TERM_ARRAY_CONST) return n->a;
        if (n->op != TERM_STORE) break;
        if (n->b == index) return n->c;
        if (!is_const_node(terms, n->b) || !is_const_node(terms, index)) break;
        array = n->a;
    }
    return add_op(terms, TERM_SELECT, term_width(terms, array), array, index, NONE);
}

// x op constant and constant op x that are x or a constant.
static bool fold_neutral(Terms *terms, TermOp op, Term a, Term b, Term *out)
{
    uint64_t x = 0, y = 0;
    int width = term_width(terms, a);
    bool has_x = term_is_const(terms, a, &x), has_y = term_is_const(terms, b, &y);
    bool sum = op == TERM_BVADD || op == TERM_BVOR || op == TERM_BVXOR;
    bool shifts = op == TERM_SHL || op == TERM_LSHR || op == TERM_ASHR;
    bool by_zero = has_y && y == 0;
    *out = a;
    if (by_zero && (sum || shifts || op == TERM_BVSUB)) return true;
    if (has_y && y == 1 && (op == TERM_BVMUL || op == TERM_UDIV || op == TERM_SDIV)) return true;
    if (a == b && (op == TERM_BVAND || op == TERM_BVOR)) return true;
    *out = b;
    if (has_x && x == 0 && sum) return true;
    if (has_x && x == 1 && op == TERM_BVMUL) return true;
    *out = term_const(terms, width, 0);
    if ((by_zero || (has_x && x == 0)) && (op == TERM_BVMUL || op == TERM_BVAND)) return true;
    if (a == b && (op == TERM_BVSUB || op == TERM_BVXOR)) return true;
    *out = terms->f;
    if (op == TERM_ULT && (a == b || by_zero)) return true;
    if (op == TERM_SLT && a == b) return true;
    return by_zero &&
           (op == TERM_ADD_OVERFLOWS || op == TERM_SUB_OVERFLOWS || op == TERM_MUL_OVERFLOWS);
}

static bool is_truth(TermOp op)
{
    return op == TERM_AND || op == TERM_OR || op == TERM_NOT || op == TERM_EQ || op == TERM_ULT ||
           op == TERM_SLT || op == TERM_ADD_OVERFLOWS || op == TERM_SUB_OVERFLOWS ||
           op == TERM_MUL_OVERFLOWS;
}

Term term_binary(Terms *terms, TermOp op, Term a, Term b)
{
    uint64_t x, y;
    Term folded;
    if (op == TERM_SELECT) return fold_select(terms, a, b);
    assert(term_width(terms, a) == term_width(terms, b) || terms->is_full);
    int width = term_width(terms, a), out = is_truth(op) ? 0 : width;
    if (term_is_const(terms, a, &x) && term_is_const(terms, b, &y))
        return term_const(terms, out, compute(op, x, y, width));
    if (op == TERM_AND || op == TERM_OR) return fold_logic(terms, op, a, b);
    if (op == TERM_EQ) return fold_equal(terms, a, b);
    if (fold_neutral(terms, op, a, b, &folded)) return folded;
    return add_op(terms, op, out, a, b, NONE);
}

Term term_unary(Terms *terms, TermOp op, Term a)
{
    uint64_t x;
    int width = term_width(terms, a);
    if (term_is_const(terms, a, &x)) return term_const(terms, width, compute(op, x, 0, width));
    if (get(terms, a)->op == op) return get(terms, a)->a; // twice is not at all
    return add_op(terms, op, width, a, NONE, NONE);
}

Term term_ite(Terms *terms, Term condition, Term a, Term b)
{
    if (a == b || condition == terms->t) return a;
    if (condition == terms->f) return b;
    if (get(terms, condition)->op == TERM_NOT) {
        Term swap = a;
        condition = get(terms, condition)->a;
        a = b;
        b = swap;
    }
    bool truth = get(terms, a)->width == 0 && !get(terms, a)->is_array;
    if (truth && a == terms->t) return term_or(terms, condition, b);
    if (truth && a == terms->f) return term_and(terms, term_not(terms, condition), b);
    if (truth && b == terms->t) return term_or(terms, term_not(terms, condition), a);
    if (truth && b == terms->f) return term_and(terms, condition, a);
    return add_op(terms, TERM_ITE, get(terms, a)->width, condition, a, b);
}

Term term_store(Terms *terms, Term array, Term index, Term elem)
{
    const TermNode *n = get(terms, array);
    if (n->op == TERM_STORE && n->b == index) array = n->a;
    return add_op(terms, TERM_STORE, term_width(terms, array), array, index, elem);
}

Term term_resize(Terms *terms, Term a, int width, bool is_signed)
{
    TermNode n = *get(terms, a);
    if (n.width == width) return a;
    TermOp op = width < n.width ? TERM_TRUNC : is_signed ? TERM_SEXT : TERM_ZEXT;
    if (n.op == TERM_CONST) return term_const(terms, width, resize(op, n.value, n.width, width));
    if (is_choice(terms, a))
        return term_ite(terms, n.a, term_resize(terms, n.b, width, is_signed),
                        term_resize(terms, n.c, width, is_signed));
    bool extended = n.op == TERM_SEXT || n.op == TERM_ZEXT;
    if (op == TERM_TRUNC && extended && get(terms, n.a)->width >= width)
        return term_resize(terms, n.a, width, false);
    if (op == TERM_TRUNC && extended) return term_resize(terms, n.a, width, n.op == TERM_SEXT);
    if (n.op == op) return term_resize(terms, n.a, width, is_signed);
    return add_op(terms, op, width, a, NONE, NONE);
}

// --- evaluation ----------------------------------------------------------------------------------

typedef struct Setting {
    Term var;
    bool is_fill, is_element;
    uint64_t index, value;
} Setting;

struct TermModel {
    VEC(Setting) settings; // later ones win
    VEC(uint64_t) values;  // by term
};

TermModel *term_model_new(void)
{
    return mem_zero(sizeof(TermModel));
}

void term_model_free(TermModel *model)
{
    if (!model) return;
    VEC_FREE(&model->settings);
    VEC_FREE(&model->values);
    free(model);
}

void term_model_set(TermModel *model, Term var, uint64_t value)
{
    Setting setting = {.var = var, .value = value};
    VEC_PUSH(&model->settings, setting);
}

void term_model_fill(TermModel *model, Term array, uint64_t value)
{
    Setting setting = {.var = array, .is_fill = true, .value = value};
    VEC_PUSH(&model->settings, setting);
}

void term_model_put(TermModel *model, Term array, uint64_t index, uint64_t value)
{
    Setting setting = {.var = array, .is_element = true, .index = index, .value = value};
    VEC_PUSH(&model->settings, setting);
}

static uint64_t find_scalar(const TermModel *model, Term var)
{
    for (size_t i = model->settings.n; i > 0; i--)
        if (model->settings.items[i - 1].var == var) return model->settings.items[i - 1].value;
    return 0;
}

uint64_t term_model_element(const TermModel *model, Term array, uint64_t index)
{
    for (size_t i = model->settings.n; i > 0; i--) {
        const Setting *s = &model->settings.items[i - 1];
        if (s->var == array && (s->is_fill || s->index == index)) return s->value;
    }
    return 0;
}

uint64_t term_element(const TermModel *model, const Terms *terms, Term array, uint64_t index)
{
    while (true) {
        const TermNode *n = get(terms, array);
        if (n->op == TERM_ARRAY_VAR) return term_model_element(model, array, index);
        if (n->op == TERM_ARRAY_CONST) return model->values.items[n->a];
        if (n->op == TERM_ITE)
            array = model->values.items[n->a] ? n->b : n->c;
        else if (model->values.items[n->b] == index)
            return model->values.items[n->c];
        else
            array = n->a;
    }
}

static uint64_t evaluate_node(const TermModel *model, const Terms *terms, Term i)
{
    const TermNode *n = get(terms, i);
    const uint64_t *v = model->values.items;
    switch ((TermOp)n->op) {
    case TERM_CONST:
        return n->value;
    case TERM_VAR:
        return find_scalar(model, i) & mask(n->width);
    case TERM_SELECT:
        return term_element(model, terms, n->a, v[n->b]) & mask(n->width);
    case TERM_ITE:
        return v[n->a] ? v[n->b] : v[n->c];
    case TERM_ZEXT:
    case TERM_SEXT:
    case TERM_TRUNC:
        return resize((TermOp)n->op, v[n->a], get(terms, n->a)->width, n->width);
    case TERM_NOT:
    case TERM_BVNOT:
        return compute((TermOp)n->op, v[n->a], 0, n->width);
    default:
        return compute((TermOp)n->op, v[n->a], v[n->b], get(terms, n->a)->width);
    }
}

void term_model_evaluate(TermModel *model, const Terms *terms)
{
    model->values.n = 0;
    VEC_RESERVE(&model->values, terms->nodes.n);
    for (Term i = 0; i < terms->nodes.n; i++) {
        model->values.items[i] = get(terms, i)->is_array ? 0 : evaluate_node(model, terms, i);
        model->values.n++;
    }
}

uint64_t term_value(const TermModel *model, Term scalar)
{
    return model->values.items[scalar];
}
