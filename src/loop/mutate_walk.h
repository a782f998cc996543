// What the kinds of small changes share: the walk over the tree that collects them. A kind is a
// function that is called for each node of the range. Private to mutate*.c.
#pragma once

#include "base/vec.h"
#include "loop/mutate.h"

enum {
    MAX_NAMES = 24,
    MAX_CONSTANTS = 12,
    MAX_VALUES = 12,
    MAX_FLAGS = 6,
    MAX_COPIES = 12,
    MAX_ASSIGNED = 6,
    MAX_EXPRESSIONS = 10,
    MAX_SLICES = 4,
    MAX_CALLS = 4,
    MAX_COMPARED = 12,
    MAX_RESTS = 4,
    MAX_POINTERS = 4
};

typedef VEC(Mutant) MutantVec;

// A comparison without one of its constants: what stands before and behind that.
typedef struct Compared {
    Str before, after;
    bool number; // else a character
} Compared;

typedef struct Walk {
    const TextSnap *text;
    bool braces, python; // C and its like have braces
    ByteRange range;
    Arena *arena;
    MutantVec out;
    size_t max;
    Str names[MAX_NAMES], constants[MAX_CONSTANTS]; // that occur, each once
    bool called[MAX_NAMES];                         // the name stands before an argument list
    int n_names, n_constants;
    Str values[MAX_VALUES]; // names and fields that are no functions, in document order
    Str flags[MAX_FLAGS];   // names that are true or false
    Str sizes[MAX_NAMES];   // constants by their name, which bound something
    Str wraps[MAX_NAMES];   // functions that are called with one argument, and this one if it is
    Str copies[MAX_COPIES]; // assignments of one line
    Str pointers[MAX_POINTERS], members[MAX_POINTERS], targets[MAX_POINTERS]; // p, ->m, *p
    Str assigned[MAX_ASSIGNED], holders[MAX_ASSIGNED]; // variables; those that begin with nothing
    Str expressions[MAX_EXPRESSIONS], slices[MAX_SLICES], calls[MAX_CALLS];
    Compared compared[MAX_COMPARED];
    Str rests[MAX_RESTS]; // "a[i:]" where the function has "a[i]"
    int n_compared, n_rests;
    int n_assigned, n_holders, n_expressions, n_slices, n_calls;
    int n_values, n_flags, n_sizes, n_wraps, n_copies, n_pointers, n_members, n_targets;
} Walk;

typedef void (*Visit)(Walk *walk, TSNode node, const char *type);

// --- helpers (mutate.c) --------------------------------------------------------------------------

// Adds a change once, unless it changes nothing, leaves the range or there are max already.
void mutate_put_range(Walk *walk, ByteRange r, Str insert, const char *what);
void mutate_put(Walk *walk, TSNode node, Str insert, const char *what);
Str mutate_text(const Walk *walk, TSNode node);
bool mutate_is_one_of(const char *type, const char *const *types);
bool mutate_is_binary(const char *type);
bool mutate_is_called(TSNode node);
bool mutate_is_block(const char *type);
// "" where the node has no parent.
const char *mutate_parent_type(TSNode node);
// Of the node's line.
Str mutate_blanks(const Walk *walk, TSNode node);
// What is passed, given back, assigned or gone through.
bool mutate_is_whole_value(TSNode node);
// Both nodes in each other's place; what stands between them stays.
void mutate_put_swapped(Walk *walk, TSNode a, TSNode b, const char *what);
// Adds to a list of different texts, as long as there is room.
void mutate_collect(Str *list, int *n, int max, Str text);

// --- kinds ---------------------------------------------------------------------------------------

// mutate_repairs.c: what stands in the wrong order, place or form.
void mutate_similar(Walk *walk, TSNode node, const char *type);
void mutate_arguments(Walk *walk, TSNode node, const char *type);
void mutate_operands(Walk *walk, TSNode node, const char *type);
void mutate_unary(Walk *walk, TSNode node, const char *type);
void mutate_element(Walk *walk, TSNode node, const char *type);
void mutate_declaration(Walk *walk, TSNode node, const char *type);
void mutate_block(Walk *walk, TSNode node, const char *type);
void mutate_jump(Walk *walk, TSNode node, const char *type);
void mutate_mask(Walk *walk, TSNode node, const char *type);
void mutate_default(Walk *walk, TSNode node, const char *type);

// mutate_missing.c: what is not there. The first collects what it may be made of.
void mutate_collect_parts(Walk *walk, TSNode node, const char *type);
void mutate_guard(Walk *walk, TSNode node, const char *type);
void mutate_argument(Walk *walk, TSNode node, const char *type);
void mutate_wrap(Walk *walk, TSNode node, const char *type);
void mutate_method(Walk *walk, TSNode node, const char *type);
void mutate_index(Walk *walk, TSNode node, const char *type);
void mutate_extend(Walk *walk, TSNode node, const char *type);
void mutate_case(Walk *walk, TSNode node, const char *type);
void mutate_statement(Walk *walk, TSNode node, const char *type);

// mutate_values.c: a value in another's place. The first collects what it may be.
void mutate_collect_values(Walk *walk, TSNode node, const char *type);
void mutate_combine(Walk *walk, TSNode node, const char *type);
void mutate_join(Walk *walk, TSNode node, const char *type);
void mutate_slice(Walk *walk, TSNode node, const char *type);
void mutate_bound(Walk *walk, TSNode node, const char *type);
void mutate_unwrap(Walk *walk, TSNode node, const char *type);
void mutate_exchange(Walk *walk, TSNode node, const char *type);
void mutate_elements(Walk *walk, TSNode node, const char *type);
void mutate_literal(Walk *walk, TSNode node, const char *type);
void mutate_limit(Walk *walk, TSNode node, const char *type);
void mutate_made(Walk *walk, TSNode node, const char *type);
void mutate_assign(Walk *walk, TSNode node, const char *type);

// mutate_forms.c: what was forgotten as a whole. The first collects what it is made of.
void mutate_collect_forms(Walk *walk, TSNode node, const char *type);
void mutate_cases(Walk *walk, TSNode node, const char *type);
void mutate_split(Walk *walk, TSNode node, const char *type);
void mutate_rests(Walk *walk, TSNode node, const char *type);
void mutate_leftover(Walk *walk, TSNode node, const char *type);
void mutate_other_end(Walk *walk, TSNode node, const char *type);
