// Terms of bit-vectors, truth values and arrays: a graph in which equal terms are one, folded as it
// is built, with an evaluator and a printer for SMT-LIB 2 (logic QF_ABV).
//
// A Term is an index; its operands have lower ones. Width 0 is a truth value, 1 to 64 a bit-vector;
// an array maps 64-bit indices to bit-vectors (truth values are 1 bit wide there).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

typedef uint32_t Term;
typedef struct Terms Terms;

// X(name, SMT-LIB function). Those with NULL are printed by code. Meanings are SMT-LIB's, division
// by zero and shifts by the width or more included.
#define TERM_OPS(X)                                                                                \
    X(TERM_CONST, NULL)                                                                            \
    X(TERM_VAR, NULL)                                                                              \
    X(TERM_ARRAY_VAR, NULL)                                                                        \
    X(TERM_ARRAY_CONST, NULL) /* all elements are a */                                             \
    X(TERM_STORE, "store")                                                                         \
    X(TERM_SELECT, "select")                                                                       \
    X(TERM_ITE, "ite")                                                                             \
    X(TERM_AND, "and")                                                                             \
    X(TERM_OR, "or")                                                                               \
    X(TERM_NOT, "not")                                                                             \
    X(TERM_EQ, "=")                                                                                \
    X(TERM_ULT, "bvult")                                                                           \
    X(TERM_SLT, "bvslt")                                                                           \
    X(TERM_BVADD, "bvadd")                                                                         \
    X(TERM_BVSUB, "bvsub")                                                                         \
    X(TERM_BVMUL, "bvmul")                                                                         \
    X(TERM_UDIV, "bvudiv")                                                                         \
    X(TERM_UREM, "bvurem")                                                                         \
    X(TERM_SDIV, "bvsdiv")                                                                         \
    X(TERM_SREM, "bvsrem")                                                                         \
    X(TERM_BVAND, "bvand")                                                                         \
    X(TERM_BVOR, "bvor")                                                                           \
    X(TERM_BVXOR, "bvxor")                                                                         \
    X(TERM_BVNOT, "bvnot")                                                                         \
    X(TERM_SHL, "bvshl")                                                                           \
    X(TERM_LSHR, "bvlshr")                                                                         \
    X(TERM_ASHR, "bvashr")                                                                         \
    X(TERM_ZEXT, NULL)                                                                             \
    X(TERM_SEXT, NULL)                                                                             \
    X(TERM_TRUNC, NULL)                                                                            \
    X(TERM_ADD_OVERFLOWS, NULL) /* signed; likewise the next two */                                \
    X(TERM_SUB_OVERFLOWS, NULL)                                                                    \
    X(TERM_MUL_OVERFLOWS, NULL)

typedef enum TermOp {
#define X(name, smt) name,
    TERM_OPS(X)
#undef X
} TermOp;

// Owned by the caller; not thread-safe. terms_free(NULL) is allowed.
Terms *terms_new(void);
void terms_free(Terms *terms);
// More than TERMS_MAX nodes were wanted: what was built since means nothing.
#define TERMS_MAX 400000
bool terms_is_full(const Terms *terms);

Term term_bool(Terms *terms, bool value);
Term term_const(Terms *terms, int width, uint64_t value);
// A new unknown.
Term term_var(Terms *terms, int width);
Term term_array_var(Terms *terms, int elem_width);
Term term_array_const(Terms *terms, Term elem);
// Operators of one operand (b is ignored) and of two of equal width, select included.
Term term_unary(Terms *terms, TermOp op, Term a);
Term term_binary(Terms *terms, TermOp op, Term a, Term b);
Term term_ite(Terms *terms, Term condition, Term a, Term b);
Term term_store(Terms *terms, Term array, Term index, Term elem);
// a brought to the width: cut, or extended by its sign or by zeros.
Term term_resize(Terms *terms, Term a, int width, bool is_signed);

static inline Term term_not(Terms *terms, Term a)
{
    return term_unary(terms, TERM_NOT, a);
}
static inline Term term_and(Terms *terms, Term a, Term b)
{
    return term_binary(terms, TERM_AND, a, b);
}
static inline Term term_or(Terms *terms, Term a, Term b)
{
    return term_binary(terms, TERM_OR, a, b);
}

// Of an array: that of its elements.
int term_width(const Terms *terms, Term a);
// Is it a constant (of any width up to 64)?
bool term_is_const(const Terms *terms, Term a, uint64_t *value);
bool term_is_true(const Terms *terms, Term a);
bool term_is_false(const Terms *terms, Term a);

// --- values --------------------------------------------------------------------------------------

// Values of the unknowns, zero where nothing was set.
typedef struct TermModel TermModel;
TermModel *term_model_new(void);
void term_model_free(TermModel *model);
void term_model_set(TermModel *model, Term var, uint64_t value);
// All elements of an array, then single ones.
void term_model_fill(TermModel *model, Term array, uint64_t value);
void term_model_put(TermModel *model, Term array, uint64_t index, uint64_t value);
uint64_t term_model_element(const TermModel *model, Term array, uint64_t index);
// Works out every scalar term under the model; needed again after each change of either.
void term_model_evaluate(TermModel *model, const Terms *terms);
uint64_t term_value(const TermModel *model, Term scalar);
uint64_t term_element(const TermModel *model, const Terms *terms, Term array, uint64_t index);

// --- SMT-LIB -------------------------------------------------------------------------------------

// A script that asserts `goal`, checks it and asks for the values of the `wanted` unknowns.
void terms_print(const Terms *terms, Term goal, const Term *wanted, int n_wanted, StrBuf *out);
// What a solver answered to such a script.
typedef enum SolverAnswer { SOLVER_SAT, SOLVER_UNSAT, SOLVER_UNKNOWN } SolverAnswer;
// Fills the model where it is SAT. A model that cannot be read is UNKNOWN.
SolverAnswer terms_read(const Terms *terms, Str output, TermModel *model);
