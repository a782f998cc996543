// From a C function's syntax tree to terms: every path at once. Private to src/formal and its
// tests.
//
// The state maps variables to terms and says under which condition it is reached at all. A branch
// makes two states, which are merged by if-then-else where the paths meet; break, continue and
// return put theirs aside until then. Loops are unrolled; a call is its function's body. What must
// not happen is a list of conditions, each with its line.
#pragma once

#include "base/vec.h"
#include "formal/ctype.h"
#include "formal/formal.h"
#include "formal/term.h"
#include "workspace/node.h"

// Where a pointer points that may not be followed.
enum { BASE_NONE = -1, BASE_GONE = -2 };

// A variable's value in one state. A scalar: its term; a pointer: its offset in elements from the
// start of the object `base`, a slot; an array: an array term. `init` is a truth value, of an array
// an array of bits.
typedef struct Cell {
    Term value, init;
    int base;
} Cell;

typedef struct State {
    Term path; // false: it is not reached
    Cell *cells;
    int n;
} State;

// What of a variable does not change. Slots are a stack: a block's end frees its own.
typedef struct Slot {
    Str name;
    CType type; // of an array: that of its elements
    bool is_array, is_const, knows_length;
    bool is_cell; // a scalar whose address is taken: an array of one
    Term length;  // of an array, 64 bits
} Slot;

typedef struct Field {
    Str name;
    CType type; // of an array: that of its elements
    bool is_array;
    uint64_t n; // elements
    int slot;   // behind the structure's own
    Str why;    // it is outside the subset; it has no slot then
} Field;

// A structure's fields. Its slots are its own and those of its fields.
typedef struct Layout {
    Str name;       // "struct table"
    const void *id; // of its body: the tree's node
    VEC(Field) fields;
    int n_slots;
} Layout;

typedef struct Value {
    CType type;
    Term term;
    int base; // of a pointer; of a structure, its slot
} Value;

typedef struct Place {
    CType type;
    int slot; // of a structure: its own
    bool is_element;
    Term index; // of an element
} Place;

// Something that must not happen: `when` holds the path to it.
typedef struct Property {
    FormalKind kind;
    uint32_t line;
    Term when;
} Property;

// One unknown of the caller's: a parameter, or what a parameter points to.
typedef struct Input {
    Str name, field; // "p->x", and of a structure's field "x", else empty
    CType type;      // of an array: that of its elements
    bool is_array;
    bool is_shared;   // the caller sees what becomes of it
    Term var, length; // length: of an array
    int slot;         // of an array, or of a field
} Input;

typedef VEC(State) StateVec;

// What break and continue leave; of a switch, only break.
typedef struct Flow {
    struct Flow *outer;
    bool is_loop;
    int n_slots; // outside it
    StateVec breaks, continues;
} Flow;

typedef VEC(Value) ValueVec;

// What return leaves, of the function whose body is read.
typedef struct Call {
    struct Call *outer;
    Str name;
    CType result;
    int n_slots; // of the caller
    StateVec states;
    ValueVec values;
} Call;

typedef struct Name {
    Str name;
    int slot;
} Name;

typedef struct Macro {
    Str name, text;
    bool is_function;
} Macro;

typedef struct Header {
    Str path;
    Syntax *syntax;
} Header;

typedef struct Translator {
    Terms *terms;
    Arena *arena; // lives as long as the translation
    const Syntax *syntax;
    Str file_path, root; // where headers are looked for; empty: nowhere
    VEC(Header) headers;
    bool has_headers; // they were read
    Str source;       // that nodes' ranges are of
    int unwind;
    State state;
    VEC(Slot) slots;
    VEC(Name) names;
    VEC(Property) properties;
    VEC(Input) inputs;
    VEC(Str) assumptions;
    VEC(Macro) macros;
    VEC(Layout) layouts;
    int n_objects; // that parameters point to
    Term assumed;  // about inputs
    size_t first_name, n_globals;
    Flow *flow;
    Call *call;
    // How often a path has left the straight way: where none has, a merged path is the one before.
    unsigned n_breaks, n_continues, n_returns, n_ends; // an end is for good: abort, say
    int depth;                                         // of the C stack
    uint32_t fixed_line;                               // of a macro's use; 0: the node's own
    bool stopped;                                      // outside the subset: `why`, in `line`
    Str why;
    uint32_t line;
    Term result; // of the function; 0 where it has none
    CType result_type;
} Translator;

// --- translate.c ---------------------------------------------------------------------------------

// Reads the function. `like` (may be NULL): an earlier translation with the same terms, whose
// inputs are this one's. False: outside the subset, see `why`.
bool translate_function(Translator *t, TSNode function, const Translator *like);
void translate_deinit(Translator *t);
// The function's definition by its name, or the one around a byte; a null node if there is none.
TSNode translate_find(const Syntax *syntax, Str name);
TSNode translate_find_at(const Syntax *syntax, size_t byte_off);
Str translate_name_of(TSNode function, Str source);
// Reads a call of a function of the file: its body with the arguments as parameters.
Value translate_call(Translator *t, TSNode node, TSNode function, TSNode arguments);

Str node_text(const Translator *t, TSNode node);
// Its named children that are no comments: the first, or the one after.
TSNode node_first(TSNode node);
TSNode node_next(TSNode node);

// Notes why the function is outside the subset; the first reason counts.
void stop_at(Translator *t, TSNode node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void add_property(Translator *t, FormalKind kind, TSNode node, Term condition);

// --- state.c -------------------------------------------------------------------------------------

// A new slot on top; its cell is uninitialised.
int slot_push(Translator *t, Slot slot);
// Ends a block: slots and names from there on go.
void scope_close(Translator *t, size_t n_names, int n_slots);
int name_find(const Translator *t, Str name); // a slot, -1: none
State state_copy(Translator *t, const State *state);
// The same with another path.
State state_under(Translator *t, const State *state, Term path);
// What either leaves, under the disjunction of their paths.
State state_merge(Translator *t, TSNode node, const State *a, const State *b);
Value value_merge(Translator *t, TSNode node, Term condition, Value a, Value b);
void state_cut(Translator *t, State *state, int n_slots);

// --- declare.c -----------------------------------------------------------------------------------

// The type that a declaration, parameter or cast names, its declarator's pointer not included.
bool read_type_name(Translator *t, Str name, CType *out);
bool read_type(Translator *t, TSNode holder, CType *out);
void translate_declaration(Translator *t, TSNode node);
// Values of an array's first elements, zero for the rest.
void initialise_elements(Translator *t, TSNode list, int slot, uint64_t n);
// Constants that stand outside functions.
void declare_globals(Translator *t);
void read_macros(Translator *t);
// The parameters as unknowns, with what is assumed about them.
void declare_inputs(Translator *t, TSNode function, const Translator *like);
// A parameter's name and type; arrays are pointers. NULL node name for "void".
bool read_parameter(Translator *t, TSNode node, Str *name, CType *type, TSNode *array_size);
TSNode find_parameters(TSNode function);
// "n", "buf_len", "item_count": a parameter or field of that name says how long something is.
bool is_length_name(Str name);

// --- expression.c, place.c -----------------------------------------------------------------------

Value translate_expression(Translator *t, TSNode node);
// A whole expression: its order of evaluation is checked too.
Value translate_full(Translator *t, TSNode node);
// As a truth value.
Term translate_condition(Translator *t, TSNode node);
Value convert(Translator *t, TSNode node, Value value, CType type);
Value int_value(Translator *t, Term truth);
Term value_truth(Translator *t, Value value);
Value translate_operator(Translator *t, TSNode node, Str op, Value a, Value b);
bool constant_of(Translator *t, TSNode node, uint64_t *out);
Place find_place(Translator *t, TSNode node);
Value load(Translator *t, TSNode node, Place place);
void store(Translator *t, TSNode node, Place place, Value value);
Value pointer_add(Translator *t, TSNode node, Value pointer, Value count, bool minus);
Value name_value(Translator *t, TSNode node);
// Of &variable and &array[index].
Value address_of(Translator *t, TSNode node);

// --- headers.c -----------------------------------------------------------------------------------

// Reads the project's headers that the file includes, once.
void headers_load(Translator *t);
// The file's tree (0), then those of the headers; NULL after the last.
const Syntax *headers_source(const Translator *t, size_t i);
void headers_free(Translator *t);

// --- structure.c ---------------------------------------------------------------------------------

// The type of a struct_specifier.
bool read_structure(Translator *t, TSNode spec, CType *out);
// Slots of a variable of that type, without values; the structure's own.
int structure_push(Translator *t, Str name, CType type, bool is_const);
void structure_copy(Translator *t, TSNode node, int to, int from, CType type);
void initialise_structure(Translator *t, TSNode list, int slot, CType type);
// What a pointer to a structure leads to.
Place structure_pointee(Translator *t, TSNode node, Value pointer);
// Of a.b and a->b.
Place find_member(Translator *t, TSNode node);
// What stands at a place: a value, an array as a pointer, a structure as its slot.
Value place_value(Translator *t, TSNode node, Place place);

// --- order.c -------------------------------------------------------------------------------------

// Stops where the result depends on an order of evaluation that C leaves open.
void check_order(Translator *t, TSNode node);

// --- statement.c ---------------------------------------------------------------------------------

void translate_statement(Translator *t, TSNode node);
