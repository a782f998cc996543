// C leaves the order of most operands open. Where one of them changes what another one reads or
// changes, the result is undefined or depends on the compiler: such expressions are refused.
#include "formal/translate.h"

#include <string.h>

enum { MAX_NAMES = 80 };

typedef struct Effects {
    Str reads[MAX_NAMES], writes[MAX_NAMES];
    int n_reads, n_writes;
    bool calls; // functions may change what pointers lead to
} Effects;

static void add_name(Translator *t, TSNode node, Str *list, int *n, Str name)
{
    for (int i = 0; i < *n; i++)
        if (str_equal(list[i], name)) return;
    if (*n == MAX_NAMES)
        stop_at(t, node, "an expression of more than %d names", MAX_NAMES);
    else
        list[(*n)++] = name;
}

static bool meets(const Str *a, int n_a, const Str *b, int n_b, Str *which)
{
    for (int i = 0; i < n_a; i++)
        for (int j = 0; j < n_b; j++)
            if (str_equal(a[i], b[j])) {
                *which = a[i];
                return true;
            }
    return false;
}

static void join(Translator *t, TSNode node, Effects *into, const Effects *other)
{
    for (int i = 0; i < other->n_reads; i++)
        add_name(t, node, into->reads, &into->n_reads, other->reads[i]);
    for (int i = 0; i < other->n_writes; i++)
        add_name(t, node, into->writes, &into->n_writes, other->writes[i]);
    into->calls |= other->calls;
}

// Two parts in no order.
static void join_unordered(Translator *t, TSNode node, Effects *a, const Effects *b)
{
    Str which = STR("what is called");
    bool open = meets(a->writes, a->n_writes, b->reads, b->n_reads, &which) ||
                meets(a->writes, a->n_writes, b->writes, b->n_writes, &which) ||
                meets(a->reads, a->n_reads, b->writes, b->n_writes, &which) ||
                (a->calls && b->calls);
    if (open)
        stop_at(t, node, "an order of evaluation that C leaves open: of %.*s", STR_FMT(which));
    join(t, node, a, b);
}

// The variable or array that an assignment changes.
static Str find_target(Translator *t, TSNode node)
{
    while (!ts_node_is_null(node) && !node_is(node, "identifier")) {
        TSNode inner = node_field(node, "argument");
        node = ts_node_is_null(inner) ? node_first(node) : inner;
    }
    return ts_node_is_null(node) ? STR("") : node_text(t, node);
}

// The slot of a.b and p->b, of what a pointer leads to, or of a name; -1: not known here.
static int find_slot(Translator *t, TSNode node);

static int find_base(Translator *t, TSNode node)
{
    while (node_is(node, "parenthesized_expression"))
        node = node_first(node);
    bool address = node_is(node, "pointer_expression") && node_is(ts_node_child(node, 0), "&");
    if (address) return find_slot(t, node_field(node, "argument"));
    int slot = find_slot(t, node);
    if (slot < 0 || t->slots.items[slot].is_array) return slot;
    return t->slots.items[slot].type.kind == C_POINTER ? t->state.cells[slot].base : -1;
}

static int find_slot(Translator *t, TSNode node)
{
    while (node_is(node, "parenthesized_expression"))
        node = node_first(node);
    if (node_is(node, "identifier")) return name_find(t, node_text(t, node));
    if (node_is(node, "subscript_expression") || node_is(node, "pointer_expression"))
        return find_base(t, node_field(node, "argument"));
    if (!node_is(node, "field_expression")) return -1;
    TSNode argument = node_field(node, "argument");
    bool arrow = str_equal(node_text(t, node_field(node, "operator")), STR("->"));
    int slot = arrow ? find_base(t, argument) : find_slot(t, argument);
    if (slot < 0 || t->slots.items[slot].type.kind != C_STRUCT) return -1;
    const Layout *layout = &t->layouts.items[t->slots.items[slot].type.layout];
    Str name = node_text(t, node_field(node, "field"));
    for (size_t i = 0; i < layout->fields.n; i++)
        if (str_equal(layout->fields.items[i].name, name))
            return slot + layout->fields.items[i].slot;
    return -1;
}

static void add_slots(Translator *t, TSNode node, Str *list, int *n, int slot)
{
    bool structure = slot >= 0 && t->slots.items[slot].type.kind == C_STRUCT;
    int count = structure ? t->layouts.items[t->slots.items[slot].type.layout].n_slots : 1;
    for (int i = slot; i < slot + count; i++)
        add_name(t, node, list, n, arena_printf(t->arena, "elements %d", i));
}

// What any name within the node leads to: an access through it is to one of these.
static void add_reached(Translator *t, TSNode node, Str *list, int *n)
{
    int slot = node_is(node, "identifier") ? name_find(t, node_text(t, node)) : -1;
    const Slot *s = slot >= 0 ? &t->slots.items[slot] : NULL;
    if (s && !s->is_array && s->type.kind == C_POINTER) slot = t->state.cells[slot].base;
    if (s && slot >= 0) add_slots(t, node, list, n, slot);
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c))
        add_reached(t, c, list, n);
}

static bool is_of_structure(const Translator *t, TSNode node, int slot)
{
    return node_is(node, "field_expression") ||
           (slot >= 0 && t->slots.items[slot].type.kind == C_STRUCT);
}

// Structures and their members are told apart by their slots. False: it is none of them.
static bool add_member(Translator *t, TSNode node, Str *list, int *n)
{
    while (node_is(node, "parenthesized_expression"))
        node = node_first(node);
    int slot = find_slot(t, node);
    // An element of a member is in the member's slot.
    bool element = slot >= 0 && !node_is(node, "identifier") &&
                   str_find(t->slots.items[slot].name, STR("."), 0) < t->slots.items[slot].name.len;
    if (slot < 0 &&
        (node_is(node, "pointer_expression") || node_is(node, "subscript_expression"))) {
        add_reached(t, node_field(node, "argument"), list, n);
        return true;
    }
    if (!is_of_structure(t, node, slot) && !element) return false;
    if (slot < 0)
        stop_at(t, node, "an order of evaluation that is not followed: of this member");
    else
        add_slots(t, node, list, n, slot);
    return true;
}

// What an assignment to this changes: the variable, or the elements that a name leads to, whatever
// other name leads there too.
static Str find_changed(Translator *t, TSNode node)
{
    Str name = find_target(t, node);
    while (node_is(node, "parenthesized_expression"))
        node = node_first(node);
    int slot = node_is(node, "identifier") ? -1 : name_find(t, name);
    if (slot < 0) return name;
    if (t->slots.items[slot].type.kind == C_POINTER) slot = t->state.cells[slot].base;
    return arena_printf(t->arena, "elements %d", slot);
}

static Effects read_effects(Translator *t, TSNode node);

// A variable that pointers lead to as well.
static bool is_cell(Translator *t, TSNode node)
{
    while (node_is(node, "parenthesized_expression"))
        node = node_first(node);
    int slot = node_is(node, "identifier") ? name_find(t, node_text(t, node)) : -1;
    return slot >= 0 && t->slots.items[slot].is_cell;
}

static Effects read_change(Translator *t, TSNode node)
{
    TSNode left = node_field(node, "left"), right = node_field(node, "right");
    if (ts_node_is_null(left)) left = node_field(node, "argument");
    Effects e = read_effects(t, left);
    Effects changed = {0};
    if (!add_member(t, left, changed.writes, &changed.n_writes))
        add_name(t, node, changed.writes, &changed.n_writes, find_changed(t, left));
    if (is_cell(t, left)) add_slots(t, left, changed.writes, &changed.n_writes, find_slot(t, left));
    if (!ts_node_is_null(right)) {
        Effects other = read_effects(t, right);
        join_unordered(t, node, &e, &other);
    }
    Str which;
    if (meets(e.writes, e.n_writes, changed.writes, changed.n_writes, &which))
        stop_at(t, node, "an order of evaluation that C leaves open: of %.*s", STR_FMT(which));
    join(t, node, &e, &changed);
    return e;
}

// A name that is handed over: not one whose element is.
static void add_passed(Translator *t, TSNode node, bool by_address, Effects *e)
{
    if (ts_node_is_null(node) || t->stopped) return;
    bool address = node_is(node, "pointer_expression") && node_is(ts_node_child(node, 0), "&");
    bool element =
        node_is(node, "subscript_expression") || (node_is(node, "pointer_expression") && !address);
    if (element && !by_address) return;
    int slot = node_is(node, "identifier") ? name_find(t, node_text(t, node)) : -1;
    const Slot *s = slot >= 0 ? &t->slots.items[slot] : NULL;
    if (node_is(node, "field_expression")) slot = find_slot(t, node);
    if (slot >= 0) s = &t->slots.items[slot];
    bool structure = s && s->type.kind == C_STRUCT && by_address && !s->is_const;
    if (structure || (node_is(node, "field_expression") && s && s->is_array && !s->is_const)) {
        e->calls = true;
        add_slots(t, node, e->writes, &e->n_writes, slot);
        return;
    }
    if (node_is(node, "field_expression")) { // a number's value
        if (slot < 0) stop_at(t, node, "an order of evaluation that is not followed: of a member");
        return;
    }
    bool leads = s && (s->is_array || s->type.kind == C_POINTER) && !s->is_const &&
                 !s->type.is_const && (!s->is_cell || by_address);
    if (leads) {
        int base = s->is_array ? slot : t->state.cells[slot].base;
        e->calls = true;
        add_slots(t, node, e->writes, &e->n_writes, base);
        if (s->is_cell) add_name(t, node, e->writes, &e->n_writes, s->name);
    }
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c))
        add_passed(t, c, address || by_address, e);
}

// What a function may change: the arrays that it gets, unless they are const.
static Effects read_call(Translator *t, TSNode node)
{
    Effects e = {0};
    TSNode arguments = node_field(node, "arguments");
    for (TSNode c = node_first(arguments); !ts_node_is_null(c); c = node_next(c)) {
        Effects other = read_effects(t, c);
        join_unordered(t, node, &e, &other);
    }
    for (TSNode c = node_first(arguments); !ts_node_is_null(c); c = node_next(c))
        add_passed(t, c, false, &e);
    return e;
}

static Effects read_effects(Translator *t, TSNode node)
{
    Effects e = {0};
    if (t->stopped || ts_node_is_null(node)) return e;
    if (node_is(node, "field_expression")) {
        int slot = find_slot(t, node);
        bool array = slot >= 0 && t->slots.items[slot].is_array; // its address is no access
        e = read_effects(t, node_field(node, "argument"));
        if (!array) add_member(t, node, e.reads, &e.n_reads);
        return e;
    }
    if (node_is(node, "identifier")) {
        int slot = name_find(t, node_text(t, node));
        if (is_cell(t, node) || (slot >= 0 && t->slots.items[slot].type.kind == C_STRUCT))
            add_slots(t, node, e.reads, &e.n_reads, slot);
        add_name(t, node, e.reads, &e.n_reads, node_text(t, node));
        return e;
    }
    if (node_is(node, "assignment_expression") || node_is(node, "update_expression"))
        return read_change(t, node);
    if (node_is(node, "call_expression")) return read_call(t, node);
    if (node_is(node, "subscript_expression") || node_is(node, "pointer_expression"))
        if (!add_member(t, node, e.reads, &e.n_reads))
            add_name(t, node, e.reads, &e.n_reads, find_changed(t, node));
    bool ordered = node_is(node, "comma_expression") || node_is(node, "conditional_expression");
    if (node_is(node, "binary_expression")) {
        Str op = node_text(t, node_field(node, "operator"));
        ordered = str_equal(op, STR("&&")) || str_equal(op, STR("||"));
    }
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c)) {
        Effects other = read_effects(t, c);
        if (ordered)
            join(t, node, &e, &other);
        else
            join_unordered(t, node, &e, &other);
    }
    return e;
}

void check_order(Translator *t, TSNode node)
{
    read_effects(t, node);
}
